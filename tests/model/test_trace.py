"""The trace of output values: its numbers are those that the engine computes, and its steps lead there."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, reject, settings, strategies as st

import cnnfilter
from cnnfilter.core.samples import SampleType
from cnnfilter.errors import ParameterError
from cnnfilter.model.filters import Convolve, Pool
from cnnfilter.model.pipeline import Pipeline
from cnnfilter.model.syntax import parse_pipeline
from cnnfilter.model.trace import tracer
from cnnfilter.model.traced import Combined, Pooled, Weighted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cnnfilter.model.traced import Position, Trace

    Array = NDArray[Any]
    Draw = st.DrawFn

# np.pad's words for the pad modes.
NUMPY_MODES = {"reflect": "reflect", "symmetric": "symmetric", "zero": "constant", "edge": "edge", "wrap": "wrap"}
BOARD = ((np.add.outer(range(8), range(8)) + 1) % 2 * 255).astype(np.uint8)
STEP = np.repeat([50, 50, 100, 150, 150], 5).reshape(5, 5).astype(np.uint8)
FOUR = np.array([[1, 3, 2, 4], [5, 6, 7, 8], [9, 10, 11, 12], [13, 14, 15, 16]], np.uint8)
RGB = np.random.default_rng(7).integers(0, 256, (11, 9, 3)).astype(np.uint8)


def of_layer(layer: Convolve | Pool, image: Array, position: Position, mapping: Any = "raw") -> Trace:
    """The trace of a value of one layer; `mapping` gives samples of the image's own type."""
    samples = None if mapping == "raw" else SampleType.of(image.dtype)
    return tracer(Pipeline((layer,)), image, mapping=mapping, samples=samples).at(position)


def steps(text: str, image: Array, position: Position, layer: str | None = None) -> Trace:
    """The trace of a value of a pipeline."""
    return tracer(parse_pipeline(text, init="normal", seed=1), image, layer).at(position)


def weighted(trace: Trace) -> Weighted:
    assert isinstance(trace.how, Weighted)
    return trace.how


def pooled(trace: Trace) -> Pooled:
    assert isinstance(trace.how, Pooled)
    return trace.how


def combined(trace: Trace) -> Combined:
    assert isinstance(trace.how, Combined)
    return trace.how


def products(trace: Trace) -> list[list[Any]]:
    (term,) = weighted(trace).terms
    listed: list[list[Any]] = term.products.tolist()
    return listed


# ---------------------------------------------------------------------------------------------------------------------
# The course's examples


def test_the_corner_of_the_chessboard() -> None:
    found = of_layer(Convolve("prewitt-v", pad_mode="zero"), BOARD, (0, 0), "abs")
    how = weighted(found)
    assert how.window is not None
    assert (how.window.rows, how.window.columns) == ((-1, 0, 1), (-1, 0, 1))
    assert how.window.from_rows == (None, 0, 1)
    assert how.window.padding.tolist() == [[True, True, True], [True, False, False], [True, False, False]]
    assert how.terms[0].samples.tolist() == [[0, 0, 0], [0, 255, 0], [0, 0, 255]]
    assert products(found) == [[0, 0, 0], [0, 0, 0], [0, 0, 255]]
    assert (how.sum, found.response, found.pixel) == (255, 255, 255)


@pytest.mark.parametrize(("position", "response"), [
    ((0, 0), 255), ((0, 7), -255), ((1, 7), -510), ((2, 0), 510), ((3, 4), 0), ((7, 7), -255),
])  # fmt: skip
def test_the_chessboard(position: Position, response: int) -> None:
    found = of_layer(Convolve("prewitt-v", padding=1, pad_mode="zero"), BOARD, position, "abs")
    assert (weighted(found).sum, found.response, found.pixel) == (response, response, min(abs(response), 255))
    assert found.written is not None
    assert found.written.clipped == (abs(response) > 255)


def test_the_brightness_step() -> None:
    layer = Convolve("prewitt-h", padding="valid")
    sums = [[of_layer(layer, STEP, (y, x)).response for x in range(3)] for y in range(3)]
    assert sums == [[150] * 3, [300] * 3, [150] * 3]
    assert products(of_layer(layer, STEP, (1, 1))) == [[-50] * 3, [0] * 3, [150] * 3]


@pytest.mark.parametrize(("kind", "expected"), [("max", [[6, 8], [14, 16]]), ("avg", [[3.75, 5.25], [11.5, 13.5]])])
def test_the_pooled_squares(kind: str, expected: list[list[float]]) -> None:
    assert [[of_layer(Pool(kind), FOUR, (y, x)).response for x in (0, 1)] for y in (0, 1)] == expected


def test_the_winner_and_where_it_is() -> None:
    found = pooled(of_layer(Pool("max"), np.array([[1, 3, 2, 4], [5, 6, 1, 2], [7, 8, 3, 1], [4, 2, 0, 5]]), (1, 0)))
    assert (found.winners, found.count, found.sum) == (((2, 1),), 1, 8)
    assert found.samples.tolist() == [[7, 8], [4, 2]]


# ---------------------------------------------------------------------------------------------------------------------
# Whatever the geometry: the numbers of the trace are those of the engine


@st.composite
def images(draw: Draw) -> Array:
    """At most 7 x 7; 0 channels means an image of two axes. Two channels would be a stack of maps, no colours."""
    height, width, depth = draw(st.integers(1, 7)), draw(st.integers(1, 7)), draw(st.sampled_from([0, 1, 3]))
    shape = (height, width, depth) if depth else (height, width)
    dtype = draw(st.sampled_from(["uint8", "uint8", "int8", "uint16", "int16", "int32", "bool", "float32"]))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    if dtype == "float32":
        return rng.uniform(-1, 255, shape).astype(dtype)
    if dtype == "bool":
        return rng.integers(0, 2, shape).astype(bool)
    limits = np.iinfo(dtype)
    return rng.integers(limits.min, limits.max, shape, np.int64, endpoint=True).astype(dtype)


PAIRS = st.tuples(st.integers(1, 3), st.integers(1, 3))
SIDES = st.tuples(st.tuples(st.integers(0, 3), st.integers(0, 3)), st.tuples(st.integers(0, 3), st.integers(0, 3)))
NUMBERS = st.sampled_from([Fraction(1), Fraction(1), Fraction(1, 9), Fraction(-2), Fraction(5, 2), Fraction(0)])
MAPPINGS = st.sampled_from(["raw", "clip", "abs", "shift", "normalize"])


@st.composite
def kernels(draw: Draw) -> Any:
    """Whole numbers, fractions, floats, gradients and banks; even and long sizes, too."""
    named = ["sobel", "prewitt", "scharr", "blur", "gaussian", "emboss", "random:3:2", "random:2x3:3:5", "box:4"]
    if draw(st.booleans()):
        return draw(st.sampled_from(named))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    size = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    kind = draw(st.sampled_from(["whole", "quarters", "floats"]))
    whole = rng.integers(-9, 10, size)
    return whole if kind == "whole" else whole / 4 if kind == "quarters" else rng.normal(size=size)


def a_position(draw: Any, shape: Sequence[int]) -> Position:
    return tuple(draw(st.integers(0, size - 1)) for size in shape)


def same(a: float, b: float) -> bool:
    return a == b or (math.isnan(a) and math.isnan(b))


def padded_window(image: Array, window: dict[str, Any], size: tuple[int, int], position: Position) -> Array:
    """The cells under a window, cut out of np.pad's array; (height, width, channels)."""
    planes = image if image.ndim == 3 else image[:, :, None]
    (stride, dilation, sides) = (window[key] for key in ("stride", "dilation", "padding"))
    mode: Any = NUMPY_MODES[window["pad_mode"]]
    padded = np.pad(planes, (*sides, (0, 0)), mode=mode)
    first = [position[axis] * stride[axis] for axis in (0, 1)]
    cells = [first[axis] + dilation[axis] * np.arange(size[axis]) for axis in (0, 1)]
    return np.asarray(padded[np.ix_(*cells)])


def shape_of(layer: Convolve | Pool, image: Array) -> tuple[int, ...]:
    """The shape of the output; an example that has none does not count."""
    try:
        return layer.output_shape(image.shape)
    except ParameterError:
        reject()


@given(st.data())
@settings(deadline=None, max_examples=150)
def test_convolve(data: st.DataObject) -> None:
    image, kernel = data.draw(images()), data.draw(kernels())
    window: dict[str, Any] = {
        "stride": data.draw(PAIRS),
        "dilation": data.draw(PAIRS),
        "padding": data.draw(SIDES),
        "pad_mode": data.draw(st.sampled_from(list(NUMPY_MODES))),
    }
    rest: dict[str, Any] = {
        "channels": data.draw(st.sampled_from(["each", "sum"])),
        "scale": data.draw(NUMBERS),
        "bias": data.draw(NUMBERS),
        "flip": data.draw(st.booleans()),
    }
    layer, mapping = Convolve(kernel, **window, **rest), data.draw(MAPPINGS)
    position = a_position(data.draw, shape_of(layer, image))
    found = of_layer(layer, image, position, mapping)
    how = weighted(found)

    raw = cnnfilter.convolve(image, kernel, **window, **rest)
    assert same(found.response, raw[position].item())
    assert same(found.pixel, cnnfilter.convolve(image, kernel, **window, **rest, mapping=mapping)[position].item())
    cells = padded_window(image, window, layer.operation.kernel.size, position)
    for term in how.terms:
        np.testing.assert_array_equal(term.samples, cells[:, :, term.channel])
        np.testing.assert_array_equal(term.products, term.samples * term.weights)
    if isinstance(how.result, Fraction):
        assert found.response == (float(np.float32(how.result)) if raw.dtype.kind == "f" else how.result)
    else:
        spread = sum(float(np.abs(term.products.astype(float)).sum()) for term in how.terms) * abs(float(how.scale))
        assert found.response == pytest.approx(float(how.result), rel=1e-5, abs=1e-6 * spread / how.divisor + 1e-6)
    if found.written is not None and isinstance(how.result, Fraction) and image.dtype.kind != "f":
        level = min(max(math.floor(found.written.level + 0.5), found.written.low), found.written.high)
        rounding = 1e-6 * (found.written.high - found.written.low) if mapping == "normalize" else 0
        assert abs(level - found.pixel) <= rounding


@given(st.data())
@settings(deadline=None, max_examples=150)
def test_pool(data: st.DataObject) -> None:
    image = data.draw(images())
    size, dilation = data.draw(PAIRS), data.draw(PAIRS)
    sides = st.tuples(*(st.tuples(*[st.integers(0, d * (k - 1))] * 2) for k, d in zip(size, dilation, strict=True)))
    options: dict[str, Any] = {
        "size": size,
        "stride": data.draw(st.none() | PAIRS),
        "padding": data.draw(st.sampled_from(["valid", "same"]) | sides),
        "ceil_mode": data.draw(st.booleans()),
        "count_include_pad": data.draw(st.booleans()),
        "dilation": dilation,
    }
    kind, mapping = data.draw(st.sampled_from(["max", "min", "avg"])), data.draw(MAPPINGS)
    layer = Pool(kind, **options)
    position = a_position(data.draw, shape_of(layer, image))
    found = of_layer(layer, image, position, mapping)
    how = pooled(found)
    raw = cnnfilter.pool(image, kind, **options)[position].item()
    pixel = cnnfilter.pool(image, kind, **options, mapping=mapping)[position].item()
    np.testing.assert_equal([found.response, found.pixel], [raw, pixel])  # NaN equals NaN here
    inside = how.samples[how.counted]
    if kind == "avg":
        assert how.count == max(1, inside.size)
        assert float(np.float32(how.sum / how.count)) == pytest.approx(raw, rel=1e-6)
    elif inside.size:
        assert how.sum == raw == (max if kind == "max" else min)(inside.tolist())
        for winner in how.winners:
            assert image[(*winner, *position[2:])] == raw
        assert len(how.winners) == how.count >= 1


# ---------------------------------------------------------------------------------------------------------------------
# Layers of pipelines

NETWORK = (
    "scale name=s | convolve random:3:4 name=a | conv2d 6 size=3 padding=1 stride=2 groups=2 dilation=2 name=b |"
    " relu6 name=c | conv2d 6 size=1 from=b name=d | add from=c,d name=e | multiply from=b,e name=f |"
    " concat from=f,c name=g | batchnorm init=normal name=h | leaky-relu 0.1 name=i | silu name=j | pool avg name=k |"
    " elu 0.7 name=l | batchnorm name=m | flatten name=n | dense 5 name=o | dropout name=p | tanh name=q | softmax"
)
MEANS = {"exp": math.exp, "sqrt": math.sqrt, "tanh": math.tanh, "max": max, "min": min, "abs": abs}
PREPARING = (
    "resize 7 name=a | crop 5x4 name=b | standardize mean=0.5,1,2 std=2,3,4 name=c | sigmoid name=d | abs from=c name=e"
    " | relu from=c name=f | gray mean name=g | softmax"
)


@pytest.mark.parametrize("text", [NETWORK, PREPARING, "gray | convolve sobel channels=sum | pool min size=3 stride=2"])
def test_every_layer_of_a_pipeline(text: str) -> None:
    pipeline = parse_pipeline(text, init="normal", seed=1)
    names = [node.name for node in pipeline.nodes]
    outputs = pipeline.outputs(RGB, names)
    rng = np.random.default_rng(0)
    for name in names:
        found = tracer(pipeline, RGB, name)
        np.testing.assert_array_equal(found.response, outputs[name])
        for _ in range(4):
            position = tuple(int(rng.integers(size)) for size in outputs[name].shape)
            value = found.at(position)
            assert (value.layer, value.response, value.pixel) == (name, *[outputs[name][position].item()] * 2)
            how, near = value.how, pytest.approx(value.response, rel=2e-4, abs=0.5 if name == "gray" else 1e-4)
            if isinstance(how, Weighted):
                assert float(how.result) == near
            elif isinstance(how, Combined):
                assert eval(how.worked, MEANS) == near
                taken = {"input": RGB, **outputs}
                assert all(taken[source.layer][source.position] == source.value for source in how.sources)
            else:
                assert (how.sum / how.count if how.kind == "avg" else how.sum) == near


def test_the_channels_of_a_group() -> None:
    found = weighted(steps("concat from=input,input | conv2d 4 size=1 groups=2", RGB, (0, 0, 3)))
    assert [term.channel for term in found.terms] == [3, 4, 5]
    assert [term.samples.item() for term in found.terms] == RGB[0, 0].tolist()


def test_a_layer_in_the_middle_takes_only_what_is_before_it() -> None:
    pipeline = parse_pipeline("gray | convolve sobel-v name=edges | relu | conv2d 4 size=3")
    assert (
        tracer(pipeline, RGB, "edges").at((3, 4)).response
        == cnnfilter.convolve(cnnfilter.parse_pipeline("gray").run(RGB), "sobel-v")[3, 4]
    )


def test_where_flatten_concat_and_crop_take_their_value() -> None:
    (source,) = combined(steps("flatten", RGB, (11 * 9 + 9 * 2 + 4,))).sources
    assert (source.position, source.value) == ((2, 4, 1), RGB[2, 4, 1])
    (source,) = combined(steps("gray name=g | concat from=input,g", RGB, (5, 6, 3))).sources
    assert (source.layer, source.position) == ("g", (5, 6))
    (source,) = combined(steps("crop 4", RGB, (0, 0, 2))).sources
    assert source.position == (3, 2, 2)


def test_the_luma_of_a_pixel() -> None:
    found = combined(steps("gray", np.array([[[10, 20, 30]]], np.uint8), (0, 0)))
    assert [source.value for source in found.sources] == [10, 20, 30]
    assert found.worked == "(19595 * 10 + 38470 * 20 + 7471 * 30) / 65536"


# ---------------------------------------------------------------------------------------------------------------------
# From response to pixel


def test_normalize_stretches_over_the_whole_image() -> None:
    found = of_layer(Convolve("sobel-h"), STEP, (2, 2), "normalize")
    assert found.written is not None
    assert (found.response, found.written.extremes, found.written.level, found.pixel) == (400, (0, 400), 255.0, 255)


def test_each_map_of_a_bank_is_normalized_on_its_own() -> None:
    maps = cnnfilter.convolve(RGB, "random:3:2")
    written = of_layer(Convolve("random:3:2"), RGB, (4, 5, 1), "normalize").written
    assert written is not None
    assert written.extremes == (maps[:, :, 1].min(), maps[:, :, 1].max())


def test_a_tap_is_written_as_pipelines_write_it() -> None:
    pipeline = parse_pipeline("gray | convolve sobel-v name=edges | relu")
    found = tracer(pipeline, RGB, "edges", mapping="shift", samples=SampleType.of(RGB.dtype)).at((4, 4))
    assert found.pixel == min(max(found.response + 128, 0), 255)


# ---------------------------------------------------------------------------------------------------------------------
# What it means


def first_word(kernel: str, image: Array, position: Position, **options: Any) -> str:
    return of_layer(Convolve(kernel, **options), image, position).meaning[0]


RAMP = np.zeros((9, 9), np.uint8)
RAMP[:, 5:] = 255  # dark left, bright right


@pytest.mark.parametrize(("kernel", "image", "words"), [
    ("sobel-v", RAMP, "100% of the 1020 possible: a strong vertical edge, from dark (left) to bright (right)"),
    ("sobel-v", RAMP[:, ::-1], "100% of the 1020 possible: a strong vertical edge, from bright (left) to dark (right)"),
    ("scharr-h", RAMP.T, "100% of the 4080 possible: a strong horizontal edge, from dark (top) to bright (bottom)"),
    ("sobel-h", RAMP, "near zero (0% of the 1020 possible): no edge here"),
    ("sobel-45", np.triu(np.full((9, 9), 90, np.uint8)),
     "35% of the 1020 possible: a clear diagonal edge, from dark (lower left) to bright (upper right)"),
    ("sobel", RAMP.T[::-1], "89% of the 1140 possible: a strong horizontal edge, from bright (top) to dark (bottom),"
     " which v and h tell"),
    ("laplacian", RAMP, "25% of the 1020 possible: a clear spot or edge, the centre is darker than what is around it"),
    ("blur", RAMP, "the average of the 9 samples, which lie between 0 and 255"),
    ("blur", RAMP * 0 + 9, "the average of the 9 samples, which are all 9"),
    ("gaussian", RAMP, "the weighted average of the 25 samples, which lie between 0 and 255; the centre counts 14%"),
    ("1 1; 1 1", RAMP, "4 times the average of the 4 samples, which lie between 0 and 255"),
    ("identity", RAMP, "a copy of the sample at 4,4"),
    ("0 0; 0 0", RAMP, "all weights are zero, and so is whatever they meet"),
    ("sharpen", RAMP, "0 if all were like the centre, -255 for differences: the centre is darker than its surroundings,"
     " and becomes more so"),
    ("sharpen", RAMP * 0 + 9, "9 if all were like the centre, +0 for differences: nothing stands out here, the sample"
     " stays as it is"),
    ("emboss", RAMP, "0 if all were like the centre, +765 for differences: lit, brighter at the lower right than at the"
     " upper left"),
])  # fmt: skip
def test_words(kernel: str, image: Array, words: str) -> None:
    assert first_word(kernel, np.ascontiguousarray(image), (4, 4)) == words


def test_flipping_a_kernel_turns_its_direction() -> None:
    assert first_word("sobel-v", RAMP, (4, 4), flip=True).endswith("from dark (left) to bright (right)")
    assert of_layer(Convolve("sobel-v", flip=True), RAMP, (4, 4)).response == -1020


def test_weak_edges_are_called_so() -> None:
    assert "a weak vertical edge" in first_word("sobel-v", RAMP // 10, (4, 4))
    assert first_word("sobel-v", RAMP // 50, (4, 4)).startswith("near zero (2% of the 1020 possible)")


def test_floats_are_measured_by_their_own_range() -> None:
    assert first_word("sobel-v", (RAMP / 255).astype(np.float32), (4, 4)).startswith("100% of the 4 possible")


def test_padding_is_told() -> None:
    told = of_layer(Convolve("sobel-v", pad_mode="zero"), BOARD, (0, 0)).meaning
    assert told[-1] == "5 of 9 cells are padding (zeros): the border of the image answers, too"
    told = of_layer(Convolve("sobel-v"), BOARD, (0, 4)).meaning
    assert told[-1] == "3 of 9 cells are padding (reflected samples)"


@pytest.mark.parametrize(("layer", "words"), [
    (Pool("max"), ["the sample at 1,1 holds the largest of 4 samples; the other 3 leave no trace"]),
    (Pool("min", size=3, stride=1, padding=1), ["the sample at 0,0 holds the smallest of 4 samples; the other 3 leave"
     " no trace", "5 of 9 cells lie beyond the image and are not counted"]),
    (Pool("avg"), ["the mean of 4 cells, which lie between 1 and 6"]),
])  # fmt: skip
def test_words_for_pooling(layer: Pool, words: list[str]) -> None:
    assert list(of_layer(layer, FOUR, (0, 0)).meaning) == words


def test_several_winners() -> None:
    assert of_layer(Pool("max", size=4), BOARD, (0, 0)).meaning == (
        "8 of 16 samples are the largest, the first at 0,0",
    )


def test_nan_is_told() -> None:
    image = np.full((3, 3), np.nan, np.float32)
    found = of_layer(Convolve("sobel-v"), image, (1, 1))
    assert math.isnan(found.response)
    assert found.meaning[0].startswith("NaN:")


# ---------------------------------------------------------------------------------------------------------------------
# Positions


@pytest.mark.parametrize(("image", "at", "message"), [
    (BOARD, (8, 0), "at: 8,0 lies outside the output of 8x8; Y,X up to 7,7 fit"),
    (BOARD, (0, 0, 1), "at: 0,0,1 lies outside the output of 8x8; Y,X up to 7,7 fit"),
    (RGB, (0, 0, 3), "at: 0,0,3 lies outside the output of 11x9x3; Y,X,C up to 10,8,2 fit"),
])  # fmt: skip
def test_positions_outside_the_output(image: Array, at: Position, message: str) -> None:
    with pytest.raises(ParameterError) as error:
        tracer(parse_pipeline("relu"), image).positions(at)
    assert str(error.value) == message


def test_positions() -> None:
    colour, gray = tracer(parse_pipeline("relu"), RGB), tracer(parse_pipeline("relu"), BOARD)
    assert colour.positions((1, 2)) == [(1, 2, 0), (1, 2, 1), (1, 2, 2)]
    assert colour.positions((1, 2, 1)) == [(1, 2, 1)]
    assert gray.positions((1, 2, 0)) == [(1, 2)]
    assert gray.walk(10)[7:] == [(0, 7), (1, 0), (1, 1)]
    assert len(gray.walk(1000)) == 64
    assert colour.walk(2, (1, 8, 1)) == [(1, 8, 1), (2, 0, 1)]


def test_the_middle_that_lies_beside_the_middle() -> None:
    """Kernels that sum to zero and neither point anywhere nor are round."""
    spike = np.array([[0, 255, 0]], np.uint8)
    assert "looks like the negative of the kernel's pattern" in first_word("1 -2 1", spike, (0, 1))
    assert "looks like the kernel's pattern" in first_word("1 -2 1", 255 - spike, (0, 1))
    wave = np.array([[255, 0, 0, 255, 0]], np.uint8)  # odd, but it rises nowhere on the whole
    assert "looks like the kernel's pattern" in first_word("1 -2 0 2 -1", wave, (0, 2))


@pytest.mark.parametrize(
    ("steps", "size"),
    [("convolve blur stride=2", (3, 3)), ("pool avg size=all", (11, 9)), ("conv2d 2 size=5x3", (5, 3)), ("relu", None)],
)
def test_the_windows_of_a_layer(steps: str, size: tuple[int, int] | None) -> None:
    found = tracer(parse_pipeline(steps, init="normal"), RGB).windows
    assert (None if found is None else found.size) == size


PLAIN_KEYS = {"layer", "type", "position", "output_shape", "inputs", "response", "pixel", "meaning"}


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("convolve sobel-v", {"kernel", "size", "stride", "padding", "dilation", "pad_mode", "rows", "columns",
                              "from_rows", "from_columns", "terms", "sum", "divisor", "scale", "bias"}),
        ("pool max", {"kind", "size", "stride", "padding", "dilation", "rows", "columns", "from_rows", "from_columns",
                      "samples", "counted", "sum", "count", "winners"}),
        ("relu", {"sources", "formula", "worked", "numbers"}),
        ("resize 5", {"kernel", "pad_mode", "rows", "columns", "from_rows", "from_columns", "terms", "sum", "divisor",
                      "scale", "bias"}),
        ("flatten | dense 3", {"kernel", "pad_mode", "terms", "sum", "divisor", "scale", "bias"}),
    ],
)  # fmt: skip
def test_a_trace_as_plain_data(text: str, filled: set[str]) -> None:
    found = tracer(parse_pipeline(text, init="normal", seed=1), RGB)
    position = tuple(min(2, size - 1) for size in found.shape)
    data = found.at(position).as_dict()
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    assert {key for key, value in data.items() if value is not None} == PLAIN_KEYS | filled
    assert (data["position"], data["output_shape"]) == (list(position), list(found.shape))


def test_what_is_written_as_plain_data() -> None:
    image = np.array([[10, 20, 250]], np.uint8)
    found = tracer(
        parse_pipeline("convolve '1 1' padding=valid"), image, mapping="clip", samples=SampleType.of(image.dtype)
    )
    low, high = (found.at((0, column)).as_dict() for column in (0, 1))
    assert (low["mapping"], low["depth"], low["level"], low["pixel"], low["clipped"]) == (
        "clip",
        "uint8",
        30,
        30,
        False,
    )
    assert (high["level"], high["pixel"], high["response"], high["clipped"]) == (270, 255, 270, True)
    assert high["terms"][0] == {"channel": 0, "part": "", "samples": [[20, 250]], "weights": [[1, 1]],
                                "products": [[20, 250]], "sum": 270}  # fmt: skip


def test_sums_beyond_64_bits_are_exact() -> None:
    image = np.full((1, 2), 2**62, np.int64)
    found = weighted(of_layer(Convolve("8 8", padding="valid"), image, (0, 0)))
    assert found.terms[0].sum == 2**66
    assert found.terms[0].products.tolist() == [[2**65, 2**65]]


def test_floats_without_an_end() -> None:
    image = np.array([[np.inf, 1.0, -np.inf]], np.float32)
    found = steps("pool avg size=1x3", image, (0, 0))
    assert found.as_dict()["response"] == "nan"
    assert found.meaning == ("NaN: the window holds NaN, or infinities that cancel",)
    assert steps("pool max size=1x3", image, (0, 0)).as_dict()["response"] == "inf"


def test_gray_of_a_gray_picture_is_a_copy() -> None:
    found = combined(steps("gray", FOUR, (1, 2)))
    assert (found.formula, found.worked, found.sources[0].position) == ("x", "7", (1, 2))


@pytest.mark.parametrize(("mapping", "pixel"), [("clip", 255.0), ("abs", 255.0)])
def test_an_infinite_response_has_an_infinite_level(mapping: str, pixel: float) -> None:
    image = np.array([[np.inf, 1.0]], np.float32)
    written = of_layer(Convolve("1", padding="valid"), image, (0, 0), mapping).written
    assert written is not None
    assert (written.level, written.pixel, written.clipped) == (math.inf, pixel, True)


def test_a_filter_over_one_channel_names_none() -> None:
    one, three = (steps(f"{first} | conv2d 2 size=3 name=c", RGB, (1, 1, 0), "c").meaning for first in ("gray", "abs"))
    assert any("cosine" in line for line in one)
    assert not any("weighs most" in line for line in one)
    assert any("weighs most" in line for line in three)
