"""From float sums to samples or float32 responses, in the precision of the sums and in their own memory."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnfilter.core.samples import SampleType

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Levels:
    """sample = |sum + bias| clipped, rounded to nearest, halves up; without `samples` the response sum + bias.

    `bias` is one number or one for every filter. Where no sum can lie beyond the samples, `clips` is False.
    """

    bias: Any = 0.0
    absolute: bool = False
    samples: SampleType | None = None
    clips: bool = True
    count: bool = False

    @property
    def output(self) -> np.dtype[Any]:
        """The type of what `store` makes."""
        return self.samples.dtype if self.samples else np.dtype(np.float32)

    def store(self, values: Array, target: Array) -> int:
        """Put sums (rows, columns, channels), which are lost, into `target`; the number of values clipped."""
        with np.errstate(over="ignore", invalid="ignore"):
            if np.any(self.bias):
                values += np.asarray(self.bias, values.dtype)
            clipped = self._rounded(values, self.samples) if self.samples else 0
            channels = values.shape[2]
            if channels > 1 and values.strides[2] > values.itemsize:  # planes
                for channel in range(channels):
                    np.copyto(target[:, :, channel], values[:, :, channel], casting="unsafe")
            else:
                np.copyto(target, values, casting="unsafe")
        return clipped

    def _rounded(self, values: Array, samples: SampleType) -> int:
        clipped = 0
        if self.absolute:
            np.abs(values, out=values)
        values += values.dtype.type(0.5)
        if self.clips:
            if self.count:
                clipped = int(np.count_nonzero((values < samples.low) | (values >= samples.high + 1)))
            limits = values.dtype.type(samples.low), values.dtype.type(samples.high + 0.5)
            np.clip(values, *limits, out=values)
        if samples.low < 0:  # the cast takes what is behind the point from both sides of zero
            np.floor(values, out=values)
        return clipped
