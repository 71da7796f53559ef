"""What lies beyond the border of an image, and bands of padded rows."""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnfilter.core.geometry import PadMode, Sides

Indices = NDArray[np.intp]


def indices(mode: PadMode, length: int, first: int, count: int) -> Indices:
    """The samples that positions first, first + 1, ... of an axis of `length` samples take; -1 stands for zero.

    The modes mean what they mean to np.pad in NumPy 2, for any distance from the border.

    >>> indices("reflect", 4, -3, 10).tolist()
    [3, 2, 1, 0, 1, 2, 3, 2, 1, 0]
    """
    i = np.arange(first, first + count)
    if mode == "edge":
        return np.clip(i, 0, length - 1)
    if mode == "wrap":
        return np.asarray(i % length)
    if mode == "zero":
        return np.where((i >= 0) & (i < length), i, -1)
    if mode == "symmetric":
        i = i % (2 * length)
        return np.minimum(i, 2 * length - 1 - i)
    period = max(2 * (length - 1), 1)  # reflect repeats the one sample of an axis of length 1
    i = i % period
    return np.minimum(i, period - i) if length > 1 else np.zeros_like(i)


@lru_cache(maxsize=4096)
def index(mode: PadMode, length: int, position: int) -> int:
    """The sample that one position takes, as `indices` says."""
    return int(indices(mode, length, position, 1)[0])


def places(mode: PadMode, length: int, first: int, count: int) -> slice | Indices | None:
    """What positions beyond a border take, as `indices` says: a slice where they are evenly apart; None for zeros.

    One sample for all of them is a slice of length 1.

    >>> places("reflect", 4, -3, 3), places("edge", 4, 4, 2), places("zero", 4, 4, 2)
    (slice(3, 0, -1), slice(3, 4, 1), None)
    """
    found = indices(mode, length, first, count)
    start, end = int(found[0]), int(found[-1])
    if start < 0:
        return None
    if (found == start).all():
        return slice(start, start + 1, 1)
    step = 1 if end > start else -1
    if (np.diff(found) == step).all():
        return slice(start, end + step if end + step >= 0 else None, step)
    return found


def padded_rows(
    image: NDArray[np.generic],
    first: int,
    count: int,
    sides: Sides,
    mode: PadMode,
    dtype: np.dtype[np.generic],
    *,
    sum_channels: bool = False,
    fill: float = 0,
) -> NDArray[np.generic]:
    """Rows first .. first + count of the padded image, as `dtype`: (count, left + width + right, channels).

    `image` is (height, width, channels) and `first` counts from the image's own first row, so that it is negative in
    the padding. With `sum_channels` the channels are added into one. The mode `zero` pads with `fill`.
    """
    left, right = sides[1]
    channels = 1 if sum_channels else image.shape[2]
    band = np.empty((count, left + image.shape[1] + right, channels), dtype)
    padded_tile(image, (first, -left), mode, band, sum_channels=sum_channels, fill=fill)
    return band


def padded_tile(
    image: NDArray[np.generic],
    start: tuple[int, int],
    mode: PadMode,
    out: NDArray[Any],
    *,
    sum_channels: bool = False,
    fill: float = 0,
) -> None:
    """Put into `out` (rows, columns, channels) the samples from `start` on, a row and a column that may be negative.

    Channels and `fill` are as in `padded_rows`; `out` may lie in memory in any order.
    """
    across = _parts(mode, image.shape[1], start[1], out.shape[1])
    for target_rows, rows in _parts(mode, image.shape[0], start[0], out.shape[0]):
        for target_columns, columns in across:
            if rows is None or columns is None:
                out[target_rows, target_columns] = fill
            elif sum_channels:
                _add_up(_picked(image, rows, columns), out[target_rows, target_columns])
            else:
                out[target_rows, target_columns] = _picked(image, rows, columns)


@lru_cache(maxsize=256)
def _parts(mode: PadMode, length: int, first: int, count: int) -> tuple[tuple[slice, slice | Indices | None], ...]:
    """(positions, what they take) of those before, within and after an axis of `length` samples.

    Positions count from `first`, samples as in `places`.
    """
    begin = min(count, max(0, -first))
    end = max(begin, min(count, length - first))
    beyond = [(lo, hi) for lo, hi in ((0, begin), (end, count)) if lo < hi]
    found = [(slice(lo, hi), places(mode, length, first + lo, hi - lo)) for lo, hi in beyond]
    if begin < end:
        found.append((slice(begin, end), slice(first + begin, first + end)))
    return tuple(found)


def _picked(image: NDArray[Any], rows: slice | Indices, columns: slice | Indices) -> NDArray[Any]:
    """Those rows and columns; no copy where both are slices."""
    if isinstance(rows, slice) or isinstance(columns, slice):
        return image[rows, columns]
    return image[np.ix_(rows, columns)]


def _add_up(pixels: NDArray[np.generic], target: NDArray[Any]) -> None:
    """Put the sums of the channels into one."""
    pixels = np.broadcast_to(pixels, (*target.shape[:2], pixels.shape[2]))
    np.sum(pixels, axis=2, dtype=target.dtype, out=target[:, :, 0])
