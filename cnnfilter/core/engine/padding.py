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


@lru_cache(maxsize=256)
def _places(mode: PadMode, length: int, first: int, count: int) -> Indices:
    """`indices`, kept for tiles that lie side by side."""
    found = indices(mode, length, first, count)
    found.flags.writeable = False
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
    out: NDArray[Any] | None = None,
) -> NDArray[np.generic]:
    """Rows first .. first + count of the padded image, as `dtype`: (count, left + width + right, channels).

    `image` is (height, width, channels) and `first` counts from the image's own first row, so that it is negative in
    the padding. With `sum_channels` the channels are added into one. The mode `zero` pads with `fill`. The rows are put
    into `out` where it is given, which may lie in memory in any order.
    """
    height, width, channels = image.shape
    left, right = sides[1]
    band = np.empty((count, left + width + right, 1 if sum_channels else channels), dtype) if out is None else out
    rows = indices(mode, height, first, count)
    inner = band[:, left : left + width]
    inside = slice(max(0, -first), max(0, min(count, height - first)))
    if inside.start < inside.stop:
        _fill(inner[inside], image[first + inside.start : first + inside.stop], sum_channels)
    for i in [*range(min(inside.start, count)), *range(max(inside.stop, inside.start), count)]:
        if rows[i] < 0:
            inner[i] = fill
        else:
            _fill(inner[i : i + 1], image[rows[i] : rows[i] + 1], sum_channels)
    for start, wide in ((0, left), (left + width, right)):
        if wide:
            columns = indices(mode, width, start - left, wide)
            band[:, start : start + wide] = inner[:, columns]
            band[:, start : start + wide][:, columns < 0] = fill
    return band


def padded_tile(
    image: NDArray[np.generic],
    start: tuple[int, int],
    mode: PadMode,
    out: NDArray[Any],
    *,
    sum_channels: bool = False,
) -> None:
    """Put into `out` (rows, columns, channels) the samples from `start` on, a row and a column that may be negative."""
    (top, left), (height, width) = start, out.shape[:2]
    below, beyond = top + height, left + width
    if top >= 0 and left >= 0 and below <= image.shape[0] and beyond <= image.shape[1]:
        _fill(out, image[top:below, left:beyond], sum_channels)
        return
    rows = slice(max(0, -top), min(height, image.shape[0] - top))
    columns = slice(max(0, -left), min(width, image.shape[1] - left))
    if rows.start < rows.stop and columns.start < columns.stop:
        part = image[top + rows.start : top + rows.stop, left + columns.start : left + columns.stop]
        _fill(out[rows, columns], part, sum_channels)
    else:
        rows = columns = slice(0, 0)
    if columns.stop - columns.start < width and rows.start < rows.stop:
        inner = image[top + rows.start : top + rows.stop]
        for beside in (slice(0, columns.start), slice(columns.stop, width)):
            if beside.start < beside.stop:
                across = _places(mode, image.shape[1], left + beside.start, beside.stop - beside.start)
                _gather(inner, None, across, out[rows, beside], sum_channels)
    for beside in (slice(0, rows.start), slice(rows.stop, height)):
        if beside.start < beside.stop:
            down = _places(mode, image.shape[0], top + beside.start, beside.stop - beside.start)
            across = _places(mode, image.shape[1], left, width)
            _gather(image, down, across, out[beside], sum_channels)


def _gather(
    image: NDArray[np.generic],
    rows: Indices | None,
    columns: Indices,
    out: NDArray[Any],
    sum_channels: bool,
) -> None:
    """Samples of rows (all for None) and columns, zero where an index is negative."""
    if (rows is not None and rows[0] < 0) or (columns < 0).all():
        out[...] = 0
        return
    _fill(out, image[:, columns] if rows is None else image[rows[:, None], columns], sum_channels)
    if columns[0] < 0 or columns[-1] < 0:
        out[:, columns < 0] = 0


def _fill(target: NDArray[np.generic], rows: NDArray[np.generic], sum_channels: bool) -> None:
    if sum_channels:
        np.sum(rows, axis=2, dtype=target.dtype, out=target[:, :, 0])
    else:
        np.copyto(target, rows, casting="unsafe")
