"""Where results go: names, formats and streams."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import PIL.Image
import PIL.ImageCms
import pytest
import reference
from expectations import BLUR, EMBOSS, GRAY, RGB, SOBEL_V, content_of, expected, flat, responses, same
from outcomes import entries, lines, load, ok, one_line, record, refused, save

if TYPE_CHECKING:
    from conftest import Invoke, Run
    from numpy.typing import NDArray

    Array = NDArray[Any]


def decoded(content: bytes) -> Array:
    with PIL.Image.open(io.BytesIO(content)) as picture:
        return np.array(picture)


# ---------------------------------------------------------------------------------------------------------------------
# Names and formats of outputs


@pytest.mark.parametrize(
    ("kernel", "label"),
    [
        ("sobel-v", "sobel-v"),
        ("sobel", "sobel"),
        ("gaussian:7:1.5", "gaussian-7-1.5"),
        ("box:3x5", "box-3x5"),
        ("motion:5:-30", "motion-5--30"),
        ("0 -1 0; -1 5 -1; 0 -1 0", "kernel"),
        ("1", "kernel"),
        ("my edges.txt", "my edges"),
        ("table.csv", "table"),
        ("kernels/deep.npy", "deep"),
    ],
)
def test_without_an_output_the_result_is_beside_the_input(
    invoke: Invoke, folder: Path, kernel: str, label: str
) -> None:
    (folder / "kernels").mkdir()
    (folder / "photos").mkdir()
    (folder / "my edges.txt").write_text("0 1\n1 0\n")
    (folder / "table.csv").write_text("0,1\n1,0\n")
    save("kernels/deep.npy", np.ones((2, 2)))
    save("photos/my.pet.png", GRAY)
    before = entries(folder)
    got = record(invoke("convolve", "photos/my.pet.png", "-k", kernel, "--report", "json"))
    assert sorted(set(entries(folder)) - set(before)) == [f"photos/my.pet.{label}.png"]
    assert got["input"] == "photos/my.pet.png"
    assert got["output"] == f"photos/my.pet.{label}.png"


@pytest.mark.parametrize(
    ("name", "wanted", "kind"),
    [
        ("a.png", "a.blur.png", "PNG"),
        ("a.PNG", "a.blur.PNG", "PNG"),
        ("a.jpg", "a.blur.jpg", "JPEG"),
        ("a.jpeg", "a.blur.jpeg", "JPEG"),
        ("a.webp", "a.blur.webp", "WEBP"),
        ("a.tif", "a.blur.tif", "TIFF"),
        ("a.bmp", "a.blur.bmp", "BMP"),
        ("a.gif", "a.blur.png", "PNG"),
        ("a.ppm", "a.blur.ppm", "PPM"),
    ],
)
def test_the_format_is_that_of_the_input_or_png(
    invoke: Invoke, folder: Path, name: str, wanted: str, kind: str
) -> None:
    save(name, RGB)
    ok(invoke("convolve", name, "-k", "blur"))
    assert entries(folder) == sorted([name, wanted])
    with PIL.Image.open(wanted) as picture:
        assert picture.format == kind


@pytest.mark.parametrize(
    ("options", "wanted", "kind"),
    [
        (["-o", "out.jpg"], "out.jpg", "JPEG"),
        (["-o", "out.TIFF"], "out.TIFF", "TIFF"),
        (["--format", "webp"], "img.blur.webp", "WEBP"),
        (["--format", "tiff", "-o", "out/"], "out/img.tiff", "TIFF"),
        (["--format", "jpeg", "-o", "plain"], "plain", "JPEG"),
        (["--format", "jpeg", "-o", "name.dat"], "name.dat", "JPEG"),
        (["--format", "png", "-o", "name.png"], "name.png", "PNG"),
        (["--format", "PNG", "-o", "out.png"], "out.png", "PNG"),
        (["-o", "out/"], "out/img.png", "PNG"),
        (["-o", "new/deep/out/"], "new/deep/out/img.png", "PNG"),
        (["-o", "there"], "there/img.png", "PNG"),
        (["-o", "."], "img.png", "PNG"),
    ],
)
def test_outputs_and_formats(invoke: Invoke, folder: Path, options: list[str], wanted: str, kind: str) -> None:
    (folder / "there").mkdir()
    (folder / "in").mkdir()
    place = "in/img.png" if options == ["-o", "."] else "img.png"
    save(place, RGB)
    ok(invoke("convolve", place, "-k", "blur", *options))
    with PIL.Image.open(wanted) as picture:
        assert picture.format == kind
    files = [entry for entry in entries(folder) if (folder / entry).is_file()]
    assert files == sorted([place, wanted])


def test_several_kernels(invoke: Invoke, folder: Path) -> None:
    save("img.png", GRAY)
    arguments = ["-k", "blur", "-k", "gaussian:5", "-k", "sobel-v", "--report", "json"]
    beside = lines(ok(invoke("convolve", "img.png", *arguments)))
    inside = lines(ok(invoke("convolve", "img.png", *arguments, "-o", "out/")))
    labels = ["blur", "gaussian-5", "sobel-v"]
    assert [got.get("output") for got in beside[:3]] == [f"img.{label}.png" for label in labels]
    assert [got.get("output") for got in inside[:3]] == [f"out/img.{label}.png" for label in labels]
    assert [got["kernel"] for got in beside[:3]] == ["blur", "gaussian:5", "sobel-v"]
    same("img.sobel-v.png", expected(GRAY, SOBEL_V, "abs"))
    same("out/img.blur.png", expected(GRAY, BLUR, "clip"))


def test_a_kernel_file_named_as_a_kernel_does_not_hide_it(invoke: Invoke, folder: Path) -> None:
    (folder / "sobel-v").write_text("1\n")
    save("img.png", GRAY)
    ok(invoke("convolve", "img.png", "-k", "sobel-v", "-o", "out.png"))
    same("out.png", expected(GRAY, SOBEL_V, "abs"))


@pytest.mark.parametrize("name", ["kernel.txt", "kernel.csv", "kernel.npy"])
def test_kernel_files(invoke: Invoke, folder: Path, name: str) -> None:
    if name.endswith("npy"):
        save(name, np.array(EMBOSS))
    else:
        gap = "," if name.endswith("csv") else " "
        (folder / name).write_text("\n".join(gap.join(map(str, row)) for row in EMBOSS) + "\n")
    save("img.png", GRAY)
    ok(invoke("convolve", "img.png", "-k", name, "-o", "out.png"))
    same("out.png", expected(GRAY, EMBOSS, "clip"))


def test_png_levels_change_the_size_alone(invoke: Invoke, folder: Path) -> None:
    save("img.png", np.zeros((60, 60), np.uint8))
    sizes = {}
    for level in ("fast", "0", "9"):
        ok(invoke("convolve", "img.png", "-k", "identity", "--png-level", level, "-o", f"{level}.png"))
        same(f"{level}.png", np.zeros((60, 60), int))
        sizes[level] = (folder / f"{level}.png").stat().st_size
    assert sizes["9"] <= sizes["fast"] < sizes["0"]


def test_metadata(invoke: Invoke, folder: Path) -> None:
    profile = PIL.ImageCms.ImageCmsProfile(PIL.ImageCms.createProfile("sRGB")).tobytes()
    exif = PIL.Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Maker"
    save("img.jpg", RGB, icc_profile=profile, dpi=(300, 300), exif=exif.tobytes())
    for name, options in (("kept", []), ("strip", ["--strip"]), ("gray", ["--gray", "luma"])):
        ok(invoke("convolve", "img.jpg", "-k", "blur", "-o", f"{name}.png", *options))
    kept, strip, gray = (PIL.Image.open(f"{name}.png") for name in ("kept", "strip", "gray"))
    with kept, strip, gray:
        assert kept.size == strip.size == gray.size == (7, 8)  # turned
        assert kept.info["icc_profile"] == profile
        assert kept.info["dpi"] == pytest.approx((300, 300), abs=0.1)
        assert kept.getexif().get(0x010F) == "Maker"
        assert kept.getexif().get(0x0112, 1) == 1
        assert not {"icc_profile", "dpi", "exif"} & set(strip.info)
        assert "icc_profile" not in gray.info


@pytest.mark.parametrize("options", [[], ["-o", "-"]])
@pytest.mark.parametrize("kind", ["PNG", "BMP"])
def test_standard_input_goes_to_standard_output(invoke: Invoke, folder: Path, options: list[str], kind: str) -> None:
    result = invoke("convolve", "-", "-k", "sobel-v", *options, stdin=content_of(RGB, kind))
    assert result.code == 0
    with PIL.Image.open(io.BytesIO(result.out)) as picture:
        assert picture.format == kind
    np.testing.assert_array_equal(decoded(result.out), expected(RGB, SOBEL_V, "abs"))
    assert b"7x8x3" in result.err
    assert entries(folder) == []


def test_a_file_to_standard_output(invoke: Invoke, folder: Path) -> None:
    save("img.png", GRAY)
    result = invoke("convolve", "img.png", "-k", "blur", "-o", "-", "--report", "json")
    assert result.code == 0
    assert json.loads(result.err)["output"] == "-"
    np.testing.assert_array_equal(decoded(result.out), expected(GRAY, BLUR, "clip"))


@pytest.mark.parametrize("options", [["-q"], ["--report", "none"], ["--report-file", "r.json"]])
def test_image_bytes_alone(invoke: Invoke, folder: Path, options: list[str]) -> None:
    result = ok(invoke("convolve", "-", "-k", "blur", *options, stdin=content_of(GRAY)))
    np.testing.assert_array_equal(decoded(result.out), expected(GRAY, BLUR, "clip"))


def test_standard_input_to_a_file(invoke: Invoke, folder: Path) -> None:
    got = record(invoke("convolve", "-", "-k", "blur", "-o", "out.png", "--report", "json", stdin=content_of(GRAY)))
    same("out.png", expected(GRAY, BLUR, "clip"))
    assert got["input"] == "-"
    assert got["input_bytes"] == len(content_of(GRAY))


def test_standard_input_to_a_folder_is_called_stdin(invoke: Invoke, folder: Path) -> None:
    save("img.png", GRAY)
    ok(invoke("convolve", "-", "img.png", "-k", "blur", "-o", "out/", stdin=content_of(GRAY)))
    ok(invoke("convolve", "-", "-k", "blur", "-k", "sobel-v", "-o", "two/", stdin=content_of(GRAY)))
    assert entries(folder / "out") == ["img.png", "stdin.png"]
    assert entries(folder / "two") == ["stdin.blur.png", "stdin.sobel-v.png"]


@pytest.mark.parametrize(
    "stdin", [b"", b"no picture", content_of(GRAY)[:50], b"%!PS-Adobe-3.0 EPSF-3.0\n"], ids=["", "text", "cut", "eps"]
)
def test_standard_input_that_is_no_picture(invoke: Invoke, folder: Path, stdin: bytes) -> None:
    line = refused(invoke("convolve", "-", "-k", "blur", "-q", stdin=stdin), 1)
    assert "-" in line


def test_npy_between_two_commands_loses_nothing(run: Run, folder: Path) -> None:
    """A response that needs more than 8 bits and a sign goes through a real pipe."""
    save("img.png", RGB)
    first = "convolve img.png -k sobel-v -o - --format npy"
    second = "convolve - -k emboss -o out.npy -q"
    command = f'"$0" -m cnnfilter {first} 2>report.txt | "$0" -m cnnfilter {second}'
    done = subprocess.run(["sh", "-c", command, sys.executable], capture_output=True, timeout=30, check=True)
    assert (done.stdout, done.stderr) == (b"", b"")
    assert "7x8x3" in (folder / "report.txt").read_text()
    np.testing.assert_array_equal(load("out.npy"), flat(reference.convolve(responses(RGB, SOBEL_V), EMBOSS)))


def test_image_bytes_are_never_written_to_a_terminal(folder: Path) -> None:
    save("img.png", GRAY)
    ours, theirs = pty.openpty()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "cnnfilter", "convolve", "img.png", "-k", "blur", "-o", "-"],
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=subprocess.PIPE,
            timeout=30,
            check=False,
        )
        os.set_blocking(ours, False)
        shown = b""
        with contextlib.suppress(BlockingIOError):
            shown = os.read(ours, 100)
    finally:
        os.close(ours)
        os.close(theirs)
    assert done.returncode == 2
    assert "terminal" in one_line(done.stderr)
    assert shown == b""


@pytest.mark.parametrize("output", [["-o", "-", "-q"], ["-o", "out.png"], ["-o", "out.png", "--report", "json"]])
def test_a_reader_that_has_gone_ends_the_run_quietly(folder: Path, output: list[str]) -> None:
    save("img.png", GRAY)
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "cnnfilter", "convolve", "img.png", "-k", "blur", *output],
            stdin=subprocess.DEVNULL,
            stdout=writer,
            stderr=subprocess.PIPE,
            timeout=30,
            check=False,
        )
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.parametrize("output", [["-o", "-", "-q"], ["-o", "out.png"], ["-o", "out.png", "--report", "json"]])
def test_a_full_standard_output_is_one_line_and_1(folder: Path, output: list[str]) -> None:
    save("img.png", GRAY)
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "cnnfilter", "convolve", "img.png", "-k", "blur", *output],
            stdin=subprocess.DEVNULL,
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=30,
            check=False,
        )
    assert done.returncode == 1
    assert "standard output" in one_line(done.stderr)


@pytest.mark.parametrize("closed", ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"])
def test_closed_streams_do_not_stop_a_run(folder: Path, closed: str) -> None:
    """No descriptor of an image file may take the number of a closed stream."""
    save("img.png", GRAY)
    command = f'"$0" -m cnnfilter convolve img.png -k blur -q {closed}'
    done = subprocess.run(["sh", "-c", command, sys.executable], capture_output=True, timeout=30, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    same("img.blur.png", expected(GRAY, BLUR, "clip"))
