"""What people write who mean something else, and what the command tells them."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import Invoke
from PIL import Image
from places import SAMPLES

DIGIT, DIGITS = str(SAMPLES / "digit-3.png"), str(SAMPLES / "digits.toml")
BARE = '[[layer]]\ntype = "conv2d"\nfilters = 2\nsize = 3\n'
SLIPS = [
    # inputs that belong to an option
    (["pool", "img.png", "max", "-o", "x.png"], "INPUT: max: no such file; --kind max?"),
    (["pool", "img.png", "avg"], "INPUT: avg: no such file; --kind avg?"),
    (["pool", "img.png", "2"], "INPUT: 2: no such file; --size 2?"),
    (["pool", "img.png", "2x3", "-o", "x.png"], "INPUT: 2x3: no such file; --size 2x3?"),
    (["pool", "img.png", "none.png", "-o", "x.png"], "INPUT: none.png: no such file"),
    (["pipeline", "img.png", "net.toml"], "INPUT: net.toml: is no picture; --file net.toml?"),
    (["pipeline", "net.toml", "--steps", "relu"], "INPUT: net.toml: is no picture; --file net.toml?"),
    (["convolve", "img.png", "sobel-v"], "INPUT: sobel-v: no such file; --kernel sobel-v?"),
    (["convolve", "img.png", "gaussian:5", "-k", "blur"], "INPUT: gaussian:5: no such file; --kernel gaussian:5?"),
    (["convolve", "img.png", "k.txt"], "INPUT: k.txt: is no picture; --kernel k.txt?"),
    (["convolve", "k.txt", "-k", "blur"], "INPUT: k.txt: is no picture; --kernel k.txt?"),
    (["convolve", "img.png"], "Missing option '-k' / '--kernel'."),
    # options
    (["pool", "img.png", "3.png", "-o", "new"], "several results do not fit into 'new'; -o new/ makes a folder"),
    (["pool", "-dash.png"], "No such option '-d'; ./-dash.png is the file."),
    (["pool", "img.png", "--pad-mode", "zero"], "No such option '--pad-mode' in pool; it is one of convolve."),
    (["convolve", "img.png", "--size", "3"], "No such option '--size' in convolve; it is one of pool."),
    (["inspect", "img.png", "--output", "x"],
     "No such option '--output' in inspect; it is one of convolve, pool, pipeline."),
    (["convolve", "img.png", "--kernels", "blur"], "No such option '--kernels'."),
    (["inspect", "img.png", "-k", "blur", "-at", "3,4"], "No such option '-at'; --at has two dashes."),
    (["pool", "img.png", "-kind=max"], "No such option '-kind=max'; --kind=max has two dashes."),
    (["pool", "img.png", "-x"], "No such option '-x'."),
    (["convolve", "img.png", "--gray"], "Option '--gray' requires an argument. --gray luma|mean is right."),
    (["pool", "img.png", "-s"], "Option '-s' requires an argument. -s N|YxX is right."),
    (["pipeline", "img.png", "--init"], "Option '--init' requires an argument. --init normal is right."),
    (["pool", "img.png", "--global", "--size", "3"], "--size: 3 beside --global, which is short for --size all"),
    (["inspect", "img.png", "--size", "3", "--global"], "--size: 3 beside --global, which is short for --size all"),
    (["pool", "img.png", "--strip=yes"], "Option '--strip' does not take a value."),
    # commands
    (["img.png"], "The command is missing before img.png; there are convolve, inspect, pipeline, pool."),
    (["help"], "No such command 'help'; --help tells how to use it."),
    (["convolv", "img.png"], "No such command 'convolv'."),
    # kernels
    (["convolve", "img.png", "-k", "img.png"],
     "--kernel: there is no kernel 'img.png'; a kernel file ends in .npy, .txt or .csv"),
    (["convolve", "img.png", "-k", "net.toml"], "a kernel file ends in .npy, .txt or .csv"),
    (["convolve", "img.png", "-k", "3.png"], "a kernel file ends in .npy, .txt or .csv"),
    (["convolve", "img.png", "-k", "[[1,0],[0,1]]"], 'a matrix is written "1 0; 0 1"'),
    (["convolve", "img.png", "-k", "[1 0; 0 1]"], 'a matrix is written "1 0 ; 0 1"'),
    (["convolve", "img.png", "-k", "blur", "-k", "blur", "-o", "out/"], "--kernel: blur is given twice"),
    (["convolve", "img.png", "-k", "1 2", "-k", "3 4"],
     "--kernel: '1 2' and '3 4' are both called kernel in names of outputs; files with names of their own (edge.txt)"),
    (["convolve", "img.png", "-k", "edge"], "did you mean sobel or laplacian?"),
    (["convolve", "img.png", "-k", "average"], "did you mean blur or box:3?"),
    (["inspect", "edge"], "there is neither a file nor a kernel 'edge'; did you mean sobel or laplacian?"),
    # steps
    (["pipeline", "img.png", "--steps", "gray, convolve sobel-v, relu"], "separate steps with |"),
    (["pipeline", "img.png", "--steps", "gray,relu"], "separate steps with |"),
    (["pipeline", "img.png", "--steps", "relu; pool"], "separate steps with |"),
    (["pipeline", "img.png", "--steps", "gray -> relu"], "step 1: 'gray -> relu' is not one step"),
    (["pipeline", "img.png", "--steps", "gray relu"],
     "step 1: 'gray relu' is not one step; separate steps with |, as in gray | relu"),
    (["pipeline", "img.png", "--steps", "relu pool"], "step 1: 'relu pool' is not one step"),
    (["pipeline", "img.png", "--steps", "gray | convolve blur stride=2 relu"], "step 2: 'convolve blur stride=2 relu'"),
    (["pipeline", "img.png", "--steps", "gray sobel-v"], "step 1: 'gray sobel-v' is not one step"),
    (["pipeline", "img.png", "--steps", "net.toml"], "--steps: net.toml is a pipeline file; --file net.toml?"),
    (["pipeline", "img.png", "--steps", "gray | sobel-v"], "step 2 (sobel-v)"),
    (["pipeline", "img.png", "--steps", "gray | sobel-v"], "did you mean convolve sobel-v?"),
    (["pipeline", "img.png", "--steps", "gaussian:5"], "did you mean convolve gaussian:5?"),
    (["pipeline", "img.png", "--steps", "max"], "did you mean pool max?"),
    (["pipeline", "img.png", "--steps", "pool max 2"], "did you mean size=2?"),
    (["pipeline", "img.png", "--steps", "pool 2"], "kind: '2' is not one of max, avg, min; did you mean size=2?"),
    (["pipeline", "img.png", "--steps", "pool 2x3"], "did you mean size=2x3?"),
    (["pipeline", "img.png", "--steps", "convolve blur 2"], "did you mean stride=2?"),
    (["pipeline", "img.png", "--steps", "pool mean"], "is not one of max, avg, min; did you mean avg?"),
    # values of options
    (["convolve", "img.png", "-k", "blur", "--padding", "zero"], "--padding: 'zero' is a pad mode: --pad-mode zero"),
    (["convolve", "img.png", "-k", "blur", "-p", "reflect"], "--pad-mode reflect"),
    (["pool", "img.png", "--padding", "edge"], "--padding: 'edge' is a pad mode, and pooling has none"),
    (["pool", "img.png", "--kind", "mean"], "'mean' is not one of 'max', 'avg', 'min'; did you mean avg?"),
    (["pool", "img.png", "--kind", "average"], "did you mean avg?"),
    (["pool", "img.png", "--kind", "maximum"], "did you mean max?"),
    (["pool", "img.png", "--kind", "3"], "'3' is not one of 'max', 'avg', 'min'; did you mean --size 3?"),
    (["pool", "img.png", "--kind", "median"], "'median' is not one of 'max', 'avg', 'min'."),
    (["inspect", "img.png", "-k", "blur", "--at", "10"], "--at: 10 lacks X; write Y,X, as in 10,0"),
    (["pipeline", "img.png", "--file", "img.png"], "--file: img.png: is not a TOML file"),
    # weights
    (["pipeline", "img.png", "--file", "net.toml"],
     '--file: net.toml: line 1 (conv2d): conv2d has no weight; add the line weights = "FILE" or init = "normal" at the'
     " top of net.toml"),
    (["pipeline", "img.png", "--file", "net.toml", "--init", "normal"], 'the line init = "normal" at the top of net.t'),
    (["pipeline", "img.png", "--file", "net.toml", "--weights", "w.npz"], 'the line weights = "w.npz" at the top of'),
    (["pipeline", "img.png", "--file", "net.toml", "--seed", "3"], "add the line seed = 3 at the top of net.toml"),
    (["pipeline", "img.png", "--steps", "conv2d 2 size=3"], "--weights FILE or --init normal"),
    # shapes
    (["inspect", "--steps", "gray | relu", "--input", "1x64x48"], "height x width x channels: 64x48x1?"),
    (["inspect", "--steps", "pool size=4", "--input", "3x224x224"], "height x width x channels: 224x224x3?"),
]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a picture, a kernel and a network without weights."""
    monkeypatch.chdir(tmp_path)
    Image.fromarray(np.arange(192, dtype=np.uint8).reshape(8, 8, 3)).save("img.png")
    shutil.copy("img.png", "3.png")
    shutil.copy("img.png", "./-dash.png")
    Path("k.txt").write_text("1 0\n0 1\n", encoding="utf-8")
    Path("net.toml").write_text(BARE, encoding="utf-8")
    return tmp_path


def entries(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(("arguments", "told"), SLIPS, ids=[" ".join(arguments) for arguments, _ in SLIPS])
def test_a_slip_is_told_with_what_was_meant(invoke: Invoke, folder: Path, arguments: list[str], told: str) -> None:
    before = entries(folder)
    done = invoke(*arguments)
    line = done.err.decode()
    assert (done.code, done.out, line.count("\n")) == (2, b"", 1)
    assert told in line
    assert entries(folder) == before


def test_no_name_is_listed_twice(invoke: Invoke, folder: Path) -> None:
    listed = invoke("convolve", "img.png", "-k", "zzqqzz").err.decode().partition("there are ")[2].strip().split(", ")
    assert "gaussian" in listed
    assert len(listed) == len(set(listed))


def test_a_shape_that_fits_is_taken_as_it_is(invoke: Invoke) -> None:
    done = invoke("inspect", "--steps", "relu", "--input", "3x224x224", "--report", "json")
    assert json.loads(done.out)["output_shape"] == [3, 224, 224]


def test_a_picture_called_like_a_kind_is_a_picture(invoke: Invoke, folder: Path) -> None:
    shutil.copy("img.png", "max")
    assert invoke("pool", "max", "-o", "x.png").code == 0
    with Image.open("x.png") as pooled:
        assert pooled.size == (4, 4)


@pytest.mark.parametrize(("steps", "options", "warned"), [
    ("flatten | dense 3 | softmax", ["--init", "normal"], True),
    ("conv2d 2 size=3 init=normal | flatten | softmax", [], True),
    ("flatten | softmax", [], False),
    ("conv2d 3 size=3", ["--init", "normal", "-o", "x.png"], False),
])  # fmt: skip
def test_random_probabilities_are_called_so(
    invoke: Invoke, folder: Path, steps: str, options: list[str], warned: bool
) -> None:
    done = invoke("pipeline", "img.png", "--steps", steps, "--report", "json", *options)
    told = ["the weights are random (init = normal): the probabilities mean nothing"]
    assert json.loads(done.out.splitlines()[0])["warnings"] == told * warned


def test_learnt_probabilities_have_no_warning(invoke: Invoke) -> None:
    done = invoke("pipeline", DIGIT, "--file", DIGITS, "--report", "json")
    assert json.loads(done.out)["warnings"] == []


@pytest.mark.parametrize("options", [[], ["--dry-run"], ["--preview"], ["--montage", "m.png"]], ids=str)
def test_a_tapped_vector_is_told_and_the_pictures_are_written(invoke: Invoke, folder: Path, options: list[str]) -> None:
    words = ["--tap", "conv1", "--tap", "fc", "-o", "maps/", "--report", "json"]
    done = invoke("pipeline", DIGIT, "--file", DIGITS, *words, *options)
    assert done.code == 0
    rows = [json.loads(line) for line in done.out.splitlines() if line.startswith(b"{")]
    assert [row["output"] for row in rows] == [None, "maps/digit-3.conv1.png", None]
    assert rows[2]["warnings"] == ["--tap: fc gives a vector, which is written as npy only (--format npy)"]
    if "--dry-run" not in options:
        assert entries(folder / "maps") == ["digit-3.conv1.png"]


@pytest.mark.parametrize(("words", "told"), [
    (["convolve", "k.txt", "img.png", "-k", "identity"], "k.txt: is no picture; --kernel k.txt?"),
    (["pipeline", "net.toml", "img.png", "--steps", "relu"], "net.toml: is no picture; --file net.toml?"),
])  # fmt: skip
def test_a_file_of_another_kind_among_all_of_a_folder_fails_by_itself(
    invoke: Invoke, folder: Path, words: list[str], told: str
) -> None:
    done = invoke(*words, "-o", "out/", "-q")
    assert (done.code, done.err.decode()) == (1, f"cnnfilter: {told}\n")
    assert [path.name for path in (folder / "out").iterdir()] == ["img.png"]
    assert Image.open("out/img.png").tobytes() == Image.open("img.png").tobytes()
