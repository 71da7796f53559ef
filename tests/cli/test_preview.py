"""`--preview`: what lies beside what, where it goes, and when there is none."""

import io
import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from conftest import Invoke, Run, plain_environment
from places import SAMPLES

from cnnfilter.cli.gallery import MOST_INPUTS

BOARD = str(SAMPLES / "chessboard.png")
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


@pytest.fixture
def shades(monkeypatch: pytest.MonkeyPatch, invoke: Invoke) -> Invoke:
    """The command as in a terminal of 80 x 24 without colours."""
    for name, value in {"FORCE_COLOR": "1", "NO_COLOR": "1", "COLUMNS": "80", "LINES": "24"}.items():
        monkeypatch.setenv(name, value)
    return invoke


def lines(output: bytes) -> list[str]:
    return [ESCAPES.sub("", line).rstrip() for line in output.decode().splitlines()]


def squares(folder: Path, count: int) -> list[str]:
    """Pictures of 2 x 2 pixels in one shade each."""
    names = [f"{index:02}.png" for index in range(count)]
    for index, name in enumerate(names):
        PIL.Image.new("L", (2, 2), 20 * index % 256).save(folder / name)
    return names


# ------------------------------------------------------------------------------------------------------------- layout


def test_the_result_lies_beside_its_input(folder: Path, shades: Invoke) -> None:
    os.symlink(BOARD, "chessboard.png")  # under a name that fits the table wherever the project lies
    done = shades("convolve", "chessboard.png", "-k", "prewitt-v", "--pad-mode", "zero", "-o", "v.png", "--preview")
    assert (done.code, done.err) == (0, b"")
    assert lines(done.out)[:12] == [
        "chessboard.png    v.png",
        "8x8               8x8, abs",
        *["@@  @@  @@  @@    @@            @@", "  @@  @@  @@  @@  @@            @@"] * 4,
        "file        chessboard.png -> v.png",
        "shape       8x8 -> 8x8",
    ]


def test_below_it_where_the_terminal_is_narrow(folder: Path, shades: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "25")
    shown = lines(shades("pool", BOARD, "--size", "8", "-o", "p.png", "--preview", "-q").out)
    assert shown == [
        "chessboard.png",
        "8x8",
        *["@@  @@  @@  @@", "  @@  @@  @@  @@"] * 4,
        "",
        "p.png",
        "1x1, clip",
        "@@",
    ]


def test_a_smaller_result_is_drawn_smaller(folder: Path, shades: Invoke) -> None:
    PIL.Image.new("L", (320, 200), 255).save("white.png")
    frames = {}
    for size in (1, 2, 4, 100):
        words = ["pool", "white.png", "--size", str(size), "-o", "p.png", "--preview", "-q"]
        shown = lines(shades(*words).out)
        widths = [len(part) for part in shown[2].split()]
        frames[size] = widths[1], sum(len(line.split()) == 2 for line in shown[2:]), shown[1].split("  ")[-1].strip()
        assert widths[0] == 35
    assert frames == {
        1: (35, 11, "200x320, clip"),
        2: (18, 6, "100x160, clip"),
        4: (16, 5, "50x80, clip, enlarged"),
        100: (12, 4, "2x3, clip, enlarged"),
    }


def test_tiny_pictures_are_all_enlarged_alike(folder: Path, shades: Invoke) -> None:
    shown = lines(shades("convolve", BOARD, "-k", "blur", "--padding", "3", "-o", "p.png", "--preview", "-q").out)
    assert shown[1].split() == ["8x8", "12x12,", "clip"]
    assert [line.split() for line in shown[2:]] == [["+" * 8, "+" * 12]] * 4 + [["+" * 12]] * 2


def test_no_line_is_wider_than_the_terminal(folder: Path, shades: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    os.symlink(SAMPLES / "harbor.jpg", "a-name-that-is-longer-than-any-terminal-of-this-test-is-wide.jpg")
    for width in (1, 5, 20, 40, 61, 62, 100, 200):
        monkeypatch.setenv("COLUMNS", str(width))
        done = shades("convolve", "a-name-that-is-longer-than-any-terminal-of-this-test-is-wide.jpg",
                      "-k", "sobel", "-k", "random:3:5", "-o", "out/", "--preview", "-q")  # fmt: skip
        assert done.code == 0
        assert max(map(len, lines(done.out))) <= width


def test_all_results_of_an_input_follow_it(folder: Path, shades: Invoke) -> None:
    done = shades("convolve", str(SAMPLES / "harbor.jpg"), "-k", "blur", "-k", "sobel-v", "-k", "emboss", "-o", "out/",
                  "--preview", "-q")  # fmt: skip
    captions = [line for line in lines(done.out) if "harbor" in line]
    assert [line.split() for line in captions] == [
        ["harbor.jpg", "harbor.blur.jpg"],
        ["harbor.sobel-v.jpg", "harbor.emboss.jpg"],
    ]


def test_feature_maps_are_tiles_below_the_input(folder: Path, shades: Invoke) -> None:
    shown = lines(shades("convolve", BOARD, "-k", "random:3:40", "-o", "m.png", "--preview", "-q").out)
    place = shown.index("m.png")
    assert shown[place + 1] == "8x8x40, the first 16 maps, normalize"
    assert {line.find(" ", 8) for line in shown[place + 2 :]} != {-1}
    assert len(shown) == place + 2 + 4 + 1 + 4


def test_classes_stand_in_the_caption_and_a_vector_has_no_picture(folder: Path, shades: Invoke) -> None:
    digit = str(SAMPLES / "digit-3.png")
    done = shades("pipeline", digit, "--file", str(SAMPLES / "digits.toml"), "--preview", "-q")
    shown = lines(done.out)
    assert shown[:2] == ["digit-3.png", "64x64: 3, 98.82%"]
    assert len(shown) == 2 + 11


def test_raw_responses_say_their_range(folder: Path, shades: Invoke) -> None:
    done = shades("convolve", BOARD, "-k", "prewitt-v", "--pad-mode", "zero", "-o", "v.npy", "--preview", "-q")
    shown = lines(done.out)
    assert shown[1].endswith("  8x8, -510 to 510")
    assert [line[18:] for line in shown[2:5]] == ["##++++++++++++::", "##++++++++++++", "@@++++++++++++::"]


def test_the_picture_is_of_what_is_filtered(folder: Path, shades: Invoke) -> None:
    PIL.Image.new("RGB", (4, 4), (255, 0, 0)).save("red.png")
    shown = lines(shades("pool", "red.png", "--gray", "mean", "-o", "p.png", "--preview", "-q").out)
    assert shown[1].split() == ["4x4", "2x2,", "clip"]
    assert shown[2].split() == ["-" * 16, "-" * 8]


def test_a_result_of_the_same_name_is_told_from_its_input(folder: Path, shades: Invoke) -> None:
    assert lines(shades("pool", BOARD, "-o", "deep/out/", "--preview", "-q").out)[0].split() == [
        "chessboard.png",
        "out/chessboard.png",
    ]


def test_names_cannot_drive_the_terminal(folder: Path, shades: Invoke) -> None:
    PIL.Image.new("L", (2, 2)).save("a\x1b[31mb.png")
    done = shades("pool", "a\x1b[31mb.png", "-o", "p.png", "--preview", "-q")
    assert b"\x1b[31m" not in done.out
    assert lines(done.out)[0].startswith("a\\x1b[31mb.png")


# -------------------------------------------------------------------------------------------------------- where it goes


def test_there_is_none_without_a_terminal(folder: Path, invoke: Invoke) -> None:
    plain = invoke("convolve", BOARD, "-k", "blur", "-o", "a.png", "--report", "json")
    shown = invoke("convolve", BOARD, "-k", "blur", "-o", "a.png", "--report", "json", "--preview")
    assert (shown.code, shown.err) == (0, b"")
    assert {**json.loads(shown.out), "seconds": 0} == {**json.loads(plain.out), "seconds": 0}
    assert invoke("convolve", BOARD, "-k", "blur", "-o", "a.png", "-q", "--preview").out == b""


def test_beside_image_bytes_it_goes_to_standard_error(folder: Path, shades: Invoke) -> None:
    plain = shades("pool", BOARD, "-o", "-", "-q")
    shown = shades("pool", BOARD, "-o", "-", "-q", "--preview")
    assert shown.out == plain.out
    assert np.asarray(PIL.Image.open(io.BytesIO(shown.out))).shape == (4, 4)
    assert lines(shown.err)[0].split() == ["chessboard.png", "standard", "output"]


@pytest.mark.parametrize("report", ["json", "csv"])
def test_beside_a_report_for_programs_it_goes_to_standard_error(folder: Path, shades: Invoke, report: str) -> None:
    done = shades("pool", BOARD, "-o", "p.png", "--report", report, "--preview")
    assert lines(done.err)[0].split() == ["chessboard.png", "p.png"]
    assert not ESCAPES.search(done.out.decode())
    assert len(done.out.splitlines()) == (1 if report == "json" else 2)


def test_a_report_file_leaves_it_on_standard_output(folder: Path, shades: Invoke) -> None:
    done = shades("pool", BOARD, "-o", "p.png", "--report-file", "r.json", "--preview")
    assert lines(done.out)[0].split() == ["chessboard.png", "p.png"]


def test_a_dumb_terminal_gets_shades(folder: Path, shades: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    shown = shades("pool", BOARD, "-o", "p.png", "-q", "--preview").out
    assert b"\x1b" not in shown
    assert lines(shown)[2].startswith("@@  @@")


@pytest.mark.parametrize(
    ("environment", "start"),
    [
        ({"COLORTERM": "truecolor"}, b"\x1b[38;2;255;255;255;48;2;255;255;255m\xe2\x96\x80\xe2\x96\x80\x1b[0m"),
        ({"TERM": "xterm-256color", "COLORTERM": ""}, b"\x1b[38;5;231;48;5;231m\xe2\x96\x80\xe2\x96\x80\x1b[0m"),
        ({"TERM": "xterm", "COLORTERM": ""}, b"\x1b[97;107m\xe2\x96\x80\xe2\x96\x80\x1b[0m"),
    ],
)
def test_colours_are_those_of_the_terminal(
    folder: Path, shades: Invoke, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], start: bytes
) -> None:
    monkeypatch.delenv("NO_COLOR")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert shades("pool", BOARD, "-o", "p.png", "-q", "--preview").out.splitlines()[2].startswith(start)


@pytest.mark.parametrize("options", [("--dry-run",), ("--no-clobber",)])
def test_what_is_not_done_is_not_shown(folder: Path, shades: Invoke, options: tuple[str, ...]) -> None:
    (folder / "p.png").write_bytes(Path(BOARD).read_bytes())
    assert shades("pool", BOARD, "-o", "p.png", "-q", "--preview", *options).out == b""


# -------------------------------------------------------------------------------------------------------------- batches


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_batch_shows_its_first_inputs(folder: Path, shades: Invoke, jobs: str) -> None:
    names = squares(folder, MOST_INPUTS + 3)
    done = shades("pool", *names, "-o", "out/", "-q", "--preview", "-j", jobs)
    assert (done.code, done.err) == (0, b"")
    shown = lines(done.out)
    assert [line.split()[0] for line in shown if line.endswith(".png")] == names[:MOST_INPUTS]
    assert shown[-1] == "3 more inputs are not shown"
    assert all((folder / "out" / name).exists() for name in names)


def test_an_input_that_fails_is_passed_over(folder: Path, shades: Invoke) -> None:
    names = squares(folder, 5)
    (folder / names[1]).write_bytes(b"no picture")
    done = shades("pool", *names, "-o", "out/", "-q", "--preview", "-j", "2")
    assert done.code == 1
    assert [line.split()[0] for line in lines(done.out) if line.endswith(".png")] == [names[0], *names[2:]]


def test_the_report_has_no_traces_of_it(folder: Path, shades: Invoke) -> None:
    names = squares(folder, 5)
    done = shades("pool", *names, "-o", "out/", "--preview", "-j", "2", "--report", "json")
    assert all("preview" not in key for line in done.out.splitlines() for key in json.loads(line))


def test_in_a_terminal_it_stands_above_the_progress_bar(folder: Path) -> None:
    names = squares(folder, 6)
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "cnnfilter", "pool", *names, "-o", "out/", "--preview", "-j", "1"],
        stdin=theirs, stdout=theirs, stderr=theirs,
        env=plain_environment(TERM="xterm-256color", COLUMNS="80", LINES="24", COLORTERM=""),
    )  # fmt: skip
    os.close(theirs)
    received = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # of a terminal whose other end is closed
            break
        if not part:
            break
        received += part
    os.close(ours)
    assert process.wait() == 0
    shown = lines(received.replace(b"\r\n", b"\n").replace(b"\r", b""))
    assert [line.split()[-1] for line in shown if re.search(r"\d\d\.png +out/\d\d\.png$", line)] == [
        f"out/{n}" for n in names
    ]
    assert any("6 done" in line for line in shown)
    assert b"\xe2\x96\x80" in received


def test_a_closed_pipe_ends_it_quietly(folder: Path, run: Run) -> None:
    names = squares(folder, 8)
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "cnnfilter", "pool", *names, "-o", "out/", "--preview", "-j", "1"],
        stdout=writer, stderr=subprocess.PIPE, check=False, timeout=30, env=plain_environment(FORCE_COLOR="1"),
    )  # fmt: skip
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")
