"""The command itself: versions, entry points, signals."""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from expectations import BLUR, GRAY, expected, same
from outcomes import entries, ok, one_line, save

import cnnfilter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Invoke, Run
    from numpy.typing import NDArray

    Array = NDArray[Any]


def test_no_arguments_show_the_help_and_are_wrong_usage(run: Run) -> None:
    result = run()
    assert result.code == 2
    assert b"Usage:" in result.out + result.err
    assert b"convolve" in result.out + result.err


@pytest.mark.parametrize("arguments", [["-h"], ["--help"], ["convolve", "-h"], ["convolve", "--help"]])
def test_help_ends_with_examples(invoke: Invoke, folder: Path, arguments: list[str]) -> None:
    text = ok(invoke(*arguments)).out.decode()
    assert max(map(len, text.splitlines())) <= 80
    tail = text[text.index("Examples:") :].strip().splitlines()[1:]
    assert 2 <= len(tail) <= 3
    assert all("cnnfilter " in line for line in tail)


@pytest.mark.parametrize(
    "word",
    [
        *("--kernel", "--stride", "--padding", "--pad-mode", "--dilation", "--channels", "--scale", "--bias", "--flip"),
        *("--output", "--format", "--mapping", "--depth", "--gray", "--alpha", "--recursive", "--no-clobber"),
        *("--dry-run", "--max-pixels", "--strip", "--png-level", "--quality", "--report", "--report-file"),
        *("--quiet", "--verbose", "-k", "-s", "-p", "-o", "-r", "-n", "-q", "-v", "-h", "INPUT"),
        "dcb|abcd|cba",
    ],
)
def test_help_names_every_option(invoke: Invoke, word: str) -> None:
    text = ok(invoke("convolve", "--help")).out.decode()
    assert re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text)


def test_version(run: Run) -> None:
    result = run("--version")
    assert (result.code, result.err) == (0, b"")
    assert re.fullmatch(r"cnnfilter.* \d+\.\d+.*\n", result.out.decode())
    assert cnnfilter.__version__ in result.out.decode()


def test_the_script_is_the_module(folder: Path) -> None:
    script = Path(sys.executable).with_name("cnnfilter")
    done = subprocess.run([script, "--version"], capture_output=True, timeout=30, check=True)
    assert done.stdout.startswith(b"cnnfilter")


@pytest.mark.parametrize(
    ("words", "wanted", "unwanted"),
    [
        (["cnnfilter", "convolve", "img.png", "-k", "sobel"], ["sobel-v", "sobel-h", "sobel", "sobel-45"], "blur"),
        (["cnnfilter", "convolve", "--kernel", "ga"], ["gaussian"], "sobel-v"),
        (["cnnfilter", "convolve", "--pad-mode", "re"], ["reflect"], "wrap"),
        (["cnnfilter", "convolve", "--mapping", "n"], ["normalize"], "clip"),
        (["cnnfilter", "convolve", "--str"], ["--stride", "--strip"], "--kernel"),
        (["cnnfilter", "con"], ["convolve"], "img.png"),
    ],
)
def test_completion(run: Run, folder: Path, words: list[str], wanted: list[str], unwanted: str) -> None:
    environment = {
        "_CNNFILTER_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(words),
        "COMP_CWORD": str(len(words) - 1),
    }
    result = run(env=environment)
    assert (result.code, result.err) == (0, b"")
    offered = [line.partition(",")[2] for line in result.out.decode().splitlines()]
    assert set(wanted) <= set(offered)
    assert unwanted not in offered


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(run: Run, shell: str) -> None:
    result = run(env={"_CNNFILTER_COMPLETE": f"{shell}_source"})
    assert result.code == 0
    assert b"_CNNFILTER_COMPLETE" in result.out


def narrow(text: str) -> str:
    """Text without the breaks and spaces of a table."""
    return "".join(text.split())


@pytest.mark.parametrize("columns", ["40", "60"])
def test_a_narrow_table_still_names_the_files(run: Run, folder: Path, columns: str) -> None:
    for name in ("first", "second"):
        save(f"{name}.png", np.zeros((427, 640, 3), np.uint8))
    result = ok(run("convolve", "first.png", "second.png", "-k", "blur", "-o", "out/", env={"COLUMNS": columns}))
    text = result.out.decode()
    assert max(map(len, text.splitlines())) <= int(columns)
    assert "first" in narrow(text)
    assert "second" in narrow(text)


@contextlib.contextmanager
def waiting_on_standard_input(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A run that has written its first output and waits for its second input."""
    save(folder / "first.png", GRAY)
    arguments = ["convolve", "first.png", "-", "-k", "identity", "-o", "out/", "-q"]
    with subprocess.Popen(
        [sys.executable, "-m", "cnnfilter", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=folder,
    ) as process:
        try:
            until = time.monotonic() + 20
            while not (folder / "out" / "first.png").exists():
                assert process.poll() is None
                assert time.monotonic() < until
                time.sleep(0.02)
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals(folder: Path, number: signal.Signals, code: int) -> None:
    with waiting_on_standard_input(folder) as process:
        process.send_signal(number)
        started = time.monotonic()
        assert process.wait(10) == code
        assert time.monotonic() - started < 2
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read() == b""
        one_line(process.stderr.read())
    same("out/first.png", GRAY)
    assert entries(folder) == ["first.png", "out", "out/first.png"]


@pytest.mark.parametrize(
    "environment",
    [
        {"COLUMNS": "40"},
        {"COLUMNS": "1"},
        {"COLUMNS": "0"},
        {"COLUMNS": "wide"},
        {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "ascii"},
        {"TERM": "dumb"},
        {"TERM": "", "HOME": "/nonexistent"},
        {"PYTHONWARNINGS": "error"},
    ],
    ids=str,
)
def test_odd_environments(run: Run, folder: Path, environment: dict[str, str]) -> None:
    save("é img.png", GRAY)
    save("b.png", GRAY)
    for inputs in (["b.png"], ["b.png", "é img.png"]):
        result = run("convolve", *inputs, "-k", "blur", "-o", "out/", env=environment)
        assert (result.code, result.err) == (0, b"")
        assert b"\x1b" not in result.out
    same("out/é img.png", expected(GRAY, BLUR, "clip"))
