"""pool() against nested loops, hand-checked tables and the published examples of ONNX's operators."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import reference
from arrays import FLOATS, as_float32, images, nested, random_image
from hypothesis import assume, given, settings, strategies as st

import cnnfilter

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]
    Draw = st.DrawFn

KINDS = ["max", "min", "avg"]
INTEGERS = ["bool", "uint8", "int8", "uint16", "int16", "int32", "uint32"]
LIMIT = 2e-6  # of the largest response

FIVE = np.arange(1, 26).reshape(5, 5).tolist()
FOUR = np.arange(1, 17).reshape(4, 4).tolist()
THREE = np.arange(1, 10).reshape(3, 3).tolist()
RANDOM_2X2 = [[[0.8580, 0.0786], [0.2692, 0.1537]], [[0.8816, 0.4353], [0.5772, 0.6623]],
              [[0.9067, 0.9483], [0.5970, 0.7630]]]  # fmt: skip


# ---------------------------------------------------------------------------------------------------------------------
# Helpers


@st.composite
def windows(draw: Draw) -> dict[str, Any]:
    """How windows lie, as pairs; padding is less than a window."""
    size = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    dilation = draw(st.sampled_from([(1, 1), (1, 1), (2, 1), (1, 3), (2, 2)]))
    most = [d * (k - 1) for k, d in zip(size, dilation, strict=True)]
    sides = st.tuples(*(st.tuples(st.integers(0, n), st.integers(0, n)) for n in most))
    return {
        "size": size,
        "stride": draw(st.none() | st.tuples(st.integers(1, 5), st.integers(1, 5))),
        "padding": draw(st.sampled_from(["valid", "same"]) | sides),
        "dilation": dilation,
        "ceil_mode": draw(st.booleans()),
    }


def expected(image: Array, kind: str, **window: Any) -> list[list[list[Any]]]:
    """The exact result. Windows that lie entirely between the samples of a dilated one are not looked at here."""
    values = reference.pool(nested(image), kind, **window)
    assume(values and values[0])
    assume(all(value is not None for row in values for pixel in row for value in pixel))
    return values


def native(array: Array) -> np.dtype[Any]:
    return array.dtype.newbyteorder("=")


# ---------------------------------------------------------------------------------------------------------------------
# The reference itself


def test_reference_follows_the_course() -> None:
    image = [[[1], [3], [2], [4]], [[5], [6], [7], [8]], [[9], [10], [11], [12]], [[13], [14], [15], [16]]]
    assert reference.pool(image, "max", size=(2, 2)) == [[[6], [8]], [[14], [16]]]
    assert reference.pool(image, "min", size=(2, 2)) == [[[1], [2]], [[9], [11]]]
    assert reference.pool(image, "avg", size=(2, 2)) == [[[Fraction(15, 4)], [Fraction(21, 4)]],
                                                         [[Fraction(23, 2)], [Fraction(27, 2)]]]  # fmt: skip


@given(
    n=st.integers(1, 30), k=st.integers(1, 6), s=st.integers(1, 6), d=st.integers(1, 3), p=st.integers(0, 9),
    q=st.integers(0, 9)
)  # fmt: skip
@settings(deadline=None, max_examples=200)
def test_reference_counts_by_pytorchs_formula(n: int, k: int, s: int, d: int, p: int, q: int) -> None:
    """PyTorch's pooling_output_shape: round the quotient up, then take a window off that starts beyond the image."""
    effective = d * (k - 1) + 1
    assume(p < effective and q < effective)
    count = -(-(n + p + q - effective) // s) + 1
    if (count - 1) * s >= n + p:
        count -= 1
    assert reference.pooled_axis(n, k, s, (p, q), d, True).outputs == max(count, 0)
    assert reference.pooled_axis(n, k, s, (p, q), d, False) == reference.axis(n, k, s, (p, q), d)


# ---------------------------------------------------------------------------------------------------------------------
# Published examples: onnx/backend/test/case/node/{maxpool,averagepool,globalaveragepool,globalmaxpool}.py


@pytest.mark.parametrize(("x", "kind", "options", "y"), [
    pytest.param(FIVE, "max", {"size": 5, "stride": 1, "padding": 2},
                 [[13, 14, 15, 15, 15], [18, 19, 20, 20, 20], *[[23, 24, 25, 25, 25]] * 3],
                 id="test_maxpool_2d_precomputed_pads"),
    pytest.param(FIVE, "max", {"size": 2, "stride": 2}, [[7, 9], [17, 19]], id="test_maxpool_2d_precomputed_strides"),
    pytest.param(FIVE, "max", {"size": 3, "stride": 2, "padding": 1}, [[7, 9, 10], [17, 19, 20], [22, 24, 25]],
                 id="test_maxpool_2d_precomputed_same_upper"),
    pytest.param(FOUR, "max", {"size": 3, "stride": 2, "ceil_mode": True}, [[11, 12], [15, 16]],
                 id="test_maxpool_2d_ceil"),
    pytest.param([[1, 2], [3, 4]], "max", {"size": 1, "stride": 2, "ceil_mode": True}, [[1]],
                 id="test_maxpool_2d_ceil_output_size_reduce_by_one"),
    pytest.param(FOUR, "max", {"size": 2, "stride": 1, "dilation": 2}, [[11, 12], [15, 16]],
                 id="test_maxpool_2d_dilations"),
    pytest.param(FIVE, "avg", {"size": 5, "stride": 1, "padding": 2},
                 [[7, 7.5, 8, 8.5, 9], [9.5, 10, 10.5, 11, 11.5], [12, 12.5, 13, 13.5, 14],
                  [14.5, 15, 15.5, 16, 16.5], [17, 17.5, 18, 18.5, 19]],
                 id="test_averagepool_2d_precomputed_pads"),
    pytest.param(FIVE, "avg", {"size": 5, "stride": 1, "padding": 2, "count_include_pad": True},
                 [[2.52, 3.6, 4.8, 4.08, 3.24], [4.56, 6.4, 8.4, 7.04, 5.52], [7.2, 10, 13, 10.8, 8.4],
                  [6.96, 9.6, 12.4, 10.24, 7.92], [6.12, 8.4, 10.8, 8.88, 6.84]],
                 id="test_averagepool_2d_precomputed_pads_count_include_pad"),
    pytest.param(FIVE, "avg", {"size": 2, "stride": 2}, [[4, 6], [14, 16]],
                 id="test_averagepool_2d_precomputed_strides"),
    pytest.param(FIVE, "avg", {"size": 3, "stride": 2, "padding": 1}, [[4, 5.5, 7], [11.5, 13, 14.5], [19, 20.5, 22]],
                 id="test_averagepool_2d_precomputed_same_upper"),
    pytest.param(FOUR, "avg", {"size": 3, "stride": 2, "ceil_mode": True}, [[6, 7.5], [12, 13.5]],
                 id="test_averagepool_2d_ceil"),
    pytest.param(FOUR, "avg", {"size": 2, "stride": 1, "dilation": 2, "ceil_mode": True}, [[6, 7], [10, 11]],
                 id="test_averagepool_2d_dilations"),
    *(pytest.param(x, "avg", {"size": 3, "stride": 3, "padding": 1, "ceil_mode": True, "count_include_pad": True},
                   [[y]], id=f"test_averagepool_2d_ceil_last_window_starts_on_pad-channel{c}")
      for c, (x, y) in enumerate(zip(RANDOM_2X2, [0.1511, 0.2841, 0.3572], strict=True))),
    pytest.param(THREE, "avg", {"size": "all"}, [[5]], id="test_globalaveragepool_precomputed"),
    pytest.param(THREE, "max", {"size": "all"}, [[9]], id="test_globalmaxpool_precomputed"),
])  # fmt: skip
def test_onnx_examples(x: Any, kind: str, options: dict[str, Any], y: Any) -> None:
    result = cnnfilter.pool(np.array(x, np.float32), kind, **options)
    assert result.dtype == np.float32
    assert result.shape == np.shape(y)
    tolerance = 6e-5 if "count_include_pad" in options and options["size"] == 3 else 1e-6  # printed with 4 digits
    np.testing.assert_allclose(result, y, rtol=1e-6, atol=tolerance)


def test_onnx_maxpool_2d_uint8() -> None:
    result = cnnfilter.pool(np.array(FIVE, np.uint8), size=5, stride=1, padding=2)
    assert result.dtype == np.uint8
    assert result.tolist() == [[13, 14, 15, 15, 15], [18, 19, 20, 20, 20], *[[23, 24, 25, 25, 25]] * 3]


def test_onnx_averagepool_2d_ceil_last_window_starts_on_pad() -> None:
    """All three channels at once, as published."""
    x = np.array(RANDOM_2X2, np.float32).transpose(1, 2, 0)
    result = cnnfilter.pool(x, "avg", size=3, stride=3, padding=1, ceil_mode=True, count_include_pad=True)
    np.testing.assert_allclose(result, [[[0.1511, 0.2841, 0.3572]]], atol=6e-5)


@pytest.mark.parametrize(("name", "shape", "options", "expected_shape"), [
    ("test_maxpool_2d_default", (32, 32, 3), {"size": 2, "stride": 1}, (31, 31, 3)),
    ("test_maxpool_2d_same_upper", (32, 32, 3), {"size": 2, "stride": 1, "padding": ((0, 1), (0, 1))}, (32, 32, 3)),
    ("test_maxpool_2d_same_lower", (32, 32, 3), {"size": 2, "stride": 1, "padding": ((1, 0), (1, 0))}, (32, 32, 3)),
    ("test_maxpool_2d_pads", (28, 28, 3), {"size": 3, "stride": 1, "padding": 2}, (30, 30, 3)),
    ("test_maxpool_2d_strides", (32, 32, 3), {"size": 5, "stride": 3}, (10, 10, 3)),
])  # fmt: skip
@pytest.mark.parametrize("kind", KINDS)
def test_onnx_examples_of_random_numbers(
    name: str, shape: tuple[int, ...], options: dict[str, Any], expected_shape: tuple[int, ...], kind: str
) -> None:
    """ONNX publishes shapes and attributes of these; the numbers come from the slow definition."""
    x = np.random.default_rng(len(name)).standard_normal(shape).astype(np.float32)
    result = cnnfilter.pool(x, kind, **options)
    assert result.shape == expected_shape
    pairs: dict[str, Any] = {key: (n, n) if key != "padding" else n for key, n in options.items()}
    np.testing.assert_allclose(result, as_float32(reference.pool(nested(x), kind, **pairs)), rtol=1e-6, atol=1e-6)


# ---------------------------------------------------------------------------------------------------------------------
# Ceil mode: the rule of PyTorch and ONNX, counted by hand


@pytest.mark.parametrize(("samples", "size", "stride", "padding", "floor", "ceil"), [
    (4, 2, 2, 0, 2, 2),  # nothing is left
    (5, 2, 2, 0, 2, 3),  # one sample is left
    (4, 3, 2, 0, 1, 2),
    (6, 3, 2, 0, 2, 3),
    (7, 3, 3, 0, 2, 3),
    (2, 1, 2, 0, 1, 1),  # what is left is less than a stride away
    (3, 1, 2, 0, 2, 2),
    (5, 1, 3, 0, 2, 2),
    (7, 2, 4, 0, 2, 2),  # starts 0 and 4; a third one would be at 8, beyond the samples
    (9, 2, 4, 0, 2, 3),
    (2, 3, 3, 1, 1, 1),  # a second window would start in the padding at the end
    (3, 3, 3, 1, 1, 2),  # this one starts at sample 2
    (5, 2, 2, 1, 3, 3),
    (4, 2, 2, 1, 3, 3),
    (5, 3, 2, 1, 3, 3),
    (6, 3, 2, 1, 3, 4),
    (1, 2, 2, 0, None, 1),  # the first window may be the one that reaches beyond
    (2, 3, 2, 0, None, 1),
    (2, 3, 1, 0, None, None),  # but it is counted by strides, and a single cell is too much here
    (3, 6, 4, 0, None, 1),
    (3, 5, 2, 0, None, None),
    (1, 5, 5, 2, 1, 1),
], ids=str)  # fmt: skip
def test_ceil_mode_counts(
    samples: int, size: int, stride: int, padding: int, floor: int | None, ceil: int | None
) -> None:
    line = np.arange(samples, dtype=np.uint8)[None]
    for ceil_mode, outputs in [(False, floor), (True, ceil)]:
        options: dict[str, Any] = {"size": (1, size), "stride": (1, stride), "padding": (0, padding)}
        tall = {key: pair[::-1] for key, pair in options.items()}
        if outputs is None:
            with pytest.raises(cnnfilter.ParameterError, match=r"\d"):
                cnnfilter.pool(line, **options, ceil_mode=ceil_mode)
            continue
        assert cnnfilter.pool(line, **options, ceil_mode=ceil_mode).shape == (1, outputs)
        assert cnnfilter.pool(line.T, **tall, ceil_mode=ceil_mode).shape == (outputs, 1)


@pytest.mark.parametrize(("options", "y"), [
    ({"size": 3, "stride": 2}, [2, 4]),
    ({"size": 2}, [1.5, 3.5, 5]),
    ({"size": 3, "stride": 3}, [2, 4.5]),
    ({"size": 3, "stride": 2, "padding": 1}, [1.5, 3, 4.5]),
    ({"size": 3, "stride": 2, "padding": 1, "count_include_pad": True}, [1, 3, 3]),
    ({"size": 3, "stride": 3, "padding": 1}, [1.5, 4]),
    ({"size": 4, "stride": 3, "padding": 1, "count_include_pad": True}, [1.5, 3]),  # 12 over 4: 3, 4, 5 and padding
    ({"size": 4, "stride": 4, "padding": 1, "count_include_pad": True}, [1.5, 3]),  # 4 + 5 over 3: the fourth is ceil's
    ({"size": 4, "stride": 4, "padding": 1}, [2, 4.5]),
    ({"size": 3, "stride": 4, "padding": ((0, 0), (0, 2)), "count_include_pad": True}, [2, Fraction(5, 3)]),
    ({"size": 3, "stride": 4, "padding": ((0, 0), (0, 1)), "count_include_pad": True}, [2, 2.5]),
    ({"size": 3, "stride": 4, "count_include_pad": True}, [2, 5]),
    ({"size": 2, "stride": 3, "dilation": 3}, [2.5, 4]),
], ids=str)  # fmt: skip
def test_divisors_in_ceil_mode(options: dict[str, Any], y: list[Any]) -> None:
    """Means of 1 2 3 4 5: padding counts where asked for, cells beyond the padding never do."""
    line = np.arange(1, 6, dtype=np.uint8)[None]
    pairs: dict[str, Any] = {key: (1, n) if key in ("size", "stride", "dilation") else n for key, n in options.items()}
    pairs["padding"] = (0, n) if isinstance(n := options.get("padding", 0), int) else n
    assert cnnfilter.pool(line, "avg", **pairs, ceil_mode=True).tolist() == [as_float32(y)]


# ---------------------------------------------------------------------------------------------------------------------
# Against the slow definition


@given(image=images(INTEGERS), kind=st.sampled_from(["max", "min"]), window=windows())
@settings(deadline=None, max_examples=200)
def test_extremes_of_integers(image: Array, kind: str, window: dict[str, Any]) -> None:
    values = expected(image, kind, **window)
    result = cnnfilter.pool(image, kind, **window)
    assert result.dtype == native(image)
    assert result.ndim == image.ndim
    assert nested(result) == values
    clipped = cnnfilter.pool(image, kind, **window, mapping="clip")
    assert clipped.dtype == native(image)
    np.testing.assert_array_equal(clipped, result)


@given(image=images(FLOATS), kind=st.sampled_from(["max", "min"]), window=windows())
@settings(deadline=None, max_examples=80)
def test_extremes_of_floats(image: Array, kind: str, window: dict[str, Any]) -> None:
    values = expected(image, kind, **window)
    result = cnnfilter.pool(image, kind, **window)
    assert result.dtype.kind == "f"
    assert nested(result) == values


@given(image=images(INTEGERS), window=windows(), count_include_pad=st.booleans())
@settings(deadline=None, max_examples=200)
def test_means_of_integers(image: Array, window: dict[str, Any], count_include_pad: bool) -> None:
    """The exact quotient, rounded once to 32 bits; or to samples of the image's type, halves up."""
    values = expected(image, "avg", **window, count_include_pad=count_include_pad)
    result = cnnfilter.pool(image, "avg", **window, count_include_pad=count_include_pad)
    assert result.dtype == np.float32
    assert result.ndim == image.ndim
    assert nested(result) == as_float32(values)
    samples = cnnfilter.pool(image, "avg", **window, count_include_pad=count_include_pad, mapping="clip")
    assert samples.dtype == native(image)
    rounded = [[[reference.round_half_up(value) for value in pixel] for pixel in row] for row in values]
    assert nested(samples) == rounded


@given(image=images(FLOATS), window=windows(), count_include_pad=st.booleans())
@settings(deadline=None, max_examples=80)
def test_means_of_floats(image: Array, window: dict[str, Any], count_include_pad: bool) -> None:
    wanted = np.array(as_float32(expected(image, "avg", **window, count_include_pad=count_include_pad)))
    result = cnnfilter.pool(image, "avg", **window, count_include_pad=count_include_pad)
    assert result.dtype == np.float32
    largest = float(np.abs(image.astype(np.float64)).max())
    assert float(np.abs(np.array(nested(result)) - wanted).max()) <= LIMIT * largest


@given(image=images([*INTEGERS, "float32"]), kind=st.sampled_from(KINDS))
@settings(deadline=None, max_examples=60)
def test_the_whole_image(image: Array, kind: str) -> None:
    size = (image.shape[0], image.shape[1])
    wanted = np.array(as_float32(reference.pool(nested(image), kind, size=size)))
    result = cnnfilter.pool(image, kind, size="all")
    assert result.shape == (1, 1, *image.shape[2:])
    assert result.dtype == (np.float32 if kind == "avg" else native(image))
    np.testing.assert_allclose(np.array(nested(result), np.float32), wanted, rtol=1e-6, atol=1e-6)


@given(image=images(["uint8", "int16", "float32"]), window=windows())
@settings(deadline=None, max_examples=60)
def test_minimum_is_the_maximum_of_the_negative(image: Array, window: dict[str, Any]) -> None:
    expected(image, "max", **window)  # for its assumptions
    negative = -image.astype(np.float64)
    np.testing.assert_array_equal(
        cnnfilter.pool(image, "min", **window), -cnnfilter.pool(negative.astype(np.float32), "max", **window)
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(480, 7), (3, 5000), (64, 64)], ids=str)
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_large_images_in_bands(kind: str, size: tuple[int, int], dtype: str) -> None:
    """However an image is cut into bands, np.pad and a view of all windows say the same."""
    image = random_image(4, (517, 5011), dtype)
    sides = ((size[0] // 3, size[0] // 4), (size[1] // 3, size[1] // 4))
    stride = (max(size[0] // 2, 1), max(size[1] // 3, 1))
    result = cnnfilter.pool(image, kind, size=size, stride=stride, padding=sides, count_include_pad=True)
    fill: float = {"avg": 0, "max": -np.inf, "min": np.inf}[kind]
    padded = np.pad(image.astype(np.float64), sides, constant_values=fill)
    views = np.lib.stride_tricks.sliding_window_view(padded, size)[:: stride[0], :: stride[1]]
    reduce: Any = {"avg": np.mean, "max": np.max, "min": np.min}[kind]
    np.testing.assert_allclose(result, reduce(views, axis=(2, 3)), rtol=2e-6)


# ---------------------------------------------------------------------------------------------------------------------
# Types, rounding, NaN


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [*INTEGERS, ">u2", ">i4", "float32", ">f4"])
@pytest.mark.parametrize("channels", range(6))
def test_types_and_axes(kind: str, dtype: str, channels: int) -> None:
    """0 channels: two axes."""
    image = np.zeros((6, 4, channels) if channels else (6, 4), dtype)
    result = cnnfilter.pool(image, kind)
    assert result.shape == ((3, 2, channels) if channels else (3, 2))
    assert result.dtype == ("float32" if kind == "avg" else image.dtype.newbyteorder("="))
    mapped = cnnfilter.pool(image, kind, mapping="clip")
    assert mapped.dtype == image.dtype.newbyteorder("=")


@pytest.mark.parametrize(("dtype", "samples", "mean"), [
    ("uint8", [0, 1], 1),
    ("uint8", [254, 255], 255),
    ("uint8", [1, 1, 1, 0], 1),
    ("uint8", [1, 0, 0, 0], 0),
    ("uint8", [1, 1, 0, 0], 1),
    ("uint8", [0, 0, 1], 0),
    ("uint8", [0, 1, 1], 1),
    ("int8", [-1, 0], 0),
    ("int8", [-2, -1], -1),
    ("int8", [-128, -127], -127),
    ("int16", [-3, -2], -2),
    ("int16", [-1, -1, -1, 0], -1),
    ("uint16", [65534, 65535], 65535),
    ("int32", [2**31 - 1, 2**31 - 2], 2**31 - 1),
    ("int32", [-(2**31), -(2**31) + 1], -(2**31) + 1),
    ("uint32", [2**32 - 1, 2**32 - 2], 2**32 - 1),
    ("bool", [0, 1], 1),
    ("bool", [0, 0, 1], 0),
], ids=str)  # fmt: skip
def test_clip_rounds_halves_up(dtype: str, samples: list[int], mean: int) -> None:
    line = np.array([samples], dtype)
    result = cnnfilter.pool(line, "avg", size=line.shape, mapping="clip")
    assert result.dtype == dtype
    assert result.tolist() == [[mean]]
    assert cnnfilter.pool(line, "avg", size="all", mapping="clip").tolist() == [[mean]]
    twice = cnnfilter.pool(np.hstack([line, line]), "avg", size=line.shape, mapping="clip")
    assert twice.tolist() == [[mean, mean]]


@pytest.mark.parametrize(("mapping", "expected_pixels"), [
    ("clip", [[10, 14]]), ("abs", [[10, 14]]), ("normalize", [[0, 255]]), ("shift", [[138, 142]]),
])  # fmt: skip
def test_mappings(mapping: str, expected_pixels: list[list[int]]) -> None:
    image = np.array([[10, 7, 14, 3]], np.uint8)
    result = cnnfilter.pool(image, size=(1, 2), mapping=mapping)
    assert result.dtype == np.uint8
    assert result.tolist() == expected_pixels


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(2, 2), "all"], ids=str)
def test_nan_passes_on(kind: str, size: Any) -> None:
    image = np.arange(32, dtype=np.float32).reshape(4, 4, 2)
    plain = cnnfilter.pool(image, kind, size=size)
    image[3, 0, 1] = np.nan
    result = cnnfilter.pool(image, kind, size=size)
    hit = np.zeros(result.shape, bool)
    hit[-1, 0, 1] = True
    np.testing.assert_array_equal(np.isnan(result), hit)
    np.testing.assert_array_equal(result[~hit], plain[~hit])


@pytest.mark.parametrize("kind", KINDS)
@given(window=windows(), y=st.integers(0, 6), x=st.integers(0, 5))
@settings(deadline=None, max_examples=30)
def test_nan_reaches_the_windows_that_hold_it(kind: str, window: dict[str, Any], y: int, x: int) -> None:
    image = random_image(11, (7, 6), "float32")
    marks = np.zeros((7, 6), np.uint8)
    marks[y, x] = 1
    expected(marks, "max", **window)  # for its assumptions
    image[y, x] = np.nan
    result = cnnfilter.pool(image, kind, **window)
    np.testing.assert_array_equal(np.isnan(result), cnnfilter.pool(marks, **window) == 1)


@pytest.mark.parametrize(("kind", "samples", "result"), [
    ("max", [-np.inf, 1], 1.0), ("max", [np.inf, 1], np.inf), ("min", [np.inf, 1], 1.0),
    ("min", [-np.inf, 1], -np.inf), ("avg", [np.inf, 1], np.inf), ("avg", [-np.inf, np.inf], np.nan),
    ("max", [-np.inf, -np.inf], -np.inf), ("min", [np.inf, np.inf], np.inf), ("avg", [-np.inf, -np.inf], -np.inf),
    ("max", [np.nan, np.inf], np.nan), ("min", [np.nan, -np.inf], np.nan),
], ids=str)  # fmt: skip
def test_infinities(kind: str, samples: list[float], result: float) -> None:
    line = np.array([samples], np.float32)
    np.testing.assert_array_equal(cnnfilter.pool(line, kind, size=(1, 2)), [[result]])
    np.testing.assert_array_equal(cnnfilter.pool(line, kind, size="all"), [[result]])


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "float32"])
def test_padding_never_wins(dtype: str) -> None:
    """Zeros around negative samples would."""
    image = np.full((3, 3), -7, dtype)
    for kind in KINDS:
        result = cnnfilter.pool(image, kind, size=3, stride=1, padding=2, ceil_mode=True)
        assert result.tolist() == [[-7] * 5] * 5


def test_arguments_are_left_alone() -> None:
    image = random_image(2, (6, 6, 3), "uint8")
    before = image.copy()
    for kind in KINDS:
        for size in (1, 2, "6x6", "all"):
            result = cnnfilter.pool(image, kind, size=size)
            if result.size:
                result += result.dtype.type(1)
    np.testing.assert_array_equal(image, before)


# ---------------------------------------------------------------------------------------------------------------------
# Arguments


@pytest.mark.parametrize(("one", "other"), [
    ({}, {"kind": "max", "size": 2, "stride": 2, "padding": "valid", "dilation": 1}),
    ({"size": 3}, {"size": (3, 3), "stride": (3, 3)}),
    ({"size": "3x2"}, {"size": (3, 2), "stride": (3, 2)}),
    ({"size": (2, 3), "stride": "1x2"}, {"size": "2x3", "stride": (1, 2)}),
    ({"size": 3, "padding": 1}, {"size": 3, "padding": ((1, 1), (1, 1))}),
    ({"size": 3, "padding": "2x1"}, {"size": 3, "padding": (2, 1)}),
    ({"size": 3, "padding": (2, 1)}, {"size": 3, "padding": ((2, 2), (1, 1))}),
    ({"size": (4, 3), "padding": "same"}, {"size": (4, 3), "padding": ((1, 2), (1, 1))}),
    ({"size": 2, "padding": "same", "dilation": 3}, {"size": 2, "padding": ((1, 2), (1, 2)), "dilation": (3, 3)}),
    ({"size": 3, "padding": "valid"}, {"size": 3, "padding": 0}),
    ({"size": "all"}, {"size": (9, 8)}),
], ids=str)  # fmt: skip
def test_two_ways_to_say_the_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    image = random_image(5, (9, 8, 3), "uint8")
    first, second = cnnfilter.pool(image, **one), cnnfilter.pool(image, **other)
    assert first.dtype == second.dtype
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(("shape", "options", "result"), [
    ((427, 640), {"size": 4}, (106, 160)),
    ((427, 640, 3), {"size": 4}, (106, 160, 3)),
    ((427, 640), {"size": 4, "ceil_mode": True}, (107, 160)),
    ((112, 112, 2), {"size": 3, "stride": 2, "padding": 1}, (56, 56, 2)),
    ((13, 13), {"size": 3, "stride": 2}, (6, 6)),
    ((9, 7), {"size": 2, "padding": "same"}, (5, 4)),
    ((9, 7), {"size": 3, "stride": 1, "padding": "same"}, (9, 7)),
    ((1, 1), {"size": 1}, (1, 1)),
    ((7, 5), {"size": "all"}, (1, 1)),
])  # fmt: skip
def test_output_shape(shape: tuple[int, ...], options: dict[str, Any], result: tuple[int, ...]) -> None:
    assert cnnfilter.pool(np.zeros(shape, np.uint8), **options).shape == result


@pytest.mark.parametrize(("options", "parameter"), [
    ({"kind": "median"}, "kind"),
    ({"size": 0}, "size"),
    ({"size": -1}, "size"),
    ({"size": 2.5}, "size"),
    ({"size": "2x"}, "size"),
    ({"size": "everything"}, "size"),
    ({"size": (1, 2, 3)}, "size"),
    ({"stride": 0}, "stride"),
    ({"stride": (1, 0)}, "stride"),
    ({"stride": "1x2x3"}, "stride"),
    ({"dilation": 0}, "dilation"),
    ({"padding": 2}, "padding"),
    ({"padding": -1}, "padding"),
    ({"padding": ((0, 2), (0, 0))}, "padding"),
    ({"padding": ((0, 0), (2, 0))}, "padding"),
    ({"size": 1, "padding": 1}, "padding"),
    ({"size": 2, "dilation": 2, "padding": 3}, "padding"),
    ({"padding": "full"}, "padding"),
    ({"mapping": "stretch"}, "mapping"),
    ({"ceil_mode": "maybe"}, "ceil_mode"),
    ({"count_include_pad": 3}, "count_include_pad"),
], ids=str)  # fmt: skip
def test_wrong_arguments(options: dict[str, Any], parameter: str) -> None:
    with pytest.raises(cnnfilter.ParameterError, match=f"^{parameter}: ") as caught:
        cnnfilter.pool(np.zeros((6, 6), np.uint8), **options)
    assert caught.value.parameter == parameter
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("shape", "options", "sizes"), [
    ((1, 8), {"size": 2}, ["2x2", "1x8"]),
    ((8, 1), {"size": (1, 2)}, ["1x2", "8x1"]),
    ((4, 4), {"size": 3, "dilation": 2}, ["5x5", "4x4"]),
    ((2, 2), {"size": 5, "padding": 1}, ["5x5", "2x2"]),
])  # fmt: skip
def test_an_empty_output_names_the_sizes(shape: tuple[int, ...], options: dict[str, Any], sizes: list[str]) -> None:
    with pytest.raises(cnnfilter.ParameterError, match="empty") as caught:
        cnnfilter.pool(np.zeros(shape, np.uint8), **options)
    for size in sizes:
        assert re.search(rf"\b{size}\b", str(caught.value))


@pytest.mark.parametrize("shape", [(0, 4), (4, 0), (4, 4, 0), (4,), (2, 2, 2, 2)], ids=str)
def test_what_is_no_image(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        cnnfilter.pool(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("dtype", ["complex64", "U3", "datetime64[s]", "object"])
def test_what_are_no_samples(dtype: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        cnnfilter.pool(np.zeros((4, 4), dtype))


@pytest.mark.parametrize("kind", KINDS)
def test_auto_clips_whole_numbers_and_leaves_floats(kind: str) -> None:
    image = np.arange(16, dtype=np.uint8).reshape(4, 4)
    clipped, raw = (cnnfilter.pool(image, kind, mapping=mapping) for mapping in ("clip", "raw"))
    found = cnnfilter.pool(image, kind, mapping="auto")
    assert (found.dtype.name, found.tolist()) == ("uint8", clipped.tolist())
    found = cnnfilter.pool(image.astype(np.float32), kind, mapping="auto")
    assert (found.dtype.name, found.tolist()) == ("float32", raw.tolist())
