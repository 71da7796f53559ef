"""Memory for large results: that of a result which nobody holds any more serves the next one.

The system hands large arrays out as fresh pages and takes them back at once: for 36 MB that is some 5 ms of page
faults, as long as a third of a filter. So memory from AT_LEAST on is kept, MOST pieces and KEPT bytes at most. What the
filters of a large bank are transformed to is such a result, too.

A result is an array over kept memory, and every view of it holds that memory as well: while there is any, the memory
has more references than the one who counts them makes. Without the interpreter's lock counts are not exact at every
moment: there nothing is kept.
"""

import math
import sys
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

# Below, the allocator of the C library mostly keeps memory by itself; above it does so only for one or two arrays. What
# is kept at most suffices for a result of 64 megapixels in colour; a process has it, and every worker, until it ends.
AT_LEAST = 1 << 20
MOST, KEPT = 8, 192 << 20

Memory = NDArray[np.uint8]

# Memory of results that live or have ended, by size. Without a lock: what is popped nobody else sees, and who is handed
# it out still holds it when it is back in its list.
_kept: dict[int, list[Memory]] = {}


def empty(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """An array of any content."""
    dtype = np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    if not AT_LEAST <= size <= KEPT or not _COUNTS_ARE_EXACT:
        return np.empty(shape, dtype)
    return np.ndarray(shape, dtype, _free(size))


def _free(size: int) -> Memory:
    """Memory that no result holds: kept, or new and kept from now on."""
    same = _kept.get(size, [])
    for _ in range(len(same)):
        try:
            memory, references = _popped(same)
        except IndexError:  # other threads have them
            break
        if not memory.flags.writeable:  # somebody has frozen a result and what is below it
            continue
        same.insert(0, memory)
        if references <= _UNUSED:
            return memory
    memory = np.empty(size, np.uint8)
    sizes = [kept * len(memories) for kept, memories in list(_kept.items())]
    if sum(sizes) + size > KEPT or sum(map(len, list(_kept.values()))) >= MOST:
        _kept.clear()
    _kept.setdefault(size, []).append(memory)
    return memory


def _popped(memories: list[Memory]) -> tuple[Memory, int]:
    """(the last one, references to it), of which there are _UNUSED where no result holds it."""
    memory = memories.pop()
    return memory, sys.getrefcount(memory)


# Never more than what is made without a debugger, which may hold what it looks at.
_UNUSED = min(3, _popped([np.empty(1, np.uint8)])[1])
_COUNTS_ARE_EXACT: bool = getattr(sys, "_is_gil_enabled", lambda: True)()
