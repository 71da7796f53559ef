"""Layers that join several inputs: add, multiply, concat."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from cnnfilter.core.numbers import whole_type
from cnnfilter.core.samples import sample_bounds
from cnnfilter.core.words import by
from cnnfilter.errors import UnfitError
from cnnfilter.model.layer import NO_TENSORS, Array, Layer, Shape, Tensors


class Elementwise(Layer):
    """A layer that joins values at the same position; a size of 1 is repeated."""

    several: ClassVar[bool] = True

    def output_shape(self, *shapes: Shape) -> Shape:
        """The shape that all inputs have, or are repeated to.

        Raises:
            UnfitError: the inputs have different shapes.
        """
        return _broadcast(shapes, self.type)


@dataclass(frozen=True, eq=False)
class Add(Elementwise):
    """The sum of several inputs; a size of 1 is repeated. Whole numbers stay whole.

    >>> Add().output_shape((8, 8, 4), (8, 8, 4))
    (8, 8, 4)
    """

    type: ClassVar[str] = "add"

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
class Multiply(Elementwise):
    """The product of several inputs; a size of 1 is repeated, so that (1, 1, channels) weighs channels."""

    type: ClassVar[str] = "multiply"

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
        """The common size with all channels.

        Raises:
            UnfitError: the inputs have different heights or widths, or some are vectors.
        """
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


def _listed(shapes: tuple[Shape, ...]) -> str:
    return " and ".join(by(shape) for shape in shapes)


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
