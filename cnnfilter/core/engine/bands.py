"""Carrying out a plan: bands of rows are loaded, padded, computed and stored, by one thread or several."""

import functools
import operator
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnfilter.core.engine import outputs, threads
from cnnfilter.core.engine.layout import BandPlan, Call, Load, Picking, Span
from cnnfilter.core.engine.padding import index, places
from cnnfilter.core.engine.scratch import borrowed

Array = NDArray[Any]
Prepared = tuple[Callable[..., Any], tuple[Any, ...]]  # a function and what it is called with


def run(plan: BandPlan, image: Array) -> tuple[Array, int]:
    """(samples, number of values clipped) for an image of (height, width, channels).

    The number is 0 for plans that do not count.
    """
    rows = plan.output[0]
    out = outputs.empty(plan.output, plan.finish.output)
    flat = out.reshape(rows, -1)
    items = starts(rows, plan.rows)
    size = plan.layout.size * plan.finish.dtype.itemsize  # the layout is made once, before threads share it

    def work(items: Iterator[tuple[int, int]]) -> int:
        clipped = 0
        with borrowed(size, functools.partial(Band, plan), plan) as band:
            for start, new in items:
                clipped += band.compute(image, flat[start : start + plan.rows], start, new)
        return clipped

    return out, threads.share(items, work, min(plan.threads, len(items)))


@functools.lru_cache(maxsize=16)
def starts(total: int, rows: int) -> tuple[tuple[int, int], ...]:
    """(first row to compute, first row that no other band makes) of bands that cover `total` rows.

    The last band overlaps the one before, so that one layout serves all.
    """
    last = max(0, total - rows)
    return tuple((min(first, last), first) for first in range(0, total, rows))


class Band:
    """A plan bound to scratch memory: views are made once, then every band of every image is the same calls.

    What is computed is one loop over them. An array operation drives the interpreter's own code out of the cache, so
    that every Python function after it takes microseconds, in which other threads wait for the interpreter's lock; of
    the calls only that of clip has one inside.
    """

    def __init__(self, plan: BandPlan, scratch: Array) -> None:
        layout = plan.layout
        self.plan = plan
        self.flat = scratch[: layout.size * plan.finish.dtype.itemsize].view(plan.finish.dtype)
        rows = [self._rows(load.out, load.rows, plan.pitch) for load in layout.loads]
        left, step = plan.windows.padding[1][0], plan.windows.stride[0]
        self.loads = [  # each with its place between the pads, and the rows of the image from its first to its last
            (load, padded[:, left : left + plan.shape[1]], (load.rows - 1) * step + 1)
            for load, padded in zip(layout.loads, rows, strict=True)
        ]
        self.calls: list[Prepared] = [pad for padded in rows for pad in self._column_pads(padded)]
        for call in layout.calls:
            self.calls += self._picks(call) if isinstance(call, Picking) else [self._bound(call)]
        width = plan.output[1] * plan.output[2]
        self.result = self._of(layout.result).reshape(plan.rows, layout.result_pitch)[:, :width]
        divides = plan.finish.output.kind == "f" and plan.finish.divisor > 1
        self.divisor = np.float32(plan.finish.divisor) if divides else None
        self.flags: Array | None = None
        if layout.flags:
            self.flags = self._flags(layout.flags).reshape(plan.rows, layout.result_pitch)[:, :width]

    def compute(self, image: Array, out: Array, start: int, new: int) -> int:
        """Make the output's rows from `start` on, `out`; the number of values clipped in rows from `new` on."""
        plan = self.plan
        step = plan.windows.stride[0]
        first = start * step - plan.windows.padding[0][0]
        for load, inner, reach in self.loads:
            top = first + load.phase
            if top < 0 or top + reach > len(image) or plan.sum_channels:
                self._load(image, load, inner, top)
            else:
                inner[...] = image[top : top + reach : step]
        for function, operands in self.calls:
            function(*operands)
        if self.divisor is not None:
            np.divide(self.result, self.divisor, out=out, dtype=np.float32, casting="unsafe")
        else:
            out[...] = self.result
        return 0 if self.flags is None else int(np.count_nonzero(self.flags[new - start :]))

    def _of(self, span: Span) -> Array:
        return self.flat[span.start : span.start + span.length]

    def _flags(self, span: Span) -> Array:
        return self._of(span).view(np.bool_)[: span.length]

    def _rows(self, span: Span, rows: int, pitch: int) -> Array:
        """`rows` rows from the start of a span, (rows, columns, channels)."""
        values = self.flat[span.start : span.start + rows * pitch]
        return values.reshape(rows, -1, self.plan.channels)

    def _bound(self, call: Call) -> Prepared:
        operands = [self._of(x) if isinstance(x, Span) else x for x in call.operands]
        if call.function is np.greater:
            return np.greater, (operands[0].view(operands[1].dtype), operands[1], self._flags(call.out))
        return call.function, (*operands, self._of(call.out))

    def _picks(self, call: Picking) -> list[Prepared]:
        """Copies of every stride-th column, a channel each; of one channel by a cast that keeps the lower half."""
        plan, step = self.plan, self.plan.windows.stride[1]
        source = self._rows(call.source, call.rows, plan.pitch)[:, call.phase :: step]
        target = self._rows(call.out, call.rows, plan.narrow)
        width = min(source.shape[1], target.shape[1])
        source, target = source[:, :width], target[:, :width]
        wide = source.itemsize * step
        aligned = call.source.start * source.itemsize % wide == 0 and call.phase == 0 and wide in (4, 8)
        if plan.channels == 1 and aligned and sys.byteorder == "little":
            groups = self._rows(call.source, call.rows, plan.pitch)[:, :, 0].view(f"u{wide}")[:, :width]
            return [_copy(target[:, :, 0].view(f"u{source.itemsize}"), groups)]
        return [_copy(target[:, :, c], source[:, :, c]) for c in range(plan.channels)]

    def _column_pads(self, rows: Array) -> Iterator[Prepared]:
        """What fills the columns beyond the border of the rows of a load."""
        left, right = self.plan.windows.padding[1]
        width = self.plan.shape[1]
        inner = rows[:, left : left + width]
        for start, wide in ((0, left), (left + width, right)):
            if not wide:
                continue
            target = rows[:, start : start + wide]
            columns = places(self.plan.pad_mode, width, start - left, wide)
            if columns is None:
                yield target.fill, (0,)
            elif isinstance(columns, slice):
                yield _copy(target, inner[:, columns])
            else:
                yield inner.take, (columns, 1, target)

    def _load(self, image: Array, load: Load, inner: Array, first: int) -> None:
        """Fill rows with the image's rows first, first + stride, ..., those beyond the border included."""
        height, step = len(image), self.plan.windows.stride[0]
        begin = min(load.rows, max(0, -(first // step)))
        end = max(begin, min(load.rows, (height - 1 - first) // step + 1))
        if begin < end:
            top = first + begin * step
            self._fill(inner[begin:end], image[top : top + (end - begin - 1) * step + 1 : step])
        for i in [*range(begin), *range(end, load.rows)]:
            row = index(self.plan.pad_mode, height, first + i * step)
            if row < 0:
                inner[i] = 0
            else:
                self._fill(inner[i : i + 1], image[row : row + 1])

    def _fill(self, target: Array, rows: Array) -> None:
        if not self.plan.sum_channels:
            target[...] = rows
            return
        total = target[:, :, 0]
        total[...] = rows[:, :, 0]
        for channel in range(1, rows.shape[2]):
            np.add(total, rows[:, :, channel], out=total, dtype=total.dtype, casting="unsafe")


def _copy(target: Array, source: Array) -> Prepared:
    """target[...] = source as a call, with any cast; np.copyto goes through Python code."""
    return operator.setitem, (target, ..., source)
