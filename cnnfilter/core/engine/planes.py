"""Banks over few channels in float32: a product for every row of outputs, read from planes that are shifted once.

Every row of the band is laid down channel by channel, once a column of the filters: what a window meets of it is then a
column of values one line apart, and that of the rows below follows at the same distance. So BLAS finds the matrix
(taps x channels, outputs of a row) in place, where the usual way copies every sample once a tap. A copied value costs
some 0.15 ns, a multiply-accumulate 0.02 ns: as long as a product stays below DIRECT multiplications OpenBLAS neither
copies nor reorders it. It wins for banks over a few channels. Errors are those of `columns`.
Source: the layout of Cho and Brand, "MEC: memory-efficient convolution for deep neural network", 2017, in planes.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from cnnfilter.core.engine.floats import FLOAT32, in_own_memory, shares
from cnnfilter.core.engine.operands import Operands
from cnnfilter.core.engine.scratch import Pieces
from cnnfilter.core.engine.separable import pitch
from cnnfilter.core.engine.task import Correlation

Array = NDArray[Any]

# Values of the shifted planes of a tile: 1 MB.
BLOCK = 1 << 18
# Multiplications of a product, and the outputs it has in any case.
DIRECT, LEAST = 1_000_000, 128


class Planes:
    """Products of the windows of each row with a bank of one group."""

    name = "planes"
    planar = True
    dtype = FLOAT32

    def __init__(self, task: Correlation, shape: tuple[int, ...]) -> None:
        outputs, columns, self.filters = task.output_shape((shape[0], shape[1], shape[2]))
        self.windows, self.weights = task.windows, task.weights
        self.height, self.width, self.inputs, _ = task.weights.shape
        # Rows of a window, those between the taps of a dilated one included, times the planes of a row.
        self.taps = self.windows.extent[0] * (self.width * self.inputs + 1)
        self.columns = shares(columns, max(LEAST, DIRECT // (self.taps * self.filters)))
        line = (self.width * self.inputs + 1) * self.columns
        (step, _), (extent, across) = self.windows.stride, self.windows.extent
        self.rows = shares(outputs, max(1, (BLOCK // line - extent) // step + 1))
        self.pitch = (self.columns - 1) * self.windows.stride[1] + across
        self.workload = outputs * columns * self.filters * task.weights[..., 0].size
        size = f"{self.height} x {self.width}"
        self.why = f"a bank of {size} over {self.inputs} channels; a product a row, of shifted planes, in float32"

    def bound(self, samples: Array, memory: Pieces) -> Callable[[], Array]:
        """Sums of what is in `samples`."""
        return in_own_memory(self, samples, memory, self.filters)

    def bound_to(self, samples: Array, memory: Pieces, bias: Array) -> Callable[[Array], None]:
        """Sums of what is in `samples`, plus `bias`."""
        operands = self.operands(samples, memory, with_bias=bool(bias.any()))
        operands.set(self.weights, bias)
        return operands.compute

    def operands(self, samples: Array, memory: Pieces, *, with_bias: bool) -> Operands:
        """Shifted planes of `samples`; the bias is a tap over a plane of ones."""
        (step_y, step_x), (apart_y, apart_x) = self.windows.stride, self.windows.dilation
        rows, planes = self.windows.extent[0], self.width * self.inputs
        each = planes + with_bias
        lines = memory.empty((len(samples), each, pitch(self.columns)), FLOAT32)
        lines[:, planes:] = 1
        s_row, s_line, size = lines.strides
        s_y, s_c, s_x = samples.strides
        shape = len(samples), self.width, self.inputs, self.columns
        table = np.zeros((rows, each, self.filters), FLOAT32)
        return Operands(
            under=as_strided(samples, shape, (s_y, apart_x * s_x, s_c, step_x * s_x)),
            windows=as_strided(lines, shape, (s_row, self.inputs * s_line, s_line, size)),
            matrix=as_strided(lines, (self.rows, self.columns, rows * each), (step_y * s_row, size, s_line)),
            table=table.reshape(-1, self.filters),
            filters=table[::apart_y, :planes].reshape(self.height, self.width, self.inputs, self.filters),
            bias=table[0, planes] if with_bias else None,
            made=(self.rows, self.columns, self.filters),
        )
