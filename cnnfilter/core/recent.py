"""Calls that repeat: what their arguments come to, once checked and planned, serves the next call with the same ones.

To check and plan a call takes some 0.1 ms of Python, twice that where the cache is full of pixels: longer than to
filter a small image, and a tenth of the time to pool a large one.
"""

from collections.abc import Hashable
from fractions import Fraction
from types import NoneType
from typing import Any, Generic, TypeVar

import numpy as np

from cnnfilter.core.engine.threads import setting

Made = TypeVar("Made")

MOST = 32
# What equals itself in the next call; numbers of different types are told apart.
PLAIN = frozenset({int, float, bool, str, Fraction, NoneType})


def key(image: Any, *options: Any, kernel: Hashable = ()) -> Hashable:
    """What tells calls apart whose work differs; None where that depends on more than types, shapes and plain options.

    `kernel` is what a kernel is known by, None for one that is not.

    >>> key(np.zeros((2, 2)), 1) == key(np.ones((2, 2)), 1), key(np.zeros((2, 2)), 1) == key(np.zeros((2, 2)), True)
    (True, False)
    >>> key([[1]], 1), key(np.zeros((2, 2), np.int64), 1), key(np.zeros((2, 2)), [1, 1])
    (None, None, None)
    """
    if kernel is None or type(image) is not np.ndarray or (image.dtype.kind in "iu" and image.dtype.itemsize == 8):
        return None
    types = tuple(map(type, options))
    if not PLAIN.issuperset(types):
        return None
    return kernel, options, types, image.shape, image.dtype, image.flags.c_contiguous, setting()


class Recent(Generic[Made]):
    """What was made for calls, MOST at a time."""

    def __init__(self) -> None:
        self._made: dict[Hashable, Made] = {}

    def get(self, key: Hashable) -> Made | None:
        """What was made for this call; None if nothing was."""
        return self._made.get(key)

    def keep(self, key: Hashable, made: Made) -> None:
        """Remember what was made, unless `key` is None."""
        if key is None:
            return
        if len(self._made) >= MOST:
            self._made.clear()
        self._made[key] = made
