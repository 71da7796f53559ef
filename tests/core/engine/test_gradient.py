"""Gradient magnitudes and `normalize` in bands, against the nested loops."""

import math
from typing import Any

import numpy as np
import pytest
import reference
from forgetting import forget
from hypothesis import given, settings, strategies as st
from numpy.typing import NDArray

import cnnfilter
from cnnfilter.core import engine
from cnnfilter.core.engine import bands, gradient, layout, stretch
from cnnfilter.core.engine.task import Correlation
from cnnfilter.core.geometry import PAD_MODES, Windows
from cnnfilter.core.samples import UINT8, Rendering

Array = NDArray[Any]
SHAPES = st.tuples(st.integers(1, 9), st.integers(1, 11), st.integers(1, 4))
GRADIENTS = ["sobel", "scharr"]
PAIRS = st.tuples(st.integers(1, 3), st.integers(1, 3))


def samples(dtype: str, shape: tuple[int, ...], seed: int) -> Array:
    limits = np.iinfo(dtype)
    return np.random.default_rng(seed).integers(limits.min, limits.max, shape, dtype, endpoint=True)


@settings(deadline=None, max_examples=150)
@given(
    shape=SHAPES, dtype=st.sampled_from(["uint8", "int8", "uint16", "int16"]), name=st.sampled_from(GRADIENTS),
    stride=PAIRS, mode=st.sampled_from([*PAD_MODES]), mapping=st.sampled_from(["raw", "clip", "abs", "shift"]),
    scale=st.sampled_from([1, 0.25, -1, 0.001]), bias=st.sampled_from([0, 7.5]), seed=st.integers(0, 999),
    band=st.sampled_from([40, 1 << 18]),
)  # fmt: skip
def test_magnitudes(
    shape: tuple[int, int, int], dtype: str, name: str, stride: tuple[int, int], mode: str, mapping: str, scale: float,
    bias: float, seed: int, band: int,
) -> None:  # fmt: skip
    image = samples(dtype, shape, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "BAND", band)
        forget()
        got = cnnfilter.convolve(
            image, cnnfilter.kernel(name), stride=stride, pad_mode=mode, mapping=mapping, scale=scale, bias=bias
        )
    v, h = (
        np.array(reference.convolve(image.tolist(), matrix.tolist(), stride=stride, pad_mode=mode), float)
        for matrix in cnnfilter.kernel(name).matrix
    )
    responses = scale * np.sqrt(v * v + h * h) + bias
    if mapping == "raw":
        assert got.dtype == np.float32
        assert np.abs(got - responses).max() <= 2e-6 * np.abs(responses).max()
        return
    limits = np.iinfo(dtype)
    levels = np.abs(responses) if mapping == "abs" else responses
    if mapping == "shift" and dtype.startswith("u"):
        levels = levels + (int(limits.max) + 1) // 2
    exact = np.clip(np.floor(levels + 0.5), limits.min, limits.max)
    near = np.abs(levels + 0.5 - np.round(levels + 0.5)) < 4e-7 * np.abs(levels).max() + 1e-9
    assert got.dtype == image.dtype
    assert (np.abs(got - exact) <= near).all()  # a level off only where float32 cannot tell the halves


@settings(deadline=None, max_examples=150)
@given(
    shape=SHAPES, kernel=st.sampled_from(["sobel-v", "blur", "emboss", "0 0 1", "-1", "laplacian-8"]), stride=PAIRS,
    mode=st.sampled_from([*PAD_MODES]), kind=st.sampled_from(["noise", "two levels", "flat"]),
    channels=st.sampled_from(["each", "sum"]), scale=st.sampled_from([1, "1/3", -2]), bias=st.sampled_from([0, "7/2"]),
    seed=st.integers(0, 999), band=st.sampled_from([40, 1 << 18]),
)  # fmt: skip
def test_normalize(
    shape: tuple[int, int, int], kernel: str, stride: tuple[int, int], mode: str, kind: str, channels: str,
    scale: Any, bias: Any, seed: int, band: int,
) -> None:  # fmt: skip
    image = samples("uint8", shape, seed)
    image = {"noise": image, "two levels": image // 128 * 255, "flat": image * 0 + 9}[kind].astype(np.uint8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "BAND", band)
        forget()
        got = cnnfilter.convolve(
            image, kernel, stride=stride, pad_mode=mode, mapping="normalize", scale=scale, bias=bias, channels=channels
        )
    each = image if channels == "each" else image.astype(np.int64).sum(axis=2, keepdims=True)
    taps = cnnfilter.kernel(kernel).matrix.tolist()
    sums = np.array(reference.convolve(each.tolist(), taps, stride=stride, pad_mode=mode))
    sums = sums * (-1 if scale == -2 else 1)
    low, span = int(sums.min()), int(sums.max() - sums.min())
    levels = ((sums - low) * 510 + span) // (2 * span) if span else sums * 0
    assert got.tolist() == (levels if channels == "each" else levels[:, :, 0]).tolist()


def test_the_widest_span_is_stretched_exactly() -> None:
    """Every sum from 0 to 65535 occurs, and all 256 levels with it."""
    image = np.repeat(np.arange(256, dtype=np.uint8), 256).reshape(1, -1, 1)
    second = np.tile(np.arange(256, dtype=np.uint8), 256).reshape(1, -1, 1)
    task = Correlation(np.array([[256], [1]]), Windows.of((2, 1), padding="valid"), "zero")
    both = np.concatenate([image, second])
    plan = engine.plan(task, both, Rendering("normalize", samples=UINT8)).stretched
    assert plan is not None
    sums = np.arange(65536)
    assert stretch.run(plan, both)[0, :, 0].tolist() == ((sums * 510 + 65535) // (2 * 65535)).tolist()


def test_who_takes_which_way() -> None:
    def planned(image: Array, kernel: str) -> gradient.Magnitude | None:
        tasks = [Correlation(matrix, Windows.of(3), "reflect") for matrix in cnnfilter.kernel(kernel).matrix]
        return engine.magnitude(tasks, image, Rendering("clip", samples=UINT8), count=True)

    assert planned(np.zeros((9, 9, 3), np.uint8), "sobel") is not None
    assert planned(np.zeros((9, 9, 1), np.int32), "sobel") is None
    assert planned(np.zeros((9, 9, 1), np.float32), "sobel") is None
    task = Correlation(np.full((3, 3), 30), Windows.of(3), "reflect")
    bytes_, words = np.zeros((9, 9, 1), np.uint8), np.zeros((9, 9, 1), np.uint16)
    assert engine.plan(task, bytes_, Rendering("normalize", samples=UINT8)).stretched is None  # 9 * 30 * 255 > 65535
    assert engine.plan(task, words, Rendering("normalize", samples=UINT8)).stretched is None
    maps = Rendering("normalize", samples=UINT8, per_map=True)
    assert engine.plan(Correlation(np.ones((3, 3), int), Windows.of(3), "zero"), bytes_, maps).stretched is None


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_share_both_ways(threads: int) -> None:
    image = samples("uint8", (2000, 600, 1), 5)
    cnnfilter.set_threads(threads)
    try:
        magnitude = cnnfilter.convolve(image, "sobel", mapping="clip")
        stretched = cnnfilter.convolve(image, "sobel-v", mapping="normalize")
    finally:
        cnnfilter.set_threads(None)
    v, h = (cnnfilter.convolve(image, f"sobel-{way}").astype(float) for way in "vh")
    assert (magnitude == np.minimum(np.floor(np.sqrt(v * v + h * h) + 0.5), 255)).all()
    span = int(v.max() - v.min())
    assert (stretched == ((v - v.min()) * 510 + span) // (2 * span)).all()
    assert math.isqrt(span) > 0


def test_bands_cover_all_rows_once() -> None:
    assert bands.starts(10, 4) == ((0, 0), (4, 4), (6, 8))
    assert bands.starts(3, 4) == ((0, 0),)
