"""Pipelines on their way: memory, and what is sent to other processes."""

from __future__ import annotations

import gc
import pickle
import tracemalloc
from typing import TYPE_CHECKING, Any

import numpy as np
from pipelines import EDGES, RGB, floats

import cnnfilter

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]


# ---------------------------------------------------------------------------------------------------------------------
# Memory


def peak_of(pipeline: cnnfilter.Pipeline, image: Array) -> int:
    """Bytes taken at the peak of a run."""
    gc.collect()
    tracemalloc.start()
    try:
        pipeline.run(image)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_is_freed_as_soon_as_no_layer_needs_it() -> None:
    image = floats(500, 500, 4)
    chain = cnnfilter.parse_pipeline(" | ".join(["relu", "tanh"] * 20))
    peak = peak_of(chain, image)
    assert peak < 5 * image.nbytes
    assert chain.summary(image.shape).memory == 2 * image.nbytes


def test_a_branch_is_kept_until_it_is_taken() -> None:
    text = "relu name=a | " + "tanh | " * 10 + "add from=a,tanh-10 | " + " | ".join(["relu"] * 10)
    pipeline = cnnfilter.parse_pipeline(text)
    image = floats(300, 300, 4)
    assert peak_of(pipeline, image) < 7 * image.nbytes
    assert pipeline.summary(image.shape).memory == 3 * image.nbytes


def test_the_picture_is_left_alone() -> None:
    image = RGB.astype(np.float32)
    image.flags.writeable = False
    before = image.copy()
    for steps in (EDGES, "relu | relu", "crop 8 | relu6 | scale by=2 | add from=input,input", "dropout 0.5 | abs"):
        cnnfilter.parse_pipeline(steps).run(image)
    np.testing.assert_array_equal(image, before)


def test_a_pipeline_that_has_run_is_sent_without_what_it_has_derived() -> None:
    pipeline = cnnfilter.parse_pipeline("conv2d 2 size=3 | relu", init="normal", seed=5)
    expected = pipeline.run(RGB)
    sent = pickle.dumps(pipeline)
    assert len(sent) < 2000
    np.testing.assert_array_equal(pickle.loads(sent).run(RGB), expected)
