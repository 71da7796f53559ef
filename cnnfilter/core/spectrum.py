"""How much of each pattern a kernel lets through: the size of its frequency response.

A frequency is (fy, fx) in periods a pixel, from 0, flat areas, to 0.5, stripes of one pixel each. What a kernel does to
a wave of that frequency is to make it `gain` times as high (and to shift it, which is not told here).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
# Frequencies of a profile, from 0 to 0.5.
STEPS = 17


@dataclass(frozen=True)
class Spectrum:
    """Gains of a kernel: for `flat` areas, along x and along y for frequencies from 0 to 0.5, and where most comes out.

    `across` has waves that run along a row (upright stripes), `down` waves that run along a column.
    """

    flat: float
    across: tuple[float, ...]
    down: tuple[float, ...]
    peak: float
    peak_frequency: tuple[float, float]

    @property
    def wavelength(self) -> float | None:
        """Pixels from stripe to stripe of the wave that comes out highest; None for flat areas."""
        radius = float(np.hypot(*self.peak_frequency))
        return 1 / radius if radius else None


def gains(matrix: Array, fy: Array, fx: Array) -> NDArray[np.float64]:
    """The gain at every pair of frequencies, (len(fy), len(fx)).

    >>> gains(np.array([[1, 2, 1]]), np.array([0.0]), np.array([0.0, 0.5])).tolist()
    [[4.0, 0.0]]
    """
    rows, columns = (
        np.exp(-2j * np.pi * np.outer(f, np.arange(n))) for f, n in zip((fy, fx), matrix.shape, strict=True)
    )
    found = np.abs(rows @ matrix.astype(np.float64) @ columns.T)
    return np.where(found < 1e-12 * float(abs(matrix).sum()), 0.0, found)


def plane(matrix: Array, points: int) -> NDArray[np.float64]:
    """The gains for frequencies from -0.5 to 0.5 both ways, (points, points); flat areas are in the middle."""
    axis = np.linspace(-0.5, 0.5, points)
    return gains(matrix, axis, axis)


def spectrum(matrix: Array, divisor: int = 1) -> Spectrum:
    """The spectrum of `matrix` / `divisor`."""
    axis, zero = np.linspace(0, 0.5, STEPS), np.zeros(1)
    both = np.linspace(-0.5, 0.5, 4 * STEPS - 3)
    half = gains(matrix, axis, both) / divisor  # the other half is its mirror image
    coarse_first = np.hypot(axis[:, None], both) + (both < 0)  # among equals
    y, x = np.unravel_index(np.argmax(half - 1e-9 * coarse_first * half.max()), half.shape)
    return Spectrum(
        float(gains(matrix, zero, zero)[0, 0]) / divisor,
        tuple((gains(matrix, zero, axis)[0] / divisor).tolist()),
        tuple((gains(matrix, axis, zero)[:, 0] / divisor).tolist()),
        float(half[y, x]),
        (float(axis[y]), float(both[x])),
    )
