"""Layers with tensors that look at images: conv2d and batchnorm."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from cnnfilter.core import activations
from cnnfilter.core.arrays import as_numbers, as_planes
from cnnfilter.core.convolution import conv2d
from cnnfilter.core.geometry import PaddingLike, PairLike, Windows, pad_mode, pair
from cnnfilter.core.numbers import real, whole
from cnnfilter.errors import ParameterError, UnfitError
from cnnfilter.model.layer import NO_TENSORS, Array, Layer, Shape, Tensors, image_shape


@dataclass(frozen=True, eq=False, kw_only=True)
class Learned(Layer):
    """A layer with tensors.

    They are arrays, or names of tensors in the pipeline's weights file, or all share the prefix `params`;
    `init = "normal"` draws them instead (He, bias 0) from `seed`.
    """

    learns: ClassVar[bool] = True

    bias: Any = None  # true, false, a name or an array; by default true, or with `params` as the file has it
    params: str | None = None
    init: str | None = None
    seed: int | None = None

    def check(self) -> None:
        """Refuse wrong fields.

        Raises:
            ParameterError: names the field.
        """
        if isinstance(self.bias, str) and self.bias.lower() in ("true", "false"):
            self._set(bias=self.bias.lower() == "true")
        for role in ("weight", "bias", "mean", "variance"):
            value = getattr(self, role, None)
            if not (value is None or isinstance(value, str) or (role == "bias" and isinstance(value, bool))):
                self._set(**{role: as_numbers(value, role).astype(np.float32)})
        if self.init not in (None, "normal"):
            raise ParameterError("init", f"{self.init!r} is not normal")
        if self.seed is not None:
            self._set(seed=whole(self.seed, "seed", least=0))

    @property
    def has_bias(self) -> bool:
        """Whether a bias is added."""
        return self.bias is not False


@dataclass(frozen=True, eq=False)
class Conv2d(Learned):
    """A bank of filters over all channels: PyTorch's Conv2d. Weights are filters x channels / groups x height x width.

    >>> Conv2d(64, 3, padding=1).output_shape((224, 224, 3))
    (224, 224, 64)
    """

    type: ClassVar[str] = "conv2d"
    main: ClassVar[str | None] = "filters"

    filters: int | None = None  # by default as the weights file has it, and so is the size
    size: PairLike | None = None
    stride: PairLike = 1
    padding: PaddingLike = 0
    pad_mode: str = "zero"
    dilation: PairLike = 1
    groups: int = 1
    weight: Any = None

    def check(self) -> None:
        """Refuse wrong fields; filters and size may be told by the weights.

        Raises:
            ParameterError: names the field.
        """
        super().check()
        self._set(groups=whole(self.groups, "groups"), pad_mode=pad_mode(self.pad_mode))
        if isinstance(self.weight, np.ndarray):
            self._set(**self.told_by(self.weight.shape))
        if self.filters is not None:
            self._set(filters=whole(self.filters, "filters"))
            if self.filters % self.groups:
                raise ParameterError("groups", f"{self.filters} filters cannot be split into {self.groups} groups")
        size = pair(self.size or 1, "size")
        Windows.of(size, stride=self.stride, padding=self.padding, dilation=self.dilation)

    def told_by(self, shape: Shape) -> dict[str, Any]:
        """The fields that a weight tensor of `shape` tells, where they are not set.

        Raises:
            UnfitError: it has another number of axes.
        """
        if len(shape) != 4:
            raise UnfitError("weight", f"filters x channels x height x width is needed, {shape} came")
        return {"filters": self.filters or shape[0], "size": self.size or (shape[2], shape[3])}

    @cached_property
    def _windows(self) -> Windows:
        if self.size is None or self.filters is None:
            missing = "size" if self.size is None else "filters"
            raise UnfitError(missing, "is neither given nor told by weights")
        return Windows.of(pair(self.size, "size"), stride=self.stride, padding=self.padding, dilation=self.dilation)

    @property
    def makes_maps(self) -> bool:
        """Filters make maps."""
        return True

    def output_shape(self, *shapes: Shape) -> Shape:
        """Shape of the output: one channel a filter.

        Raises:
            UnfitError: the input is a vector, its channels cannot be split into groups, or the output would be empty.
        """
        height, width, channels = image_shape(shapes[0], self.type)
        if channels % self.groups:
            raise UnfitError("groups", f"{channels} channels cannot be split into {self.groups} groups")
        windows = self._windows
        return *windows.output_size(height, width), self.filters or 0

    def tensors(self, *shapes: Shape) -> dict[str, Shape]:
        """Weight and bias.

        Raises:
            UnfitError: as for `output_shape`.
        """
        channels = image_shape(shapes[0], self.type)[2]
        filters, size = self.output_shape(*shapes)[2], self._windows.size
        weight = {"weight": (filters, channels // self.groups, *size)}
        return weight | ({"bias": (filters,)} if self.has_bias else {})

    def macs(self, *shapes: Shape) -> int:
        """Output values x taps x channels in a group.

        Raises:
            UnfitError: as for `output_shape`.
        """
        rows, columns, filters = self.output_shape(*shapes)
        return rows * columns * filters * self._windows.taps * (image_shape(shapes[0], self.type)[2] // self.groups)

    def windows(self, *shapes: Shape) -> Windows:
        """The windows of the filters.

        Raises:
            UnfitError: filters or size are neither given nor told by weights.
        """
        return self._windows

    def __call__(self, *arrays: Array, tensors: Tensors = NO_TENSORS) -> Array:
        """The feature maps."""
        image = as_planes(arrays[0])
        return conv2d(
            image,
            tensors["weight"].transpose(2, 3, 1, 0),
            tensors.get("bias"),
            stride=self.stride,
            padding=self.padding,
            pad_mode=self.pad_mode,
            dilation=self.dilation,
            groups=self.groups,
        )


@dataclass(frozen=True, eq=False)
class BatchNorm(Learned):
    """Batch normalisation with running statistics, as at inference: PyTorch's BatchNorm2d.

    Without tensors and `params` it gives each channel of the image mean 0 and variance 1.
    """

    type: ClassVar[str] = "batchnorm"

    weight: Any = None
    mean: Any = None
    variance: Any = None
    epsilon: float = 1e-5

    def check(self) -> None:
        """Refuse wrong fields.

        Raises:
            ParameterError: names the field.
        """
        super().check()
        self._set(epsilon=real(self.epsilon, "epsilon", least=0))

    @property
    def is_learned(self) -> bool:
        """Whether there are tensors at all."""
        return any(v is not None for v in (self.params, self.weight, self.bias, self.mean, self.variance, self.init))

    def tensors(self, *shapes: Shape) -> dict[str, Shape]:
        """Weight, bias, mean and variance, one value a channel."""
        channels = shapes[0][-1] if len(shapes[0]) != 2 else 1
        roles = ("weight", "bias", "mean", "variance") if self.is_learned else ()
        return {role: (channels,) for role in roles if role != "bias" or self.has_bias}

    def output_shape(self, *shapes: Shape) -> Shape:
        """The same shape; without tensors it has to be an image's.

        Raises:
            UnfitError: there are no tensors, and the input is a vector.
        """
        if not self.is_learned:
            image_shape(shapes[0], self.type)
        return shapes[0]

    def __call__(self, *arrays: Array, tensors: Tensors = NO_TENSORS) -> Array:
        """The normalised channels."""
        image = arrays[0]
        if not self.is_learned:
            return activations.normalized(image, epsilon=self.epsilon)
        planes = image[:, :, None] if image.ndim == 2 else image
        offset = tensors.get("bias", np.float32(0))
        parts = (tensors["weight"], offset, tensors["mean"], tensors["variance"])
        return activations.batchnorm(planes, *parts, epsilon=self.epsilon).reshape(image.shape)
