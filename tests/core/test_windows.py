"""Padding, samples that are no numbers, and larger images, where other ways to compute may be used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import reference
from arrays import FLOATS, images, nested, random_image
from convolutions import (
    LIMIT,
    MODES,
    NUMPY_MODES,
    assert_close,
    bound,
    by_taps,
    is_empty,
    kernels,
    pads,
    response_type,
    windows,
)
from hypothesis import assume, given, settings, strategies as st

import cnnfilter

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]
    Draw = st.DrawFn


LIMIT_MANY_TAPS = 5e-6  # above 400 taps


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
