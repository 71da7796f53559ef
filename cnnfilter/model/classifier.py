"""Layers of classifiers: flatten, dense, dropout, softmax."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from cnnfilter.core import activations
from cnnfilter.core.geometry import Windows
from cnnfilter.core.numbers import real, whole
from cnnfilter.core.words import by
from cnnfilter.errors import UnfitError
from cnnfilter.model.layer import NO_TENSORS, Array, Layer, Shape, Tensors
from cnnfilter.model.learned import Learned


@dataclass(frozen=True, eq=False)
class Flatten(Layer):
    """A vector of all values in PyTorch's order: channel, row, column."""

    type: ClassVar[str] = "flatten"
    gives_vector: ClassVar[bool] = True

    def output_shape(self, *shapes: Shape) -> Shape:
        """The number of values."""
        return (math.prod(shapes[0]),)

    def windows(self, *shapes: Shape) -> Windows | None:
        """A vector has no windows."""
        return None

    def __call__(self, *arrays: Array, tensors: Tensors = NO_TENSORS) -> Array:
        """The vector."""
        return arrays[0].transpose(2, 0, 1).reshape(-1) if arrays[0].ndim == 3 else arrays[0].reshape(-1)


@dataclass(frozen=True, eq=False)
class Dense(Learned):
    """Weight @ x + bias on a vector: PyTorch's Linear. Weights are units x values.

    >>> Dense(10).output_shape((120,))
    (10,)
    """

    type: ClassVar[str] = "dense"
    main: ClassVar[str | None] = "units"
    gives_vector: ClassVar[bool] = True

    units: int | None = None  # by default as the weights file has it
    weight: Any = None

    def check(self) -> None:
        """Refuse wrong fields; the weights may tell the units.

        Raises:
            ParameterError: names the field.
        """
        super().check()
        if isinstance(self.weight, np.ndarray):
            self._set(**self.told_by(self.weight.shape))
        if self.units is not None:
            self._set(units=whole(self.units, "units"))

    def told_by(self, shape: Shape) -> dict[str, Any]:
        """The fields that a weight tensor of `shape` tells, where they are not set.

        Raises:
            UnfitError: it has another number of axes.
        """
        if len(shape) != 2:
            raise UnfitError("weight", f"units x values is needed, {shape} came")
        return {"units": self.units or shape[0]}

    def output_shape(self, *shapes: Shape) -> Shape:
        """One value a unit.

        Raises:
            UnfitError: no vector came, or the units are neither given nor told by weights.
        """
        if len(shapes[0]) != 1:
            raise UnfitError("", f"dense takes a vector, {by(shapes[0])} came; put flatten before it")
        if self.units is None:
            raise UnfitError("units", "is neither given nor told by weights")
        return (self.units,)

    def tensors(self, *shapes: Shape) -> dict[str, Shape]:
        """Weight and bias.

        Raises:
            UnfitError: as for `output_shape`.
        """
        (units,) = self.output_shape(*shapes)
        return {"weight": (units, shapes[0][0])} | ({"bias": (units,)} if self.has_bias else {})

    def macs(self, *shapes: Shape) -> int:
        """One a weight.

        Raises:
            UnfitError: as for `output_shape`.
        """
        return self.output_shape(*shapes)[0] * shapes[0][0]

    def windows(self, *shapes: Shape) -> Windows | None:
        """A vector has no windows."""
        return None

    def __call__(self, *arrays: Array, tensors: Tensors = NO_TENSORS) -> Array:
        """The units' values."""
        return activations.dense(arrays[0], tensors["weight"], tensors.get("bias"))


@dataclass(frozen=True, eq=False)
class Dropout(Layer):
    """Passes values through, as at inference."""

    type: ClassVar[str] = "dropout"
    main: ClassVar[str | None] = "rate"

    rate: float = 0.5

    def check(self) -> None:
        """Parse the rate.

        Raises:
            ParameterError: it is not within 0 and 1.
        """
        self._set(rate=real(self.rate, "rate", least=0, most=1))

    def __call__(self, *arrays: Array, tensors: Tensors = NO_TENSORS) -> Array:
        """The input."""
        return arrays[0]


@dataclass(frozen=True, eq=False)
class Softmax(Layer):
    """exp(x) / sum of exp(x) over the channels, or over a vector."""

    type: ClassVar[str] = "softmax"
    gives_probabilities: ClassVar[bool] = True

    def __call__(self, *arrays: Array, tensors: Tensors = NO_TENSORS) -> Array:
        """The probabilities."""
        image = arrays[0]
        return activations.softmax(image if image.ndim != 2 else image[:, :, None]).reshape(image.shape)
