"""What kernels are compared with."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

import cnnfilter

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Array = NDArray[Any]


def fractions(kernel: Any) -> list[list[Fraction]]:
    """The exact taps of a kernel of integers over a divisor."""
    assert np.issubdtype(kernel.matrix.dtype, np.integer)
    return [[Fraction(int(entry), kernel.divisor) for entry in row] for row in kernel.matrix]


def taps(text: str) -> Array:
    """The taps of a kernel as floats of 64 bits."""
    kernel = cnnfilter.kernel(text)
    assert kernel.matrix.ndim == 2
    values: Array = np.asarray(kernel.matrix, np.float64) / kernel.divisor
    return values


def centred(size: int) -> list[float]:
    """The distance of each tap from the middle, which lies between two taps when the size is even."""
    return [i - (size - 1) / 2 for i in range(size)]


def over_plane(height: int, width: int, formula: Callable[[float, float], float]) -> Array:
    return np.array([[formula(y, x) for x in centred(width)] for y in centred(height)])
