"""One gray channel out of several."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnfilter.core.samples import BAND
from cnnfilter.core.vocabulary import Gray
from cnnfilter.errors import UnfitError

Array = NDArray[Any]
GRAY_WEIGHTS = (19595, 38470, 7471)  # luma of ITU-R BT.601-2 in units of 1/65536


def to_gray(image: Array, how: Gray = "luma") -> Array:
    """One channel out of all, (height, width), in the image's own type, rounded halves up.

    luma is (19595 R + 38470 G + 7471 B + 32768) >> 16 (ITU-R BT.601-2), mean the mean of the channels.

    >>> to_gray(np.array([[[255, 0, 0]]], np.uint8)).tolist()
    [[76]]

    Raises:
        UnfitError: luma of an image that has neither 1 nor 3 channels.
    """
    if image.ndim == 2 or image.shape[2] == 1:
        return image if image.ndim == 2 else image[:, :, 0]
    channels = image.shape[2]
    if how == "luma" and channels != 3:
        raise UnfitError("gray", f"luma needs red, green and blue, the image has {channels} channels; mean takes any")
    weights = GRAY_WEIGHTS if how == "luma" else (1,) * channels
    out = np.empty(image.shape[:2], image.dtype.newbyteorder("="))
    rows = max(1, BAND // (image.shape[1] * channels))
    for start in range(0, image.shape[0], rows):
        band = image[start : start + rows]
        out[start : start + rows] = _weighted_mean(band, weights)
    return out


def _weighted_mean(band: Array, weights: tuple[int, ...]) -> Array:
    total = sum(weights)
    if band.dtype.kind == "u" and band.dtype.itemsize <= 2:
        # All numbers are whole and below 2^24 for bytes, 2^53 for 16 bits, and the quotient cannot round up to a level.
        kind = np.float32 if band.dtype.itemsize == 1 and total <= 1 << 16 else np.float64
        sums = band.astype(kind) @ np.array(weights, kind)
        sums += kind(total // 2)
        sums /= kind(total)
        return np.asarray(sums)
    if band.dtype.kind == "f":
        with np.errstate(invalid="ignore", over="ignore"):
            return np.asarray(band.astype(np.float64) @ (np.array(weights) / total))
    wide = np.int64 if band.dtype.itemsize > 1 else np.int32
    sums = np.zeros(band.shape[:2], wide)
    for channel, weight in enumerate(weights):
        sums += band[:, :, channel] * wide(weight)
    return np.asarray((sums + total // 2) // total)
