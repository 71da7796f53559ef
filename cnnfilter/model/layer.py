"""What all layers have in common."""

import dataclasses
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping as MappingABC
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from cnnfilter.core.geometry import Windows, channels_of
from cnnfilter.core.samples import Rendering, auto_mapping, rendered
from cnnfilter.core.vocabulary import Mapping
from cnnfilter.errors import ParameterError, UnfitError

Array = NDArray[Any]
Shape = tuple[int, ...]
# A layer's tensors by their role: weight, bias, mean, variance; in PyTorch's layouts.
Tensors = MappingABC[str, Array]
NO_TENSORS: Tensors = {}
POINT = Windows((1, 1))


@dataclass(frozen=True, eq=False, kw_only=True)
class Layer(ABC):
    """A layer; `name` is what others call it, `inputs` the layers it takes (by default the one before).

    Subclasses set `type`, the word for it in pipelines, and `main`, the field that needs no key there; `several` if
    they take several inputs, `learns` if they have tensors, `gives_vector` and `gives_probabilities`.
    """

    type: ClassVar[str] = ""
    main: ClassVar[str | None] = None
    several: ClassVar[bool] = False
    learns: ClassVar[bool] = False
    gives_vector: ClassVar[bool] = False
    gives_probabilities: ClassVar[bool] = False

    name: str | None = None
    inputs: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if isinstance(self.inputs, str):
            self._set(inputs=(self.inputs,))
        elif self.inputs is not None:
            if not isinstance(self.inputs, list | tuple) or not all(isinstance(name, str) for name in self.inputs):
                raise ParameterError("from", f"{str(self.inputs)[:60]} is neither a layer's name nor a list of them")
            self._set(inputs=tuple(self.inputs))
        if self.name is not None and (not isinstance(self.name, str) or not self.name or self.name == "input"):
            raise ParameterError("name", f"{self.name!r} cannot be a layer's name")
        self.check()

    def check(self) -> None:  # noqa: B027 - most layers have none that need it
        """Bring the fields into their parsed form; wrong ones are refused."""

    def _set(self, **values: object) -> None:
        """Set fields while the layer is made."""
        for field, value in values.items():
            object.__setattr__(self, field, value)

    def output_shape(self, *shapes: Shape) -> Shape:
        """Shape of the output for inputs of `shapes`.

        Raises:
            UnfitError: the inputs do not fit the layer.
        """
        return shapes[0]

    def tensors(self, *shapes: Shape) -> dict[str, Shape]:
        """The tensors that the layer works with, by role, with their shapes in PyTorch's layout."""
        return {}

    def arguments(self) -> dict[str, Any]:
        """The fields of this type of layer by name: what the function that the layer stands for takes."""
        of_all = {field.name for field in dataclasses.fields(Layer)}
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self) if field.name not in of_all}

    @property
    def makes_maps(self) -> bool:
        """Whether the channels of the output are feature maps, whatever those of the input are."""
        return False

    def parameters(self, *shapes: Shape) -> int:
        """Number of learned values; running statistics are none."""
        learned = (shape for role, shape in self.tensors(*shapes).items() if role in ("weight", "bias"))
        return sum(math.prod(shape) for shape in learned)

    def macs(self, *shapes: Shape) -> int:
        """Multiply-accumulates; bias counts none."""
        return 0

    def windows(self, *shapes: Shape) -> Windows | None:
        """The windows that the layer looks through; None where it sees everything."""
        return POINT

    def resolve(self, mapping: Mapping, *, to_float: bool, is_stack: bool) -> Mapping:
        """The mapping that `auto` stands for when this layer's output is written."""
        if mapping != "auto":
            return mapping
        return auto_mapping(sums_to_zero=False, bias=Fraction(0), is_stack=is_stack, to_float=to_float)

    def carried_alpha(self, alpha: Array) -> Array | None:
        """The transparency of the output, for layers that keep one."""
        return None

    @abstractmethod
    def __call__(self, *arrays: Array, tensors: Tensors = NO_TENSORS) -> Array:
        """The output, unmapped and unrounded."""

    def respond(self, *arrays: Array, tensors: Tensors, rendering: Rendering) -> tuple[Array, int]:
        """(response or samples, number of values clipped) of the last layer of a pipeline."""
        result = self(*arrays, tensors=tensors)
        with np.errstate(invalid="ignore"):
            return rendered(result, rendering)

    def keys(self) -> dict[str, Any]:
        """The fields that differ from their defaults, by their names."""
        found = {}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if not _same(value, field.default):
                found[field.name] = value
        return found


def image_shape(shape: Shape, layer: str) -> tuple[int, int, int]:
    """(height, width, channels) of an input that has to be an image.

    Raises:
        UnfitError: a vector.
    """
    if len(shape) < 2:
        raise UnfitError("", f"{layer} takes an image, a vector of {shape[0]} values came")
    return shape[0], shape[1], channels_of(shape)


def _same(value: object, default: object) -> bool:
    if isinstance(value, np.ndarray) or isinstance(default, np.ndarray):
        return value is default
    return type(value) is type(default) and value == default
