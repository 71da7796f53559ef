"""Transparency through a convolution: that of the centres, and premultiplied colours against nested loops."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import reference
from arrays import nested
from hypothesis import given, settings, strategies as st

from cnnfilter.core import transparency
from cnnfilter.core.convolution import Convolution
from cnnfilter.core.geometry import Windows
from cnnfilter.core.samples import RAW, UINT8, UINT16, Rendering, SampleType

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

BLUR = [[Fraction(1, 9)] * 3] * 3
SHARPEN = [[Fraction(n) for n in row] for row in ((0, -1, 0), (-1, 5, -1), (0, -1, 0))]


@pytest.mark.parametrize(
    ("options", "rows", "columns"),
    [
        ({}, [0, 1, 2, 3, 4], [0, 1, 2, 3]),
        ({"stride": 2}, [0, 2, 4], [0, 2]),
        ({"padding": "valid"}, [1, 2, 3], [1, 2]),
        ({"padding": 2}, [0, 0, 1, 2, 3, 4, 4], [0, 0, 1, 2, 3, 3]),  # centres in the padding: the nearest pixel
        ({"padding": "valid", "dilation": 2, "size": (2, 2)}, [1, 2, 3], [1, 2]),  # (e - 1) // 2 of 3
    ],
)
def test_the_alpha_under_the_centres(options: dict[str, Any], rows: list[int], columns: list[int]) -> None:
    alpha = np.arange(20, dtype=np.uint8).reshape(5, 4)
    windows = Windows.of(options.pop("size", (3, 3)), **options)
    expected = [[alpha[y, x] for x in columns] for y in rows]
    np.testing.assert_array_equal(transparency.kept(windows, alpha), expected)


def by_hand(
    image: Array, alpha: Array, kernel: list[list[Fraction]], scale: Fraction, bias: Fraction, **options: Any
) -> tuple[list[Any], list[Any]]:
    """(colours, alpha) before rounding: W(colour x alpha) / W(alpha) + bias, and W(alpha) x scale."""
    planes = image if image.ndim == 3 else image[:, :, None]
    weighted = nested(planes.astype(np.int64) * alpha[:, :, None])
    above, below = (reference.convolve(part, kernel, **options) for part in (weighted, nested(alpha)))
    opaque = int(np.iinfo(alpha.dtype).max)
    colours: list[Any] = []
    veil: list[Any] = []
    for sums, weights in zip(above, below, strict=True):
        colours.append([])
        veil.append([])
        for pixel, (weight,) in zip(sums, weights, strict=True):
            seen = min(weight, opaque / scale)  # beyond the opaque level a pixel is not more than opaque
            colours[-1].append([(value / seen if seen > 0 else 0) + bias for value in pixel])
            veil[-1].append(min(max(weight * scale, 0), opaque))
    return colours, veil


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**16),
    size=st.tuples(st.integers(1, 7), st.integers(1, 7), st.sampled_from([0, 1, 3])),
    dtype=st.sampled_from(["uint8", "uint16"]),
    kernel=st.sampled_from([("blur", BLUR), ("sharpen", SHARPEN)]),
    pad_mode=st.sampled_from(["reflect", "zero", "edge", "wrap", "symmetric"]),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    scale=st.sampled_from([Fraction(1), Fraction(1, 2), Fraction(3)]),
    bias=st.sampled_from([Fraction(0), Fraction(10)]),
)
def test_premultiplied_colours_by_hand(
    seed: int, size: Any, dtype: str, kernel: Any, pad_mode: str, stride: Any, scale: Fraction, bias: Fraction
) -> None:
    rng = np.random.default_rng(seed)
    most = int(np.iinfo(dtype).max)
    image = rng.integers(0, most, size if size[2] else size[:2], endpoint=True).astype(dtype)
    alpha = rng.choice(np.array([0, 0, most // 3, most]), size[:2]).astype(dtype)
    options = {"stride": stride, "pad_mode": pad_mode}
    convolution = Convolution.of(kernel[0], scale=scale, bias=bias, **options)
    samples = SampleType.of(np.dtype(dtype))
    result, veil, clipped = transparency.premultiplied(convolution, image, alpha, Rendering("clip", samples=samples))
    colours, wanted_veil = by_hand(image, alpha, kernel[1], scale, bias, **options)
    wanted, wanted_clipped = reference.to_samples(colours, "clip", 0, most, (most + 1) // 2)
    assert result.dtype == veil.dtype == dtype
    assert result.ndim == image.ndim
    np.testing.assert_allclose(nested(result), wanted, rtol=0, atol=1)  # floats, next to a half either way
    np.testing.assert_allclose(veil, np.array(wanted_veil, float), rtol=0, atol=0.5 + 1e-6)
    assert clipped == pytest.approx(wanted_clipped, abs=2)


def test_transparent_pixels_do_not_bleed_into_opaque_ones() -> None:
    image = np.array([[[200, 0, 0], [0, 255, 0]]], np.uint8)
    alpha = np.array([[255, 0]], np.uint8)
    convolution = Convolution.of("1 1 1", padding="same", pad_mode="zero")
    result, veil, clipped = transparency.premultiplied(convolution, image, alpha, Rendering("clip", samples=UINT8))
    assert result.tolist() == [[[200, 0, 0], [200, 0, 0]]]
    assert veil.tolist() == [[255, 255]]
    assert clipped == 0


def test_where_nothing_is_opaque_the_colour_is_nothing() -> None:
    image, alpha = np.full((2, 2), 77, np.uint8), np.zeros((2, 2), np.uint8)
    result, veil, _ = transparency.premultiplied(Convolution.of("blur"), image, alpha, Rendering("clip", samples=UINT8))
    assert not result.any()
    assert not veil.any()


def test_a_kernel_of_negative_weights_shows_nothing_of_what_it_takes_away() -> None:
    image, alpha = np.full((1, 3), 100, np.uint8), np.full((1, 3), 255, np.uint8)
    upside_down = Convolution.of("-1 -1 -1", pad_mode="edge")
    result, veil, _ = transparency.premultiplied(upside_down, image, alpha, Rendering("clip", samples=UINT8))
    assert (result.tolist(), veil.tolist()) == ([[0, 0, 0]], [[0, 0, 0]])
    twice = Convolution.of("-1 -1 -1", pad_mode="edge", scale="-1/3")
    result, veil, _ = transparency.premultiplied(twice, image, alpha, Rendering("clip", samples=UINT8))
    assert (result.tolist(), veil.tolist()) == ([[100, 100, 100]], [[255, 255, 255]])


def test_levels_of_another_depth() -> None:
    image, alpha = np.full((3, 3, 3), 100, np.uint8), np.full((3, 3), 51, np.uint8)
    result, veil, _ = transparency.premultiplied(
        Convolution.of("blur"), image, alpha, Rendering("clip", Fraction(257), samples=UINT16)
    )
    assert result.dtype == veil.dtype == np.uint16
    assert np.unique(result).tolist() == [100 * 257]
    assert np.unique(veil).tolist() == [51 * 257]


def test_responses_are_floats_and_alpha_keeps_its_type() -> None:
    image, alpha = np.full((2, 2), 100, np.uint8), np.full((2, 2), 128, np.uint8)
    result, veil, clipped = transparency.premultiplied(Convolution.of("blur"), image, alpha, RAW)
    assert (result.dtype.name, veil.dtype.name, clipped) == ("float32", "uint8", 0)
    np.testing.assert_allclose(result, 100)
    assert np.unique(veil).tolist() == [128]
