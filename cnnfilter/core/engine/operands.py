"""A bank of filters over one tile as one call of BLAS: what its operands are, and what is copied into them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Operands:
    """The samples `under` the windows of a tile are copied to `windows`; `matrix`, the same memory, times `table`.

    `filters` (height, width, inputs, filters) and `bias` are where the weights stand in the table; `bias` is None where
    no sample of 1 meets it. `made` is the shape that the product gives the responses.
    """

    under: Array
    windows: Array
    matrix: Array
    table: Array
    filters: Array
    bias: Array | None
    made: tuple[int, ...]

    def set(self, weights: Array, bias: Array | float = 0) -> None:
        """Take other weights."""
        self.filters[...] = weights
        if self.bias is not None:
            self.bias[...] = bias

    def compute(self, out: Array) -> None:
        """Put the responses, (rows, columns, filters), into `out`."""
        self.windows[...] = self.under
        np.matmul(self.matrix, self.table, out=out.reshape(self.made))
