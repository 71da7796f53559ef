"""Numbers as colours: a diverging scale centred on zero, and matrices as labelled cells."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnfilter.images import lettering

RGB = NDArray[np.uint8]
# Blue for negative, white for zero, red for positive; readable for colour-blind people, too.
# Source: the five colours of RdBu, Brewer and Harrower, "ColorBrewer", 2003.
_STOPS = np.array([(5, 113, 176), (146, 197, 222), (247, 247, 247), (244, 165, 130), (202, 0, 32)], np.float64)
LINE = (170, 170, 170)
LARGEST_CELL = 56
# Cells from this size have lines between them.
LEAST_LINED = 6
LEAST_TEXT, LARGEST_TEXT = 9, 18


def diverging(values: NDArray[Any], limit: float) -> RGB:
    """Values (height, width) as colours (height, width, 3): blue at -limit, white at zero, red at limit.

    >>> diverging(np.array([[-2.0, 0.0, 2.0]]), 2.0).tolist()
    [[[5, 113, 176], [247, 247, 247], [202, 0, 32]]]
    """
    shares = np.clip(np.nan_to_num(values / (limit or 1.0)), -1, 1)
    places = np.linspace(-1, 1, len(_STOPS))
    channels = [np.interp(shares, places, _STOPS[:, channel]) for channel in range(3)]
    return np.floor(np.stack(channels, axis=-1) + 0.5).astype(np.uint8)


def cell_size(shape: tuple[int, int], box: tuple[int, int]) -> int:
    """The side of a cell, so that a matrix of `shape` fits into a box (height, width); 0 if it does not."""
    return min(LARGEST_CELL, (box[0] - 1) // shape[0], (box[1] - 1) // shape[1])


def heatmap(
    values: NDArray[Any], limit: float, cell: int, texts: Sequence[Sequence[str]] = (), text_size: int = 0
) -> RGB:
    """A matrix (height, width) as square cells of `cell` pixels, lines between them, with `texts` in `text_size`.

    The picture has cell x height + 1 rows and cell x width + 1 columns; cell (y, x) begins at (y x cell, x x cell) with
    its line.

    >>> heatmap(np.array([[-1, 0, 1]]), 1, 40).shape
    (41, 121, 3)
    """
    height, width = values.shape
    picture = np.empty((height * cell + 1, width * cell + 1, 3), np.uint8)
    picture[:-1, :-1] = diverging(values, limit).repeat(cell, 0).repeat(cell, 1)
    picture[-1], picture[:, -1] = LINE, LINE
    lined = cell >= LEAST_LINED
    picture[:: cell if lined else height * cell] = LINE
    picture[:, :: cell if lined else width * cell] = LINE
    for y, row in enumerate(texts if text_size else ()):
        for x, text in enumerate(row):
            top = y * cell + (cell - lettering.line_height(text_size)) // 2 + 1
            left = x * cell + (cell - lettering.text_width(text, text_size)) // 2 + 1
            dark = abs(float(values[y, x])) > 0.75 * limit
            lettering.write(picture, top, left, text, text_size, (255, 255, 255) if dark else lettering.BLACK)
    return picture


def fitting_size(texts: Iterable[str], cell: int) -> int:
    """The largest size in which every text fits into a cell; 0 if none does."""
    longest = sorted(set(texts), key=len)[-8:]
    for size in range(min(LARGEST_TEXT, cell // 2), LEAST_TEXT - 1, -1):
        if all(lettering.text_width(text, size) <= cell - 4 for text in longest):
            return size
    return 0
