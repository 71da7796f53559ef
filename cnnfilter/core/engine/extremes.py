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
from cnnfilter.core.engine.bands import starts
from cnnfilter.core.engine.scratch import borrowed
from cnnfilter.core.engine.task import Shape3
from cnnfilter.core.geometry import Sides, Windows

Array = NDArray[Any]

BAND = 2 << 20  # bytes of a band of the input


@dataclass(frozen=True, eq=False)
class Plan:
    """What is pooled to `output`, in bands of `shape` (rows of the output, padded columns, channels)."""

    reduce: np.ufunc
    dtype: np.dtype[Any]
    windows: Windows
    sides: Sides
    fill: float
    shape: Shape3
    output: Shape3
    width: int  # of the image
    threads: int


def plan(reduce: np.ufunc, image: Array, windows: Windows, sides: Sides, fill: float) -> Plan:
    """The plan for images of (height, width, channels) like this one.

    `sides` is the padding that windows reach into, whose value `fill` never wins.
    """
    count = threads.threads_for(image.size)
    return _plan(reduce, image.shape, image.dtype.newbyteorder("="), windows, sides, fill, count)


@functools.lru_cache(maxsize=32)
def _plan(
    reduce: np.ufunc,
    shape: Shape3,
    dtype: np.dtype[Any],
    windows: Windows,
    sides: Sides,
    fill: float,
    count: int,
) -> Plan:
    stride_y, stride_x = windows.stride
    rows, columns = windows.output_size(shape[0], shape[1])
    width = -(-(shape[1] + sum(sides[1])) // stride_x) * stride_x
    row = width * shape[2] * dtype.itemsize
    many = max(1, min(BAND // (row * stride_y), -(-rows // count)))
    output = rows, columns, shape[2]
    return Plan(reduce, dtype, windows, sides, fill, (many, width, shape[2]), output, shape[1], count)


def run(plan: Plan, image: Array) -> Array:
    """Maxima or minima, (rows, columns, channels), of an image of (height, width, channels)."""
    out = outputs.empty(plan.output, plan.dtype)
    many, width, channels = plan.shape
    size = 2 * many * width * channels * plan.dtype.itemsize
    items = starts(plan.output[0], many)

    def work(items: Iterator[tuple[int, int]]) -> int:
        with borrowed(size, functools.partial(_Band, plan), plan) as band:
            for start, _ in items:
                band.compute(image, start, out[start : start + many])
        return 0

    threads.share(items, work, min(plan.threads, len(items)))
    return out


class _Band:
    """A plan bound to scratch memory: views are made once, so that between two operations there is little else."""

    def __init__(self, plan: Plan, memory: Array) -> None:
        self.plan, self.reduce, self.windows = plan, plan.reduce, plan.windows
        length = math.prod(plan.shape)
        tall, spare = memory[: 2 * length * plan.dtype.itemsize].view(plan.dtype).reshape(2, -1)
        padded, left = tall.reshape(plan.shape), plan.sides[1][0]
        self.inner = padded[:, left : left + plan.width]
        self.outside = [part for part in (padded[:, :left], padded[:, left + plan.width :]) if part.size]
        self.taps = range(0, self.windows.extent[0], self.windows.dilation[0])
        self.columns: list[tuple[Array, Array, Array]] = []
        flat = self._lay_columns(tall, spare, length)
        self.lowest = self._lowest(flat)
        self.kept = self._kept(flat)

    def compute(self, image: Array, start: int, out: Array) -> None:
        """Make the rows of the output from `start` on."""
        for part in self.outside:
            part.fill(self.plan.fill)
        inner, step = self.inner, self.windows.stride[0]
        top, span = start * step - self.plan.sides[0][0], (len(inner) - 1) * step + 1
        if top < 0 or top + span + self.taps[-1] > len(image):
            self._rows(image, start)
        elif len(self.taps) == 1:
            inner[...] = image[top : top + span : step]
        else:
            first, second, *others = [image[top + tap : top + tap + span : step] for tap in self.taps]
            self.reduce(first, second, out=inner)
            for rows in others:
                self.reduce(inner, rows, out=inner)
        for left, right, target in self.columns:
            self.reduce(left, right, out=target)
        if self.lowest:
            out[:, :, 0].view(self.lowest)[...] = self.kept
        elif self.windows.stride[1] == 1:
            out[...] = self.kept
        else:
            for channel in range(out.shape[2]):
                out[:, :, channel] = self.kept[:, :, channel]

    def _rows(self, image: Array, start: int) -> None:
        """Reduce windows along columns where some reach beyond the image; rows in the padding are left out."""
        inner, met = self.inner, list(self._met(image, start, len(self.inner)))
        if [high - low for low, high, _ in met[:2]] == [len(inner)] * 2:
            (_, _, first), (_, _, second), *met = met
            self.reduce(first, second, out=inner)
        else:
            inner.fill(self.plan.fill)
        for low, high, rows in met:
            self.reduce(inner[low:high], rows, out=inner[low:high])

    def _met(self, image: Array, start: int, count: int) -> Iterator[tuple[int, int, Array]]:
        """(low, high, the rows of the image that this row of the windows meets in rows low to high of the output)."""
        step, height = self.windows.stride[0], image.shape[0]
        for tap in self.taps:
            first = start * step - self.plan.sides[0][0] + tap
            low, high = max(0, -(first // step)), min(count, (height - 1 - first) // step + 1)
            if low < high:
                yield low, high, image[first + low * step : first + (high - 1) * step + 1 : step]

    def _lay_columns(self, now: Array, spare: Array, length: int) -> Array:
        """Lay down what reduces windows along rows, over rows' ends: what comes from there is not kept."""
        size, shift = self.windows.size[1], self.windows.dilation[1] * self.plan.shape[2]
        done = 1
        while done < size:
            further = min(done, size - done)
            rest = length - further * shift  # some is left: no window is wider than a row with its padding
            self.columns.append((now[:rest], now[further * shift : length], spare[:rest]))
            now, spare, length = spare, now, rest
            done += further
        return now

    def _lowest(self, flat: Array) -> np.dtype[Any] | None:
        """The type to cast stride columns at a time to, where that keeps the first of them: their lowest part."""
        wide = flat.itemsize * self.windows.stride[1]
        alone = self.plan.shape[2] == 1 and sys.byteorder == "little"
        return np.dtype(f"u{flat.itemsize}") if alone and wide in (2, 4, 8) and flat.itemsize < wide else None

    def _kept(self, flat: Array) -> Array:
        """Every stride-th column, or what holds it in its lowest part."""
        rows, _, channels = self.plan.shape
        stride, columns = self.windows.stride[1], self.plan.output[1]
        if self.lowest:
            return flat.view(f"u{flat.itemsize * stride}").reshape(rows, -1)[:, :columns]
        return flat.reshape(rows, -1, channels)[:, ::stride][:, :columns]
