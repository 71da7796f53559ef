"""Float kernels of rank 1 as two one-dimensional passes, each a product with a banded Toeplitz matrix.

A tile of n outputs along an axis takes (n - 1) * stride + extent samples; the matrix that makes the ones of the others
holds the taps once a row, shifted by the stride, with gaps for dilation. It multiplies more zeros than taps, but BLAS
does 50 and more products where a shifted addition does one: a 9 x 9 gaussian takes 18 taps instead of 81, a value costs
about 2 ns in float32, 31 x 31 about 4 ns. The rows of a band are planar, a channel at a time. Each pass adds up at most
n + extent numbers, of which all but the taps' are zero, with a relative error of (taps + 1) / 2^24 a pass in float32;
products of one sign cannot cancel, so that this is the error of the response, for a 31 x 31 kernel at worst 4e-6 and as
measured below 5e-7. Kernels of both signs and float samples are summed up in float64. Source: the Toeplitz form
of a convolution, as in Golub and Van Loan, "Matrix Computations", 2013.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from cnnfilter.core.engine.task import Correlation

Array = NDArray[Any]

# What an outer product may differ from the kernel, of the kernel's L1 norm.
RANK_1 = 1e-14
# Values of a band: its three arrays stay in the second-level cache.
BAND = 1 << 18


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


def toeplitz(taps: Array, count: int, stride: int, dilation: int) -> Array:
    """The matrix (count, samples under `count` windows) that makes windows' sums of a column of samples.

    >>> toeplitz(np.array([1, 2]), 2, 1, 2).tolist()
    [[1, 0, 2, 0], [0, 1, 0, 2]]
    """
    extent = (len(taps) - 1) * dilation + 1
    matrix = np.zeros((count, (count - 1) * stride + extent), taps.dtype)
    for i in range(count):
        matrix[i, i * stride : i * stride + extent : dilation] = taps
    return matrix


def tile(extent: int) -> int:
    """Outputs of a tile: few, to multiply few zeros; but enough for BLAS."""
    return 16 if extent <= 12 else 32 if extent <= 48 else 64


class Separable:
    """Two passes for a kernel that is the outer product of `column` and `row`."""

    name = "separable"
    planar = True

    def __init__(
        self, task: Correlation, shape: tuple[int, ...], column: Array, row: Array, dtype: np.dtype[Any]
    ) -> None:
        windows = task.windows
        self.dtype = dtype
        self.step, (down, across) = windows.stride[0], map(tile, windows.extent)
        outputs, self.columns, self.channels = task.output_shape((shape[0], shape[1], shape[2]))
        self.down, self.across = min(down, outputs), min(across, self.columns)
        self.blocks = -(-self.columns // self.across)
        self.vertical = toeplitz(column, self.down, windows.stride[0], windows.dilation[0]).astype(dtype)
        transposed = toeplitz(row, self.across, windows.stride[1], windows.dilation[1]).T
        self.horizontal = np.ascontiguousarray(transposed, dtype)
        self.advance = self.across * windows.stride[1]
        reach = (self.blocks - 1) * self.advance + len(self.horizontal)
        self.pitch = max(shape[1] + sum(windows.padding[1]), reach)
        self.tiles = max(1, min(BAND // (self.down * self.pitch * self.channels), -(-outputs // self.down)))
        self.rows = self.tiles * self.down
        self.workload = outputs * self.columns * self.channels * (self.vertical.shape[1] + len(self.horizontal))
        self.why = f"a kernel of rank 1; {len(column)} + {len(row)} taps instead of {task.weights.size}, in {dtype}"

    def bound(self) -> Callable[[Array], Array]:
        """Sums of a band's padded rows."""
        line, wide = self.channels * self.pitch, self.blocks * self.across
        size = self.dtype.itemsize
        smooth = np.empty((self.tiles, self.down, line), self.dtype)
        chunks = as_strided(
            smooth,
            (self.blocks, self.rows * self.channels, len(self.horizontal)),
            (self.advance * size, self.pitch * size, size),
        )
        sums = np.empty((self.rows, self.channels, wide), self.dtype)
        pieces = as_strided(
            sums, (self.blocks, self.rows * self.channels, self.across), (self.across * size, wide * size, size)
        )
        result = sums[:, :, : self.columns].transpose(0, 2, 1)

        def compute(band: Array) -> Array:
            row = band.strides[0]
            tiles = as_strided(
                band, (self.tiles, self.vertical.shape[1], line), (self.down * self.step * row, row, size)
            )
            np.matmul(self.vertical, tiles, out=smooth)
            np.matmul(chunks, self.horizontal, out=pieces)
            return result

        return compute
