"""`cnnfilter inspect --at` and `--walk` from outside: what is drawn, what JSON says, and wrong usage."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import PIL.Image
import pytest
from places import SAMPLES

import cnnfilter
from cnnfilter.cli.trace import position
from cnnfilter.errors import ParameterError

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Invoke, Run

BOARD, STEP, HARBOR = (str(SAMPLES / name) for name in ("chessboard.png", "brightness-step.png", "harbor.jpg"))
DIGITS, THREE = str(SAMPLES / "digits.toml"), str(SAMPLES / "digit-3.png")
ESCAPE = re.compile(r"\x1b\[[\d;]*m")
RNG = np.random.default_rng(3)
RGB = RNG.integers(0, 256, (9, 8, 3)).astype(np.uint8)


@pytest.fixture
def colour(folder: Path) -> str:
    """A small colour picture in the current folder."""
    PIL.Image.fromarray(RGB).save("rgb.png")
    return "rgb.png"


def drawn(invoke: Invoke, *words: str) -> list[str]:
    """The lines of a trace that succeeds; none is wider than the terminal or ends in a blank."""
    done = invoke("inspect", *words)
    assert (done.code, done.err) == (0, b"")
    lines = done.out.decode().splitlines()
    assert all(len(line) <= 80 and line == line.rstrip() for line in lines)
    return lines


def told(invoke: Invoke, *words: str) -> list[dict[str, Any]]:
    """The objects of the JSON report."""
    done = invoke("inspect", *words, "--report", "json")
    assert (done.code, done.err) == (0, b"")
    return [json.loads(line) for line in done.out.splitlines()]


def refused(invoke: Invoke, *words: str) -> str:
    """The one line of an error of usage."""
    done = invoke("inspect", *words)
    assert (done.code, done.out, done.err.count(b"\n")) == (2, b"", 1)
    return done.err.decode().removeprefix("cnnfilter: ").rstrip("\n")


# ---------------------------------------------------------------------------------------------------------------------
# Drawings


@pytest.mark.usefixtures("among_samples")
def test_the_corner_of_the_chessboard(invoke: Invoke) -> None:
    lines = drawn(invoke, "chessboard.png", "--kernel", "prewitt-v", "--pad-mode", "zero", "--at", "0,0")
    assert lines[0] == f"convolve at 0,0  {'chessboard.png'}, 8x8 -> 8x8"
    assert lines[1] == "window from position x stride - padding: 0 x 1 - 1 = -1, 0 x 1 - 1 = -1"
    assert lines[-16:] == [
        "       -1    0    1",
        "    ┌───────────────┐   prewitt-v      products",
        " -1 │  (0)  (0)  (0)│    -1   0   1       0    0    0",
        "  0 │  (0) 255    0 │ x  -1   0   1  =    0    0    0",
        "  1 │  (0)   0  255 │    -1   0   1       0    0  255",
        "    └───────────────┘",
        "( ) padding: zeros",
        "",
        "sum          255",
        "response     255",
        "mapping      abs: |255| = 255",
        "pixel        255 (uint8)",
        "",
        "33% of the 765 possible: a clear vertical edge, from dark (left) to bright",
        "  (right)",
        "5 of 9 cells are padding (zeros): the border of the image answers, too",
    ]
    assert " -1 │  (0)  (0)  (0)│  (0)  (0)  (0)  (0)  (0)  (0)  (0)" in lines


@pytest.mark.usefixtures("among_samples")
def test_the_middle_of_the_brightness_step(invoke: Invoke) -> None:
    lines = drawn(invoke, "brightness-step.png", "--kernel", "prewitt-h", "--padding", "valid", "--at", "1,1")
    assert lines[3:] == [
        "       0     1    2    3     4",
        "  0   50    50   50   50    50",
        "         ┌───────────────┐        prewitt-h      products",
        "  1   50 │  50   50   50 │  50     -1  -1  -1     -50  -50  -50",
        "  2  100 │ 100  100  100 │ 100  x   0   0   0  =    0    0    0",
        "  3  150 │ 150  150  150 │ 150      1   1   1     150  150  150",
        "         └───────────────┘",
        "  4  150   150  150  150   150",
        "",
        "sum          -50 - 50 - 50 + 150 + 150 + 150 = 300",
        "response     300",
        "mapping      abs: |300| = 300, clipped to 255",
        "pixel        255 (uint8)",
        "",
        "39% of the 765 possible: a clear horizontal edge, from dark (top) to bright",
        "  (bottom)",
    ]


def test_the_winner_is_marked(invoke: Invoke, folder: Path) -> None:
    np.save("four.npy", np.array([[1, 3, 2, 4], [5, 6, 1, 2], [7, 8, 3, 1], [4, 2, 0, 5]], np.uint8))
    lines = drawn(invoke, "four.npy", "--kind", "max", "--at", "1,0")
    assert lines[3:] == [
        "      0  1   2  3",
        "  0   1  3   2  4",
        "  1   5  6   1  2",
        "    ┌──────┐",
        "  2 │ 7 [8]│ 3  1",
        "  3 │ 4  2 │ 0  5",
        "    └──────┘",
        "[ ] the largest",
        "",
        "largest      8, at 2,1 of the input",
        "response     8",
        "",
        "the sample at 2,1 holds the largest of 4 samples; the other 3 leave no trace",
    ]


def test_the_walk_moves_the_window_and_ends_with_the_output_so_far(invoke: Invoke) -> None:
    lines = drawn(invoke, STEP, "--kernel", "prewitt-h", "--padding", "valid", "--walk", "4")
    assert [line for line in lines if "┌" in line] == [
        "    ┌───────────────┐             prewitt-h      products",
        "         ┌───────────────┐        prewitt-h      products",
        "              ┌───────────────┐   prewitt-h      products",
        "    ┌───────────────┐             prewitt-h      products",
    ]
    assert [line for line in lines if line.startswith("response ")] == [
        *["response     150, pixel 150"] * 3,
        "response     300, pixel 255",
    ]
    assert lines[-5:] == [
        "the output so far, 4 of 9 positions",
        "responses          pixels",
        " 150  150  150      150  150  150",
        " 300    ·    ·      255    ·    ·",
        "   ·    ·    ·        ·    ·    ·",
    ]


def test_a_walk_from_a_position_on(invoke: Invoke) -> None:
    places = [value["position"] for value in told(invoke, BOARD, "-k", "sobel-v", "--walk", "3", "--at", "2,6")]
    assert places == [[2, 6], [2, 7], [3, 0]]


def test_a_walk_tells_the_number_of_each_position_and_where_it_ends(invoke: Invoke) -> None:
    lines = drawn(invoke, BOARD, "-k", "sobel-v", "--at", "7,6", "--walk", "5")
    assert [line for line in lines if ": output " in line] == ["63 of 64: output 7,6", "64 of 64: output 7,7"]
    assert "the output so far, 2 of 64 positions" in lines
    assert lines[-1] == "7,7 is the last position: the walk ends there, after 2 of 5"
    whole = drawn(invoke, BOARD, "-k", "sobel-v", "--at", "7,6", "--walk", "2")
    assert whole == lines[:-2]


def test_a_walk_over_many_channels_has_a_line_each(invoke: Invoke, folder: Path) -> None:
    maps = np.random.default_rng(0).normal(size=(28, 28, 64)).astype(np.float32)
    np.save("maps.npy", maps)
    lines = drawn(invoke, "maps.npy", "--kind", "max", "--walk", "2")
    pooled = cnnfilter.pool(maps, "max")
    for start, place in ((lines.index("1 of 196: output 0,0"), (0, 0)), (lines.index("2 of 196: output 0,1"), (0, 1))):
        rows = [line.split() for line in lines[start + 1 : start + 65]]
        assert [row[0] for row in rows] == [str(channel) for channel in range(64)]
        assert [float(row[1]) for row in rows] == pytest.approx(pooled[place].tolist(), rel=1e-5)
        assert len({line.index("the sample") for line in lines[start + 1 : start + 65]}) == 1
    assert [line for line in lines if line.startswith("channel ")] == [f"channel {n}" for n in range(4)]
    assert "... and 60 more channels (--report json)" in lines
    assert lines[-1] == "--at Y,X,C shows how one of these 64 channels came about"


def test_what_is_told_of_a_channel_is_not_cut_off_within_a_word(invoke: Invoke, folder: Path) -> None:
    np.save("maps.npy", np.random.default_rng(0).normal(size=(9, 9, 8)).astype(np.float32))
    lines = drawn(invoke, "maps.npy", "-k", "1 2 3; 4 5 6; 7 8 9", "--at", "3,3")
    assert {line.partition("  45")[2] for line in lines[3:11]} == {" times the weighted average of the 9 samples"}


def test_the_output_so_far_stands_beside_its_pixels(invoke: Invoke) -> None:
    lines = drawn(invoke, HARBOR, "-k", "random:3:8", "--walk", "2")
    heads = [line.split() for line in lines if line.startswith("responses")]
    assert heads == [["responses", "pixels"]] * 4


def test_dilation_leaves_holes(invoke: Invoke) -> None:
    lines = drawn(invoke, BOARD, "-k", "laplacian", "--padding", "valid", "--dilation", "2", "--at", "0,0")
    assert "  0 │ 255    ·  255    ·  255 │   0  255    0" in lines
    assert "  1 │   ·    ·    ·    ·    · │ 255    0  255" in lines


def test_where_reflected_cells_come_from(invoke: Invoke) -> None:
    lines = drawn(invoke, BOARD, "-k", "box:5", "--at", "0,7")
    assert "( ) padding, reflect: rows -2 to -1 are rows 2 to 1, columns 8 to 9 are columns" in lines
    assert "6 to 5" in lines


def test_all_channels_without_c(invoke: Invoke, colour: str) -> None:
    lines = drawn(invoke, colour, "-k", "sharpen", "--at", "3,4")
    assert [line for line in lines if line in ("red", "green", "blue")] == ["red", "green", "blue"]
    expected = cnnfilter.convolve(RGB, "sharpen")[3, 4].tolist()
    assert [int(line.split()[1]) for line in lines if line.startswith("response")] == expected
    assert sum(line.startswith("response") for line in drawn(invoke, colour, "-k", "sharpen", "--at", "3,4,2")) == 1


@pytest.mark.parametrize("words", [
    ["--steps", "convolve sobel-v", "--input", BOARD], ["-k", "sobel-v", "--input", BOARD], ["sobel-v", BOARD],
    [BOARD, "sobel-v"], ["sobel-v", "--input", BOARD], [BOARD, "--steps", "convolve sobel-v"],
])  # fmt: skip
def test_picture_and_operation_in_whatever_way(invoke: Invoke, words: list[str]) -> None:
    (value,) = told(invoke, *words, "--at", "2,6")
    assert (value["thing"], value["position"]) == (BOARD, [2, 6])
    assert value["response"] == cnnfilter.convolve(cnnfilter.read_image(BOARD), "sobel-v")[2, 6]


def test_a_network_and_a_picture_as_things(invoke: Invoke) -> None:
    assert drawn(invoke, DIGITS, THREE, "--at", "3") == drawn(invoke, DIGITS, "--input", THREE, "--at", "3")


def test_the_channels_of_a_sum(invoke: Invoke, colour: str) -> None:
    lines = drawn(invoke, colour, "-k", "emboss", "--channels", "sum", "--at", "3,4", "--bias", "-3", "--scale", "1/3")
    sums = cnnfilter.convolve(RGB, "emboss")[3, 4].tolist()
    for name, value in zip(("red", "green", "blue"), sums, strict=True):
        assert f"{name}: {value}" in lines
    assert f"- 3          {sum(sums) / 3 - 3:.7g}" in lines


def test_large_kernels_are_pictures(invoke: Invoke) -> None:
    lines = drawn(invoke, HARBOR, "--gray", "luma", "-k", "motion:31:30", "--at", "2,100")
    assert "window: rows -13 to 17, columns 85 to 115" in lines
    assert sum("()" * 31 in line for line in lines) == 13
    assert any(line.startswith("heaviest products: ") for line in lines)


def test_many_channels_are_a_list(invoke: Invoke) -> None:
    lines = drawn(invoke, DIGITS, "--input", THREE, "--layer", "conv2", "--at", "5,6")
    assert lines[-1] == "--at Y,X,C shows how one of these 24 channels came about"
    assert [line.split()[0] for line in lines[-25:-1]] == [str(number) for number in range(24)]
    one = drawn(invoke, DIGITS, "--input", THREE, "--layer", "conv2", "--at", "5,6,3")
    assert any(line.startswith(("- ", "+ ")) for line in one)
    assert sum("products" in line for line in one) == 3


@pytest.mark.usefixtures("among_samples")
def test_layers_without_windows(invoke: Invoke) -> None:
    lines = drawn(invoke, "digits.toml", "--input", "digit-3.png", "--at", "3")
    assert lines[0] == "softmax at 3  digit-3.png, 10 -> 10"
    assert lines[-1] == "98.82% of the probability: the likeliest of 10"
    lines = drawn(invoke, "digits.toml", "--input", "digit-3.png", "--layer", "relu1", "--at", "5,6,0")
    assert "negative: cut to zero" in lines


def test_plain_ascii_where_the_terminal_has_nothing_else(run: Run) -> None:
    done = run("inspect", STEP, "-k", "sobel-h", "--padding", "valid", "--walk", "1", env={"PYTHONIOENCODING": "ascii"})
    assert done.code == 0
    assert done.out.isascii()
    assert b"    +---------------+" in done.out
    assert b"  0 |  50   50   50 |  50   50" in done.out


def test_colours_change_nothing_else(run: Run) -> None:
    words = ("inspect", BOARD, "-k", "sobel-v", "--at", "0,0")
    plain = run(*words, env={"COLUMNS": "80"}).out.decode()
    painted = run(*words, env={"COLUMNS": "80", "FORCE_COLOR": "1", "COLORTERM": "truecolor"}).out.decode()
    assert "\x1b[38;2;" in painted
    assert [line.rstrip() for line in ESCAPE.sub("", painted).splitlines()] == plain.splitlines()


def test_a_level_is_shown_as_it_is_rounded(invoke: Invoke, folder: Path) -> None:
    PIL.Image.fromarray(np.array([[35199, 35199], [35199, 35201]], np.uint16)).save("deep.png")
    lines = drawn(invoke, "deep.png", "-k", "1/4 1/4; 1/4 1/4", "--padding", "valid", "--at", "0,0")
    assert "mapping      clip: 35199.5, rounded to 35200" in lines
    lines = drawn(invoke, "deep.png", "-k", "255/1024 1/4; 1/4 1/4", "--padding", "valid", "--at", "0,0")
    assert "mapping      clip: 35165.1, rounded to 35165" in lines


def test_nan_and_infinity(invoke: Invoke, folder: Path) -> None:
    image = np.ones((5, 5), np.float32)
    image[1, 1], image[4, 4] = np.nan, np.inf
    np.save("x.npy", image)
    lines = drawn(invoke, "x.npy", "-k", "sobel-v", "--at", "0,1")
    assert lines[-1] == "NaN: the window holds NaN, or infinities that cancel"
    assert told(invoke, "x.npy", "-k", "blur", "--at", "0,0")[0]["response"] == "nan"
    assert "response     inf" in drawn(invoke, "x.npy", "-k", "box:2", "--padding", "valid", "--at", "3,3")
    assert drawn(invoke, "x.npy", "-k", "box:31", "--at", "0,0")
    PIL.Image.fromarray(image).save("x.tif")
    assert b"NaN or infinity" in invoke("inspect", "x.tif", "-k", "blur", "--depth", "8", "--at", "0,0").err


# ---------------------------------------------------------------------------------------------------------------------
# JSON


def test_json(invoke: Invoke) -> None:
    (found,) = told(invoke, BOARD, "--kernel", "prewitt-v", "--pad-mode", "zero", "--at", "1,7")
    assert found["thing"] == BOARD
    assert (found["layer"], found["position"], found["output_shape"]) == ("convolve", [1, 7], [8, 8])
    assert (found["rows"], found["columns"], found["from_columns"]) == ([0, 1, 2], [6, 7, 8], [6, 7, None])
    assert found["terms"] == [
        {
            "channel": 0,
            "part": "",
            "samples": [[255, 0, 0], [0, 255, 0], [255, 0, 0]],
            "weights": [[-1, 0, 1]] * 3,
            "products": [[-255, 0, 0], [0, 0, 0], [-255, 0, 0]],
            "sum": -510,
        }
    ]
    assert [found[key] for key in ("sum", "divisor", "scale", "bias", "response")] == [-510, 1, 1, 0, -510]
    assert [found[key] for key in ("mapping", "level", "clipped", "pixel", "depth")] == ["abs", 510, True, 255, "uint8"]
    assert found["kind"] is found["winners"] is found["formula"] is None


def test_json_of_a_pool_and_a_layer(invoke: Invoke) -> None:
    (found,) = told(invoke, BOARD, "--size", "3", "--padding", "1", "--at", "0,0")
    assert (found["kind"], found["size"], found["stride"], found["response"]) == ("max", [3, 3], [3, 3], 255)
    assert (found["winners"], found["count"]) == ([[0, 0], [1, 1]], 2)
    assert found["counted"] == [[False] * 3, [False, True, True], [False, True, True]]
    (found,) = told(invoke, DIGITS, "--input", THREE, "--layer", "bn1", "--at", "5,6,0")
    assert found["sources"][0]["layer"] == "conv1"
    assert found["numbers"].keys() == {"weight", "bias", "mean", "variance", "epsilon"}


# ---------------------------------------------------------------------------------------------------------------------
# What is traced is what the other commands write


@pytest.mark.parametrize("words", [
    ("convolve", "-k", "sobel"), ("convolve", "-k", "gaussian:5", "--stride", "2"), ("convolve", "-k", "sharpen"),
    ("convolve", "-k", "laplacian", "--mapping", "normalize", "--channels", "sum"),
    ("convolve", "-k", "emboss", "--gray", "luma", "--flip", "--mapping", "shift"),
    ("convolve", "-k", "sobel-h", "--depth", "16", "--gray", "mean"),
    ("pool", "--kind", "avg", "--size", "3", "--padding", "1", "--count-include-pad"), ("pool", "--global"),
    ("pipeline", "--steps", "gray | convolve sobel-v | relu | pool"),
])  # fmt: skip
def test_the_pixel_in_the_file(words: tuple[str, ...], invoke: Invoke, colour: str) -> None:
    command, *options = words
    assert invoke(command, colour, *options, "-o", "out.png").code == 0
    written = np.asarray(PIL.Image.open("out.png"))
    kind = ["--kind", "max"] if "--global" in options else []
    for value in told(invoke, colour, *options, *kind, "--walk", "1000"):
        assert value["pixel"] == written[tuple(value["position"])]


def test_the_value_in_an_array(invoke: Invoke, colour: str) -> None:
    np.save("x.npy", RGB.astype(np.float32) / 255)
    assert invoke("convolve", "x.npy", "-k", "random:3:4", "-o", "y.npy").code == 0
    written = np.load("y.npy")
    for value in told(invoke, "x.npy", "-k", "random:3:4", "--walk", "9"):
        assert value["response"] == value["pixel"] == written[tuple(value["position"])]


def test_transparency(invoke: Invoke, folder: Path) -> None:
    alpha = RNG.integers(0, 256, (9, 8)).astype(np.uint8)
    PIL.Image.fromarray(np.dstack([RGB, alpha])).save("rgba.png")
    assert invoke("convolve", "rgba.png", "-k", "blur", "--stride", "2", "-o", "out.png").code == 0
    written = np.asarray(PIL.Image.open("out.png"))
    values = told(invoke, "rgba.png", "-k", "blur", "--stride", "2", "--at", "2,3")
    assert [value["pixel"] for value in values] == written[2, 3, :3].tolist()
    assert {value["alpha"] for value in values} == {written[2, 3, 3]}
    assert told(invoke, "rgba.png", "-k", "blur", "--alpha", "drop", "--at", "2,3,0")[0]["alpha"] is None
    assert "keep or drop fits" in refused(invoke, "rgba.png", "-k", "blur", "--alpha", "filter", "--at", "2,3")


def test_a_kernel_or_a_pipeline_is_traced_on_the_input(invoke: Invoke) -> None:
    (one,) = told(invoke, "sobel-v", "--input", BOARD, "--at", "2,2", "--stride", "3")
    (two,) = told(invoke, BOARD, "--kernel", "sobel-v", "--at", "2,2", "--stride", "3")
    assert one == two
    edges = str(SAMPLES / "edges.toml")
    (one,) = told(invoke, edges, "--input", HARBOR, "--layer", "edges", "--at", "50,60")
    (two,) = told(invoke, HARBOR, "--file", edges, "--layer", "edges", "--at", "50,60")
    assert (one["response"], one["type"], one["inputs"]) == (two["response"], "convolve", two["inputs"])


# ---------------------------------------------------------------------------------------------------------------------
# Wrong usage


@pytest.mark.parametrize("text", ["", "3;4", "a,b", "1,2,3,4", "1.5,2", "3,", "1" * 30])
def test_positions_that_are_none(text: str) -> None:
    with pytest.raises(ParameterError, match="is not Y,X or Y,X,C, as in 3,4"):
        position(text)


@pytest.mark.parametrize(("words", "message"), [
    ([BOARD, "-k", "sobel-v", "--at", "3;4"],
     "--at: '3;4' is not Y,X or Y,X,C, as in 3,4 (one number for a vector)"),
    ([BOARD, "-k", "sobel-v", "--at", "8,0"], "--at: 8,0 lies outside the output of 8x8; Y,X up to 7,7 fit"),
    ([BOARD, "-k", "sobel-v", "--at=-1,0"], "--at: -1,0 lies outside the output of 8x8; Y,X up to 7,7 fit"),
    ([BOARD, "-k", "sobel-v", "--at", "4,0", "--stride", "2"],
     "--at: 4,0 lies outside the output of 4x4; Y,X up to 3,3 fit"),
    ([DIGITS, "--input", THREE, "--at", "0,0"], "--at: 0,0 lies outside the output of 10; I up to 9 fit"),
    ([BOARD, "--at", "0,0"],
     "--at: the operation is missing: --kernel for convolve, --kind or --size for pool, --steps or --file"),
    (["--at", "0,0"], "THING: a picture is needed, as in: inspect img.png --kernel sobel-v --at 3,4"),
    ([BOARD, "-k", "sobel-v", "--kind", "max", "--at", "0,0"],
     "--kind: cannot be traced together with --kernel; one is enough"),
    ([BOARD, "--kind", "max", "--pad-mode", "zero", "--at", "0,0"],
     "--pad-mode: is no option of pool, which --kind asks for"),
    ([BOARD, "--steps", "relu", "--stride", "2", "--at", "0,0"],
     "--stride: belongs to convolve and pool; in a pipeline it is a key of a layer"),
    ([DIGITS, "--at", "0,0"], "--input: the picture that the pipeline is applied to is missing"),
    ([DIGITS, "--input", "8x8", "--at", "0,0"], "--input: 8x8 is a shape; values come from a picture"),
    (["--input", THREE, "--at", "0,0"],
     "--at: the operation is missing: --kernel for convolve, --kind or --size for pool, --steps or --file"),
    (["--steps", "relu", "--walk", "3"],
     "THING: a picture is needed, as in: inspect img.png --kernel sobel-v --at 3,4"),
    ([BOARD, "--steps", "relu", "--input", THREE, "--at", "0,0"],
     f"--input: is a second picture beside {BOARD}; one is enough"),
    ([DIGITS, BOARD, "--input", THREE, "--at", "0"], f"--input: is a second picture beside {BOARD}; one is enough"),
    (["relu", BOARD, "--at", "0,0"],
     '--kernel: there is no kernel \'relu\'; it is a layer, as in --steps "convolve blur | relu"'),
    ([DIGITS, "--input", THREE, "--layer", "conv9", "--at", "0,0"],
     "--layer: there is no layer 'conv9'; did you mean conv2 or conv1?"),
])  # fmt: skip
def test_wrong_usage(words: list[str], message: str, invoke: Invoke) -> None:
    assert refused(invoke, *words) == message


def test_a_missing_picture_costs_its_own_trace(invoke: Invoke) -> None:
    done = invoke("inspect", "nowhere.png", BOARD, "-k", "sobel-v", "--at", "0,0", "--report", "json")
    assert (done.code, done.out.count(b"\n"), done.err.count(b"\n")) == (1, 1, 1)
    assert b"nowhere.png" in done.err
