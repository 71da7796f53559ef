"""Names of files that are not complete yet, and how those of a process that was killed are found again."""

import contextlib
import os
from collections.abc import Iterable, Iterator
from contextvars import ContextVar

PREFIX = ".cnnfilter-"

_writer: ContextVar[str] = ContextVar("writer", default="")


@contextlib.contextmanager
def writing_as(writer: str) -> Iterator[None]:
    """In this thread temporary files have `writer` in their names, instead of the number of the process."""
    token = _writer.set(writer)
    try:
        yield
    finally:
        _writer.reset(token)


def beside(target: str) -> str:
    """A new name in the folder of `target`."""
    return os.path.join(os.path.dirname(target), f"{PREFIX}{_writer.get() or os.getpid()}-{os.urandom(8).hex()}")


def sweep(paths: Iterable[str | None], writers: Iterable[str | int]) -> None:
    """Remove the temporary files that writers, who are no more, have left beside `paths`."""
    prefixes = tuple(f"{PREFIX}{writer}-" for writer in writers)
    for folder in {os.path.dirname(os.path.realpath(path)) for path in paths if path is not None}:
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith(prefixes):
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(entry.path)
