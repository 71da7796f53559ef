"""Layers that prepare the image: gray, resize, crop, scale, standardize."""

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import ClassVar, cast

import numpy as np
from numpy.typing import NDArray

from cnnfilter.core.arrays import as_planes
from cnnfilter.core.geometry import Pair, PairLike, pair
from cnnfilter.core.gray import to_gray
from cnnfilter.core.numbers import exact, reals
from cnnfilter.core.vocabulary import GRAYS, Gray as GrayName, choice
from cnnfilter.errors import ParameterError, UnfitError
from cnnfilter.model.layer import NO_TENSORS, Array, Layer, Shape, Tensors, image_shape


@dataclass(frozen=True, eq=False)
class Gray(Layer):
    """One channel out of all, in the image's own type."""

    type: ClassVar[str] = "gray"
    main: ClassVar[str | None] = "gray"

    gray: str = "luma"

    def check(self) -> None:
        """Refuse an unknown way.

        Raises:
            ParameterError: names what there is.
        """
        choice(self.gray, GRAYS, "gray")

    def output_shape(self, *shapes: Shape) -> Shape:
        """Height and width.

        Raises:
            UnfitError: the input is a vector, or luma of neither 1 nor 3 channels is asked for.
        """
        height, width, channels = image_shape(shapes[0], self.type)
        if self.gray == "luma" and channels not in (1, 3):
            raise UnfitError("gray", f"luma needs red, green and blue, {channels} channels came; mean takes any")
        return height, width

    def carried_alpha(self, alpha: Array) -> Array | None:
        """Transparency stays."""
        return alpha

    def __call__(self, *arrays: Array, tensors: Tensors = NO_TENSORS) -> Array:
        """The gray image."""
        return to_gray(arrays[0], cast("GrayName", self.gray))


@dataclass(frozen=True, eq=False)
class Sized(Layer):
    """A layer with the size that comes out: N or YxX."""

    main: ClassVar[str | None] = "size"

    size: PairLike

    def check(self) -> None:
        """Refuse a wrong size.

        Raises:
            ParameterError: neither N nor YxX.
        """
        _ = self.parsed

    @cached_property
    def parsed(self) -> Pair:
        """(y, x) of the size; the same number twice for N."""
        return pair(self.size, "size")


@dataclass(frozen=True, eq=False)
class Resize(Sized):
    """Another size by antialiased bilinear interpolation, in float32, unrounded.

    `size` is N for the short side (the long one in proportion, cut to whole pixels) or YxX. Each new pixel is a mean of
    old ones, weighted by a triangle as wide as two new pixels (two old ones when enlarging), as Pillow's BILINEAR.

    >>> Resize(256).output_shape((427, 640, 3))
    (256, 383, 3)
    """

    type: ClassVar[str] = "resize"

    def output_shape(self, *shapes: Shape) -> Shape:
        """The new size.

        Raises:
            UnfitError: the input is a vector.
        """
        height, width, _ = image_shape(shapes[0], self.type)
        y, x = self.parsed
        if not _is_pair(self.size):
            y, x = (y, y * width // height) if height <= width else (x * height // width, x)
        return y, x, *shapes[0][2:]

    def __call__(self, *arrays: Array, tensors: Tensors = NO_TENSORS) -> Array:
        """The resized image."""
        height, width = self.output_shape(arrays[0].shape)[:2]
        wide = _interpolated(arrays[0], width, axis=1)
        return _interpolated(wide, height, axis=0)


@dataclass(frozen=True, eq=False)
class Crop(Sized):
    """The middle of the image: N or YxX.

    >>> Crop(224).output_shape((256, 383, 3))
    (224, 224, 3)
    """

    type: ClassVar[str] = "crop"

    def output_shape(self, *shapes: Shape) -> Shape:
        """The new size.

        Raises:
            UnfitError: the input is a vector, or smaller than what is to be cut out.
        """
        height, width, _ = image_shape(shapes[0], self.type)
        y, x = self.parsed
        if y > height or x > width:
            raise UnfitError("size", f"{y}x{x} cannot be cut out of {height}x{width}; resize first")
        return y, x, *shapes[0][2:]

    def __call__(self, *arrays: Array, tensors: Tensors = NO_TENSORS) -> Array:
        """The middle."""
        image = arrays[0]
        y, x = self.output_shape(image.shape)[:2]
        top, left = (image.shape[0] - y) // 2, (image.shape[1] - x) // 2
        return image[top : top + y, left : left + x]


@dataclass(frozen=True, eq=False)
class Scale(Layer):
    """X * by, in float32."""

    type: ClassVar[str] = "scale"
    main: ClassVar[str | None] = "by"

    by: float | Fraction | str = "1/255"

    def check(self) -> None:
        """Refuse what is no number.

        Raises:
            ParameterError: names the field.
        """
        exact(self.by, "by")

    def __call__(self, *arrays: Array, tensors: Tensors = NO_TENSORS) -> Array:
        """The scaled values."""
        return np.asarray(arrays[0].astype(np.float32) * np.float32(exact(self.by, "by")))


@dataclass(frozen=True, eq=False)
class Standardize(Layer):
    """(x - mean) / std, one number of each for all channels or one a channel."""

    type: ClassVar[str] = "standardize"

    mean: tuple[float, ...] | float | str = 0.0
    std: tuple[float, ...] | float | str = 1.0

    def check(self) -> None:
        """Parse the numbers.

        Raises:
            ParameterError: names the field; no std may be 0.
        """
        self._set(mean=reals(self.mean, "mean"), std=reals(self.std, "std"))
        if 0 in cast("tuple[float, ...]", self.std):
            raise ParameterError("std", "0 cannot be divided by")

    def output_shape(self, *shapes: Shape) -> Shape:
        """The same shape.

        Raises:
            UnfitError: the input is a vector, or has another number of channels than there are numbers.
        """
        channels = image_shape(shapes[0], self.type)[2]
        for name, values in (("mean", self.mean), ("std", self.std)):
            if len(cast("tuple[float, ...]", values)) not in (1, channels):
                raise UnfitError(name, f"{len(cast('tuple[float, ...]', values))} numbers for {channels} channels")
        return shapes[0]

    def __call__(self, *arrays: Array, tensors: Tensors = NO_TENSORS) -> Array:
        """The standardized values."""
        image = arrays[0].astype(np.float32)
        planes = as_planes(image)
        mean, std = np.asarray(self.mean, np.float32), np.asarray(self.std, np.float32)
        return np.asarray((planes - mean) / std).reshape(image.shape)


def _is_pair(size: PairLike) -> bool:
    return "x" in size.lower() if isinstance(size, str) else not hasattr(size, "__index__")


def _interpolated(image: Array, length: int, axis: int) -> NDArray[np.float32]:
    """`image` with `length` samples along `axis`."""
    first, weights = taps(image.shape[axis], length)
    rest = (1,) * (image.ndim - axis - 1)
    shape = (*image.shape[:axis], length, *image.shape[axis + 1 :])
    out = np.zeros(shape, np.float32)
    for tap in range(weights.shape[1]):
        index = np.minimum(first + tap, image.shape[axis] - 1)
        out += np.take(image, index, axis) * weights[:, tap].reshape(-1, *rest)
    return out


def taps(samples: int, length: int) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """(first sample, weights of it and its successors) of each of `length` new samples, as Pillow weighs them."""
    ratio = samples / length
    support = max(ratio, 1.0)
    centers = (np.arange(length) + 0.5) * ratio
    first = np.maximum((centers - support + 0.5).astype(np.intp), 0)
    last = np.minimum((centers + support + 0.5).astype(np.intp), samples)
    reach = np.arange(math.ceil(support) * 2 + 1)
    distance = np.abs(first[:, None] + reach - centers[:, None] + 0.5) / support
    weights = np.where(first[:, None] + reach < last[:, None], np.clip(1 - distance, 0, None), 0)
    return first, (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
