"""Small banks of filters without the cost of planning: what depends on shapes only is made once and kept.

For 32 x 32 x 3 the work itself takes some 40 microseconds, and checking, planning and allocating takes ten times that.
So the checked geometry and its scratch are kept, by shapes and options; weights are read anew in every call, since they
may have changed in place. The sums are those of `planes` or `columns`, in one tile, with a tap more: a sample of 1
times the bias.
"""

import math
from collections.abc import Hashable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnfilter.core.calls import PLAIN
from cnnfilter.core.engine import planes
from cnnfilter.core.engine.columns import Columns
from cnnfilter.core.engine.floats import FLOAT32, LARGEST
from cnnfilter.core.engine.padding import padded_tile
from cnnfilter.core.engine.scratch import Pieces
from cnnfilter.core.engine.task import Correlation
from cnnfilter.core.recent import Recent

Array = NDArray[Any]

# Multiplications of a bank for which planning matters, and values of its scratch.
MOST_WORK, MOST_VALUES = 1 << 22, 1 << 18

_kept: Recent["Small"] = Recent()


class Small:
    """A bank of one group over an image of one tile, for any weights of its shape."""

    def __init__(self, task: Correlation, shape: tuple[int, int, int], method: Columns | planes.Planes) -> None:
        self.shape, self.method, self.pad_mode = shape, method, task.pad_mode
        self.padding = task.windows.padding
        self.output = task.output_shape(shape)
        self.spare: list[_Scratch] = []

    def __call__(self, image: Array, weights: Array, bias: Array | None) -> Array | None:
        """The responses; None if one might not be finite: a sum in 64 bits may be, and the plain way sees to it."""
        try:
            scratch = self.spare.pop()  # so that no two threads have the same
        except IndexError:
            scratch = _Scratch(self)
        out = np.empty(self.output, FLOAT32)
        with np.errstate(all="ignore"):
            if scratch.inner is None:
                padded_tile(image, scratch.corner, self.pad_mode, scratch.samples)
            else:
                scratch.inner[...] = image
            scratch.operands.set(weights, 0 if bias is None else bias)
            # A response is at most the root of the product of both sums of squares.
            bounded = all(np.dot(values, values) <= LARGEST**2 for values in scratch.met)
            if bounded:
                scratch.operands.compute(out)
        self.spare.append(scratch)
        return out if bounded else None


class _Scratch:
    """Arrays for one call, and views of them."""

    def __init__(self, small: Small) -> None:
        method, (height, width, channels) = small.method, small.shape
        (top, bottom), (left, right) = small.padding
        padded = height + top + bottom, width + left + right
        if method.planar:
            memory = np.zeros((padded[0], channels, padded[1]), FLOAT32)
            self.samples = memory.transpose(0, 2, 1)
        else:
            memory = np.zeros((padded[0], padded[1] * channels), FLOAT32)
            self.samples = memory.reshape(*padded, channels)
        self.corner = -top, -left
        # What lies beyond the border stays zero.
        is_zero = small.pad_mode == "zero" or padded == (height, width)
        self.inner = self.samples[top : top + height, left : left + width] if is_zero else None
        self.operands = method.operands(memory, Pieces(), with_bias=True)
        self.met = memory.reshape(-1), self.operands.table.reshape(-1)


def key(image: Any, weights: Any, bias: Any, *options: Any) -> Hashable | None:
    """By what a bank is kept; None where it is none of float32 arrays. Options are told apart by type, too."""
    for array in (image, weights) if bias is None else (image, weights, bias):
        if type(array) is not np.ndarray or array.dtype != FLOAT32:
            return None
    shapes = image.shape, weights.shape, () if bias is None else bias.shape
    types = tuple(map(type, options))
    if PLAIN.issuperset(types):
        return shapes, options, types
    return (shapes, repr(options)) if all(map(_tells_all, options)) else None


def _tells_all(option: Any) -> bool:
    """Whether what an option says of itself is all there is to know; that of an object may be its address."""
    if isinstance(option, tuple | list):
        return all(map(_tells_all, option))
    return type(option) in PLAIN or isinstance(option, np.integer)


def responses(name: Hashable, image: Any, weights: Any, bias: Any) -> Array | None:
    """The responses of the bank that is kept by that key; None where there is none, or where it does not suffice."""
    found = _kept.get(name)
    return found(image, weights, bias) if found else None


def keep(name: Hashable, task: Correlation, shape: tuple[int, int, int]) -> bool:
    """Keep a bank that has been checked, for all calls with that key; whether it was small and new."""
    rows, columns, filters = task.output_shape(shape)
    copied = rows * columns * task.weights[..., 0].size
    padded = math.prod(n + sum(sides) for n, sides in zip(shape, task.windows.padding, strict=False)) * shape[2]
    if name in _kept or task.groups > 1 or copied * filters > MOST_WORK or max(copied, padded) > MOST_VALUES:
        return False
    bank = task._replace(weights=np.broadcast_to(np.float32(0), task.weights.shape))  # nobody's weights are kept
    method = planes.Planes(bank, shape) if planes.suit(bank, columns) else Columns(bank, shape)
    if (method.rows, method.columns) != (rows, columns):
        return False
    _kept.keep(name, Small(task, shape, method))
    return True
