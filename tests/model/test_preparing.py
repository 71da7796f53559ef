"""Layers that prepare a picture: resize, crop, scale, standardize."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings, strategies as st
from pipelines import RGB

import cnnfilter

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]


@given(
    height=st.integers(1, 60), width=st.integers(1, 60), y=st.integers(1, 80), x=st.integers(1, 80),
    channels=st.sampled_from([0, 3]), seed=st.integers(0, 99)
)  # fmt: skip
@settings(deadline=None, max_examples=150)
def test_resize_is_within_a_level_of_pillows(height: int, width: int, y: int, x: int, channels: int, seed: int) -> None:
    shape = (height, width, channels) if channels else (height, width)
    image = np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)
    wanted = np.asarray(PIL.Image.fromarray(image).resize((x, y), PIL.Image.Resampling.BILINEAR), np.float32)
    result = cnnfilter.parse_pipeline(f"resize {y}x{x}").run(image)
    assert result.shape == wanted.shape
    assert float(np.abs(np.floor(result + 0.5) - wanted).max()) <= 1


@pytest.mark.parametrize(("shape", "size", "expected"), [
    ((427, 640, 3), 256, (256, 383, 3)),
    ((640, 427), 256, (383, 256)),
    ((100, 100), 7, (7, 7)),
    ((100, 200), "50x60", (50, 60)),
    ((10, 1000), 5, (5, 500)),
    ((3, 3), 9, (9, 9)),
])  # fmt: skip
def test_resize_of_the_short_side(shape: tuple[int, ...], size: Any, expected: tuple[int, ...]) -> None:
    pipeline = cnnfilter.parse_pipeline(f"resize {size}")
    assert pipeline.summary(shape).output_shape == expected
    assert pipeline.run(np.full(shape, 7, np.uint8)).shape == expected


def test_resize_to_the_same_size_changes_nothing() -> None:
    np.testing.assert_allclose(cnnfilter.parse_pipeline("resize 21x26").run(RGB), RGB, rtol=1e-6)


def test_crop_takes_the_middle() -> None:
    image = np.arange(35).reshape(5, 7).astype(np.uint8)
    result = cnnfilter.parse_pipeline("crop 3").run(image)
    assert result.tolist() == image[1:4, 2:5].tolist()
    assert result.dtype == np.uint8
    assert cnnfilter.parse_pipeline("crop 5x1").run(image).tolist() == image[:, 3:4].tolist()
    np.testing.assert_array_equal(cnnfilter.parse_pipeline("crop 5x7").run(image), image)


def test_scale_and_standardize() -> None:
    image = np.array([[[0, 51, 255], [102, 255, 0]]], np.uint8)
    scaled = cnnfilter.parse_pipeline("scale").run(image)
    assert scaled.dtype == np.float32
    np.testing.assert_allclose(scaled, [[[0, 0.2, 1], [0.4, 1, 0]]], rtol=1e-6)
    result = cnnfilter.parse_pipeline("scale | standardize mean=0.2,0.2,0 std=0.5,0.4,2").run(image)
    np.testing.assert_allclose(result, [[[-0.4, 0, 0.5], [0.4, 2, 0]]], atol=1e-6)
    one = cnnfilter.parse_pipeline("standardize mean=51 std=2").run(image[:, :, 1])
    np.testing.assert_allclose(one, [[0, 102]])


def test_gray_is_exact_and_keeps_the_type() -> None:
    result = cnnfilter.parse_pipeline("gray").run(RGB)
    r, g, b = RGB.astype(np.int64).transpose(2, 0, 1)
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(result, (19595 * r + 38470 * g + 7471 * b + 32768) >> 16)
    mean = cnnfilter.parse_pipeline("gray mean").run(RGB)
    np.testing.assert_array_equal(mean, np.floor(RGB.sum(axis=2) / 3 + 0.5))
    np.testing.assert_array_equal(cnnfilter.parse_pipeline("gray").run(RGB[:, :, 0]), RGB[:, :, 0])


def test_batchnorm_without_tensors_normalises_the_picture() -> None:
    result = cnnfilter.parse_pipeline("batchnorm").run(RGB)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result.mean(axis=(0, 1)), np.zeros(3), atol=1e-5)
    np.testing.assert_allclose(result.var(axis=(0, 1)), np.ones(3), rtol=1e-4)
    assert not cnnfilter.parse_pipeline("batchnorm").run(np.full((4, 4), 9, np.uint8)).any()
