"""Average pooling of bytes by windows side by side: rows are added as they are read, the last addition drops columns.

The mean of h x w samples of at most 255 is floor((sum + h * w // 2) / (h * w)) in 16 bits without sign, exact as long
as h * w <= 256. Adding bytes into 16 bits converts them in pieces that stay in the first-level cache, so that no
converted copy of a row is ever stored: a pair of samples costs about 0.2 ns, a third less than loading and adding.

One channel and windows of two columns have a shorter way, on pairs of bytes read as one number p = left + 256 * right:
with S the sum of all p modulo 2^16 and R that of their right halves, the sum of the window is S - 255 * R.
It wins over the planner's programs for windows of 2 x 2 to 16 x 16.
"""

import functools
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnfilter.core.engine import outputs, threads
from cnnfilter.core.engine.bands import starts
from cnnfilter.core.engine.scratch import borrowed
from cnnfilter.core.engine.task import Shape3
from cnnfilter.core.geometry import Windows

Array = NDArray[Any]
U16 = np.dtype(np.uint16)

# Bytes of a band of the input.
BAND = 1 << 20
LARGEST = 256


@dataclass(frozen=True)
class Plan:
    """Means of windows of an image of `shape`, `rows` rows of the output at a time."""

    shape: Shape3
    windows: Windows
    output: Shape3
    rows: int
    threads: int

    @property
    def in_pairs(self) -> bool:
        """Whether two columns of one channel are read as one number."""
        return self.shape[2] == 1 and self.windows.size[1] == 2 and sys.byteorder == "little"


def plan(image: Array, windows: Windows) -> Plan | None:
    """The plan for means of (height, width, channels); None unless these are bytes and windows lie side by side."""
    height, width = windows.size
    simple = windows == Windows(windows.size, windows.size) and 1 < height * width <= LARGEST
    if image.dtype != np.uint8 or not simple or not image.flags.c_contiguous:
        return None
    return _plan(image.shape, windows, threads.threads_for(image.size))


@functools.lru_cache(maxsize=32)
def _plan(shape: Shape3, windows: Windows, count: int) -> Plan:
    rows, columns = windows.output_size(shape[0], shape[1])
    row = shape[1] * shape[2] * windows.size[0]
    return Plan(shape, windows, (rows, columns, shape[2]), max(1, min(BAND // row, -(-rows // count))), count)


def run(plan: Plan, image: Array) -> Array:
    """The means, (rows, columns, channels), rounded to nearest, halves up."""
    rows, columns, channels = plan.output
    out = outputs.empty(plan.output, np.uint8)
    height, width = plan.windows.size
    used = image[: rows * height].reshape(rows, height, -1)[:, :, : columns * width * channels]
    bind: Callable[[Array], _Pairs | _Sums] = functools.partial(_Pairs if plan.in_pairs else _Sums, plan)
    size = 2 * plan.rows * plan.shape[1] * channels * U16.itemsize
    items = starts(rows, plan.rows)

    def work(items: Iterator[tuple[int, int]]) -> int:
        with borrowed(size, bind, plan) as band:
            for start, _ in items:
                band.compute(used[start : start + plan.rows], out[start : start + plan.rows])
        return 0

    threads.share(items, work, min(plan.threads, len(items)))
    return out


def _division(sums: Array, divisor: int) -> list[tuple[np.ufunc, tuple[Array, Array, Array]]]:
    """The calls that put quotients of sums in their place, rounded to nearest, halves up."""
    is_power = divisor & (divisor - 1) == 0
    divide, by = (np.right_shift, divisor.bit_length() - 1) if is_power else (np.floor_divide, divisor)
    return [(np.add, (sums, np.array(divisor // 2, U16), sums)), (divide, (sums, np.array(by, U16), sums))]


class _Sums:
    """Rows of windows are added up, then their columns."""

    def __init__(self, plan: Plan, memory: Array) -> None:
        _, columns, channels = plan.output
        width = plan.windows.size[1]
        size = length = plan.rows * columns * width * channels
        tall, spare = _halves(memory)
        self.tall = tall[:size].reshape(plan.rows, -1)
        self.adds: list[tuple[Array, Array, Array]] = []
        done = 1
        while width % 2 == 0 and width > 2:  # sums of 2, 4, ... columns in place; between them lies what nobody reads
            rest = length - done * channels
            self.adds.append((tall[:rest], tall[done * channels : length], tall[:rest]))
            done, width, length = done * 2, width // 2, rest
        sums = spare[: plan.rows * columns * channels].reshape(plan.rows, columns, channels)
        parts = tall[:size].reshape(plan.rows, columns, -1, channels)[:, :, ::done]
        self.alone: list[tuple[Array, Array]] = []
        for channel in range(channels):
            total, first = sums[:, :, channel], parts[:, :, 0, channel]
            if width == 1:
                self.alone.append((total, first))
            for part in range(1, width):
                self.adds.append((first if part == 1 else total, parts[:, :, part, channel], total))
        self.sums, self.division = sums, _division(sums, plan.windows.taps)

    def compute(self, rows: Array, out: Array) -> None:
        """Means `out` (rows, columns, channels) of `rows` (rows of windows, height, columns x width x channels)."""
        _add_rows(rows, self.tall)
        for left, right, total in self.adds:
            np.add(left, right, total)
        for total, first in self.alone:
            total[...] = first
        for function, operands in self.division:
            function(*operands)
        out[...] = self.sums


class _Pairs:
    """Windows of two columns of one channel."""

    EIGHT, MINUS_255 = np.array(8, U16), np.array(2**16 - 255, U16)

    def __init__(self, plan: Plan, memory: Array) -> None:
        columns = plan.output[1]
        first, second = _halves(memory)
        self.sums = first[: plan.rows * columns].reshape(plan.rows, columns)
        self.half = second[: plan.rows * columns].reshape(plan.rows, columns)
        self.division = _division(self.sums, plan.windows.taps)

    def compute(self, rows: Array, out: Array) -> None:
        """Means `out` (rows, columns, 1) of `rows` (rows of windows, height, columns x 2)."""
        sums, half = self.sums, self.half
        pairs = rows.view(U16)
        if not pairs.flags.aligned:
            pairs = np.ascontiguousarray(rows).view(U16)
        first, *others = lines = [pairs[:, row] for row in range(pairs.shape[1])]
        np.right_shift(first, self.EIGHT, sums)
        for line in others:
            np.right_shift(line, self.EIGHT, half)
            np.add(sums, half, sums)
        np.multiply(sums, self.MINUS_255, sums)
        for line in lines:
            np.add(sums, line, sums)
        for function, operands in self.division:
            function(*operands)
        out[:, :, 0] = sums


def _halves(memory: Array) -> Array:
    """Two scratch arrays of equal length."""
    return memory[: memory.size // 4 * 4].view(U16).reshape(2, -1)


def _add_rows(rows: Array, total: Array) -> None:
    """Add up `rows` (rows of windows, height, samples) over the height, bytes into 16 bits."""
    height = rows.shape[1]
    if height == 1:
        total[...] = rows[:, 0]
        return
    np.add(rows[:, 0], rows[:, 1], out=total, dtype=U16)
    for row in range(2, height):
        np.add(total, rows[:, row], out=total, dtype=U16)
