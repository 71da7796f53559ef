"""Wrong usage and failures: one line each, exit codes, and nothing left behind."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from expectations import BLUR, GRAY, RGB, RNG, content_of, expected, same
from outcomes import entries, ok, one_line, record, refused, save

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Invoke, Run
    from numpy.typing import NDArray

    Array = NDArray[Any]


# ---------------------------------------------------------------------------------------------------------------------
# Wrong usage: exit 2, one line, nothing done

GOOD = ["convolve", "img.png", "-k", "blur"]
MISUSES: list[tuple[list[str], list[str]]] = [
    (["convolve", "img.png", "-k", "sobel_v"], ["--kernel", "sobel_v", "sobel-v"]),
    (["convolve", "img.png", "-k", "sobelv"], ["sobel-v"]),
    (["convolve", "img.png", "-k", "gausian"], ["gaussian"]),
    (["convolve", "img.png", "-k", "gausian:5"], ["gaussian"]),
    (["convolve", "img.png", "-k", "xyzzy"], ["--kernel", "xyzzy"]),
    (["convolve", "img.png", "-k", ""], ["--kernel"]),
    (["convolve", "img.png", "-k", "missing.txt"], ["--kernel", "missing.txt"]),
    (["convolve", "img.png", "-k", "1 2; 3"], ["--kernel"]),
    (["convolve", "img.png", "-k", "1 nan; 0 1"], ["--kernel", "nan"]),
    (["convolve", "img.png", "-k", "1 inf; 0 1"], ["--kernel", "inf"]),
    (["convolve", "img.png", "-k", "1 1/0"], ["--kernel"]),
    (["convolve", "img.png", "-k", "1 a"], ["--kernel"]),
    (["convolve", "img.png", "-k", ";"], ["--kernel"]),
    (["convolve", "img.png", "-k", "gaussian:0"], ["--kernel", "gaussian:0"]),
    (["convolve", "img.png", "-k", "gaussian:5:0"], ["--kernel"]),
    (["convolve", "img.png", "-k", "gaussian:5:-1"], ["--kernel"]),
    (["convolve", "img.png", "-k", "gaussian:5:nan"], ["--kernel"]),
    (["convolve", "img.png", "-k", "gaussian:5:1:2"], ["--kernel"]),
    (["convolve", "img.png", "-k", "box"], ["--kernel", "box"]),
    (["convolve", "img.png", "-k", "log:5"], ["--kernel", "SIGMA"]),
    (["convolve", "img.png", "-k", "box:100000000"], ["--kernel"]),
    (["convolve", "img.png", "-k", "nan.npy"], ["--kernel", "nan.npy"]),
    (["convolve", "img.png", "-k", "ragged.csv"], ["--kernel", "ragged.csv"]),
    (["convolve", "img.png", "-k", "three.npy"], ["--kernel", "three.npy"]),
    (["convolve", "img.png", "-k", "empty.txt"], ["--kernel", "empty.txt"]),
    (["convolve", "img.png", "-k", "img.png"], ["--kernel", "img.png"]),
    (["convolve", "img.png"], ["--kernel"]),
    (["convolve", "-k", "blur"], ["INPUT"]),
    ([*GOOD, "--stride", "0"], ["--stride", "0"]),
    ([*GOOD, "--stride", "-1"], ["--stride", "-1"]),
    ([*GOOD, "--stride", "1.5"], ["--stride", "1.5"]),
    ([*GOOD, "--stride", "2x0"], ["--stride", "2x0"]),
    ([*GOOD, "--stride", "2x2x2"], ["--stride", "2x2x2"]),
    ([*GOOD, "--stride", "two"], ["--stride", "two"]),
    ([*GOOD, "--stride", ""], ["--stride"]),
    ([*GOOD, "--dilation", "0"], ["--dilation", "0"]),
    ([*GOOD, "--padding", "-1"], ["--padding", "-1"]),
    ([*GOOD, "--padding", "full"], ["--padding", "full"]),
    ([*GOOD, "--pad-mode", "mirror"], ["--pad-mode", "mirror", "reflect", "symmetric"]),
    ([*GOOD, "--pad-mode", "bounce"], ["--pad-mode", "bounce", "reflect"]),
    ([*GOOD, "--mapping", "linear"], ["--mapping", "linear", "normalize"]),
    ([*GOOD, "--depth", "12"], ["--depth", "12"]),
    ([*GOOD, "--gray", "red"], ["--gray", "red", "luma"]),
    ([*GOOD, "--alpha", "blend"], ["--alpha", "blend"]),
    ([*GOOD, "--channels", "all"], ["--channels", "all"]),
    ([*GOOD, "--scale", "nan"], ["--scale", "nan"]),
    ([*GOOD, "--scale", "inf"], ["--scale", "inf"]),
    ([*GOOD, "--scale", "1/0"], ["--scale", "1/0"]),
    ([*GOOD, "--scale", "x"], ["--scale", "x"]),
    ([*GOOD, "--bias", "much"], ["--bias", "much"]),
    ([*GOOD, "--bias", "1e999999999"], ["--bias"]),
    ([*GOOD, "--format", "gif"], ["--format", "gif", "png"]),
    ([*GOOD, "--format", "eps"], ["--format", "eps"]),
    ([*GOOD, "--report", "xml"], ["--report", "xml", "json"]),
    ([*GOOD, "--quality", "0"], ["--quality", "0"]),
    ([*GOOD, "--quality", "101"], ["--quality", "101"]),
    ([*GOOD, "--png-level", "10"], ["--png-level", "10"]),
    ([*GOOD, "--max-pixels", "0"], ["--max-pixels", "0"]),
    ([*GOOD, "--max-pixels", "many"], ["--max-pixels", "many"]),
    ([*GOOD, "--nonsense"], ["--nonsense"]),
    ([*GOOD, "--strid", "2"], ["--strid", "--stride"]),
    ([*GOOD, "-o", "out.xyz"], [".xyz", "--output", ".png"]),
    ([*GOOD, "-o", "out"], ["out"]),
    ([*GOOD, "-o", "out.gif"], [".gif"]),
    ([*GOOD, "-o", ""], ["--output"]),
    ([*GOOD, "-o", "missing/out.png"], ["missing"]),
    ([*GOOD, "-o", "text.txt/"], ["text.txt"]),
    ([*GOOD, "-o", "img.png"], ["img.png"]),
    ([*GOOD, "-o", "./img.png"], ["img.png"]),
    ([*GOOD, "-o", "folder/../img.png"], ["img.png"]),
    ([*GOOD, "-o", "symlink.png"], ["symlink.png"]),
    ([*GOOD, "-o", "hardlink.png"], ["hardlink.png"]),
    (["convolve", "symlink.png", "-k", "blur", "-o", "hardlink.png"], ["hardlink.png"]),
    ([*GOOD, "-o", "."], ["img.png"]),
    ([*GOOD, "-n", "-o", "img.png"], ["img.png"]),
    (["convolve", "img.png", "other.png", "-k", "blur", "-o", "other.png"], ["other.png"]),
    (["convolve", "img.png", "other.png", "-k", "blur", "-o", "out.png"], ["out.png"]),
    ([*GOOD, "-k", "sobel-v", "-o", "out.png"], ["out.png"]),
    ([*GOOD, "-k", "sobel-v", "-o", "-"], ["--output"]),
    ([*GOOD, "-k", "blur"], ["blur"]),
    ([*GOOD, "-k", "1 2", "-k", "3 4"], ["kernel"]),
    (["convolve", "img.png", "img.png", "-k", "blur"], ["img.png"]),
    (["convolve", "img.png", "img.bmp", "-k", "blur", "--format", "png"], ["img.png", "img.bmp"]),
    (["convolve", "img.png", "img.bmp", "-k", "blur", "--format", "png", "-o", "out/"], ["img.png", "img.bmp"]),
    (["convolve", "img.png", "folder/img.png", "-k", "blur", "-o", "out/"], ["img.png"]),
    (["convolve", "folder", "-k", "blur"], ["--output"]),
    (["convolve", "folder", "-k", "blur", "-o", "out.png"], ["out.png"]),
    (["convolve", "folder", "-k", "blur", "-o", "folder"], ["img.png"]),
    (["convolve", "hollow", "-k", "blur", "-o", "out/"], ["hollow"]),
    (["convolve", "*.xyz", "-k", "blur", "-o", "out/"], ["*.xyz"]),
    (["convolve", "-", "-", "-k", "blur", "-o", "out/"], ["-"]),
    (["convolve", "img.png", "-", "-k", "blur"], ["--output"]),
    (["convolve", "img.png", "-k", "box:40", "-p", "valid"], ["40", "9", "11"]),
    (["convolve", "img.png", "-k", "blur", "-p", "100000", "-o", "out.png"], ["--max-pixels"]),
    (["convolv", "img.png", "-k", "blur"], ["convolv"]),
    (["--nonsense"], ["--nonsense"]),
]


@pytest.fixture
def stocked(folder: Path) -> Path:
    """Some of everything that can be named wrongly."""
    save("img.png", GRAY)
    save("img.bmp", GRAY)
    save("other.png", GRAY)
    (folder / "folder").mkdir()
    (folder / "hollow").mkdir()
    save("folder/img.png", GRAY)
    (folder / "hollow" / "notes.txt").write_text("none")
    (folder / "text.txt").write_text("1 0\n0 1\n")
    (folder / "empty.txt").write_text("")
    (folder / "ragged.csv").write_text("1,2\n3\n")
    save("nan.npy", np.array([[1, np.nan]]))
    save("three.npy", np.ones((2, 2, 2)))
    (folder / "symlink.png").symlink_to("img.png")
    (folder / "hardlink.png").hardlink_to("img.png")
    return folder


def contents(folder: Path) -> dict[str, bytes | None]:
    return {name: (folder / name).read_bytes() if (folder / name).is_file() else None for name in entries(folder)}


@pytest.mark.parametrize(("arguments", "needles"), MISUSES, ids=[" ".join(pair[0]) for pair in MISUSES])
def test_wrong_usage_is_one_line_and_2_and_nothing_is_done(
    invoke: Invoke, stocked: Path, arguments: list[str], needles: list[str]
) -> None:
    before = contents(stocked)
    result = invoke(*arguments, stdin=content_of(GRAY))
    line = one_line(result.err)
    assert result.code == 2
    assert [needle for needle in needles if needle not in line] == []
    assert "Traceback" not in line
    assert "Errno" not in line
    assert contents(stocked) == before


def test_wrong_usage_as_a_process(run: Run, folder: Path) -> None:
    save("img.png", GRAY)
    assert "--stride" in refused(run("convolve", "img.png", "-k", "blur", "--stride", "0"))
    assert entries(folder) == ["img.png"]


def test_wrong_usage_is_found_before_anything_is_read(invoke: Invoke, folder: Path) -> None:
    """Neither of the inputs can be read, and the one complaint is about the names."""
    (folder / "a").mkdir()
    for name in ("a/x.png", "x.png"):
        (folder / name).write_bytes(b"no picture")
    line = refused(invoke("convolve", "a/x.png", "x.png", "-k", "blur", "-o", "out/"))
    assert "a/x.png" in line
    assert entries(folder) == ["a", "a/x.png", "x.png"]


def test_the_traceback_comes_with_v_alone(invoke: Invoke, folder: Path) -> None:
    plain = invoke("convolve", "img.png", "-k", "xyzzy")
    verbose = invoke("convolve", "img.png", "-k", "xyzzy", "-v")
    assert b"Traceback" not in plain.err
    assert b"Traceback" in verbose.err
    assert plain.code == verbose.code == 2


def test_v_adds_the_traceback_of_a_failed_file(invoke: Invoke, folder: Path) -> None:
    (folder / "bad.png").write_bytes(b"no picture")
    result = invoke("convolve", "bad.png", "-k", "blur", "-v")
    assert result.code == 1
    assert b"Traceback" in result.err


# ---------------------------------------------------------------------------------------------------------------------
# Failures: exit 1, the others are done


@pytest.mark.parametrize("kind", ["missing", "text", "cut short", "folder link", "dangling", "fifo", "device", "bomb"])
def test_one_bad_file_among_good_ones(invoke: Invoke, folder: Path, kind: str) -> None:
    save("a.png", GRAY)
    save("z.png", GRAY)
    bad = folder / "bad.png"
    if kind == "text":
        bad.write_text("no picture")
    elif kind == "cut short":
        bad.write_bytes((folder / "a.png").read_bytes()[:-30])
    elif kind == "dangling":
        bad.symlink_to("nowhere")
    elif kind == "folder link":
        bad.symlink_to(bad)
    elif kind == "fifo":
        os.mkfifo(bad)
    elif kind == "device":
        bad.symlink_to("/dev/zero")
    elif kind == "bomb":
        save("bad.png", np.zeros((60, 60), np.uint8))
    limit = ["--max-pixels", "3599"] if kind == "bomb" else []
    result = invoke("convolve", "a.png", "bad.png", "z.png", "-k", "blur", "-o", "out/", *limit)
    assert result.code == 1
    line = one_line(result.err)
    assert "bad.png" in line
    assert kind != "bomb" or "--max-pixels" in line
    assert entries(folder / "out") == ["a.png", "z.png"]
    same("out/z.png", expected(GRAY, BLUR, "clip"))
    assert b"2 done" in result.out
    assert b"1 failed" in result.out


@pytest.mark.parametrize("name", ["missing.png", "missing/deep.png", "img.png/inside.png"])
def test_a_missing_input_alone(invoke: Invoke, folder: Path, name: str) -> None:
    save("img.png", GRAY)
    line = refused(invoke("convolve", name, "-k", "blur", "-o", "out.png", "--report", "none"), 1)
    assert name in line
    assert entries(folder) == ["img.png"]


def test_a_failure_in_the_middle_leaves_the_old_output(invoke: Invoke, folder: Path) -> None:
    (folder / "bad.png").write_bytes(content_of(GRAY)[:-30])
    (folder / "out.png").write_bytes(b"old")
    assert "bad.png" in refused(invoke("convolve", "bad.png", "-k", "blur", "-o", "out.png", "--report", "none"), 1)
    assert (folder / "out.png").read_bytes() == b"old"
    assert entries(folder) == ["bad.png", "out.png"]


def test_an_encoder_that_refuses_leaves_the_old_output(invoke: Invoke, folder: Path) -> None:
    save("img.png", np.zeros((1, 17000), np.uint8))
    (folder / "out.webp").write_bytes(b"old")
    result = invoke("convolve", "img.png", "-k", "identity", "-o", "out.webp", "--report", "none")
    assert result.code in (1, 2)
    assert "out.webp" in one_line(result.err)
    assert (folder / "out.webp").read_bytes() == b"old"
    assert entries(folder) == ["img.png", "out.webp"]


def test_a_file_too_large_for_the_limit_of_the_shell_leaves_nothing(folder: Path) -> None:
    noise = RNG.integers(0, 256, (300, 300)).astype(np.uint8)
    save("img.png", noise)
    (folder / "out.png").write_bytes(b"old")
    command = 'ulimit -f 8; "$0" -m cnnfilter convolve img.png -k identity -o out.png --report none'
    done = subprocess.run(["bash", "-c", command, sys.executable], capture_output=True, timeout=30, check=False)
    assert done.returncode == 1
    assert "out.png" in one_line(done.stderr)
    assert (folder / "out.png").read_bytes() == b"old"
    assert entries(folder) == ["img.png", "out.png"]


@pytest.mark.parametrize("output", [[], ["-o", "out/"]])
def test_a_missing_folder_in_the_name_of_an_input_is_a_missing_input(
    invoke: Invoke, folder: Path, output: list[str]
) -> None:
    """The complaint is about what was named, and the other input is done."""
    save("img.png", GRAY)
    result = invoke("convolve", "img.png", "missing/deep.png", "-k", "blur", *output)
    assert result.code == 1
    assert "missing/deep.png" in one_line(result.err)
    assert len([entry for entry in entries(folder) if entry.endswith(".png")]) == 2


def test_a_batch_stops_early_where_nothing_more_can_be_written(folder: Path) -> None:
    noise = RNG.integers(0, 256, (300, 300)).astype(np.uint8)
    (folder / "in").mkdir()
    for number in range(12):
        save(f"in/n{number:02}.png", noise)
    command = 'ulimit -f 8; "$0" -m cnnfilter convolve in -k identity -o out/ -q'
    done = subprocess.run(["bash", "-c", command, sys.executable], capture_output=True, timeout=30, check=False)
    assert done.returncode == 1
    assert b"n00.png" in done.stderr
    assert b"n11.png" not in done.stderr
    assert [entry for entry in entries(folder) if entry.startswith("out/")] == []


@pytest.mark.parametrize("dtype", ["int64", "uint64", "uint32", "int8", "float16", "bool"])
@pytest.mark.parametrize("options", [[], ["--gray", "luma"], ["--gray", "mean"], ["--mapping", "normalize"]])
def test_arrays_of_any_samples_are_filtered_or_refused(
    invoke: Invoke, folder: Path, dtype: str, options: list[str]
) -> None:
    save("img.npy", RGB.astype(dtype))
    result = invoke("convolve", "img.npy", "-k", "identity", "-o", "out.png", "--report", "none", *options)
    assert (result.code == 0) == (folder / "out.png").exists()
    if result.code:
        one_line(result.err)


@pytest.mark.parametrize(
    "options",
    [
        ["--scale", "1e-30"],
        ["--scale", "1e-300", "--bias", "1e-300"],
        ["--scale", "1e300"],
        ["--scale", "1e300", "--mapping", "normalize"],
        ["--bias", "-1e300"],
        ["--bias", "9999999999999999999999"],
        ["--scale", "123456789012345678901/9876543210987654321"],
        ["-k", "1e200 -1e200"],
        ["-k", "1e-300"],
    ],
)
@pytest.mark.parametrize("name", ["out.png", "out.npy"])
def test_extreme_numbers(invoke: Invoke, folder: Path, options: list[str], name: str) -> None:
    """They are computed or refused in one line."""
    save("img.png", GRAY)
    kernel = [] if "-k" in options else ["-k", "emboss"]
    result = invoke("convolve", "img.png", *kernel, *options, "-o", name, "--report", "none")
    assert (result.code == 0) == (folder / name).exists()
    if result.code:
        one_line(result.err)


HOSTILE = ["esc\x1b[31mape.png", "new\nline.png", "bell\a.png", "tab\t.png", "\u202eright to left.png", "\x9bcsi.png"]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_missing_name_cannot_drive_the_terminal(invoke: Invoke, folder: Path, name: str) -> None:
    for more in (["blur"], [name], ["blur", "-o", f"out{name}.xyz"], ["blur", "-o", f"{name}/a.png"]):
        result = invoke("convolve", name, "--report", "none", "-k", *more)
        assert result.code in (1, 2)  # what looks like a pattern that matches nothing is no input at all
        one_line(result.err)


@pytest.mark.parametrize("report", ["table", "json", "csv"])
@pytest.mark.parametrize("name", [*HOSTILE, "plain.png", "-dash.png", "%s{0}.png", "[red]markup.png", ":smile:.png"])
def test_hostile_names_work_and_are_escaped(invoke: Invoke, folder: Path, name: str, report: str) -> None:
    save(folder / name, GRAY)
    result = ok(invoke("convolve", "-k", "blur", "-o", "out/", "--report", report, "--", name))
    same(folder / "out" / name, expected(GRAY, BLUR, "clip"))
    shown = result.out.decode()
    if report == "csv":  # for a program, but in a terminal
        (row,) = csv.DictReader(io.StringIO(shown, newline=""))
        assert row["input"] == name
        return
    assert all(line.isprintable() for line in shown.split("\n"))
    if report == "json":
        assert record(result)["input"] == name
    elif report == "table" and name.isprintable():
        assert name in result.out.decode()


@pytest.mark.parametrize("report", ["table", "json", "csv"])
def test_names_that_are_not_utf_8(run: Run, folder: Path, report: str) -> None:
    name = b"caf\xe9.png"
    save(os.fsdecode(name), GRAY)
    result = run("convolve", name, b"miss\xff.png", "-k", "blur", "-o", "out/", "--report", report)
    assert result.code == 1
    assert os.listdir(b"out") == [name]
    assert "miss" in one_line(result.err)
    assert b"caf" in result.out
    result.out.decode()


def test_names_of_255_bytes(invoke: Invoke, folder: Path) -> None:
    name = "n" * 251 + ".png"
    save(name, GRAY)
    ok(invoke("convolve", name, "-k", "blur", "-o", "out/"))
    same(folder / "out" / name, expected(GRAY, BLUR, "clip"))
    result = invoke("convolve", name, "-k", "blur", "--report", "none")  # the name beside it would be too long
    assert result.code in (1, 2)
    one_line(result.err)
    assert entries(folder) == [name, "out", f"out/{name}"]


@pytest.mark.parametrize(("arguments", "needles"), MISUSES, ids=[" ".join(pair[0]) for pair in MISUSES])
def test_a_dry_run_finds_the_same_misuses(
    invoke: Invoke, stocked: Path, arguments: list[str], needles: list[str]
) -> None:
    result = invoke(*arguments, "--dry-run", stdin=content_of(GRAY))
    assert result.code == 2
    assert [needle for needle in needles if needle not in one_line(result.err)] == []


@pytest.mark.parametrize("words", [["convolve", "-k", "blur"], ["pool"], ["inspect", "-k", "blur", "--at", "1,1"]])
def test_a_variable_of_the_environment_is_named_as_such(
    invoke: Invoke, folder: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    save("img.png", GRAY)
    monkeypatch.setenv("CNNFILTER_THREADS", "abc")
    told = refused(invoke(*words, "img.png"))
    assert told == "cnnfilter: CNNFILTER_THREADS: 'abc' is not a whole number of at least 1"
