"""How many threads one image gets, and bands handed out to them."""

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

from cnnfilter.core.numbers import whole

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

Item = TypeVar("Item")

VARIABLE = "CNNFILTER_THREADS"
# Fewer values than these are not worth a second thread, which takes 0.1 ms to wake.
ALONE = 1 << 20
# Seconds after which a thread that waits for the interpreter's lock asks for it. With the usual 5 ms one thread may be
# passed over for hundreds of short array operations, while the other pays for waking it at each of them.
PATIENCE = 1e-5

_chosen: int | None = None
_pool: "ThreadPoolExecutor | None" = None
_lock = threading.Lock()


def set_threads(count: int | None) -> None:
    """Set the number of threads that one image is computed with; results do not depend on it.

    None for the default: the environment variable CNNFILTER_THREADS, otherwise the processors that this process may
    use. Small images take one thread in any case.

    Raises:
        ParameterError: not a whole number of at least 1.

    >>> set_threads(2)
    >>> threads()
    2
    >>> set_threads(None)
    """
    global _chosen
    _chosen = None if count is None else whole(count, "threads")


def threads() -> int:
    """The number of threads that a large image is computed with.

    Raises:
        ParameterError: CNNFILTER_THREADS is not a whole number of at least 1.
    """
    if _chosen is not None:
        return _chosen
    if os.environ.get(VARIABLE):
        return whole(os.environ[VARIABLE], VARIABLE)
    return processors()


def processors() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def threads_for(values: int) -> int:
    """The number of threads that so many values are worth."""
    return threads() if values >= ALONE else 1


def share(items: Iterable[Item], work: Callable[[Iterator[Item]], int], count: int) -> int:
    """Sum of what `work` gives in `count` threads, the caller's among them, that take their items from one iterator.

    A call needs no thread but its own to finish, so that callers on many threads cannot block each other. Meanwhile the
    interpreter's switch interval is PATIENCE.
    """
    if count < 2:
        return work(iter(items))
    with _impatience:
        return _shared_out(items, work, count)


def _shared_out(items: Iterable[Item], work: Callable[[Iterator[Item]], int], count: int) -> int:
    """`share` among more threads than one."""
    from concurrent.futures import wait  # small images need no threads

    shared = _Shared(items)
    helpers: list[Future[int]] = []
    try:
        with contextlib.suppress(RuntimeError):  # no new threads while the interpreter shuts down
            for _ in range(count - 1):
                helpers.append(_helpers().submit(work, shared))
        total = work(shared)
    finally:
        shared.stop()  # after an error in this thread the others end with the item they have
        started = [helper for helper in helpers if not helper.cancel()]
        wait(started)
    return total + sum(helper.result() for helper in started)


class _Impatience:
    """The interpreter's switch interval, shortened while any image is shared by threads."""

    def __init__(self) -> None:
        self._lock, self._users, self._usual = threading.Lock(), 0, sys.getswitchinterval()

    def __enter__(self) -> None:
        with self._lock:
            if not self._users:
                self._usual = sys.getswitchinterval()
                sys.setswitchinterval(min(PATIENCE, self._usual))
            self._users += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._users -= 1
            if not self._users:
                sys.setswitchinterval(self._usual)

    def forget(self) -> None:
        """What a forked child does, in which no image is shared yet."""
        if self._users:
            sys.setswitchinterval(self._usual)
        self._lock, self._users = threading.Lock(), 0


_impatience = _Impatience()


class _Shared(Iterator[Item]):
    """An iterator for several threads."""

    def __init__(self, items: Iterable[Item]) -> None:
        self._items, self._lock = iter(items), threading.Lock()

    def __next__(self) -> Item:
        with self._lock:
            return next(self._items)

    def stop(self) -> None:
        with self._lock:
            self._items = iter(())


def _helpers() -> "ThreadPoolExecutor":
    """Threads that help callers; they start when they are needed and end with the process."""
    from concurrent.futures import ThreadPoolExecutor

    global _pool
    with _lock:
        _pool = _pool or ThreadPoolExecutor(max(1, (os.cpu_count() or 1) - 1), thread_name_prefix="cnnfilter")
        return _pool


def _forget_helpers() -> None:
    """A forked child has none of its parent's threads."""
    global _pool, _lock
    _pool, _lock = None, threading.Lock()
    _impatience.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_helpers)
