"""Float kernels of any rank: one product for n rows, of the samples and their copies shifted by each column.

The Toeplitz matrices of the kernel's columns, woven together, make n rows of sums out of the rows under them and their
shifted copies, so that BLAS adds up all taps at once. The copies of a row lie one after the other, and so do the rows:
those under the next n rows of sums begin further down in the same memory. A value takes columns x (n + extent - 1)
multiplications, for 9 x 9 some 4 ns in float32, and one copy a column. It wins for kernels that are not of rank 1 up to
about 20 x 20; beyond, the tiled transform of `fourier` does. Errors are those of a plain sum of all taps in the same
type, of about sqrt(taps) / 2^24 in float32 where nothing cancels: as measured below 7e-7 up to 31 x 31; otherwise it is
float64.
Source: the Toeplitz form of a convolution, as in Golub and Van Loan, "Matrix Computations", 2013.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from cnnfilter.core.engine.floats import DIRECT, shares
from cnnfilter.core.engine.scratch import Pieces
from cnnfilter.core.engine.separable import pitch, toeplitz
from cnnfilter.core.engine.task import Correlation

Array = NDArray[Any]

# Rows and values a row under a tile; it is done in panels, side by side.
ROWS, VALUES = 96, 3840
# Values that a panel copies: 1 MB in float32. It has NARROW values a row in any case: with fewer, a product is slower
# than one of more that BLAS has to copy; and a multiple of UNIT: BLAS adds up whole vectors.
PANEL = 1 << 18
NARROW, UNIT = 128, 16


def height(extent: int) -> int:
    """Rows that a product makes: few, to multiply few zeros; but enough for BLAS."""
    return 16 if extent <= 12 else 32 if extent <= 48 else 64


class Dense:
    """One product for n rows of a kernel of any rank."""

    name = "dense"
    planar = False

    def __init__(self, task: Correlation, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        windows = task.windows
        self.dtype, self.windows = dtype, windows
        outputs, columns, self.channels = task.output_shape((shape[0], shape[1], shape[2]))
        self.down = min(height(windows.extent[0]), outputs)
        parts = [toeplitz(column, self.down, windows.stride[0], windows.dilation[0]) for column in task.weights.T]
        self.matrix = np.stack(parts, axis=2).reshape(self.down, -1).astype(dtype)
        step_y, step_x = windows.stride
        self.rows = shares(outputs, max(ROWS // step_y, self.down), self.down)
        self.columns = shares(columns, max(1, VALUES // (self.channels * step_x)))
        unit = UNIT // math.gcd(UNIT, self.channels) if self.channels < NARROW else 1
        lines = self._height(parts[0].shape[1]) * len(parts)
        values = min(DIRECT // self.matrix.size, PANEL // lines)
        self.across = shares(self.columns, max(1, max(NARROW, values) // self.channels), unit)
        self.panels = -(-self.columns // self.across)
        under = (self.panels * self.across - 1) * windows.stride[1] + windows.extent[1]
        self.pitch = pitch(under * self.channels)
        self.workload = outputs * columns * self.channels * self.matrix.shape[1]
        self.why = f"a kernel of {' x '.join(map(str, windows.size))} as one product a tile, in {dtype}"

    def _height(self, under: int) -> int:
        """Rows of samples under a tile; `under` of them lie under the rows of a product."""
        return (self.rows - self.down) * self.windows.stride[0] + under

    def bind(self, samples: Array, memory: Pieces) -> Callable[[], Array]:
        """Sums of what is in `samples`."""
        count, size = self.windows.size[1], self.dtype.itemsize
        under, bands = self.matrix.shape[1] // count, self.rows // self.down
        (step_y, step_x), (_, apart) = self.windows.stride, self.windows.dilation
        pixel, row, values = self.channels * size, self.pitch * size, self.across * self.channels
        shape = self._height(under), count, self.across, self.channels
        copies = memory.empty(shape, self.dtype)
        line = values * size
        below = as_strided(copies, (bands, under * count, values), (self.down * step_y * count * line, line, size))
        sums = memory.empty((self.rows, self.panels * values), self.dtype)
        result = sums.reshape(self.rows, -1, self.channels)[:, : self.columns]
        panels = []
        for panel in range(self.panels):
            shifted = samples[:, panel * self.across * step_x * self.channels :]
            shifted = as_strided(shifted, shape, (row, apart * pixel, step_x * pixel, size))
            made = sums.reshape(bands, self.down, -1)[:, :, panel * values : (panel + 1) * values]
            panels.append((shifted, made))

        def compute() -> Array:
            for shifted, made in panels:
                copies[...] = shifted
                np.matmul(self.matrix, below, out=made)
            return result

        return compute
