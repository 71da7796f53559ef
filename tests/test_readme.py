"""The README: its commands run, they print what it shows, and its Python works."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
# Lines that differ from machine to machine: times, and sizes of files that zlib and the JPEG library decide on.
VARYING = ("seconds ", "bytes ")


def commands() -> list[str]:
    """The lines of the shell blocks, but those that set the project up."""
    lines = [line for kind, text in BLOCKS if kind == "sh" for line in text.splitlines()]
    return [line for line in lines if "cnnfilter" in line and "pip install" not in line and " img.png" not in line]


def transcripts() -> list[tuple[str, list[str]]]:
    """(command, the lines that it shows) of the blocks with a prompt."""
    found: list[tuple[str, list[str]]] = []
    for kind, text in BLOCKS:
        if not kind and text.startswith("$ "):
            for line in text.splitlines():
                if line.startswith("$ "):
                    found.append((line[2:], []))
                else:
                    found[-1][1].append(line)
    return found


@pytest.fixture
def workplace(tmp_path: Path) -> Path:
    """A folder with the samples, and the command on the path."""
    shutil.copytree(ROOT / "samples", tmp_path / "samples")
    tools = tmp_path / "bin"
    tools.mkdir()
    script = tools / "cnnfilter"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m cnnfilter "$@"\n', encoding="utf-8")
    script.chmod(0o755)
    return tmp_path


def shell(command: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}", "COLUMNS": "80"}
    return subprocess.run(
        ["/bin/sh", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_there_are_commands_and_transcripts() -> None:
    assert len(commands()) >= 5
    assert len(transcripts()) >= 4


@pytest.mark.parametrize("command", commands())
def test_commands_run(command: str, workplace: Path) -> None:
    done = shell(command, workplace)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("command", "shown"), transcripts(), ids=[command for command, _ in transcripts()])
def test_transcripts_are_true(command: str, shown: list[str], workplace: Path) -> None:
    done = shell(command, workplace)
    assert (done.returncode, done.stderr) == (0, "")
    printed = [line.rstrip() for line in done.stdout.splitlines()]
    for line in shown:
        if line and line != "..." and not line.startswith(VARYING):
            assert line in printed


def test_the_python_runs(workplace: Path) -> None:
    (code,) = [text for kind, text in BLOCKS if kind == "python"]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=workplace, capture_output=True, text=True, check=False, env=os.environ
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == ["138357544", "15470264320", "3"]
