"""Banks in float32: the samples under each window copied to a row of a matrix, times the filters.

Windows are copied in runs of a row of taps; those of few channels a group by planes, in runs of a row of outputs, and
BLAS takes the matrix transposed. It serves every stride, dilation and group, and wins where neither `winograd` nor
`planes` suits; a copied value costs about 0.3 ns, a multiply-accumulate 0.02 ns, half of float64's. A sum of n products
in float32 has an error of about sqrt(n) / 2^24 of its largest part: as measured below 5e-7 of the largest response up
to 2304 taps x channels. Source: Chellapilla, Puri and Simard, "High performance convolutional neural networks for
document processing", 2006.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from cnnfilter.core.engine.floats import FLOAT32, in_own_memory, shares
from cnnfilter.core.engine.operands import Operands
from cnnfilter.core.engine.planes import FEW
from cnnfilter.core.engine.scratch import Pieces
from cnnfilter.core.engine.task import Correlation

Array = NDArray[Any]

# Values of the matrix, 2 MB.
BLOCK = 1 << 19


class Columns:
    """Products of the windows of a band with a bank, group by group."""

    name = "columns"
    dtype = FLOAT32

    def __init__(self, task: Correlation, shape: tuple[int, ...]) -> None:
        outputs, self.columns, self.filters = task.output_shape((shape[0], shape[1], shape[2]))
        self.weights, self.windows, self.groups = task.weights, task.windows, task.groups
        height, width, self.inputs, _ = task.weights.shape
        self.planar = self.inputs <= FEW
        self.taps = height * width * self.inputs
        self.rows = shares(outputs, max(1, BLOCK // (self.taps * self.columns)))
        self.pitch = shape[1] + sum(self.windows.padding[1])
        self.pitch *= 1 if self.planar else shape[2]
        self.workload = outputs * self.columns * self.filters * self.taps
        layout = "planes" if self.planar else "pixels"
        self.why = f"a bank of {height} x {width} over {shape[2]} channels; windows copied by {layout}, in float32"

    def bind(self, samples: Array, memory: Pieces) -> Callable[[], Array]:
        """Sums of what is in `samples`."""
        return in_own_memory(self, samples, memory, self.filters)

    def bind_to(self, samples: Array, memory: Pieces, bias: Array) -> Callable[[Array], None]:
        """Sums of what is in `samples`, plus `bias`: of one group by one more tap, over samples of 1."""
        if self.groups == 1:
            operands = self.operands(samples, memory, with_bias=bool(bias.any()))
            operands.set(self.weights, bias)
            return operands.compute
        first = self.operands(samples, memory, with_bias=False)
        parts = [first, *(self._of_group(first, samples, group) for group in range(1, self.groups))]
        for part, weights in zip(parts, np.split(self.weights, self.groups, axis=3), strict=True):
            part.set(weights)

        def compute(out: Array) -> None:
            for part, some in zip(parts, np.split(out, self.groups, axis=2), strict=True):
                part.compute(some)
            if bias.any():
                np.add(out, bias, out=out)

        return compute

    def hold(self, weights: Array) -> None:
        """Keep this copy of the weights."""
        self.weights = weights

    def operands(self, samples: Array, memory: Pieces, *, with_bias: bool) -> Operands:
        """The first group's windows of `samples`: (*window, rows, columns) if planar, else (rows, columns, *window)."""
        height, width = self.windows.size
        window, tile = (height, width, self.inputs), (self.rows, self.columns)
        pixels, filters, used = self.rows * self.columns, self.filters // self.groups, self.taps
        taps = used + with_bias
        matrix = memory.empty((taps, pixels), FLOAT32).T if self.planar else memory.empty((pixels, taps), FLOAT32)
        matrix[:, used:] = 1
        windows = matrix.T[:used].reshape(window + tile) if self.planar else matrix[:, :used].reshape(tile + window)
        table = memory.full((taps, filters), FLOAT32, 0)
        return Operands(
            under=self._under(samples, window, tile),
            windows=windows,
            matrix=matrix,
            table=table,
            filters=table[:used].reshape(*window, filters),
            bias=table[used] if with_bias else None,
            made=(pixels, filters),
        )

    def _of_group(self, first: Operands, samples: Array, group: int) -> Operands:
        """Another group's, in the same memory but for the weights."""
        table = np.zeros_like(first.table)
        under = as_strided(samples[:, group * self.inputs :], first.under.shape, first.under.strides)
        return replace(first, under=under, table=table, filters=table.reshape(first.filters.shape))

    def _under(self, samples: Array, window: tuple[int, ...], tile: tuple[int, int]) -> Array:
        size = samples.itemsize
        s_y, s_x, s_c = samples.strides[0], size, self.pitch * size
        if not self.planar:
            s_x, s_c = self.inputs * self.groups * size, size
        (step_y, step_x), (apart_y, apart_x) = self.windows.stride, self.windows.dilation
        over, along = (s_y * apart_y, s_x * apart_x, s_c), (s_y * step_y, s_x * step_x)
        if self.planar:
            return as_strided(samples, window + tile, over + along)
        return as_strided(samples, tile + window, along + over)
