"""Jobs that a worker does, up to the files' taking their places: for that the command waits for the disk."""

from collections import deque

from cnnfilter.batch.paths import Job
from cnnfilter.batch.process import Done, by_steps
from cnnfilter.batch.records import failed
from cnnfilter.batch.report import Record
from cnnfilter.batch.settings import Settings, Step
from cnnfilter.errors import FileError
from cnnfilter.images import files
from cnnfilter.images.temporary import Written, committed_later

# What a worker was told at its start; weights that it has read stay there.
_told: tuple[list[Step], Settings]
# In a worker, the files of its last two jobs: the command may still have to commit those.
_uncommitted: deque[list[Written]] = deque(maxlen=2)


def begin(steps: list[Step], settings: Settings) -> None:
    """In a worker: what is to be done with every image."""
    global _told
    _told = steps, settings


def do(job: Job) -> list[tuple[Done, list[Written]]]:
    """In a worker: do one job; what its steps have come to, and the files of each, which have to be committed."""
    parts = []
    with committed_later() as left:
        _uncommitted.append(left)
        before = 0
        for done in by_steps(job, *_told):
            parts.append((done, left[before:]))
            before = len(left)
    return parts


def commit(parts: list[tuple[Done, list[Written]]]) -> list[Record]:
    """Let the files of one job take their places; its records.

    Where one cannot, its step has failed, and those after it are removed.
    """
    records: list[Record] = []
    for done, left in parts:
        try:
            _commit_all(left)
        except FileError as error:
            records.append(failed(done.on_failure, error))
        else:
            records += done.records
    return records


def _commit_all(left: list[Written]) -> None:
    for index, file in enumerate(left):
        try:
            files.commit(file)
        except FileError:
            for other in left[index + 1 :]:
                other.remove()
            raise


def leave_nothing() -> None:
    """In a worker whose parent is gone: nobody commits what it has written since."""
    for left in _uncommitted:
        for file in left:
            file.remove()
