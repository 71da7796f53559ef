"""`normalize` for bytes: the extremes of all sums first, then the sums again, stretched to 0 .. 255.

With sums s within 16 bits, a level is floor(((s - low) * 255 + span // 2) / span). The numerator stays below 2^24, so
that float32 holds it exactly, and a quotient below 256 is at least 1 / span away from the next whole number, more than
the distance of floats there: rounding the division cannot reach it. Computing the sums twice costs less than to keep
them. It wins over the plain strategy, in 64 bits throughout, for images of bytes.
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnfilter.core.engine import outputs, threads
from cnnfilter.core.engine.bands import Band, starts
from cnnfilter.core.engine.layout import BandPlan
from cnnfilter.core.engine.scratch import LINE, borrowed

Array = NDArray[Any]
FLOAT32 = np.dtype(np.float32)
FULL = 255
LARGEST = (1 << 16) - 1


@dataclass(frozen=True, eq=False)
class Stretch:
    """The plan that gives the sums, in float32."""

    sums: BandPlan

    @property
    def why(self) -> str:
        """What makes this plan fast."""
        return f"{self.sums.why}, twice: for the extremes, then for the levels between them"


def of(plan: BandPlan) -> Stretch:
    """A stretch of whole sums within LARGEST."""
    finish = plan.finish._replace(output=FLOAT32)
    return Stretch(replace(plan, rows=max(1, plan.rows // 2), count=False, finish=finish))


def run(plan: Stretch, image: Array) -> Array:
    """Levels for an image of (height, width, channels); zeros where all sums are equal."""
    shape, rows = plan.sums.output, plan.sums.rows
    out = outputs.empty(shape, np.uint8)
    flat, items = out.reshape(shape[0], -1), starts(shape[0], rows)
    count = min(plan.sums.threads, len(items))
    extremes: list[tuple[float, float]] = []

    def look(items: Iterator[tuple[int, int]]) -> int:
        with borrowed(_Bound.size(plan), functools.partial(_Bound, plan), plan) as bound:
            extremes.extend(bound.extremes(image, start) for start, _ in items)
        return 0

    threads.share(items, look, count)
    low, high = min(least for least, _ in extremes), max(most for _, most in extremes)
    if low == high:
        out[...] = 0
        return out

    def write(items: Iterator[tuple[int, int]]) -> int:
        with borrowed(_Bound.size(plan), functools.partial(_Bound, plan), plan) as bound:
            for start, _ in items:
                bound.levels(image, start, low, high - low, flat[start : start + rows])
        return 0

    threads.share(items, write, count)
    return out


class _Bound:
    """A band and its sums in one piece of memory."""

    @staticmethod
    def size(plan: Stretch) -> int:
        """Bytes of the memory."""
        _, columns, channels = plan.sums.output
        return _Bound._band(plan) + plan.sums.rows * columns * channels * FLOAT32.itemsize

    @staticmethod
    def _band(plan: Stretch) -> int:
        return -(-plan.sums.layout.size * plan.sums.finish.dtype.itemsize // LINE) * LINE

    def __init__(self, plan: Stretch, memory: Array) -> None:
        self.band = Band(plan.sums, memory)
        values = memory[self._band(plan) : self.size(plan)].view(FLOAT32)
        self.sums = values.reshape(plan.sums.rows, -1)

    def extremes(self, image: Array, start: int) -> tuple[float, float]:
        """The least and the greatest sum of the band from `start` on."""
        self.band.compute(image, self.sums, start, start)
        return float(self.sums.min()), float(self.sums.max())

    def levels(self, image: Array, start: int, low: float, span: float, out: Array) -> None:
        """Stretch the band from `start` on into `out`."""
        self.band.compute(image, self.sums, start, start)
        np.multiply(self.sums, np.float32(FULL), out=self.sums)
        np.add(self.sums, np.float32(span // 2 - low * FULL), out=self.sums)
        np.divide(self.sums, np.float32(span), out=self.sums)
        out[...] = self.sums
