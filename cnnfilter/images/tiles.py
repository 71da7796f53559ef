"""Arrays as small RGB pictures: how large they are drawn, what their values become, several as tiles."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from cnnfilter.images import lettering
from cnnfilter.images.heatmap import RGB, diverging

Size = tuple[int, int]
# A value is enlarged to at most so many pixels.
LARGEST_ZOOM = 48
# A side is at most so many times as long as that of a square of the same area.
LONGEST = 3.0
# A picture may be so much larger than its box, or smaller, for the sake of a whole factor.
TOO_LARGE, TOO_SMALL = 1.06, 0.9
# Rows of tiles that are not full are as good as full ones of tiles so much smaller.
RAGGED = 0.8
PAPER = 232
BEHIND = 205  # what is seen through transparency
TILE_GAP, TILE_TEXT = 8, 12

# What the colours of a picture mean: samples as they are; black is 0, white the greatest value; the diverging scale.
Meaning = Literal["samples", "from-zero", "signed"]


@dataclass(frozen=True, eq=False)
class Shown:
    """A picture as it is drawn, what its colours mean, and the least and greatest value of the array."""

    pixels: RGB
    meaning: Meaning
    low: float = 0.0
    high: float = 0.0


def size_in_area(shape: Size, area: int) -> Size:
    """The size (height, width) in which a picture of `shape` takes about `area` pixels.

    It is enlarged by a whole factor, or shrunk. Very long ones take less, down to one pixel across.

    >>> size_in_area((8, 8), 300 * 300), size_in_area((1000, 4000), 400 * 400)
    ((296, 296), (200, 800))
    """
    height, width = shape
    side = math.sqrt(area)
    factor = min(side / math.sqrt(height * width), LONGEST * side / max(shape))
    if factor >= 1:
        zoom = min(LARGEST_ZOOM, int(factor))
        return height * zoom, width * zoom
    return max(1, round(height * factor)), max(1, round(width * factor))


def size_in_box(shape: Size, box: Size) -> Size:
    """The size in which a picture of `shape` fills a box: enlarged by a whole factor if that about fills it.

    >>> size_in_box((214, 320), (427, 640)), size_in_box((854, 1280), (427, 640)), size_in_box((20, 20), (30, 30))
    ((428, 640), (427, 640), (30, 30))
    """
    factor = min(box[0] / shape[0], box[1] / shape[1])
    if factor >= 1 and math.ceil(factor) <= factor * TOO_LARGE:
        factor = math.ceil(factor)
    elif factor >= 1 and int(factor) >= factor * TOO_SMALL:
        factor = int(factor)
    return max(1, round(shape[0] * factor)), max(1, round(shape[1] * factor))


def resized(array: NDArray[Any], size: Size) -> NDArray[Any]:
    """An array (height, width) or (height, width, 3) enlarged with hard pixels, or shrunk by averaging areas.

    Where the factor is no whole number it is enlarged by the next one, then shrunk. What is shrunk comes as uint8 where
    it was, else as float32.
    """
    height, width = array.shape[:2]
    zoom = max(-(-size[0] // height), -(-size[1] // width))
    if zoom > 1:
        array = array.repeat(zoom, 0).repeat(zoom, 1)
    if array.shape[:2] == size:
        return array
    if array.dtype == np.uint8:
        picture = PIL.Image.fromarray(np.ascontiguousarray(array))
        return np.asarray(picture.resize(size[::-1], PIL.Image.Resampling.BOX))
    if array.ndim == 3:
        return np.stack([resized(array[:, :, channel], size) for channel in range(array.shape[2])], axis=-1)
    picture = PIL.Image.fromarray(np.ascontiguousarray(array, np.float32))
    return np.asarray(picture.resize(size[::-1], PIL.Image.Resampling.BOX))


def shown(array: NDArray[Any], size: Size, alpha: NDArray[Any] | None = None, *, signed: bool = False) -> Shown:
    """An array (height, width) or (height, width, 3) drawn in `size`.

    Samples of 8 and 16 bits and booleans are shown as they are, other numbers by their range: those of one channel that
    are negative, or are said to be `signed`, on the diverging scale.
    """
    if array.dtype.kind == "b":
        array = array.astype(np.uint8) * np.uint8(255)
    if array.dtype.kind == "u" and array.dtype.itemsize <= 2:
        bits = 8 * (array.dtype.itemsize - 1)
        return Shown(_rgb(_over(array, alpha, size) / (257 if bits else 1)), "samples")
    low, high = value_range(array)
    finite = np.nan_to_num(array, posinf=high, neginf=low) if array.dtype.kind == "f" else array
    values = resized(finite.astype(np.float32, copy=False), size)
    if (low < 0 or signed) and array.ndim == 2:
        return Shown(diverging(values, max(-low, high)), "signed", low, high)
    return Shown(_rgb(values * (255 / (high if high > 0 else 1.0))), "from-zero", low, high)


def value_range(array: NDArray[Any]) -> tuple[float, float]:
    """The least and the greatest finite value; zeros where there is none."""
    finite = array if array.dtype.kind != "f" else array[np.isfinite(array)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)


def _over(samples: NDArray[Any], alpha: NDArray[Any] | None, size: Size) -> NDArray[Any]:
    """Resized samples over light gray where they are transparent."""
    if alpha is None:
        return resized(samples, size)
    white = float(np.iinfo(samples.dtype).max)
    share = resized(alpha, size) / white
    share = share[:, :, None] if samples.ndim == 3 else share
    return np.asarray(resized(samples, size) * share + (1 - share) * (BEHIND * white / 255))


def _rgb(levels: NDArray[Any]) -> RGB:
    rounded = np.clip(np.floor(levels + 0.5), 0, 255).astype(np.uint8)
    return rounded if rounded.ndim == 3 else rounded[:, :, None].repeat(3, axis=2)


def columns_for(count: int, shape: Size, box: Size) -> tuple[int, Size]:
    """(columns, size of a tile), so that `count` tiles of pictures of `shape` fill a box best.

    >>> columns_for(8, (32, 32), (300, 440))
    (4, (96, 96))
    """
    best, chosen, tile = -math.inf, 1, shape
    for columns in range(1, count + 1):
        rows = -(-count // columns)
        width = box[1] / columns - TILE_GAP
        height = box[0] / rows - lettering.line_height(TILE_TEXT) - TILE_GAP
        factor = min(width / shape[1], height / shape[0])
        worth = factor * (RAGGED if count % columns else 1.0)
        if worth > best * 1.001:
            best, chosen, tile = worth, columns, (int(factor * shape[0]), int(factor * shape[1]))
    return chosen, size_in_box(shape, (max(1, tile[0]), max(1, tile[1])))


def tiled(pictures: Sequence[RGB], columns: int, captions: Sequence[str] = ()) -> RGB:
    """Pictures of one size in rows of `columns`, each below its caption, if there are any."""
    height, width = pictures[0].shape[:2]
    caption = lettering.line_height(TILE_TEXT) if captions else 0
    rows = -(-len(pictures) // columns)
    down, across = height + caption + TILE_GAP, width + TILE_GAP
    sheet = np.full((rows * down - TILE_GAP, columns * across - TILE_GAP, 3), PAPER, np.uint8)
    for index, picture in enumerate(pictures):
        top, left = index // columns * down, index % columns * across
        sheet[top + caption : top + caption + height, left : left + width] = picture
        text = lettering.fitted(captions[index], width, TILE_TEXT) if captions else ""
        lettering.write(sheet[:, : left + width], top, left, text, TILE_TEXT, lettering.GRAY)
    return sheet
