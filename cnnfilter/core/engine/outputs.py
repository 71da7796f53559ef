"""Memory for large results: that of a result which nobody holds any more serves the next one.

The system hands large arrays out as fresh pages and takes them back at once: for 36 MB that is some 5 ms of page
faults, as long as a third of a filter. So memory from AT_LEAST on is kept when a result ends, MOST pieces and KEPT
bytes at most. What the filters of a bank are transformed to is such a result, too.

A result is a view of an owner that is no array: every view of the result keeps the result, the result keeps its owner,
and only the end of the owner gives the memory back. Nobody can see memory that is handed out again.
"""

import contextlib
import math
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

# Below, the allocator of the C library mostly keeps memory by itself; above it does so only for one or two arrays.
AT_LEAST = 1 << 20
MOST, KEPT = 8, 96 << 20

# By size. Without a lock, which the end of an owner could meet in its own thread: appending and popping are atomic.
_Spare = dict[int, list[NDArray[np.uint8]]]
_spare: _Spare = {}


def empty(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """An array of any content."""
    dtype = np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    if size < AT_LEAST:
        return np.empty(shape, dtype)
    memory: NDArray[np.uint8] | None = None
    with contextlib.suppress(KeyError, IndexError):
        memory = _spare[size].pop()
    owner = _Owner(np.empty(size, np.uint8) if memory is None else memory)
    return np.asarray(owner).view(dtype).reshape(shape)


class _Owner:
    """Holds memory while a result lives."""

    def __init__(self, memory: NDArray[np.uint8]) -> None:
        self._memory = memory
        self.__array_interface__ = memory.__array_interface__

    def __del__(self, spare: _Spare = _spare, most: int = MOST, bytes_kept: int = KEPT) -> None:
        """Bound to what it needs: results may outlive this module when the interpreter ends."""
        memory = getattr(self, "_memory", None)
        if memory is None:  # interrupted before there was any
            return
        counts = [(size, len(kept)) for size, kept in list(spare.items())]
        total = sum(size * count for size, count in counts)
        if sum(count for _, count in counts) >= most or total + memory.size > bytes_kept:
            spare.clear()
        if memory.size <= bytes_kept:
            spare.setdefault(memory.size, []).append(memory)
