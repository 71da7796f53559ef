"""The jobs of a run, in this process or in workers, and their records as a stream in the order of the inputs."""

import contextlib
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from functools import partial
from pathlib import Path
from typing import IO

from cnnfilter.batch.paths import STANDARD_STREAM, Job
from cnnfilter.batch.process import process
from cnnfilter.batch.report import Record, Totals
from cnnfilter.batch.settings import Settings, Step
from cnnfilter.batch.workers import WorkerDied, Workers, available_processors
from cnnfilter.images.files import TEMPORARY_PREFIX

# Fewer images than this are done before workers have started.
LEAST_FOR_WORKERS = 4
# Images handed out beyond those that workers are at, so that none waits for work.
AHEAD = 4


def run(
    jobs: Sequence[Job],
    steps: list[Step],
    settings: Settings,
    receive: Callable[[Record], None],
    stream: IO[bytes] | None = None,
    workers: int | None = None,
) -> Totals:
    """Do all jobs, hand every record to `receive` in the order of the inputs, and return the totals.

    `workers` processes are used, by default one a processor; none for fewer than four images, for one worker, and
    where standard streams take part. A failure that would meet all that follow, as a full disk, ends the run.
    """
    started = time.perf_counter()
    totals = Totals()
    count = min(workers or available_processors(), len(jobs))
    few = len(jobs) < (2 if workers else LEAST_FOR_WORKERS)
    if count < 2 or few or settings.dry_run or _uses_streams(jobs):
        results = (list(process(job, steps, settings, stream)) for job in jobs)
        _receive(results, jobs, totals, receive)
    else:
        with _stopping(Workers(count, _worker, steps, settings), jobs) as executor:
            _receive(_in_order(executor, jobs, count + AHEAD, steps), jobs, totals, receive)
    totals.seconds = time.perf_counter() - started
    return totals


def _receive(
    results: Iterator[list[Record]], jobs: Sequence[Job], totals: Totals, receive: Callable[[Record], None]
) -> None:
    for number, records in enumerate(results, 1):
        for index, record in enumerate(records):
            totals.add(record, first_of_input=index == 0)
            receive(record)
        if any(record.is_final for record in records):
            totals.left = len(jobs) - number
            break


def _uses_streams(jobs: Sequence[Job]) -> bool:
    return any(
        STANDARD_STREAM in (job.source.path, *(target.path for target in job.targets)) for job in jobs[:2]
    )  # standard streams come alone, or first and last


def _worker(steps: list[Step], settings: Settings) -> Callable[[Job], list[Record]]:
    """What a worker does with each job."""
    return partial(_process_all, steps=steps, settings=settings)


def _process_all(job: Job, *, steps: list[Step], settings: Settings) -> list[Record]:
    return list(process(job, steps, settings))


def _in_order(executor: Executor, jobs: Sequence[Job], window: int, steps: list[Step]) -> Iterator[list[Record]]:
    """The records of each job in the order of the jobs; no more than `window` jobs are under way or unreported."""
    under_way: deque[tuple[Job, Future[list[Record]]]] = deque()
    coming = iter(jobs)
    while True:
        while len(under_way) < window and (job := next(coming, None)) is not None:
            under_way.append((job, executor.submit(job)))  # type: ignore[arg-type]
        if not under_way:
            return
        job, future = under_way.popleft()
        wait([future], return_when=FIRST_COMPLETED)
        try:
            yield future.result()
        except WorkerDied:
            only = job.targets[0].path if len(job.targets) == 1 else None
            error = "its worker was killed; perhaps memory ran out (fewer at once: --jobs)"
            yield [Record(job.source.path, only, "failed", steps[0].operation, error=error, exit_code=1)]


@contextlib.contextmanager
def _stopping(executor: Workers, jobs: Sequence[Job]) -> Iterator[Workers]:
    """Ends the workers: after their work when all is well, at once and with their temporary files otherwise."""
    try:
        yield executor
    except BaseException:
        pids = executor.pids
        executor.shutdown(cancel_futures=True)
        _sweep(jobs, pids)
        raise
    executor.shutdown()


def _sweep(jobs: Sequence[Job], pids: list[int]) -> None:
    """Remove the temporary files of workers that had to be killed."""
    prefixes = tuple(f"{TEMPORARY_PREFIX}{pid}-" for pid in pids)
    paths = (target.path for job in jobs for target in job.targets if target.path is not None)
    for folder in {os.path.dirname(os.path.realpath(path)) for path in paths}:
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith(prefixes):
                    Path(entry.path).unlink(missing_ok=True)
