"""What the engine is asked for, apart from how it is done."""

from typing import Any, NamedTuple

from numpy.typing import NDArray

from cnnfilter.core.geometry import PadMode, Windows
from cnnfilter.core.samples import sample_bounds

Shape3 = tuple[int, int, int]


class Correlation(NamedTuple):
    """Weighted sums over windows of an image of (height, width, channels).

    `weights` is (height, width), applied to every channel or, with `sum_channels`, to the sum of all of them; or a bank
    (height, width, channels in / groups, filters).
    """

    weights: NDArray[Any]
    windows: Windows
    pad_mode: PadMode
    sum_channels: bool = False
    groups: int = 1

    @property
    def is_bank(self) -> bool:
        """Whether the weights are a bank of filters."""
        return self.weights.ndim == 4

    def scaled(self, gain: float) -> "Correlation":
        """The task whose sums are `gain` times as large."""
        return self if gain == 1 else self._replace(weights=self.weights * gain)

    def output_shape(self, shape: Shape3) -> Shape3:
        """Shape of the sums for an image of `shape`."""
        rows, columns = self.windows.output_size(shape[0], shape[1])
        if self.is_bank:
            return rows, columns, self.weights.shape[3]
        return rows, columns, 1 if self.sum_channels else shape[2]

    def bounds(self, image: NDArray[Any]) -> tuple[int, int] | None:
        """The least and the greatest sum that whole-number weights can give with samples of the image's type.

        None where weights or samples are floats. Samples of 64 bits are bounded by those that are there.
        """
        if image.dtype.kind == "f" or self.weights.dtype.kind == "f":
            return None
        low, high = sample_bounds(image)
        low, high = min(low, 0), max(high, 0)  # zero padding
        many = image.shape[2] if self.sum_channels else 1
        filters = self.weights.reshape(-1, self.weights.shape[3]) if self.is_bank else self.weights.reshape(-1, 1)
        positive = max(_total(column[column > 0]) for column in filters.T) * many
        negative = max(_total(-column[column < 0]) for column in filters.T) * many
        return positive * low - negative * high, positive * high - negative * low


def _total(values: NDArray[Any]) -> int:
    """The exact sum, beyond 64 bits where need be."""
    fits = values.size * float(values.max(initial=0)) < 2**62
    return int(values.sum()) if fits else sum(values.tolist())
