"""From float sums to samples or float32 responses, in the precision of the sums and in their own memory."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnfilter.core.samples import SampleType

Array = NDArray[Any]

# What rounding may add to the reach of sums.
SLACK = 0.125


@dataclass(frozen=True, eq=False)
class Levels:
    """sample = |sum + bias| clipped, rounded to nearest, halves up; without `samples` the response sum + bias.

    `bias` is one number or one for every filter. `reach` bounds sum + bias where that is known.
    """

    bias: Any = 0.0
    absolute: bool = False
    samples: SampleType | None = None
    reach: tuple[float, float] | None = None
    count: bool = False

    @property
    def output(self) -> np.dtype[Any]:
        """The type of what `store` makes."""
        return self.samples.dtype if self.samples else np.dtype(np.float32)

    @property
    def clips(self) -> bool:
        """Whether samples may have to be clipped."""
        if not self.reach or not self.samples:
            return True
        low, high = self._bounds()
        return low < self.samples.low - SLACK or high > self.samples.high + SLACK

    @property
    def lift(self) -> int | None:
        """What makes all levels of bytes fit 16 bits without sign, a multiple of 256; None where nothing does."""
        if not self.reach or not self.samples or self.samples.dtype != np.uint8:
            return None
        low, high = self._bounds()
        lift = -int((low - 1) // 256) * 256 if low < 0 else 0
        return lift if max(high, 255) + lift < 2**16 - 1 else None

    def bind(self, dtype: np.dtype[Any], most: int, empty: Callable[..., Array]) -> Callable[[Array, Array], int]:
        """What puts sums of `dtype`, which are lost, into a target (rows, columns, channels), and counts clips.

        These are at most `most` at a time; the memory that they need comes from `empty`, which is called as np.empty.
        """
        bias = np.asarray(self.bias, dtype)
        if self.samples is None:
            return functools.partial(self._responses, bias if bias.any() else None)
        half = dtype.type(0.5)
        finish: Callable[[Array, Array, Array], int]
        if not self.clips and self.samples.low >= 0:
            finish = self._rounded
        elif self.lift is not None:
            finish = functools.partial(self._narrowed, empty((most,), np.dtype(np.uint16)))
            half = dtype.type(self.lift + 0.5)
        else:
            finish = self._clipped
        if self.absolute:
            return functools.partial(self._magnitudes, bias, functools.partial(finish, half))
        return functools.partial(finish, bias + half)

    def _bounds(self) -> tuple[float, float]:
        assert self.reach is not None
        low, high = self.reach
        return (0, max(-low, high)) if self.absolute else (low, high)

    @staticmethod
    def _responses(bias: Array | None, values: Array, target: Array) -> int:
        if bias is None:
            target[...] = values
        else:
            np.add(values, bias, out=target, casting="unsafe")
        return 0

    @staticmethod
    def _magnitudes(bias: Array, finish: Callable[[Array, Array], int], values: Array, target: Array) -> int:
        np.abs(np.add(values, bias, out=values), out=values)
        return finish(values, target)

    @staticmethod
    def _rounded(bias: Array, values: Array, target: Array) -> int:
        """What cannot be clipped: the cast cuts off what is behind the point."""
        np.add(values, bias, out=values)
        target[...] = values  # twice as fast as a sum that is cast
        return 0

    def _narrowed(self, spare: Array, bias: Array, values: Array, target: Array) -> int:
        """Bytes by way of 16 bits in `spare`, where clipping and the cast are cheap; the cast drops the lift.

        In float32 the lift costs no more than 1/256 of a level.
        """
        low, clipped = np.uint16(self.lift or 0), 0
        high = low + np.uint16(255)
        levels = spare[: values.size].reshape(values.shape)
        np.add(values, bias, out=values)
        levels[...] = values
        if self.count:
            clipped = int(np.count_nonzero(levels - low > np.uint16(255)))
        levels.clip(low, high, levels)
        target[...] = levels
        return clipped

    def _clipped(self, bias: Array, values: Array, target: Array) -> int:
        samples, clipped = self.samples, 0
        assert samples is not None
        values += bias
        if self.clips:
            if self.count:
                clipped = int(np.count_nonzero((values < samples.low) | (values >= samples.high + 1)))
            limits = values.dtype.type(samples.low), values.dtype.type(samples.high + 0.5)
            np.clip(values, *limits, out=values)
        if samples.low < 0:  # the cast takes what is behind the point from both sides of zero
            np.floor(values, out=values)
        target[...] = values
        return clipped
