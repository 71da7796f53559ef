"""Responses as samples by hand, and gray levels against whole-number arithmetic."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import cnnfilter
from cnnfilter.core.convolution import Convolution
from cnnfilter.core.gray import to_gray
from cnnfilter.core.samples import Rendering, SampleType, rendered, scaled_levels
from cnnfilter.errors import UnfitError

if TYPE_CHECKING:
    from cnnfilter.core.vocabulary import Gray, Mapping


@pytest.mark.parametrize("factor", [1, 257])
def test_gray_of_every_third_colour_is_exact(factor: int) -> None:
    levels = np.arange(0, 256, 3), np.arange(256), np.arange(0, 256, 5)
    colours = np.stack(np.meshgrid(*levels, indexing="ij"), -1).reshape(len(levels[0]), -1, 3) * factor
    image = colours.astype(np.uint8 if factor == 1 else np.uint16)
    red, green, blue = np.moveaxis(colours, 2, 0)
    assert (to_gray(image) == (19595 * red + 38470 * green + 7471 * blue + 32768) >> 16).all()
    for channels in (2, 3, 4, 7):
        many = np.concatenate([colours] * 3, axis=2)[:, :, :channels]
        mean = (many.sum(axis=2) + channels // 2) // channels
        assert (to_gray(many.astype(image.dtype), "mean") == mean).all()


# ---------------------------------------------------------------------------------------------------------------------
# Gray of other types


@pytest.mark.parametrize("dtype", ["int16", "int32", "uint32", "int8", "float32", "float64"])
@pytest.mark.parametrize("how", ["luma", "mean"])
def test_gray_of_every_type(dtype: str, how: Gray) -> None:
    rng = np.random.default_rng(5)
    image = rng.integers(-100 if dtype[0] != "u" else 0, 100, (4, 5, 3)).astype(dtype)
    gray = to_gray(image, how)
    weights, total, half = ((19595, 38470, 7471), 65536, 32768) if how == "luma" else ((1, 1, 1), 3, 1)
    sums = image.astype(object) @ np.array(weights, object)
    assert gray.dtype == dtype
    if image.dtype.kind == "f":
        np.testing.assert_allclose(gray, (sums / total).astype(float), rtol=1e-6, atol=1e-5)
    else:
        assert gray.tolist() == ((sums + half) // total).tolist()


def test_gray_images_stay_and_luma_wants_three_channels() -> None:
    image = np.arange(6, dtype=np.uint8).reshape(2, 3)
    assert to_gray(image) is image
    assert to_gray(image[:, :, None]).tolist() == image.tolist()
    with pytest.raises(UnfitError, match="the image has 4 channels; mean takes any"):
        to_gray(np.zeros((2, 2, 4), np.uint8))


# ---------------------------------------------------------------------------------------------------------------------
# Responses as samples


def samples_of(
    response: Any, mapping: Mapping, dtype: str, scale: Fraction = Fraction(1), *, per_map: bool = False
) -> tuple[list[Any], int]:
    rendering = Rendering(mapping, scale, samples=SampleType.of(np.dtype(dtype)), per_map=per_map)
    samples, clipped = rendered(np.asarray(response), rendering)
    assert samples.dtype == dtype
    return samples.tolist(), clipped


@pytest.mark.parametrize(
    ("mapping", "expected", "clipped"),
    [
        ("clip", [0, 0, 255, 255], 3),
        ("abs", [3, 0, 255, 255], 2),
        ("shift", [125, 128, 255, 255], 2),
        ("normalize", [0, 3, 219, 255], 0),  # -3 to 300: (x + 3) * 255 / 303, rounded
    ],
)
@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.float32])
def test_mappings_by_hand(mapping: Mapping, expected: list[int], clipped: int, dtype: type[np.generic]) -> None:
    response = np.array([[-3, 0, 257, 300]], dtype)
    assert samples_of(response, mapping, "uint8") == ([expected], clipped)


@pytest.mark.parametrize(
    ("mapping", "expected"),
    [("clip", [0, 0, 255]), ("abs", [3, 0, 255]), ("shift", [125, 128, 255]), ("normalize", [0, 2.5247524, 255])],
)
@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_levels_of_floats_are_not_rounded(mapping: Mapping, expected: list[float], dtype: type[np.generic]) -> None:
    found, _ = samples_of(np.array([[-3, 0, 300]], dtype), mapping, "float32")
    assert found[0] == pytest.approx(expected)


def test_a_constant_image_becomes_nothing_when_it_is_stretched() -> None:
    for dtype in (np.int32, np.float32):
        assert samples_of(np.full((2, 2), 7, dtype), "normalize", "uint8") == ([[0, 0], [0, 0]], 0)
        assert samples_of(np.full((2, 2), 7, dtype), "normalize", "float32") == ([[0, 0], [0, 0]], 0)


def test_each_map_is_stretched_on_its_own() -> None:
    maps = np.array([[[0, 10], [4, 30]]], np.float32)
    assert samples_of(maps, "normalize", "uint8", per_map=True) == ([[[0, 0], [255, 255]]], 0)
    assert samples_of(maps, "normalize", "uint8") == ([[[0, 85], [34, 255]]], 0)


@pytest.mark.parametrize(
    ("scale", "dtype", "level", "expected"),
    [
        (Fraction(257), "uint16", 129, 33153),
        (Fraction(1, 257), "uint8", 33153, 129),
        (Fraction(1, 257), "uint8", 33025, 129),
    ],
)
def test_levels_between_depths(scale: Fraction, dtype: str, level: int, expected: int) -> None:
    assert samples_of(np.array([[level]], np.int32), "clip", dtype, scale) == ([[expected]], 0)
    assert scaled_levels(np.array([[level]]), SampleType.of(np.dtype(dtype)), scale).tolist() == [[expected]]


def test_levels_of_the_same_depth_are_left_alone() -> None:
    samples = np.arange(3, dtype=np.uint8)
    assert scaled_levels(samples, SampleType.of(np.dtype(np.uint8)), Fraction(1)) is samples


def test_floats_clip_to_the_largest_sample_of_64_bits() -> None:
    found, clipped = samples_of(np.array([[1e30, -1e30, 5.5]]), "clip", "int64")
    assert clipped == 2
    assert found[0][1:] == [-(2**63), 6]
    assert 2**63 - 2048 <= found[0][0] < 2**63  # the largest float below


def test_booleans_are_zero_and_one() -> None:
    assert samples_of(np.array([[True, False]]), "clip", "uint8") == ([[1, 0]], 0)
    assert samples_of(np.array([[-1, 0, 2]]), "clip", "bool") == ([[False, False, True]], 2)


def test_infinities_clip_and_what_is_no_number_is_refused() -> None:
    huge = [[1.7e308, 1.7e308]]
    image = np.full((1, 2), 255, np.uint8)
    assert cnnfilter.convolve(image, huge, padding="valid", mapping="clip").tolist() == [[255]]
    with pytest.raises(UnfitError, match="the responses exceed the range of floats"):
        cnnfilter.convolve(image, [[1.7e308, -1.7e308]], padding="valid", mapping="clip")


def test_whole_sums_become_levels_of_floats() -> None:
    convolution = Convolution.of("1 1", padding="valid", scale="1/2")
    image = np.array([[1, 2, 254]], np.uint8)
    found, clipped = convolution.respond(image, Rendering("clip", samples=SampleType.of(np.dtype(np.float32))))
    assert (found.dtype.name, found.tolist(), clipped) == ("float32", [[1.5, 128.0]], 0)
