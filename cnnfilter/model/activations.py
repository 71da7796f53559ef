"""Activations: layers that are a function of single values."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from cnnfilter.core import activations
from cnnfilter.core.numbers import real
from cnnfilter.model.layer import NO_TENSORS, Array, Layer, Tensors


class Activation(Layer):
    """A layer that is `function` of every value; its own fields are what the function takes besides."""

    function: ClassVar[Callable[..., Array]]

    def __call__(self, *arrays: Array, tensors: Tensors = NO_TENSORS) -> Array:
        """The activations, in the shape of the input."""
        return self.function(arrays[0], **self.arguments())


@dataclass(frozen=True, eq=False)
class Relu(Activation):
    """max(x, 0); whole numbers stay whole."""

    type: ClassVar[str] = "relu"
    function = staticmethod(activations.relu)


@dataclass(frozen=True, eq=False)
class LeakyRelu(Activation):
    """X where it is positive, else slope * x."""

    type: ClassVar[str] = "leaky-relu"
    main: ClassVar[str | None] = "slope"
    function = staticmethod(activations.leaky_relu)

    slope: float = 0.01

    def check(self) -> None:
        """Parse the slope.

        Raises:
            ParameterError: it is no number.
        """
        self._set(slope=real(self.slope, "slope"))


@dataclass(frozen=True, eq=False)
class Relu6(Activation):
    """min(max(x, 0), 6); whole numbers stay whole."""

    type: ClassVar[str] = "relu6"
    function = staticmethod(activations.relu6)


@dataclass(frozen=True, eq=False)
class Elu(Activation):
    """X where it is positive, else alpha * (exp(x) - 1)."""

    type: ClassVar[str] = "elu"
    main: ClassVar[str | None] = "alpha"
    function = staticmethod(activations.elu)

    alpha: float = 1.0

    def check(self) -> None:
        """Parse alpha.

        Raises:
            ParameterError: it is no number.
        """
        self._set(alpha=real(self.alpha, "alpha"))


@dataclass(frozen=True, eq=False)
class Sigmoid(Activation):
    """1 / (1 + exp(-x))."""

    type: ClassVar[str] = "sigmoid"
    gives_probabilities: ClassVar[bool] = True
    function = staticmethod(activations.sigmoid)


@dataclass(frozen=True, eq=False)
class Tanh(Activation):
    """The hyperbolic tangent."""

    type: ClassVar[str] = "tanh"
    function = staticmethod(activations.tanh)


@dataclass(frozen=True, eq=False)
class Silu(Activation):
    """X * sigmoid(x)."""

    type: ClassVar[str] = "silu"
    function = staticmethod(activations.silu)


@dataclass(frozen=True, eq=False)
class Abs(Activation):
    """|x|; whole numbers stay whole."""

    type: ClassVar[str] = "abs"
    function = staticmethod(activations.absolute)
