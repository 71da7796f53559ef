"""Where windows lie: size, stride, dilation and padding, the size of the output, and how people write all of these.

Along an axis with input n, kernel k, dilation d, stride s and padding p (both sides together) the effective kernel is
e = d * (k - 1) + 1 and the output has (n + p - e) // s + 1 values.
Source: Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", 2016, relationships 6 and 15.
"""

import functools
import operator
from collections.abc import Sequence
from typing import Literal, NamedTuple

from cnnfilter.core.words import by
from cnnfilter.errors import ParameterError, UnfitError

Pair = tuple[int, int]
Sides = tuple[Pair, Pair]
PairLike = int | str | Sequence[int]
PaddingLike = int | str | Sequence[int] | Sequence[Sequence[int]]
PadMode = Literal["reflect", "symmetric", "zero", "edge", "wrap"]

# What each mode puts around a row a b c d, for help texts and error messages.
PAD_MODES: dict[str, str] = {
    "reflect": "dcb|abcd|cba",
    "symmetric": "cba|abcd|dcb",
    "zero": "000|abcd|000",
    "edge": "aaa|abcd|ddd",
    "wrap": "bcd|abcd|abc",
}
# Names of other libraries that mean one thing only.
PAD_MODE_ALIASES: dict[str, str] = {
    "zeros": "zero",
    "constant": "zero",
    "reflect-101": "reflect",
    "reflect101": "reflect",
    "replicate": "edge",
    "nearest": "edge",
    "circular": "wrap",
}
# A side of padding, a size, a stride beyond this is a slip; it also keeps all products of ours within 64 bits.
LARGEST = 1_000_000


def pair(value: PairLike, parameter: str, *, least: int = 1) -> Pair:
    """(y, x) from one number for both axes, from two, or from text.

    >>> pair(2, "stride"), pair("2x3", "stride"), pair((2, 3), "stride")
    ((2, 2), (2, 3), (2, 3))

    Raises:
        ParameterError: names `parameter`, unless both are whole numbers of at least `least`.
    """
    try:
        if isinstance(value, str):
            parts = [int(part) for part in value.lower().split("x")]
        elif hasattr(value, "__index__"):
            parts = [operator.index(value)]
        else:
            parts = [operator.index(part) for part in value]
    except (TypeError, ValueError):
        parts = []
    if isinstance(value, bool) or len(parts) not in (1, 2):
        raise ParameterError(parameter, f"{_shown(value)} is neither a whole number N nor YxX, as in 2 or 2x3")
    if min(parts) < least or max(parts) > LARGEST:
        raise ParameterError(parameter, f"{_shown(value)} is out of range; {least} to {LARGEST} fit")
    return parts[0], parts[-1]


def channels_of(shape: tuple[int, ...]) -> int:
    """Number of channels of an image of `shape`; height x width has one.

    >>> channels_of((4, 5)), channels_of((4, 5, 3))
    (1, 3)
    """
    return shape[2] if len(shape) == 3 else 1


def _shown(value: object) -> str:
    return repr(value if isinstance(value, str | int) else str(value))[:60]


def pad_mode(value: str) -> PadMode:
    """The pad mode that a name of ours or of another library means.

    >>> pad_mode("replicate")
    'edge'

    Raises:
        ParameterError: unknown, or `mirror`, which means different things in different libraries.
    """
    name = str(value).lower().replace("_", "-")
    name = PAD_MODE_ALIASES.get(name, name)
    if name == "mirror":
        raise ParameterError(
            "pad_mode", "'mirror' means reflect in SciPy and symmetric in ImageMagick and libvips; write one of these"
        )
    if name not in PAD_MODES:
        raise ParameterError("pad_mode", f"{_shown(value)} is not one of {', '.join(PAD_MODES)}")
    return name  # type: ignore[return-value]


class Windows(NamedTuple):
    """Windows laid over the rows and columns of an image; all pairs are (y, x).

    `padding` is ((top, bottom), (left, right)).

    >>> Windows.of((3, 3), stride=2).output_size(427, 640)
    (214, 320)
    """

    size: Pair
    stride: Pair = (1, 1)
    dilation: Pair = (1, 1)
    padding: Sides = ((0, 0), (0, 0))
    ceil_mode: bool = False

    @classmethod
    def of(
        cls,
        size: PairLike,
        *,
        stride: PairLike = 1,
        padding: PaddingLike = "same",
        dilation: PairLike = 1,
        ceil_mode: bool = False,
    ) -> "Windows":
        """Windows from what people write; `padding` is `same`, `valid`, N, YxX or ((top, bottom), (left, right)).

        `same` pads (e - 1) // 2 before and the rest of e - 1 after, whatever the stride, so that the output is
        ceil(n / s). For strides above 1 that is not TensorFlow's SAME, which shifts the windows with the image's size.

        Raises:
            ParameterError: names the argument that cannot be used.
        """
        size, dilation = pair(size, "size"), pair(dilation, "dilation")
        extent = _extent(size, dilation)
        return cls(size, pair(stride, "stride"), dilation, _sides(padding, extent), ceil_mode)

    @property
    def extent(self) -> Pair:
        """The effective kernel: what a window covers, holes of the dilation included."""
        return _extent(self.size, self.dilation)

    @property
    def taps(self) -> int:
        """Values under one window in one channel."""
        return self.size[0] * self.size[1]

    def output_size(self, height: int, width: int) -> Pair:
        """(height, width) of the output for an input of that size.

        Raises:
            UnfitError: when nothing would come out; names the sizes.
        """
        return _output_size(self, int(height), int(width))  # NumPy's integers are narrow

    def centers(self, axis: int, count: int, length: int) -> list[int]:
        """The input index under the centre of each of `count` windows along `axis`, clamped to the image."""
        first = (self.extent[axis] - 1) // 2 - self.padding[axis][0]
        return [min(max(i * self.stride[axis] + first, 0), length - 1) for i in range(count)]


@functools.lru_cache(maxsize=256)  # an image's plan asks for it again and again
def _output_size(windows: Windows, height: int, width: int) -> Pair:
    sizes = (height, width)
    padded = [n + sum(sides) for n, sides in zip(sizes, windows.padding, strict=True)]
    along = zip(padded, windows.extent, windows.stride, strict=True)
    counts = [_count(windows, n, p[0], total) for n, p, total in zip(sizes, windows.padding, along, strict=True)]
    if min(*sizes, *counts) < 1:
        window = by(windows.extent) + _dilated(windows.dilation)
        raise UnfitError(
            "",
            f"the output would be empty: a window of {window} does not fit into an image of {by(sizes)}, padded to "
            f"{by(padded)}",
        )
    return counts[0], counts[1]


def _count(windows: Windows, length: int, before: int, along: tuple[int, int, int]) -> int:
    """Windows along an axis of `length`, of which `along` tells (padded length, extent, stride).

    In ceil mode a last window may reach beyond the padding, but none starts in the padding at the end.
    Source: PyTorch's MaxPool2d, ONNX's MaxPool (operator set 22).
    """
    padded, extent, stride = along
    count = (padded - extent) // stride + 1
    if windows.ceil_mode and (padded - extent) % stride and count * stride < length + before:
        count += 1
    return count


def _extent(size: Pair, dilation: Pair) -> Pair:
    return dilation[0] * (size[0] - 1) + 1, dilation[1] * (size[1] - 1) + 1


def _sides(padding: PaddingLike, extent: Pair) -> Sides:
    if isinstance(padding, str) and padding.lower() in ("same", "valid"):
        rest = [e - 1 if padding.lower() == "same" else 0 for e in extent]
        top, left = (r // 2 for r in rest)
        return (top, rest[0] - top), (left, rest[1] - left)
    pairs = [side for side in padding if isinstance(side, Sequence)] if isinstance(padding, list | tuple) else []
    if len(pairs) == 2 and all(len(side) == 2 for side in pairs):
        top_bottom, left_right = (pair(side, "padding", least=0) for side in pairs)
        return top_bottom, left_right
    try:
        y, x = pair(padding, "padding", least=0)  # type: ignore[arg-type]
    except ParameterError as error:
        if str(padding).lower() in (*PAD_MODES, *PAD_MODE_ALIASES):
            meant = f"{padding!r} is a pad mode: --pad-mode {padding} (pad_mode); the padding is same, valid, N or YxX"
            raise ParameterError("padding", meant) from error
        raise ParameterError("padding", f"{error.message}; or same, or valid") from error
    return (y, y), (x, x)


def _dilated(dilation: Pair) -> str:
    return "" if dilation == (1, 1) else f" (dilation {by(dilation)})"
