"""Worker processes behind the interface of `concurrent.futures`.

Each worker is a process with a thread of ours beside it that hands it one job at a time. A worker that dies costs the
job that it had, and is replaced. Workers are forked from a server that has no threads, or spawned where there is none;
they do their arithmetic on one thread each. One whose parent has died ends after its job.
"""

import contextlib
import multiprocessing
import os
import queue
import signal
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from multiprocessing.connection import Connection
from types import FrameType
from typing import Any

from cnnfilter import signals

# A worker is asked to end, and made to after that many seconds.
GRACE = 1.0
# Seconds from one attempt to start a worker to the next.
RETRIES = (0.02, 0.2)

# Bytes that a socket's path may have: 103 on macOS, 107 on Linux; and those of the server's below the folder for
# temporary files, as in /pymp-abcdefgh/listener-abcdefgh.
LONGEST_SOCKET = 103
SOCKET_BELOW = 32

Call = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]


class WorkerDied(Exception):  # noqa: N818 - an event of the operating system's
    """The worker that had the job is gone; `pid` was its number."""

    def __init__(self, pid: int | None) -> None:
        super().__init__(pid)
        self.pid = pid


def start_method() -> str:
    """How workers are started: forked from a server, where there is forking and room for its socket, or spawned."""
    if not _can_fork():
        return "spawn"
    try:
        folder = tempfile.gettempdir()
    except OSError:  # none can be written to
        return "spawn"
    return "forkserver" if len(os.fsencode(folder)) + SOCKET_BELOW <= LONGEST_SOCKET else "spawn"


def _can_fork() -> bool:
    return "forkserver" in multiprocessing.get_all_start_methods()


def start_server() -> None:
    """Start the server that workers are forked from, where there is to be one, unless it is running.

    It loads what they need while this process goes on, and ends with it.
    """
    if _can_fork():  # what is spawned there has the tracker, too
        signals.start_tracker()
    if start_method() != "forkserver":
        return
    from multiprocessing import forkserver

    forkserver.set_forkserver_preload(["cnnfilter.batch.process"])
    with signals.held_back():
        forkserver.ensure_running()


class Workers(Executor):
    """`count` worker processes; each calls `initializer(*initargs)` once, before its first job."""

    def __init__(self, count: int, initializer: Callable[..., object], *initargs: Any) -> None:
        start_server()
        self._context = multiprocessing.get_context(start_method())
        self._initializer, self._initargs = initializer, initargs
        self._waiting: queue.SimpleQueue[tuple[Future[Any], Call] | None] = queue.SimpleQueue()
        self._processes: dict[int, Any] = {}
        self._stopping = False
        self._threads = [threading.Thread(target=self._run_slot, args=(i,), daemon=True) for i in range(count)]
        for thread in self._threads:
            thread.start()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Have `fn(*args, **kwargs)` called by a worker."""
        future: Future[Any] = Future()
        self._waiting.put((future, (fn, args, kwargs)))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the workers after what they have; with `cancel_futures` at once."""
        if cancel_futures:
            self._stopping = True
            self._kill()
        for _ in self._threads:
            self._waiting.put(None)
        if wait:
            for thread in self._threads:
                thread.join(GRACE if cancel_futures else None)

    @property
    def pids(self) -> list[int]:
        """The process numbers of the workers."""
        return [process.pid for process in list(self._processes.values()) if process.pid is not None]

    def _kill(self) -> None:
        """Ask every worker to end, so that it can tidy up, then make it."""
        processes = list(self._processes.values())
        for process in processes:
            with contextlib.suppress(OSError, ValueError):
                process.terminate()
        until = time.monotonic() + GRACE / 2
        for process in processes:
            with contextlib.suppress(OSError, ValueError, AssertionError):
                process.join(max(0, until - time.monotonic()))
                if process.is_alive():
                    process.kill()
                    process.join(GRACE / 2)

    def _start(self, slot: int) -> Connection:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(  # type: ignore[attr-defined]
            target=_serve, args=(theirs, self._initializer, self._initargs), daemon=True
        )
        process.start()
        theirs.close()
        self._processes[slot] = process
        return ours

    def _started(self, slot: int) -> Connection:
        """A new worker; a fork server that was killed takes no more calls, but a moment to be gone and be replaced."""
        for seconds in RETRIES:
            try:
                return self._start(slot)
            except (EOFError, OSError):
                time.sleep(seconds)
        return self._start(slot)

    def _run_slot(self, slot: int) -> None:
        # What this thread starts inherits its mask: no signal before a worker, or the server, is ready for it.
        signals.block()
        connection: Connection | None = None
        while (item := self._waiting.get()) is not None and not self._stopping:
            future, call = item
            if not future.set_running_or_notify_cancel():
                continue
            try:
                connection = connection or self._started(slot)
                connection.send(call)
                future.set_result(connection.recv())
            except (EOFError, OSError) as error:
                if connection is not None:
                    connection.close()
                connection = None
                died = WorkerDied(self._processes[slot].pid if slot in self._processes else None)
                died.__cause__ = error
                future.set_exception(died)
            except BaseException as error:  # such as a job that cannot be pickled; the one who waits must hear of it
                future.set_exception(error)
        if connection is not None:
            connection.close()


def _serve(connection: Connection, initializer: Callable[..., object], initargs: tuple[Any, ...]) -> None:
    """The life of a worker: calls come and results go through the connection, until it is closed."""
    signals.leave_to_parent()
    if signal.SIGTERM in signals.heeded():
        signal.signal(signal.SIGTERM, _leave)
    signals.unblock()
    os.environ["CNNFILTER_THREADS"] = "1"  # many images at once, one thread each
    initializer(*initargs)
    with contextlib.suppress(EOFError, OSError):
        while True:
            function, arguments, named = connection.recv()
            connection.send(function(*arguments, **named))


def _leave(number: int, frame: FrameType | None) -> None:
    """End with all cleanups on the way, which remove temporary files."""
    signal.signal(number, signal.SIG_IGN)
    raise SystemExit(128 + number)
