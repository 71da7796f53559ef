"""Pipelines in Python: graph, text and files, weights, summaries, memory, and the layers that prepare a picture."""

from __future__ import annotations

import gc
import importlib.util
import io
import json
import os
import pickle
import re
import struct
import sys
import tracemalloc
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings, strategies as st
from places import SAMPLES

import cnnfilter
from cnnfilter.model.layers import LAYERS, make
from cnnfilter.model.weights import load

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from numpy.typing import NDArray

    Array = NDArray[Any]

EDGES = "gray | convolve sobel-v stride=2 | relu | pool max size=2"
RNG = np.random.default_rng(30)
RGB = RNG.integers(0, 256, (21, 26, 3)).astype(np.uint8)


# ---------------------------------------------------------------------------------------------------------------------
# Helpers


def sample_module(name: str) -> ModuleType:
    """A script of samples/, as a module."""
    spec = importlib.util.spec_from_file_location(f"samples_{name}", SAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def loaded(folder: Path, text: str, **tensors: Array) -> cnnfilter.Pipeline:
    """A pipeline by way of a file, with `x.npz` beside it where tensors are given (`__` stands for a dot)."""
    if tensors:
        named: dict[str, Any] = {name.replace("__", "."): array for name, array in tensors.items()}
        np.savez(folder / "x.npz", **named)
    (folder / "x.toml").write_text(text, encoding="utf-8")
    return cnnfilter.load_pipeline(str(folder / "x.toml"))


def toml(*layers: str, top: str = "") -> str:
    """A pipeline file; each layer's keys are separated by semicolons."""
    tables = ["[[layer]]\n" + "\n".join(part.strip() for part in layer.split(";")) for layer in layers]
    return "\n\n".join([top, *tables]) + "\n"


def message(caught: pytest.ExceptionInfo[BaseException]) -> str:
    """The one line of an error."""
    text = str(caught.value)
    assert text.isprintable()
    return text


def floats(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


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
# One line, a file, Python objects


SAME: list[tuple[str, str, list[tuple[str, dict[str, Any]]]]] = [
    (EDGES,
     toml('type = "gray"', 'type = "convolve"; kernel = "sobel-v"; stride = 2', 'type = "relu"',
          'type = "pool"; kind = "max"; size = 2'),
     [("gray", {}), ("convolve", {"kernel": "sobel-v", "stride": 2}), ("relu", {}), ("pool", {"size": 2})]),
    ("convolve '1 2; 3 4' stride=2x3 padding=valid scale=1/4 bias=-2 flip=true | abs | pool avg size=3x2 stride=1 "
     "padding=1 ceil_mode=true count_include_pad=true",
     toml('type = "convolve"; kernel = "1 2, 3 4"; stride = [2, 3]; padding = "valid"; scale = "1/4"; bias = -2; '
          'flip = true'.replace("2, 3 4", "2\\u003b 3 4"), 'type = "abs"', 'type = "pool"; kind = "avg"; stride = 1; '
          'size = [3, 2]; padding = 1; ceil_mode = true; count_include_pad = true'),
     [("convolve", {"kernel": [[1, 2], [3, 4]], "stride": (2, 3), "padding": "valid", "scale": 0.25, "bias": -2,
                    "flip": True}), ("abs", {}),
      ("pool", {"kind": "avg", "size": (3, 2), "stride": 1, "padding": 1, "ceil_mode": True,
                "count_include_pad": True})]),
    ("crop 16 | scale | standardize mean=0.5,0.25,0.1 std=0.2 | leaky-relu 0.1 | elu alpha=2 | resize 8x9",
     toml('type = "crop"; size = 16', 'type = "scale"', 'type = "standardize"; mean = [0.5, 0.25, 0.1]; std = 0.2',
          'type = "leaky-relu"; slope = 0.1', 'type = "elu"; alpha = 2.0', 'type = "resize"; size = "8x9"'),
     [("crop", {"size": 16}), ("scale", {"by": "1/255"}), ("standardize", {"mean": (0.5, 0.25, 0.1), "std": (0.2,)}),
      ("leaky-relu", {"slope": 0.1}), ("elu", {"alpha": 2}), ("resize", {"size": (8, 9)})]),
    ("conv2d 6 size=3 padding=1 groups=3 init=normal seed=4 name=a | relu6 name=b | conv2d 6 size=1 init=normal from=a"
     " | add from=b,conv2d | flatten | dropout 0.2 | dense 5 init=normal bias=false | softmax",
     toml('type = "conv2d"; filters = 6; size = 3; padding = 1; groups = 3; init = "normal"; seed = 4; name = "a"',
          'type = "relu6"; name = "b"', 'type = "conv2d"; filters = 6; size = 1; init = "normal"; from = "a"',
          'type = "add"; from = ["b", "conv2d"]', 'type = "flatten"', 'type = "dropout"; rate = 0.2',
          'type = "dense"; units = 5; init = "normal"; bias = false', 'type = "softmax"'),
     [("conv2d", {"filters": 6, "size": 3, "padding": 1, "groups": 3, "init": "normal", "seed": 4, "name": "a"}),
      ("relu6", {"name": "b"}), ("conv2d", {"filters": 6, "size": 1, "init": "normal", "from": ("a",)}),
      ("add", {"from": ("b", "conv2d")}), ("flatten", {}), ("dropout", {"rate": 0.2}),
      ("dense", {"units": 5, "init": "normal", "bias": False}), ("softmax", {})]),
    ("pool max size=3 stride=1 padding=1 name=a | gray mean from=input name=b | concat from=a,b | tanh | batchnorm "
     "epsilon=0.01 | silu | sigmoid",
     toml('type = "pool"; size = 3; stride = 1; padding = 1; name = "a"', 'type = "gray"; gray = "mean"; '
          'from = "input"; name = "b"', 'type = "concat"; from = ["a", "b"]', 'type = "tanh"',
          'type = "batchnorm"; epsilon = 0.01', 'type = "silu"', 'type = "sigmoid"'),
     [("pool", {"size": 3, "stride": 1, "padding": 1, "name": "a"}),
      ("gray", {"gray": "mean", "from": "input", "name": "b"}), ("concat", {"from": ("a", "b")}), ("tanh", {}),
      ("batchnorm", {"epsilon": 0.01}), ("silu", {}), ("sigmoid", {})]),
]  # fmt: skip


def three_ways(folder: Path, number: int) -> list[cnnfilter.Pipeline]:
    steps, text, layers = SAME[number]
    objects = cnnfilter.Pipeline(tuple(make(kind, dict(keys)) for kind, keys in layers))
    return [cnnfilter.parse_pipeline(steps), loaded(folder, text), objects]


@pytest.mark.parametrize("number", range(len(SAME)))
def test_one_line_a_file_and_objects_are_one(number: int, tmp_path: Path) -> None:
    line, file, objects = three_ways(tmp_path, number)
    expected = objects.run(RGB)
    summaries = [pipeline.summary(RGB.shape).layers for pipeline in (line, file, objects)]
    assert summaries[0] == summaries[1] == summaries[2]
    for pipeline in (line, file):
        result = pipeline.run(RGB)
        assert result.dtype == expected.dtype
        np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("number", range(len(SAME)))
def test_round_trips(number: int, tmp_path: Path) -> None:
    pipelines = three_ways(tmp_path, number)
    expected = pipelines[0].run(RGB)
    for pipeline in pipelines:
        line, text = str(pipeline), pipeline.to_toml()
        from_line, from_text = cnnfilter.parse_pipeline(line), loaded(tmp_path, text)
        assert str(from_line) == line
        assert str(from_text) == line
        assert from_text.to_toml() == text
        for other in (from_line, from_text):
            np.testing.assert_array_equal(other.run(RGB), expected)


def test_round_trip_of_what_stands_at_the_top(tmp_path: Path) -> None:
    top = 'name = "two"\nlabels = ["cat \\"tom\\"", "Hündin"]\ninit = "normal"\nseed = 9'
    layers = ['type = "conv2d"; filters = 2; size = 3', 'type = "flatten"', 'type = "dense"; units = 2']
    text = toml(*layers, 'type = "softmax"', top=top)
    first = loaded(tmp_path, text)
    assert (first.name, first.labels, first.init, first.seed) == ("two", ('cat "tom"', "Hündin"), "normal", 9)
    again = loaded(tmp_path, first.to_toml())
    assert (again.name, again.labels, again.init, again.seed) == (first.name, first.labels, first.init, first.seed)
    np.testing.assert_array_equal(first.run(RGB), again.run(RGB))


def test_round_trip_of_every_sample() -> None:
    for path in sorted(SAMPLES.glob("*.toml")):
        pipeline = cnnfilter.load_pipeline(str(path))
        assert str(cnnfilter.parse_pipeline(str(pipeline))) == str(pipeline)
        shape = (32, 32, 1) if path.stem == "lenet" else (224, 224, 3)
        bare = cnnfilter.parse_pipeline(str(pipeline))
        if pipeline.weights is None:
            assert bare.summary(shape).layers == pipeline.summary(shape).layers


@given(
    kernel=st.sampled_from(["sobel-v", "gaussian:5:1.5", "0 -1 0; -1 5 -1; 0 -1 0", "1/3 1/3 1/3"]),
    stride=st.sampled_from([1, 2, (2, 3)]),
    padding=st.sampled_from(["same", "valid", 1, (2, 1), ((0, 1), (2, 0))]),
    pad_mode=st.sampled_from(["reflect", "zero", "edge"]),
    scale=st.sampled_from([1, "1/9", 0.5]),
    size=st.sampled_from([2, (3, 2), "all"]),
)
@settings(deadline=None, max_examples=40)
def test_any_layer_round_trips(kernel: str, stride: Any, padding: Any, pad_mode: str, scale: Any, size: Any) -> None:
    keys = {"kernel": kernel, "stride": stride, "padding": padding, "pad_mode": pad_mode, "scale": scale}
    pipeline = cnnfilter.Pipeline((make("convolve", keys), make("pool", {"size": size, "name": "last one"})))
    again = cnnfilter.parse_pipeline(str(pipeline))
    assert str(again) == str(pipeline)
    assert again.last.name == "last one"
    np.testing.assert_array_equal(again.run(RGB), pipeline.run(RGB))


def test_layers_are_the_functions() -> None:
    gray = cnnfilter.parse_pipeline("gray").run(RGB)
    edges = cnnfilter.convolve(gray, "sobel-v", stride=2)
    np.testing.assert_array_equal(cnnfilter.parse_pipeline("gray | convolve sobel-v stride=2").run(RGB), edges)
    result = cnnfilter.parse_pipeline(EDGES).run(RGB)
    assert result.dtype == np.int32
    np.testing.assert_array_equal(result, cnnfilter.pool(cnnfilter.relu(edges)))


@pytest.mark.parametrize("steps", ["pool avg size=3", "convolve blur", "pool min size=all", "convolve sobel stride=2"])
def test_one_layer_is_its_function(steps: str) -> None:
    kind, main, *keys = steps.split()
    options: dict[str, Any] = {
        key: int(value) if value.isdigit() else value for key, value in (k.split("=") for k in keys)
    }
    function = cnnfilter.pool if kind == "pool" else cnnfilter.convolve
    result, wanted = cnnfilter.parse_pipeline(steps).run(RGB), function(RGB, main, **options)
    assert result.dtype == wanted.dtype
    np.testing.assert_array_equal(result, wanted)


@pytest.mark.parametrize(("steps", "layers"), [
    ("relu|pool", ["relu", "pool"]),
    ("  relu  |  pool  ", ["relu", "pool"]),
    ("relu | relu | relu", ["relu", "relu-2", "relu-3"]),
    ("relu name=x | pool name='two words'", ["x", "two words"]),
    ("relu | relu name=relu-2 | relu", ["relu", "relu-2", "relu-3"]),
])  # fmt: skip
def test_names(steps: str, layers: list[str]) -> None:
    assert [node.name for node in cnnfilter.parse_pipeline(steps).nodes] == layers


def test_every_layer_type_of_the_contract_is_there() -> None:
    words = (
        "convolve pool conv2d batchnorm relu leaky-relu relu6 elu sigmoid tanh silu abs gray resize crop scale"
        " standardize add multiply concat flatten dense dropout softmax"
    )
    assert set(LAYERS) == set(words.split())


# ---------------------------------------------------------------------------------------------------------------------
# The graph


def test_inputs_written_later_come_first(tmp_path: Path) -> None:
    """A layer may take one that is written below it."""
    text = toml('type = "relu"; name = "a"; from = "b"', 'type = "scale"; by = -1; name = "b"; from = "input"',
                'type = "add"; from = ["a", "b"]')  # fmt: skip
    x = floats(4, 5)
    np.testing.assert_array_equal(loaded(tmp_path, text).run(x), np.maximum(-x, 0) - x)


def test_a_layer_may_be_taken_twice() -> None:
    x = np.array([[1, 2], [3, 4]], np.uint8)
    assert cnnfilter.parse_pipeline("relu name=a | add from=a,a").run(x).tolist() == [[2, 4], [6, 8]]
    assert cnnfilter.parse_pipeline("relu name=a | multiply from=a,a,input").run(x).tolist() == [[1, 8], [27, 64]]


@pytest.mark.parametrize(("steps", "wanted"), [
    ("pool size=all name=a | multiply from=input,a", (4, 6, 3)),
    ("gray name=a | multiply from=input,a", (4, 6, 3)),
    ("gray name=a | concat from=input,a", (4, 6, 4)),
    ("pool size=all | flatten name=a | pool avg size=all from=input | flatten name=b | concat from=a,b", (6,)),
])  # fmt: skip
def test_shapes_of_several_inputs(steps: str, wanted: tuple[int, ...]) -> None:
    x = floats(4, 6, 3)
    pipeline = cnnfilter.parse_pipeline(steps)
    assert pipeline.run(x).shape == wanted
    assert pipeline.summary(x.shape).output_shape == wanted


def test_flatten_has_pytorchs_order() -> None:
    x = np.arange(24).reshape(2, 3, 4)  # height, width, channels
    result = cnnfilter.parse_pipeline("flatten").run(x.astype(np.int32))
    assert result.tolist() == x.transpose(2, 0, 1).ravel().tolist()


GRAPH_ERRORS: list[tuple[str, list[str]]] = [
    ('type = "relu"; name = "a"; from = "b" / type = "relu"; name = "b"; from = "a" / type = "add"; from = ["a", "b"]',
     ["a", "b", "cycle"]),
    ('type = "relu"; name = "a"; from = "a" / type = "relu"', ["a", "cycle"]),
    ('type = "relu"; name = "first" / type = "relu"; from = "frist"', ["frist", "first", "line 7"]),
    ('type = "relu"; from = "nothing"', ["nothing", "line 3"]),
    ('type = "relu"; name = "a" / type = "tanh"; name = "a"', ["'a'", "two"]),
    ('type = "relu"; name = "input"', ["input", "line 3"]),
    ('type = "relu"; name = ""', ["name", "line 3"]),
    ('type = "add"', ["add", "two inputs", "line 3"]),
    ('type = "relu"; from = ["input", "input"]', ["relu", "one input", "line 3"]),
    ('type = "concat"; from = []', ["concat", "line 3"]),
]  # fmt: skip


@pytest.mark.parametrize(("layers", "words"), GRAPH_ERRORS, ids=str)
def test_graphs_that_are_refused(layers: str, words: list[str], tmp_path: Path) -> None:
    with pytest.raises(cnnfilter.ParameterError) as caught:
        loaded(tmp_path, toml(*layers.split(" / ")))
    for word in [*words, "x.toml"]:
        assert word in message(caught)


def test_no_layers() -> None:
    with pytest.raises(cnnfilter.ParameterError, match="layer"):
        cnnfilter.Pipeline(())


SHAPE_ERRORS: list[tuple[str, list[str]]] = [
    ("relu | conv2d 4 size=3 groups=2", ["step 2", "conv2d", "groups", "3 channels"]),
    ("pool size=30 name=big", ["step 1", "big", "30x30", "21x26"]),
    ("conv2d 4 size=50 name=wide", ["step 1", "wide", "50x50", "21x26"]),
    ("relu | dense 10 name=fc", ["step 2", "fc", "21x26x3", "flatten"]),
    ("flatten | pool", ["step 2", "pool", "image"]),
    ("flatten | convolve blur", ["step 2", "convolve", "image"]),
    ("pool name=half | add from=half,input", ["step 2", "add", "10x13x3", "21x26x3"]),
    ("pool name=half | concat from=half,input", ["step 2", "concat", "10x13x3", "21x26x3"]),
    ("crop 22 name=middle", ["step 1", "middle", "22x22", "21x26"]),
    ("standardize mean=1,2 std=1", ["step 1", "standardize", "2 numbers", "3 channels"]),
    ("conv2d 4 size=3 | gray", ["step 2", "gray", "4 channels"]),
    ("convolve random:3:4 | convolve random:3:2 | gray", ["step 3", "gray", "2 channels"]),
    ("flatten name=v | add from=v,input", ["step 2", "add"]),
    ("resize 1 | resize 1x2 | pool size=3", ["step 3", "pool", "3x3", "1x2"]),
]  # fmt: skip


@pytest.mark.parametrize(("steps", "words"), SHAPE_ERRORS)
def test_shapes_that_do_not_fit_name_layer_and_step(steps: str, words: list[str]) -> None:
    pipeline = cnnfilter.parse_pipeline(steps, init="normal")
    for act in (lambda: pipeline.summary(RGB.shape), lambda: pipeline.run(RGB)):
        with pytest.raises(cnnfilter.ParameterError) as caught:
            act()
        for word in words:
            assert word in message(caught)


def test_shapes_that_do_not_fit_name_the_line(tmp_path: Path) -> None:
    pipeline = loaded(tmp_path, toml('type = "relu"', 'type = "dense"; units = 3; name = "fc"', top='init = "normal"'))
    with pytest.raises(cnnfilter.ParameterError, match=r"line 6 \(fc\).*flatten"):
        pipeline.run(RGB)


# ---------------------------------------------------------------------------------------------------------------------
# Typing errors


@pytest.mark.parametrize(("steps", "words"), [
    ("rely", ["step 1", "rely", "relu"]),
    ("gray | convolv sobel-v", ["step 2", "convolve"]),
    ("maxpool", ["step 1", "pool"]),
    ("batch-norm", ["batchnorm"]),
    ("gray | convolve sobel-v strid=2", ["step 2", "strid", "stride"]),
    ("convolve sobel-v pad-modes=zero", ["step 1", "pad_mode"]),
    ("convolve sobbel-v", ["step 1", "sobbel-v", "sobel-v"]),
    ("pool max size=0", ["step 1", "size", "0"]),
    ("pool maxi", ["step 1", "maxi", "max"]),
    ("pool max avg", ["step 1", "avg"]),
    ("pool max kind=avg", ["step 1", "kind"]),
    ("pool size=2 size=3", ["step 1", "size", "twice"]),
    ("pool padding=2", ["step 1", "padding"]),
    ("pool ceil_mode=perhaps", ["step 1", "ceil_mode", "perhaps"]),
    ("relu 3", ["step 1", "relu", "3"]),
    ("resize", ["step 1", "resize", "size"]),
    ("convolve", ["step 1", "convolve", "kernel"]),
    ("conv2d 5 size=3 groups=2", ["step 1", "5", "2"]),
    ("conv2d 4 size=3 pad_mode=mirror", ["step 1", "mirror", "reflect", "symmetric"]),
    ("conv2d -1 size=3", ["step 1", "filters"]),
    ("dense 2.5", ["step 1", "units"]),
    ("dropout 2", ["step 1", "rate", "2"]),
    ("standardize std=0", ["step 1", "std", "0"]),
    ("gray lumen", ["step 1", "lumen", "luma"]),
    ("scale by=x", ["step 1", "by", "x"]),
    ("relu |", ["step 2", "empty"]),
    ("| relu", ["step 1", "empty"]),
    ("relu || relu", ["step 2", "empty"]),
    ("", ["step 1", "empty"]),
    ("convolve '0 1", ["quot"]),
    ("relu init=normal", ["step 1", "init", "relu"]),
    ("conv2d 4 size=3 init=uniform", ["step 1", "init", "normal"]),
    ("leaky-relu slope=nan", ["step 1", "slope"]),
])  # fmt: skip
def test_slips_in_a_line(steps: str, words: list[str]) -> None:
    with pytest.raises(cnnfilter.ParameterError) as caught:
        cnnfilter.parse_pipeline(steps)
    for word in words:
        assert word in message(caught)


@pytest.mark.parametrize(("text", "words"), [
    (toml('type = "rely"'), ["line 3", "rely", "relu"]),
    (toml('type = "relu"', 'type = "pool"; siez = 3'), ["line 6", "pool", "siez", "size"]),
    (toml('kind = "max"'), ["line 3", "type"]),
    (toml('type = 3'), ["line 3", "type"]),
    (toml('type = "pool"; name = "p1"; size = "2y3"'), ["line 3", "p1", "size", "2y3"]),
    (toml('type = "relu"', top='wieghts = "x.npz"'), ["wieghts", "weights"]),
    (toml('type = "relu"', top="weights = 3"), ["weights", "3"]),
    (toml('type = "relu"', top='seed = "x"'), ["seed", "x"]),
    (toml('type = "relu"', top="seed = -1"), ["seed", "-1"]),
    (toml('type = "relu"', top="labels = 3"), ["labels", "3"]),
    (toml('type = "relu"', top='init = "uniform"'), ["init", "uniform", "normal"]),
    ('name = "empty"\n', ["layer"]),
    ("layer = 3\n", ["[[layer]]"]),
    ('[layer]\ntype = "relu"\n', ["[[layer]]"]),
])  # fmt: skip
def test_slips_in_a_file(text: str, words: list[str], tmp_path: Path) -> None:
    with pytest.raises(cnnfilter.ParameterError) as caught:
        loaded(tmp_path, text)
    for word in [*words, "x.toml"]:
        assert word in message(caught)


@pytest.mark.parametrize("content", [b"[[layer]\n", b"\xff\xfe", b"a = ", b"[" * 100_000, b"\x89PNG\r\n"])
def test_files_that_are_no_toml(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_bytes(content)
    with pytest.raises(cnnfilter.FileError, match=r"x\.toml") as caught:
        cnnfilter.load_pipeline(str(tmp_path / "x.toml"))
    assert message(caught)


@pytest.mark.parametrize("kind", ["missing", "folder", "fifo"])
def test_paths_that_are_no_files(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    if kind == "folder":
        path.mkdir()
    if kind == "fifo":
        os.mkfifo(path)
    with pytest.raises(cnnfilter.FileError, match=r"x\.toml"):
        cnnfilter.load_pipeline(str(path))


def test_paths_are_relative_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "net"
    folder.mkdir()
    np.savetxt(folder / "mine.txt", [[2.0]])
    (folder / "names.txt").write_text("ant\n\nbee \n", encoding="utf-8")
    text = toml('type = "convolve"; kernel = "mine.txt"', 'type = "conv2d"; params = "c"', 'type = "flatten"',
                'type = "softmax"', top='weights = "x.npz"\nlabels = "names.txt"')  # fmt: skip
    loaded(folder, text, c__weight=np.array([[[[1]]], [[[2]]]], np.float32))
    monkeypatch.chdir(tmp_path)
    pipeline = cnnfilter.load_pipeline("net/x.toml")
    result = pipeline.run(np.full((1, 1), 3, np.uint8))
    ranked = pipeline.classes(result)
    assert ranked is not None
    assert [label for label, _ in ranked] == ["bee", "ant"]
    assert ranked[0][1] == pytest.approx(1 / (1 + np.exp(-6)), rel=1e-5)


# ---------------------------------------------------------------------------------------------------------------------
# Weights


CONV = 'type = "conv2d"; filters = 4; size = 3; params = "features.0"; name = "conv"'
WEIGHTS = 'weights = "x.npz"'


def test_params_and_single_names_are_the_same(tmp_path: Path) -> None:
    weight, bias = floats(4, 3, 3, 3), floats(4)
    short = loaded(tmp_path, toml(CONV, top=WEIGHTS), features__0__weight=weight, features__0__bias=bias).run(RGB)
    long = toml('type = "conv2d"; weight = "features.0.weight"; bias = "features.0.bias"', top=WEIGHTS)
    np.testing.assert_array_equal(loaded(tmp_path, long).run(RGB), short)
    wanted = cnnfilter.conv2d(RGB, weight.transpose(2, 3, 1, 0), bias)
    np.testing.assert_array_equal(short, wanted)


def test_bias_is_as_the_file_has_it(tmp_path: Path) -> None:
    pipeline = loaded(tmp_path, toml(CONV, top=WEIGHTS), features__0__weight=floats(4, 3, 3, 3))
    assert pipeline.run(RGB).shape == (19, 24, 4)
    assert pipeline.summary(RGB.shape).params == 4 * 27


def test_tensors_of_other_types_become_floats(tmp_path: Path) -> None:
    weight = RNG.integers(-9, 9, (4, 3, 3, 3))
    expected = loaded(tmp_path, toml(CONV, top=WEIGHTS), features__0__weight=weight.astype(np.float32)).run(RGB)
    for dtype in ("float16", "float64", "int64", "int8", ">f4"):
        result = loaded(tmp_path, toml(CONV, top=WEIGHTS), features__0__weight=weight.astype(dtype)).run(RGB)
        assert result.dtype == np.float32
        np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize(("layer", "tensors", "words"), [
    (CONV, {"features__1__weight": (4, 3, 3, 3)}, ["conv", "features.0.weight", "line 3"]),
    (CONV, {"features__0__weight": (4, 3, 3)}, ["conv", "features.0.weight", "4x3x3", "4x3x3x3"]),
    (CONV, {"features__0__weight": (3, 3, 3, 4)}, ["conv", "features.0.weight", "3x3x3x4", "4x3x3x3"]),
    (CONV, {"features__0__weight": (4, 1, 3, 3)}, ["conv", "4x1x3x3", "4x3x3x3"]),
    (CONV, {"features__0__weight": (4, 3, 3, 3), "features__0__bias": (3,)}, ["conv", "features.0.bias", "3", "4"]),
    (CONV + "; bias = true", {"features__0__weight": (4, 3, 3, 3)}, ["conv", "features.0.bias"]),
    ('type = "batchnorm"; params = "bn"', {"bn__weight": (3,), "bn__bias": (3,)}, ["batchnorm", "bn.running_mean"]),
    ('type = "batchnorm"; params = "bn"', {"bn__weight": (3,), "bn__bias": (3,), "bn__running_mean": (3,),
                                           "bn__running_var": (4,)}, ["batchnorm", "bn.running_var", "4", "3"]),
    ('type = "conv2d"; weight = "w"; bias = "b"', {"w": (4, 3, 3, 3)}, ["conv2d", "'b'"]),
    ('type = "conv2d"; weight = "weihgt"', {"weight": (4, 3, 3, 3)}, ["conv2d", "weihgt", "weight"]),
])  # fmt: skip
def test_tensors_that_do_not_fit(
    layer: str, tensors: dict[str, tuple[int, ...]], words: list[str], tmp_path: Path
) -> None:
    arrays = {name: floats(*shape) for name, shape in tensors.items()}
    pipeline = loaded(tmp_path, toml(layer, top=WEIGHTS), **arrays)
    with pytest.raises(cnnfilter.CnnfilterError) as caught:
        pipeline.run(RGB)
    for word in words:
        assert word in message(caught)


@pytest.mark.parametrize(
    "steps", ["conv2d 4 size=3 name=c", "flatten | dense 4 name=c", "conv2d 4 size=3 params=c name=c"]
)
def test_no_weights_at_all(steps: str) -> None:
    with pytest.raises(cnnfilter.ParameterError, match=r"\(c\).*weights.*init"):
        cnnfilter.parse_pipeline(steps).run(RGB)


def broken_npz(kind: str, path: Path) -> None:
    """A weights file that no honest program writes."""
    whole = io.BytesIO()
    honest: dict[str, Any] = {"features.0.weight": floats(4, 3, 3, 3)}
    np.savez(whole, **honest)
    if kind == "not a zip":
        path.write_bytes(b"no zip" * 100)
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "truncated":
        path.write_bytes(whole.getvalue()[:-100])
    elif kind == "damaged":
        content = bytearray(whole.getvalue())
        content[200:260] = b"\x00" * 60
        path.write_bytes(content)
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "pickle":
        honest["features.0.weight"] = np.array([{"a": 1}], object)
        np.savez(path, **honest)
    else:
        header = {"terabytes": "'<f4', 'fortran_order': False, 'shape': (4, 3, 300000, 300000)",
                  "overflow": "'<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296, 3, 3)",
                  "records": "[('a', '<f4')], 'fortran_order': False, 'shape': (4, 3, 3, 3)",
                  "text": "'<U9', 'fortran_order': False, 'shape': (4, 3, 3, 3)"}[kind]  # fmt: skip
        text = f"{{'descr': {header}}}".encode().ljust(117) + b"\n"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            member = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + b"\x00" * 432
            archive.writestr("features.0.weight.npy", member)


@pytest.mark.parametrize("kind", [
    "not a zip", "empty", "truncated", "damaged", "fifo", "folder", "missing", "pickle", "terabytes", "overflow",
    "records", "text",
])  # fmt: skip
def test_hostile_weights(kind: str, tmp_path: Path, no_hanging: None) -> None:
    path = tmp_path / "x.npz"
    if kind != "missing":
        broken_npz(kind, path)
    pipeline = loaded(tmp_path, toml(CONV, top=WEIGHTS))
    tracemalloc.start()
    try:
        with pytest.raises(cnnfilter.FileError, match=r"x\.npz") as caught:
            pipeline.run(RGB)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert message(caught)
    assert peak < 20_000_000


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    """A tensor that no layer asks for is not read, however large it is unpacked."""
    tensors: dict[str, Any] = {"features.0.weight": floats(4, 3, 3, 3), "zeros": np.zeros((5000, 5000))}
    np.savez_compressed(tmp_path / "x.npz", **tensors)
    pipeline = loaded(tmp_path, toml(CONV, top=WEIGHTS))
    tracemalloc.start()
    try:
        pipeline.run(RGB)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20_000_000


@pytest.mark.parametrize("name", ["x.pt", "x.npy", "x"])
def test_weights_of_another_format_name_the_ones_that_are_read(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"x")
    pipeline = loaded(tmp_path, toml(CONV, top=f'weights = "{name}"'))
    with pytest.raises(cnnfilter.CnnfilterError, match=r"\.npz.*\.safetensors"):
        pipeline.run(RGB)


def test_safetensors(tmp_path: Path) -> None:
    numpy_format = pytest.importorskip("safetensors.numpy")
    weight, bias = floats(4, 3, 3, 3), floats(4)
    expected = loaded(tmp_path, toml(CONV, top=WEIGHTS), features__0__weight=weight, features__0__bias=bias).run(RGB)
    for dtype in (np.float32, np.float64):
        tensors = {"features.0.weight": weight.astype(dtype), "features.0.bias": bias.astype(dtype)}
        numpy_format.save_file(tensors, tmp_path / "x.safetensors")
        result = loaded(tmp_path, toml(CONV, top='weights = "x.safetensors"')).run(RGB)
        np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("kind", ["not one", "truncated", "terabytes", "shape", "fifo", "missing"])
def test_hostile_safetensors(kind: str, tmp_path: Path, no_hanging: None) -> None:
    numpy_format = pytest.importorskip("safetensors.numpy")
    path = tmp_path / "x.safetensors"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "not one":
        path.write_bytes(b"nothing at all")
    elif kind == "terabytes":
        head = json.dumps({"features.0.weight": {"dtype": "F32", "shape": [4, 3, 10**6, 10**6],
                                                 "data_offsets": [0, 48 * 10**12]}}).encode()  # fmt: skip
        path.write_bytes(struct.pack("<Q", len(head)) + head + b"\x00" * 432)
    elif kind != "missing":
        numpy_format.save_file({"features.0.weight": floats(4, 3, 3, 3 if kind == "truncated" else 2)}, path)
        if kind == "truncated":
            path.write_bytes(path.read_bytes()[:-100])
    pipeline = loaded(tmp_path, toml(CONV, top='weights = "x.safetensors"'))
    with pytest.raises(cnnfilter.CnnfilterError, match=r"x\.safetensors|4x3x3x2") as caught:
        pipeline.run(RGB)
    assert message(caught)


NETWORK = "conv2d 4 size=3 | batchnorm init=normal | relu | conv2d 6 size=3 groups=2 name=second | flatten | dense 5"


def test_drawn_weights_are_the_same_every_time() -> None:
    first = cnnfilter.parse_pipeline(NETWORK, init="normal", seed=3).run(RGB)
    np.testing.assert_array_equal(cnnfilter.parse_pipeline(NETWORK, init="normal", seed=3).run(RGB), first)
    other = cnnfilter.parse_pipeline(NETWORK, init="normal", seed=4).run(RGB)
    assert not np.array_equal(other, first)
    assert np.isfinite(first).all()


def test_drawn_weights_are_hes() -> None:
    """Normal with variance 2 / (channels x taps), and no bias: of a black picture nothing comes."""
    pipeline = cnnfilter.parse_pipeline("conv2d 64 size=5 name=c", init="normal")
    assert not pipeline.run(np.zeros((8, 8, 3), np.float32)).any()
    impulse = np.zeros((9, 9, 3), np.float32)
    impulse[4, 4] = 1
    x = np.zeros((9, 9, 8), np.float32)
    for c in range(8):
        x[4, 4, c] = 1
        weight = pipeline.run(x)
        x[4, 4, c] = 0
        assert float(weight.std()) == pytest.approx((2 / (8 * 25)) ** 0.5, rel=0.1)
        assert abs(float(weight.mean())) < 0.02


def test_a_layer_of_its_own_seed(tmp_path: Path) -> None:
    layer = 'type = "conv2d"; filters = 2; size = 3; name = "c"; init = "normal"; seed = '
    results = [loaded(tmp_path, toml(layer + seed)).run(RGB) for seed in ("1", "1", "2")]
    np.testing.assert_array_equal(results[0], results[1])
    assert not np.array_equal(results[0], results[2])


def test_layers_draw_different_weights() -> None:
    pipeline = cnnfilter.parse_pipeline(
        "conv2d 3 size=3 name=a | conv2d 3 size=3 name=b from=input | scale by=-1 | add from=a,scale", init="normal"
    )
    assert float(np.abs(pipeline.run(RGB)).max()) > 1


def test_arrays_as_weights() -> None:
    weight = floats(4, 3, 3, 3)
    pipeline = cnnfilter.Pipeline((make("conv2d", {"weight": weight, "bias": False}),))
    np.testing.assert_array_equal(pipeline.run(RGB), cnnfilter.conv2d(RGB, weight.transpose(2, 3, 1, 0)))
    with pytest.raises(cnnfilter.ParameterError, match="weights file"):
        str(pipeline)


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


# ---------------------------------------------------------------------------------------------------------------------
# Layers that prepare a picture


@given(
    height=st.integers(1, 60), width=st.integers(1, 60), y=st.integers(1, 80), x=st.integers(1, 80),
    channels=st.sampled_from([0, 3]), seed=st.integers(0, 99)
)  # fmt: skip
@settings(deadline=None, max_examples=150)
def test_resize_is_within_a_level_of_pillows(height: int, width: int, y: int, x: int, channels: int, seed: int) -> None:
    shape = (height, width, channels) if channels else (height, width)
    image = np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)
    wanted = np.asarray(PIL.Image.fromarray(image).resize((x, y), PIL.Image.Resampling.BILINEAR), np.float32)
    result = cnnfilter.parse_pipeline(f"resize {y}x{x}").run(image)
    assert result.shape == wanted.shape
    assert float(np.abs(np.floor(result + 0.5) - wanted).max()) <= 1


@pytest.mark.parametrize(("shape", "size", "expected"), [
    ((427, 640, 3), 256, (256, 383, 3)),
    ((640, 427), 256, (383, 256)),
    ((100, 100), 7, (7, 7)),
    ((100, 200), "50x60", (50, 60)),
    ((10, 1000), 5, (5, 500)),
    ((3, 3), 9, (9, 9)),
])  # fmt: skip
def test_resize_of_the_short_side(shape: tuple[int, ...], size: Any, expected: tuple[int, ...]) -> None:
    pipeline = cnnfilter.parse_pipeline(f"resize {size}")
    assert pipeline.summary(shape).output_shape == expected
    assert pipeline.run(np.full(shape, 7, np.uint8)).shape == expected


def test_resize_to_the_same_size_changes_nothing() -> None:
    np.testing.assert_allclose(cnnfilter.parse_pipeline("resize 21x26").run(RGB), RGB, rtol=1e-6)


def test_crop_takes_the_middle() -> None:
    image = np.arange(35).reshape(5, 7).astype(np.uint8)
    result = cnnfilter.parse_pipeline("crop 3").run(image)
    assert result.tolist() == image[1:4, 2:5].tolist()
    assert result.dtype == np.uint8
    assert cnnfilter.parse_pipeline("crop 5x1").run(image).tolist() == image[:, 3:4].tolist()
    np.testing.assert_array_equal(cnnfilter.parse_pipeline("crop 5x7").run(image), image)


def test_scale_and_standardize() -> None:
    image = np.array([[[0, 51, 255], [102, 255, 0]]], np.uint8)
    scaled = cnnfilter.parse_pipeline("scale").run(image)
    assert scaled.dtype == np.float32
    np.testing.assert_allclose(scaled, [[[0, 0.2, 1], [0.4, 1, 0]]], rtol=1e-6)
    result = cnnfilter.parse_pipeline("scale | standardize mean=0.2,0.2,0 std=0.5,0.4,2").run(image)
    np.testing.assert_allclose(result, [[[-0.4, 0, 0.5], [0.4, 2, 0]]], atol=1e-6)
    one = cnnfilter.parse_pipeline("standardize mean=51 std=2").run(image[:, :, 1])
    np.testing.assert_allclose(one, [[0, 102]])


def test_gray_is_exact_and_keeps_the_type() -> None:
    result = cnnfilter.parse_pipeline("gray").run(RGB)
    r, g, b = RGB.astype(np.int64).transpose(2, 0, 1)
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(result, (19595 * r + 38470 * g + 7471 * b + 32768) >> 16)
    mean = cnnfilter.parse_pipeline("gray mean").run(RGB)
    np.testing.assert_array_equal(mean, np.floor(RGB.sum(axis=2) / 3 + 0.5))
    np.testing.assert_array_equal(cnnfilter.parse_pipeline("gray").run(RGB[:, :, 0]), RGB[:, :, 0])


def test_batchnorm_without_tensors_normalises_the_picture() -> None:
    result = cnnfilter.parse_pipeline("batchnorm").run(RGB)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result.mean(axis=(0, 1)), np.zeros(3), atol=1e-5)
    np.testing.assert_allclose(result.var(axis=(0, 1)), np.ones(3), rtol=1e-4)
    assert not cnnfilter.parse_pipeline("batchnorm").run(np.full((4, 4), 9, np.uint8)).any()


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


# ---------------------------------------------------------------------------------------------------------------------
# Weights that are looked for before anything is read


def checked(pipeline: cnnfilter.Pipeline) -> str:
    """What is said of the weights; empty where they are there."""
    try:
        pipeline.check_weights()
    except cnnfilter.ParameterError as error:
        return str(error)
    return ""


NORM = 'type = "batchnorm"; params = "bn"'
STATISTICS = {f"bn__{name}": np.ones(4) for name in ("weight", "bias", "running_mean", "running_var")}


@pytest.mark.parametrize(
    ("layers", "top", "tensors", "words"),
    [
        ([CONV], WEIGHTS, {"features__0__weight": np.ones((4, 3, 3, 3))}, []),
        ([CONV], WEIGHTS, {"features__1__weight": np.ones((4, 3, 3, 3))}, ["x.npz has no tensor 'features.0.weight'"]),
        ([CONV], "", {}, ["conv2d has no weight", "weights =", "init ="]),
        ([CONV], 'init = "normal"', {}, []),
        ([CONV], WEIGHTS, {}, ["line", "x.npz"]),  # the file is missing
        ([NORM], WEIGHTS, STATISTICS, []),
        ([NORM], WEIGHTS, {"bn__weight": np.ones(4), "bn__bias": np.ones(4)}, ["has no tensor 'bn.running_mean'"]),
        ([NORM], "", {}, ["batchnorm has no weight"]),
        (['type = "batchnorm"', 'type = "relu"'], "", {}, []),
        (['type = "conv2d"; filters = 2; size = 1; init = "normal"'], "", {}, []),
    ],
)
def test_weights_are_checked_without_a_picture(
    layers: list[str], top: str, tensors: dict[str, Array], words: list[str], tmp_path: Path
) -> None:
    found = checked(loaded(tmp_path, toml(*layers, top=top), **tensors))
    assert bool(found) == bool(words)
    assert all(word in found for word in words)


def test_safetensors_without_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "safetensors", None)
    (tmp_path / "x.safetensors").write_bytes(b"")
    with pytest.raises(cnnfilter.ParameterError, match=r"pip install 'cnnfilter\[safetensors\]'"):
        loaded(tmp_path, toml(CONV, top='weights = "x.safetensors"')).run(RGB)


def test_safetensors_that_change_while_they_are_read(tmp_path: Path) -> None:
    numpy_format = pytest.importorskip("safetensors.numpy")
    path = tmp_path / "x.safetensors"
    numpy_format.save_file({"w": np.ones(3, np.float32)}, path)
    weights = load(str(path))
    with pytest.raises(cnnfilter.FileError, match=r"x\.safetensors"):
        weights.read("gone")


def test_other_files_in_an_archive_are_no_tensors(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("readme.txt", "not a tensor")
    assert not load(str(tmp_path / "x.npz")).shapes


# ---------------------------------------------------------------------------------------------------------------------
# Files and lines that are refused as a whole


def test_a_line_whose_layers_do_not_fit_each_other() -> None:
    with pytest.raises(cnnfilter.ParameterError, match=r"^steps: .*there is no layer 'x'"):
        cnnfilter.parse_pipeline("relu from=x")


def test_a_file_too_large_for_a_pipeline(tmp_path: Path) -> None:
    with (tmp_path / "x.toml").open("wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(cnnfilter.FileError, match="is too large for a pipeline file"):
        cnnfilter.load_pipeline(str(tmp_path / "x.toml"))


@pytest.mark.parametrize(("labels", "words"), [('"gone.txt"', "the labels cannot be read"), ("3", "neither a list")])
def test_labels_that_are_not_there(labels: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(cnnfilter.CnnfilterError, match=words):
        loaded(tmp_path, toml('type = "relu"', top=f"labels = {labels}"))


def test_weights_are_named_in_the_file_that_a_pipeline_becomes(tmp_path: Path) -> None:
    pipeline = loaded(tmp_path, toml(CONV, top=WEIGHTS))
    assert 'weights = "x.npz"' in pipeline.to_toml().splitlines()
    with pytest.raises(cnnfilter.ParameterError, match="weight: conv2d holds an array, which text cannot"):
        str(cnnfilter.Pipeline((make("conv2d", {"weight": np.ones((1, 1, 1, 1))}),)))


def test_a_pipeline_that_has_run_is_sent_without_what_it_has_derived() -> None:
    pipeline = cnnfilter.parse_pipeline("conv2d 2 size=3 | relu", init="normal", seed=5)
    expected = pipeline.run(RGB)
    sent = pickle.dumps(pipeline)
    assert len(sent) < 2000
    np.testing.assert_array_equal(pickle.loads(sent).run(RGB), expected)


def test_the_last_layer_is_nobodys_input(tmp_path: Path) -> None:
    text = "".join(
        f'[[layer]]\ntype = "relu"\nname = "{name}"\nfrom = "{of}"\n' for name, of in (("a", "b"), ("b", "input"))
    )
    (tmp_path / "x.toml").write_text(text)
    with pytest.raises(cnnfilter.ParameterError, match=r"line 1 \(a\): the last layer, 'b', is the result"):
        cnnfilter.load_pipeline(str(tmp_path / "x.toml"))


def test_weights_for_a_vector_of_another_length_say_what_would_fit(tmp_path: Path) -> None:
    text = 'weights = "x.npz"\n[[layer]]\ntype = "flatten"\n[[layer]]\ntype = "dense"\nparams = "fc"\n'
    pipeline = loaded(tmp_path, text, fc__weight=np.ones((2, 12), np.float32), fc__bias=np.zeros(2, np.float32))
    assert pipeline.run(np.ones((3, 4))).tolist() == [12, 12]
    with pytest.raises(cnnfilter.ParameterError, match="20 values came, the weights take 12; a resize"):
        pipeline.run(np.ones((4, 5)))
