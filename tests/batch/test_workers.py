"""Worker processes as an executor."""

from __future__ import annotations

import contextlib
import functools
import operator
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import CancelledError
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from conftest import plain_environment

from cnnfilter.batch.workers import WorkerDied, Workers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Start = Callable[..., Workers]

pytestmark = pytest.mark.usefixtures("no_hanging")

PATIENCE = 20.0


def same(made: Any) -> Any:
    return made


def wait_for(place: Path) -> bool:
    """Whether it is there, in time."""
    until = time.monotonic() + PATIENCE
    while not place.exists() and time.monotonic() < until:
        time.sleep(0.005)
    return place.exists()


def wait_for_end(pid: int) -> None:
    """Until the process does nothing any more."""
    until = time.monotonic() + PATIENCE
    with contextlib.suppress(OSError):
        while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
            assert time.monotonic() < until
            time.sleep(0.005)


in_proc = pytest.mark.skipif(sys.platform != "linux", reason="processes and threads are looked up in /proc")


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts workers that are ended with the test."""
    begun: list[Workers] = []

    def started(
        count: int = 1,
        *,
        initialize: Callable[[], object] = os.getpid,
        complete: Callable[[Any], Any] = same,
        orphaned: Callable[[], object] = os.getpid,
    ) -> Workers:
        begun.append(Workers(count, initialize, complete, orphaned))
        return begun[-1]

    yield started
    for workers in begun:
        workers.shutdown(cancel_futures=True)


def test_jobs_are_done_in_other_processes(start: Start) -> None:
    workers = start(2)
    pids = {workers.submit(os.getpid).result(PATIENCE) for _ in range(6)}
    assert pids <= set(workers.pids)
    assert os.getpid() not in pids


def test_the_next_job_is_begun_before_the_last_is_complete(start: Start, tmp_path: Path) -> None:
    seen = []

    def complete(made: Any) -> Any:
        if made == 3:
            seen.append(wait_for(tmp_path / "begun"))
        return made

    workers = start(complete=complete)
    first, second = workers.submit(operator.add, 1, 2), workers.submit(os.mkdir, str(tmp_path / "begun"))
    assert (first.result(2 * PATIENCE), second.result(PATIENCE), seen) == (3, None, [True])


def test_what_cannot_be_completed_is_told_and_work_goes_on(start: Start) -> None:
    workers = start(complete=lambda made: 1 // made)
    futures = [workers.submit(operator.add, number, 0) for number in (1, 0, 1)]
    with pytest.raises(ZeroDivisionError):
        futures[1].result(PATIENCE)
    assert [futures[0].result(PATIENCE), futures[2].result(PATIENCE)] == [1, 1]


def test_a_job_that_cannot_be_sent_costs_itself_only(start: Start) -> None:
    workers = start()
    futures = [workers.submit(operator.add, 1, 1), workers.submit(lambda: 1), workers.submit(operator.add, 2, 2)]
    assert (futures[0].result(PATIENCE), futures[2].result(PATIENCE)) == (2, 4)
    with pytest.raises(Exception, match=r"pickle|local object"):
        futures[1].result(PATIENCE)


@pytest.mark.parametrize("waiting", [True, False], ids=["alone", "others-wait"])
def test_a_worker_that_dies_costs_its_job_and_is_replaced(start: Start, waiting: bool) -> None:
    workers = start()
    pid = workers.submit(os.getpid).result(PATIENCE)
    died = workers.submit(os._exit, 7)
    if waiting:
        with pytest.raises(WorkerDied):
            died.result(PATIENCE)
    others = [workers.submit(os.getpid) for _ in range(3)]
    with pytest.raises(WorkerDied) as caught:
        died.result(PATIENCE)
    assert caught.value.pid == pid
    pids = {other.result(PATIENCE) for other in others}
    assert len(pids) == 1
    assert pids != {pid}


@in_proc
def test_a_worker_that_died_idle_costs_nothing(start: Start) -> None:
    workers = start()
    pid = workers.submit(os.getpid).result(PATIENCE)
    os.kill(pid, signal.SIGKILL)
    wait_for_end(pid)
    assert workers.submit(os.getpid).result(PATIENCE) not in (pid, os.getpid())


@in_proc
@pytest.mark.parametrize("moment", [0.0, 0.002, 0.01, 0.05, 0.1])
def test_no_worker_outlives_an_interrupted_run(start: Start, moment: float) -> None:
    """Not even one that was just being started."""
    workers = start(2)
    for _ in range(4):
        workers.submit(time.sleep, 5 * PATIENCE)
    time.sleep(moment)
    workers.shutdown(cancel_futures=True)
    for pid in workers.pids:
        wait_for_end(pid)


def test_a_job_that_was_cancelled_is_not_done(start: Start, tmp_path: Path) -> None:
    workers = start()
    first = workers.submit(time.sleep, 0.3)
    second, third = workers.submit(os.mkdir, str(tmp_path / "second")), workers.submit(operator.add, 1, 2)
    assert second.cancel()
    assert (first.result(PATIENCE), third.result(PATIENCE)) == (None, 3)
    with pytest.raises(CancelledError):
        second.result()
    assert not (tmp_path / "second").exists()


def test_workers_that_have_ended_were_called_orphaned(start: Start, tmp_path: Path) -> None:
    workers = start(2, orphaned=functools.partial(os.makedirs, str(tmp_path / "ended"), exist_ok=True))
    future = workers.submit(operator.add, 1, 2)
    workers.shutdown()
    assert future.result() == 3
    assert wait_for(tmp_path / "ended")


NO_MORE_PROCESSES = """
import operator, os, threading
from cnnfilter.batch import workers
def refused():
    calls.append(threading.active_count())
    raise BlockingIOError(11, "Resource temporarily unavailable")
calls, fork = [], os.fork
os.fork = refused
several = workers.Workers(2, os.getpid, lambda made: made, os.getpid, fork=True)
os.fork = fork
print(calls, [several.submit(operator.add, number, 1).result(20) for number in range(4)])
several.shutdown()
"""


def program(text: str) -> subprocess.CompletedProcess[str]:
    """A process with one thread, that workers can be forked from."""
    environment = plain_environment(OPENBLAS_NUM_THREADS="1")
    command = [sys.executable, "-c", text]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


@in_proc
def test_workers_that_cannot_be_forked_are_started_later() -> None:
    done = program(NO_MORE_PROCESSES)
    assert (done.returncode, done.stdout, done.stderr) == (0, "[1] [1, 2, 3, 4]\n", "")


NO_MORE_WORKERS = """
import contextlib, os, signal, time
from cnnfilter.batch import workers
def refused(place):
    raise OSError("not today")
workers._Place._start = refused
several = workers.Workers(2, os.getpid, lambda made: made, os.getpid, fork=True)
for victim in (several.submit(os.getpid).result(20), *several.pids):
    with contextlib.suppress(ProcessLookupError):
        os.kill(victim, signal.SIGKILL)
    time.sleep(0.3)
    futures = [several.submit(time.sleep, 0.02) for _ in range(20)]
    print([type(error).__name__ for future in futures if (error := future.exception(20))])
several.shutdown()
"""


@in_proc
def test_a_place_without_a_worker_leaves_the_work_to_others() -> None:
    done = program(NO_MORE_WORKERS)
    assert done.stderr == ""
    first, *_, last = [line.count("NoWorker") for line in done.stdout.splitlines()]
    assert (first, last) == (1, 20)


WITH_AN_ERROR = """
import operator, os
from cnnfilter.batch.workers import WorkerDied, Workers
workers = Workers(1, os.getpid, lambda made: made, os.getpid, fork=True)
try:
    workers.submit(os.stat, "/no/such/file").result(20)
except WorkerDied:
    print("ended", workers.submit(operator.add, 1, 2).result(20))
workers.shutdown()
"""


@in_proc
def test_an_error_in_a_job_is_not_taken_for_the_end_of_work() -> None:
    """Even if it is one that a closed connection raises, and of which nothing would be said."""
    done = program(WITH_AN_ERROR)
    assert (done.returncode, done.stdout) == (0, "ended 3\n")
    assert "FileNotFoundError" in done.stderr


IN_A_CALLBACK = """
import os, signal, time, weakref
from cnnfilter.batch.workers import WorkerDied, Workers
class Thing:
    pass
def end(_):
    os.kill(os.getpid(), signal.SIGTERM)
    sum(range(1000))
def job():
    thing = Thing()
    reference = weakref.ref(thing, end)
    del thing
    time.sleep(20)
workers = Workers(1, os.getpid, lambda made: made, os.getpid, fork=True)
try:
    print(workers.submit(job).result(20))
except WorkerDied:
    print("ended")
workers.shutdown()
"""


@in_proc
def test_a_worker_that_is_ended_in_a_callback_ends_without_a_word() -> None:
    began = time.monotonic()
    done = program(IN_A_CALLBACK)
    assert (done.returncode, done.stdout, done.stderr) == (0, "ended\n", "")
    assert time.monotonic() - began < 10
