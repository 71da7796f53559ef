"""The layers: one unchangeable value a type, that knows its output shape, its cost and how to apply itself.

A layer's fields are the vocabulary of the command's options, of pipeline files and of the Python functions.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cnnfilter.core.convolution import Convolution
from cnnfilter.core.geometry import PaddingLike, PairLike

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from cnnfilter.core.kernels import Kernel


@dataclass(frozen=True, eq=False)
class Convolve:
    """An image filter: `cnnfilter.convolve` with these arguments.

    Fields keep what was written; `operation` is what they mean.

    >>> Convolve("sobel-v", stride=2).output_shape((427, 640, 3))
    (214, 320, 3)

    Raises:
        ParameterError: a field that cannot be used.
    """

    kernel: "str | Kernel | ArrayLike"
    stride: PairLike = 1
    padding: PaddingLike = "same"
    pad_mode: str = "reflect"
    dilation: PairLike = 1
    channels: str = "each"
    scale: float | Fraction | str = 1
    bias: float | Fraction | str = 0
    flip: bool = False

    def __post_init__(self) -> None:
        _ = self.operation  # wrong fields are refused here

    @cached_property
    def operation(self) -> Convolution:
        """The parsed fields."""
        return Convolution.of(
            self.kernel,
            stride=self.stride,
            padding=self.padding,
            pad_mode=self.pad_mode,
            dilation=self.dilation,
            channels=self.channels,
            scale=self.scale,
            bias=self.bias,
            flip=self.flip,
        )

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of the output for an input of `shape`."""
        return self.operation.output_shape(shape)

    def params(self, shape: tuple[int, ...]) -> int:
        """Number of kernel entries."""
        return self.operation.params(shape)

    def macs(self, shape: tuple[int, ...]) -> int:
        """Multiply-accumulates for an input of `shape`."""
        return self.operation.macs(shape)

    def __call__(self, image: "NDArray[Any]") -> "NDArray[Any]":
        """The response, unmapped and unrounded."""
        return self.operation.respond(image)[0]
