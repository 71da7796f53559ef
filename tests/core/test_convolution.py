"""convolve() and conv2d() against nested loops, hand-written tables and the worked examples of the course."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import reference
from arrays import FLOATS, LAYOUTS, as_float32, images, laid_out, nested, random_image, sample_range
from hypothesis import assume, given, settings, strategies as st

import cnnfilter
from cnnfilter.core import engine, prepared

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cnnfilter.core.engine.task import Correlation

    Array = NDArray[Any]
    Draw = st.DrawFn

MODES = ["reflect", "symmetric", "zero", "edge", "wrap"]
NUMPY_MODES = {"zero": "constant"}
SMALL_INTEGERS = ["bool", "uint8", "int8", "uint16", "int16"]
INTEGERS = [*SMALL_INTEGERS, "int32", "uint32", "int64"]
LIMIT = 2e-6  # of the largest response
LIMIT_MANY_TAPS = 5e-6  # above 400 taps

CHESSBOARD = [[255 if (y + x) % 2 == 0 else 0 for x in range(8)] for y in range(8)]
CHESSBOARD_EDGES = [
    [255, 0, 0, 0, 0, 0, 0, -255],
    [255, 0, 0, 0, 0, 0, 0, -510],
    [510, 0, 0, 0, 0, 0, 0, -255],
    [255, 0, 0, 0, 0, 0, 0, -510],
    [510, 0, 0, 0, 0, 0, 0, -255],
    [255, 0, 0, 0, 0, 0, 0, -510],
    [510, 0, 0, 0, 0, 0, 0, -255],
    [255, 0, 0, 0, 0, 0, 0, -255],
]
STEP = [[50] * 5, [50] * 5, [100] * 5, [150] * 5, [150] * 5]
STEP_EDGES = [[150] * 3, [300] * 3, [150] * 3]
PREWITT_V = [[-1, 0, 1], [-1, 0, 1], [-1, 0, 1]]
PREWITT_H = [[-1, -1, -1], [0, 0, 0], [1, 1, 1]]
GRADIENTS = {
    "sobel": ([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], [[-1, -2, -1], [0, 0, 0], [1, 2, 1]]),
    "prewitt": (PREWITT_V, PREWITT_H),
    "scharr": ([[-3, 0, 3], [-10, 0, 10], [-3, 0, 3]], [[-3, -10, -3], [0, 0, 0], [3, 10, 3]]),
}


# ---------------------------------------------------------------------------------------------------------------------
# Helpers


def response_type(dtype: str, taps: Sequence[int], bias: int = 0) -> str:
    """What is promised of integers up to 32 bits: int32 unless some image of this type would overflow it."""
    low, high = sample_range(dtype)
    smallest = sum(min(tap * low, tap * high) for tap in taps) + bias
    largest = sum(max(tap * low, tap * high) for tap in taps) + bias
    return "int32" if smallest >= -(2**31) and largest < 2**31 else "int64"


def assert_response_type(result: Array, image: Array, filters: Sequence[Sequence[int]], bias: int = 0) -> None:
    """One type for all filters: int64 where one of them needs it. Samples of 64 bits give either."""
    if image.dtype.itemsize == 8:
        assert result.dtype in (np.int32, np.int64)
    else:
        assert result.dtype == max(response_type(image.dtype.newbyteorder("=").name, taps, bias) for taps in filters)


def bound(image: Array, kernel: Array, scale: float = 1, bias: float = 0) -> float:
    """The largest response that these taps could give to samples of this size."""
    taps = float(np.abs(kernel.astype(np.float64)).sum())
    return taps * float(np.abs(image.astype(np.float64)).max()) * abs(scale) + abs(bias)


def assert_close(result: Array, expected: Any, most: float, limit: float = LIMIT) -> None:
    """Within `limit` of the largest response; where all responses cancel to about 0, of `most`."""
    wanted = np.asarray(expected, np.float64)
    assert result.dtype == np.float32
    assert result.shape == wanted.shape
    largest = float(np.abs(wanted).max())
    scale = largest if largest > most / 100 else most
    assert float(np.abs(result - wanted).max()) <= limit * scale


def matrix_text(taps: Sequence[Sequence[Fraction]]) -> str:
    return "; ".join(" ".join(str(tap) for tap in row) for row in taps)


def shaped(values: Any, image: Array) -> Array:
    """A reference result as an array, without the channel axis where the image has none."""
    array = np.array(values)
    return array if image.ndim == 3 else array[:, :, 0]


def by_taps(image: Array, weight: Array, pad_mode: str, padding: Any, stride: int = 1, dilation: int = 1) -> Array:
    """A second reference for larger images: np.pad, then one shifted copy a tap, in 64 bits.

    A weight of two axes filters every channel, of four axes (height x width x in x out) it is a bank.
    """
    exact = image.dtype.kind in "bui" and weight.dtype.kind in "iu"
    work = np.int64 if exact else np.float64
    kh, kw = weight.shape[:2]
    if padding == "same":
        spare_y, spare_x = dilation * (kh - 1), dilation * (kw - 1)
        padding = ((spare_y // 2, spare_y - spare_y // 2), (spare_x // 2, spare_x - spare_x // 2))
    widths = [*padding, (0, 0)] if image.ndim == 3 else [*padding]
    padded = np.pad(image.astype(work), widths, mode=NUMPY_MODES.get(pad_mode, pad_mode))  # type: ignore[call-overload]
    height = (padded.shape[0] - dilation * (kh - 1) - 1) // stride + 1
    width = (padded.shape[1] - dilation * (kw - 1) - 1) // stride + 1
    total: Any = 0
    for i in range(kh):
        for j in range(kw):
            top, left = i * dilation, j * dilation
            window = padded[top:, left:][: (height - 1) * stride + 1 : stride, : (width - 1) * stride + 1 : stride]
            tap = weight[i, j].astype(work)
            total = total + (window * tap if weight.ndim == 2 else window @ tap)
    result: Array = total
    return result


def pads() -> st.SearchStrategy[int]:
    return st.sampled_from([0, 1, 2, 3, 5, 11])


@st.composite
def windows(draw: Draw) -> dict[str, Any]:
    """How windows lie: the arguments that every operation has."""
    pair = st.tuples(st.integers(1, 4), st.integers(1, 4))
    padding = st.one_of(
        st.sampled_from(["same", "same", "valid"]),
        pads(),
        st.tuples(st.tuples(pads(), pads()), st.tuples(pads(), pads())),
    )
    return {
        "stride": draw(pair),
        "padding": draw(padding),
        "pad_mode": draw(st.sampled_from(MODES)),
        "dilation": draw(st.tuples(st.integers(1, 3), st.integers(1, 3))),
    }


@st.composite
def kernels(draw: Draw, kind: str = "integer", depth: int = 0, filters: int = 0, largest: int = 70_000) -> Array:
    """Kernels up to 4 x 5; integers up to +-9, now and then much larger; floats with some zeros."""
    shape: tuple[int, ...] = (draw(st.integers(1, 4)), draw(st.integers(1, 5)))
    shape += (depth, filters) if depth else ()
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    if kind == "integer":
        most = min(draw(st.sampled_from([1, 2, 9, 9, 9, 300, 70_000])), largest)
        return rng.integers(-most, most, shape, np.int64, endpoint=True)
    taps = rng.normal(size=shape) * draw(st.sampled_from([0.01, 1.0, 30.0]))
    taps[rng.random(shape) < 0.2] = 0
    taps.flat[0] = 0.3  # whatever is drawn, not a kernel of whole numbers
    return taps


def is_empty(image: Array, kernel: Array, window: dict[str, Any]) -> bool:
    taps = (kernel.shape[0], kernel.shape[1])
    lines = reference.axes(
        image.shape[0], image.shape[1], taps, window["stride"], window["padding"], window["dilation"]
    )
    return min(line.outputs for line in lines) == 0


def sum_or_each(result: Array, image: Array, channels: str) -> list[list[list[Any]]]:
    """The result for comparison, after a look at its axes: a sum over channels is one map, without a channel axis."""
    assert result.ndim == (2 if channels == "sum" else image.ndim)
    return nested(result)


# ---------------------------------------------------------------------------------------------------------------------
# The reference itself


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("samples", [1, 2, 3, 4, 7])
def test_reference_pads_as_numpy(mode: str, samples: int) -> None:
    values = list(range(10, 10 + samples))
    walked = [reference.source(i, samples, mode) for i in range(-17, samples + 17)]
    expected = np.pad(values, 17, mode=NUMPY_MODES.get(mode, mode))  # type: ignore[call-overload]
    assert [0 if i is None else values[i] for i in walked] == expected.tolist()


@pytest.mark.parametrize(("mode", "expected"), [
    ("reflect", "cbabcdefedcb"), ("symmetric", "baabcdeffedc"), ("edge", "aaabcdefffff"), ("wrap", "efabcdefabcd"),
])  # fmt: skip
def test_reference_pads_as_drawn(mode: str, expected: str) -> None:
    indices = [reference.source(i, 6, mode) for i in range(-2, 10)]
    assert "".join("abcdef"[i] for i in indices if i is not None) == expected


@given(n=st.integers(1, 12), k=st.integers(1, 5), s=st.integers(1, 4), d=st.integers(1, 3), p=st.integers(0, 5))
@settings(deadline=None)
def test_reference_counts_windows_by_the_formula(n: int, k: int, s: int, d: int, p: int) -> None:
    effective = d * (k - 1) + 1
    assert reference.axis(n, k, s, p, d).outputs == max((n + 2 * p - effective) // s + 1, 0)
    assert reference.axis(n, k, s, (p, 2), d).outputs == max((n + p + 2 - effective) // s + 1, 0)
    assert reference.axis(n, k, s, "same", d).outputs == -(-n // s)


def test_reference_follows_the_course() -> None:
    board = reference.convolve(nested(np.array(CHESSBOARD)), PREWITT_V, padding=1, pad_mode="zero")
    assert board == nested(np.array(CHESSBOARD_EDGES))
    assert reference.convolve(nested(np.array(STEP)), PREWITT_H, padding="valid") == nested(np.array(STEP_EDGES))


@pytest.mark.parametrize(("mapping", "responses", "pixels", "clipped"), [
    ("clip", [-1, 0, 255, 256], [0, 0, 255, 255], 2),
    ("clip", [Fraction(-1, 2), Fraction(1, 2), Fraction(511, 2), Fraction(5, 2)], [0, 1, 255, 3], 1),
    ("abs", [-300, -7, Fraction(-5, 2), 7], [255, 7, 3, 7], 1),
    ("shift", [-129, -128, 0, Fraction(-5, 2)], [0, 0, 128, 126], 1),
    ("normalize", [-10, 0, 10, 40], [0, 51, 102, 255], 0),
    ("normalize", [9, 9, 9, 9], [0, 0, 0, 0], 0),
])  # fmt: skip
def test_reference_maps_responses(mapping: str, responses: list[Any], pixels: list[int], clipped: int) -> None:
    assert reference.to_samples([[responses]], mapping, 0, 255, 128) == ([[pixels]], clipped)


def test_reference_gray() -> None:
    colours = [[[255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255], [1, 1, 0]]]
    assert reference.gray(colours) == [[255, 76, 150, 29, 1]]
    assert reference.gray(colours, "mean") == [[255, 85, 85, 85, 1]]
    assert reference.gray([[[0, 1], [1, 2]]], "mean") == [[1, 2]]


# ---------------------------------------------------------------------------------------------------------------------
# Worked examples and shapes


def test_vertical_edges_of_a_chessboard() -> None:
    image = np.array(CHESSBOARD, np.uint8)
    assert cnnfilter.convolve(image, PREWITT_V, padding=1, pad_mode="zero").tolist() == CHESSBOARD_EDGES
    assert cnnfilter.convolve(image, "prewitt-v", pad_mode="zero").tolist() == CHESSBOARD_EDGES


def test_horizontal_edge_of_a_brightness_step() -> None:
    image = np.array(STEP, np.uint8)
    assert cnnfilter.convolve(image, PREWITT_H, padding=0, pad_mode="zero").tolist() == STEP_EDGES
    assert cnnfilter.convolve(image, "prewitt-h", padding="valid").tolist() == STEP_EDGES


def test_sixteen_filters_over_rgb() -> None:
    x = random_image(1, (32, 32, 3), "float32")
    weight = np.random.default_rng(2).normal(size=(3, 3, 3, 16)).astype(np.float32)
    result = cnnfilter.conv2d(x, weight, padding=1)
    assert result.shape == (32, 32, 16)
    assert_close(result, by_taps(x, weight, "zero", ((1, 1), (1, 1))), bound(x, weight[..., 0]))


def test_correlation_by_hand() -> None:
    image = np.array([[1, 2, 3], [4, 5, 6]], np.uint8)
    assert cnnfilter.convolve(image, [[1, 10]], padding="valid").tolist() == [[21, 32], [54, 65]]
    assert cnnfilter.convolve(image, [[1, 10]], padding="valid", flip=True).tolist() == [[12, 23], [45, 56]]
    assert cnnfilter.convolve(image, [[1, 10]], padding="valid", scale=2, bias=-1).tolist() == [[41, 63], [107, 129]]
    assert cnnfilter.convolve(image, [[1], [10]], padding="valid").tolist() == [[41, 52, 63]]


@pytest.mark.parametrize(("shape", "kernel", "options", "expected"), [
    ((8, 8), (3, 3), {}, (8, 8)),
    ((8, 7), (3, 3), {"stride": 2}, (4, 4)),
    ((9, 7), (3, 3), {"stride": (3, 2)}, (3, 4)),
    ((8, 8), (3, 3), {"padding": "valid"}, (6, 6)),
    ((8, 8), (2, 4), {}, (8, 8)),
    ((8, 8), (2, 4), {"padding": "valid"}, (7, 5)),
    ((8, 8), (2, 2), {"padding": 1}, (9, 9)),
    ((8, 9), (3, 5), {"padding": (2, 1)}, (10, 7)),
    ((8, 9), (3, 5), {"padding": ((0, 3), (1, 0))}, (9, 6)),
    ((8, 8), (3, 3), {"padding": "valid", "dilation": 3}, (2, 2)),
    ((8, 8), (3, 3), {"padding": "valid", "dilation": (1, 3)}, (6, 2)),
    ((8, 8), (3, 3), {"dilation": 4, "stride": 4}, (2, 2)),
    ((1, 1), (3, 3), {}, (1, 1)),
    ((1, 1), (4, 5), {"stride": 4}, (1, 1)),
    ((1, 9), (1, 9), {"padding": "valid"}, (1, 1)),
    ((2, 2), (1, 1), {"padding": 7}, (16, 16)),
    ((5, 4, 1), (3, 3), {}, (5, 4, 1)),
    ((5, 4, 3), (3, 3), {"stride": 2}, (3, 2, 3)),
    ((5, 4, 5), (3, 3), {"channels": "sum"}, (5, 4)),
    ((5, 4), (3, 3), {"channels": "sum"}, (5, 4)),
    ((5, 4, 3), (3, 3, 3, 7), {}, (5, 4, 7)),
    ((5, 4, 3), (2, 5, 3, 1), {"stride": (1, 2)}, (5, 2, 1)),
    ((5, 4), (3, 3, 1, 6), {"padding": "valid"}, (3, 2, 6)),
], ids=str)  # fmt: skip
def test_output_shape(
    shape: tuple[int, ...], kernel: tuple[int, ...], options: dict[str, Any], expected: tuple[int, ...]
) -> None:
    assert cnnfilter.convolve(np.zeros(shape, np.uint8), np.ones(kernel, int), **options).shape == expected


@pytest.mark.parametrize(("kernel", "dilation", "first"), [
    ((1, 3), 1, 1), ((1, 2), 1, 0), ((1, 4), 1, 1), ((1, 5), 1, 2), ((1, 3), 2, 2), ((1, 2), 2, 1), ((1, 4), 3, 4),
], ids=str)  # fmt: skip
def test_same_pads_the_smaller_half_before(kernel: tuple[int, int], dilation: int, first: int) -> None:
    """Only the last tap is 1, so the first output that is not zero tells where the windows begin."""
    taps = np.zeros(kernel, int)
    taps[0, 0] = 1
    line = np.arange(1, 10, dtype=np.uint8)[np.newaxis]
    for image, weight in [(line, taps), (line.T, taps.T)]:
        result = cnnfilter.convolve(image, weight, pad_mode="zero", dilation=dilation).ravel()
        assert result.tolist() == [0] * first + list(range(1, 10 - first))


@pytest.mark.parametrize(("number", "pair"), [
    ({"stride": 2}, {"stride": (2, 2)}),
    ({"dilation": 2}, {"dilation": (2, 2)}),
    ({"padding": 3}, {"padding": (3, 3)}),
    ({"padding": (2, 1)}, {"padding": ((2, 2), (1, 1))}),
    ({"padding": "valid"}, {"padding": 0}),
    ({"stride": "2x3"}, {"stride": (2, 3)}),
    ({"padding": "2x1"}, {"padding": (2, 1)}),
    ({"scale": "1/9"}, {"scale": Fraction(1, 9)}),
    ({"padding": "same"}, {"padding": ((1, 1), (0, 1))}),
], ids=str)  # fmt: skip
def test_two_ways_to_say_the_same(number: dict[str, Any], pair: dict[str, Any]) -> None:
    image = random_image(5, (9, 8, 3), "uint8")
    kernel = [[1, 2], [3, -4], [-5, 6]]
    first, second = cnnfilter.convolve(image, kernel, **number), cnnfilter.convolve(image, kernel, **pair)
    assert first.dtype == second.dtype
    np.testing.assert_array_equal(first, second)


# ---------------------------------------------------------------------------------------------------------------------
# Exact responses


@given(
    image=images(INTEGERS),
    kernel=kernels(),
    window=windows(),
    channels=st.sampled_from(["each", "sum"]),
    flip=st.booleans(),
    scale=st.sampled_from([1, 1, -2, 7]),
    bias=st.sampled_from([0, 0, 100, -5]),
)
@settings(deadline=None, max_examples=200)
def test_integers_are_exact(
    image: Array, kernel: Array, window: dict[str, Any], channels: str, flip: bool, scale: int, bias: int
) -> None:
    options = {**window, "channels": channels, "flip": flip, "scale": scale, "bias": bias}
    if is_empty(image, kernel, window):
        with pytest.raises(ValueError, match=r"\d"):
            cnnfilter.convolve(image, kernel, **options)
        return
    result = cnnfilter.convolve(image, kernel, **options)
    samples = nested(image)
    assert sum_or_each(result, image, channels) == reference.convolve(samples, kernel.tolist(), **options)
    taps = [tap * scale for tap in kernel.ravel().tolist()] * (len(samples[0][0]) if channels == "sum" else 1)
    assert_response_type(result, image, [taps], bias)


@given(data=st.data(), image=images(INTEGERS), window=windows(), flip=st.booleans())
@settings(deadline=None, max_examples=80)
def test_integer_banks_are_exact(data: st.DataObject, image: Array, window: dict[str, Any], flip: bool) -> None:
    depth = image.shape[2] if image.ndim == 3 else 1
    bank = data.draw(kernels(depth=depth, filters=data.draw(st.integers(1, 4))))
    assume(not is_empty(image, bank, window))
    result = cnnfilter.convolve(image, bank, **window, flip=flip)
    assert nested(result) == reference.convolve_bank(nested(image), bank.tolist(), **window, flip=flip)
    assert_response_type(result, image, [bank[..., f].ravel().tolist() for f in range(bank.shape[3])])


@given(
    image=images([*SMALL_INTEGERS, "int32", "uint32"]),
    numerators=kernels(largest=300),
    divisors=st.lists(st.sampled_from([1, 2, 3, 9, 16, 256]), min_size=1, max_size=3),
    window=windows(),
    channels=st.sampled_from(["each", "sum"]),
    scale=st.sampled_from([Fraction(1), Fraction(1), Fraction(2, 3), Fraction(-5)]),
    bias=st.sampled_from([Fraction(0), Fraction(0), Fraction(1, 2), Fraction(-7)]),
)
@settings(deadline=None, max_examples=120)
def test_fractions_are_rounded_once(
    image: Array,
    numerators: Array,
    divisors: list[int],
    window: dict[str, Any],
    channels: str,
    scale: Fraction,
    bias: Fraction,
) -> None:
    """Whatever the fractions, the response is the exact quotient, rounded to 32 bits."""
    taps = [
        [Fraction(tap, divisors[(i + j) % len(divisors)]) for j, tap in enumerate(row)]
        for i, row in enumerate(numerators.tolist())
    ]
    assume(any(tap.denominator > 1 for row in taps for tap in row))
    assume(not is_empty(image, numerators, window))
    options = {**window, "channels": channels, "scale": scale, "bias": bias}
    result = cnnfilter.convolve(image, matrix_text(taps), **options)
    exact = reference.convolve(nested(image), taps, **options)
    assert sum_or_each(result.astype(np.float64), image, channels) == as_float32(exact)
    if any((tap * scale).denominator > 1 for row in taps for tap in row):
        assert result.dtype == np.float32


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32", "uint32"])
@pytest.mark.parametrize(("name", "taps", "divisor"), [
    ("blur", [[1] * 3] * 3, 9),
    ("gaussian", [[a * b for b in (1, 4, 6, 4, 1)] for a in (1, 4, 6, 4, 1)], 256),
    ("box:2x3", [[1] * 3] * 2, 6),
])  # fmt: skip
def test_named_quotients_are_rounded_once(name: str, taps: list[list[int]], divisor: int, dtype: str) -> None:
    image = random_image(7, (9, 8, 3), dtype)
    exact = reference.convolve(nested(image), taps, scale=Fraction(1, divisor))
    result = cnnfilter.convolve(image, name)
    assert result.dtype == np.float32
    assert nested(result) == as_float32(exact)


@pytest.mark.parametrize(("dtype", "taps", "expected"), [
    ("bool", [[1, 1]], "int32"),
    ("uint8", [[8421504]], "int32"),
    ("uint8", [[8421505]], "int64"),
    ("uint8", [[-8421505]], "int64"),
    ("uint8", [[8421504, -8421504]], "int32"),
    ("int8", [[16777215]], "int32"),
    ("int8", [[16777216, 1]], "int64"),
    ("uint16", [[32768]], "int32"),
    ("uint16", [[32769]], "int64"),
    ("uint16", [[16384, 16385]], "int64"),
    ("int32", [[0, 1, 0]], "int32"),
    ("int32", [[1, -1]], "int64"),
    ("uint32", [[1]], "int64"),
    ("int64", [[1]], "int64"),
    ("uint8", [[2**40, -(2**41)]], "int64"),
], ids=str)  # fmt: skip
def test_response_type_of_integers(dtype: str, taps: list[list[int]], expected: str) -> None:
    image = np.zeros((3, 4), dtype)
    image[0] = sample_range(dtype)[0]
    image[1] = sample_range(dtype)[1]
    result = cnnfilter.convolve(image, np.array(taps, np.int64))
    assert result.dtype == expected
    assert nested(result) == reference.convolve(nested(image), taps)


def test_response_type_counts_channels_and_bias() -> None:
    image = np.full((2, 2, 3), 65535, np.uint16)
    each = cnnfilter.convolve(image, [[15000]])
    total = cnnfilter.convolve(image, [[15000]], channels="sum")
    raised = cnnfilter.convolve(image, [[15000]], bias=2**31)
    assert [result.dtype.name for result in (each, total, raised)] == ["int32", "int64", "int64"]
    assert (each[0, 0, 0], total[0, 0], raised[1, 1, 2]) == (983025000, 2949075000, 983025000 + 2**31)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "int32", "int64", ">i2", ">i8"])
def test_kernel_arrays_of_every_integer_type(dtype: str) -> None:
    image = random_image(8, (6, 7), "uint8")
    taps = [[1, 2, 100], [127, 0, 3]]
    result = cnnfilter.convolve(image, np.array(taps, dtype), flip=True, scale=-3)
    assert result.dtype == np.int32
    assert nested(result) == reference.convolve(nested(image), taps, flip=True, scale=-3)


@pytest.mark.parametrize("text", ["sobel-45", "0 1 2; -1 0 1; -2 -1 0"])
def test_a_kernel_object_a_text_and_a_matrix_are_one(text: str) -> None:
    image = random_image(9, (6, 7, 3), "uint8")
    expected = cnnfilter.convolve(image, [[0, 1, 2], [-1, 0, 1], [-2, -1, 0]])
    for kernel in (text, cnnfilter.kernel(text), np.array([[0, 1, 2], [-1, 0, 1], [-2, -1, 0]])):
        np.testing.assert_array_equal(cnnfilter.convolve(image, kernel), expected)


# ---------------------------------------------------------------------------------------------------------------------
# Floating point


@given(
    image=images([*INTEGERS, *FLOATS]),
    kernel=kernels("float"),
    window=windows(),
    channels=st.sampled_from(["each", "sum"]),
    flip=st.booleans(),
    scale=st.sampled_from([1, 1, 0.1, -3]),
    bias=st.sampled_from([0, 0, 0.5, 100]),
)
@settings(deadline=None, max_examples=150)
def test_float_kernels_are_close(
    image: Array, kernel: Array, window: dict[str, Any], channels: str, flip: bool, scale: float, bias: float
) -> None:
    assume(not is_empty(image, kernel, window))
    options = {**window, "channels": channels, "flip": flip, "scale": scale, "bias": bias}
    result = cnnfilter.convolve(image, kernel, **options)
    expected = reference.convolve(nested(image), kernel.tolist(), **options)
    assert sum_or_each(result, image, channels)
    depth = len(nested(image)[0][0]) if channels == "sum" else 1
    assert_close(np.array(nested(result), result.dtype), expected, bound(image, kernel, scale, bias) * depth)


@given(image=images(FLOATS), kernel=kernels(), window=windows(), divisor=st.sampled_from([1, 1, 9]))
@settings(deadline=None, max_examples=60)
def test_float_images_are_close(image: Array, kernel: Array, window: dict[str, Any], divisor: int) -> None:
    assume(not is_empty(image, kernel, window))
    result = cnnfilter.convolve(image, kernel, **window, scale=Fraction(1, divisor))
    expected = reference.convolve(nested(image), kernel.tolist(), **window, scale=1 / divisor)
    assert_close(result, shaped(expected, image), bound(image, kernel, 1 / divisor))


@given(data=st.data(), image=images(["uint8", "int32", *FLOATS]), window=windows(), flip=st.booleans())
@settings(deadline=None, max_examples=60)
def test_float_banks_are_close(data: st.DataObject, image: Array, window: dict[str, Any], flip: bool) -> None:
    depth = image.shape[2] if image.ndim == 3 else 1
    bank = data.draw(kernels("float", depth, data.draw(st.integers(1, 4))))
    assume(not is_empty(image, bank, window))
    result = cnnfilter.convolve(image, bank, **window, flip=flip, scale=0.5, bias=1)
    expected = reference.convolve_bank(nested(image), bank.tolist(), **window, flip=flip, scale=0.5, bias=1)
    assert_close(result, expected, bound(image, bank, 0.5, 1))


@given(
    image=images([*INTEGERS[:-1], *FLOATS]),
    name=st.sampled_from(sorted(GRADIENTS)),
    window=windows(),
    channels=st.sampled_from(["each", "sum"]),
    scale=st.sampled_from([1, 0.25, Fraction(1, 8), -1]),
    bias=st.sampled_from([0, 10, -0.5]),
    flip=st.booleans(),
)
@settings(deadline=None, max_examples=80)
def test_gradient_magnitudes(
    image: Array, name: str, window: dict[str, Any], channels: str, scale: Any, bias: Any, flip: bool
) -> None:
    vertical, horizontal = GRADIENTS[name]
    assume(not is_empty(image, np.array(vertical), window))
    result = cnnfilter.convolve(image, name, **window, channels=channels, scale=scale, bias=bias, flip=flip)
    v, h = (reference.convolve(nested(image), taps, **window, channels=channels) for taps in (vertical, horizontal))
    expected = reference.magnitude(v, h, scale, bias)
    assert sum_or_each(result, image, channels)
    depth = len(nested(image)[0][0]) if channels == "sum" else 1
    most = bound(image, np.array(vertical), float(scale), float(bias)) * depth
    assert_close(np.array(nested(result), result.dtype), expected, most)


def test_gradient_magnitude_by_hand() -> None:
    image = np.array([[0, 0, 0], [0, 0, 3], [0, 4, 0]], np.uint8)
    assert cnnfilter.convolve(image, "prewitt", padding="valid").tolist() == [[5.0]]
    assert cnnfilter.convolve(image, "prewitt", padding="valid", scale=2, bias=1).tolist() == [[11.0]]
    assert cnnfilter.convolve(image, "prewitt", padding="valid", mapping="clip").tolist() == [[5]]
    assert cnnfilter.convolve(np.full((4, 4), 255, np.uint8), "sobel").tolist() == [[0.0] * 4] * 4


# ---------------------------------------------------------------------------------------------------------------------
# conv2d


@st.composite
def layers(draw: Draw, kind: str) -> tuple[Array, Array, Array | None, int]:
    """An input, weights, a bias or none, and the number of groups."""
    groups = draw(st.integers(1, 3))
    depth, filters = draw(st.integers(1, 2)), draw(st.integers(1, 2)) * groups
    dtypes = ["uint8", "int16"] if kind == "integer" else [*FLOATS, "uint8"]
    x = draw(images(dtypes, channels=[groups * depth]))
    weight = draw(kernels(kind, depth, filters))
    weight = np.clip(weight, -9, 9) if kind == "integer" else weight.astype(draw(st.sampled_from(FLOATS[:2])))
    bias = np.arange(filters, dtype=weight.dtype) * 10 - 7
    return x, weight, bias if draw(st.booleans()) else None, groups


@given(layer=layers("float"), window=windows())
@settings(deadline=None, max_examples=120)
def test_conv2d_is_close(layer: tuple[Array, Array, Array | None, int], window: dict[str, Any]) -> None:
    x, weight, bias, groups = layer
    assume(not is_empty(x, weight, window))
    result = cnnfilter.conv2d(x, weight, bias, **window, groups=groups)
    biases = None if bias is None else bias.tolist()
    expected = reference.conv2d(nested(x), weight.tolist(), biases, **window, groups=groups)
    assert_close(result, expected, bound(x, weight, 1, 20 if bias is not None else 0))


@given(layer=layers("integer"), window=windows())
@settings(deadline=None, max_examples=60)
def test_conv2d_of_integers_is_exact(layer: tuple[Array, Array, Array | None, int], window: dict[str, Any]) -> None:
    """All sums here fit into the 24 bits of a float32."""
    x, weight, bias, groups = layer
    assume(not is_empty(x, weight, window))
    result = cnnfilter.conv2d(x, weight, bias, **window, groups=groups)
    biases = None if bias is None else bias.tolist()
    expected = reference.conv2d(nested(x), weight.tolist(), biases, **window, groups=groups)
    assert result.dtype == np.float32
    assert result.tolist() == expected


def test_conv2d_defaults_are_pytorchs() -> None:
    x = random_image(3, (7, 6, 2), "float32")
    weight = np.random.default_rng(1).normal(size=(3, 2, 2, 5))
    expected = reference.conv2d(nested(x), weight.tolist())
    assert cnnfilter.conv2d(x, weight).shape == (5, 5, 5)
    assert_close(cnnfilter.conv2d(x, weight), expected, bound(x, weight))
    padded = reference.conv2d(nested(x), weight.tolist(), padding=2, pad_mode="zero")
    assert_close(cnnfilter.conv2d(x, weight, padding=2), padded, bound(x, weight))


def test_conv2d_depthwise_by_hand() -> None:
    x = np.array([[[1, 10, 100], [2, 20, 200]]], np.float32)
    weight = np.array([[[[1, 2, 3]], [[1, 0, -1]]]], np.float32)
    assert cnnfilter.conv2d(x, weight, groups=3).tolist() == [[[3, 20, 100]]]
    assert cnnfilter.conv2d(x, weight, np.array([0.5, 1, 2], np.float32), groups=3).tolist() == [[[3.5, 21, 102]]]


# ---------------------------------------------------------------------------------------------------------------------
# Pixels


@given(
    image=images(["uint8", "uint8", "uint16"]),
    kernel=kernels(),
    window=windows(),
    channels=st.sampled_from(["each", "sum"]),
    mapping=st.sampled_from(["clip", "abs", "normalize", "shift"]),
    divisor=st.sampled_from([1, 2, 3, 9, 256]),
    bias=st.sampled_from([0, 0, 60, Fraction(1, 2), Fraction(-7, 3)]),
)
@settings(deadline=None, max_examples=200)
def test_pixels_of_rational_kernels_are_exact(
    image: Array, kernel: Array, window: dict[str, Any], channels: str, mapping: str, divisor: int, bias: Any
) -> None:
    assume(not is_empty(image, kernel, window))
    options = {**window, "channels": channels, "scale": Fraction(1, divisor), "bias": bias}
    result = cnnfilter.convolve(image, kernel, **options, mapping=mapping)
    high = int(np.iinfo(image.dtype).max)
    exact = reference.convolve(nested(image), kernel.tolist(), **options)
    pixels, _ = reference.to_samples(exact, mapping, 0, high, (high + 1) // 2)
    assert result.dtype.newbyteorder("=") == image.dtype.newbyteorder("=")
    assert sum_or_each(result, image, channels) == pixels


@given(
    image=images(["bool", "int8", "int16", "int32", "uint32"]),
    kernel=kernels(),
    window=windows(),
    mapping=st.sampled_from(["clip", "abs"]),
    divisor=st.sampled_from([1, 2, 9]),
)
@settings(deadline=None, max_examples=60)
def test_pixels_of_other_integer_types(
    image: Array, kernel: Array, window: dict[str, Any], mapping: str, divisor: int
) -> None:
    assume(not is_empty(image, kernel, window))
    scale = Fraction(1, divisor)
    result = cnnfilter.convolve(image, kernel, **window, scale=scale, mapping=mapping)
    low, high = sample_range(image.dtype.newbyteorder("=").name)
    exact = reference.convolve(nested(image), kernel.tolist(), **window, scale=scale)
    assert result.dtype.newbyteorder("=") == image.dtype.newbyteorder("=")
    assert nested(result) == reference.to_samples(exact, mapping, low, high)[0]


@given(
    image=images(["uint8", "uint16"]),
    kernel=kernels("float"),
    window=windows(),
    mapping=st.sampled_from(["clip", "abs", "normalize", "shift"]),
)
@settings(deadline=None, max_examples=80)
def test_pixels_of_float_kernels_are_within_a_level(
    image: Array, kernel: Array, window: dict[str, Any], mapping: str
) -> None:
    assume(not is_empty(image, kernel, window))
    exact = reference.convolve(nested(image), kernel.tolist(), **window)
    span = np.ptp(np.array(exact))
    assume(mapping != "normalize" or span > bound(image, kernel) / 100)  # stretched rounding errors are no levels
    result = cnnfilter.convolve(image, kernel, **window, mapping=mapping)
    high = int(np.iinfo(image.dtype).max)
    pixels, _ = reference.to_samples(exact, mapping, 0, high, (high + 1) // 2)
    assert result.dtype.newbyteorder("=") == image.dtype.newbyteorder("=")
    assert np.abs(np.array(nested(result), np.int64) - np.array(pixels)).max() <= 1


@given(
    image=images(["uint8", "uint16"]),
    name=st.sampled_from(sorted(GRADIENTS)),
    window=windows(),
    mapping=st.sampled_from(["clip", "abs", "normalize", "shift"]),
)
@settings(deadline=None, max_examples=60)
def test_pixels_of_gradients_are_within_a_level(image: Array, name: str, window: dict[str, Any], mapping: str) -> None:
    vertical, horizontal = GRADIENTS[name]
    assume(not is_empty(image, np.array(vertical), window))
    result = cnnfilter.convolve(image, name, **window, mapping=mapping)
    v, h = (reference.convolve(nested(image), taps, **window) for taps in (vertical, horizontal))
    high = int(np.iinfo(image.dtype).max)
    pixels, _ = reference.to_samples(reference.magnitude(v, h), mapping, 0, high, (high + 1) // 2)
    assert result.dtype.newbyteorder("=") == image.dtype.newbyteorder("=")
    assert np.abs(np.array(nested(result), np.int64) - np.array(pixels)).max() <= 1


@pytest.mark.parametrize(("mapping", "dtype", "samples", "kernel", "expected"), [
    ("clip", "uint8", [0, 10, 200], "-1", [0, 0, 0]),
    ("clip", "uint8", [0, 10, 200], "2", [0, 20, 255]),
    ("clip", "uint8", [1, 3, 5], "1/2", [1, 2, 3]),
    ("clip", "uint8", [1, 2, 255], "5/2", [3, 5, 255]),
    ("abs", "uint8", [1, 3, 255], "-1/2", [1, 2, 128]),
    ("abs", "uint8", [1, 3, 255], "-2", [2, 6, 255]),
    ("shift", "uint8", [0, 1, 3], "-1/2", [128, 128, 127]),
    ("shift", "uint16", [0, 1, 40000], "-1", [32768, 32767, 0]),
    ("normalize", "uint8", [0, 1, 2], "1", [0, 128, 255]),
    ("normalize", "uint8", [7, 7, 7], "-3", [0, 0, 0]),
    ("normalize", "uint16", [5, 6, 8], "-1", [65535, 43690, 0]),
    ("clip", "int8", [-128, 3, 127], "-1", [127, -3, -127]),
    ("clip", "int8", [-1, -3, -5], "1/2", [0, -1, -2]),
    ("abs", "int16", [-32768, -5, 5], "1", [32767, 5, 5]),
    ("clip", "bool", [0, 1, 1], "3", [0, 1, 1]),
], ids=str)  # fmt: skip
def test_pixels_by_hand(mapping: str, dtype: str, samples: list[int], kernel: str, expected: list[int]) -> None:
    result = cnnfilter.convolve(np.array([samples], dtype), kernel, mapping=mapping)
    assert result.dtype == dtype
    assert result.tolist() == [expected]


def test_normalize_looks_at_all_channels_together() -> None:
    image = np.array([[[10, 20, 30], [40, 50, 60]]], np.uint8)
    assert cnnfilter.convolve(image, "identity", mapping="normalize").tolist() == [[[0, 51, 102], [153, 204, 255]]]


@pytest.mark.parametrize(("kernel", "options", "mapping"), [
    ("sobel-v", {}, "abs"),
    ("laplacian", {}, "abs"),
    ("log:5:1", {}, "abs"),
    ("gabor:7:4:30", {}, "abs"),
    ("1/3 1/3 -2/3", {}, "abs"),
    ("sobel-v", {"bias": 100}, "clip"),
    ("blur", {}, "clip"),
    ("sharpen", {}, "clip"),
    ("emboss", {}, "clip"),
    ("gaussian:5:1.5", {}, "clip"),
    ("sobel", {}, "clip"),
], ids=str)  # fmt: skip
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_auto_mapping(kernel: str, options: dict[str, Any], mapping: str, dtype: str) -> None:
    image = random_image(10, (9, 9, 3), dtype)
    result = cnnfilter.convolve(image, kernel, **options, mapping="auto")
    assert result.dtype == image.dtype
    np.testing.assert_array_equal(result, cnnfilter.convolve(image, kernel, **options, mapping=mapping))


def test_raw_is_the_default_mapping() -> None:
    image = random_image(11, (5, 5), "uint8")
    for kernel in ("sobel-v", "blur", "sobel"):
        raw = cnnfilter.convolve(image, kernel, mapping="raw")
        default = cnnfilter.convolve(image, kernel)
        assert default.dtype == raw.dtype != np.uint8
        np.testing.assert_array_equal(default, raw)


# ---------------------------------------------------------------------------------------------------------------------
# Padding


@given(
    image=images(["uint8", "int16"]),
    mode=st.sampled_from(MODES),
    padding=st.tuples(st.tuples(pads(), pads()), st.tuples(pads(), pads())),
)
@settings(deadline=None, max_examples=80)
def test_padding_is_numpys(image: Array, mode: str, padding: tuple[tuple[int, int], tuple[int, int]]) -> None:
    """A kernel of one tap shows the padded image itself."""
    widths = [*padding, (0, 0)][: image.ndim]
    expected = np.pad(image, widths, mode=NUMPY_MODES.get(mode, mode))  # type: ignore[call-overload]
    np.testing.assert_array_equal(cnnfilter.convolve(image, [[1]], padding=padding, pad_mode=mode), expected)
    three = nested(image)
    depth = len(three[0][0])
    layer = cnnfilter.conv2d(np.array(three), np.eye(depth)[np.newaxis, np.newaxis], padding=padding, pad_mode=mode)
    np.testing.assert_array_equal(layer, expected.reshape(*expected.shape[:2], depth))


@pytest.mark.parametrize(("alias", "mode"), [
    ("zeros", "zero"), ("constant", "zero"), ("reflect-101", "reflect"), ("replicate", "edge"), ("nearest", "edge"),
    ("circular", "wrap"),
])  # fmt: skip
def test_names_of_other_libraries(alias: str, mode: str) -> None:
    image = random_image(12, (4, 3), "uint8")
    weight = np.ones((5, 5, 1, 1))
    np.testing.assert_array_equal(
        cnnfilter.convolve(image, "gaussian", pad_mode=alias), cnnfilter.convolve(image, "gaussian", pad_mode=mode)
    )
    np.testing.assert_array_equal(
        cnnfilter.conv2d(image[..., np.newaxis], weight, padding=2, pad_mode=alias),
        cnnfilter.conv2d(image[..., np.newaxis], weight, padding=2, pad_mode=mode),
    )


def test_reflect_repeats_a_single_sample() -> None:
    image = np.array([[7]], np.uint8)
    assert cnnfilter.convolve(image, "1 1 1; 1 1 1; 1 1 1").tolist() == [[63]]
    assert cnnfilter.convolve(image, "1 2", padding=4).tolist() == [[21] * 8] * 9


# ---------------------------------------------------------------------------------------------------------------------
# Samples that are no numbers


@given(
    image=images(FLOATS),
    places=st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8), st.integers(0, 4)), min_size=1, max_size=3),
    value=st.sampled_from([np.nan, np.inf, -np.inf]),
    kernel=st.one_of(kernels(), kernels("float")),
    window=windows(),
    channels=st.sampled_from(["each", "sum"]),
)
@settings(deadline=None, max_examples=120)
def test_non_finite_samples_stay_in_their_windows(
    image: Array,
    places: list[tuple[int, int, int]],
    value: float,
    kernel: Array,
    window: dict[str, Any],
    channels: str,
) -> None:
    """Taps of zero belong to the window as well."""
    assume(not is_empty(image, kernel, window))
    image = image.copy()
    for place in places:
        image[tuple(i % n for i, n in zip(place, image.shape, strict=False))] = value
    options = {**window, "channels": channels}
    result = cnnfilter.convolve(image, kernel, **options)
    bad = ~np.isfinite(image)
    touched = np.array(reference.convolve(nested(bad), np.ones_like(kernel, int).tolist(), **options)) > 0
    values = np.array(nested(result))
    np.testing.assert_array_equal(np.isfinite(values), ~touched)
    clean = np.where(bad, 0, image)
    expected = np.array(reference.convolve(nested(clean), kernel.tolist(), **options), np.float64)
    expected[touched] = 0
    assert_close(np.where(touched, np.float32(0), values.astype(np.float32)), expected, bound(clean, kernel) * 5)


@pytest.mark.parametrize("kernel", ["sobel", "blur", "gaussian:5:1", "0 0 0; 0 1 0; 0 0 0", "random:3:2"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_one_bad_sample_of_a_named_kernel(kernel: str, value: float) -> None:
    image = random_image(13, (12, 14), "float32")
    image[6, 5] = value
    result = cnnfilter.convolve(image, kernel)
    reach = 2 if "gaussian" in kernel else 1
    touched = np.zeros(result.shape, bool)
    touched[6 - reach : 7 + reach, 5 - reach : 6 + reach] = True
    np.testing.assert_array_equal(np.isfinite(result), ~touched)


def test_bad_samples_reach_through_all_channels_of_a_filter() -> None:
    x = random_image(14, (9, 9, 4), "float32")
    x[4, 4, 1] = np.nan
    result = cnnfilter.conv2d(x, np.ones((3, 3, 2, 6)), padding=1, groups=2)
    touched = np.zeros(result.shape, bool)
    touched[3:6, 3:6, :3] = True
    np.testing.assert_array_equal(np.isnan(result), touched)


@pytest.mark.parametrize("size", [3, 15, 31])
def test_bad_samples_of_larger_images(size: int) -> None:
    image = random_image(15, (150, 170), "float32")
    kernel = np.random.default_rng(3).normal(size=(size, size))
    clean = cnnfilter.convolve(image, kernel)
    image[70, 80] = np.inf
    result = cnnfilter.convolve(image, kernel)
    touched = np.zeros(image.shape, bool)
    touched[70 - size // 2 : 71 + size // 2, 80 - size // 2 : 81 + size // 2] = True
    np.testing.assert_array_equal(np.isfinite(result), ~touched)
    limit = LIMIT_MANY_TAPS if size > 20 else LIMIT
    assert np.abs(result - clean)[~touched].max() <= 2 * limit * np.abs(clean).max()


# ---------------------------------------------------------------------------------------------------------------------
# Larger images, where other ways to compute may be used


@pytest.mark.parametrize("options", [
    {}, {"stride": 2}, {"dilation": 3}, {"pad_mode": "zero", "padding": ((40, 3), (0, 50))},
], ids=str)  # fmt: skip
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16"])
@pytest.mark.parametrize("kernel", [
    "sobel-v", "laplacian-8", "sharpen", "scharr-h", "prewitt-v", "blur", "gaussian", "box:9", "box:31", "box:2x40",
], ids=str)  # fmt: skip
def test_larger_integer_images_are_exact(kernel: str, dtype: str, options: dict[str, Any]) -> None:
    image = random_image(16, (101, 67, 3), dtype)
    taps = cnnfilter.kernel(kernel)
    window = {"pad_mode": "reflect", "padding": "same", **options}
    expected = by_taps(image, np.asarray(taps.matrix, np.int64), **window)
    result = cnnfilter.convolve(image, kernel, **options)
    if taps.divisor == 1:
        assert result.dtype == response_type(dtype, np.asarray(taps.matrix, np.int64).ravel().tolist())
        np.testing.assert_array_equal(result, expected)
    else:
        assert result.dtype == np.float32
        np.testing.assert_array_equal(result, (expected / taps.divisor).astype(np.float32))
    high = int(np.iinfo(dtype).max)
    pixels = np.clip((2 * expected + taps.divisor) // (2 * taps.divisor), np.iinfo(dtype).min, high)
    np.testing.assert_array_equal(cnnfilter.convolve(image, kernel, **options, mapping="clip"), pixels)


@pytest.mark.parametrize("shape", [(7, 7), (15, 15), (2, 31), (31, 1), (33, 33)], ids=str)
@pytest.mark.parametrize("largest", [3, 1000, 60000])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16"])
def test_larger_integer_kernels_are_exact(shape: tuple[int, int], largest: int, dtype: str) -> None:
    image = random_image(17, (83, 120), dtype)
    kernel = np.random.default_rng(4).integers(-largest, largest, shape, np.int64, endpoint=True)
    result = cnnfilter.convolve(image, kernel)
    assert result.dtype == response_type(dtype, kernel.ravel().tolist())
    np.testing.assert_array_equal(result, by_taps(image, kernel, "reflect", "same"))


@pytest.mark.parametrize("kernel", [
    "gaussian:5:1", "gaussian:15", "gaussian:31:4", "log:9:1.4", "motion:15:30", "gabor:21:6:30", "gaussian:4x9:2",
], ids=str)  # fmt: skip
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_larger_float_families_are_close(kernel: str, dtype: str) -> None:
    image = random_image(18, (130, 90, 3), dtype)
    taps = cnnfilter.kernel(kernel)
    matrix = np.asarray(taps.matrix, np.float64) / taps.divisor
    limit = LIMIT_MANY_TAPS if matrix.size > 400 else LIMIT
    for options in ({}, {"stride": 2}, {"pad_mode": "wrap"}):
        window: dict[str, Any] = {"pad_mode": "reflect", "padding": "same", **options}
        expected = by_taps(image, matrix, **window)
        assert_close(cnnfilter.convolve(image, kernel, **options), expected, bound(image, matrix), limit)


@pytest.mark.parametrize("shape", [(3, 3), (5, 5), (1, 9), (9, 1), (13, 13), (20, 20), (31, 31), (2, 45)], ids=str)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
def test_larger_float_kernels_are_close(shape: tuple[int, int], dtype: str) -> None:
    image = random_image(19, (120, 143), dtype)
    kernel = np.random.default_rng(5).normal(size=shape)
    expected = by_taps(image, kernel, "reflect", "same")
    limit = LIMIT_MANY_TAPS if kernel.size > 400 else LIMIT
    assert_close(cnnfilter.convolve(image, kernel), expected, bound(image, kernel), limit)


@pytest.mark.parametrize(("shape", "weight"), [
    ((40, 50, 16), (3, 3, 16, 32)), ((41, 37, 3), (7, 7, 3, 8)), ((30, 30, 64), (1, 1, 64, 24)),
    ((64, 64, 3), (11, 11, 3, 4)), ((17, 19, 24), (5, 5, 24, 6)), ((200, 160, 1), (3, 3, 1, 2)),
], ids=str)  # fmt: skip
@pytest.mark.parametrize("stride", [1, 2])
def test_larger_layers_are_close(shape: tuple[int, ...], weight: tuple[int, ...], stride: int) -> None:
    rng = np.random.default_rng(6)
    x = rng.normal(size=shape).astype(np.float32)
    bank = rng.normal(size=weight).astype(np.float32)
    pad = weight[0] // 2
    expected = by_taps(x, bank, "zero", ((pad, pad), (pad, pad)), stride)
    most = bound(x, bank[..., 0])
    limit = LIMIT_MANY_TAPS if bank[..., 0].size > 400 else LIMIT
    assert_close(cnnfilter.conv2d(x, bank, padding=pad, stride=stride), expected, most, limit)
    result = cnnfilter.convolve(x, bank, pad_mode="zero", padding=pad, stride=stride)
    assert_close(result, expected, most, limit)


@pytest.mark.parametrize("shape", [(3001, 17), (5, 4001), (1, 3000, 3), (700, 900, 3)], ids=str)
@pytest.mark.parametrize("kernel", ["blur", "sobel-h"])
def test_long_and_large_images(shape: tuple[int, ...], kernel: str) -> None:
    image = random_image(20, shape, "uint8")
    taps = cnnfilter.kernel(kernel)
    expected = by_taps(image, np.asarray(taps.matrix, np.int64), "reflect", "same")
    pixels = np.clip((2 * expected + taps.divisor) // (2 * taps.divisor), 0, 255)
    np.testing.assert_array_equal(cnnfilter.convolve(image, kernel, mapping="clip"), pixels)


# ---------------------------------------------------------------------------------------------------------------------
# What goes in


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kernel", ["sobel-v", "blur", "gaussian:5:1.2", "sobel", "random:3:2"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "float32", "float64"])
@pytest.mark.parametrize("mapping", ["raw", "clip"])
def test_layout_in_memory_changes_nothing(layout: str, kernel: str, dtype: str, mapping: str) -> None:
    image = random_image(22, (11, 13, 3), dtype)
    other = laid_out(image, layout)
    before = other.tobytes()
    result = cnnfilter.convolve(other, kernel, mapping=mapping)
    np.testing.assert_array_equal(result, cnnfilter.convolve(image, kernel, mapping=mapping))
    assert other.tobytes() == before


@given(image=images([*INTEGERS, *FLOATS]), kernel=kernels(), window=windows(), mapping=st.sampled_from(["raw", "clip"]))
@settings(deadline=None, max_examples=60)
def test_inputs_are_never_modified(image: Array, kernel: Array, window: dict[str, Any], mapping: str) -> None:
    assume(not is_empty(image, kernel, window))
    before, taps = image.tobytes(), kernel.tobytes()
    result = cnnfilter.convolve(image, kernel, **window, mapping=mapping, flip=True, scale=2, bias=1)
    assert (image.tobytes(), kernel.tobytes()) == (before, taps)
    assert not np.shares_memory(result, image)


@pytest.mark.parametrize("mapping", ["raw", "clip", "abs"])
@pytest.mark.parametrize("dtype", ["uint8", "int32", "float32"])
def test_identity_gives_a_copy(dtype: str, mapping: str) -> None:
    image = random_image(23, (6, 5), dtype)
    for kernel in ("identity", [[1]]):
        result = cnnfilter.convolve(image, kernel, mapping=mapping)
        assert not np.shares_memory(result, image)
        assert result.flags.writeable


def test_conv2d_modifies_nothing() -> None:
    x, weight = random_image(24, (8, 8, 2), "float32"), np.ones((3, 3, 2, 2), np.float32)
    bias = np.array([1, 2], np.float32)
    before = x.tobytes(), weight.tobytes(), bias.tobytes()
    result = cnnfilter.conv2d(x, weight, bias, padding=1)
    assert (x.tobytes(), weight.tobytes(), bias.tobytes()) == before
    result[:] = 0
    assert x.tobytes() == before[0]


# ---------------------------------------------------------------------------------------------------------------------
# Random banks


@pytest.mark.parametrize("shape", [(6, 7), (6, 7, 1), (6, 7, 3)], ids=str)
def test_random_banks_repeat(shape: tuple[int, ...]) -> None:
    image = random_image(25, shape, "uint8")
    result = cnnfilter.convolve(image, "random:3:4")
    assert result.shape == (6, 7, 4)
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, cnnfilter.convolve(image, "random:3:4"))
    np.testing.assert_array_equal(result, cnnfilter.convolve(image, "random:3:4:0"))
    np.testing.assert_array_equal(result, cnnfilter.convolve(image, cnnfilter.kernel("random:3:4")))
    assert np.abs(result - cnnfilter.convolve(image, "random:3:4:1")).max() > 1


def random_filters(text: str, size: int, depth: int) -> Array:
    """The filters of a bank, seen through the response to one bright sample in each channel."""
    maps = []
    for channel in range(depth):
        image = np.zeros((size, size, depth), np.float32)
        image[size // 2, size // 2, channel] = 1
        maps.append(cnnfilter.convolve(image, text, pad_mode="zero", flip=True))
    return np.stack(maps, axis=2).astype(np.float64)


@pytest.mark.parametrize("depth", [1, 3])
def test_random_banks_are_standard_normal_filters(depth: int) -> None:
    filters = random_filters("random:9:40:5", 9, depth)
    assert abs(filters.mean()) < 0.1
    assert 0.9 < filters.std() < 1.1
    assert len(np.unique(filters.round(5))) > 0.9 * filters.size


def test_random_banks_look_at_all_channels() -> None:
    image = random_image(26, (8, 9, 3), "uint8")
    filters = random_filters("random:3:5:2", 3, 3)
    expected = by_taps(image, filters, "reflect", "same")
    result = cnnfilter.convolve(image, "random:3:5:2")
    assert np.abs(result - expected).max() <= 1e-5 * np.abs(expected).max()


# ---------------------------------------------------------------------------------------------------------------------
# Refusals


@pytest.mark.parametrize(("options", "message"), [
    ({"stride": 0}, "stride"),
    ({"stride": -1}, "stride"),
    ({"stride": (1, 0)}, "stride"),
    ({"stride": (1, 2, 3)}, "stride"),
    ({"stride": "fast"}, "stride"),
    ({"dilation": 0}, "dilation"),
    ({"dilation": (2, -1)}, "dilation"),
    ({"padding": -1}, "padding"),
    ({"padding": "full"}, "padding"),
    ({"padding": ((0, -1), (0, 0))}, "padding"),
    ({"padding": ((1, 1), (1, 1), (1, 1))}, "padding"),
    ({"pad_mode": "bounce"}, "reflect"),
    ({"pad_mode": ""}, "reflect"),
    ({"channels": "all"}, "each"),
    ({"mapping": "squash"}, "normalize"),
    ({"scale": float("nan")}, "scale"),
    ({"scale": "a lot"}, "scale"),
    ({"bias": float("inf")}, "bias"),
], ids=str)  # fmt: skip
def test_refused_arguments(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cnnfilter.convolve(np.zeros((8, 8), np.uint8), "blur", **options)


@pytest.mark.parametrize(("options", "message"), [
    ({"stride": 0}, "stride"),
    ({"dilation": (1, 0)}, "dilation"),
    ({"padding": -2}, "padding"),
    ({"pad_mode": "bounce"}, "reflect"),
    ({"groups": 0}, "groups"),
    ({"groups": -1}, "groups"),
], ids=str)  # fmt: skip
def test_refused_arguments_of_conv2d(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cnnfilter.conv2d(np.zeros((8, 8, 2)), np.ones((3, 3, 2, 2)), **options)


def test_mirror_means_two_things() -> None:
    for call in (
        lambda: cnnfilter.convolve(np.zeros((8, 8), np.uint8), "blur", pad_mode="mirror"),
        lambda: cnnfilter.conv2d(np.zeros((8, 8, 1)), np.ones((3, 3, 1, 1)), padding=1, pad_mode="mirror"),
    ):
        with pytest.raises(ValueError, match="mirror") as refused:
            call()
        assert "reflect" in str(refused.value)
        assert "symmetric" in str(refused.value)


@pytest.mark.parametrize(("shape", "kernel", "options", "numbers"), [
    ((4, 17), (5, 3), {"padding": "valid"}, [4, 5]),
    ((19, 2), (3, 7), {"padding": 1}, [2, 7]),
    ((6, 6), (3, 3), {"padding": "valid", "dilation": 4}, [6]),
], ids=str)  # fmt: skip
def test_an_empty_output_names_the_sizes(
    shape: tuple[int, int], kernel: tuple[int, int], options: dict[str, Any], numbers: list[int]
) -> None:
    with pytest.raises(ValueError, match=r"\d") as refused:
        cnnfilter.convolve(np.zeros(shape, np.uint8), np.ones(kernel, int), **options)
    found = {int(number) for number in re.findall(r"\d+", str(refused.value))}
    assert found.issuperset(numbers)
    with pytest.raises(ValueError, match=r"\d"):
        cnnfilter.conv2d(np.zeros((*shape, 1)), np.ones((*kernel, 1, 1)), **options)


@pytest.mark.parametrize("kernel", [
    np.array([[1.0, np.nan]]),
    np.array([[np.inf]]),
    np.full((3, 3, 1, 2), np.nan),
    np.ones((0, 3)),
    np.ones((3, 0)),
    np.ones((3, 3, 1, 0)),
    np.ones(3),
    np.ones((3, 3, 3)),
    np.array(1.0),
    np.ones((3, 3), complex),
    [[1, 2], [3]],
    [],
    "1 nan",
    "1 2; 3",
    "",
    "no-such-kernel",
], ids=["nan", "inf", "nan bank", "no rows", "no columns", "no filters", "1-D", "3-D", "0-D", "complex", "ragged",
        "empty list", "nan text", "ragged text", "empty text", "name"])  # fmt: skip
def test_refused_kernels(kernel: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        cnnfilter.convolve(np.zeros((8, 8), np.uint8), kernel)


@pytest.mark.parametrize("image", [
    np.zeros(8, np.uint8),
    np.zeros((2, 8, 8, 3), np.uint8),
    np.zeros((0, 8), np.uint8),
    np.zeros((8, 0), np.uint8),
    np.zeros((8, 8, 0), np.uint8),
    np.zeros((8, 8), complex),
    np.array([["a", "b"], ["c", "d"]]),
], ids=["1-D", "4-D", "no rows", "no columns", "no channels", "complex", "text"])  # fmt: skip
def test_refused_images(image: Array) -> None:
    with pytest.raises(ValueError, match=r"."):
        cnnfilter.convolve(image, "blur")


@pytest.mark.parametrize(("shape", "bank", "numbers"), [
    ((8, 8), (3, 3, 3, 2), {1, 3}), ((8, 8, 3), (3, 3, 4, 2), {3, 4}), ((8, 8, 4), (3, 3, 1, 2), {1, 4}),
], ids=str)  # fmt: skip
def test_a_bank_has_to_fit_the_channels(shape: tuple[int, ...], bank: tuple[int, ...], numbers: set[int]) -> None:
    with pytest.raises(ValueError, match="channel") as refused:
        cnnfilter.convolve(np.zeros(shape, np.uint8), np.ones(bank))
    assert numbers <= {int(number) for number in re.findall(r"\d+", str(refused.value))}


@pytest.mark.parametrize(("x", "weight", "bias", "groups"), [
    ((8, 8, 3), (3, 3), None, 1),
    ((8, 8, 3), (3, 3, 3), None, 1),
    ((8, 8, 3), (3, 3, 2, 4), None, 1),
    ((8, 8, 4), (3, 3, 4, 4), None, 2),
    ((8, 8, 4), (3, 3, 2, 3), None, 2),
    ((8, 8, 3), (3, 3, 1, 4), None, 2),
    ((8, 8, 3), (0, 3, 3, 4), None, 1),
    ((8, 8, 3), (3, 3, 3, 4), (3,), 1),
    ((8, 8, 3), (3, 3, 3, 4), (4, 1), 1),
    ((8,), (3, 3, 3, 4), None, 1),
    ((1, 8, 8, 3), (3, 3, 3, 4), None, 1),
    ((0, 8, 3), (1, 1, 3, 4), None, 1),
], ids=str)  # fmt: skip
def test_layers_that_do_not_fit(
    x: tuple[int, ...], weight: tuple[int, ...], bias: tuple[int, ...] | None, groups: int
) -> None:
    with pytest.raises(ValueError, match=r"."):
        cnnfilter.conv2d(np.zeros(x), np.ones(weight), None if bias is None else np.ones(bias), groups=groups)


def test_arguments_that_are_no_arrays_are_told_apart() -> None:
    with pytest.raises(cnnfilter.ParameterError, match=r"^x: a bank takes height x width x channels"):
        cnnfilter.conv2d(np.ones((4, 4)), np.ones((1, 1, 1, 1)))
    with pytest.raises(cnnfilter.ParameterError, match=r"^image: rows of different lengths are no array"):
        cnnfilter.convolve([[1, 2], [3]], "blur")
    with pytest.raises(cnnfilter.ParameterError, match=r"^image: whole numbers above 2\^63 are too large"):
        cnnfilter.convolve(np.array([[2**63]], np.uint64), "identity")


def test_the_largest_whole_numbers() -> None:
    image = np.array([[2**63 - 1, 5]], np.uint64)
    assert cnnfilter.convolve(image, "identity").tolist() == [[2**63 - 1, 5]]
    sums = cnnfilter.convolve(image, "1 1 1", pad_mode="edge")  # beyond 64 bits: floats
    assert sums.dtype == np.float32
    np.testing.assert_allclose(sums, [[2.0**64, 2.0**63]], rtol=1e-6)


@pytest.mark.parametrize("mapping", ["raw", "clip", "abs", "normalize"])
def test_gradients_of_64_bits_are_those_of_32(mapping: str) -> None:
    image = np.random.default_rng(3).integers(-500, 500, (9, 11, 3))
    wide, narrow = (cnnfilter.convolve(image.astype(t), "sobel", mapping="raw") for t in (np.int64, np.int32))
    np.testing.assert_allclose(wide, narrow, rtol=2e-6)
    if mapping != "raw":
        mapped = cnnfilter.convolve(image, "sobel", mapping=mapping)
        assert mapped.dtype == np.int64
        if mapping != "normalize":
            assert np.abs(mapped - np.floor(narrow + 0.5)).max() <= 1


def test_the_parts_of_a_gradient_go_band_by_band(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is planned for each of them alone."""
    image = np.random.default_rng(4).uniform(0, 255, (40, 30)).astype(np.float32)
    wanted = cnnfilter.convolve(image, "scharr", stride=2)
    plan, count = engine.plan, iter(range(99))

    def uneven(task: Correlation, image: Array, *arguments: Any, **options: Any) -> engine.Plan:
        planned = plan(task, image, *arguments, **options)
        return planned._replace(band_rows=planned.band_rows + next(count))

    monkeypatch.setattr(engine, "plan", uneven)
    prepared._remembered.cache_clear()
    found = cnnfilter.convolve(image, "scharr", stride=2)
    prepared._remembered.cache_clear()
    assert next(count) == 2
    np.testing.assert_allclose(found, wanted, rtol=5e-6, atol=1e-3)
