"""Commands that a document shows: running them, and comparing what they print with what it says."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple
from unittest import mock

from conftest import plain_environment
from places import SAMPLES

from cnnfilter.cli import main

if TYPE_CHECKING:
    from pathlib import Path

# Lines that differ from machine to machine: times, and sizes of files that zlib and the JPEG library decide on.
VARYING = ("seconds ", "bytes ")
SKIPPED = "..."


class Transcript(NamedTuple):
    """A command after a prompt, and the lines that the document shows below it; `...` stands for any others."""

    command: str
    shown: list[str]


def blocks(text: str) -> list[tuple[str, str]]:
    """(language, content) of the fenced blocks of a document."""
    return re.findall(r"^```(\w*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def transcripts(text: str) -> list[Transcript]:
    """The commands with a prompt, in their order."""
    found: list[Transcript] = []
    for language, content in blocks(text):
        if not language and content.startswith("$ "):
            for line in content.splitlines():
                if line.startswith("$ "):
                    found.append(Transcript(line[2:], []))
                else:
                    found[-1].shown.append(line.rstrip())
    return found


def make_workplace(folder: Path) -> None:
    """Put the samples into a folder, and the command."""
    shutil.copytree(SAMPLES, folder / "samples")
    tools = folder / "bin"
    tools.mkdir()
    script = tools / "cnnfilter"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m cnnfilter "$@"\n', encoding="utf-8")
    script.chmod(0o755)


def environment(folder: Path) -> dict[str, str]:
    """That of a terminal of 80 columns which has neither colours nor a cursor to move, with the command on the path."""
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return plain_environment(PATH=path, COLUMNS="80", LINES="24", TERM="dumb", FORCE_COLOR="1", PYTHONUTF8="1")


def quick(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """As `shell`, but within this process where the command needs nothing of a shell, which is much quicker."""
    words = shlex.split(command, comments=True)
    if words[0] != "cnnfilter" or "|" in words or ">" in words:
        return shell(command, folder)
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    with (
        contextlib.chdir(folder),
        mock.patch.dict(os.environ, environment(folder), clear=True),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        code = main.run(words[1:])
    texts = [stream.buffer.getvalue().decode() for stream in (out, err)]
    return subprocess.CompletedProcess(command, code, *texts)


def shell(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command in a workplace."""
    return subprocess.run(
        ["/bin/sh", "-c", command], cwd=folder, env=environment(folder), capture_output=True, text=True, check=False
    )


def compare(done: subprocess.CompletedProcess[str], shown: list[str]) -> None:
    """Fail unless the command has succeeded and printed the lines shown, and no others.

    `...` stands for any lines; a document may also show nothing of what a command prints.
    """
    assert (done.returncode, done.stderr) == (0, "")
    printed = "".join(f"{line.rstrip()}\n" for line in done.stdout.splitlines())
    if shown and not re.fullmatch("".join(map(_pattern, shown)), printed):
        assert printed.splitlines() == shown, "beside what varies and what is left out there are other differences"


def _pattern(line: str) -> str:
    if line == SKIPPED:
        return r"(?:.*\n)*?"
    varying = next((start for start in VARYING if line.startswith(start)), None)
    return re.escape(line if varying is None else varying) + (r"\n" if varying is None else r".*\n")
