"""Convolution: what is computed, and checks of what users pass; the engine computes it."""

from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from cnnfilter.core import calls, engine
from cnnfilter.core.arrays import as_image, as_numbers, as_planes
from cnnfilter.core.engine.task import Correlation
from cnnfilter.core.geometry import (
    PaddingLike,
    PadMode,
    PairLike,
    Windows,
    channels_of,
    pad_mode as parse_pad_mode,
    pair,
)
from cnnfilter.core.kernels import Kernel, as_kernel, known
from cnnfilter.core.numbers import exact, flag
from cnnfilter.core.prepared import Prepared, prepare
from cnnfilter.core.recent import Recent
from cnnfilter.core.samples import RAW, Rendering, auto_mapping
from cnnfilter.core.vocabulary import CHANNELS, Channels, Mapping, choice
from cnnfilter.errors import ParameterError, UnfitError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


class Convolution(NamedTuple):
    """A convolution with everything that users say about it, parsed: response = sums / divisor x scale + bias."""

    kernel: Kernel
    windows: Windows
    pad_mode: PadMode = "reflect"
    channels: Channels = "each"
    scale: Fraction = Fraction(1)
    bias: Fraction = Fraction(0)
    flip: bool = False

    @classmethod
    def of(
        cls,
        kernel: "str | Kernel | ArrayLike",
        *,
        stride: PairLike = 1,
        padding: PaddingLike = "same",
        pad_mode: str = "reflect",
        dilation: PairLike = 1,
        channels: str = "each",
        scale: float | Fraction | str = 1,
        bias: float | Fraction | str = 0,
        flip: bool = False,
    ) -> "Convolution":
        """The arguments of `convolve`, checked.

        Raises:
            ParameterError: names the argument that cannot be used.
        """
        parsed = as_kernel(kernel)
        return cls(
            parsed,
            Windows.of(parsed.size, stride=stride, padding=padding, dilation=dilation),
            parse_pad_mode(pad_mode),
            cast("Channels", choice(channels, CHANNELS, "channels")),
            exact(scale, "scale"),
            exact(bias, "bias"),
            flag(flip, "flip"),
        )

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of the response to an image of `shape`.

        Raises:
            UnfitError: the output would be empty, or a bank takes another number of channels.
        """
        rows, columns = self.windows.output_size(shape[0], shape[1])
        if self.kernel.is_bank:
            bank = self.kernel.spanning(channels_of(shape))
            return rows, columns, bank.matrix.shape[3]
        return (rows, columns) if self.channels == "sum" else (rows, columns, *shape[2:])

    def params(self, shape: tuple[int, ...]) -> int:
        """Number of entries of the kernel for an image of `shape`.

        Raises:
            UnfitError: a bank takes another number of channels.
        """
        return self.kernel.spanning(channels_of(shape)).params

    def macs(self, shape: tuple[int, ...]) -> int:
        """Multiply-accumulates: output values x taps x channels under a filter, zero taps too.

        Raises:
            UnfitError: the output would be empty, or a bank takes another number of channels.
        """
        values = int(np.prod(self.output_shape(shape), dtype=object))
        whole = self.kernel.is_bank or self.channels == "sum"
        inputs = channels_of(shape) if whole else 1
        return values * self.windows.taps * inputs * (2 if self.kernel.is_gradient else 1)

    def resolve(self, mapping: Mapping, *, to_float: bool, is_stack: bool = False) -> Mapping:
        """The mapping that `auto` stands for here; others stay. A stack has feature maps for channels."""
        if mapping != "auto":
            return mapping
        kernel = self.kernel
        is_stack = is_stack or kernel.is_bank
        return auto_mapping(sums_to_zero=kernel.sums_to_zero, bias=self.bias, is_stack=is_stack, to_float=to_float)

    def respond(
        self, image: NDArray[Any], rendering: Rendering = RAW, *, count: bool = True
    ) -> tuple[NDArray[Any], int]:
        """(response or samples, number of values clipped, if they are to be counted).

        `rendering` says what becomes of responses: their gain is the ratio between the levels of the samples and those
        of the image. Without samples they are of the image's own type, unless they are raw.

        Raises:
            UnfitError: the output would be empty, or a bank takes another number of channels.
        """
        planes = as_planes(image)
        return prepare(self, image.shape, planes, rendering, count=count).run(planes)


def convolve(
    image: "ArrayLike",
    kernel: "str | Kernel | ArrayLike",
    *,
    stride: PairLike = 1,
    padding: PaddingLike = "same",
    pad_mode: str = "reflect",
    dilation: PairLike = 1,
    channels: str = "each",
    scale: float | Fraction | str = 1,
    bias: float | Fraction | str = 0,
    flip: bool = False,
    mapping: str = "raw",
) -> NDArray[Any]:
    """Filter an image with a kernel, as a layer of a CNN does: cross-correlation, unless `flip` is set.

    Args:
        image: height x width or height x width x channels, of booleans, integers or floats.
        kernel: text as for `cnnfilter.kernel`, a Kernel, a matrix height x width, or a bank of filters
            height x width x channels x filters.
        stride: step between windows, a number or (y, x).
        padding: `same` (output ceil(n / stride)), `valid`, a number a side, (y, x), or ((top, bottom), (left, right)).
        pad_mode: `reflect` dcb|abcd|cba, `symmetric` cba|abcd|dcb, `zero`, `edge` aaa|abcd|ddd, `wrap` bcd|abcd|abc.
        dilation: distance between the taps of a window, a number or (y, x).
        channels: `each` filters every channel on its own, `sum` makes one map out of all. Banks always sum.
        scale: the response is multiplied by it; a number, a Fraction, or text such as "1/9".
        bias: then added.
        flip: turn the kernel by 180 degrees first (true convolution).
        mapping: `raw` for the response itself; `clip`, `abs`, `normalize`, `shift` or `auto` for samples.

    Returns:
        For `raw` the response: int32 for integer samples with integer kernels, scale and bias (int64 where int32 could
        overflow), otherwise float32. For other mappings samples of the image's own type, rounded to nearest, halves up,
        and clipped; samples of float images are levels from 0 to 255, not rounded.
        Height x width where the image is so or channels are summed, height x width x filters for banks.

    Raises:
        ParameterError: an argument that cannot be used, or does not fit the image.

    >>> convolve([[0, 0, 9], [0, 0, 9], [0, 0, 9]], "sobel-v", padding="valid").tolist()
    [[36]]
    """
    options = stride, padding, pad_mode, dilation, channels, scale, bias, flip, mapping
    key = calls.key(image, *options, kernel=known(kernel))
    prepared = _recent.get(key)
    if prepared is None:
        parsed = Convolution.of(
            kernel,
            stride=stride,
            padding=padding,
            pad_mode=pad_mode,
            dilation=dilation,
            channels=channels,
            scale=scale,
            bias=bias,
            flip=flip,
        )
        image, rendering = as_image(image), Rendering.of(mapping)
        prepared = prepare(parsed, image.shape, as_planes(image), rendering, count=False)
        _recent.keep(key, prepared)
    array: Any = image  # now it is one: others have no key
    return prepared.run(as_planes(array))[0]


_recent: Recent[Prepared] = Recent()


def conv2d(
    x: "ArrayLike",
    weight: "ArrayLike",
    bias: "ArrayLike | None" = None,
    *,
    stride: PairLike = 1,
    padding: PaddingLike = 0,
    pad_mode: str = "zero",
    dilation: PairLike = 1,
    groups: int = 1,
) -> NDArray[np.float32]:
    """A bank of filters over all channels, as torch.nn.functional.conv2d, channels last.

    Args:
        x: height x width x channels in.
        weight: height x width x channels in / groups x filters out.
        bias: one number a filter.
        stride: step between windows, a number or (y, x).
        padding: as for `convolve`.
        pad_mode: as for `convolve`.
        dilation: distance between the taps of a window, a number or (y, x).
        groups: channels and filters are split into that many groups, each on its own.

    Returns:
        float32, height x width x filters out.

    Raises:
        ParameterError: shapes that do not fit each other, or an argument that cannot be used.

    >>> conv2d(np.ones((4, 4, 2)), np.ones((3, 3, 2, 5))).shape
    (2, 2, 5)
    """
    from cnnfilter.core.engine import banks, small  # with the methods for floats, which few kernels need

    name = small.key(x, weight, bias, stride, padding, pad_mode, dilation, groups)
    known = banks.responses(name, x, weight, bias) if name else None
    if known is not None:
        return known
    image, bank = as_image(x, parameter="x"), as_numbers(weight, "weight")
    windows, groups = _windows_of(image, bank, stride, padding, dilation, groups)
    bank = bank if bank.dtype == np.float32 else bank.astype(np.float64)
    task = Correlation(bank, windows, parse_pad_mode(pad_mode), groups=groups)
    filters = bank.shape[3]
    offsets = np.zeros(filters) if bias is None else as_numbers(bias, "bias").astype(np.float64)
    if offsets.shape != (filters,):
        raise UnfitError("bias", f"{filters} numbers are needed, one a filter; an array of shape {offsets.shape} came")
    if name and small.keep(name, task, image.shape):
        known = small.responses(name, x, weight, bias)
        if known is not None:
            return known
    return engine.responses(task, image, offsets, name)


def _windows_of(
    image: NDArray[Any], bank: NDArray[Any], stride: PairLike, padding: PaddingLike, dilation: PairLike, groups: int
) -> tuple[Windows, int]:
    """The windows of a bank of filters, and its groups.

    Raises:
        ParameterError: shapes that do not fit each other, or an argument that cannot be used.
    """
    if image.ndim != 3:
        raise ParameterError("x", "a bank takes height x width x channels, not height x width")
    if bank.ndim != 4 or not bank.size:
        raise ParameterError("weight", f"height x width x channels / groups x filters is needed, {bank.shape} came")
    (groups, _), (inputs, filters) = pair(groups, "groups"), bank.shape[2:]
    if inputs * groups != image.shape[2] or filters % groups:
        raise UnfitError(
            "weight",
            f"{inputs} channels x {groups} groups and {filters} filters do not fit {image.shape[2]} channels of input",
        )
    windows = Windows.of((bank.shape[0], bank.shape[1]), stride=stride, padding=padding, dilation=dilation)
    return windows, groups
