"""Running the command: as a process of its own, and within the tests' process, which is much quicker."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple, Protocol

import hypothesis
import pytest
from places import SAMPLES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from types import FrameType

PATIENCE = 30  # seconds until a run counts as hanging

# The same examples every time where a run decides on a change; new ones everywhere else.
hypothesis.settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    hypothesis.settings.load_profile("ci")


# A command inherits which signals are ignored, as SIGINT is in what a script has started with &.
for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_DFL)):
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, handler)
if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:  # by nohup, for the tests themselves; no command inherits this
    signal.signal(signal.SIGHUP, lambda number, frame: None)


class Result(NamedTuple):
    """What a run of the command leaves: exit code and the two streams."""

    code: int
    out: bytes
    err: bytes


class Run(Protocol):
    """The command as a process of its own."""

    def __call__(
        self, *arguments: str | bytes, stdin: bytes = b"", cwd: Path | None = None, env: Mapping[str, str] | None = None
    ) -> Result: ...


class Invoke(Protocol):
    """The command within this process."""

    def __call__(self, *arguments: str, stdin: bytes = b"") -> Result: ...


def plain_environment(**changes: str) -> dict[str, str]:
    """The environment without what steers colours and widths."""
    unwanted = {"COLUMNS", "LINES", "FORCE_COLOR", "NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "TTY_COMPATIBLE"}
    return {name: value for name, value in os.environ.items() if name not in unwanted} | changes


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is the current one."""
    here = tmp_path / "work"
    here.mkdir()
    monkeypatch.chdir(here)
    return here


@pytest.fixture
def run() -> Run:
    def run_process(
        *arguments: str | bytes, stdin: bytes = b"", cwd: Path | None = None, env: Mapping[str, str] | None = None
    ) -> Result:
        done = subprocess.run(
            [sys.executable, "-m", "cnnfilter", *arguments],
            input=stdin,
            capture_output=True,
            cwd=cwd,
            env=plain_environment(**(env or {})),
            timeout=PATIENCE,
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    return run_process


@pytest.fixture
def invoke(capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch, no_hanging: None) -> Invoke:
    from cnnfilter.cli import main

    monkeypatch.setenv("COLUMNS", "80")
    for name in ("FORCE_COLOR", "NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)

    def run_here(*arguments: str, stdin: bytes = b"") -> Result:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capfdbinary.readouterr()
        code = main.run(arguments)
        sys.stdout.flush()
        sys.stderr.flush()
        return Result(code, *capfdbinary.readouterr())

    return run_here


@pytest.fixture
def among_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is printed about a sample does not depend on where the project lies."""
    monkeypatch.chdir(SAMPLES)


@pytest.fixture
def no_hanging() -> Iterator[None]:
    """Whatever waits for ever becomes a failure."""

    def fail(number: int, frame: FrameType | None) -> None:
        raise AssertionError(f"still waiting after {PATIENCE} s")

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(PATIENCE)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)
