"""The graph: branches, names and cycles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pipelines import RGB, floats, loaded, message, toml

import cnnfilter

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Array = NDArray[Any]


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


def test_the_last_layer_is_nobodys_input(tmp_path: Path) -> None:
    text = "".join(
        f'[[layer]]\ntype = "relu"\nname = "{name}"\nfrom = "{of}"\n' for name, of in (("a", "b"), ("b", "input"))
    )
    (tmp_path / "x.toml").write_text(text)
    with pytest.raises(cnnfilter.ParameterError, match=r"line 1 \(a\): the last layer, 'b', is the result"):
        cnnfilter.load_pipeline(str(tmp_path / "x.toml"))
