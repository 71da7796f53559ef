"""What was made of a bank's weights, found again while they are the same to the bit and their memory lives.

A bank meets many images, mostly by a new view of the same array; to transform it or to plan for it may take a third of
the time of one of them. Weights may change in place, so that they are compared in every call: 0.3 us for 1,000.
"""

import weakref
from collections.abc import Hashable
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Made = TypeVar("Made")

# Values of the largest bank of which something is kept, and of all together, where each counts for OWN more: so there
# are fewer than 256. Plans and transforms each keep 16 MB of weights at most; a transform is four times its weights.
LARGEST, MOST, OWN = 1 << 18, 1 << 22, 1 << 14


class _Known(NamedTuple, Generic[Made]):
    """What weights were, in which memory, and what was made of them."""

    memory: "weakref.ref[Array]"
    content: Array
    made: Made


class OfWeights(Generic[Made]):
    """What was made of float32 weights, by where they lie, and by what else it depends on."""

    def __init__(self) -> None:
        self._known: dict[Hashable, _Known[Made]] = {}

    def __len__(self) -> int:
        return len(self._known)

    def clear(self) -> None:
        """Forget all."""
        self._known.clear()

    @staticmethod
    def takes(weights: Array) -> bool:
        """Whether what is made of them would be kept."""
        return weights.dtype == np.float32 and weights.size <= LARGEST and isinstance(_memory(weights), np.ndarray)

    def get(self, weights: Array, key: Hashable = None) -> Made | None:
        """What was made of these weights for `key`."""
        known = self._known.get(_place(weights, key))
        if known and known.memory() is _memory(weights) and np.array_equal(_bits(known.content), _bits(weights)):
            return known.made
        return None

    def keep(self, weights: Array, content: Array, made: Made, key: Hashable = None) -> None:
        """Remember what was made of weights that are taken, and a copy of them; it has to do without their memory."""
        place, known = _place(weights, key), self._known
        if sum(each.size + OWN for each in [content, *(other.content for other in list(known.values()))]) > MOST:
            known.clear()

        def forget(_: object) -> None:
            known.pop(place, None)

        known[place] = _Known(weakref.ref(_memory(weights), forget), content, made)


def copied(weights: Array) -> Array:
    """A copy in the same layout, with which they are compared in less time."""
    return weights.copy(order="K")


def _bits(weights: Array) -> NDArray[np.uint32]:
    return weights.view(np.uint32)


def _memory(weights: Array) -> Any:
    """What the weights are a view of."""
    return weights if weights.base is None else weights.base


def _place(weights: Array, key: Hashable) -> Hashable:
    return id(_memory(weights)), weights.__array_interface__["data"], weights.shape, weights.strides, key
