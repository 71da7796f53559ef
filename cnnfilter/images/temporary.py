"""Files that are not complete yet: how they take the place of others, and are found again after a kill."""

import contextlib
import io
import os
import stat
import threading
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from typing import IO, NamedTuple

PREFIX = ".cnnfilter-"

_mask_lock = threading.Lock()
_writer: ContextVar[str] = ContextVar("writer", default="")


class Written(NamedTuple):
    """A whole file that has not taken the place of `target` yet, the file that `path` leads to.

    `permissions` are those that it will have.
    """

    unfinished: str
    target: str
    path: str
    permissions: int

    def commit(self) -> None:
        """Have the system store its content, and let it take its place.

        Raises:
            OSError: it cannot; then nothing has changed.
        """
        try:
            with open(self.unfinished, "rb+") as file:
                os.fsync(file.fileno())
            self.take_place()
        except BaseException:
            self.remove()
            raise

    def take_place(self) -> None:
        """What is stored takes the place of the target."""
        os.chmod(self.unfinished, self.permissions)
        os.replace(self.unfinished, self.target)

    def remove(self) -> None:
        """Nothing of it is left, unless it has taken its place, or cannot be removed."""
        with contextlib.suppress(OSError):
            os.unlink(self.unfinished)


_later: ContextVar[list[Written] | None] = ContextVar("later", default=None)


@contextlib.contextmanager
def committed_later() -> Iterator[list[Written]]:
    """In this thread `replacing` leaves files to whoever reads this list, who has to commit or to remove them.

    So another process can wait for the disk while this one goes on.
    """
    files: list[Written] = []
    token = _later.set(files)
    try:
        yield files
    finally:
        _later.reset(token)


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
                    with contextlib.suppress(OSError):  # such as one that is still open elsewhere
                        os.unlink(entry.path)


@contextlib.contextmanager
def replacing(path: str) -> Iterator[IO[bytes]]:
    """A file to write to that takes the place of `path` when all went well; otherwise nothing has changed.

    A device or pipe cannot be replaced and is written to as it is; a symbolic link keeps pointing at what it does.
    """
    target = os.path.realpath(path)
    if os.path.exists(target) and not os.path.isfile(target):
        content = io.BytesIO()
        yield content
        with open(target, "wb") as file:
            file.write(content.getbuffer())
        return
    # The name is chosen before the file is made, so that a signal at any moment finds what to remove.
    written, later = Written(beside(target), target, path, _permissions(target)), _later.get()
    try:
        handle = os.open(written.unfinished, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
        with os.fdopen(handle, "w+b") as file:
            yield file
            file.flush()
            if later is None:
                os.fsync(file.fileno())
            elif hasattr(os, "fchmod"):  # the umask may keep even the owner from opening it again
                os.fchmod(file.fileno(), 0o600)
        if later is None:
            written.take_place()
        else:
            later.append(written)
    except BaseException:
        written.remove()
        raise


def _permissions(target: str) -> int:
    """Those of the file that is replaced, else what the umask leaves (mkstemp gives 0600)."""
    with contextlib.suppress(OSError):
        return stat.S_IMODE(os.stat(target).st_mode)
    with _mask_lock:  # the mask can be read only by setting it
        mask = os.umask(0)
        os.umask(mask)
    return 0o666 & ~mask
