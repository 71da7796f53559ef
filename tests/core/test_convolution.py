"""convolve() against nested loops, hand-written tables and the worked examples of the course."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import reference
from arrays import FLOATS, as_float32, images, nested, random_image, sample_range
from convolutions import (
    GRADIENTS,
    INTEGERS,
    MODES,
    NUMPY_MODES,
    PREWITT_H,
    PREWITT_V,
    SMALL_INTEGERS,
    assert_close,
    bound,
    by_taps,
    is_empty,
    kernels,
    response_type,
    sum_or_each,
    windows,
)
from hypothesis import assume, given, settings, strategies as st

import cnnfilter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Array = NDArray[Any]
    Draw = st.DrawFn


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


def assert_response_type(result: Array, image: Array, filters: Sequence[Sequence[int]], bias: int = 0) -> None:
    """One type for all filters: int64 where one of them needs it. Samples of 64 bits give either."""
    if image.dtype.itemsize == 8:
        assert result.dtype in (np.int32, np.int64)
    else:
        assert result.dtype == max(response_type(image.dtype.newbyteorder("=").name, taps, bias) for taps in filters)


def matrix_text(taps: Sequence[Sequence[Fraction]]) -> str:
    return "; ".join(" ".join(str(tap) for tap in row) for row in taps)


def shaped(values: Any, image: Array) -> Array:
    """A reference result as an array, without the channel axis where the image has none."""
    array = np.array(values)
    return array if image.ndim == 3 else array[:, :, 0]


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
