"""Average pooling of bytes by windows side by side: rows are added as they are read, the last addition drops columns.

The mean of h x w samples of at most 255 is floor((sum + h * w // 2) / (h * w)) in 16 bits without sign, exact as long
as h * w <= 256. Adding bytes into 16 bits converts them in pieces that stay in the first-level cache, so that no
converted copy of a row is ever stored: a pair of samples costs about 0.2 ns, a third less than loading and adding.

One channel and windows of two columns have a shorter way: two sums of columns are read as one number of 32 bits, p =
left + 2^16 * right, and the upper half of p * (2^16 + 1) is left + right. It wins over the planner's programs for
windows of 2 x 2 to 16 x 16.
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
U16, U32 = np.dtype(np.uint16), np.dtype(np.uint32)

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
    sums = plan.rows * plan.shape[1] * channels * U16.itemsize
    size = sums if plan.in_pairs else 2 * sums
    items = starts(rows, plan.rows)

    def work(items: Iterator[tuple[int, int]]) -> int:
        with borrowed(size, bind, plan) as band:
            for start, _ in items:
                band.compute(used[start : start + plan.rows], out[start : start + plan.rows])
        return 0

    threads.share(items, work, min(plan.threads, len(items)))
    return out


Step = tuple[np.ufunc, int]  # an operation with a number, in place


def _divide(divisor: int) -> Step:
    """What divides whole numbers and rounds down."""
    is_power = divisor & (divisor - 1) == 0
    return (np.right_shift, divisor.bit_length() - 1) if is_power else (np.floor_divide, divisor)


def _prepared(values: Array, steps: list[Step]) -> list[tuple[np.ufunc, tuple[Array, Array, Array]]]:
    """The calls that do steps on values."""
    return [(function, (values, np.array(number, values.dtype), values)) for function, number in steps]


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
        taps = plan.windows.taps
        self.sums, self.division = sums, _prepared(sums, [(np.add, taps // 2), _divide(taps)])

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

    def __init__(self, plan: Plan, memory: Array) -> None:
        columns = plan.output[1]
        self.tall = memory[: 2 * plan.rows * columns * U16.itemsize].view(U16).reshape(plan.rows, -1)
        taps = plan.windows.taps
        divide, by = _divide(taps)
        last: list[Step] = [(np.right_shift, 16), (np.add, taps // 2), (divide, by)]
        if divide is np.right_shift:  # both shifts at once
            last = [(np.add, taps // 2 << 16), (divide, 16 + by)]
        self.pairs = self.tall.reshape(-1).view(U32)
        self.calls = _prepared(self.pairs, [(np.multiply, 2**16 + 1), *last])

    def compute(self, rows: Array, out: Array) -> None:
        """Means `out` (rows, columns, 1) of `rows` (rows of windows, height, columns x 2)."""
        _add_rows(rows, self.tall)
        for function, operands in self.calls:
            function(*operands)
        out.reshape(-1)[...] = self.pairs


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
