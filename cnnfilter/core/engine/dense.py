"""Float kernels of any rank: one product for n rows, of the samples and their copies shifted by each column.

Side by side, the Toeplitz matrices of the kernel's columns make n rows of sums out of one copy of the rows a column, so
that BLAS adds up all taps at once. A value takes columns x (n + extent - 1) multiplications, for 9 x 9 some 4 ns in
float32, and copies of columns x (n + extent - 1) / n values. It wins for kernels that are not of rank 1 up to about 20
x 20; beyond, the tiled transform of `fourier` does. Errors are those of a plain sum of all taps in the same type, of
about sqrt(taps) / 2^24 in float32 where nothing cancels: as measured below 7e-7 up to 31 x 31; otherwise it is float64.
Source: the Toeplitz form of a convolution, as in Golub and Van Loan, "Matrix Computations", 2013.
"""

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

# Values of the shifted copies: 1 MB in float32. Rows and values a row of a tile.
BLOCK = 1 << 18
ROWS, VALUES = 96, 1920
# Columns of a product of DIRECT multiplications below which one large product is faster.
NARROW = 128


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
        self.matrix = np.concatenate(parts, axis=1).astype(dtype)
        self.rows = shares(outputs, max(ROWS, self.down), self.down)
        most = min(VALUES, BLOCK // self.matrix.shape[1])
        self.columns = shares(columns, max(1, most // self.channels))
        values = self.columns * self.channels
        direct = DIRECT // self.matrix.size
        self.across = shares(values, direct) if direct >= NARROW else values
        self.pieces = -(-values // self.across)
        under = (self.columns - 1) * windows.stride[1] + windows.extent[1]
        self.pitch = pitch(under * self.channels)
        self.workload = outputs * columns * self.channels * self.matrix.shape[1]
        self.why = f"a kernel of {' x '.join(map(str, windows.size))} as one product a tile, in {dtype}"

    def bound(self, samples: Array, memory: Pieces) -> Callable[[], Array]:
        """Sums of what is in `samples`."""
        count, values, size = self.windows.size[1], self.columns * self.channels, self.dtype.itemsize
        under = self.matrix.shape[1] // count
        wide = self.pieces * self.across
        copies = memory.full((count, under, wide), self.dtype, 0)
        filled = copies[:, :, :values].reshape(count, under, self.columns, self.channels)
        below = as_strided(copies, (self.pieces, count * under, self.across), (self.across * size, wide * size, size))
        sums = memory.empty((self.rows // self.down, self.down, wide), self.dtype)
        shape = (len(sums), self.pieces, self.down, self.across)
        made = as_strided(sums, shape, (sums.strides[0], self.across * size, wide * size, size))
        result = sums[:, :, :values].reshape(self.rows, self.columns, self.channels)
        (down, step), (_, apart) = self.windows.stride, self.windows.dilation
        pixel, row = self.channels * size, self.pitch * size

        strides = apart * pixel, row, step * pixel, size
        bands = [as_strided(samples[i * self.down * down :], filled.shape, strides) for i in range(len(made))]

        def compute() -> Array:
            for shifted, out in zip(bands, made, strict=True):
                filled[...] = shifted
                np.matmul(self.matrix, below, out=out)
            return result

        return compute
