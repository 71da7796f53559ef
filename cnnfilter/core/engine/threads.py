"""How many threads one image gets, and bands handed out to them."""

import contextlib
import os
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

    A call needs no thread but its own to finish, so that callers on many threads cannot block each other.
    """
    if count < 2:
        return work(iter(items))
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


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_helpers)
