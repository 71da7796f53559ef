"""Worker processes as an executor, and the files that they leave to be settled."""

from __future__ import annotations

import functools
import operator
import os
import subprocess
import sys
import time
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, Any

import pytest
from conftest import plain_environment

from cnnfilter.batch import runner
from cnnfilter.batch.report import Record
from cnnfilter.batch.workers import WorkerDied, Workers
from cnnfilter.images import temporary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

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


def test_a_job_that_was_cancelled_is_not_done(start: Start, tmp_path: Path) -> None:
    workers = start()
    first = workers.submit(time.sleep, 0.3)
    second, third = workers.submit(os.mkdir, str(tmp_path / "second")), workers.submit(operator.add, 1, 2)
    assert second.cancel()
    assert (first.result(PATIENCE), third.result(PATIENCE)) == (None, 3)
    with pytest.raises(CancelledError):
        second.result()
    assert not (tmp_path / "second").exists()


def test_workers_end_with_their_parts_done(start: Start, tmp_path: Path) -> None:
    workers = start(2, orphaned=functools.partial(os.makedirs, str(tmp_path / "ended"), exist_ok=True))
    future = workers.submit(operator.add, 1, 2)
    workers.shutdown()
    assert future.result() == 3
    assert wait_for(tmp_path / "ended")


NO_MORE_PROCESSES = """
import operator, os
from cnnfilter import batch
batch.is_process = True
from cnnfilter.batch import workers
def refused():
    calls.append(workers.threading.active_count())
    raise BlockingIOError(11, "Resource temporarily unavailable")
calls, fork = [], os.fork
os.fork = refused
several = workers.Workers(2, os.getpid, lambda made: made, os.getpid)
os.fork = fork
print(calls, [several.submit(operator.add, number, 1).result(20) for number in range(4)])
several.shutdown()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing is forked from the command")
def test_workers_that_cannot_be_forked_are_started_later() -> None:
    environment = plain_environment(OPENBLAS_NUM_THREADS="1")
    command = [sys.executable, "-c", NO_MORE_PROCESSES]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "[1] [1, 2, 3, 4]\n", "")


IN_A_CALLBACK = """
import os, signal, time, weakref
from cnnfilter import batch
batch.is_process = True
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
workers = Workers(1, os.getpid, lambda made: made, os.getpid)
try:
    print(workers.submit(job).result(20))
except WorkerDied:
    print("ended")
workers.shutdown()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a worker does not know the test")
def test_a_worker_that_is_ended_in_a_callback_ends_without_a_word() -> None:
    began = time.monotonic()
    environment = plain_environment(OPENBLAS_NUM_THREADS="1")
    command = [sys.executable, "-c", IN_A_CALLBACK]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "ended\n", "")
    assert time.monotonic() - began < 10


# ---------------------------------------------------------------------------------------------------------------------
# Files that are settled by the command


def written(folder: Path, *names: str) -> list[temporary.Written]:
    """Whole files that have not taken their places."""
    with temporary.settled_later() as files:
        for name in names:
            with temporary.replacing(str(folder / name)) as file:
                file.write(name.encode())
    return files


def record(name: str | None, **others: Any) -> Record:
    return Record("in.png", name, operation="convolve", output_bytes=5)._replace(**others)


def test_records_are_as_they_were_when_their_files_have_settled(tmp_path: Path) -> None:
    records = [record("a.png"), record(None), record("b.png", status="skipped")]
    done = list(zip(records, [written(tmp_path, "a.png"), written(tmp_path, "c.png", "d.png"), []], strict=True))
    assert runner._settled(done) == records
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {n: n for n in ("a.png", "c.png", "d.png")}


def test_files_of_a_step_after_one_that_cannot_settle_are_removed(tmp_path: Path) -> None:
    """Its records are failures, which say so; those of the steps around it are not."""
    first, second, third = (written(tmp_path, *names) for names in (["a"], ["b.0", "b.1", "b.2"], ["c"]))
    os.unlink(second[1].unfinished)
    tapped: list[tuple[Record, list[temporary.Written]]]
    tapped = [(record(second[2].path), []), (record(None), []), (record("old", status="skipped"), [])]
    done = [(record("a"), first), (record("b.0"), second), *tapped, (record("c"), third)]
    settled = runner._settled(done)
    assert [one.status for one in settled] == ["ok", "failed", "failed", "ok", "skipped", "ok"]
    for one in settled[1:3]:
        assert one.error is not None
        assert one.error.endswith("b.1: cannot be written: no such file or directory")
        assert (one.exit_code, one.output_bytes, one.is_final) == (1, None, False)
        assert one.trace is not None
        assert "OutputError" in one.trace
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b.0", "c"]


def test_files_that_cannot_even_be_removed_are_failures_only(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    files = written(tmp_path / "out", "a", "b")
    (tmp_path / "out").rename(tmp_path / "moved")
    (tmp_path / "out").write_text("a file in place of the folder")
    (settled,) = runner._settled([(record("a"), files)])
    assert settled.status == "failed"
    assert settled.error is not None
    assert settled.error.endswith("a: cannot be written: not a directory")


def test_a_failure_is_that_of_its_step_only(tmp_path: Path) -> None:
    """Another one may write to a device, which is done when its worker has done it."""
    files = written(tmp_path, "a", "tap")
    os.unlink(files[0].unfinished)
    tapped, other = record(str(tmp_path / "tap")), record(os.devnull)
    settled = runner._settled([(record("a"), files), (tapped, []), (other, [])])
    assert [one.status for one in settled] == ["failed", "failed", "ok"]


def test_a_worker_without_its_parent_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "_unsettled", [written(tmp_path, "a", "b"), written(tmp_path, "c")])
    settled = runner._unsettled[0][0]
    settled.settle()
    runner._leave_nothing()
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
