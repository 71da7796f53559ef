"""Memory for what lies between input and output, handed from call to call: fresh pages cost as much as a pass over it.

A thread's scratch is that of one band, some 1 to 8 MB. A band has as many rows as the kernel, up to 64, even where rows
are very wide: then it is signals of the program at a time (2 to 6 mostly) x rows of the kernel x row in 16 or 32 bits,
50 MB for 15 x 15 over rows of 100,000 RGB pixels. As many arrays are kept as an image has threads, of at most KEPT
bytes each; larger ones are freed at once. With the memory is kept what was bound to it last (views cost more than a
band of a small image), so that the same work finds it again.

Methods for floats take their arrays piece by piece instead, from memory that is kept in the same way and grows to what
has been taken most: 1 to 7 MB for most kernels and banks, up to 15 MB for large kernels or hundreds of channels. What
they bind to it stays as well, and with it what they have made of a bank's weights, 5 MB at most.
"""

import math
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from cnnfilter.core.engine.threads import latest

Bound = TypeVar("Bound")
Memory = NDArray[np.uint8]

KEPT = 16 << 20
LINE = 64  # bytes of a cache line


class _Spare(NamedTuple):
    """Memory, and what was made of it for `key`."""

    memory: Memory
    key: object
    bound: Any


class Pieces:
    """Memory that is taken piece by piece, and is there again for the next to borrow it.

    What was made of all pieces for `key` is there as well, until the memory serves another.
    """

    def __init__(self) -> None:
        self._memory, self._taken = _aligned(0), 0
        self.key: object = None
        self.bound: Any = None

    def begin(self) -> None:
        """Nothing is taken, and nobody knows what was."""
        self.key = self.bound = None
        self._taken = 0

    def empty(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        """An array of any content."""
        size, start = math.prod(shape) * dtype.itemsize, self._taken
        self._taken += -(-size // LINE) * LINE
        if self._taken > self._memory.size:
            return np.empty(shape, dtype)
        return self._memory[start : start + size].view(dtype).reshape(shape)

    def full(self, shape: tuple[int, ...], dtype: np.dtype[Any], value: float) -> NDArray[Any]:
        """An array of one value."""
        made = self.empty(shape, dtype)
        made.fill(value)
        return made

    def give_back(self) -> None:
        """All pieces are given back; the next time there is room for as many."""
        if self._memory.size < self._taken:  # some are not of this memory
            if self._taken <= KEPT:
                self._memory = _aligned(self._taken)
            self.begin()


_spare: list[_Spare] = []  # those used last at the end
# Without a lock, which the end of a generator could meet in its own thread: appending and popping are atomic.
_pieces: list[Pieces] = []
_lock = threading.Lock()


class borrowed(Generic[Bound]):  # noqa: N801 - a context; a generator's takes 10 us more on a cold cache
    """A context with what `bind` makes of at least `size` bytes of any content, aligned to a line of the cache.

    The same object as `key` may get again what was bound for it earlier.
    """

    def __init__(self, size: int, bind: Callable[[Memory], Bound], key: object) -> None:
        self._size, self._bind, self._key = size, bind, key

    def __enter__(self) -> Bound:
        key, size, found = self._key, self._size, None
        with _lock:
            fitting = -1
            for i, spare in enumerate(_spare):
                if spare.key is key:
                    fitting = i
                    break
                if spare.memory.size >= size:
                    fitting = i
            if fitting >= 0:
                found = _spare.pop(fitting)
        if found is None or found.key is not key:
            memory = found.memory if found else _aligned(size)
            found = _Spare(memory, key, self._bind(memory))
        self._found = found
        bound: Bound = found.bound
        return bound

    def __exit__(self, *_: object) -> None:
        with _lock:
            if self._found.memory.size <= KEPT:
                _spare.append(self._found)
                del _spare[: max(0, len(_spare) - latest())]


@contextmanager
def pieces() -> Iterator[Pieces]:
    """Memory for what a thread needs until it has done its part of an image."""
    memory = _any_pieces()
    try:
        yield memory
    finally:
        _give_back(memory)


@contextmanager
def prepared(key: object, bind: Callable[[Pieces], Bound]) -> Iterator[Bound]:
    """What `bind` makes of pieces; a `key` that comes again, the same object, gets what was made for it."""
    found = _pieces_of(key)
    memory = found or _any_pieces()
    try:
        bound: Bound = memory.bound if found else bind(memory)
        if key is not None:
            memory.key, memory.bound = key, bound
        yield bound
    finally:
        _give_back(memory)


def _pieces_of(key: object) -> Pieces | None:
    """Those that something was made of for `key`."""
    for memory in reversed(_pieces) if key is not None else ():
        if memory.key is key:
            with suppress(ValueError):  # another thread has it
                _pieces.remove(memory)
                if memory.key is key:
                    return memory
                _pieces.append(memory)  # another one had it in between
    return None


def _any_pieces() -> Pieces:
    try:
        memory = _pieces.pop()
    except IndexError:
        memory = Pieces()
    memory.begin()
    return memory


def _give_back(memory: Pieces) -> None:
    memory.give_back()
    _pieces.append(memory)
    del _pieces[: max(0, len(_pieces) - latest())]


def _renew_lock() -> None:
    """In a forked child, which has none of the threads that may have held it."""
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


def _aligned(size: int) -> Memory:
    raw = np.empty(size + LINE, np.uint8)
    start = -raw.ctypes.data % LINE
    return raw[start : start + size]
