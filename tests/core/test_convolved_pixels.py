"""Pixels of convolve() against exact fractions: mappings, rounding, clipping."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import reference
from arrays import images, nested, random_image, sample_range
from convolutions import GRADIENTS, bound, is_empty, kernels, sum_or_each, windows
from hypothesis import assume, example, given, settings, strategies as st

import cnnfilter

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]
    Draw = st.DrawFn


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
@example(  # sums that 16 bits hold only without sign, and an output that asks whether they are zero
    image=np.array([[False, True, False]]),
    kernel=np.array([[-29708, 66008]]),
    window={"stride": (1, 1), "padding": "same", "pad_mode": "reflect", "dilation": (1, 1)},
    mapping="clip",
    divisor=2,
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
