"""Maximum and minimum pooling: rows with rows, then flat rows with themselves, then the columns that are kept.

Windows of 1, 2, 4, ... columns are reduced by one operation on the whole band each, the last two of them overlapping,
so that a window of k columns takes log2(k) operations.
"""

import functools
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnfilter.core.engine import outputs, threads
from cnnfilter.core.engine.scratch import borrowed
from cnnfilter.core.engine.task import Shape3
from cnnfilter.core.geometry import Sides, Windows

Array = NDArray[Any]

BAND = 2 << 20  # bytes of a band of the input


def pooled(reduce: np.ufunc, image: Array, windows: Windows, sides: Sides, fill: float) -> Array:
    """Maxima or minima, (rows, columns, channels), of an image of (height, width, channels).

    `sides` is the padding that windows reach into, whose value `fill` never wins.
    """
    threads_worth = threads.threads_for(image.size)
    plan = _plan(reduce, image.shape, image.dtype.newbyteorder("="), windows, sides, fill, threads_worth)
    rows, columns = windows.output_size(*image.shape[:2])
    out = outputs.empty((rows, columns, image.shape[2]), plan.dtype)
    many, width, channels = plan.shape
    size = 2 * many * width * channels * plan.dtype.itemsize

    def work(starts: Iterator[int]) -> int:
        with borrowed(size, functools.partial(_Band, plan), plan) as band:
            for start in starts:
                band.compute(image, start, out[start : start + many])
        return 0

    threads.share(range(0, rows, many), work, min(threads_worth, -(-rows // many)))
    return out


@dataclass(frozen=True, eq=False)
class _Plan:
    """What is pooled, in bands of `shape` (rows of the output, padded columns, channels)."""

    reduce: np.ufunc
    dtype: np.dtype[Any]
    windows: Windows
    sides: Sides
    fill: float
    shape: Shape3


@functools.lru_cache(maxsize=32)
def _plan(
    reduce: np.ufunc,
    shape: Shape3,
    dtype: np.dtype[Any],
    windows: Windows,
    sides: Sides,
    fill: float,
    count: int,
) -> _Plan:
    stride_y, stride_x = windows.stride
    rows = windows.output_size(shape[0], shape[1])[0]
    width = -(-(shape[1] + sum(sides[1])) // stride_x) * stride_x
    row = width * shape[2] * dtype.itemsize
    many = max(1, min(BAND // (row * stride_y), -(-rows // count)))
    return _Plan(reduce, dtype, windows, sides, fill, (many, width, shape[2]))


class _Band:
    """A plan bound to scratch memory; makes bands of the output."""

    def __init__(self, plan: _Plan, memory: Array) -> None:
        self.plan, self.shape, self.windows, self.sides = plan, plan.shape, plan.windows, plan.sides
        self.reduce, self.fill = plan.reduce, plan.fill
        size = 2 * math.prod(plan.shape)
        self.tall, self.spare = memory[: size * plan.dtype.itemsize].view(plan.dtype).reshape(2, -1)

    def compute(self, image: Array, start: int, out: Array) -> None:
        """Make the rows of the output from `start` on."""
        left, width = self.sides[1][0], image.shape[1]
        padded = self.tall.reshape(self.shape)[: len(out)]
        inner = padded[:, left : left + width]
        if padded.shape[1] > width:
            padded[:, :left] = padded[:, left + width :] = self.fill
        self._rows(image, start, inner)
        self._keep(self._columns(padded.size), out)

    def _rows(self, image: Array, start: int, inner: Array) -> None:
        """Reduce windows along columns; rows in the padding are left out."""
        taps = list(self._taps(image, start, len(inner)))
        (low, high, first), (other_low, other_high, second) = (*taps, *[(0, 0, inner)] * 2)[:2]
        if high - low == other_high - other_low == len(inner):
            self.reduce(first, second, out=inner)
            taps = taps[2:]
        else:
            inner[...] = self.fill
        for low, high, rows in taps:
            self.reduce(inner[low:high], rows, out=inner[low:high])

    def _taps(self, image: Array, start: int, count: int) -> Iterator[tuple[int, int, Array]]:
        """(low, high, the rows of the image that this row of the windows meets in rows low to high of the output)."""
        step, height = self.windows.stride[0], image.shape[0]
        for tap in range(0, self.windows.extent[0], self.windows.dilation[0]):
            first = start * step - self.sides[0][0] + tap
            low, high = max(0, -(first // step)), min(count, (height - 1 - first) // step + 1)
            if low < high:
                yield low, high, image[first + low * step : first + (high - 1) * step + 1 : step]

    def _columns(self, length: int) -> Array:
        """Reduce windows along rows, over rows' ends: what comes from there is not kept."""
        now, spare = self.tall, self.spare
        size, shift = self.windows.size[1], self.windows.dilation[1] * self.shape[2]
        done = 1
        while done < size:
            further = min(done, size - done)
            rest = length - further * shift  # some is left: no window is wider than a row with its padding
            self.reduce(now[:rest], now[further * shift : length], out=spare[:rest])
            now, spare, length = spare, now, rest
            done += further
        return now

    def _keep(self, flat: Array, out: Array) -> None:
        """Every stride-th column; of one channel by a cast that keeps the lowest part."""
        stride, columns = self.windows.stride[1], out.shape[1]
        wide = flat.itemsize * stride
        if self.shape[2] == 1 and wide in (2, 4, 8) and flat.itemsize < wide and sys.byteorder == "little":
            groups = flat.view(f"u{wide}").reshape(self.shape[0], -1)[: len(out), :columns]
            np.copyto(out[:, :, 0].view(f"u{flat.itemsize}"), groups, casting="unsafe")
            return
        kept = flat.reshape(self.shape)[: len(out), ::stride][:, :columns]
        if stride == 1:
            np.copyto(out, kept)
            return
        for channel in range(out.shape[2]):
            np.copyto(out[:, :, channel], kept[:, :, channel])
