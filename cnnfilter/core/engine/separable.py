"""Float kernels of rank 1 as two one-dimensional passes, each a product with a banded Toeplitz matrix.

A tile of n outputs along an axis takes (n - 1) * stride + extent samples; the matrix that makes the ones of the others
holds the taps once a row, shifted by the stride, with gaps for dilation. It multiplies more zeros than taps, but BLAS
does 50 and more products where a shifted addition does one. Rows hold whole pixels, so that along a row a channel is
one more dilation; a value costs about 1.5 ns for a 9 x 9 gaussian in float32, 2.5 ns for 31 x 31. Products are kept
below a million multiplications: up to there OpenBLAS neither copies nor reorders the samples.

Each pass adds up at most n + extent numbers, of which all but the taps' are zero, with a relative error of (taps + 1) /
2^24 a pass in float32; products of one sign cannot cancel, so that this is the error of the response, for a 31 x 31
kernel at worst 4e-6 and as measured below 5e-7. Kernels of both signs and float samples are summed up in float64.
Source: the Toeplitz form of a convolution, as in Golub and Van Loan, "Matrix Computations", 2013.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from cnnfilter.core.engine.floats import shares
from cnnfilter.core.engine.scratch import Pieces
from cnnfilter.core.engine.task import Correlation
from cnnfilter.core.geometry import Windows

Array = NDArray[Any]

# What an outer product may differ from the kernel, of the kernel's L1 norm.
RANK_1 = 1e-14
# Rows and values a row of a tile: enough to repay what threads wait for each other between two products.
ROWS, VALUES = 64, 4096
# Outputs of a product: down, for extents up to SMALL and beyond, and across. Few multiply few zeros, more suit BLAS.
SHORT, LONG, SMALL = 12, 32, 16
WIDE = 32
# Values of a line of the cache in float32.
LINE = 16


def factors(weights: Array) -> tuple[Array, Array] | None:
    """(column, row) whose outer product is the kernel up to rounding; None for kernels of higher rank.

    >>> column, row = factors(np.array([[0.5, 1.0], [0.25, 0.5]]))
    >>> column.tolist(), row.tolist()
    ([1.0, 0.5], [0.5, 1.0])
    """
    weights = weights.astype(np.float64)
    y, x = np.unravel_index(np.argmax(np.abs(weights)), weights.shape)
    if weights[y, x] == 0:
        return None
    column, row = weights[:, x] / weights[y, x], weights[y]
    error = np.abs(np.outer(column, row) - weights).sum()
    return (column, row) if error <= RANK_1 * np.abs(weights).sum() else None


def toeplitz(taps: Array, count: int, stride: int, dilation: int, channels: int = 1) -> Array:
    """The matrix (count, samples under `count` windows) that makes windows' sums of a column of samples.

    With `channels` the column is a row of pixels, and `count` their values.

    >>> toeplitz(np.array([1, 2]), 2, 1, 2).tolist()
    [[1, 0, 2, 0], [0, 1, 0, 2]]
    >>> toeplitz(np.array([1, 2]), 3, 1, 1, 2).tolist()
    [[1, 0, 2, 0, 0], [0, 1, 0, 2, 0], [0, 0, 1, 0, 2]]
    """
    reach = (len(taps) - 1) * dilation * channels + 1
    starts = [(i // channels * stride) * channels + i % channels for i in range(count)]
    matrix = np.zeros((count, starts[-1] + reach), taps.dtype)
    for i, start in enumerate(starts):
        matrix[i, start : start + reach : dilation * channels] = taps
    return matrix


def pitch(values: int) -> int:
    """Values from row to row of a scratch array: whole lines of the cache, but an odd number of them.

    Rows a power of two apart would fall on the same lines.
    """
    return (-(-values // LINE) | 1) * LINE


class Separable:
    """Two passes for a kernel that is the outer product of `column` and `row`."""

    name = "separable"
    planar = False

    def __init__(
        self, task: Correlation, shape: tuple[int, ...], column: Array, row: Array, dtype: np.dtype[Any]
    ) -> None:
        windows = task.windows
        self.dtype = dtype
        outputs, columns, self.channels = task.output_shape((shape[0], shape[1], shape[2]))
        self.step = windows.stride[0]
        self.down = min(SHORT if windows.extent[0] <= SMALL else LONG, outputs)
        self.vertical = toeplitz(column, self.down, self.step, windows.dilation[0]).astype(dtype)
        self.rows = shares(outputs, ROWS, self.down)
        most = max(1, VALUES // self.channels)
        self.columns = columns if columns <= most else shares(columns, most, WIDE)
        # A piece of a row; with a stride it has to be one of whole pixels.
        self.across = WIDE if windows.stride[1] == 1 else max(1, WIDE // self.channels) * self.channels
        self.across = min(self.across, self.columns * self.channels)
        transposed = toeplitz(row, self.across, *_along(windows, self.channels)).T
        self.horizontal = np.ascontiguousarray(transposed, dtype)
        self.pieces = -(-self.columns * self.channels // self.across)
        self.advance = self.across * windows.stride[1]
        under = ((self.columns - 1) * windows.stride[1] + windows.extent[1]) * self.channels
        self.line = max(under, (self.pieces - 1) * self.advance + len(self.horizontal))
        self.pitch = pitch(self.line)
        self.workload = outputs * columns * self.channels * (self.vertical.shape[1] + len(self.horizontal))
        self.why = f"a kernel of rank 1; {len(column)} + {len(row)} taps instead of {task.weights.size}, in {dtype}"

    def bind(self, samples: Array, memory: Pieces) -> Callable[[], Array]:
        """Sums of what is in `samples`."""
        size, apart = self.dtype.itemsize, self.pitch * self.dtype.itemsize
        bands = self.rows // self.down
        smooth = memory.empty((bands, self.down, self.pitch), self.dtype)
        shape = (self.pieces, self.rows, len(self.horizontal))
        chunks = as_strided(smooth, shape, (self.advance * size, apart, size))
        wide = self.pieces * self.across
        sums = memory.empty((self.rows, wide), self.dtype)
        made = as_strided(sums, (self.pieces, self.rows, self.across), (self.across * size, wide * size, size))
        result = sums[:, : self.columns * self.channels].reshape(self.rows, self.columns, self.channels)
        smooth = smooth[:, :, : self.line]
        shape = (bands, self.vertical.shape[1], self.line)
        stacked = as_strided(samples, shape, (self.down * self.step * apart, apart, size))

        def compute() -> Array:
            np.matmul(self.vertical, stacked, out=smooth)
            np.matmul(chunks, self.horizontal, out=made)
            return result

        return compute


def _along(windows: Windows, channels: int) -> tuple[int, int, int]:
    """(stride, dilation, channels) along a row."""
    return windows.stride[1], windows.dilation[1], channels
