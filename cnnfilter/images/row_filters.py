"""The five filters of PNG, which replace the bytes of a row by their differences from a prediction.

The prediction of a byte is made of the same byte of the pixel to the left, of the pixel above it, and of the one at the
corner between them. All arithmetic is modulo 256, as the format wants it, and stays within eight bits. Source:
"Portable Network Graphics (PNG) Specification (Third Edition)", W3C, 2025, section 9.
"""

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]

NONE, SUB, UP, AVERAGE, PAETH = KINDS = range(5)
BLOCK_BYTES = 1 << 16  # are filtered at a time, so that the steps of one filter stay in the cache


def filtered(now: Bytes, before: Bytes, kind: int, step: int) -> Bytes:
    """Rows (rows, bytes of a row) filtered by `kind` and led by its number; `before` has the row above each of them.

    `step` is the number of bytes of a pixel. Both are contiguous.

    >>> filtered(np.uint8([[5, 9, 9]]), np.uint8([[5, 5, 5]]), SUB, 1).tolist()
    [[1, 5, 4, 0]]
    """
    rows, width = now.shape
    out = np.empty((rows, width + 1), np.uint8)
    out[:, 0] = kind
    many = max(1, BLOCK_BYTES // width)
    for first in range(0, rows, many):
        block = slice(first, first + many)
        _subtract_prediction(now[block], before[block], kind, step, out[block, 1:])
    return out


def _subtract_prediction(now: Bytes, before: Bytes, kind: int, step: int, out: Bytes) -> None:
    if kind == NONE:
        out[...] = now
    elif kind == UP:
        np.subtract(now, before, out=out)
    elif kind == SUB:
        out[:, :step] = now[:, :step]
        np.subtract(now[:, step:], now[:, :-step], out=out[:, step:])
    else:
        above = before[:, :step]  # all that the first pixel has to go by
        np.subtract(now[:, :step], above >> 1 if kind == AVERAGE else above, out=out[:, :step])
        predicted = np.empty(now.shape, np.uint8)
        # All rows as one: what the end of a row predicts for the start of the next is not used.
        left, above, corner = now.ravel()[:-step], before.ravel()[step:], before.ravel()[:-step]
        predict = predict_average if kind == AVERAGE else predict_paeth
        predict(left, above, corner, predicted.ravel()[step:])
        np.subtract(now[:, step:], predicted[:, step:], out=out[:, step:])


def predict_average(left: Bytes, above: Bytes, corner: Bytes, out: Bytes) -> None:
    """The mean of left and above, rounded down: their common bits and half of the others."""
    np.bitwise_xor(left, above, out=out)
    out >>= 1
    out += left & above


def predict_paeth(left: Bytes, above: Bytes, corner: Bytes, out: Bytes) -> None:
    """Whichever is nearest to left + above - corner; of equally near ones left, then above, comes first.

    Let low and high be the two neighbours in order. A corner beyond one of them gives the other. Of a corner between
    them, `over` = corner - low and `under` = high - corner, the distances are `over` to high, `under` to low and
    `|over - under|` to the corner: high is nearest if 2 over <= under, low if 2 under <= over. If negative differences
    count as zero, both hold beyond the neighbours as well, so that the answer is always one of corner + under,
    corner - over and corner.
    """
    low, high = np.minimum(left, above), np.maximum(left, above)
    over, under = np.maximum(corner, low), np.minimum(corner, high)
    over -= low
    np.subtract(high, under, out=under)
    takes_high = np.less_equal(over, np.right_shift(under, 1, out=low), out=low.view(np.bool_)).view(np.uint8)
    takes_low = np.less_equal(under, np.right_shift(over, 1, out=high), out=high.view(np.bool_)).view(np.uint8)
    under *= takes_high
    over *= takes_low
    np.add(corner, under, out=out)
    out -= over
