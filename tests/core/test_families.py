"""Families of kernels against their formulas."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from matrices import centred, fractions, over_plane, taps

import cnnfilter

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]


SIZES = [(1, 1), (3, 3), (4, 4), (5, 3), (2, 7), (9, 9)]


def default_sigma(size: int) -> float:
    return 0.3 * ((size - 1) / 2 - 1) + 0.8


def bell(size: int, sigma: float) -> Array:
    values: Array = np.array([math.exp(-x * x / (2 * sigma * sigma)) for x in centred(size)])
    values /= values.sum()
    return values


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_box_is_the_mean(size: tuple[int, int]) -> None:
    height, width = size
    kernel = cnnfilter.kernel(f"box:{height}x{width}")
    assert fractions(kernel) == [[Fraction(1, height * width)] * width] * height


def test_box_of_three_is_blur() -> None:
    image = np.arange(40, dtype=np.uint8).reshape(5, 8) * 6
    assert fractions(cnnfilter.kernel("box:3")) == fractions(cnnfilter.kernel("blur"))
    np.testing.assert_array_equal(cnnfilter.convolve(image, "box:3"), cnnfilter.convolve(image, "blur"))


@pytest.mark.parametrize("sigma", [0.5, 1, 1.5, 4])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_gaussian_samples_the_bell(size: tuple[int, int], sigma: float) -> None:
    height, width = size
    expected = np.outer(bell(height, sigma), bell(width, sigma))
    np.testing.assert_allclose(taps(f"gaussian:{height}x{width}:{sigma}"), expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_gaussian_without_sigma(size: tuple[int, int]) -> None:
    height, width = size
    expected = np.outer(bell(height, default_sigma(height)), bell(width, default_sigma(width)))
    np.testing.assert_allclose(taps(f"gaussian:{height}x{width}"), expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(("short", "long"), [("gaussian:7", "gaussian:7:1.4"), ("gaussian:5", "gaussian:5x5:1.1")])
def test_gaussian_default_sigma_by_hand(short: str, long: str) -> None:
    np.testing.assert_allclose(taps(short), taps(long), rtol=1e-6)


@pytest.mark.parametrize("text", ["gaussian:7:1.5", "gaussian:4", "gaussian:3x9:2", "gaussian:15"])
def test_gaussian_is_separable_and_sums_to_one(text: str) -> None:
    matrix = taps(text)
    assert matrix.sum() == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(np.outer(matrix.sum(axis=1), matrix.sum(axis=0)), matrix, rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(matrix, matrix[::-1, ::-1], rtol=1e-6)


@pytest.mark.parametrize("sigma", [0.8, 1.4, 3])
@pytest.mark.parametrize("size", [(5, 5), (9, 9), (6, 6), (7, 4)], ids=str)
def test_log_is_the_laplacian_of_a_gaussian(size: tuple[int, int], sigma: float) -> None:
    """Its mean is zero, and otherwise it is a multiple of the formula, negative in the middle as `laplacian` is."""

    def laplacian(y: float, x: float) -> float:
        square = y * y + x * x
        return (square - 2 * sigma**2) * math.exp(-square / (2 * sigma**2))

    matrix = taps(f"log:{size[0]}x{size[1]}:{sigma}")
    formula = over_plane(*size, laplacian)
    formula -= formula.mean()
    assert abs(matrix.sum()) <= 1e-6 * np.abs(matrix).sum()
    factor = (matrix * formula).sum() / (formula * formula).sum()
    assert factor > 0
    np.testing.assert_allclose(matrix, factor * formula, atol=1e-6 * np.abs(matrix).max())


@pytest.mark.parametrize("size", [3, 5, 9])
@pytest.mark.parametrize("text", ["motion:{}", "motion:{}:0"])
def test_motion_is_a_flat_row(text: str, size: int) -> None:
    expected = np.zeros((size, size))
    expected[size // 2] = 1 / size
    np.testing.assert_allclose(taps(text.format(size)), expected, atol=1e-9)


@pytest.mark.parametrize("degrees", [0, 10, 30, 45, 60, 90, 135, 180, 200, 359, -30, 22.5])
@pytest.mark.parametrize("size", [1, 3, 4, 9])
def test_motion_is_a_line_that_sums_to_one(size: int, degrees: float) -> None:
    matrix = taps(f"motion:{size}:{degrees}")
    assert matrix.shape == (size, size)
    assert matrix.sum() == pytest.approx(1, abs=1e-6)
    assert (matrix >= 0).all()
    np.testing.assert_allclose(matrix, matrix[::-1, ::-1], atol=1e-6)
    np.testing.assert_allclose(matrix, taps(f"motion:{size}:{degrees + 180}"), atol=1e-6)


def test_motion_turns() -> None:
    flat = taps("motion:9:0")
    np.testing.assert_allclose(taps("motion:9:90"), flat.T, atol=1e-6)
    rising = taps("motion:9:45")  # as in sobel-45, 45 degrees point to the upper right
    assert np.trace(rising[:, ::-1]) > 0.5 > np.trace(rising)
    np.testing.assert_allclose(taps("motion:9:135"), rising[:, ::-1], atol=1e-6)
    np.testing.assert_allclose(rising, rising.T, atol=1e-6)


@pytest.mark.parametrize("wavelength", [3, 4.5, 10])
@pytest.mark.parametrize("size", [(7, 7), (8, 8), (21, 21), (5, 9)], ids=str)
@pytest.mark.parametrize("degrees", [0, 90])
def test_gabor_formula(size: tuple[int, int], wavelength: float, degrees: int) -> None:
    """At 0 degrees the wave runs along x, at 90 along y; the bell is twice as long across the wave."""
    sigma = 0.56 * wavelength

    def wave(y: float, x: float) -> float:
        along, across = (x, y) if degrees == 0 else (y, x)
        envelope = math.exp(-(along**2 + 0.25 * across**2) / (2 * sigma**2))
        return envelope * math.cos(2 * math.pi * along / wavelength)

    expected = over_plane(*size, wave)
    expected -= expected.mean()
    matrix = taps(f"gabor:{size[0]}x{size[1]}:{wavelength}:{degrees}")
    np.testing.assert_allclose(matrix, expected, atol=1e-6)


@pytest.mark.parametrize("degrees", [0, 17, 45, 90, 135])
def test_gabor_sums_to_zero_and_turns(degrees: int) -> None:
    matrix = taps(f"gabor:11:5:{degrees}")
    assert abs(matrix.sum()) <= 1e-6 * np.abs(matrix).sum()
    np.testing.assert_allclose(matrix, matrix[::-1, ::-1], atol=1e-6)
    np.testing.assert_allclose(np.rot90(matrix), taps(f"gabor:11:5:{degrees + 90}"), atol=1e-6)


@pytest.mark.parametrize(("text", "shape"), [
    ("random:3:4", (3, 3, 4)), ("random:5:1:9", (5, 5, 1)), ("random:2x7:6", (2, 7, 6)), ("random:1:3", (1, 1, 3)),
])  # fmt: skip
def test_random_bank_size(text: str, shape: tuple[int, int, int]) -> None:
    image = np.zeros((9, 8, 3), np.uint8)
    height, width, count = shape
    assert cnnfilter.convolve(image, text, padding="valid").shape == (10 - height, 9 - width, count)
    assert cnnfilter.kernel(text).matrix.shape[:2] == (height, width)
    assert cnnfilter.kernel(text).name == text


def test_random_seed() -> None:
    image = np.arange(30, dtype=np.uint8).reshape(5, 6)
    results = [cnnfilter.convolve(image, f"random:3:4{seed}") for seed in ("", ":0", ":0", ":1", ":2")]
    assert all(np.array_equal(results[0], same) for same in results[1:3])
    assert not np.allclose(results[0], results[3])
    assert not np.allclose(results[3], results[4])


@pytest.mark.parametrize(
    "text", ["box:5", "gaussian:7:1.5", "log:9:1.4", "motion:15:30", "gabor:21:8:45", "random:3:4"]
)
def test_families_keep_their_text_as_a_name(text: str) -> None:
    assert cnnfilter.kernel(text).name == text
