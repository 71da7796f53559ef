"""`cnnfilter pipeline` from outside: files in; files, classes, reports and exit codes out."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from outcomes import KEYS, entries, load, ok, record, refused, save
from pictures import GRAY, RGB, RGBA, RNG
from places import SAMPLES

import cnnfilter

if TYPE_CHECKING:
    from conftest import Invoke
    from numpy.typing import NDArray

    Array = NDArray[Any]


DIGITS = str(SAMPLES / "digits.toml")
DIGIT = str(SAMPLES / "digit-5.png")
STEPS = "gray | convolve sobel-v stride=2 | relu | pool max size=2"
LAYER_KEYS = ["name", "type", "output_shape", "params", "macs", "receptive_field", "bytes", "seconds"]


def stretched(map_of_floats: Array) -> Array:
    """One feature map, minimum..maximum as 0..255."""
    low, high = float(map_of_floats.min()), float(map_of_floats.max())
    return np.floor((map_of_floats.astype(np.float64) - low) * (255 / (high - low)) + 0.5)


# ---------------------------------------------------------------------------------------------------------------------
# pipeline: names and pixels


def write_toml(name: str, *layers: str, top: str = "") -> None:
    """A pipeline file; each layer's keys are separated by semicolons."""
    tables = ["[[layer]]\n" + "\n".join(part.strip() for part in layer.split(";")) for layer in layers]
    Path(name).write_text("\n\n".join([top, *tables]) + "\n", encoding="utf-8")


def test_one_pipeline_is_three_commands(invoke: Invoke, folder: Path) -> None:
    """npy between commands loses nothing: the same pixels, to the last one."""
    for name, array in [("rgb", RGB), ("large", RNG.integers(0, 256, (97, 131, 3)).astype(np.uint8))]:
        save("img.png", array)
        ok(invoke("pipeline", "img.png", "--steps", STEPS, "-o", f"{name}.png"))
        npy = ["-o", "-", "--format", "npy"]
        first = invoke("convolve", "img.png", "--gray", "luma", "-k", "sobel-v", "-s", "2", *npy)
        second = invoke("pipeline", "-", "--steps", "relu", *npy, stdin=first.out)
        third = invoke("pool", "-", "--size", "2", "-o", "p3.png", "--mapping", "clip", stdin=second.out)
        assert [first.code, second.code, third.code] == [0, 0, 0]
        np.testing.assert_array_equal(load(f"{name}.png"), load("p3.png"))
        edges = cnnfilter.convolve(cnnfilter.parse_pipeline("gray").run(array), "sobel-v", stride=2)
        np.testing.assert_array_equal(load("p3.png"), np.clip(cnnfilter.pool(cnnfilter.relu(edges)), 0, 255))


def test_three_commands_in_a_shell(folder: Path) -> None:
    save("img.png", RGB)
    tool = f"{sys.executable} -m cnnfilter"
    script = (
        f'{tool} pipeline img.png --steps "{STEPS}" -o one.png && {tool} convolve img.png --gray luma -k sobel-v -s 2'
        f" -o - --format npy | {tool} pipeline - --steps relu -o - --format npy | {tool} pool - --size 2 -o three.png"
        " --mapping clip"
    )
    done = subprocess.run(["bash", "-o", "pipefail", "-c", script], capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(load("one.png"), load("three.png"))


@pytest.mark.parametrize(("top", "name"), [
    ('name = "edges"', "img.edges.png"), ("", "img.mine.png"), ('name = "a/b"', "img.pipeline.png"),
])  # fmt: skip
def test_names_of_files_of_pipelines(invoke: Invoke, folder: Path, top: str, name: str) -> None:
    save("img.png", GRAY)
    write_toml("mine.toml", 'type = "relu"', top=top)
    ok(invoke("pipeline", "img.png", "--file", "mine.toml"))
    assert entries(folder) == sorted([name, "img.png", "mine.toml"])


def test_names_of_results_and_taps(invoke: Invoke, folder: Path) -> None:
    save("img.png", GRAY)
    steps = "convolve sobel-v name=edge | relu name=kept | pool"
    ok(invoke("pipeline", "img.png", "--steps", steps, "--tap", "edge", "--tap", "kept"))
    beside = entries(folder)
    assert len(beside) == 4
    assert {"img.png", "img.pipeline.png"} <= set(beside)
    for tap in ("edge", "kept"):
        (name,) = [entry for entry in beside if tap in entry]
        assert name.startswith("img.")
        assert name.endswith(f"{tap}.png")
    ok(invoke("pipeline", "img.png", "--steps", steps, "--tap", "edge", "-o", "out/"))
    inside = entries(folder / "out")
    assert "img.png" in inside or "img.pipeline.png" in inside
    assert any("edge" in name for name in inside)
    assert len(inside) == 2


@pytest.mark.parametrize("name", ["a/b", "/../../out", ".."])
def test_taps_stay_in_the_output_folder(invoke: Invoke, folder: Path, name: str) -> None:
    """Whatever a layer is called; a name that no file can have may be refused."""
    save("img.png", GRAY)
    result = invoke("pipeline", "img.png", "--steps", f"relu name={name} | pool", "--tap", name, "-o", "deep/out/")
    if result.code == 2:
        assert "--tap" in refused(result)
        assert entries(folder) == ["img.png"]
    else:
        ok(result)
        assert len(entries(folder / "deep" / "out")) == 2
        assert entries(folder)[:2] == ["deep", "deep/out"]
        assert len(entries(folder)) == 5
        assert entries(folder.parent)[0] == "work"


def test_the_sample_of_edges(invoke: Invoke, folder: Path) -> None:
    save("img.png", RGB)
    ok(invoke("pipeline", "img.png", "--file", str(SAMPLES / "edges.toml")))
    gray = cnnfilter.parse_pipeline("gray").run(RGB)
    wanted = cnnfilter.pool(cnnfilter.relu(cnnfilter.convolve(gray, "sobel-v", stride=2)))
    np.testing.assert_array_equal(load("img.edges.png"), np.clip(wanted, 0, 255))


def test_one_line_and_a_file_are_one(invoke: Invoke, folder: Path) -> None:
    save("img.png", RGB)
    write_toml("x.toml", 'type = "gray"', 'type = "convolve"; kernel = "sobel-v"; stride = 2', 'type = "relu"',
               'type = "pool"; kind = "max"; size = 2')  # fmt: skip
    one = record(invoke("pipeline", "img.png", "--file", "x.toml", "-o", "a.png", "--report", "json"))
    other = record(invoke("pipeline", "img.png", "--steps", STEPS, "-o", "b.png", "--report", "json"))
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()
    timeless = [[{k: v for k, v in row.items() if k != "seconds"} for row in r["layers"]] for r in (one, other)]
    assert timeless[0] == timeless[1]


def test_a_tap_is_the_layers_own_response(invoke: Invoke, folder: Path) -> None:
    save("img.png", RGB)
    steps = "gray | convolve sobel-v name=edge | relu | pool"
    arguments = ["pipeline", "img.png", "--steps", steps, "--tap", "edge", "-o", "out/"]
    ok(invoke(*arguments, "--format", "npy"))
    (tapped,) = [load(path) for path in (folder / "out").iterdir() if "edge" in path.name]
    np.testing.assert_array_equal(tapped, cnnfilter.convolve(cnnfilter.parse_pipeline("gray").run(RGB), "sobel-v"))
    ok(invoke(*arguments))
    (picture,) = [load(p) for p in (folder / "out").iterdir() if "edge" in p.name and p.suffix == ".png"]
    np.testing.assert_array_equal(picture, np.minimum(np.abs(tapped), 255))  # as convolve writes it


def test_json_of_a_pipeline(invoke: Invoke, folder: Path) -> None:
    save("img.png", RGB)
    row = record(invoke("pipeline", "img.png", "--steps", STEPS, "--report", "json"))
    assert list(row)[: len(KEYS)] == KEYS
    assert set(row) - set(KEYS) <= {"layers", "classes"}
    assert (row["operation"], row["output"], row["mapping"]) == ("pipeline", "img.pipeline.png", "clip")
    assert (row["input_shape"], row["output_shape"]) == ([17, 22, 3], [4, 5])
    assert [list(layer)[: len(LAYER_KEYS)] for layer in row["layers"]] == [LAYER_KEYS] * 4
    assert [layer["type"] for layer in row["layers"]] == ["gray", "convolve", "relu", "pool"]
    assert [layer["output_shape"] for layer in row["layers"]] == [[17, 22], [9, 11], [9, 11], [4, 5]]
    assert [layer["params"] for layer in row["layers"]] == [0, 9, 0, 0]
    assert [layer["macs"] for layer in row["layers"]] == [0, 891, 0, 0]
    assert [layer["receptive_field"] for layer in row["layers"]] == [[1, 1], [3, 3], [3, 3], [5, 5]]
    assert all(layer["seconds"] >= 0 for layer in row["layers"])
    assert (row["params"], row["macs"]) == (9, 891)
    assert row.get("classes") is None


def test_the_table_has_a_row_a_layer_and_totals(invoke: Invoke, folder: Path) -> None:
    save("img.png", RGB)
    text = ok(invoke("pipeline", "img.png", "--steps", STEPS)).out.decode()
    for layer in ("gray", "convolve", "relu", "pool"):
        (row,) = [line for line in text.splitlines() if line.split()[:1] == [layer]]
        assert ("9x11" in row) == (layer in ("convolve", "relu"))
    assert "891" in text
    assert "17x22x3 -> 4x5" in " ".join(text.split())


@pytest.mark.parametrize("steps", ["gray | pool", "pool | gray", "gray | convolve blur stride=2", "convolve sobel-v"])
def test_alpha_goes_through_pipelines_of_image_layers(invoke: Invoke, folder: Path, steps: str) -> None:
    """Where every layer keeps one, so does the pipeline."""
    opaque = np.dstack([RGBA[:, :, :3], np.full((9, 10), 200, np.uint8)])
    save("img.png", opaque)
    ok(invoke("pipeline", "img.png", "--steps", steps, "-o", "out.png"))
    result = load("out.png")
    assert result.ndim == 3
    assert (result[:, :, -1] == 200).all()


def test_pipelines_of_cnn_layers_leave_alpha_out(invoke: Invoke, folder: Path) -> None:
    save("img.png", RGBA)
    ok(invoke("pipeline", "img.png", "--steps", "gray | conv2d 1 size=3", "--init", "normal", "-o", "out.png"))
    assert load("out.png").shape == (7, 8)


def test_csv_of_pipelines(invoke: Invoke, folder: Path) -> None:
    save("img.png", RGB)
    text = ok(invoke("pipeline", "img.png", "--steps", STEPS, "--report", "csv")).out.decode()
    (row,) = csv.DictReader(io.StringIO(text))
    assert (row["output"], row["macs"], row["status"]) == ("img.pipeline.png", "891", "ok")
    assert row["classes"] == ""


def test_classes_in_csv_are_those_of_json(invoke: Invoke, folder: Path) -> None:
    (folder / "bad.png").write_bytes(b"no picture")
    words = ["pipeline", DIGIT, "bad.png", "--file", DIGITS, "--report"]
    good, bad = csv.DictReader(io.StringIO(invoke(*words, "csv").out.decode()))
    ranked = json.loads(invoke(*words, "json").out.splitlines()[0])["classes"]
    told = [text.split(" ") for text in good["classes"].split("; ")]
    assert [label for label, _ in told] == [entry["label"] for entry in ranked]
    probabilities = [entry["probability"] for entry in ranked]
    assert [float(number) for _, number in told] == pytest.approx(probabilities, rel=1e-5)
    assert (bad["status"], bad["classes"]) == ("failed", "")


def test_of_many_classes_csv_has_the_likeliest_ten(invoke: Invoke, folder: Path) -> None:
    np.save("x.npy", np.arange(12, dtype=np.float32).reshape(3, 4))
    text = ok(invoke("pipeline", "x.npy", "--steps", "flatten | softmax", "--report", "csv")).out.decode()
    (row,) = csv.DictReader(io.StringIO(text))
    assert [entry.split(" ")[0] for entry in row["classes"].split("; ")] == [str(n) for n in range(11, 1, -1)]


@pytest.mark.parametrize(("option", "path"), [
    ("--output", "k.npy"), ("--output", "hard.npy"), ("--montage", "k.npy"), ("--report-file", "k.csv"),
    ("--report-file", "w.npz"), ("--report-file", "net.toml"),
])  # fmt: skip
def test_no_file_that_the_operation_comes_from_is_written_to(
    invoke: Invoke, folder: Path, option: str, path: str
) -> None:
    save("img.png", RGB[:, :, 0])
    np.save("k.npy", np.ones((3, 3)))
    (folder / "hard.npy").hardlink_to("k.npy")
    (folder / "k.csv").write_text("1,0,-1\n")
    tensors: dict[str, Any] = {"c.weight": np.ones((2, 1, 3, 3), np.float32), "c.bias": np.zeros(2, np.float32)}
    np.savez("w.npz", **tensors)
    kernels = ["k.npy", "k.csv"]
    layers = [f'[[layer]]\ntype = "convolve"\nkernel = "{name}"\n' for name in kernels]
    learned = '[[layer]]\ntype = "conv2d"\nparams = "c"\n'
    (folder / "net.toml").write_text(f'weights = "w.npz"\n{"".join(layers)}{learned}')
    before = {entry: entry.read_bytes() for entry in folder.iterdir()}
    words = ["pipeline", "img.png", "--file", "net.toml", "-q", "--format", "npy"]
    words += [] if path.endswith("csv") else ["--report", "json"]
    words += [] if option == "--output" else ["-o", "x.npy"]
    done = invoke(*words, option, path)
    assert (done.code, done.out, done.err.count(b"\n")) == (2, b"", 1)
    kind = {"w.npz": "weights", "net.toml": "pipeline"}.get(path, "kernel")
    assert f"{option}: {path} is also the {kind} of this run; choose another" in done.err.decode()
    assert {entry: entry.read_bytes() for entry in folder.iterdir()} == before
    ok(invoke(*words, option, f"other{Path(path).suffix}"))


# ---------------------------------------------------------------------------------------------------------------------
# Classes and feature maps


def test_classes_in_json(invoke: Invoke, folder: Path) -> None:
    row = record(invoke("pipeline", DIGIT, "--file", DIGITS, "--report", "json"))
    assert row["status"] == "ok"
    assert row["classes"][0]["label"] == "5"
    assert [list(entry) for entry in row["classes"]] == [["label", "probability"]] * 10
    assert {entry["label"] for entry in row["classes"]} == set("0123456789")
    probabilities = [entry["probability"] for entry in row["classes"]]
    assert probabilities == sorted(probabilities, reverse=True)
    assert sum(probabilities) == pytest.approx(1, abs=1e-5)
    assert row["output_shape"] == [10]
    assert [layer["name"] for layer in row["layers"]][-2:] == ["fc", "softmax"]
    assert entries(folder) == []


def test_classes_are_printed_ranked(invoke: Invoke, folder: Path) -> None:
    row = record(invoke("pipeline", DIGIT, "--file", DIGITS, "--report", "json"))
    text = ok(invoke("pipeline", DIGIT, "--file", DIGITS)).out.decode()
    ranked = re.findall(r"^\s*(?:\d+\W+)?(\S+)\s+([\d.]+) ?%", text, re.MULTILINE)
    assert [label for label, _ in ranked] == [entry["label"] for entry in row["classes"]]
    assert float(ranked[0][1]) == pytest.approx(100 * row["classes"][0]["probability"], abs=0.06)
    assert entries(folder) == []


@pytest.mark.parametrize("digit", range(10))
def test_drawn_digits(invoke: Invoke, folder: Path, digit: int) -> None:
    row = record(invoke("pipeline", str(SAMPLES / f"digit-{digit}.png"), "--file", DIGITS, "--report", "json"))
    assert row["classes"][0]["label"] == str(digit)


def test_the_vector_as_npy(invoke: Invoke, folder: Path) -> None:
    ok(invoke("pipeline", DIGIT, "--file", DIGITS, "-o", "x.npy"))
    vector = load("x.npy")
    assert vector.shape == (10,)
    assert vector.dtype == np.float32
    assert int(vector.argmax()) == 5


def test_a_tap_of_feature_maps_is_a_grid(invoke: Invoke, folder: Path) -> None:
    """Every map is there, stretched on its own."""
    ok(invoke("pipeline", DIGIT, "--file", DIGITS, "--tap", "conv1", "-o", "maps/"))
    (name,) = entries(folder / "maps")
    assert "conv1" in name
    grid = load(folder / "maps" / name)
    ok(invoke("pipeline", DIGIT, "--file", DIGITS, "--tap", "conv1", "-o", "raw/", "--format", "npy"))
    (raw,) = [load(path) for path in (folder / "raw").iterdir() if "conv1" in path.name]
    assert raw.shape == (32, 32, 8)
    gray = grid if grid.ndim == 2 else grid[:, :, 0]
    for index in range(8):
        assert contains(gray, stretched(raw[:, :, index]))


def contains(picture: Array, tile: Array) -> bool:
    """Whether the tile is somewhere in the picture, within a level; enlarged by whole factors it may be."""
    for factor in range(1, 17):
        for top in range(factor):
            for left in range(factor):
                seen = picture[top::factor, left::factor].astype(int)
                if seen.shape[0] < tile.shape[0] or seen.shape[1] < tile.shape[1]:
                    continue
                views = np.lib.stride_tricks.sliding_window_view(seen, (tile.shape[0], tile.shape[1]))
                corners = np.argwhere(np.abs(views[:, :, 0, 0] - tile[0, 0]) <= 1)
                if any((np.abs(views[y, x] - tile) <= 1).all() for y, x in corners):
                    return True
    return False


def test_maps_as_files(invoke: Invoke, folder: Path) -> None:
    ok(invoke("pipeline", DIGIT, "--file", DIGITS, "--tap", "conv1", "-o", "maps/", "--maps", "files"))
    names = entries(folder / "maps")
    ok(invoke("pipeline", DIGIT, "--file", DIGITS, "--tap", "conv1", "-o", "raw/", "--format", "npy"))
    (raw,) = [load(path) for path in (folder / "raw").iterdir() if "conv1" in path.name]
    assert len(names) == 8
    for index, name in enumerate(names):
        picture = load(folder / "maps" / name)
        assert picture.shape == (32, 32)
        assert float(np.abs(picture - stretched(raw[:, :, index])).max()) <= 1


def test_a_stack_at_the_end_is_normalised_a_map(invoke: Invoke, folder: Path) -> None:
    save("img.png", RGB)
    arguments = ["pipeline", "img.png", "--steps", "conv2d 5 size=3", "--init", "normal", "--seed", "2"]
    row = record(invoke(*arguments, "--report", "json"))
    assert (row["mapping"], row["output_shape"]) == ("normalize", [15, 20, 5])
    grid = load("img.pipeline.png")
    ok(invoke(*arguments, "-o", "x.npy"))
    gray = grid if grid.ndim == 2 else grid[:, :, 0]
    for index in range(5):
        assert contains(gray, stretched(load("x.npy")[:, :, index]))


def test_init_and_seed(invoke: Invoke, folder: Path) -> None:
    save("img.png", RGB)
    for name, seed in [("a", "1"), ("b", "1"), ("c", "2")]:
        ok(invoke("pipeline", "img.png", "--steps", "conv2d 4 size=3", "--init", "normal", "--seed", seed,
                  "-o", f"{name}.npy"))  # fmt: skip
    assert Path("a.npy").read_bytes() == Path("b.npy").read_bytes()
    assert Path("a.npy").read_bytes() != Path("c.npy").read_bytes()
    wanted = cnnfilter.parse_pipeline("conv2d 4 size=3", init="normal", seed=1).run(RGB)
    np.testing.assert_array_equal(load("a.npy"), wanted)


def test_weights_of_a_line(invoke: Invoke, folder: Path) -> None:
    save("img.png", RGB)
    weight = RNG.standard_normal((2, 3, 3, 3)).astype(np.float32)
    np.savez("w.npz", w=weight)
    ok(invoke("pipeline", "img.png", "--steps", "conv2d weight=w bias=false", "--weights", "w.npz", "-o", "x.npy"))
    np.testing.assert_array_equal(load("x.npy"), cnnfilter.conv2d(RGB, weight.transpose(2, 3, 1, 0)))


def test_a_dry_run_tells_shapes_and_writes_nothing(invoke: Invoke, folder: Path) -> None:
    save("img.png", RGB)
    row = record(invoke("pipeline", "img.png", "--steps", STEPS, "--dry-run", "--report", "json"))
    assert (row["output_shape"], row["output"]) == ([4, 5], "img.pipeline.png")
    row = record(invoke("pool", "img.png", "--dry-run", "--report", "json"))
    assert (row["output_shape"], row["output"]) == ([8, 11, 3], "img.max2x2.png")
    assert entries(folder) == ["img.png"]


def test_no_clobber(invoke: Invoke, folder: Path) -> None:
    save("img.png", RGB)
    for command in (["pool"], ["pipeline", "--steps", STEPS]):
        first = record(invoke(*command, "img.png", "-n", "--report", "json"))
        again = record(invoke(*command, "img.png", "-n", "--report", "json"))
        assert (first["status"], again["status"]) == ("ok", "skipped")


# ---------------------------------------------------------------------------------------------------------------------
# Misuse


@pytest.mark.parametrize(("arguments", "words"), [
    (["--steps", "gray | pool siez=3"], ["step 2", "siez", "size"]),
    (["--steps", "gray | convolv sobel-v"], ["step 2", "convolv", "convolve"]),
    (["--steps", "convolve sobbel-v"], ["step 1", "sobbel-v", "sobel-v"]),
    (["--steps", ""], ["--steps", "empty"]),
    (["--steps", "relu | | pool"], ["step 2", "empty"]),
    (["--steps", "relu", "--file", "x.toml"], ["--steps", "--file"]),
    ([], ["--steps", "--file"]),
    (["--file", "missing.toml"], ["missing.toml"]),
    (["--file", "typo.toml"], ["typo.toml", "line 3", "siez", "size"]),
    (["--file", "broken.toml"], ["broken.toml"]),
    (["--file", "weights.toml"], ["conv", "nothing.npz"]),
    (["--file", "x.toml", "--seed", "x"], ["--seed", "x"]),
    (["--file", "x.toml", "--init", "normal"], ["--file"]),
    (["--steps", "conv2d 4 size=3 name=c"], ["step 1", "c", "weights", "init"]),
    (["--steps", "conv2d params=c", "--weights", "w.npz"], ["step 1", "c.weight", "w.npz"]),
    (["--steps", "conv2d 4 size=3 weight=w bias=false", "--weights", "w.npz"], ["step 1", "2x3x3x3", "4x3x3x3"]),
    (["--steps", "relu | pool", "--tap", "rleu"], ["--tap", "rleu", "relu"]),
    (["--steps", "relu | pool size=30"], ["step 2", "30x30", "17x22"]),
    (["--steps", "flatten", "-o", "x.png"], ["vector", "npy"]),
    (["--steps", "flatten | softmax name=s", "-o", "x.png"], ["vector", "npy"]),
    (["--steps", "relu name=a | relu name=a"], ["'a'", "step"]),
    (["--steps", "add from=a,b name=a | relu"], ["a", "b"]),
    (["--steps", "relu", "--maps", "pictures"], ["--maps", "pictures"]),
    (["--steps", "relu", "--alpha", "filter"], ["--alpha", "filter"]),
], ids=str)  # fmt: skip
def test_pipeline_misused(invoke: Invoke, folder: Path, arguments: list[str], words: list[str]) -> None:
    save("img.png", RGB)
    write_toml("x.toml", 'type = "relu"')
    write_toml("typo.toml", 'type = "pool"; siez = 3')
    write_toml("weights.toml", 'type = "conv2d"; params = "conv"', top='weights = "nothing.npz"')
    Path("broken.toml").write_text("[[layer]", encoding="utf-8")
    np.savez("w.npz", w=np.zeros((2, 3, 3, 3), np.float32))
    before = entries(folder)
    text = refused(invoke("pipeline", "img.png", *arguments))
    for word in words:
        assert word in text
    assert entries(folder) == before


@pytest.mark.parametrize(("array", "steps"), [
    (RGB, "conv2d 4 size=3 weight=w bias=false"), (RGB, "conv2d weight=w bias=false"),
], ids=["given", "told"])  # fmt: skip
def test_channels_that_do_not_fit_name_gray(invoke: Invoke, folder: Path, array: Array, steps: str) -> None:
    """Weights for one channel, and a colour picture."""
    save("img.png", array)
    np.savez("w.npz", w=np.zeros((4, 1, 3, 3), np.float32))
    text = refused(invoke("pipeline", "img.png", "--steps", steps, "--weights", "w.npz"))
    for word in ("step 1", "gray", "4x1x3x3", "3"):
        assert word in text


def test_a_gray_picture_for_a_network_of_colours(invoke: Invoke, folder: Path) -> None:
    save("img.png", GRAY)
    np.savez("w.npz", w=np.zeros((4, 3, 3, 3), np.float32))
    text = refused(invoke("pipeline", "img.png", "--steps", "conv2d weight=w bias=false", "--weights", "w.npz"))
    assert "step 1" in text
    assert "3 channels" in text or "colour" in text


def test_one_misfit_in_a_batch_stops_no_others(invoke: Invoke, folder: Path) -> None:
    save("a.png", RGB)
    save("b.png", RGB[:3, :3])
    result = invoke("pipeline", "a.png", "b.png", "--steps", "pool size=4", "-o", "out/")
    assert result.code == 1
    assert b"b.png" in result.err
    assert entries(folder / "out") == ["a.png"]


@pytest.mark.parametrize("command", ["pool", "pipeline"])
def test_help_ends_with_examples(invoke: Invoke, command: str) -> None:
    text = ok(invoke(command, "--help")).out.decode()
    examples = text[text.index("Examples:") :]
    assert 2 <= examples.count(f"cnnfilter {command} ") <= 3


def test_a_vector_that_is_not_written_is_told(invoke: Invoke, folder: Path) -> None:
    save("img.png", RGB)
    note = "result      a vector, which is not written; -o x.npy takes it"
    assert note in ok(invoke("pipeline", "img.png", "--steps", "flatten")).out.decode().splitlines()
    assert note not in ok(invoke("pipeline", "img.png", "--steps", "flatten", "-o", "x.npy")).out.decode().splitlines()
    assert note not in ok(invoke("pipeline", DIGIT, "--file", DIGITS)).out.decode().splitlines()


def test_the_table_of_a_dry_run_has_no_empty_columns(invoke: Invoke, folder: Path) -> None:
    save("img.png", RGB)
    words = ["convolve", "img.png", "-k", "blur", "-k", "sobel", "-o", "out/"]
    heads = ["output", "in", "out", "values", "mapping", "MACs"]
    assert ok(invoke(*words, "--dry-run")).out.decode().splitlines()[0].split() == heads
    assert ok(invoke(*words)).out.decode().splitlines()[0].split() == [*heads, "bytes", "s"]
