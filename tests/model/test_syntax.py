"""Pipelines as one line, as a file and as Python objects; typing errors, and what is refused as a whole."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from pipelines import CONV, EDGES, RGB, WEIGHTS, loaded, message, toml
from places import SAMPLES

import cnnfilter
from cnnfilter.model.layers import LAYERS, make

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Array = NDArray[Any]


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


def test_blanks_after_commas_between_names() -> None:
    steps = "relu name=a | abs name=b | add from={}"
    assert cnnfilter.parse_pipeline(steps.format("'a, b'")).layers[-1].inputs == ("a", "b")
    assert cnnfilter.parse_pipeline(steps.format("a,b")).layers[-1].inputs == ("a", "b")
