"""Pictures that are put together from others: feature maps as labelled tiles."""

import math
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageDraw
from numpy.typing import NDArray

from cnnfilter.images import lettering

GAP = 6
# Tiles smaller than this are enlarged with hard pixels, so that single values can be seen.
LEAST_TILE = 128
# A grid is about this many times as wide as it is high.
PROPORTION = 1.6


def grid(maps: NDArray[Any], white: int, legend: str = "") -> NDArray[Any]:
    """Feature maps (height, width, count) as labelled tiles of one gray picture, row by row.

    Small maps are enlarged by a whole factor. Each tile has its number above it; `legend`, a line on what the levels
    mean, stands below all. `white` is the level of the paper.

    >>> grid(np.zeros((128, 128, 3), np.uint8), 255).shape
    (302, 274)
    """
    height, width, count = maps.shape
    zoom = max(1, -(-LEAST_TILE // max(height, width)))
    height, width = height * zoom, width * zoom
    size = min(max(11, max(height, width) // 20), 28)
    font, line = lettering.font(size), size + size // 3
    cell_height, cell_width = height + line + GAP, max(width, LEAST_TILE // 2) + GAP
    columns = min(count, max(1, round(math.sqrt(count * PROPORTION * cell_height / cell_width))))
    columns = -(-count // -(-count // columns))  # as few as make the same number of rows
    rows = -(-count // columns)
    lines = _wrapped(legend, columns * cell_width, font)
    picture = np.full((rows * cell_height + GAP + line * len(lines), columns * cell_width + GAP), white, maps.dtype)
    for index in range(count):
        top, left = GAP + index // columns * cell_height, GAP + index % columns * cell_width
        tile = maps[:, :, index].repeat(zoom, 0).repeat(zoom, 1)
        picture[top + line : top + line + height, left : left + width] = tile
        _write(picture[top : top + line, left:], str(index), font, white)
    for number, text in enumerate(lines):
        top = rows * cell_height + GAP + number * line
        _write(picture[top : top + line, GAP:], text, font, white)
    return picture


def _wrapped(text: str, width: int, font: lettering.Font) -> list[str]:
    """The words of a text in lines of at most `width` pixels."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and font.getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _write(place: NDArray[Any], text: str, font: lettering.Font, white: int) -> None:
    """Black letters on the white paper, cut off at the border of `place`."""
    stamp = PIL.Image.new("L", (place.shape[1], place.shape[0]), 255)
    PIL.ImageDraw.Draw(stamp).text((0, 0), text, fill=0, font=font)
    place[...] = (np.asarray(stamp) / 255 * white).astype(place.dtype)
