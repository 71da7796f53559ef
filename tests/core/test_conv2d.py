"""conv2d() and random banks against nested loops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import reference
from arrays import FLOATS, images, nested, random_image
from convolutions import assert_close, bound, by_taps, is_empty, kernels, windows
from hypothesis import assume, given, settings, strategies as st

import cnnfilter

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]
    Draw = st.DrawFn


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
