"""Layers that look at single values: activations, several inputs together, and the classifier."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from cnnfilter.core import activations
from cnnfilter.core.geometry import Windows
from cnnfilter.core.numbers import real, whole, whole_type
from cnnfilter.core.samples import sample_bounds
from cnnfilter.errors import UnfitError
from cnnfilter.model.layer import NO_TENSORS, Array, Layer, Shape, Tensors
from cnnfilter.model.learned import Learned


@dataclass(frozen=True, eq=False)
class Relu(Layer):
    """max(x, 0); whole numbers stay whole."""

    type: ClassVar[str] = "relu"

    def __call__(self, *arrays: Array, tensors: Tensors = NO_TENSORS) -> Array:
        """The activations."""
        return activations.relu(arrays[0])


@dataclass(frozen=True, eq=False)
class LeakyRelu(Layer):
    """X where it is positive, else slope * x."""

    type: ClassVar[str] = "leaky-relu"
    main: ClassVar[str | None] = "slope"

    slope: float = 0.01

    def check(self) -> None:
        """Parse the slope."""
        self._set(slope=real(self.slope, "slope"))

    def __call__(self, *arrays: Array, tensors: Tensors = NO_TENSORS) -> Array:
        """The activations."""
        return activations.leaky_relu(arrays[0], self.slope)


@dataclass(frozen=True, eq=False)
class Relu6(Layer):
    """min(max(x, 0), 6); whole numbers stay whole."""

    type: ClassVar[str] = "relu6"

    def __call__(self, *arrays: Array, tensors: Tensors = NO_TENSORS) -> Array:
        """The activations."""
        return activations.relu6(arrays[0])


@dataclass(frozen=True, eq=False)
class Elu(Layer):
    """X where it is positive, else alpha * (exp(x) - 1)."""

    type: ClassVar[str] = "elu"
    main: ClassVar[str | None] = "alpha"

    alpha: float = 1.0

    def check(self) -> None:
        """Parse alpha."""
        self._set(alpha=real(self.alpha, "alpha"))

    def __call__(self, *arrays: Array, tensors: Tensors = NO_TENSORS) -> Array:
        """The activations."""
        return activations.elu(arrays[0], self.alpha)


@dataclass(frozen=True, eq=False)
class Sigmoid(Layer):
    """1 / (1 + exp(-x))."""

    type: ClassVar[str] = "sigmoid"
    gives_probabilities: ClassVar[bool] = True

    def __call__(self, *arrays: Array, tensors: Tensors = NO_TENSORS) -> Array:
        """The activations."""
        return activations.sigmoid(arrays[0])


@dataclass(frozen=True, eq=False)
class Tanh(Layer):
    """The hyperbolic tangent."""

    type: ClassVar[str] = "tanh"

    def __call__(self, *arrays: Array, tensors: Tensors = NO_TENSORS) -> Array:
        """The activations."""
        return activations.tanh(arrays[0])


@dataclass(frozen=True, eq=False)
class Silu(Layer):
    """X * sigmoid(x)."""

    type: ClassVar[str] = "silu"

    def __call__(self, *arrays: Array, tensors: Tensors = NO_TENSORS) -> Array:
        """The activations."""
        return activations.silu(arrays[0])


@dataclass(frozen=True, eq=False)
class Abs(Layer):
    """|x|; whole numbers stay whole."""

    type: ClassVar[str] = "abs"

    def __call__(self, *arrays: Array, tensors: Tensors = NO_TENSORS) -> Array:
        """The absolute values."""
        return activations.absolute(arrays[0])


@dataclass(frozen=True, eq=False)
class Add(Layer):
    """The sum of several inputs; a size of 1 is repeated. Whole numbers stay whole.

    >>> Add().output_shape((8, 8, 4), (8, 8, 4))
    (8, 8, 4)
    """

    type: ClassVar[str] = "add"
    several: ClassVar[bool] = True

    def output_shape(self, *shapes: Shape) -> Shape:
        """The shape that all inputs have, or are repeated to."""
        return _broadcast(shapes, self.type)

    def __call__(self, *arrays: Array, tensors: Tensors = NO_TENSORS) -> Array:
        """The sums."""
        wide = np.dtype(np.float32)
        if all(a.dtype.kind in "biu" for a in arrays):
            bounds = [sample_bounds(array) for array in arrays]
            wide = whole_type((sum(low for low, _ in bounds), sum(high for _, high in bounds)))
        total = np.zeros(self.output_shape(*(a.shape for a in arrays)), wide)
        for array in arrays:
            total += _spread(array, arrays)
        return total


@dataclass(frozen=True, eq=False)
class Multiply(Layer):
    """The product of several inputs; a size of 1 is repeated, so that (1, 1, channels) weighs channels."""

    type: ClassVar[str] = "multiply"
    several: ClassVar[bool] = True

    def output_shape(self, *shapes: Shape) -> Shape:
        """The shape that all inputs have, or are repeated to."""
        return _broadcast(shapes, self.type)

    def __call__(self, *arrays: Array, tensors: Tensors = NO_TENSORS) -> Array:
        """The products, in float32."""
        product = _spread(arrays[0], arrays).astype(np.float32)
        for array in arrays[1:]:
            product = product * _spread(array, arrays).astype(np.float32)
        return np.asarray(product)


@dataclass(frozen=True, eq=False)
class Concat(Layer):
    """The channels of several inputs, one after the other; vectors end to end.

    >>> Concat().output_shape((8, 8, 4), (8, 8))
    (8, 8, 5)
    """

    type: ClassVar[str] = "concat"
    several: ClassVar[bool] = True

    @property
    def makes_maps(self) -> bool:
        """Channels of different origin are no colours."""
        return True

    def output_shape(self, *shapes: Shape) -> Shape:
        """The common size with all channels."""
        if all(len(shape) == 1 for shape in shapes):
            return (sum(shape[0] for shape in shapes),)
        full = [(*shape, 1)[:3] for shape in shapes]
        if len({shape[:2] for shape in full}) > 1 or any(len(shape) == 1 for shape in shapes):
            raise UnfitError("", f"concat takes inputs of one size, {_listed(shapes)} came")
        return *full[0][:2], sum(shape[2] for shape in full)

    def __call__(self, *arrays: Array, tensors: Tensors = NO_TENSORS) -> Array:
        """All channels."""
        vectors = arrays[0].ndim == 1
        return np.concatenate([a if vectors or a.ndim == 3 else a[:, :, None] for a in arrays], axis=-1)


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
        """Refuse wrong fields; the weights may tell the units."""
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
        """One value a unit."""
        if len(shapes[0]) != 1:
            raise UnfitError("", f"dense takes a vector, {'x'.join(map(str, shapes[0]))} came; put flatten before it")
        if self.units is None:
            raise UnfitError("units", "is neither given nor told by weights")
        return (self.units,)

    def tensors(self, *shapes: Shape) -> dict[str, Shape]:
        """Weight and bias."""
        (units,) = self.output_shape(*shapes)
        return {"weight": (units, shapes[0][0])} | ({"bias": (units,)} if self.has_bias else {})

    def macs(self, *shapes: Shape) -> int:
        """One a weight."""
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
        """Parse the rate."""
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


def _listed(shapes: tuple[Shape, ...]) -> str:
    return " and ".join("x".join(map(str, shape)) for shape in shapes)


def _broadcast(shapes: tuple[Shape, ...], layer: str) -> Shape:
    if len({len(shape) == 1 for shape in shapes}) > 1:
        raise UnfitError("", f"{layer} takes inputs of one shape, {_listed(shapes)} came")
    full = [shape if len(shape) == 1 else (*shape, 1)[:3] for shape in shapes]
    try:
        shape = np.broadcast_shapes(*full)
    except ValueError as error:
        raise UnfitError("", f"{layer} takes inputs of one shape, {_listed(shapes)} came") from error
    return shape[:2] if all(len(s) == 2 for s in shapes) else shape


def _spread(array: Array, others: tuple[Array, ...]) -> Array:
    """`array` with an axis of channels where others have one."""
    return array[:, :, None] if array.ndim == 2 and any(other.ndim == 3 for other in others) else array
