"""How many threads one image gets, and bands handed out to them."""

import contextlib
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from cnnfilter.core.numbers import whole

if TYPE_CHECKING:
    from queue import SimpleQueue

Item = TypeVar("Item")

VARIABLE = "CNNFILTER_THREADS"
# Fewer values than these are not worth a second thread, which takes 0.1 ms to wake.
ALONE = 1 << 20
# Seconds after which a thread that waits for the interpreter's lock asks for it. With the usual 5 ms one thread may be
# passed over for hundreds of short array operations, while the other pays for waking it at each of them.
PATIENCE = 1e-5

_chosen: int | None = None
_latest: int | None = None


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
    global _chosen, _latest
    _chosen = None if count is None else whole(count, "threads")
    _latest = _chosen


def threads() -> int:
    """The number of threads that a large image is computed with.

    Raises:
        ParameterError: CNNFILTER_THREADS is not a whole number of at least 1.
    """
    global _latest
    if _chosen is not None:
        _latest = _chosen
    elif told := os.environ.get(VARIABLE):
        _latest = whole(told, VARIABLE)
    else:
        _latest = processors()
    return _latest


def latest() -> int:
    """What `threads` gave last, or would give without the variable; asking that takes as long as a small image."""
    return _latest or processors()


def chosen() -> int | None:
    """What `set_threads` has set."""
    return _chosen


def processors() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def threads_for(values: int) -> int:
    """The number of threads that so many values are worth."""
    return threads() if values >= ALONE else 1


def share(items: Iterable[Item], work: Callable[[Iterator[Item]], int], count: int) -> int:
    """Sum of what `work` gives in `count` threads, the caller's among them, that take their items from one queue.

    For more threads than one all items are read at once. A call needs no thread but its own to finish, so that callers
    on many threads cannot block each other. Meanwhile the interpreter's switch interval is PATIENCE.
    """
    if count < 2:
        return work(iter(items))
    with _impatience:
        return _shared_out(items, work, count)


def _shared_out(items: Iterable[Item], work: Callable[[Iterator[Item]], int], count: int) -> int:
    """`share` among more threads than one."""
    shared, helpers = _Shared(items, count), _helpers

    def part() -> int:
        try:
            return work(shared.items())
        finally:
            shared.stop()  # after an error the others end with the item they have

    tasks = [_Task(part) for _ in range(count - 1)]
    try:
        helpers.give(tasks)
        total = work(shared.items())
    finally:
        shared.stop()
        for task in tasks:
            task.wait()
        helpers.take_back(tasks)
    return total + sum(task.result() for task in tasks)


class _Task:
    """Work for a helper, if one begins it before its caller has come to the end.

    It is held no longer than that.
    """

    def __init__(self, work: Callable[[], int]) -> None:
        self._work: Callable[[], int] | None = work
        self._begun, self._ended = threading.Lock(), threading.Lock()
        self._ended.acquire()
        self._result = 0
        self._error: BaseException | None = None

    def run(self) -> None:
        """What a helper does."""
        if not self._begun.acquire(blocking=False):
            return
        try:
            work, self._work = self._work, None
            assert work
            self._result = work()
        except BaseException as error:
            self._error = error
        finally:
            self._ended.release()

    def wait(self) -> None:
        """Wait for its end where it has begun; otherwise it never will."""
        if self._begun.acquire(blocking=False):
            self._work = None
        else:
            self._ended.acquire()

    def result(self) -> int:
        """What the work gave, or nothing."""
        error, self._error = self._error, None
        if error is None:
            return self._result
        try:
            raise error
        finally:
            error = None  # or its traceback would hold this frame, which holds it


class _Helpers:
    """Threads that help callers; they start when they are needed and end with the process.

    An executor of the standard library does the same, but takes twice as long to wake them: 0.1 ms of a pooling's two.
    """

    def __init__(self) -> None:
        self._lock, self._started = threading.Lock(), 0
        self._most = max(1, (os.cpu_count() or 1) - 1)
        self._given: dict[int, int] = {}  # how many tasks callers that are under way have given
        self._tasks: SimpleQueue[_Task] | None = None

    def give(self, tasks: list[_Task]) -> None:
        """Let helpers run the tasks, beside those of other callers: as many at a time as there are other processors."""
        with self._lock:
            if self._tasks is None:
                from queue import SimpleQueue  # small images need no threads

                self._tasks = SimpleQueue()
            self._given[id(tasks)] = len(tasks)
            wanted = min(sum(self._given.values()), self._most)
            if self._started < wanted:
                self._start(wanted, self._tasks)
        for task in tasks if self._started else ():
            self._tasks.put(task)

    def _start(self, wanted: int, tasks: "SimpleQueue[_Task]") -> None:
        with contextlib.suppress(RuntimeError):  # no new threads while the interpreter shuts down
            while self._started < wanted:
                threading.Thread(target=self._help, args=(tasks,), name="cnnfilter", daemon=True).start()
                self._started += 1

    def take_back(self, tasks: list[_Task]) -> None:
        """The tasks have ended, or will never begin."""
        with self._lock:
            self._given.pop(id(tasks), None)

    @staticmethod
    def _help(tasks: "SimpleQueue[_Task]") -> None:
        while True:
            tasks.get().run()


_helpers = _Helpers()


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


class _Shared(Generic[Item]):
    """Items for `count` threads, without Python code between two of them."""

    _END: Any = object()

    def __init__(self, items: Iterable[Item], count: int) -> None:
        self._count = count
        self._queue: deque[Item] = deque(items)  # its methods are atomic
        self._queue.extend([self._END] * count)

    def items(self) -> Iterator[Item]:
        """For each of the threads once: those that no other one has taken."""
        return iter(self._queue.popleft, self._END)

    def stop(self) -> None:
        """There are none any more."""
        self._queue.extendleft([self._END] * self._count)


def _forget_helpers() -> None:
    """A forked child has none of its parent's threads."""
    global _helpers
    _helpers = _Helpers()
    _impatience.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_helpers)
