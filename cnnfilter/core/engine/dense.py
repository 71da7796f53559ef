"""Float kernels of any rank: one product for a tile of n rows, of the samples and their copies shifted by each column.

Side by side, the Toeplitz matrices of the kernel's columns make n rows of sums out of one copy of the rows a column, so
that BLAS adds up all taps at once. A value takes columns x (n + extent - 1) multiplications, for 9 x 9 some 5 ns in
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

from cnnfilter.core.engine.separable import tile, toeplitz
from cnnfilter.core.engine.task import Correlation

Array = NDArray[Any]

# Values of the shifted copies: 1 MB in float32.
BLOCK = 1 << 18


class Dense:
    """One product a tile for a kernel of any rank."""

    name = "dense"
    planar = True

    def __init__(self, task: Correlation, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        windows = task.windows
        self.dtype, self.windows = dtype, windows
        outputs, self.columns, self.channels = task.output_shape((shape[0], shape[1], shape[2]))
        self.rows = min(tile(windows.extent[0]), outputs)
        parts = [toeplitz(column, self.rows, windows.stride[0], windows.dilation[0]) for column in task.weights.T]
        self.matrix = np.concatenate(parts, axis=1).astype(dtype)
        self.wide = max(1, min(BLOCK // self.matrix.shape[1], self.columns))
        self.blocks = -(-self.columns // self.wide)
        reach = (self.blocks * self.wide - 1) * windows.stride[1] + windows.extent[1]
        self.pitch = max(shape[1] + sum(windows.padding[1]), reach)
        self.workload = outputs * self.columns * self.channels * self.matrix.shape[1]
        self.why = f"a kernel of {' x '.join(map(str, windows.size))} as one product a tile, in {dtype}"

    def bound(self) -> Callable[[Array], Array]:
        """Sums of a band's padded rows."""
        count = self.windows.size[1]
        copies = np.empty((count, self.matrix.shape[1] // count, self.wide), self.dtype)
        below = copies.reshape(-1, self.wide)
        sums = np.empty((self.rows, self.channels, self.blocks * self.wide), self.dtype)
        result = sums[:, :, : self.columns].transpose(0, 2, 1)
        (_, step), (_, apart) = self.windows.stride, self.windows.dilation

        def compute(band: Array) -> Array:
            s_y, _, s_x = band.strides
            for channel in range(self.channels):
                for first in range(0, self.blocks * self.wide, self.wide):
                    samples = band[:, channel, first * step :]
                    np.copyto(copies, as_strided(samples, copies.shape, (s_x * apart, s_y, s_x * step)))
                    np.matmul(self.matrix, below, out=sums[:, channel, first : first + self.wide])
            return result

        return compute
