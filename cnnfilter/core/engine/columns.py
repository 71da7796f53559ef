"""Banks in float32: the samples under each window as a column (or a row) of a matrix, times the filters.

Of few channels the band is planar, and the matrix (taps x channels, pixels) is copied in long runs; BLAS takes it
transposed. Of many channels it is (pixels, taps x channels), copied in runs of a row of taps. Either serves every
stride, dilation and group; a copied value costs about 0.3 ns, a multiply-accumulate 0.02 ns, half of float64's.
It wins for banks that are worth a copy at all; the smallest stay in float64. A sum of n products in float32 has an
error of about sqrt(n) / 2^24 of its largest part: as measured below 5e-7 of the largest response up to 2304 taps x
channels. Source: Chellapilla, Puri and Simard, "High performance convolutional neural networks for document
processing", 2006.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from cnnfilter.core.engine.floats import FLOAT32, in_own_memory, shares
from cnnfilter.core.engine.task import Correlation

Array = NDArray[Any]

# Values of the matrix, 2 MB.
BLOCK = 1 << 19
# Channels of a group up to which planes pay.
FEW = 8


class Columns:
    """Products of the windows of a band with a bank, group by group."""

    name = "columns"
    dtype = FLOAT32

    def __init__(self, task: Correlation, shape: tuple[int, ...]) -> None:
        outputs, self.columns, self.filters = task.output_shape((shape[0], shape[1], shape[2]))
        self.height, self.width, self.inputs, _ = task.weights.shape
        self.windows, self.groups = task.windows, task.groups
        self.planar = self.inputs <= FEW
        taps = self.height * self.width * self.inputs
        each = self.filters // self.groups
        matrices = task.weights.reshape(taps, self.groups, each).transpose(1, 0, 2)
        self.matrices = np.ascontiguousarray(matrices, FLOAT32)
        self.rows = shares(outputs, max(1, BLOCK // (taps * self.columns)))
        self.pitch = shape[1] + sum(self.windows.padding[1])
        self.pitch *= 1 if self.planar else shape[2]
        self.workload = outputs * self.columns * self.filters * taps
        layout = "planes" if self.planar else "pixels"
        self.why = (
            f"a bank of {self.height} x {self.width} over {shape[2]} channels; windows copied by {layout}, in float32"
        )

    def bound(self, samples: Array) -> Callable[[], Array]:
        """Sums of what is in `samples`."""
        return in_own_memory(self, samples, self.filters)

    def bound_to(self, samples: Array, bias: Array) -> Callable[[Array], None]:
        """Sums of what is in `samples`, plus `bias`: of one group by one more tap, over samples of 1."""
        is_tap = self.groups == 1 and bool(bias.any())
        matrices = np.concatenate([self.matrices, bias[None, None]], axis=1) if is_tap else self.matrices
        pixels, taps = self.rows * self.columns, matrices.shape[1]
        matrix = np.ones((taps, pixels) if self.planar else (pixels, taps), FLOAT32)
        used = self.matrices.shape[1]
        windows = matrix[:used] if self.planar else matrix[:, :used]
        matrix = matrix.T if self.planar else matrix
        parts = [self.under(samples, group) for group in range(self.groups)]
        windows = windows.reshape(parts[0].shape)

        def compute(out: Array) -> None:
            flat = out.reshape(pixels, self.filters)
            if self.groups == 1:
                np.copyto(windows, parts[0])
                np.matmul(matrix, matrices[0], out=flat)
                return
            for part, filters, some in zip(parts, matrices, np.split(flat, self.groups, axis=1), strict=True):
                np.copyto(windows, part)
                np.matmul(matrix, filters, out=some)
            if bias.any():
                np.add(out, bias, out=out)

        return compute

    def under(self, samples: Array, group: int = 0) -> Array:
        """The samples under windows: (*window, rows, columns) of a tile if planar, else (rows, columns, *window)."""
        size = samples.itemsize
        s_y, s_x, s_c = samples.strides[0], size, self.pitch * size
        if not self.planar:
            s_x, s_c = self.inputs * self.groups * size, size
        (step_y, step_x), (apart_y, apart_x) = self.windows.stride, self.windows.dilation
        window, tile = (self.height, self.width, self.inputs), (self.rows, self.columns)
        over, along = (s_y * apart_y, s_x * apart_x, s_c), (s_y * step_y, s_x * step_x)
        channels = samples[:, group * self.inputs :]
        if self.planar:
            return as_strided(channels, window + tile, over + along)
        return as_strided(channels, tile + window, along + over)
