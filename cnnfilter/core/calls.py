"""What tells calls apart, so that what one of them comes to can serve the next."""

from collections.abc import Hashable
from fractions import Fraction
from types import NoneType
from typing import Any

import numpy as np

from cnnfilter.core.engine.threads import chosen

# What equals itself in the next call; numbers of different types are told apart.
PLAIN = frozenset({int, float, bool, str, Fraction, NoneType})


def key(image: Any, *options: Any, kernel: Hashable = ()) -> Hashable:
    """What tells calls apart whose work differs; None where that depends on more than types, shapes and plain options.

    `kernel` is what a kernel is known by, None for one that is not. The variable of the environment for threads is not
    looked at here: results do not depend on it, and plans little.

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
    return kernel, options, types, image.shape, image.dtype, image.flags.c_contiguous, chosen()
