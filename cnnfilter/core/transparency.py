"""Transparency through a convolution: kept where it is, or filtered with the colours that it weights."""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnfilter.core.arrays import as_planes
from cnnfilter.core.convolution import Convolution
from cnnfilter.core.engine.padding import padded_rows
from cnnfilter.core.geometry import Windows
from cnnfilter.core.samples import BAND, Rendering

# Types that hold products of two samples.
_WIDER: dict[type[np.generic], type[np.generic]] = {
    np.uint8: np.uint16,
    np.uint16: np.uint32,
}


def kept(windows: Windows, alpha: NDArray[Any]) -> NDArray[Any]:
    """The alpha under the centre of each window, clamped to the image.

    Raises:
        UnfitError: the output would be empty.
    """
    rows, columns = windows.output_size(*alpha.shape)
    centers = windows.centers(0, rows, alpha.shape[0]), windows.centers(1, columns, alpha.shape[1])
    return alpha[np.ix_(*centers)]


def premultiplied(
    convolution: Convolution, image: NDArray[Any], alpha: NDArray[Any], rendering: Rendering
) -> tuple[NDArray[Any], NDArray[Any], int]:
    """(samples or response, alpha, number of values clipped) of colours weighted with their opacity.

    With W for the weighted sum over a window: the new alpha is W(alpha) x scale, clipped to the opaque level, and
    the colour W(colour x alpha) / W(alpha), so that transparent pixels do not bleed into opaque ones; bias is added
    to the colour. Where nothing is opaque the colour is 0. Not for kernels that sum to zero.
    Source: Porter and Duff, "Compositing digital images", 1984.

    Raises:
        UnfitError: the output would be empty.
    """
    opaque, level_scale = np.iinfo(alpha.dtype).max, rendering.gain
    gain = float(convolution.scale / convolution.kernel.divisor)
    planes = as_planes(image)
    height, width, channels = (*convolution.windows.output_size(*alpha.shape), planes.shape[2])
    veil_type = alpha.dtype if rendering.samples is None else rendering.samples.dtype
    veil = np.empty((height, width), veil_type)

    def bands() -> Iterator[tuple[slice, NDArray[Any]]]:
        for rows, colours, weights in _weighted(convolution, planes, alpha):
            levels = np.floor(weights * gain * float(level_scale) + 0.5)
            veil[rows] = np.clip(levels, 0, round(opaque * level_scale)).astype(veil_type)
            weight = weights[:, :, None].astype(np.float64)
            full = opaque / gain if gain else 0.0
            below = np.minimum(weight, full) if gain > 0 else np.maximum(weight, full)
            seen = below * gain > 0
            yield rows, np.where(seen, colours / np.where(seen, below, 1), 0)

    biased = rendering._replace(bias=convolution.bias * level_scale)
    result, clipped = biased.render(bands, (height, width, channels), None)
    return result.reshape(height, width, *image.shape[2:]), veil, clipped


def _weighted(
    convolution: Convolution, image: NDArray[Any], alpha: NDArray[Any]
) -> Iterator[tuple[slice, NDArray[Any], NDArray[Any]]]:
    """(rows of the output, sums of colour x alpha, sums of alpha) band by band."""
    windows = convolution.windows
    height, width = windows.output_size(*alpha.shape)
    inner = convolution._replace(
        kernel=replace(convolution.kernel, divisor=1),
        windows=windows._replace(padding=((0, 0), (0, 0))),
        scale=Fraction(1),
        bias=Fraction(0),
    )
    extent, step = windows.extent[0], windows.stride[0]
    many = max(1, BAND // (width * image.shape[2]), min(extent // step, 64))
    for start in range(0, height, many):
        count = min(many, height - start)
        asked = start * step - windows.padding[0][0], (count - 1) * step + extent, windows.padding, convolution.pad_mode
        colours = padded_rows(image, *asked, np.dtype(_WIDER[image.dtype.type]))
        weights = padded_rows(alpha[:, :, None], *asked, alpha.dtype)
        sums = inner.respond(np.multiply(colours, weights))[0]
        yield slice(start, start + count), sums, inner.respond(weights)[0][:, :, 0]
