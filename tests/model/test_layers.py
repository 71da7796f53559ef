"""Layers as the last of a pipeline, which writes samples; what they do to transparency; and what they refuse."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import cnnfilter
from cnnfilter.core.samples import UINT8, UINT16, Rendering
from cnnfilter.errors import ParameterError, UnfitError
from cnnfilter.model.activations import Relu
from cnnfilter.model.classifier import Dense, Softmax
from cnnfilter.model.filters import Convolve, Pool
from cnnfilter.model.layers import LAYERS, make
from cnnfilter.model.learned import BatchNorm, Conv2d
from cnnfilter.model.pipeline import Pipeline
from cnnfilter.model.preparing import Crop, Gray, Resize

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from cnnfilter.core.vocabulary import Mapping

    Array = NDArray[Any]

RGB = np.random.default_rng(8).integers(0, 256, (9, 11, 3)).astype(np.uint8)
ALPHA = np.arange(99, dtype=np.uint8).reshape(9, 11)


def written(steps: str, mapping: Mapping, image: Array = RGB, **options: Any) -> tuple[Array, int]:
    """(samples of 8 bits, number of values clipped) of a pipeline's result."""
    pipeline = cnnfilter.parse_pipeline(steps, init="normal", seed=3)
    result, clipped, tapped = pipeline.respond(image, Rendering(mapping, samples=UINT8), **options)
    assert not tapped
    return result, clipped


# ---------------------------------------------------------------------------------------------------------------------
# The last layer writes samples


@pytest.mark.parametrize("mapping", ["clip", "abs", "shift", "normalize"])
@pytest.mark.parametrize("kernel", ["sobel-v", "sharpen", "sobel"])
def test_convolve_writes_what_the_function_does(kernel: str, mapping: Mapping) -> None:
    result, _ = written(f"convolve {kernel}", mapping)
    np.testing.assert_array_equal(result, cnnfilter.convolve(RGB, kernel, mapping=mapping))


@pytest.mark.parametrize("mapping", ["clip", "shift", "normalize"])
@pytest.mark.parametrize("kind", ["max", "avg"])
def test_pool_writes_what_the_function_does(kind: str, mapping: Mapping) -> None:
    result, _ = written(f"pool {kind}", mapping)
    np.testing.assert_array_equal(result, cnnfilter.pool(RGB, kind, mapping=mapping))


def test_maps_are_stretched_each_on_its_own_whatever_layer_is_the_last() -> None:
    for steps in ("convolve random:3:4", "convolve random:3:4 | pool max", "conv2d 4 size=3 | relu"):
        response = cnnfilter.parse_pipeline(steps, init="normal", seed=3).run(RGB)
        result, clipped = written(steps, "normalize")
        assert result.shape[2] == 4
        assert clipped == 0
        for channel in range(4):
            plane = response[:, :, channel].astype(np.float64)
            levels = (plane - plane.min()) * 255 / (np.ptp(plane) or 1)  # a constant map becomes 0
            assert np.abs(result[:, :, channel] - levels).max() <= 0.5 + 1e-3


def test_other_layers_clip_and_count() -> None:
    image = np.array([[-3.0, 100.4, 400]], np.float32)
    result, clipped = written("relu", "clip", image)
    assert (result.tolist(), clipped) == ([[0, 100, 255]], 1)
    result, clipped = written("scale 2", "abs", image)
    assert (result.tolist(), clipped) == ([[6, 201, 255]], 1)


def test_levels_of_another_depth() -> None:
    pipeline = cnnfilter.parse_pipeline("relu")
    result, clipped, _ = pipeline.respond(RGB, Rendering("clip", Fraction(257), samples=UINT16))
    assert result.dtype == np.uint16
    assert clipped == 0
    np.testing.assert_array_equal(result, RGB.astype(np.uint16) * 257)


def test_a_raw_result_is_the_response_and_taps_come_beside_it() -> None:
    pipeline = cnnfilter.parse_pipeline("gray name=g | convolve sobel-v name=edges | relu")
    seen: list[str] = []
    result, clipped, tapped = pipeline.respond(
        RGB, observe=lambda name, output, seconds: seen.append(name), names=["edges"]
    )
    assert (clipped, seen, list(tapped)) == (0, ["g", "edges", "relu"], ["edges"])
    np.testing.assert_array_equal(tapped["edges"], pipeline.outputs(RGB, ["edges"])["edges"])
    np.testing.assert_array_equal(result, np.maximum(tapped["edges"], 0))


@pytest.mark.parametrize(
    ("layer", "is_stack", "mapping"),
    [
        (Convolve("sobel-v"), False, "abs"),
        (Convolve("sobel-v", bias=1), False, "clip"),
        (Convolve("blur"), False, "clip"),
        (Convolve("blur"), True, "normalize"),
        (Convolve("random:3:2"), False, "normalize"),
        (Pool("max"), False, "clip"),
        (Pool("max"), True, "normalize"),
        (Relu(), True, "normalize"),
        (Relu(), False, "clip"),
    ],
)
def test_what_auto_stands_for(layer: Any, is_stack: bool, mapping: str) -> None:
    assert layer.resolve("auto", to_float=False, is_stack=is_stack) == mapping
    assert layer.resolve("auto", to_float=True, is_stack=is_stack) == "raw"
    assert layer.resolve("shift", to_float=False, is_stack=is_stack) == "shift"


# ---------------------------------------------------------------------------------------------------------------------
# Transparency


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ("convolve blur", ALPHA),
        ("convolve blur stride=2", ALPHA[::2, ::2]),
        ("convolve blur padding=valid", ALPHA[1:-1, 1:-1]),
        ("pool max", cnnfilter.pool(ALPHA, "max")),
        ("pool avg", cnnfilter.pool(ALPHA, "avg", mapping="clip")),
        ("gray", ALPHA),
        ("gray | convolve sobel-v stride=2 | pool max", cnnfilter.pool(ALPHA[::2, ::2], "max")),
        ("convolve blur channels=sum", None),
        ("convolve random:3:2", None),
        ("gray | relu", None),
        ("convolve blur name=a | gray from=input", None),  # not one after the other
    ],
)
def test_transparency_goes_through_filters_alone(steps: str, expected: Array | None) -> None:
    found = cnnfilter.parse_pipeline(steps).carried_alpha(ALPHA)
    if expected is None:
        assert found is None
    else:
        assert found is not None
        np.testing.assert_array_equal(found, expected)


# ---------------------------------------------------------------------------------------------------------------------
# What pipelines tell of their layers


@pytest.mark.parametrize(
    ("steps", "is_vector"),
    [("relu", False), ("flatten", True), ("flatten | dense 3 | softmax", True), ("pool size=all | relu", False)],
)
def test_which_results_are_vectors(steps: str, is_vector: bool) -> None:
    assert cnnfilter.parse_pipeline(steps).gives_vector is is_vector


def test_cost_is_that_of_the_summary() -> None:
    pipeline = cnnfilter.parse_pipeline("conv2d 4 size=3 padding=1 | relu | flatten | dense 5", init="normal")
    summary = pipeline.summary((9, 11, 3))
    assert pipeline.cost((9, 11, 3)) == (summary.params, summary.macs)
    assert summary["macs"] == 99 * 4 * 27 + 99 * 4 * 5
    with pytest.raises(KeyError):
        _ = summary["speed"]


def test_a_part_of_a_pipeline_ends_with_the_layer() -> None:
    pipeline = cnnfilter.parse_pipeline("gray name=g | convolve sobel-v name=e | abs from=g name=a | add from=e,a")
    assert pipeline.upto("add") is pipeline
    part = pipeline.upto("e")
    assert [node.name for node in part.nodes] == ["g", "e"]
    np.testing.assert_array_equal(part.run(RGB), pipeline.outputs(RGB, ["e"])["e"])


@pytest.mark.parametrize("shape", [(4,), (4, 4, 4, 4), (0, 4), ("a", 4), (4, 4, 0), (2.5, 4)], ids=str)
def test_shapes_of_no_image(shape: Any) -> None:
    with pytest.raises(ParameterError, match=r"input_shape: .* is not \(height, width\)"):
        cnnfilter.parse_pipeline("relu").shapes(shape)


def test_layers_that_are_not_there() -> None:
    pipeline = cnnfilter.parse_pipeline("gray | relu name=first")
    with pytest.raises(ParameterError, match=r"^tap: there is no layer 'frist'.*first"):
        pipeline.outputs(RGB, ["frist"])


def test_probabilities_are_ranked_with_their_labels() -> None:
    pipeline = Pipeline((Softmax(),), labels=("cat", "dog", "owl"))
    found = pipeline.classes(np.array([0.2, 0.5, 0.3], np.float32))
    assert found == [("dog", 0.5), ("owl", pytest.approx(0.3)), ("cat", pytest.approx(0.2))]
    assert pipeline.classes(np.zeros((2, 2), np.float32)) is None
    assert Pipeline((Relu(),)).classes(np.zeros(3, np.float32)) is None
    with pytest.raises(UnfitError, match="labels: there are 3 labels for 2 classes"):
        pipeline.classes(np.zeros(2, np.float32))


# ---------------------------------------------------------------------------------------------------------------------
# Refusals


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Pipeline((Relu(),), init="uniform"), "init: 'uniform' is not normal"),
        (lambda: Conv2d(4, 3, init="he"), "init: 'he' is not normal"),
        (lambda: make("relu", {"from": 3}), "from: 3 is neither a layer's name nor a list of them"),
        (lambda: make("relu", {"from": (1,)}), "from: (1,) is neither a layer's name nor a list of them"),
        (lambda: Relu(name="input"), "name: 'input' cannot be a layer's name"),
        (lambda: Relu(name=""), "name: '' cannot be a layer's name"),
        (lambda: Pipeline((Relu(inputs=("a", "b")),)), "from: there is no layer 'a'"),
        (
            lambda: Pipeline((Relu(name="a"), Relu(inputs=("a", "input")))),
            "from: layer 2 (relu): relu takes one input, 2 are named",
        ),
        (lambda: Conv2d(weight=np.ones((2, 2))), "weight: filters x channels x height x width is needed, (2, 2) came"),
        (lambda: Dense(weight=np.ones(3)), "weight: units x values is needed, (3,) came"),
        (lambda: Conv2d(5, 3, groups=2), "groups: 5 filters cannot be split into 2 groups"),
        (lambda: Crop("2x3x4"), "size: '2x3x4' is neither a whole number N nor YxX"),
        (lambda: Resize(0), "size: 0 is out of range"),
        (lambda: make("relu", {}, "5"), "relu takes no value without a key; '5' came"),
        (lambda: make("convolve", {}), "kernel: convolve needs it"),
        (lambda: make("pool", {"kind": "max"}, "avg"), "kind: is given twice for pool"),
    ],
)
def test_layers_that_cannot_be_built(build: Callable[[], Any], message: str) -> None:
    with pytest.raises(ParameterError) as caught:
        build()
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (Gray(), (4, 4, 2), "gray: luma needs red, green and blue, 2 channels came; mean takes any"),
        (Resize(1), (1, 9), None),
        (Resize("1x1"), (4, 4), None),
        (Resize(1), (9, 4), None),
        (Crop(5), (4, 9), "size: 5x5 cannot be cut out of 4x9; resize first"),
        (Conv2d(4), (9, 9, 3), "size: is neither given nor told by weights"),
        (Conv2d(size=3), (9, 9, 3), "filters: is neither given nor told by weights"),
        (Conv2d(4, 3, groups=2), (9, 9, 3), "groups: 3 channels cannot be split into 2 groups"),
        (Dense(), (9,), "units: is neither given nor told by weights"),
        (Dense(4), (9, 9), "dense takes a vector, 9x9 came; put flatten before it"),
        (BatchNorm(), (9,), "batchnorm takes an image, a vector of 9 values came"),
        (Convolve("blur"), (9,), "convolve takes an image, a vector of 9 values came"),
    ],
)
def test_shapes_that_layers_refuse(layer: Any, shape: tuple[int, ...], message: str | None) -> None:
    if message is None:
        assert min(layer.output_shape(shape)) == 1
        return
    with pytest.raises(UnfitError) as caught:
        layer.output_shape(shape)
    assert message in str(caught.value)


def test_every_layer_tells_its_own_arguments() -> None:
    assert Convolve("blur", stride=2).arguments() == {
        "kernel": "blur",
        "stride": 2,
        "padding": "same",
        "pad_mode": "reflect",
        "dilation": 1,
        "channels": "each",
        "scale": 1,
        "bias": 0,
        "flip": False,
    }
    for kind in LAYERS.values():
        assert not {"name", "inputs"} & make(kind.type, {}, *example(kind)).arguments().keys()


def example(kind: type[Any]) -> list[str]:
    """The main argument, where a layer cannot do without one."""
    return {"convolve": ["blur"], "resize": ["5"], "crop": ["5"]}.get(kind.type, [])


def test_the_words_true_and_false_tell_of_a_bias() -> None:
    tensors = [Conv2d(2, 3, bias=word).tensors((8, 8, 1)) for word in ("true", "False")]
    assert tensors == [{"weight": (2, 1, 3, 3), "bias": (2,)}, {"weight": (2, 1, 3, 3)}]


def test_dense_is_told_its_units_by_an_array_of_weights() -> None:
    assert Dense(weight=np.ones((3, 8))).output_shape((8,)) == (3,)
    with pytest.raises(UnfitError, match=re.escape("weight: units x values is needed, (3, 8, 1) came")):
        Dense(weight=np.ones((3, 8, 1)))


def test_batchnorm_fills_in_what_is_not_given() -> None:
    """As before any training: mean 0, variance 1, no bias."""
    layer = BatchNorm(weight=np.array([2.0, 3.0]), epsilon=0)
    found = Pipeline((layer,)).run(np.array([[[1.0, 1.0]]], np.float32))
    assert found.tolist() == [[[2.0, 3.0]]]
