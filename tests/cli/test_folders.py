"""Folders, patterns, resuming, and runs that only say what they would do."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from expectations import ALPHA, BLUR, FLOATS, GRAY, GRAY16, RGB, content_of, expected, same
from outcomes import entries, lines, ok, record, refused, save

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Invoke
    from numpy.typing import NDArray

    Array = NDArray[Any]


@pytest.fixture
def tree(folder: Path) -> Path:
    for name in ("in/a.png", "in/b.jpg", "in/.hidden.png", "in/sub/c.PNG", "in/sub/deep/d.bmp", "in/.dot/e.png"):
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content_of(GRAY, "JPEG" if name.endswith("jpg") else "BMP" if "bmp" in name else "PNG"))
    (folder / "in" / "notes.txt").write_text("no picture")
    (folder / "in" / "noname").write_text("no picture")
    (folder / "in" / "drawing.eps").write_text("%!PS-Adobe-3.0 EPSF-3.0\n")
    return folder


@pytest.mark.parametrize(
    ("arguments", "outputs"),
    [
        (["in"], ["a.png", "b.jpg"]),
        (["in/"], ["a.png", "b.jpg"]),
        (["in", "-r"], ["a.png", "b.jpg", "sub", "sub/c.PNG", "sub/deep", "sub/deep/d.bmp"]),
        (["in/sub", "-r"], ["c.PNG", "deep", "deep/d.bmp"]),
        (["in/a.png", "in/sub"], ["a.png", "c.PNG"]),
        (["in/*.png"], ["a.png"]),
        (["in/[ab].*"], ["a.png", "b.jpg"]),
        (["in/**/*.bmp"], ["d.bmp"]),
        (["in/*"], ["a.png", "b.jpg"]),
        (["in", "--format", "webp"], ["a.webp", "b.webp"]),
        (["in", "-k", "sobel-v"], ["a.blur.png", "a.sobel-v.png", "b.blur.jpg", "b.sobel-v.jpg"]),
    ],
)
def test_folders_and_patterns(invoke: Invoke, tree: Path, arguments: list[str], outputs: list[str]) -> None:
    ok(invoke("convolve", "-k", "blur", "-o", "out/", *arguments))
    assert entries(tree / "out") == outputs


def test_a_pattern_without_an_output_goes_beside(invoke: Invoke, tree: Path) -> None:
    ok(invoke("convolve", "in/sub/*.PNG", "-k", "blur"))
    assert (tree / "in" / "sub" / "c.blur.PNG").exists()


def test_a_file_named_like_a_pattern(invoke: Invoke, folder: Path) -> None:
    save("a[1].png", GRAY)
    save("a1.png", GRAY)
    ok(invoke("convolve", "a[1].png", "-k", "blur"))
    assert entries(folder) == ["a1.png", "a[1].blur.png", "a[1].png"]


def test_the_output_folder_is_never_descended_into(invoke: Invoke, tree: Path) -> None:
    for _ in range(2):
        ok(invoke("convolve", "in", "-r", "-k", "blur", "-o", "in/out/"))
    assert entries(tree / "in" / "out") == ["a.png", "b.jpg", "sub", "sub/c.PNG", "sub/deep", "sub/deep/d.bmp"]


def test_two_folders_are_each_mirrored_from_their_own_root(invoke: Invoke, folder: Path) -> None:
    for name in ("one/x/a.png", "two/y/b.png"):
        (folder / name).parent.mkdir(parents=True)
        save(name, GRAY)
    ok(invoke("convolve", "one", "two", "-r", "-k", "blur", "-o", "out/"))
    assert entries(folder / "out") == ["x", "x/a.png", "y", "y/b.png"]


def test_inputs_are_reported_in_a_stable_order(invoke: Invoke, folder: Path) -> None:
    (folder / "in").mkdir()
    for name in ("b10", "B2", "a", "c"):
        save(f"in/{name}.png", GRAY)
    arguments = ["convolve", "in", "-k", "blur", "-o", "out/", "--report", "json"]
    first, second = ([row.get("input", "") for row in lines(ok(invoke(*arguments)))] for _ in range(2))
    assert first == second == [*sorted(first[:-1]), ""]


def test_dangling_links_in_a_folder_are_skipped_and_said(invoke: Invoke, tree: Path) -> None:
    (tree / "in" / "lost.png").symlink_to("nowhere.png")
    (tree / "in" / "self.png").symlink_to("self.png")
    result = invoke("convolve", "in", "-k", "blur", "-o", "out/", "--report", "json")
    assert result.code == 0
    *rows, totals = lines(result)
    assert {row["input"]: row["status"] for row in rows} == {
        "in/a.png": "ok",
        "in/b.jpg": "ok",
        "in/lost.png": "skipped",
        "in/self.png": "skipped",
    }
    assert (totals["done"], totals["skipped"], totals["failed"]) == (2, 2, 0)
    table = invoke("convolve", "in", "-k", "blur", "-o", "out/")
    assert b"lost.png" in table.out + table.err


def test_special_files_in_a_folder_do_not_hang_a_batch(invoke: Invoke, tree: Path) -> None:
    os.mkfifo(tree / "in" / "pipe.png")
    result = invoke("convolve", "in", "-k", "blur", "-o", "out/", "--report", "none")
    assert result.code in (0, 1)
    assert entries(tree / "out") == ["a.png", "b.jpg"]


@pytest.mark.parametrize(
    "options", [["-o", "out/"], [], ["-o", "out.png"], ["-o", "-"], ["-k", "sobel-v", "-o", "deep/out/"]]
)
@pytest.mark.parametrize("report", ["table", "json"])
def test_a_dry_run_writes_nothing_and_tells_shapes(
    invoke: Invoke, folder: Path, options: list[str], report: str
) -> None:
    save("img.png", RGB)
    result = invoke("convolve", "img.png", "-k", "blur", "-s", "2", "--dry-run", "--report", report, *options)
    assert result.code == 0
    assert entries(folder) == ["img.png"]
    text = (result.out + result.err).decode()
    assert ("4x4x3" if report == "table" else '"output_shape": [4, 4, 3]') in text
    assert ("7x8x3" if report == "table" else '"input_shape": [7, 8, 3]') in text


@pytest.mark.parametrize(
    ("name", "array", "options"),
    [
        ("img.png", GRAY, []),
        ("img.png", np.dstack([RGB, ALPHA]), ["--gray", "luma", "-p", "valid"]),
        ("img.png", GRAY16, ["--depth", "8"]),
        ("img.npy", FLOATS, []),
        ("img.png", RGB, ["--channels", "sum", "--format", "npy"]),
        ("img.png", RGB, ["-k", "random:3:4"]),
        ("img.gif", GRAY, ["--mapping", "shift"]),
    ],
)
def test_a_dry_run_tells_what_the_run_then_tells(
    invoke: Invoke, folder: Path, name: str, array: Array, options: list[str]
) -> None:
    save(name, array)
    arguments = ["convolve", name, "-k", "emboss", "-s", "2", "-o", "out/", *options, "--report", "json"]
    dry, wet = (lines(ok(invoke(*arguments, *more))) for more in (["--dry-run"], []))
    assert len(dry) == len(wet)
    for planned, done in zip(dry, wet, strict=True):
        if "warnings" in done:  # what is clipped is known afterwards
            done["warnings"] = [note for note in done["warnings"] if not note.endswith("values clipped")]
        unknown = {"seconds", "clipped", "input_bytes", "output_bytes", "images_per_second", "megapixels_per_second"}
        assert {key: value for key, value in planned.items() if key not in unknown} == {
            key: value for key, value in done.items() if key not in unknown
        }


def test_a_dry_run_reads_headers_alone(invoke: Invoke, folder: Path) -> None:
    save("img.png", np.zeros((100, 120), np.uint8))
    whole = (folder / "img.png").read_bytes()
    (folder / "img.png").write_bytes(whole[: whole.index(b"IDAT") + 8])
    got = record(invoke("convolve", "img.png", "-k", "blur", "--dry-run", "--report", "json"))
    assert got["output_shape"] == [100, 120]


@pytest.mark.parametrize("option", ["-n", "--no-clobber"])
def test_no_clobber_leaves_what_exists_alone(invoke: Invoke, folder: Path, option: str) -> None:
    for name in ("a", "b"):
        save(f"{name}.png", GRAY)
    (folder / "out").mkdir()
    (folder / "out" / "a.png").write_bytes(b"old")
    result = ok(invoke("convolve", "a.png", "b.png", "-k", "blur", "-o", "out/", option, "--report", "json"))
    *rows, totals = lines(result)
    assert [row["status"] for row in rows] == ["skipped", "ok"]
    assert rows[0]["output"] == "out/a.png"
    assert (totals["done"], totals["skipped"], totals["failed"]) == (1, 1, 0)
    assert (folder / "out" / "a.png").read_bytes() == b"old"
    same("out/b.png", expected(GRAY, BLUR, "clip"))
    again = ok(invoke("convolve", "a.png", "b.png", "-k", "blur", "-o", "out/", option))
    assert b"2 skipped" in again.out
    assert b"skipped" in ok(invoke("convolve", "a.png", "-k", "blur", "-o", "out/a.png", option)).out


@pytest.mark.parametrize("extra", [(), ("--montage", "m.png"), ("-k", "identity", "-j", "2")])
def test_a_run_beside_its_inputs_is_resumed_with_the_same_pattern(
    invoke: Invoke, folder: Path, extra: tuple[str, ...]
) -> None:
    (folder / "res").mkdir()
    for name in "ab":
        save(f"res/{name}.png", GRAY)
    ok(invoke("convolve", "res/a.png", "-k", "blur"))
    assert "-o FOLDER/" in refused(invoke("convolve", "res/*.png", "-k", "blur", *extra))
    done = ok(invoke("convolve", "res/*.png", "-k", "blur", "-n", "--report", "json", *extra))
    (made, *_), totals = lines(done), lines(done)[-1]
    assert (made["input"], made["status"], made["output"]) == ("res/a.blur.png", "skipped", None)
    assert made["warnings"] == ["an output of res/a.png"]
    assert (totals["done"], totals["skipped"], totals["failed"]) == ((3, 2, 0) if "-j" in extra else (1, 2, 0))
    same("res/b.blur.png", expected(GRAY, BLUR, "clip"))
    assert not (folder / "res" / "a.blur.blur.png").exists()
    same("res/a.png", GRAY)


def test_without_it_an_output_is_replaced(invoke: Invoke, folder: Path) -> None:
    save("img.png", GRAY)
    (folder / "out.png").write_bytes(b"old")
    (folder / "out.png").chmod(0o640)
    ok(invoke("convolve", "img.png", "-k", "blur", "-o", "out.png"))
    same("out.png", expected(GRAY, BLUR, "clip"))
    assert (folder / "out.png").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("name", ["img.png", "img.npy"])
def test_max_pixels(invoke: Invoke, folder: Path, name: str) -> None:
    save(name, GRAY)
    ok(invoke("convolve", name, "-k", "blur", "--max-pixels", "99"))
    line = refused(invoke("convolve", name, "-k", "blur", "--max-pixels", "98", "--report", "none"), 1)
    assert name in line
    assert "--max-pixels" in line
