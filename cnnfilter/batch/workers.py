"""Worker processes behind the interface of `concurrent.futures`.

Each worker is a process with a thread of ours beside it that hands it one job at a time. When it has done one, it gets
the next first; then the thread does what is left of the last, while the worker is busy again. A worker that dies costs
the job that it had, and is replaced. They do their arithmetic on one thread each. One whose parent has died ends after
its job.

Workers are forked: on Linux from the command itself, which has loaded all they need, as long as it has one thread;
later and elsewhere from a server that has no threads. Where there is no forking they are spawned.
"""

import contextlib
import functools
import multiprocessing
import os
import queue
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from multiprocessing.connection import Connection
from types import FrameType
from typing import Any, NamedTuple

from cnnfilter import signals

# Seconds that workers have to end in: half of them after they were asked to, then they are made to.
GRACE = 1.0
# Seconds from a callback, which cannot raise a worker's end, to the next attempt.
SOON = 0.01
# Seconds from one attempt to start a worker to the next.
RETRIES = (0.02, 0.2)

# Bytes that a socket's path may have: 103 on macOS, 107 on Linux; and those of the server's below the folder for
# temporary files, as in /pymp-abcdefgh/listener-abcdefgh.
LONGEST_SOCKET = 103
SOCKET_BELOW = 32

Call = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]


class _Job(NamedTuple):
    """A call, and who waits for its result."""

    future: "Future[Any]"
    call: Call


class WorkerDied(Exception):  # noqa: N818 - an event of the operating system's
    """The worker that had the job is gone; `pid` was its number."""

    def __init__(self, pid: int | None) -> None:
        super().__init__(pid)
        self.pid = pid


class NoWorker(WorkerDied):
    """There is none for the job, and none could be started; `pid` was the number of the last one."""


def start_method() -> str:
    """How workers are started: forked from a server, where there is forking and room for its socket, or spawned."""
    if not _has_server():
        return "spawn"
    try:
        folder = tempfile.gettempdir()
    except OSError:  # none can be written to
        return "spawn"
    return "forkserver" if len(os.fsencode(folder)) + SOCKET_BELOW <= LONGEST_SOCKET else "spawn"


def _has_server() -> bool:
    """Whether there can be a server on this system."""
    return "forkserver" in multiprocessing.get_all_start_methods()


def _has_one_thread() -> bool:
    """Whether this process is known to have no thread but this one: then it can be forked."""
    try:
        return len(os.listdir("/proc/self/task")) == 1
    except OSError:  # no /proc
        return False


def start_server() -> None:
    """Start the server that workers are forked from, where there is to be one, unless it is running.

    It loads what they need while this process goes on, and ends with it.
    """
    if _has_server():  # what is spawned there has the tracker, too
        signals.start_tracker()
    if start_method() != "forkserver":
        return
    from multiprocessing import forkserver

    forkserver.set_forkserver_preload(["cnnfilter.batch.committing"])
    with signals.held_back():
        forkserver.ensure_running()


class _Place:
    """Where a worker is at work: the process and the connection to it; it starts with the first job."""

    def __init__(self, serve: Callable[[Connection], None]) -> None:
        self._serve = serve
        self._connection: Connection | None = None
        self.process: Any = None
        self.is_given_up = False

    def fork(self, places: "list[_Place]") -> None:
        """Start the worker now, as a fork of this process, which may be connected to those at other places."""

        def serve(connection: Connection) -> None:
            for place in places:  # or no worker would hear that this process has ended
                place.close()
            self._serve(connection)

        with signals.held_back():
            self._connect("fork", serve)

    def send(self, call: Call) -> None:
        """Give the worker something to do; one that died in the meantime is replaced.

        Raises:
            NoWorker: none can be started.
        """
        if self._connection is not None:
            try:
                return self._connection.send(call)
            except OSError:
                self.close()
        try:
            self._start().send(call)
        except (EOFError, OSError) as error:
            raise self._died(NoWorker) from error

    def receive(self) -> Any:
        """What the worker has made.

        Raises:
            WorkerDied: it is gone.
        """
        assert self._connection
        try:
            return self._connection.recv()
        except (EOFError, OSError) as error:
            raise self._died() from error
        except BaseException:  # out of step: what comes next may be the rest of this
            self.close()
            raise

    def end(self) -> None:
        """Ask the worker to end, so that it can tidy up."""
        with contextlib.suppress(OSError, ValueError):
            self.process.terminate()

    def close(self) -> None:
        """Let the worker end after what it has."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _died(self, how: type[WorkerDied] = WorkerDied) -> WorkerDied:
        self.close()
        return how(self.process.pid if self.process else None)

    def _start(self) -> Connection:
        """Start a worker; a server that was killed takes no more calls, but a moment to be gone and be replaced."""
        for seconds in RETRIES:
            with contextlib.suppress(EOFError, OSError):
                start_server()
                return self._connect(start_method(), self._serve)
            time.sleep(seconds)
        return self._connect(start_method(), self._serve)

    def _connect(self, method: str, serve: Callable[[Connection], None]) -> Connection:
        """Start a process that serves, and be connected to it."""
        context = multiprocessing.get_context(method)
        ours, theirs = context.Pipe()
        self._connection = ours
        process = context.Process(target=serve, args=(theirs,), daemon=True)  # type: ignore[attr-defined]
        try:
            process.start()
        except BaseException:
            self.close()
            raise
        finally:
            theirs.close()
        self.process = process
        return ours


class Workers(Executor):
    """`count` worker processes.

    Each calls `initialize` once, before its first job. Here `complete` makes results of what jobs give, on the thread
    beside the worker. A worker calls `orphaned` after its last job, in case this process is no more. With `fork` the
    workers are forked from this process, if it has one thread.
    """

    def __init__(
        self,
        count: int,
        initialize: Callable[[], object],
        complete: Callable[[Any], Any],
        orphaned: Callable[[], object],
        *,
        fork: bool = False,
    ) -> None:
        self._complete = complete
        self._waiting: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        serve = functools.partial(_serve, initialize, orphaned)
        self._places = [_Place(serve) for _ in range(count)]
        self._stopping = False
        if fork and _has_one_thread():
            with contextlib.suppress(OSError):  # no more processes are allowed
                for place in self._places:
                    place.fork(self._places)
        else:
            start_server()
        self._places = [place for place in self._places if place.process] or self._places
        self._threads: list[threading.Thread] = []
        self._left, self._lock = len(self._places), threading.Lock()  # places that have a worker, or may have one
        for place in self._places:
            thread = threading.Thread(target=self._work, args=(place,), daemon=True)
            try:
                thread.start()
            except RuntimeError:  # no more threads are allowed
                place.close()
                if not self._given_up(place):
                    raise
            else:
                self._threads.append(thread)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Have `fn(*args, **kwargs)` called by a worker."""
        job = _Job(Future(), (fn, args, kwargs))
        self._waiting.put(job)
        return job.future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the workers after what they have; with `cancel_futures` at once."""
        if cancel_futures:
            self._stopping = True
            self._kill()
        self._waiting.put(None)
        if wait:
            for thread in self._threads:
                thread.join(GRACE if cancel_futures else None)

    @property
    def count(self) -> int:
        """The number of workers."""
        return len(self._threads)

    @property
    def pids(self) -> list[int]:
        """The process numbers of the workers."""
        return [place.process.pid for place in self._places if place.process]

    def _kill(self) -> None:
        """Ask every worker to end, then make it."""
        places = [place for place in self._places if place.process]
        for place in places:
            place.end()
        until = time.monotonic() + GRACE / 2
        for process in [place.process for place in places]:
            with contextlib.suppress(OSError, ValueError, AssertionError):
                process.join(max(0, until - time.monotonic()))
                if process.is_alive():
                    process.kill()
                    process.join(GRACE / 2)

    def _work(self, place: _Place) -> None:
        """What the thread beside a worker does."""
        # What this thread starts inherits its mask: no signal before a worker, or the server, is ready for it.
        signals.block()
        job = self._begun(place, wait=True)
        while job is not None:
            try:
                made = place.receive()
            except BaseException as error:  # the one who waits must hear of it
                job.future.set_exception(error)
                job = self._begun(place, wait=True)
                continue
            coming = self._begun(place, wait=False)
            try:
                job.future.set_result(self._complete(made))
            except BaseException as error:
                job.future.set_exception(error)
            job = coming or self._begun(place, wait=True)
        place.close()

    def _begun(self, place: _Place, *, wait: bool) -> _Job | None:
        """The next job, which the worker has now; None at the end, or where none has come yet and nobody waits."""
        while not self._stopping and not place.is_given_up:
            try:
                job = self._waiting.get(wait)
            except queue.Empty:
                return None
            if job is None:
                self._waiting.put(None)  # for those who look later, this thread among them
                return None
            if not job.future.set_running_or_notify_cancel():
                continue
            try:
                place.send(job.call)
            except NoWorker as error:
                job.future.set_exception(error)
                self._given_up(place)
            except BaseException as error:  # such as a job that cannot be pickled
                job.future.set_exception(error)
            else:
                if self._stopping:  # others were asked to end before this one was there
                    place.end()
                return job
        return None

    def _given_up(self, place: _Place) -> bool:
        """Leave the work to the other places, if there are any."""
        with self._lock:
            if self._left > 1:
                self._left -= 1
                place.is_given_up = True
        return place.is_given_up


def _serve(initialize: Callable[[], object], orphaned: Callable[[], object], connection: Connection) -> None:
    """The life of a worker: calls come and results go through the connection, until it is closed."""
    signals.leave_to_parent()
    if signal.SIGTERM in signals.heeded():
        signal.signal(signal.SIGTERM, _leave)
    sys.unraisablehook = _leave_later
    signals.unblock()
    os.environ["CNNFILTER_THREADS"] = "1"  # many images at once, one thread each
    initialize()
    while (call := _received(connection)) is not None:
        function, arguments, named = call
        made = function(*arguments, **named)
        with contextlib.suppress(OSError):  # if there is nobody any more, no call will come either
            connection.send(made)
    orphaned()


def _received(connection: Connection) -> Call | None:
    """The next call; None when the connection has been closed."""
    with contextlib.suppress(EOFError, OSError):
        call: Call = connection.recv()
        return call
    return None


def _leave(number: int, frame: FrameType | None) -> None:
    """End with all cleanups on the way, which remove temporary files."""
    signal.signal(number, signal.SIG_IGN)
    raise SystemExit(128 + number)


def _leave_later(told: "sys.UnraisableHookArgs") -> None:
    """End in a moment, where that came in a callback, which cannot raise it; otherwise say what cannot be raised."""
    if isinstance(told.exc_value, SystemExit) and hasattr(signal, "setitimer"):
        signal.signal(signal.SIGALRM, _leave)
        signal.setitimer(signal.ITIMER_REAL, SOON)
    else:
        sys.__unraisablehook__(told)
