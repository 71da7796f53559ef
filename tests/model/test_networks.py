"""Published networks, whose sizes are known, and the digits of samples/."""

from __future__ import annotations

import importlib.util
import re
import sys
import tracemalloc
from typing import TYPE_CHECKING, Any

import numpy as np
import PIL.Image
import pytest
from pipelines import loaded, toml
from places import SAMPLES

import cnnfilter

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from numpy.typing import NDArray

    Array = NDArray[Any]


def sample_module(name: str) -> ModuleType:
    """A script of samples/, as a module."""
    spec = importlib.util.spec_from_file_location(f"samples_{name}", SAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


# ---------------------------------------------------------------------------------------------------------------------
# Published networks


@pytest.fixture(scope="module")
def architectures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, cnnfilter.Pipeline]:
    folder = tmp_path_factory.mktemp("architectures")
    found = {}
    for name, text in sample_module("write_architectures").architectures().items():
        (folder / f"{name}.toml").write_text(text, encoding="utf-8")
        found[name] = cnnfilter.load_pipeline(str(folder / f"{name}.toml"))
    return found


@pytest.mark.parametrize(("name", "params", "macs"), [
    ("vgg16", 138_357_544, 15_470_264_320),
    ("alexnet", 61_100_840, 714_188_480),
    ("resnet18", 11_689_512, 1_814_073_344),
    ("resnet50", 25_557_032, 4_089_184_256),
    ("efficientnet-b0", 5_288_548, 385_814_752),
])  # fmt: skip
def test_published_totals(architectures: dict[str, cnnfilter.Pipeline], name: str, params: int, macs: int) -> None:
    summary = architectures[name].summary((224, 224, 3))
    assert (summary.params, summary.macs) == (params, macs)
    assert summary.output_shape == (1000,)
    assert summary.params == sum(layer.params for layer in summary.layers)
    assert summary.macs == sum(layer.macs for layer in summary.layers)


def test_lenet_totals(architectures: dict[str, cnnfilter.Pipeline]) -> None:
    summary = architectures["lenet"].summary((32, 32, 1))
    assert (summary.params, summary.macs) == (61_706, 416_520)


def test_receptive_field_of_vgg16(architectures: dict[str, cnnfilter.Pipeline]) -> None:
    """Published for its fifth pooling: 212, with effective stride 32 and padding 90."""
    summary = architectures["vgg16"].summary((224, 224, 3))
    pools = [layer for layer in summary.layers if layer.type == "pool"]
    assert [layer.output_shape for layer in pools] == [
        (112, 112, 64), (56, 56, 128), (28, 28, 256), (14, 14, 512), (7, 7, 512)
    ]  # fmt: skip
    assert pools[-1].receptive_field == (212, 212)
    assert pools[-1].effective_stride == (32, 32)
    assert pools[-1].effective_padding == (90, 90)
    assert summary.layers[-1].receptive_field is None
    assert summary.receptive_field is None


@pytest.mark.parametrize(("name", "layer", "field"), [
    ("alexnet", "features.12", 195), ("resnet18", "layer4.1.conv2", 435), ("resnet50", "layer4.2.conv2", 427),
])  # fmt: skip
def test_published_receptive_fields(
    architectures: dict[str, cnnfilter.Pipeline], name: str, layer: str, field: int
) -> None:
    """Araujo, Norris and Sim, 2019, table 1: the last layers that grow it; where branches meet, the largest.

    Their ResNet-50 (483) strides in the first 1 x 1 of a block; version 1.5 strides in the 3 x 3.
    """
    rows = {row.name: row for row in architectures[name].summary((224, 224, 3)).layers}
    assert rows[layer].receptive_field == (field, field)


def test_sample_files_are_those_of_the_script(architectures: dict[str, cnnfilter.Pipeline]) -> None:
    script = sample_module("write_architectures")
    texts = script.architectures()
    assert set(texts) == set(architectures)
    for name in script.WRITTEN:
        assert (SAMPLES / f"{name}.toml").read_text(encoding="utf-8") == texts[name]


def test_summary_reads_no_weights_and_takes_no_memory(architectures: dict[str, cnnfilter.Pipeline]) -> None:
    tracemalloc.start()
    try:
        summary = architectures["vgg16"].summary((224, 224, 3))
        huge = cnnfilter.parse_pipeline(
            "gray | convolve blur | conv2d 64 size=3 padding=1 | relu | pool | resize 99x99"
        )
        wide = huge.summary((100_000, 200_000, 3))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5_000_000
    assert summary.weight_bytes == 4 * 138_357_544
    assert wide.layers[2].macs == 100_000 * 200_000 * 64 * 9
    assert wide.output_shape == (99, 99, 64)
    assert wide.memory >= 2 * 100_000 * 200_000 * 64 * 4


def test_summary_of_a_file_without_its_weights(tmp_path: Path) -> None:
    text = toml('type = "conv2d"; filters = 4; size = 3', 'type = "batchnorm"; weight = "w"; bias = "b"; mean = "m"; '
                'variance = "v"', 'type = "flatten"', 'type = "dense"; units = 5', 'type = "softmax"')  # fmt: skip
    summary = loaded(tmp_path, text).summary((6, 6, 3))
    assert [row["params"] for row in summary.layers] == [4 * 3 * 9 + 4, 8, 0, 64 * 5 + 5, 0]
    assert [row["macs"] for row in summary.layers] == [16 * 4 * 27, 0, 0, 64 * 5, 0]
    assert [row["output_shape"] for row in summary.layers] == [(4, 4, 4), (4, 4, 4), (64,), (5,), (5,)]
    assert summary.receptive_field is None


def test_summary_counts_groups_and_zero_taps() -> None:
    text = "convolve sobel-v | conv2d 6 size=3x5 groups=3 bias=false padding=1x2 | convolve '1 0; 0 0' padding=valid"
    summary = cnnfilter.parse_pipeline(text).summary((10, 12, 3))
    assert [row.params for row in summary.layers] == [9, 6 * 15, 4]
    assert [row.macs for row in summary.layers] == [10 * 12 * 3 * 9, 10 * 12 * 6 * 15, 9 * 11 * 6 * 4]
    assert summary.receptive_field == (6, 8)
    assert summary["macs"] == summary.macs


def test_receptive_field_where_branches_meet() -> None:
    text = (
        "conv2d 4 size=3 padding=1 name=a | conv2d 4 size=5 padding=2 name=b from=input | add from=a,b name=c"
        " | pool size=2 | conv2d 4 size=1x3 dilation=1x2"
    )
    rows = cnnfilter.parse_pipeline(text).summary((16, 16, 3)).layers
    assert [row.receptive_field for row in rows] == [(3, 3), (5, 5), (5, 5), (6, 6), (6, 14)]
    assert rows[-1].effective_stride == (2, 2)


def test_global_pooling_ends_the_receptive_field() -> None:
    rows = cnnfilter.parse_pipeline("pool avg size=all | conv2d 4 size=1").summary((16, 16, 3)).layers
    assert [row.receptive_field for row in rows] == [None, None]
    assert [row.output_shape for row in rows] == [(1, 1, 3), (1, 1, 4)]


# ---------------------------------------------------------------------------------------------------------------------
# The digits


def test_digits_are_read() -> None:
    """At least 98% of the handwritten digits that training never saw, run through our own layers."""
    datasets = pytest.importorskip("sklearn.datasets")
    script = sample_module("train_digits")
    data = datasets.load_digits()
    unseen = script.held_out(len(data.target))
    assert len(unseen) == 360
    pictures = script.to_pictures(data.images)
    pipeline = cnnfilter.load_pipeline(str(SAMPLES / "digits.toml"))
    read = [int(np.argmax(pipeline.run(pictures[index]))) for index in unseen]
    assert float(np.mean(np.array(read) == data.target[unseen])) >= 0.98


@pytest.mark.parametrize("digit", range(10))
def test_drawn_digits_are_read(digit: int) -> None:
    pipeline = cnnfilter.load_pipeline(str(SAMPLES / "digits.toml"))
    with PIL.Image.open(SAMPLES / f"digit-{digit}.png") as picture:
        output = pipeline.run(np.asarray(picture.convert("RGB")))
    ranked = pipeline.classes(output)
    assert ranked is not None
    assert ranked[0][0] == str(digit)
    assert ranked[0][1] > 0.5
    assert sum(probability for _, probability in ranked) == pytest.approx(1, abs=1e-5)
    assert [p for _, p in ranked] == sorted((p for _, p in ranked), reverse=True)
    assert re.fullmatch(r"\d", ranked[1][0])


def test_digits_are_small() -> None:
    assert (SAMPLES / "digits.npz").stat().st_size < 200_000
