"""Layers that filter images as the commands do: convolve and pool."""

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from cnnfilter.core import transparency
from cnnfilter.core.convolution import Convolution
from cnnfilter.core.geometry import PaddingLike, PairLike, Windows
from cnnfilter.core.samples import Rendering
from cnnfilter.core.vocabulary import Mapping
from cnnfilter.model.layer import NO_TENSORS, Array, Layer, Shape, Tensors, image_shape

if TYPE_CHECKING:
    from cnnfilter.core.pooling import Pooling


@dataclass(frozen=True, eq=False)
class Convolve(Layer):
    """An image filter: `cnnfilter.convolve` with these arguments.

    Fields keep what was written; `operation` is what they mean.

    >>> Convolve("sobel-v", stride=2).output_shape((427, 640, 3))
    (214, 320, 3)

    Raises:
        ParameterError: a field that cannot be used.
    """

    type: ClassVar[str] = "convolve"
    main: ClassVar[str | None] = "kernel"

    kernel: Any  # a name or other text, a Kernel, or a matrix
    stride: PairLike = 1
    padding: PaddingLike = "same"
    pad_mode: str = "reflect"
    dilation: PairLike = 1
    channels: str = "each"
    scale: float | Fraction | str = 1
    bias: float | Fraction | str = 0
    flip: bool = False

    def check(self) -> None:
        """Refuse wrong fields.

        Raises:
            ParameterError: names the field.
        """
        _ = self.operation

    @property
    def makes_maps(self) -> bool:
        """Whether the kernel is a bank."""
        return self.operation.kernel.is_bank

    @cached_property
    def operation(self) -> Convolution:
        """The parsed fields."""
        return Convolution.of(**self.arguments())

    def output_shape(self, *shapes: Shape) -> Shape:
        """Shape of the output.

        Raises:
            UnfitError: the input is a vector, the output would be empty, or a bank takes another number of channels.
        """
        image_shape(shapes[0], self.type)
        return self.operation.output_shape(shapes[0])

    def parameters(self, *shapes: Shape) -> int:
        """Number of kernel entries."""
        return self.operation.params(shapes[0])

    def macs(self, *shapes: Shape) -> int:
        """Multiply-accumulates, zero taps too."""
        return self.operation.macs(shapes[0])

    def windows(self, *shapes: Shape) -> Windows:
        """The windows of the kernel."""
        return self.operation.windows

    def resolve(self, mapping: Mapping, *, to_float: bool, is_stack: bool) -> Mapping:
        """The mapping that `auto` stands for: the kernel decides."""
        return self.operation.resolve(mapping, to_float=to_float, is_stack=is_stack)

    def carried_alpha(self, alpha: Array) -> Array | None:
        """The alpha under the centre of each window; sums over channels and banks leave it out."""
        if self.operation.kernel.is_bank or self.operation.channels == "sum":
            return None
        return transparency.kept(self.operation.windows, alpha)

    def __call__(self, *arrays: Array, tensors: Tensors = NO_TENSORS) -> Array:
        """The response."""
        return self.operation.respond(arrays[0])[0]

    def respond(self, *arrays: Array, tensors: Tensors, rendering: Rendering) -> tuple[Array, int]:
        """(response or samples, number of values clipped), with nothing wide in between."""
        return self.operation.respond(arrays[0], rendering)


@dataclass(frozen=True, eq=False)
class Pool(Layer):
    """Pooling: `cnnfilter.pool` with these arguments.

    >>> Pool("max", size=4).output_shape((427, 640))
    (106, 160)
    """

    type: ClassVar[str] = "pool"
    main: ClassVar[str | None] = "kind"

    kind: str = "max"
    size: PairLike = 2
    stride: PairLike | None = None
    padding: PaddingLike = "valid"
    ceil_mode: bool = False
    count_include_pad: bool = False
    dilation: PairLike = 1

    def check(self) -> None:
        """Refuse wrong fields.

        Raises:
            ParameterError: names the field.
        """
        _ = self.operation

    @cached_property
    def operation(self) -> "Pooling":
        """The parsed fields."""
        from cnnfilter.core.pooling import Pooling  # which most runs, those of convolve, need not load

        return Pooling.of(**self.arguments())

    def output_shape(self, *shapes: Shape) -> Shape:
        """Shape of the output.

        Raises:
            UnfitError: the input is a vector, or the output would be empty.
        """
        image_shape(shapes[0], self.type)
        return self.operation.output_shape(shapes[0])

    def windows(self, *shapes: Shape) -> Windows | None:
        """The windows; None for global pooling."""
        return self.operation.windows(shapes[0]) if self.operation.size else None

    def carried_alpha(self, alpha: Array) -> Array | None:
        """The alpha, pooled like a colour."""
        return self.operation.respond(alpha, Rendering("clip"))[0]

    def __call__(self, *arrays: Array, tensors: Tensors = NO_TENSORS) -> Array:
        """The response."""
        return self.operation.respond(arrays[0])[0]

    def respond(self, *arrays: Array, tensors: Tensors, rendering: Rendering) -> tuple[Array, int]:
        """(response or samples, number of values clipped), with nothing wide in between."""
        if rendering.per_map:
            return super().respond(*arrays, tensors=tensors, rendering=rendering)
        return self.operation.respond(arrays[0], rendering)
