"""The jobs of a run, in this process or in workers, and their records as a stream in the order of the inputs."""

import contextlib
import functools
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from cnnfilter.batch import worth_workers
from cnnfilter.batch.paths import Job
from cnnfilter.batch.process import process
from cnnfilter.batch.report import Record, Totals
from cnnfilter.batch.settings import Settings, Step
from cnnfilter.core.engine.threads import processors
from cnnfilter.core.vocabulary import STANDARD_STREAM
from cnnfilter.images.temporary import sweep

if TYPE_CHECKING:
    from concurrent.futures import Future

    from cnnfilter.batch.cluster.executor import Cluster
    from cnnfilter.batch.workers import Workers

# Images handed out for each that a worker is at, so that none waits for work or for a slow one before it.
AHEAD = 4


def run(
    jobs: Sequence[Job],
    steps: list[Step],
    settings: Settings,
    receive: Callable[[Record], None],
    workers: "Workers | None" = None,
    cluster: "Cluster | None" = None,
) -> Totals:
    """Do all jobs, hand every record to `receive` in the order of the inputs, and return the totals.

    They are done by `workers` or by a `cluster`, if there are any, otherwise in this process. A failure that would meet
    all that follow, as a full disk, ends the run.
    """
    began = time.perf_counter()
    totals, stopped = Totals(), threading.Event()
    if cluster is not None:
        _receive(cluster.records(jobs, stopped), jobs, totals, receive, stopped)
    elif workers is not None:
        _receive(_in_order(workers, jobs, steps, stopped), jobs, totals, receive, stopped)
    else:
        here = (process(job, steps, settings) for job in jobs if not stopped.is_set())
        _receive(here, jobs, totals, receive, stopped)
    totals.seconds = time.perf_counter() - began
    return totals


@contextlib.contextmanager
def started(
    jobs: Sequence[Job], steps: list[Step], settings: Settings, asked: int | None = None, *, fork: bool = False
) -> "Iterator[Workers | None]":
    """Workers for `run`, by default one a processor; None where none are worth it or to be had.

    They end after their work when all is well, at once and with their temporary files otherwise. With `fork` they are
    forked from this process, if it has no further threads yet.
    """
    if not worth_workers(len(jobs), asked, processors()) or settings.dry_run or uses_streams(jobs):
        yield None
        return
    from cnnfilter.batch import committing
    from cnnfilter.batch.workers import Workers  # multiprocessing takes as long to load as a small image to filter

    count = min(asked or processors(), len(jobs))
    begin = functools.partial(committing.begin, steps, settings)
    try:
        workers = Workers(count, begin, committing.commit, committing.leave_nothing, fork=fork)
    except (OSError, RuntimeError):  # as in a current folder that is gone, or where no more threads are allowed
        yield None
        return
    try:
        yield workers
    except BaseException:
        workers.shutdown(cancel_futures=True)
        sweep(_targets(jobs), workers.pids)
        raise
    workers.shutdown()


def _receive(
    results: Iterator[list[Record]],
    jobs: Sequence[Job],
    totals: Totals,
    receive: Callable[[Record], None],
    stopped: threading.Event,
) -> None:
    """Count and hand on the records; after a failure that would meet all that follow `stopped` is set."""
    done = 0
    for records in results:
        done += 1
        for index, record in enumerate(records):
            totals.add(record, first_of_input=index == 0)
            receive(record)
        if any(record.is_final for record in records):
            stopped.set()
    totals.left = len(jobs) - done


def uses_streams(jobs: Sequence[Job]) -> bool:
    """Whether standard input or output take part, which belong to this process."""
    return any(STANDARD_STREAM in (job.source.path, *(target.path for target in job.targets)) for job in jobs)


def _in_order(
    workers: "Workers", jobs: Sequence[Job], steps: list[Step], stopped: threading.Event
) -> Iterator[list[Record]]:
    """The records of each job in the order of the jobs; at most 1 + AHEAD jobs a worker are under way or unreported.

    Once `stopped` is set no job is begun any more; those under way are reported. `workers` commit what they wrote.
    """
    from cnnfilter.batch import committing
    from cnnfilter.batch.workers import NoWorker, WorkerDied

    window = workers.count * (1 + AHEAD)
    under_way: deque[tuple[Job, Future[list[Record]]]] = deque()
    coming = iter(jobs)
    while True:
        while not stopped.is_set() and len(under_way) < window and (job := next(coming, None)) is not None:
            under_way.append((job, workers.submit(committing.do, job)))
        if not under_way:
            return
        job, future = under_way.popleft()
        if stopped.is_set() and future.cancel():
            continue
        try:
            yield future.result()
        except WorkerDied as died:
            if died.pid is not None:
                sweep(_targets([job]), [died.pid])
            only = job.targets[0].path if len(job.targets) == 1 else None
            error = "its worker was killed; perhaps memory ran out (fewer at once: --jobs)"
            if isinstance(died, NoWorker):
                error = f"no worker could be started: {died.__cause__}"
            yield [Record(job.source.path, only, "failed", steps[0].operation, error=error, exit_code=1)]


def _targets(jobs: Iterable[Job]) -> Iterator[str | None]:
    return (target.path for job in jobs for target in job.targets)
