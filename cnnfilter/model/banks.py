"""What `inspect` says of a bank of filters, and of a file of tensors."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnfilter.core.character import character
from cnnfilter.core.convolution import Convolution
from cnnfilter.core.geometry import channels_of
from cnnfilter.core.vocabulary import Mapping
from cnnfilter.model.explain import UINT8, USUAL_SHAPE, Execution, Shape, executions
from cnnfilter.model.weights import Weights


@dataclass(frozen=True)
class FilterLine:
    """One filter over all channels. `gray` is the sum of its matrices, which is what it does to a gray picture."""

    sum: float
    l2: float
    low: float
    high: float
    gray: NDArray[Any]
    filter: str


@dataclass(frozen=True)
class BankReport:
    """A bank (height, width, channels in, filters out): its weights together, a line a filter, and its execution."""

    name: str
    shape: Shape
    params: int
    mean: float
    deviation: float
    filters: tuple[FilterLine, ...]
    execution: Execution

    def as_dict(self) -> dict[str, Any]:
        """The record as a dictionary.

        Keys: kind, name, shape, params, mean, deviation, filters (a list with sum, l2, minimum, maximum, filter) and
        execution.
        """
        lines = [
            {"sum": each.sum, "l2": each.l2, "minimum": each.low, "maximum": each.high, "filter": each.filter}
            for each in self.filters
        ]
        own = {"kind": "bank", "name": self.name, "shape": list(self.shape), "params": self.params}
        weights = {"mean": self.mean, "deviation": self.deviation}
        return own | weights | {"filters": lines, "execution": self.execution.as_dict()}


def explain_bank(
    convolution: Convolution,
    shape: Shape | None = None,
    dtype: np.dtype[Any] = UINT8,
    mapping: Mapping = "auto",
) -> BankReport:
    """What a bank is, and how an image of `shape` is filtered with it; by default one that it fits.

    >>> report = explain_bank(Convolution.of("random:3:16"), (427, 640, 3))
    >>> report.shape, len(report.filters), report.execution.output_shape
    ((3, 3, 3, 16), 16, (427, 640, 16))

    Raises:
        UnfitError: it takes another number of channels.
    """
    kernel = convolution.kernel
    channels = USUAL_SHAPE[2] if kernel.seed is not None else kernel.matrix.shape[2]
    shape = shape or (*USUAL_SHAPE[:2], channels)
    bank = kernel.spanning(channels_of(shape))
    weights = bank.matrix.astype(np.float64) / bank.divisor
    (execution,) = executions(convolution, shape, dtype, mapping)
    lines = tuple(_line(weights[:, :, :, index]) for index in range(weights.shape[3]))
    return BankReport(bank.name, bank.shape, bank.params, float(weights.mean()), float(weights.std()), lines, execution)


def _line(weights: NDArray[np.float64]) -> FilterLine:
    gray = weights.sum(axis=2)
    return FilterLine(
        float(weights.sum()),
        float(np.sqrt((weights**2).sum())),
        float(weights.min()),
        float(weights.max()),
        gray,
        character(gray).kind,
    )


def tensors_as_dict(weights: Weights) -> dict[str, Any]:
    """The tensors of a file as plain data. Keys: kind, params (their values together), tensors (shapes by name)."""
    shapes = {name: list(shape) for name, shape in weights.shapes.items()}
    values = sum(int(np.prod(shape, dtype=object)) for shape in shapes.values())
    return {"kind": "weights", "params": values, "tensors": shapes}
