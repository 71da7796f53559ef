"""Banks over few channels in float32: a product for every row of outputs, read from planes that are shifted once.

Every row of the band is laid down channel by channel, once a column of the filters: what a window meets of it is then a
column of values one line apart, and that of the rows below follows at the same distance. So BLAS finds the matrix
(taps x channels, outputs of a row) in place, where the usual way copies every sample once a tap. A copied value costs
some 0.15 ns, a multiply-accumulate 0.02 ns; products are short, as `DIRECT` says, but have LEAST outputs. Where filters
are few, a row of the product makes two neighbours: it meets the columns of both, each filter stands in the table twice,
and what the one does not meet is times zero.

It wins for banks over up to FEW channels whose windows share rows, over rows that are long enough; where rows lie
between those of a dilated window, `columns` does. Errors are those of `columns`.
Source: the layout of Cho and Brand, "MEC: memory-efficient convolution for deep neural network", 2017, in planes.
"""

from collections.abc import Callable
from typing import Any

from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from cnnfilter.core.engine.floats import DIRECT, FLOAT32, in_own_memory, shares
from cnnfilter.core.engine.operands import Operands
from cnnfilter.core.engine.scratch import Pieces
from cnnfilter.core.engine.separable import pitch
from cnnfilter.core.engine.task import Correlation

Array = NDArray[Any]

# Channels up to which planes pay, and outputs of a row from which on they do.
FEW, LONG = 8, 16
# Values of the shifted planes of a tile: 2 MB.
BLOCK = 1 << 19
# Outputs that a product has in any case.
LEAST = 128
# Filters up to which outputs are made in pairs, with a third more multiplications for 3 x 3: BLAS makes a product of 32
# columns in less time than two of 16.
NARROW = 16


def suit(task: Correlation, columns: int) -> bool:
    """Whether a bank with so many outputs in a row is one for planes."""
    windows = task.windows
    rows_are_shared = windows.stride[0] < windows.size[0] == windows.extent[0]
    return task.groups == 1 and task.weights.shape[2] <= FEW and rows_are_shared and columns >= LONG


class Planes:
    """Products of the windows of each row with a bank of one group whose rows are not dilated."""

    name = "planes"
    dtype = FLOAT32

    def __init__(self, task: Correlation, shape: tuple[int, ...]) -> None:
        outputs, columns, self.filters = task.output_shape((shape[0], shape[1], shape[2]))
        self.windows, self.weights = task.windows, task.weights
        self.height, self.width, self.inputs, _ = task.weights.shape
        in_pairs = (
            self.filters <= NARROW and columns >= 2 * LEAST and columns % 2 == 0 and self.windows.dilation[1] == 1
        )
        self.beside = 2 if in_pairs else 1  # outputs of a row that one row of a product makes
        self.across = self.width + (self.beside - 1) * self.windows.stride[1]  # columns that they meet
        taps = self.height * (self.across * self.inputs + 1)
        self.columns = shares(columns, max(LEAST, DIRECT // (taps * self.filters)), self.beside)
        line = (self.across * self.inputs + 1) * self.columns // self.beside
        most = max(1, (BLOCK // line - self.height) // self.windows.stride[0] + 1)
        self.rows = shares(outputs, most, paired=True)
        # Only where lines take every sample it pays to split pixels first: to pick single ones is as slow from either.
        self.planar = self.beside * self.windows.stride[1] == 1
        self.pitch = (self.columns - 1) * self.windows.stride[1] + self.windows.extent[1]
        self.pitch *= 1 if self.planar else self.inputs
        self.workload = outputs * columns * self.filters * taps
        size = f"{self.height} x {self.width}"
        self.why = f"a bank of {size} over {self.inputs} channels; a product a row, of shifted planes, in float32"

    def bind(self, samples: Array, memory: Pieces) -> Callable[[], Array]:
        """Sums of what is in `samples`."""
        return in_own_memory(self, samples, memory, self.filters)

    def bind_to(self, samples: Array, memory: Pieces, bias: Array) -> Callable[[Array], None]:
        """Sums of what is in `samples`, plus `bias`."""
        operands = self.operands(samples, memory, with_bias=bool(bias.any()))
        operands.set(self.weights, bias)
        return operands.compute

    def hold(self, weights: Array) -> None:
        """Keep this copy of the weights."""
        self.weights = weights

    def operands(self, samples: Array, memory: Pieces, *, with_bias: bool) -> Operands:
        """Shifted planes of `samples`; the bias is a tap over a plane of ones."""
        (step_y, step_x), apart = self.windows.stride, self.windows.dilation[1]
        planes = self.across * self.inputs
        each, products, made = planes + with_bias, self.columns // self.beside, self.beside * self.filters
        lines = memory.empty((len(samples), each, pitch(products)), FLOAT32)
        lines[:, planes:] = 1
        s_row, s_line, size = lines.strides
        s_y, s_c, s_x = samples.strides if self.planar else (samples.strides[0], size, self.inputs * size)
        shape = len(samples), self.across, self.inputs, products
        table = memory.full((self.height, each, made), FLOAT32, 0)
        t_y, t_line, _ = table.strides
        further = step_x * self.inputs * t_line + self.filters * size  # from an output's filters to those of the next
        return Operands(
            under=as_strided(samples, shape, (s_y, apart * s_x, s_c, self.beside * step_x * s_x)),
            windows=as_strided(lines, shape, (s_row, self.inputs * s_line, s_line, size)),
            matrix=as_strided(lines, (self.rows, products, self.height * each), (step_y * s_row, size, s_line)),
            table=table.reshape(-1, made),
            filters=as_strided(
                table, (self.beside, *self.weights.shape), (further, t_y, self.inputs * t_line, t_line, size)
            ),
            bias=table[0, planes].reshape(self.beside, self.filters) if with_bias else None,
            made=(self.rows, products, made),
        )
