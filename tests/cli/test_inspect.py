"""The inspect command: what it prints, its JSON, its exit codes."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from conftest import Invoke, Run
from outcomes import ok, refused
from places import SAMPLES

import cnnfilter
from cnnfilter.cli.operations import GROUPS, parameters
from cnnfilter.core.catalogue import LAYER_KEYS, LAYER_MEANINGS
from cnnfilter.model.layers import LAYERS

CHESSBOARD, HARBOR = str(SAMPLES / "chessboard.png"), str(SAMPLES / "harbor.jpg")


def told(invoke: Invoke, *arguments: str, stdin: bytes = b"") -> str:
    """What inspect prints when all goes well."""
    done = invoke("inspect", *arguments, stdin=stdin)
    assert (done.code, done.err) == (0, b"")
    return done.out.decode()


def record(invoke: Invoke, *arguments: str, stdin: bytes = b"") -> dict[str, Any]:
    """The one JSON line."""
    (line,) = told(invoke, *arguments, "--report", "json", stdin=stdin).splitlines()
    found: dict[str, Any] = json.loads(line)
    return found


class TestKernels:
    def test_a_kernel_is_drawn_and_explained(self, invoke: Invoke) -> None:
        out = told(invoke, "sobel-v")
        lines = out.splitlines()
        assert lines[0] == "sobel-v  3x3 kernel: edge detection (first derivative)"
        assert lines[6].startswith("== -2 ==   0    ▓▓ 2 ▓▓▓")
        assert "Answers to vertical edges: positive where it is brighter to the right" in out
        assert "rank         1, separable: column [1 2 1] x row [-1 0 1]" in lines
        assert "             s3 = s2[+0, +2] - s2" in lines
        assert max(map(len, lines)) <= 80
        assert "\x1b" not in out

    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("blur", "1/9"),
            ("gaussian", "each divided by 256"),
            ("0 -0.25 0; -0.25 2 -0.25; 0 -0.25 0", "-0.25"),
            ("gaussian:3:0.8", "0.272"),
            ("motion:41", "a cell shows the strongest of 2 x 2 weights"),
            ("laplacian", "rank         2: column [1 -4 1] x row [0 1 0] + column [0 1 0] x row [1 0 1]"),
            ("sobel", "sobel-h"),
            ("random:3:20", "... and 4 more filters (--report json)"),
        ],
    )
    def test_numbers_as_they_are_written(self, invoke: Invoke, text: str, shown: str) -> None:
        assert shown in told(invoke, text)

    def test_options_of_convolve_change_what_is_told(self, invoke: Invoke) -> None:
        (execution,) = record(invoke, "-k", "blur", "--stride", "2", "--padding", "valid", "--input", "9x11")[
            "execution"
        ]
        assert (execution["input_shape"], execution["output_shape"]) == ([9, 11], [4, 5])
        assert (execution["stride"], execution["padding"]) == ([2, 2], [[0, 0], [0, 0]])
        assert record(invoke, "blur", "--mapping", "shift")["execution"][0]["mapping"] == "shift"

    def test_cost_for_an_image(self, invoke: Invoke) -> None:
        (execution,) = record(invoke, "sobel-v", "--input", HARBOR)["execution"]
        assert (execution["input_shape"], execution["macs"]) == ([427, 640, 3], 427 * 640 * 3 * 9)
        image, kernel = told(invoke, HARBOR, "-k", "sobel-v", "--gray", "luma", "--report", "json").splitlines()
        assert json.loads(image)["kind"] == "image"
        assert json.loads(kernel)["execution"][0]["input_shape"] == [427, 640]

    def test_files(self, invoke: Invoke, folder: Path) -> None:
        Path("edge.txt").write_text("-1 0 1\n-1 0 1\n", encoding="utf-8")
        np.save("soft.npy", np.ones((3, 5)) / 15)
        np.save("bank.npy", np.ones((3, 3, 1, 4), np.float32))
        np.save("picture.npy", np.zeros((40, 50), np.float32))
        assert record(invoke, "edge.txt")["matrices"][0]["matrix"] == [[-1, 0, 1], [-1, 0, 1]]
        assert record(invoke, "soft.npy")["matrices"][0]["divisor"] == 15
        assert record(invoke, "bank.npy")["shape"] == [3, 3, 1, 4]
        assert record(invoke, "picture.npy")["kind"] == "image"
        assert "bank of 4 filters of 3x3 over 1 channel" in told(invoke, "bank.npy")

    def test_a_bank_that_does_not_fit(self, invoke: Invoke) -> None:
        np_bank = ("random:3:2", "--input", "2x2", "--padding", "valid")
        done = invoke("inspect", *np_bank)
        assert (done.code, done.out) == (2, b"")
        assert b"the output would be empty" in done.err


class TestImages:
    def test_statistics(self, invoke: Invoke) -> None:
        found = record(invoke, CHESSBOARD)
        assert (found["format"], found["shape"], found["dtype"], found["mode"]) == (
            "png",
            [8, 8],
            "uint8",
            "8-bit gray",
        )
        gray = found["channels"]["gray"]
        assert (gray["low"], gray["high"], gray["mean"], gray["deviation"]) == (0, 255, 127.5, 127.5)
        assert (gray["at_low"], gray["at_high"]) == (0.5, 0.5)
        assert (gray["histogram"][0], gray["histogram"][-1], sum(gray["histogram"])) == (32, 32, 64)

    @pytest.mark.usefixtures("among_samples")
    def test_a_photograph_at_80_columns(self, invoke: Invoke) -> None:
        lines = told(invoke, "harbor.jpg").splitlines()
        assert lines[0].endswith("427x640x3 jpeg image")
        assert "red       17  255    172  51.31  0.0%    1.4%" in lines
        assert max(map(len, lines)) <= 80

    def test_how_it_is_read(self, invoke: Invoke, folder: Path) -> None:
        picture = PIL.Image.new("P", (30, 20))
        picture.putpalette([0, 0, 0, 255, 0, 0])
        exif = PIL.Image.Exif()
        exif[0x0112] = 6
        picture.save("turned.png", exif=exif, dpi=(72, 72))
        found = record(invoke, "turned.png")
        assert (found["mode"], found["colours"], found["orientation"]) == ("palette", 2, 6)
        assert (found["shape"], found["exif"]) == ([30, 20, 3], 1)
        out = told(invoke, "turned.png")
        assert "palette of 2 colours" in out
        assert "turned by 90 degrees clockwise, as EXIF says" in out
        assert "72.009 x 72.009 dots per inch" in out

    def test_frames_and_lost_bits_are_told(self, invoke: Invoke, folder: Path) -> None:
        frames = [PIL.Image.new("L", (5, 5), level) for level in (0, 100, 200)]
        frames[0].save("moving.gif", save_all=True, append_images=frames[1:])
        assert record(invoke, "moving.gif")["frames"] == 3
        assert "3, of which the first is read" in told(invoke, "moving.gif")

    def test_alpha_profile_and_deep_gray(self, invoke: Invoke, folder: Path) -> None:
        from PIL import ImageCms

        profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        PIL.Image.new("RGBA", (4, 4), (1, 2, 3, 128)).save("clear.png", icc_profile=profile)
        found = record(invoke, "clear.png")
        assert (found["alpha"], found["shape"], found["channels"]["alpha"]["mean"]) == (True, [4, 4, 3], 128)
        assert found["profile_bytes"] == len(profile)
        assert "sRGB" in found["profile"]
        PIL.Image.fromarray(np.full((4, 4), 40_000, np.uint16)).save("deep.png")
        deep = record(invoke, "deep.png")
        assert (deep["dtype"], deep["mode"], deep["levels"]) == ("uint16", "16-bit gray", [0, 65535])

    def test_arrays(self, invoke: Invoke, folder: Path) -> None:
        np.save("floats.npy", np.array([[[np.nan, 1], [300, 2]]] * 40, np.float32))
        found = record(invoke, "floats.npy")
        assert list(found["channels"]) == ["channel 0", "channel 1"]
        assert found["channels"]["channel 0"]["nonfinite"] == 40
        assert found["mode"] is None
        assert "NaN, inf" in told(invoke, "floats.npy")

    def test_standard_input(self, invoke: Invoke) -> None:
        content = Path(CHESSBOARD).read_bytes()
        assert record(invoke, "-", stdin=content)["shape"] == [8, 8]
        assert told(invoke, "-", stdin=content).startswith("standard input  8x8 png image")

    def test_the_limit_of_pixels(self, invoke: Invoke) -> None:
        done = invoke("inspect", HARBOR, "--max-pixels", "1000")
        assert (done.code, done.out) == (1, b"")
        assert b"--max-pixels" in done.err


class TestPipelines:
    def test_vgg16(self, invoke: Invoke) -> None:
        file = str(SAMPLES / "vgg16.toml")
        found = record(invoke, file, "--input", "224x224x3")
        assert (found["params"], found["macs"], found["weight_bytes"]) == (138357544, 15470264320, 4 * 138357544)
        assert found["memory"] == 4 * 2 * 64 * 224 * 224
        first = found["layers"][0]
        assert (first["name"], first["output_shape"], first["params"]) == ("features.0", [224, 224, 64], 1792)
        lines = told(invoke, file, "--input", "224x224x3").splitlines()
        assert "parameters   138357544 in 16 layers" in lines
        assert max(map(len, lines)) <= 80

    @pytest.mark.parametrize("name", ["resnet18", "efficientnet-b0", "lenet", "digits", "edges"])
    @pytest.mark.parametrize("columns", [40, 80, 200])
    def test_tables_fit_and_cut_nothing(
        self, invoke: Invoke, monkeypatch: pytest.MonkeyPatch, name: str, columns: int
    ) -> None:
        monkeypatch.setenv("COLUMNS", str(columns))
        size = "64x64" if name in ("lenet", "digits") else "224x224x3"
        size = "32x32" if name == "lenet" else size
        out = told(invoke, str(SAMPLES / f"{name}.toml"), "--input", size)
        assert max(map(len, out.splitlines())) <= columns
        assert columns < 80 or "…" not in out

    def test_an_image_is_an_input(self, invoke: Invoke) -> None:
        found = record(invoke, str(SAMPLES / "edges.toml"), "--input", HARBOR)
        assert (found["input_shape"], found["output_shape"]) == ([427, 640, 3], [107, 160])
        image, network = told(invoke, HARBOR, "--steps", "gray | pool size=4", "--report", "json").splitlines()
        assert json.loads(image)["kind"] == "image"
        assert json.loads(network)["output_shape"] == [106, 160]

    def test_pooling_alone(self, invoke: Invoke) -> None:
        out = told(invoke, HARBOR, "--size", "4", "--gray", "luma", "--report", "json")
        assert json.loads(out.splitlines()[1])["output_shape"] == [106, 160]

    def test_without_an_input(self, invoke: Invoke) -> None:
        out = told(invoke, str(SAMPLES / "edges.toml"))
        assert "kernel=sobel-v stride=2" in out
        assert "--input 224x224x3" in out

    def test_weights(self, invoke: Invoke) -> None:
        found = record(invoke, str(SAMPLES / "digits.npz"))
        assert (found["kind"], found["tensors"]["conv1.weight"]) == ("weights", [8, 1, 5, 5])
        assert found["params"] == sum(int(np.prod(shape)) for shape in found["tensors"].values())

    def test_weights_that_are_not_there(self, folder: Path, invoke: Invoke) -> None:
        layer = '[[layer]]\ntype = "conv2d"\nparams = "c"\n'
        (folder / "n.toml").write_text(f'weights = "x.npz"\n{layer}filters = 4\nsize = 3\n')
        assert record(invoke, "n.toml", "--input", "8x8x3")["params"] == 4 * 27 + 4
        assert told(invoke, "n.toml").startswith("n.toml  pipeline of 1 layer, weights in x.npz (no such file)\n")
        (folder / "n.toml").write_text(f'weights = "x.npz"\n{layer}')
        done = invoke("inspect", "n.toml", "--input", "8x8x3")
        assert (done.code, done.err) == (1, b"cnnfilter: n.toml: ./x.npz: there is no such weights file\n")

    def test_nothing_is_allocated(self, invoke: Invoke) -> None:
        found = record(invoke, "--steps", "conv2d 4096 size=9 padding=4", "--input", "100000x100000x512")
        assert found["output_shape"] == [100000, 100000, 4096]

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--input", "224x224"], "step 1 (conv2d)"),
            (["--input", "0x5"], "--input: 0x5: no such file"),
            (["--input", "nowhere.png"], "a shape such as 224x224x3 or an image is needed"),
            (["--input", "8x8x3", "--file", "x.toml"], "--file: is instead of --steps"),
        ],
    )
    def test_wrong_usage(self, invoke: Invoke, arguments: list[str], message: str) -> None:
        done = invoke("inspect", "--steps", "conv2d 4 size=300", *arguments)
        assert (done.code, done.out) == (2, b"")
        assert message in done.err.decode()
        assert done.err.count(b"\n") == 1


class TestEverything:
    def test_lists(self, invoke: Invoke) -> None:
        out = told(invoke)
        for word in (
            "sobel-v",
            "gaussian:SIZE[:SIGMA]",
            "conv2d",
            "count_include_pad=false",
            "jpeg2000",
            "dcb|abcd|cba",
        ):
            assert word in out
        assert max(map(len, out.splitlines())) <= 80

    def test_as_json(self, invoke: Invoke) -> None:
        found = record(invoke)
        assert found["kind"] == "list"
        assert set(found) == {"thing", "kind", "kernels", "families", "layers", "pad_modes", "formats"}
        assert next(each for each in found["formats"] if each["name"] == "gif")["writes"] is False


class TestSeveral:
    def test_an_error_costs_its_own_thing(self, invoke: Invoke) -> None:
        done = invoke("inspect", "sobel-v", "sobl-v", CHESSBOARD, "--report", "json")
        kernel, wrong, image = (json.loads(line) for line in done.out.splitlines())
        assert kernel["matrices"][0]["matrix"] == [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]
        assert wrong == {"thing": "sobl-v", "error": wrong["error"]}
        assert "neither a file nor a kernel 'sobl-v'; did you mean sobel-v" in wrong["error"]
        assert image["shape"] == [8, 8]
        assert done.code == 1
        assert done.err.count(b"\n") == 1

    @pytest.mark.parametrize(
        ("name", "message", "code"),
        [
            ("missing.png", "missing.png: no such file", 1),
            ("missing.toml", "missing.toml: no such file", 1),
            ("missing.npy", "missing.npy: no such file", 1),
            (".", "is a folder", 1),
            ("broken.png", "broken.png: ", 1),
            ("broken.toml", "broken.toml: cannot be read as a pipeline", 1),
            ("text.png", "is in none of the formats that are read", 1),
            ("pipe", "is no regular file", 1),
            ("nan nan", "nan", 2),
        ],
    )
    def test_one_line_for_each_fault(self, invoke: Invoke, folder: Path, name: str, message: str, code: int) -> None:
        content = io.BytesIO()
        PIL.Image.new("L", (40, 40), 7).save(content, "PNG")
        Path("broken.png").write_bytes(content.getvalue()[:60])
        Path("broken.toml").write_text("[[layer]", encoding="utf-8")
        Path("text.png").write_text("hello", encoding="utf-8")
        os.mkfifo("pipe")
        done = invoke("inspect", name)
        assert (done.code, done.out) == (code, b"")
        assert message in done.err.decode()
        assert done.err.count(b"\n") == 1

    def test_names_do_not_drive_the_terminal(self, invoke: Invoke, folder: Path) -> None:
        name = "a\x1b[31m.png"
        PIL.Image.new("L", (4, 4)).save(name)
        assert r"a\x1b[31m.png" in told(invoke, name)


class TestTerminals:
    def test_colour(self, invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("COLORTERM", "truecolor")
        monkeypatch.setenv("TERM", "xterm-256color")
        out = told(invoke, "sobel-v")
        assert "48;2;178;24;43m" in out  # the strongest positive weight
        assert "48;2;33;102;172m" in out  # the strongest negative one
        assert "▓" not in out

    def test_without_colour(self, invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("NO_COLOR", "1")
        out = told(invoke, "sobel-v")
        assert "48;2" not in out
        assert "▓▓ 2 ▓▓▓" in out

    def test_ascii(self, run: Run) -> None:
        done = run("inspect", "sobel-v", CHESSBOARD, env={"PYTHONIOENCODING": "ascii"})
        assert done.code == 0
        assert done.out.isascii()
        assert b"## 2 ###" in done.out or b"** 2 ***" in done.out
        assert rb"\u" not in done.out

    def test_a_reader_that_goes_away(self) -> None:
        command = [sys.executable, "-m", "cnnfilter", "inspect", "--report", "json", *["log:31:4"] * 10]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.read(1)
            process.stdout.close()
            assert process.stderr.read() == b""
        assert process.returncode == 141

    def test_things_complete(self, run: Run) -> None:
        done = run(
            env={"_CNNFILTER_COMPLETE": "bash_complete", "COMP_WORDS": "cnnfilter inspect sob", "COMP_CWORD": "2"}
        )
        assert b"plain,sobel-v" in done.out
        assert done.out.startswith(b"file,")

    def test_help_has_examples(self, invoke: Invoke) -> None:
        out = told(invoke, "--help")
        assert "cnnfilter inspect samples/vgg16.toml --input 224x224x3" in out
        assert "[default: 1; pool: the size]" in " ".join(out.split())


@pytest.mark.usefixtures("folder")  # a file or folder that is there comes before a word
class TestLayersAndOptions:
    @pytest.mark.parametrize("name", LAYERS)
    def test_every_type_of_layer_is_explained(self, invoke: Invoke, name: str) -> None:
        lines = told(invoke, name).splitlines()
        assert lines[0] == f"{name}  layer: {LAYER_MEANINGS[name]}"
        assert max(map(len, lines)) <= 80
        found = record(invoke, name)
        assert (found["kind"], found["type"], found["meaning"]) == ("layer", name, LAYER_MEANINGS[name])
        assert name in [layer["type"] for layer in found["layers"]]
        assert tuple(found["keys"]) == LAYER_KEYS.get(name, ())
        assert f'  --steps "{found["example"]}"' in lines
        summary = cnnfilter.parse_pipeline(found["example"]).summary((32, 32, 3))
        assert [layer["params"] for layer in found["layers"]] == [layer.params for layer in summary.layers]

    def test_the_values_of_an_activation(self, invoke: Invoke) -> None:
        lines = told(invoke, "leaky-relu").splitlines()
        assert lines[2].split() == ["x", "-8", "-4", "-2", "-1", "-0.5", "0", "0.5", "1", "2", "4", "8"]
        assert [float(word) for word in lines[4].split()[1:6]] == [-0.08, -0.04, -0.02, -0.01, -0.005]
        pairs = record(invoke, "sigmoid")["values"]
        assert [y for _, y in pairs] == pytest.approx([1 / (1 + np.exp(-x)) for x, _ in pairs], rel=1e-6)
        assert record(invoke, "pool")["values"] is None

    def test_an_option_is_told_by_its_help(self, invoke: Invoke) -> None:
        lines = told(invoke, "stride").splitlines()
        assert lines[0] == "stride  option: -s, --stride N|YxX"
        assert "pool         Step from one window to the next.  [default: the size]" in lines
        assert "in steps     as the key stride of convolve, pool, conv2d" in lines
        assert "where e = dilation x (size - 1) + 1 is how far a window reaches." in lines
        assert record(invoke, "pad_mode") == record(invoke, "pad-mode") | {"thing": "pad_mode"}

    def test_a_value_of_an_option(self, invoke: Invoke) -> None:
        lines = told(invoke, "reflect").splitlines()
        assert lines[0] == "reflect  value of --pad-mode MODE"
        assert "wrap         bcd|abcd|abc" in lines

    @pytest.mark.parametrize("group", GROUPS)
    def test_every_option_is_explained(self, invoke: Invoke, group: str) -> None:
        words = [max(each.opts, key=len)[2:] for each in parameters(group).values() if each.name != "inputs"]
        out = invoke("inspect", *words, "--report", "json").out
        found = [json.loads(line) for line in out.splitlines()]
        assert [each["thing"] for each in found] == words
        layers = {"scale", "gray"}  # words of both
        assert {each["kind"] for each in found if each["thing"] not in layers} == {"option"}

    @pytest.mark.parametrize(("word", "end"), [
        ("convolution", "did you mean convolve or motion or dilation?"),
        ("reluu", "did you mean relu or relu6 or elu?"),
        ("zzqqzz", "`cnnfilter inspect` lists kernels, layers and formats"),
        ("edge", "did you mean sobel or laplacian?"),
        ("sobl", "did you mean sobel or sobel-v or sobel-h?"),
    ])  # fmt: skip
    def test_other_words(self, invoke: Invoke, word: str, end: str) -> None:
        done = invoke("inspect", word)
        assert (done.code, done.out) == (2, b"")
        assert done.err.decode() == f"cnnfilter: there is neither a file nor a kernel '{word}'; {end}\n"

    def test_a_file_of_that_name_comes_first(self, invoke: Invoke, folder: Path) -> None:
        PIL.Image.new("L", (3, 2)).save("relu", format="PNG")
        assert record(invoke, "relu")["kind"] == "image"


def test_a_small_array_is_a_kernel_and_from_standard_input_an_image(invoke: Invoke, folder: Path) -> None:
    np.save("maps.npy", np.linspace(-1, 1, 28 * 28, dtype=np.float32).reshape(28, 28))
    lines = told(invoke, "maps.npy").splitlines()
    assert lines[0].startswith("maps.npy  28x28 kernel")
    assert lines[-2].startswith("Taken for a kernel, as a small array of floats or signed numbers is.")
    assert " ".join(lines[-2:]).endswith("As an image: cnnfilter inspect - < maps.npy")
    assert "Taken for" not in told(invoke, "sobel-v")
    content = Path("maps.npy").read_bytes()
    assert told(invoke, "-", stdin=content).splitlines()[0] == "standard input  28x28 npy image"


def test_what_the_engine_does_stands_apart_below(invoke: Invoke) -> None:
    for name in ("sobel-v", "sobel", "random:3:2"):
        lines = told(invoke, name).splitlines()
        place = lines.index("Inside cnnfilter, for the curious: how it gets the same numbers faster")
        assert lines[place - 1] == ""
        assert lines[place + 1].startswith("done by ")
        assert [line for line in lines[:place] if line.startswith(("done by", "program"))] == []
        assert [line.split()[0] for line in lines[place - 4 : place - 1]] == ["cost", "an", "windows"]


@pytest.mark.parametrize(("word", "first", "keys"), [
    ("kernels", "Kernels  -k NAME: what an image is filtered with", ["kernels", "families"]),
    ("layers", 'Layers  --steps "gray | convolve sobel-v stride=2 | relu | pool"', ["layers"]),
    ("formats", "Formats  of image files", ["formats"]),
])  # fmt: skip
def test_a_part_of_what_there_is(invoke: Invoke, word: str, first: str, keys: list[str]) -> None:
    whole, part = told(invoke), told(invoke, word)
    assert part.splitlines()[0] == first
    assert part in whole
    everything, found = record(invoke), record(invoke, word)
    assert found == {"thing": word, "kind": "list"} | {key: everything[key] for key in keys}


def test_a_folder_is_named(invoke: Invoke, folder: Path) -> None:
    for name in ("s", "a", "is"):
        (folder / name).mkdir()
        done = invoke("inspect", name)
        assert (done.code, done.err.decode()) == (1, f"cnnfilter: {name}: is a folder\n")


def test_an_array_with_nan_is_no_kernel(invoke: Invoke, folder: Path) -> None:
    array = np.ones((3, 3), np.float32)
    array[1, 1] = np.nan
    np.save("nan.npy", array)
    np.save("bank.npy", np.full((3, 3, 1, 2), np.nan, np.float32))
    assert json.loads(ok(invoke("inspect", "nan.npy", "--report", "json")).out)["kind"] == "image"
    assert refused(invoke("inspect", "bank.npy")) == "cnnfilter: bank.npy: holds NaN or infinity"
    assert refused(invoke("inspect", "-k", "nan.npy")) == "cnnfilter: nan.npy: holds NaN or infinity"
