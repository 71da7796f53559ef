"""The README: its commands run, they print what it shows, and its Python works."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from places import ROOT
from transcripts import blocks, compare, make_workplace, shell, transcripts

README = (ROOT / "README.md").read_text(encoding="utf-8")
TRANSCRIPTS = transcripts(README)


def commands() -> list[str]:
    """The lines of the shell blocks, but those that set the project up."""
    lines = [line for kind, text in blocks(README) if kind == "sh" for line in text.splitlines()]
    return [line for line in lines if "cnnfilter" in line and "pip install" not in line and " img.png" not in line]


@pytest.fixture
def workplace(tmp_path: Path) -> Path:
    """A folder with the samples, and the command on the path."""
    make_workplace(tmp_path)
    return tmp_path


def test_there_are_commands_and_transcripts() -> None:
    assert len(commands()) >= 5
    assert len(TRANSCRIPTS) >= 4


@pytest.mark.parametrize("command", commands())
def test_commands_run(command: str, workplace: Path) -> None:
    done = shell(command, workplace)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("command", "shown"), TRANSCRIPTS, ids=[each.command for each in TRANSCRIPTS])
def test_transcripts_are_true(command: str, shown: list[str], workplace: Path) -> None:
    compare(shell(command, workplace), shown)


def test_the_python_runs(workplace: Path) -> None:
    (code,) = [text for kind, text in blocks(README) if kind == "python"]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=workplace, capture_output=True, text=True, check=False, env=os.environ
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == ["138357544", "15470264320", "3"]
