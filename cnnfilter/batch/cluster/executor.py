"""A batch on a Dask cluster: the jobs of a run in chunks, and their records as a stream in the order of the inputs.

Dask hands the chunks out. Here is what it leaves open: how many images make a task, so that its scheduler is no
bottleneck, how many tasks are under way, so that memory stays flat, and what becomes of a lost worker's images.
"""

import itertools
import os
import pickle
import secrets
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from cnnfilter.batch.cluster import chunks
from cnnfilter.batch.cluster.connection import aside, check_versions, connection, parse
from cnnfilter.batch.cluster.places import check_places, folder_here, told, unseen_by
from cnnfilter.batch.paths import Job
from cnnfilter.batch.report import Record
from cnnfilter.batch.runner import uses_streams
from cnnfilter.batch.settings import Settings, Step
from cnnfilter.errors import ClusterError, ParameterError
from cnnfilter.images.temporary import sweep

# Images of a task: at first, and at most.
FIRST, MOST = 4, 1000
# Seconds of work in a task, so that results flow; on many threads more, for Dask needs up to TURN seconds for a task.
SPAN, TURN = 1.0, 0.01
# Tasks under way or unreported for each thread of the workers: at work, next, and done before those that they wait for.
WINDOW = 4
# Seconds between looks at the workers, and until a cluster without any, or that does not answer, is given up.
LOOK, PATIENCE = 2.0, 20.0


@dataclass(eq=False)
class _Task:
    """A chunk on its way; `name` is known to Dask and in temporary files. `is_second` is the try after a loss."""

    name: str
    jobs: list[Job]
    future: Any
    is_second: bool = False


class Cluster:
    """Does jobs on the workers of a Dask client."""

    def __init__(self, client: Any, address: str, steps: list[Step], settings: Settings, content: bytes) -> None:
        self._client, self._address, self._operation = client, address, steps[0].operation
        self._run = secrets.token_hex(6)
        self._base = folder_here()
        self._told = client.submit(chunks.Told, content, key=f"cnnfilter-{self._run}-told")
        self._count = itertools.count()
        self._seconds: float | None = None  # of an image
        self._under_way: deque[_Task] = deque()
        self._threads, self._looked, self._answered = 0, 0.0, time.monotonic()

    def records(self, jobs: Sequence[Job], stopped: threading.Event) -> Iterator[list[Record]]:
        """The records of each job in the order of the jobs; no more than a window of tasks is under way or unreported.

        Once `stopped` is set no job is begun any more; those under way are reported.

        Raises:
            ClusterError: scheduler or workers are gone.
        """
        coming, left = iter(jobs), len(jobs)
        while True:
            while not stopped.is_set() and left and len(self._under_way) < WINDOW * self._all_threads():
                chunk = list(itertools.islice(coming, self._size(left)))
                left -= len(chunk)
                self._under_way.append(self._sent(chunk))
            if not self._under_way:
                return
            task = self._under_way[0]
            if stopped.is_set() and self._withdrawn(task):
                self._under_way.popleft()
                continue
            answer = self._answer(task)
            self._under_way.popleft()
            if isinstance(answer, chunks.Answer):
                yield from self._told_here(task, answer)
            elif task.is_second:
                yield [self._lost(task.jobs[0], answer)]
            else:
                again = [self._sent([job], is_second=True) for job in task.jobs]
                self._under_way.extendleft(reversed(again))

    def _size(self, left: int) -> int:
        """How many images the next task gets, of those that are left."""
        threads = self._all_threads()
        fitting = FIRST if self._seconds is None else int(max(SPAN, threads * TURN) / max(self._seconds, 1e-6))
        return max(1, min(fitting, MOST, -(-left // (2 * threads))))

    def _sent(self, jobs: list[Job], *, is_second: bool = False) -> _Task:
        name = f"{self._run}-{next(self._count)}"
        sent = pickle.dumps(jobs)  # Dask would look for results of other tasks in every tuple
        key = (f"cnnfilter-{self._run}", name)
        future = self._client.submit(chunks.do, self._told, name, sent, self._base, key=key)
        return _Task(name, jobs, future, is_second)

    def _answer(self, task: _Task) -> chunks.Answer | str:
        """What a worker says of a task; a reason where it was lost with its worker."""
        from distributed.client import FutureCancelledError

        while True:
            try:
                answer: chunks.Answer | None = task.future.result(PATIENCE if task.future.done() else LOOK)
            except FutureCancelledError as error:
                raise self._gone("the scheduler has gone") from error
            except TimeoutError as error:
                if task.future.status == "error":
                    return self._given_up(task, error)
                self._look()
            except Exception as error:  # whatever keeps a worker from doing anything, or Dask's own giving up
                if task.future.status != "error":
                    raise self._gone(f"{type(error).__name__}: {error}") from error
                return self._given_up(task, error)
            else:
                return answer or self._given_up(task, None)

    def _given_up(self, task: _Task, error: Exception | None) -> str:
        """Tidy up after a task that was lost; why it was."""
        from distributed import KilledWorker

        _sweep(task)
        with suppress(Exception):
            aside(lambda: self._client.sync(self._client.scheduler.event_clear, name=task.name), LOOK)
        if error is None or isinstance(error, KilledWorker):
            return "its worker was killed, and the one that tried it again; perhaps memory ran out"
        return f"a worker failed: {type(error).__name__}: {error}"

    def _lost(self, job: Job, reason: str) -> Record:
        only = job.targets[0].path if len(job.targets) == 1 else None
        return Record(job.source.path, only, "failed", self._operation, error=reason, exit_code=1)

    def _told_here(self, task: _Task, answer: chunks.Answer) -> Iterator[list[Record]]:
        """The records of a task, with the words for inputs that only its worker does not see."""
        if answer.records:
            latest = answer.seconds / len(answer.records)
            self._seconds = latest if self._seconds is None else (self._seconds + latest) / 2
        for index, records in enumerate(answer.records):
            if index in answer.unseen and os.path.lexists(task.jobs[index].source.path):
                records = [record._replace(error=unseen_by(answer.host)) for record in records]
            yield records

    def _withdrawn(self, task: _Task) -> bool:
        """Whether a task was not begun, and now never will be."""
        name = task.name
        if task.future.done() or self._client.sync(self._client.scheduler.event_is_set, name=name):
            return False
        task.future.cancel()
        return True

    def _all_threads(self) -> int:
        """The threads of the workers there are; looked at now and then, for workers come and go."""
        if time.monotonic() - self._looked > LOOK:
            self._look()
        return max(1, self._threads)

    def _look(self) -> None:
        """See how many threads the workers have.

        Raises:
            ClusterError: there has been none, or no answer, for too long.
        """
        now = time.monotonic()
        with suppress(Exception):
            threads = aside(self._client.nthreads, LOOK)
            self._threads = sum(threads.values())
            self._answered = now if threads else self._answered
        self._looked = time.monotonic()
        if self._looked - self._answered > PATIENCE:
            raise self._gone("no worker is left, or the scheduler does not answer any more")

    def _gone(self, why: str) -> ClusterError:
        return ClusterError(f"--cluster {self._address}: {why}; what was not reported may be undone (-n completes it)")

    def sweep(self) -> None:
        """Remove the temporary files of workers that were killed."""
        for task in self._under_way:
            _sweep(task)


def _sweep(task: _Task) -> None:
    sweep((target.path for job in task.jobs for target in job.targets), [task.name])


@contextmanager
def connected(address: str, jobs: Sequence[Job], steps: list[Step], settings: Settings) -> Iterator[Cluster]:
    """The cluster at an address, ready for a run; workers that were started for it end with it.

    Raises:
        ParameterError: a wrong address, no answer, a missing library, workers that differ or do not see the files.
    """
    place = parse(address)
    if uses_streams(jobs):
        raise ParameterError("cluster", "standard input and output (-) are this machine's; name files")
    with connection(place, len(jobs)) as (client, kill):
        check_versions(client)
        check_places(client, jobs, steps)
        cluster = Cluster(client, address, steps, settings, told(jobs, steps, settings))
        try:
            yield cluster
        except BaseException:
            if kill():
                cluster.sweep()
            raise
