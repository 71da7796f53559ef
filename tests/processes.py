"""The command as a process that tests watch while it runs."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import interrupt
from conftest import plain_environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@contextlib.contextmanager
def started(*arguments: str, under: Sequence[str] = (), **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """The command as a process that is gone at the end.

    `under` is a command before it that starts it, as nohup; `options` are those of Popen.
    """
    chosen: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    chosen |= {"env": plain_environment(), "bufsize": 0, **options}  # unbuffered: lines may be read one by one
    process: subprocess.Popen[bytes]
    with subprocess.Popen([*under, sys.executable, "-m", "cnnfilter", *arguments], **chosen) as process:
        try:
            yield process
        finally:
            process.kill()


def marked(test: str, **variables: str) -> tuple[str, dict[str, str]]:
    """A mark by which the processes of a run are found, and the environment with it."""
    mark = f"{test}-{os.getpid()}-{time.monotonic_ns()}"
    return mark, plain_environment(**{interrupt.MARK: mark}, **variables)
