"""Memory for what lies between input and output, handed from call to call: fresh pages cost as much as a pass over it.

A thread's scratch is that of one band, some 2 to 8 MB, more where rows are very wide or programs very long. As many
arrays are kept as an image has threads, of at most KEPT bytes each; larger ones are freed at once.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from cnnfilter.core.engine.threads import threads

KEPT = 16 << 20
LINE = 64  # bytes of a cache line

_spare: list[NDArray[np.uint8]] = []
_lock = threading.Lock()


@contextmanager
def borrowed(size: int) -> Iterator[NDArray[np.uint8]]:
    """At least `size` bytes of any content, aligned to a line of the cache."""
    with _lock:
        fitting = next((i for i, spare in enumerate(_spare) if spare.size >= size), None)
        memory = None if fitting is None else _spare.pop(fitting)
    if memory is None:
        raw = np.empty(size + LINE, np.uint8)
        start = -raw.ctypes.data % LINE
        memory = raw[start : start + size]
    try:
        yield memory
    finally:
        with _lock:
            if memory.size <= KEPT:
                _spare.append(memory)
                _spare.sort(key=len)
                del _spare[: max(0, len(_spare) - threads())]  # the largest stay
