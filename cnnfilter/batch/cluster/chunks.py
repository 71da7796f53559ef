"""What a task on a cluster is: a chunk of jobs, done in a Dask worker on one thread.

A task that was begun is not begun again: where Dask hands the task of a lost worker to another one, that one hands it
back at once, so that whoever sent it can try its images one by one. Names stay as the user wrote them; `base` is the
folder that they start from. This module is loaded by the scheduler, too, and loads the rest when a task begins.
"""

import os
import pickle
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cnnfilter import signals

if TYPE_CHECKING:
    from cnnfilter.batch.paths import Job
    from cnnfilter.batch.report import Record
    from cnnfilter.batch.settings import Settings, Step


@dataclass(frozen=True)
class Answer:
    """The records of the jobs of a chunk, a list each; fewer after a failure that would meet all that follow.

    `unseen` are the jobs whose inputs do not exist on `host`.
    """

    records: list[list["Record"]]
    seconds: float
    host: str
    unseen: list[int]


class Told:
    """What a run does to every image. It comes to a worker once; every thread makes its own of it.

    Layers keep weights that they have read, which end with the run.
    """

    def __init__(self, content: bytes) -> None:
        self.content = content
        self._own = threading.local()

    def __reduce__(self) -> tuple[type["Told"], tuple[bytes]]:
        return Told, (self.content,)

    @property
    def work(self) -> "tuple[list[Step], Settings]":
        """The steps and settings, for this thread."""
        if not hasattr(self._own, "work"):
            steps, settings, places = pickle.loads(self.content)
            self._own.work = steps, settings._replace(inputs=_numbered_here(settings.inputs, places))
        work: tuple[list[Step], Settings] = self._own.work
        return work


def tell(steps: "list[Step]", settings: "Settings", places: dict[int, str]) -> bytes:
    """What a `Told` is made of; `places` has a path on every device that an input is on."""
    return pickle.dumps((steps, settings, places))


def _numbered_here(inputs: frozenset[tuple[int, int]], places: dict[int, str]) -> frozenset[tuple[int, int]]:
    """The same files by the numbers that this machine gives to their devices."""
    here: dict[int, int] = {}
    for device, path in places.items():
        with suppress(OSError):
            here[device] = os.stat(path).st_dev
    return frozenset((here.get(device, device), inode) for device, inode in inputs)


def do(told: Told, name: str, sent: bytes, base: str) -> Answer | None:
    """Do the jobs, which are sent pickled; None where another worker has begun them under that name and was lost."""
    from distributed import get_worker

    worker: Any = get_worker()
    with _begun(worker, name) as is_first:
        return _do(worker, told, name, pickle.loads(sent), base) if is_first else None


@contextmanager
def _begun(worker: Any, name: str) -> Iterator[bool]:
    """Notes with the scheduler that a task is begun, and that it is no more; gives whether it is the first time."""
    from distributed.utils import sync

    if sync(worker.loop, worker.scheduler.event_is_set, name=name):
        yield False
        return
    sync(worker.loop, worker.scheduler.event_set, name=name)
    try:
        yield True
    finally:
        sync(worker.loop, worker.scheduler.event_clear, name=name)


def _do(worker: Any, told: Told, name: str, jobs: "list[Job]", base: str) -> Answer:
    from cnnfilter.batch.process import process
    from cnnfilter.core.engine.threads import set_threads
    from cnnfilter.images.temporary import writing_as

    started = time.perf_counter()
    _limit_blas()
    set_threads(1)  # many images at once, one thread each
    records: list[list[Record]] = []
    unseen = []
    with writing_as(name):
        for index, job in enumerate(jobs):
            if not _is_wanted(worker):
                break
            placed = _placed(job, base)
            found = process(placed, *told.work)
            if any(record.status == "failed" for record in found) and not os.path.lexists(placed.source.path):
                unseen.append(index)
            records.append([_as_named(record, job, base) for record in found])
            if any(record.is_final for record in found):
                break
    return Answer(records, time.perf_counter() - started, socket.gethostname(), unseen)


_blas_is_limited = False


def _limit_blas() -> None:
    """BLAS on one thread, also in a worker whose environment does not say so, as one without a nanny."""
    global _blas_is_limited
    if not _blas_is_limited:
        with suppress(ImportError):
            from threadpoolctl import threadpool_limits

            threadpool_limits(1)
        _blas_is_limited = True


def _is_wanted(worker: Any) -> bool:
    """Whether anyone still waits for the task of this thread: the command may have been interrupted."""
    task = worker.state.tasks.get(worker.get_current_task())
    return task is not None and task.state != "cancelled"


def _placed(job: "Job", base: str) -> "Job":
    """The job with absolute paths."""
    source = job.source._replace(path=os.path.join(base, job.source.path))
    targets = (t if t.path is None else t._replace(path=os.path.join(base, t.path)) for t in job.targets)
    return job._replace(source=source, targets=tuple(targets))


def _as_named(record: "Record", job: "Job", base: str) -> "Record":
    """The record with the names as the user wrote them."""
    start = os.path.join(base, "")
    names = [job.source.path, *(target.path for target in job.targets if target.path is not None)]
    if all(map(os.path.isabs, names)):
        return record
    output = record.output
    if output is not None and not os.path.isabs(names[-1]):
        output = output.removeprefix(start)
    error, warnings = record.error, record.warnings
    if start != os.sep:
        error = error and error.replace(start, "")
        warnings = tuple(warning.replace(start, "") for warning in warnings)
    return record._replace(input=job.source.path, output=output, error=error, warnings=warnings)


def unseen_of(paths: list[str]) -> tuple[str, list[str]]:
    """(name of this machine, those of the paths that do not exist on it)."""
    return socket.gethostname(), [path for path in paths if not os.path.lexists(path)]


def dask_setup(worker: Any) -> None:
    """Called in a worker process that the command has started: a Ctrl-C in the terminal is the command's."""
    signals.leave_to_parent()
    signals.unblock()  # whoever started the process blocked them, until it is ready for them
