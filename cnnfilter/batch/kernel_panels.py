"""Kernels and filters as panels of a montage: heat maps with their numbers."""

import math
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnfilter.core.catalogue import FAMILIES, NAMED
from cnnfilter.core.kernels import Kernel
from cnnfilter.core.words import by
from cnnfilter.images.heatmap import RGB, cell_size, diverging, fitting_size, heatmap
from cnnfilter.images.lettering import text_width
from cnnfilter.images.montage import TITLE, Key, Panel
from cnnfilter.images.tiles import PAPER, RAGGED, TILE_GAP, resized, size_in_box, tiled

# The side of a heat map as a part of a picture's, and its bounds.
SHARE, LEAST_SIDE, LARGEST_SIDE = 0.42, 72, 230
# Numbers of larger matrices are not written.
MOST_NUMBERS = 256
MOST_SLICES = 64

MEANING = "blue is negative, white zero, red positive"


def kernel_panel(kernel: Kernel, title: str, box: tuple[int, int], *, flipped: bool, several: bool) -> Panel:
    """The heat map of a kernel, of a gradient magnitude both; `box` is the size of the picture beside it.

    With `several` kernels in a montage all heat maps are equally wide, and each has a scale of its own.
    """
    side = round(min(max(SHARE * math.sqrt(box[0] * box[1]), LEAST_SIDE), LARGEST_SIDE))
    names = (f"{kernel.name}-v", f"{kernel.name}-h") if kernel.is_gradient else ()
    pictures = _heats(kernel, list(kernel.matrix) if kernel.is_gradient else [kernel.matrix], (side, side))
    picture = tiled(pictures, 1, names)
    over = f", over {kernel.divisor}" if kernel.divisor != 1 and _is_named(kernel) else ""
    note = f"{by(kernel.size)}{over}{', turned by 180' * flipped}"
    return Panel(title, note, _widened(picture, side) if several else picture, (_key(kernel, several),))


def filter_panels(kernel: Kernel, box: tuple[int, int], most: int, *, several: bool = False) -> list[Panel]:
    """The first filters of a bank: the slices of each, one a channel, as tiles about as high as `box`, its map.

    All have one scale, and numbers of one size; with `several` kernels in a montage the legend names the bank.
    """
    channels, count = kernel.matrix.shape[2:]
    shown = min(channels, MOST_SLICES)
    columns, inner = _arranged(shown, kernel.size, (box[0], round(slices_share(channels) * max(box))))
    slices = [kernel.matrix[:, :, channel, index] for index in range(min(count, most)) for channel in range(shown)]
    pictures = _heats(kernel, slices, inner)
    note = {1: "1 slice", 3: "R, G, B"}.get(channels, f"{channels} slices")
    note = f"{shown} of {note}" if shown < channels else note
    largest = float(np.abs(kernel.matrix).max()) / kernel.divisor
    limit = _number(largest, largest)
    whose = f" of {kernel.name}" if several else ""
    key = Key(f"entries of all filters{whose} on one scale: {MEANING}", "diverging", _marks(limit))
    tiles = [tiled(pictures[start : start + shown], columns) for start in range(0, len(pictures), shown)]
    wide = text_width(f"filter {count}", TITLE)  # as wide for all, so that the maps stand below each other
    return [Panel(f"filter {index}", note, _widened(tile, wide), (key,)) for index, tile in enumerate(tiles)]


def _heats(kernel: Kernel, matrices: list[NDArray[Any]], box: tuple[int, int]) -> list[RGB]:
    """Heat maps of matrices of a kernel on one scale, with numbers of one size."""
    limit = float(np.abs(kernel.matrix).max())
    height, width = kernel.size
    cell = cell_size(kernel.size, box)
    if not cell:
        size = size_in_box(kernel.size, box)
        return [diverging(resized(matrix.astype(np.float32), size), limit) for matrix in matrices]
    texts = [_texts(kernel, matrix, limit) if height * width <= MOST_NUMBERS else [] for matrix in matrices]
    size_of_text = fitting_size((text for each in texts for row in each for text in row), cell)
    return [
        heatmap(matrix.astype(np.float64), limit, cell, text, size_of_text)
        for matrix, text in zip(matrices, texts, strict=True)
    ]


def slices_share(channels: int) -> float:
    """How wide the slices of a filter are at most, as a part of its map: few stand below each other."""
    return SHARE if channels == 1 else 0.3 if channels <= 4 else 0.8


def _arranged(count: int, shape: tuple[int, int], box: tuple[int, int]) -> tuple[int, tuple[int, int]]:
    """(columns, box of each) of so many slices, as large as possible, in full rows if that costs little."""
    best, chosen, inner = -1.0, 1, box
    for columns in range(1, count + 1):
        rows = -(-count // columns)
        height = max(1, (box[0] - TILE_GAP * (rows - 1)) // rows)
        width = max(1, (box[1] - TILE_GAP * (columns - 1)) // columns)
        factor = min(height / shape[0], width / shape[1]) * (RAGGED if count % columns else 1.0)
        if factor > best * 1.001:
            best, chosen, inner = factor, columns, (height, width)
    return chosen, inner


def _widened(picture: RGB, width: int) -> RGB:
    """The picture on paper of that width at least."""
    room = np.full((picture.shape[0], max(width, picture.shape[1]), 3), PAPER, np.uint8)
    room[:, : picture.shape[1]] = picture
    return room


def _is_named(kernel: Kernel) -> bool:
    """Whether its entries are known as whole numbers over one divisor; others are shown as they are written."""
    return kernel.name in NAMED or kernel.name.partition(":")[0] in FAMILIES


def _texts(kernel: Kernel, matrix: NDArray[Any], limit: float) -> list[list[str]]:
    """The entries in words: fractions where they are exact."""
    if matrix.dtype.kind == "i":
        divisor = 1 if _is_named(kernel) else kernel.divisor
        return [[str(Fraction(entry, divisor)) for entry in row] for row in matrix.tolist()]
    return [[_number(entry, limit) for entry in row] for row in matrix.tolist()]


def _number(value: float, limit: float) -> str:
    """Two or three figures of numbers up to `limit`, all with the same decimals.

    >>> _number(0.023456, 0.1), _number(-2.0, 3.8), _number(0.00000123, 0.00001)
    ('0.023', '-2', '1.2e-06')
    """
    decimals = 2 - math.floor(math.log10(limit)) if limit > 0 else 0
    if not 0 <= decimals <= 4:
        return f"{value:.2g}"
    rounded = f"{round(value, decimals) + 0.0:.{decimals}f}"  # not -0
    return rounded.rstrip("0").rstrip(".") if "." in rounded else rounded


def _key(kernel: Kernel, several: bool) -> Key:
    if several:
        return Key(f"entries of a kernel, each on a scale of its own: {MEANING}", "diverging", _marks("max"))
    largest = np.abs(kernel.matrix).max()
    whole = kernel.matrix.dtype.kind == "i"
    text = str(Fraction(int(largest), kernel.divisor)) if whole else _number(float(largest), float(largest))
    return Key(f"entries of the kernel: {MEANING}", "diverging", _marks(text))


def _marks(largest: str) -> tuple[str, ...]:
    return f"-{largest}", "0", largest
