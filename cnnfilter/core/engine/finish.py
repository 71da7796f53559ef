"""From sums to samples in the narrowest arithmetic that is exact: what happens to a band after its program has run.

Additions, subtractions and multiplications may wrap: sums modulo 2^16 are right as soon as the final one fits into 16
bits. From there on order matters, so every bound below is that of a value before it is clipped, divided or made
absolute, with the half divisor that rounds included.
"""

from math import gcd
from typing import Any, NamedTuple

import numpy as np

from cnnfilter.core.samples import Rendering, SampleType

INT16, UINT16, INT32, FLOAT32 = np.dtype("i2"), np.dtype("u2"), np.dtype("i4"), np.dtype("f4")
EXACT_IN_FLOAT32 = 1 << 24

Interval = tuple[int, int]


class Finish(NamedTuple):
    """sample = clipped(|sum x factor + offset| + rounding) / divisor, in this order, in whole numbers of `dtype`.

    `lift` is part of the offset: it makes all sums positive, so that 16 bits without sign hold them, and is taken off
    after clipping. `limits` (with the lift) is None where nothing can be clipped. Where the output is float32 so is the
    division: the quotient of two whole numbers that it holds exactly is rounded once.
    """

    dtype: np.dtype[Any]
    output: np.dtype[Any]
    factor: int = 1
    offset: int = 0
    absolute: bool = False
    rounding: int = 0
    limits: Interval | None = None
    lift: int = 0
    divisor: int = 1

    @property
    def cast_drops_lift(self) -> bool:
        """Whether the cast to the output cuts off the lift; one to booleans asks for zero instead."""
        is_byte = self.output.itemsize == 1 and self.output.kind in "iu"
        return is_byte and self.divisor == 1 and self.lift % 256 == 0


def finish(rendering: Rendering, bounds: Interval, common: int = 1) -> Finish | None:
    """What makes samples out of sums within `bounds`; `common` is a factor of the weights that the program left out.

    None where 32 bits do not suffice, for floats and for `normalize`, which needs to see the whole image first.
    """
    factor, offset, divisor = rendering.common()
    raw_type = rendering.exact_type(bounds)
    if raw_type is None or rendering.mapping == "normalize" or not factor:
        return None
    whole = divisor == 1
    low, high = sorted((bounds[0] * factor + offset, bounds[1] * factor + offset))
    shared = gcd(factor * common, offset, divisor)  # of the bounds, too, which are multiples of `common`
    factor, offset, divisor = factor * common // shared, offset // shared, divisor // shared
    reach = low // shared, high // shared
    if rendering.samples is None:
        return _raw(reach, factor, offset, divisor, raw_type if whole else FLOAT32)
    if rendering.samples.dtype.kind == "f":
        return None
    if rendering.mapping == "shift":
        middle = rendering.samples.middle * divisor
        offset, reach = offset + middle, (reach[0] + middle, reach[1] + middle)
    make = _absolute if rendering.mapping == "abs" and reach[0] < 0 else _clipped
    return make(reach, factor, offset, divisor, rendering.samples)


def _raw(reach: Interval, factor: int, offset: int, divisor: int, output: np.dtype[Any]) -> Finish | None:
    dtype = _type_for(reach)
    if output == FLOAT32 and max(-reach[0], reach[1], divisor) > EXACT_IN_FLOAT32:
        return None
    return dtype and Finish(dtype, output, factor, offset, divisor=divisor)


def _absolute(reach: Interval, factor: int, offset: int, divisor: int, samples: SampleType) -> Finish | None:
    most = max(-reach[0], reach[1]) + divisor // 2
    dtype = _type_for((-most, most))
    top = samples.high * divisor + divisor - 1
    limits = (0, top) if most > top else None
    return dtype and Finish(dtype, samples.dtype, factor, offset, True, divisor // 2, limits, 0, divisor)


def _clipped(reach: Interval, factor: int, offset: int, divisor: int, samples: SampleType) -> Finish | None:
    half = divisor // 2
    low, high = reach[0] + half, reach[1] + half
    bottom, top = samples.low * divisor, samples.high * divisor + divisor - 1
    limits = (bottom, top) if low < bottom or high > top else None
    dtype, lift = _type_for((low, high)), 0
    # Before and after clipping; where all is below black or above white, these may not fit when they are lifted.
    fits_lifted = bottom == 0 <= high and low <= top and high - low < 2**16 and min(high, top) < 2**16
    if dtype not in (INT16, UINT16) and fits_lifted:
        dtype, lift = UINT16, _lift(low, high, samples.dtype)
    if dtype is None:
        return None
    if limits:
        limits = max(bottom + lift, int(np.iinfo(dtype).min)), min(top + lift, int(np.iinfo(dtype).max))
    return Finish(dtype, samples.dtype, factor, offset + half + lift, False, 0, limits, lift, divisor)


def _type_for(reach: Interval) -> np.dtype[Any] | None:
    for dtype in (INT16, UINT16, INT32):
        limits = np.iinfo(dtype)
        if limits.min <= reach[0] and reach[1] <= limits.max:
            return dtype
    return None


def _lift(low: int, high: int, output: np.dtype[Any]) -> int:
    """What makes `low` to `high` fit 16 bits without sign; if possible a multiple of 256, which bytes drop anyway."""
    rounded = -(low // 256) * 256
    return rounded if output.itemsize == 1 and high + rounded < 2**16 else -low
