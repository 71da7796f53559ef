"""How weighted sums over windows are computed: `plan` chooses a strategy and says why, `sums` carries it out.

Every strategy is a function `sums(task, image, accumulator, band_rows)` that gives the sums of one band of rows after
the other; memory beyond input and output is that of a band or two. The choice depends on shapes, kernel and types only.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnfilter.core.engine import products, shifts
from cnnfilter.core.engine.task import Correlation
from cnnfilter.core.numbers import fit, whole_type
from cnnfilter.core.samples import BAND

FLOAT = np.dtype(np.float64)

Strategy = Callable[[Correlation, NDArray[Any], np.dtype[Any], int], Iterator[tuple[slice, NDArray[Any]]]]
STRATEGIES: dict[str, Strategy] = {"shifts": shifts.sums, "products": products.sums}


@dataclass(frozen=True)
class Plan:
    """How a task will be carried out; `bounds` are those of the sums where they are exact."""

    strategy: str
    accumulator: np.dtype[Any]
    band_rows: int
    bounds: tuple[int, int] | None
    why: str


def plan(task: Correlation, image: NDArray[Any]) -> Plan:
    """The strategy for `task` on `image` (height, width, channels), of which only shape and type are looked at.

    >>> from cnnfilter.core.geometry import Windows
    >>> task = Correlation(np.array([[-1, 0, 1]]), Windows.of((1, 3)), "reflect")
    >>> plan(task, np.zeros((4, 4, 1), np.uint8)).why
    'one kernel a channel; whole numbers from -255 to 255 fit int32'
    """
    bounds = task.bounds(image)
    strategy, why = ("products", "a bank of filters") if task.is_bank else ("shifts", "one kernel a channel")
    if bounds and not fit(bounds, np.int64):
        return Plan(strategy, FLOAT, 1, None, f"{why}; sums beyond 64 bits are rounded")
    if not bounds:
        accumulator, reason = FLOAT, "floats are added up in float64"
    elif strategy == "products" and max(-bounds[0], bounds[1]) <= 2**53:
        accumulator, reason = FLOAT, "whole numbers from {} to {} are exact in float64".format(*bounds)
    else:
        accumulator = whole_type(bounds)
        reason = "whole numbers from {} to {} fit {}".format(*bounds, accumulator)
    return Plan(strategy, accumulator, _band_rows(task, image.shape), bounds, f"{why}; {reason}")


def _band_rows(task: Correlation, shape: tuple[int, ...]) -> int:
    """Output rows of a band: as many as BAND holds, but no fewer than repay the rows that neighbours both load."""
    extent, step = task.windows.extent[0], task.windows.stride[0]
    row = (shape[1] + sum(task.windows.padding[1])) * shape[2]
    rows = max(BAND // row - extent, min(extent, 64)) // step
    if task.is_bank:
        windows_of_a_row = task.windows.output_size(shape[0], shape[1])[1] * task.weights[..., 0].size
        rows = min(rows, products.BLOCK // windows_of_a_row)
    return max(1, rows)


def sums(task: Correlation, image: NDArray[Any], planned: Plan | None = None) -> Iterator[tuple[slice, NDArray[Any]]]:
    """(rows of the output, their sums) band by band, (rows, columns, channels); overwritten by the next band's.

    Whole-number sums that are exact come as int32 or int64, others as float64.
    """
    planned = planned or plan(task, image)
    exact = whole_type(planned.bounds) if planned.bounds else FLOAT
    for rows, values in STRATEGIES[planned.strategy](task, image, planned.accumulator, planned.band_rows):
        yield rows, values.astype(exact, copy=False)
