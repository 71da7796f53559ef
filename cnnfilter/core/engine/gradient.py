"""Gradient magnitudes: both kernels' programs on a band, then scale * sqrt(v^2 + h^2) + bias in float32.

Sums below 2^24 are exact in float32, and so are v^2 + h^2 of the 3 x 3 kernels over bytes; in any case each of the five
operations up to the response rounds once, with a relative error below 4e-7 in all. It wins over the plain strategy,
which is float64 throughout, for samples of up to 16 bits: about 3 ns a value instead of 30.
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
from cnnfilter.core.engine.levels import Levels
from cnnfilter.core.engine.scratch import LINE, borrowed

Array = NDArray[Any]
FLOAT32 = np.dtype(np.float32)


@dataclass(frozen=True, eq=False)
class Magnitude:
    """The -v and the -h kernel, planned for bands of the same rows, with float32 sums."""

    parts: tuple[BandPlan, BandPlan]
    gain: float
    levels: Levels

    @property
    def why(self) -> str:
        """What makes this plan fast."""
        steps = sum(len(part.program.steps) for part in self.parts)
        return f"a gradient's two kernels in {steps} steps, the magnitude in float32, band by band"


def run(plan: Magnitude, image: Array) -> tuple[Array, int]:
    """(samples or responses, number of values clipped) for an image of (height, width, channels)."""
    shape, rows = plan.parts[0].output, plan.parts[0].rows
    out = outputs.empty(shape, plan.levels.output)
    items = starts(shape[0], rows)

    def work(items: Iterator[tuple[int, int]]) -> int:
        with borrowed(_Bound.size(plan), functools.partial(_Bound, plan), plan) as bound:
            return sum(bound.compute(image, start, out[new : start + rows], new) for start, new in items)

    return out, threads.share(items, work, min(plan.parts[0].threads, len(items)))


class _Bound:
    """The bands of both kernels and their sums, in one piece of memory."""

    @staticmethod
    def size(plan: Magnitude) -> int:
        """Bytes of the memory."""
        return sum(_aligned(part) for part in plan.parts) + 2 * _values(plan.parts[0]) * FLOAT32.itemsize

    def __init__(self, plan: Magnitude, memory: Array) -> None:
        self.plan, self.store = plan, plan.levels.bind(FLOAT32, _values(plan.parts[0]), np.empty)
        self.bands, shape = [], plan.parts[0].output
        for part in plan.parts:
            self.bands.append(Band(part, memory))
            memory = memory[_aligned(part) :]
        values = memory[: 2 * _values(plan.parts[0]) * FLOAT32.itemsize].view(FLOAT32)
        self.v, self.h = values.reshape(2, -1, shape[1] * shape[2])

    def compute(self, image: Array, start: int, out: Array, new: int) -> int:
        """Make `out`, the rows from `new` on of the band that begins at `start`; the number of values clipped."""
        for band, sums in zip(self.bands, (self.v, self.h), strict=True):
            band.compute(image, sums, start, new)
        with np.errstate(over="ignore"):
            np.multiply(self.v, self.v, out=self.v)
            np.multiply(self.h, self.h, out=self.h)
            np.add(self.v, self.h, out=self.v)
            np.sqrt(self.v, out=self.v)
            if self.plan.gain != 1:
                np.multiply(self.v, np.float32(self.plan.gain), out=self.v)
            return self.store(self.v[new - start :].reshape(out.shape), out)


def _values(part: BandPlan) -> int:
    return part.rows * part.output[1] * part.output[2]


def _aligned(part: BandPlan) -> int:
    return -(-part.layout.size * part.finish.dtype.itemsize // LINE) * LINE


def of(parts: list[BandPlan], gain: float, levels: Levels) -> Magnitude:
    """A magnitude of two plans that give whole sums below 2^24."""
    rows = max(1, min(part.rows for part in parts) // 2)
    v, h = (replace(part, rows=rows, count=False, finish=part.finish._replace(output=FLOAT32)) for part in parts)
    return Magnitude((v, h), gain, levels)
