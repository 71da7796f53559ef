"""`cnnfilter convolve` from outside: files in, files, reports and exit codes out."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import PIL.Image
import PIL.ImageCms
import pytest
import reference
from arrays import nested
from outcomes import KEYS, entries, lines, load, ok, record, save

import cnnfilter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Invoke, Result, Run
    from numpy.typing import NDArray

    Array = NDArray[Any]

SOBEL_V = [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]
SOBEL_H = [[-1, -2, -1], [0, 0, 0], [1, 2, 1]]
SHARPEN = [[0, -1, 0], [-1, 5, -1], [0, -1, 0]]
EMBOSS = [[-2, -1, 0], [-1, 1, 1], [0, 1, 2]]
BLUR = [[Fraction(1, 9)] * 3] * 3
LAPLACIAN = [[0, 1, 0], [1, -4, 1], [0, 1, 0]]

RNG = np.random.default_rng(20)
GRAY = RNG.integers(0, 256, (9, 11)).astype(np.uint8)
RGB = RNG.integers(0, 256, (7, 8, 3)).astype(np.uint8)
ALPHA = RNG.integers(1, 256, (7, 8)).astype(np.uint8)
GRAY16 = RNG.integers(0, 65536, (6, 7)).astype(np.uint16)
FLOATS = RNG.uniform(0, 255, (6, 7)).astype(np.float32)
MIDDLE = {8: 128, 16: 32768}
HIGH = {8: 255, 16: 65535}


# ---------------------------------------------------------------------------------------------------------------------
# Helpers


def decoded(content: bytes) -> Array:
    with PIL.Image.open(io.BytesIO(content)) as picture:
        return np.array(picture)


def flat(rows: Any) -> Array:
    """Nested rows as an array; one channel is 2-D."""
    array = np.array(rows)
    return array[:, :, 0] if array.shape[2] == 1 else array


def responses(array: Array, kernel: Any, **options: Any) -> list[list[list[Any]]]:
    return reference.convolve(nested(array), kernel, **options)


def expected(
    array: Array, kernel: Any, mapping: str, bits: int = 8, times: Fraction | int = 1, **options: Any
) -> Array:
    """The pixels by the slow definition; `times` is the change of levels between depths."""
    values = [[[value * times for value in pixel] for pixel in row] for row in responses(array, kernel, **options)]
    return flat(reference.to_samples(values, mapping, 0, HIGH[bits], MIDDLE[bits])[0])


def same(name: str | Path, wanted: Array) -> None:
    got = load(name)
    assert got.dtype.kind == ("u" if wanted.dtype.kind == "i" and not str(name).endswith(".npy") else wanted.dtype.kind)
    np.testing.assert_array_equal(got, wanted)


def one_line(content: bytes) -> str:
    """The one line of text that came; no escape characters drive the terminal."""
    text = content.decode()
    assert text.endswith("\n")
    assert text.count("\n") == 1
    assert text[:-1].isprintable()
    return text[:-1]


def refused(result: Result, code: int = 2) -> str:
    """The one line of a refusal, which says nothing on standard output."""
    assert result.code == code
    assert result.out == b""
    return one_line(result.err)


# ---------------------------------------------------------------------------------------------------------------------
# Pixels


def test_the_usage_that_must_work_to_the_letter(run: Run, folder: Path) -> None:
    save("img.png", RGB)
    result = run("convolve", "img.png", "--kernel", "sobel-v", "--stride", "2")
    assert (result.code, result.err) == (0, b"")
    same("img.sobel-v.png", expected(RGB, SOBEL_V, "abs", stride=(2, 2)))
    assert entries(folder) == ["img.png", "img.sobel-v.png"]


@pytest.mark.parametrize(
    ("name", "kernel", "mapping"),
    [
        ("identity", [[0, 0, 0], [0, 1, 0], [0, 0, 0]], "clip"),
        ("blur", BLUR, "clip"),
        ("sharpen", SHARPEN, "clip"),
        ("emboss", EMBOSS, "clip"),
        ("sobel-v", SOBEL_V, "abs"),
        ("sobel-h", SOBEL_H, "abs"),
        ("laplacian", LAPLACIAN, "abs"),
        ("0 -1 0; -1 5 -1; 0 -1 0", SHARPEN, "clip"),
        ("1 2; 3 4", [[1, 2], [3, 4]], "clip"),
        ("1/3 1/3 1/3", [[Fraction(1, 3)] * 3], "clip"),
        ("1; -1", [[1], [-1]], "abs"),
        ("0.5", [[Fraction(1, 2)]], "clip"),
        ("-1", [[-1]], "clip"),
        ("box:4x2", [[Fraction(1, 8)] * 2] * 4, "clip"),
        ("box:5", [[Fraction(1, 25)] * 5] * 5, "clip"),
    ],
)
@pytest.mark.parametrize("array", [GRAY, RGB], ids=["gray", "rgb"])
def test_every_pixel(invoke: Invoke, folder: Path, array: Array, name: str, kernel: Any, mapping: str) -> None:
    save("img.png", array)
    ok(invoke("convolve", "img.png", f"--kernel={name}", "-o", "out.png"))
    same("out.png", expected(array, kernel, mapping))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--stride", "2"], {"stride": (2, 2)}),
        (["-s", "2x3"], {"stride": (2, 3)}),
        (["--padding", "valid"], {"padding": "valid"}),
        (["-p", "2"], {"padding": 2}),
        (["-p", "3x1"], {"padding": ((3, 3), (1, 1))}),
        (["-p", "30", "--pad-mode", "reflect"], {"padding": 30}),
        (["--pad-mode", "zero"], {"pad_mode": "zero"}),
        (["--pad-mode", "zeros"], {"pad_mode": "zero"}),
        (["--pad-mode", "constant"], {"pad_mode": "zero"}),
        (["--pad-mode", "edge"], {"pad_mode": "edge"}),
        (["--pad-mode", "replicate"], {"pad_mode": "edge"}),
        (["--pad-mode", "nearest"], {"pad_mode": "edge"}),
        (["--pad-mode", "wrap"], {"pad_mode": "wrap"}),
        (["--pad-mode", "circular"], {"pad_mode": "wrap"}),
        (["--pad-mode", "symmetric"], {"pad_mode": "symmetric"}),
        (["--pad-mode", "reflect-101"], {"pad_mode": "reflect"}),
        (["--dilation", "2"], {"dilation": (2, 2)}),
        (["--dilation", "1x3"], {"dilation": (1, 3)}),
        (["--flip"], {"flip": True}),
        (["--channels", "sum"], {"channels": "sum"}),
        (["--scale", "1/9"], {"scale": Fraction(1, 9)}),
        (["--scale=-0.5"], {"scale": Fraction(-1, 2)}),
        (["--scale", "2", "--bias", "-10"], {"scale": 2, "bias": -10}),
        (["--bias", "128"], {"bias": 128}),
        (
            ["-s", "3x2", "-p", "valid", "--dilation", "2", "--flip", "--scale", "1/4", "--bias", "7/2"],
            {
                "stride": (3, 2),
                "padding": "valid",
                "dilation": (2, 2),
                "flip": True,
                "scale": Fraction(1, 4),
                "bias": Fraction(7, 2),
            },
        ),
    ],
)
@pytest.mark.parametrize("array", [GRAY, RGB], ids=["gray", "rgb"])
def test_every_pixel_with_options(
    invoke: Invoke, folder: Path, array: Array, options: list[str], words: dict[str, Any]
) -> None:
    save("img.png", array)
    ok(invoke("convolve", "img.png", "-k", "emboss", "-o", "out.png", *options))
    same("out.png", expected(array, EMBOSS, "clip", **words))


@pytest.mark.parametrize("name", ["sobel", "prewitt", "scharr"])
def test_gradient_magnitudes(invoke: Invoke, folder: Path, name: str) -> None:
    side = {"sobel": [1, 2, 1], "prewitt": [1, 1, 1], "scharr": [3, 10, 3]}[name]
    vertical = [[-weight, 0, weight] for weight in side]
    horizontal = [list(row) for row in zip(*vertical, strict=True)]
    save("img.png", GRAY)
    ok(invoke("convolve", "img.png", "-k", name, "--scale", "1/8", "-o", "out.png"))
    values = reference.magnitude(responses(GRAY, vertical), responses(GRAY, horizontal), Fraction(1, 8))
    same("out.png", flat(reference.to_samples(values, "clip", 0, 255)[0]))


@pytest.mark.parametrize("name", ["gaussian", "gaussian:7:1.5", "log:7:1.2", "motion:5:45", "gabor:9:4:30"])
def test_families_are_within_a_level(invoke: Invoke, folder: Path, name: str) -> None:
    """The pixels are those of the kernel that the library names; what its entries are is tested elsewhere."""
    save("img.png", GRAY)
    ok(invoke("convolve", "img.png", "-k", name, "-o", "out.png", "--mapping", "clip"))
    named = cnnfilter.kernel(name)
    matrix = (np.asarray(named.matrix, float) / float(named.divisor)).tolist()
    assert np.abs(load("out.png").astype(int) - expected(GRAY, matrix, "clip")).max() <= 1


# ---------------------------------------------------------------------------------------------------------------------
# Mappings and depths


@pytest.mark.parametrize("mapping", ["clip", "abs", "normalize", "shift"])
@pytest.mark.parametrize(("array", "bits"), [(GRAY, 8), (RGB, 8), (GRAY16, 16)], ids=["gray", "rgb", "16 bits"])
@pytest.mark.parametrize(("name", "kernel"), [("sobel-v", SOBEL_V), ("blur", BLUR), ("emboss", EMBOSS)])
def test_mappings(invoke: Invoke, folder: Path, array: Array, bits: int, mapping: str, name: str, kernel: Any) -> None:
    save("img.png", array)
    got = record(invoke("convolve", "img.png", "-k", name, "-o", "out.png", "--mapping", mapping, "--report", "json"))
    same("out.png", expected(array, kernel, mapping, bits))
    assert load("out.png").dtype == array.dtype
    assert got["mapping"] == mapping
    _, clipped = reference.to_samples(responses(array, kernel), mapping, 0, HIGH[bits], MIDDLE[bits])
    assert got["clipped"] == clipped


@pytest.mark.parametrize(
    ("kernel", "options", "mapping"),
    [
        ("sobel-v", [], "abs"),
        ("laplacian-8", [], "abs"),
        ("log:7:1.2", [], "abs"),
        ("gabor:9:4:30", [], "abs"),
        ("1/3 1/3 -2/3", [], "abs"),
        ("0.1 0.2 -0.3", [], "abs"),
        ("sobel-v", ["--bias", "128"], "clip"),
        ("sobel-v", ["--bias", "0"], "abs"),
        ("blur", [], "clip"),
        ("emboss", [], "clip"),
        ("identity", [], "clip"),
        ("sobel", [], "clip"),
        ("sobel-v", ["--format", "npy"], "raw"),
        ("blur", ["--format", "npy"], "raw"),
        ("sobel-v", ["--format", "tiff", "--depth", "float"], "raw"),
        ("sobel-v", ["--format", "npy", "--mapping", "abs"], "abs"),
        ("random:3:2", [], "normalize"),
    ],
)
def test_auto_mapping(invoke: Invoke, folder: Path, kernel: str, options: list[str], mapping: str) -> None:
    save("img.png", GRAY)
    got = record(invoke("convolve", "img.png", "-k", kernel, "-o", "out/", *options, "--report", "json"))
    if kernel == "sobel":  # a magnitude is never negative, so that either name is right
        assert got["mapping"] in ("abs", "clip")
    else:
        assert got["mapping"] == mapping


@pytest.mark.parametrize("level", [0, 77, 255])
def test_normalize_makes_a_constant_image_black(invoke: Invoke, folder: Path, level: int) -> None:
    save("img.png", np.full((4, 5), level, np.uint8))
    ok(invoke("convolve", "img.png", "-k", "blur", "--mapping", "normalize", "-o", "out.png"))
    same("out.png", np.zeros((4, 5), int))


@pytest.mark.parametrize("kernel", ["identity", "sharpen", "emboss"])
def test_depth_16_multiplies_levels_by_257(invoke: Invoke, folder: Path, kernel: str) -> None:
    matrix = {"identity": [[1]], "sharpen": SHARPEN, "emboss": EMBOSS}[kernel]
    save("img.png", GRAY)
    ok(invoke("convolve", "img.png", "-k", kernel, "--depth", "16", "-o", "out.png"))
    same("out.png", expected(GRAY, matrix, "clip", 16, 257))
    assert load("out.png").dtype == np.uint16


@pytest.mark.parametrize("kernel", ["identity", "sharpen", "emboss"])
def test_depth_8_divides_levels_by_257(invoke: Invoke, folder: Path, kernel: str) -> None:
    matrix = {"identity": [[1]], "sharpen": SHARPEN, "emboss": EMBOSS}[kernel]
    deep = GRAY16.copy()
    deep[0, :6] = 0, 128, 129, 385, 386, 65535
    save("img.png", deep)
    ok(invoke("convolve", "img.png", "-k", kernel, "--depth", "8", "-o", "out.png"))
    same("out.png", expected(deep, matrix, "clip", 8, Fraction(1, 257)))
    assert load("out.png").dtype == np.uint8


@pytest.mark.parametrize(("array", "depth"), [(GRAY, "8"), (GRAY16, "16")], ids=["8", "16"])
def test_the_depth_it_has_changes_nothing(invoke: Invoke, folder: Path, array: Array, depth: str) -> None:
    save("img.png", array)
    ok(invoke("convolve", "img.png", "-k", "identity", "--depth", depth, "-o", "out.png"))
    same("out.png", array)


def test_there_and_back_between_depths(invoke: Invoke, folder: Path) -> None:
    save("img.png", GRAY)
    ok(invoke("convolve", "img.png", "-k", "identity", "--depth", "16", "-o", "deep.png"))
    ok(invoke("convolve", "deep.png", "-k", "identity", "--depth", "8", "-o", "back.png"))
    same("back.png", GRAY)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".npy"])
def test_16_bits_in_and_out(invoke: Invoke, folder: Path, suffix: str) -> None:
    save(f"img{suffix}", GRAY16)
    ok(invoke("convolve", f"img{suffix}", "-k", "sharpen", "-o", "out.png"))
    same("out.png", expected(GRAY16, SHARPEN, "clip", 16))
    assert load("out.png").dtype == np.uint16


def test_numbers_keep_their_level_in_an_array_of_16_bits(invoke: Invoke, folder: Path) -> None:
    save("img.npy", GRAY.astype(np.uint16))
    ok(invoke("convolve", "img.npy", "-k", "identity", "-o", "out.png"))
    same("out.png", GRAY.astype(np.uint16))


def test_floats_stay_floats_in_tiff(invoke: Invoke, folder: Path) -> None:
    save("img.tif", FLOATS)
    ok(invoke("convolve", "img.tif", "-k", "sobel-v"))
    got, wanted = load("img.sobel-v.tif"), flat(responses(FLOATS, SOBEL_V))
    assert got.dtype == np.float32
    assert np.abs(got - wanted).max() <= 2e-6 * np.abs(wanted).max()


@pytest.mark.parametrize("suffix", [".tif", ".npy"])
def test_floats_count_as_levels_up_to_255(invoke: Invoke, folder: Path, suffix: str) -> None:
    array = np.array([[0.49, 0.5, 1.5, 254.5, 255.4, 300, -1]], np.float32)
    save(f"img{suffix}", array)
    ok(invoke("convolve", f"img{suffix}", "-k", "identity", "-o", "out.png"))
    same("out.png", np.array([[0, 1, 2, 255, 255, 255, 0]]))


def test_floats_up_to_1_need_a_scale(invoke: Invoke, folder: Path) -> None:
    save("img.npy", np.array([[0, 0.5, 1]], np.float32))
    ok(invoke("convolve", "img.npy", "-k", "identity", "--scale", "255", "-o", "out.png"))
    same("out.png", np.array([[0, 128, 255]]))


def test_int32_counts_as_levels_up_to_255(invoke: Invoke, folder: Path) -> None:
    save("img.npy", np.array([[-7, 0, 255, 70000]], np.int32))
    ok(invoke("convolve", "img.npy", "-k", "identity", "-o", "out.png"))
    same("out.png", np.array([[0, 0, 255, 255]]))


def test_floats_in_colour_become_8_bits_in_png(invoke: Invoke, folder: Path) -> None:
    save("img.npy", RGB.astype(np.float32))
    ok(invoke("convolve", "img.npy", "-k", "identity", "-o", "out.png"))
    same("out.png", RGB)


@pytest.mark.parametrize("array", [GRAY, RGB, GRAY16], ids=["gray", "rgb", "16 bits"])
def test_npy_holds_the_raw_response(invoke: Invoke, folder: Path, array: Array) -> None:
    save("img.png" if array.ndim == 2 or array.dtype == np.uint8 else "img.npy", array)
    ok(invoke("convolve", "img.png", "-k", "sobel-v", "-o", "out.npy"))
    got = load("out.npy")
    assert got.dtype == np.int32
    np.testing.assert_array_equal(got, flat(responses(array, SOBEL_V)))


def test_npy_of_a_fraction_is_float(invoke: Invoke, folder: Path) -> None:
    save("img.png", GRAY)
    ok(invoke("convolve", "img.png", "-k", "blur", "-o", "out.npy"))
    got = load("out.npy")
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got, flat(responses(GRAY, BLUR)).astype(np.float64).astype(np.float32))


def test_npy_in_gives_npy_out(invoke: Invoke, folder: Path) -> None:
    save("img.npy", GRAY)
    ok(invoke("convolve", "img.npy", "-k", "sobel-v"))
    np.testing.assert_array_equal(load("img.sobel-v.npy"), flat(responses(GRAY, SOBEL_V)))


def test_npy_of_many_channels(invoke: Invoke, folder: Path) -> None:
    array = RNG.integers(0, 256, (5, 6, 7)).astype(np.uint8)
    save("img.npy", array)
    ok(invoke("convolve", "img.npy", "-k", "emboss", "-o", "out.npy"))
    np.testing.assert_array_equal(load("out.npy"), flat(responses(array, EMBOSS)))
    ok(invoke("convolve", "img.npy", "-k", "emboss", "--channels", "sum", "-o", "sum.npy"))
    np.testing.assert_array_equal(load("sum.npy").reshape(5, 6), flat(responses(array, EMBOSS, channels="sum")))


@pytest.mark.parametrize(("name", "depth"), [("out.tif", "float"), ("out.npy", "float")])
def test_depth_float(invoke: Invoke, folder: Path, name: str, depth: str) -> None:
    save("img.png", GRAY)
    ok(invoke("convolve", "img.png", "-k", "sobel-v", "--depth", depth, "-o", name))
    got = load(name)
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got, flat(responses(GRAY, SOBEL_V)))


@pytest.mark.parametrize(("depth", "dtype"), [("8", "uint8"), ("16", "uint16"), ("float", "float32")])
def test_npy_with_an_explicit_depth(invoke: Invoke, folder: Path, depth: str, dtype: str) -> None:
    save("img.png", GRAY)
    ok(invoke("convolve", "img.png", "-k", "identity", "--depth", depth, "--mapping", "clip", "-o", "out.npy"))
    got = load("out.npy")
    assert got.dtype == dtype
    np.testing.assert_array_equal(got, GRAY.astype(int) * (257 if depth == "16" else 1))


@pytest.mark.parametrize(
    ("array", "options", "needle"),
    [
        (RGB.astype(np.uint16) * 257, ["-o", "out.png"], "npy"),
        (RGB.astype(np.uint16) * 257, ["-o", "out.tif"], "npy"),
        (RGB, ["-o", "out.png", "--depth", "16"], "npy"),
        (RGB, ["-o", "out.tif", "--depth", "float"], "npy"),
        (RGB, ["-o", "out.tif", "--mapping", "raw"], "npy"),
        (GRAY, ["-o", "out.jpg", "--depth", "16"], "png"),
        (GRAY, ["-o", "out.webp", "--depth", "float"], "npy"),
        (GRAY, ["-o", "out.png", "--depth", "float"], "tiff"),
        (GRAY16, ["-o", "out.jpg"], "png"),
        (GRAY16, ["-o", "out.bmp"], "png"),
        (GRAY, ["-o", "out.png", "--mapping", "raw"], "npy"),
        (GRAY, ["-o", "out.jpg", "--mapping", "raw"], "npy"),
        (GRAY, ["-o", "out.tif", "--mapping", "raw"], "float"),
        (GRAY, ["-o", "out.npy", "--mapping", "raw", "--depth", "8"], "float"),
    ],
)
def test_what_no_format_can_hold_is_refused_naming_what_can(
    invoke: Invoke, folder: Path, array: Array, options: list[str], needle: str
) -> None:
    save("img.npy", array)
    assert needle in refused(invoke("convolve", "img.npy", "-k", "identity", "--report", "none", *options))
    assert entries(folder) == ["img.npy"]


def test_16_bit_colour_fits_with_depth_8_or_gray_or_npy(invoke: Invoke, folder: Path) -> None:
    save("img.npy", RGB.astype(np.uint16) * 257)
    ok(invoke("convolve", "img.npy", "-k", "identity", "--depth", "8", "-o", "eight.png"))
    ok(invoke("convolve", "img.npy", "-k", "identity", "--gray", "mean", "-o", "gray.png"))
    ok(invoke("convolve", "img.npy", "-k", "identity", "-o", "all.npy"))
    same("eight.png", RGB)
    assert load("gray.png").dtype == np.uint16
    np.testing.assert_array_equal(load("all.npy"), RGB.astype(np.int32) * 257)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_not_finite_samples(invoke: Invoke, folder: Path, bad: float) -> None:
    array = FLOATS.copy()
    array[2, 3] = bad
    save("img.npy", array)
    result = invoke("convolve", "img.npy", "-k", "blur", "-o", "out.png", "--report", "none")
    assert result.code != 0
    assert "img.npy" in one_line(result.err)
    assert entries(folder) == ["img.npy"]
    ok(invoke("convolve", "img.npy", "-k", "blur", "-o", "out.npy"))
    touched = np.zeros((6, 7), bool)
    touched[1:4, 2:5] = True
    np.testing.assert_array_equal(~np.isfinite(load("out.npy")), touched)


# ---------------------------------------------------------------------------------------------------------------------
# Gray, channels, alpha, banks


@pytest.mark.parametrize("how", ["luma", "mean"])
@pytest.mark.parametrize("alpha", [True, False])
def test_gray(invoke: Invoke, folder: Path, how: str, alpha: bool) -> None:
    save("img.png", np.dstack([RGB, ALPHA]) if alpha else RGB)
    got = record(invoke("convolve", "img.png", "-k", "sobel-v", "--gray", how, "-o", "out.png", "--report", "json"))
    gray = np.array(reference.gray(RGB.tolist(), how))
    pixels = expected(gray, SOBEL_V, "abs")
    same("out.png", np.dstack([pixels, ALPHA]) if alpha else pixels)
    assert (got["input_shape"], got["output_shape"]) == ([7, 8], [7, 8])


@pytest.mark.parametrize("how", ["luma", "mean"])
def test_gray_leaves_gray_alone(invoke: Invoke, folder: Path, how: str) -> None:
    save("img.png", GRAY)
    ok(invoke("convolve", "img.png", "-k", "identity", "--gray", how, "-o", "out.png"))
    same("out.png", GRAY)


def test_gray_of_16_bits_keeps_them(invoke: Invoke, folder: Path) -> None:
    deep = RGB.astype(np.uint16) * 257 - np.uint16(3) * (RGB > 0)
    save("img.npy", deep)
    ok(invoke("convolve", "img.npy", "-k", "identity", "--gray", "luma", "-o", "out.png"))
    same("out.png", np.array(reference.gray(deep.tolist(), "luma")))


def test_the_mean_of_seven_channels(invoke: Invoke, folder: Path) -> None:
    array = RNG.integers(0, 256, (3, 4, 7)).astype(np.uint8)
    save("img.npy", array)
    ok(invoke("convolve", "img.npy", "-k", "identity", "--gray", "mean", "-o", "out.png"))
    same("out.png", np.array(reference.gray(array.tolist(), "mean")))


def test_the_sum_of_channels_is_one_map_without_alpha(invoke: Invoke, folder: Path) -> None:
    save("img.png", np.dstack([RGB, ALPHA]))
    got = record(
        invoke("convolve", "img.png", "-k", "sobel-v", "--channels", "sum", "-o", "out.npy", "--report", "json")
    )
    wanted = flat(responses(RGB, SOBEL_V, channels="sum"))
    np.testing.assert_array_equal(load("out.npy").reshape(wanted.shape), wanted)
    assert got["input_shape"] == [7, 8, 3]
    assert got["output_shape"] in ([7, 8], [7, 8, 1])
    assert got["output_values"] == 56
    assert got["macs"] == 56 * 9 * 3
    ok(invoke("convolve", "img.png", "-k", "blur", "--channels", "sum", "--scale", "1/3", "-o", "out.png"))
    same("out.png", expected(RGB, BLUR, "clip", channels="sum", scale=Fraction(1, 3)))


def centres(count: int, outputs: int, stride: int, before: int, effective: int) -> list[int]:
    """The index of the sample under the centre of each window."""
    return [min(max(i * stride - before + (effective - 1) // 2, 0), count - 1) for i in range(outputs)]


@pytest.mark.parametrize(
    ("options", "size", "stride", "before", "effective"),
    [
        ([], (7, 8), (1, 1), (1, 1), (3, 3)),
        (["-s", "2"], (4, 4), (2, 2), (1, 1), (3, 3)),
        (["-s", "3x2", "-p", "valid"], (2, 3), (3, 2), (0, 0), (3, 3)),
        (["-p", "4"], (13, 14), (1, 1), (4, 4), (3, 3)),
        (["--dilation", "2", "-s", "2"], (4, 4), (2, 2), (2, 2), (5, 5)),
    ],
)
@pytest.mark.parametrize("array", [RGB, RGB[:, :, 0]], ids=["rgb", "gray"])
def test_alpha_keep_takes_that_of_the_centre(
    invoke: Invoke,
    folder: Path,
    array: Array,
    options: list[str],
    size: tuple[int, int],
    stride: tuple[int, int],
    before: tuple[int, int],
    effective: tuple[int, int],
) -> None:
    save("img.png", np.dstack([array, ALPHA]))
    got = record(invoke("convolve", "img.png", "-k", "emboss", "-o", "out.png", *options, "--report", "json"))
    rows = centres(7, size[0], stride[0], before[0], effective[0])
    columns = centres(8, size[1], stride[1], before[1], effective[1])
    output = load("out.png")
    np.testing.assert_array_equal(output[:, :, -1], ALPHA[np.ix_(rows, columns)])
    assert got["input_shape"] == list(array.shape)
    assert got["output_shape"] == [*size, *array.shape[2:]]


def test_alpha_of_an_even_kernel(invoke: Invoke, folder: Path) -> None:
    save("img.png", np.dstack([RGB, ALPHA]))
    ok(invoke("convolve", "img.png", "-k", "box:4x2", "-p", "valid", "-o", "out.png"))
    np.testing.assert_array_equal(load("out.png")[:, :, 3], ALPHA[1:5, 0:7])


@pytest.mark.parametrize("array", [RGB, RGB[:, :, 0]], ids=["rgb", "gray"])
def test_alpha_drop(invoke: Invoke, folder: Path, array: Array) -> None:
    save("img.png", np.dstack([array, ALPHA]))
    ok(invoke("convolve", "img.png", "-k", "emboss", "--alpha", "drop", "-o", "out.png"))
    same("out.png", expected(array, EMBOSS, "clip"))


@pytest.mark.parametrize("array", [RGB, RGB[:, :, 0]], ids=["rgb", "gray"])
@pytest.mark.parametrize("options", [[], ["-s", "2"], ["-p", "valid"]])
def test_alpha_filter_filters_premultiplied_colours(
    invoke: Invoke, folder: Path, array: Array, options: list[str]
) -> None:
    save("img.png", np.dstack([array, ALPHA]))
    ok(invoke("convolve", "img.png", "-k", "blur", "--alpha", "filter", "-o", "out.png", *options))
    words: dict[str, Any] = {"stride": (2, 2)} if "-s" in options else {"padding": "valid"} if "-p" in options else {}
    colours = nested(array)
    opacity = nested(ALPHA)
    products = [
        [[level * a[0] for level in pixel] for pixel, a in zip(row, alphas, strict=True)]
        for row, alphas in zip(colours, opacity, strict=True)
    ]
    sums = reference.convolve(products, BLUR, **words)
    weights = reference.convolve(opacity, BLUR, **words)
    mixed = [
        [[total / Fraction(w[0]) for total in pixel] for pixel, w in zip(row, ws, strict=True)]
        for row, ws in zip(sums, weights, strict=True)
    ]
    output = load("out.png").astype(int)
    wanted = np.array(reference.to_samples(mixed, "clip", 0, 255)[0])
    assert np.abs(output[:, :, :-1] - wanted).max() <= 1
    np.testing.assert_array_equal(output[:, :, -1], flat(reference.to_samples(weights, "clip", 0, 255)[0]))


def test_alpha_filter_lets_no_hidden_colour_through(invoke: Invoke, folder: Path) -> None:
    array = np.full((5, 5, 4), 255, np.uint8)
    array[:, :3] = 0, 255, 0, 0  # transparent green beside opaque white
    save("img.png", array)
    ok(invoke("convolve", "img.png", "-k", "blur", "--alpha", "filter", "-o", "out.png"))
    output = load("out.png")
    assert output[2, 2].tolist() == [255, 255, 255, 85]
    assert output[2, 4].tolist() == [255, 255, 255, 255]
    assert output[2, 0, 3] == 0


@pytest.mark.parametrize("kernel", ["sobel-v", "laplacian", "1 -1"])
def test_alpha_filter_is_not_for_kernels_that_sum_to_zero(invoke: Invoke, folder: Path, kernel: str) -> None:
    save("img.png", np.dstack([RGB, ALPHA]))
    line = refused(invoke("convolve", "img.png", "-k", kernel, "--alpha", "filter", "-o", "out.png"))
    assert "--alpha" in line
    assert entries(folder) == ["img.png"]


@pytest.mark.parametrize("name", ["out.jpg", "out.bmp", "out.ppm"])
def test_a_format_without_alpha_drops_it_with_a_warning(invoke: Invoke, folder: Path, name: str) -> None:
    save("img.png", np.dstack([RGB, ALPHA]))
    got = record(invoke("convolve", "img.png", "-k", "identity", "-o", name, "--report", "json"))
    assert len(got["warnings"]) == 1
    assert "transparency" in got["warnings"][0] or "alpha" in got["warnings"][0]
    assert load(name).shape == (7, 8, 3)
    if name != "out.jpg":
        same(name, RGB)


def test_the_warning_is_said_in_a_table_too(invoke: Invoke, folder: Path) -> None:
    save("img.png", np.dstack([RGB, ALPHA]))
    assert b"transparency" in ok(invoke("convolve", "img.png", "-k", "identity", "-o", "out.bmp")).out


BANK = RNG.integers(-3, 4, (2, 3, 3, 5)).astype(np.int64)


def test_a_bank_as_npy(invoke: Invoke, folder: Path) -> None:
    save("img.png", np.dstack([RGB, ALPHA]))
    save("bank.npy", BANK)
    got = record(invoke("convolve", "img.png", "-k", "bank.npy", "-o", "out.npy", "--report", "json"))
    np.testing.assert_array_equal(load("out.npy"), flat(reference.convolve_bank(nested(RGB), BANK.tolist())))
    assert got["output_shape"] == [7, 8, 5]
    assert got["params"] == 2 * 3 * 3 * 5
    assert got["macs"] == 7 * 8 * 5 * 2 * 3 * 3
    assert got["kernel_shape"] == [2, 3, 3, 5]


def test_a_bank_as_a_picture_shows_every_map_normalised(invoke: Invoke, folder: Path) -> None:
    save("img.png", RGB)
    save("bank.npy", BANK)
    got = record(invoke("convolve", "img.png", "-k", "bank.npy", "--report", "json"))
    assert got["mapping"] == "normalize"
    picture = load("img.bank.png")
    assert picture.ndim == 2
    maps = np.array(reference.convolve_bank(nested(RGB), BANK.tolist()))
    zoom = 16  # a map of 7 x 8 becomes a tile of 112 x 128 with hard pixels
    phases = [picture[y::zoom, x::zoom] for y in range(zoom) for x in range(zoom)]
    for number in range(5):
        tile = flat(reference.to_samples(maps[:, :, number : number + 1].tolist(), "normalize", 0, 255)[0])
        windows = (np.lib.stride_tricks.sliding_window_view(phase, (7, 8)) for phase in phases)
        assert sum((window == tile).all(axis=(2, 3)).sum() for window in windows) == zoom * zoom, f"map {number}"


def test_random_banks_are_the_same_every_time(invoke: Invoke, folder: Path) -> None:
    save("img.png", RGB)
    outputs = []
    for name, kernel in (("a", "random:3:4"), ("b", "random:3:4:0"), ("c", "random:3:4:1")):
        ok(invoke("convolve", "img.png", "-k", kernel, "-o", f"{name}.npy"))
        outputs.append(load(f"{name}.npy"))
    assert outputs[0].shape == (7, 8, 4)
    np.testing.assert_array_equal(outputs[0], outputs[1])
    assert (outputs[0] != outputs[2]).any()


def test_a_bank_that_does_not_fit_the_channels(invoke: Invoke, folder: Path) -> None:
    save("img.png", GRAY)
    save("bank.npy", BANK)
    result = invoke("convolve", "img.png", "-k", "bank.npy", "-o", "out.png", "--report", "none")
    assert result.code == 2
    assert "3" in one_line(result.err)
    assert entries(folder) == ["bank.npy", "img.png"]


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


# ---------------------------------------------------------------------------------------------------------------------
# Reports


def test_json_has_the_keys_of_the_contract_in_their_order(invoke: Invoke, folder: Path) -> None:
    save("img.png", RGB)
    result = ok(invoke("convolve", "img.png", "-k", "sobel-v", "-s", "2x1", "--dilation", "2", "--report", "json"))
    assert [pair[0] for pair in json.loads(result.out, object_pairs_hook=list)] == KEYS
    got = record(result)
    seconds = got.pop("seconds")
    assert 0 < seconds < 10
    assert got == {
        "input": "img.png",
        "output": "img.sobel-v.png",
        "status": "ok",
        "operation": "convolve",
        "kernel": "sobel-v",
        "kernel_shape": [3, 3],
        "stride": [2, 1],
        "padding": [[2, 2], [2, 2]],
        "pad_mode": "reflect",
        "dilation": [2, 2],
        "mapping": "abs",
        "input_shape": [7, 8, 3],
        "output_shape": [4, 8, 3],
        "input_values": 168,
        "output_values": 96,
        "compression": pytest.approx(96 / 168, abs=5e-5),
        "clipped": got["clipped"],
        "input_bytes": (folder / "img.png").stat().st_size,
        "output_bytes": (folder / "img.sobel-v.png").stat().st_size,
        "params": 9,
        "macs": 96 * 9,
        "warnings": [],
        "error": None,
    }


@pytest.mark.parametrize(
    ("options", "padding", "shape"),
    [
        (["-p", "valid"], [[0, 0], [0, 0]], [6, 10]),
        (["-p", "same"], [[1, 2], [0, 1]], [9, 11]),
        (["-p", "2x3"], [[2, 2], [3, 3]], [10, 16]),
        (["-s", "4"], [[1, 2], [0, 1]], [3, 3]),
    ],
)
def test_padding_is_told_a_side(
    invoke: Invoke, folder: Path, options: list[str], padding: list[list[int]], shape: list[int]
) -> None:
    save("img.png", GRAY)
    got = record(invoke("convolve", "img.png", "-k", "box:4x2", *options, "--report", "json"))
    assert got["padding"] == padding
    assert got["output_shape"] == shape
    assert load("img.box-4x2.png").shape == tuple(shape)
    assert got["params"] == 8
    assert got["macs"] == shape[0] * shape[1] * 8


@pytest.mark.parametrize("kernel", ["sobel", "scharr"])
def test_a_magnitude_costs_both_of_its_kernels(invoke: Invoke, folder: Path, kernel: str) -> None:
    save("img.png", GRAY)
    got = record(invoke("convolve", "img.png", "-k", kernel, "--report", "json"))
    assert got["params"] == 18
    assert got["macs"] == 9 * 11 * 18


def test_zero_taps_count(invoke: Invoke, folder: Path) -> None:
    save("img.png", GRAY)
    got = record(invoke("convolve", "img.png", "-k", "identity", "--bias", "3", "--report", "json"))
    assert (got["params"], got["macs"]) == (9, 9 * 11 * 9)


def test_a_batch_ends_with_totals(invoke: Invoke, folder: Path) -> None:
    for name in "cab":
        save(f"{name}.png", GRAY)
    (folder / "bad.png").write_bytes(b"no picture")
    result = invoke("convolve", "c.png", "bad.png", "a.png", "b.png", "-k", "blur", "-o", "out/", "--report", "json")
    assert result.code == 1
    assert "bad.png" in one_line(result.err)
    *rows, totals = lines(result)
    assert [row["input"] for row in rows] == ["c.png", "bad.png", "a.png", "b.png"]
    assert [row["status"] for row in rows] == ["ok", "failed", "ok", "ok"]
    assert all(list(row) == KEYS for row in rows)
    assert rows[1]["error"]
    assert rows[1]["output_shape"] is None
    assert [row["error"] for row in rows].count(None) == 3
    assert "input" not in totals
    assert (totals["done"], totals["skipped"], totals["failed"]) == (3, 0, 1)
    assert entries(folder / "out") == ["a.png", "b.png", "c.png"]


@pytest.mark.parametrize(("words", "told"), [
    (["-s", "2", "-s", "3"], ["--stride is given 2 times; the last one counts"]),
    (["-s2", "--stride=2", "-s", "3"], ["--stride is given 3 times; the last one counts"]),
    (["-s", "3", "--mapping", "abs", "--mapping", "clip"], ["--mapping is given 2 times; the last one counts"]),
    (["-s", "2", "-s", "3", "-q"], []),
    (["-s", "3", "--strip", "--strip"], []),
])  # fmt: skip
def test_of_a_repeated_option_the_last_one_counts_and_that_is_told(
    invoke: Invoke, folder: Path, words: list[str], told: list[str]
) -> None:
    save("img.png", RGB)
    done = invoke("convolve", "img.png", "-k", "blur", "-o", "x.png", *words)
    assert done.code == 0
    assert done.err.decode().splitlines() == [f"cnnfilter: warning: {line}" for line in told]
    assert np.array_equal(load("x.png"), cnnfilter.convolve(RGB, "blur", stride=3, mapping="clip"))


def test_csv(invoke: Invoke, folder: Path) -> None:
    save("img, 1.png", RGB)
    (folder / "bad.png").write_bytes(b"no picture")
    result = invoke("convolve", "img, 1.png", "bad.png", "-k", "blur", "-o", "out/", "--report", "csv")
    assert result.code == 1
    rows = list(csv.DictReader(io.StringIO(result.out.decode())))
    assert list(rows[0]) == KEYS
    assert [row["input"] for row in rows] == ["img, 1.png", "bad.png"]
    assert [row["status"] for row in rows] == ["ok", "failed"]
    assert rows[0]["output_values"] == "168"
    assert rows[0]["macs"] == str(168 * 9)
    assert rows[0]["error"] == ""
    assert rows[1]["error"] != ""


@pytest.mark.parametrize("kernel", ["sobel-v", "box:31x33", "0.123456789 0.123456789 0.123456789 0.1234 0.12345678"])
def test_the_table_tells_shapes_compression_and_mapping(invoke: Invoke, folder: Path, kernel: str) -> None:
    save("img.png", np.zeros((427, 640), np.uint8))
    text = ok(invoke("convolve", "img.png", "-k", kernel, "-s", "4", "-o", "out.png")).out.decode()
    assert max(map(len, text.splitlines())) <= 80
    for word in ("427x640", "107x160", "6.26%", "273280", "17120", "abs" if kernel == "sobel-v" else "clip", "out.png"):
        assert word in text


def test_the_table_of_a_batch_tells_them_too(invoke: Invoke, folder: Path) -> None:
    for name in ("a", "b"):
        save(f"{name}.png", np.zeros((427, 640, 3), np.uint8))
    text = ok(invoke("convolve", "a.png", "b.png", "-k", "sobel-v", "-s", "4", "-o", "out/")).out.decode()
    assert max(map(len, text.splitlines())) <= 80
    for word in ("427x640x3", "107x160x3", "6.26%", "abs", "out/a.png", "out/b.png", "2 done", "0 skipped", "0 failed"):
        assert word in text


def test_tables_list_up_to_50_rows_and_then_failures_and_totals(invoke: Invoke, folder: Path) -> None:
    (folder / "in").mkdir()
    for number in range(50):
        save(f"in/n{number:02}.png", GRAY[:1, :1])
    text = ok(invoke("convolve", "in", "-k", "identity", "-o", "out/")).out.decode()
    assert [number for number in range(50) if f"out/n{number:02}.png" not in text] == []
    (folder / "in" / "worst.png").write_bytes(b"")
    result = invoke("convolve", "in", "-k", "identity", "-o", "out/")
    assert result.code == 1
    text = result.out.decode()
    assert "n00.png" not in text
    assert "worst" in text
    assert "50 done" in text
    assert "1 failed" in text


@pytest.mark.parametrize("options", [["--report", "none"], ["-q"], ["--quiet"]])
def test_silence(invoke: Invoke, folder: Path, options: list[str]) -> None:
    save("img.png", GRAY)
    assert ok(invoke("convolve", "img.png", "-k", "blur", *options)).out == b""
    assert (folder / "img.blur.png").exists()


def test_quiet_keeps_errors(invoke: Invoke, folder: Path) -> None:
    assert "missing.png" in refused(invoke("convolve", "missing.png", "-k", "blur", "-q"), 1)


@pytest.mark.parametrize("name", ["report.json", "report.csv", "report.txt"])
def test_a_report_file_has_the_format_of_its_suffix(invoke: Invoke, folder: Path, name: str) -> None:
    save("img.png", GRAY)
    ok(invoke("convolve", "img.png", "-k", "blur", "--report-file", name))
    text = (folder / name).read_text()
    if name.endswith("json"):
        assert list(json.loads(text)) == KEYS
    elif name.endswith("csv"):
        assert text.splitlines()[0] == ",".join(KEYS)
        assert len(text.splitlines()) == 2
    else:
        assert "9x11" in text


@pytest.mark.parametrize(
    "name", ["report", "report.png", "report.xyz", "missing/report.json", "img.png", "img.blur.png"]
)
def test_report_files_that_are_refused(invoke: Invoke, folder: Path, name: str) -> None:
    save("img.png", GRAY)
    assert "--report-file" in refused(invoke("convolve", "img.png", "-k", "blur", "--report-file", name))
    assert entries(folder) == ["img.png"]
    same("img.png", GRAY)


def test_two_formats_of_a_report_are_refused(invoke: Invoke, folder: Path) -> None:
    save("img.png", GRAY)
    told = refused(invoke("convolve", "img.png", "-k", "blur", "--report", "json", "--report-file", "y.csv"))
    assert "--report: json" in told
    assert "'y.csv' says csv" in told
    ok(invoke("convolve", "img.png", "-k", "blur", "--report", "csv", "--report-file", "y.csv"))
    assert entries(folder) == ["img.blur.png", "img.png", "y.csv"]


def test_names_in_a_csv_file_are_as_they_are(invoke: Invoke, folder: Path) -> None:
    names = ["new\nline.png", "new\\nline.png", "re\rturn.png", "tab\t.png", 'quo"te, comma.png']
    for name in names:
        save(folder / name, GRAY)
    ok(invoke("convolve", "-k", "blur", "-o", "out/", "--report-file", "r.csv", "--", *names))
    with (folder / "r.csv").open(newline="") as file:
        assert [row["input"] for row in csv.DictReader(file)] == names


def test_a_report_file_is_replaced_when_it_is_complete(invoke: Invoke, folder: Path) -> None:
    save("img.png", GRAY)
    (folder / "r.json").write_text("before")
    (folder / "r.json").chmod(0o640)
    refused(invoke("convolve", "img.png", "-k", "blur", "--report-file", "r.json", "--depth", "float", "-o", "a.jpg"))
    assert (folder / "r.json").read_text() == "before"
    ok(invoke("convolve", "img.png", "-k", "blur", "--report-file", "r.json"))
    assert json.loads((folder / "r.json").read_text())["input"] == "img.png"
    assert (folder / "r.json").stat().st_mode & 0o777 == 0o640
    assert entries(folder) == ["img.blur.png", "img.png", "r.json"]


@pytest.mark.parametrize("name", ["report.json", "report.csv", "report.txt"])
def test_a_report_that_cannot_be_written_is_named(invoke: Invoke, folder: Path, name: str) -> None:
    save("img.png", GRAY)
    (folder / name).symlink_to("/dev/full")
    assert name in refused(invoke("convolve", "img.png", "-k", "blur", "--report-file", name), 1)


def test_input_without_a_suffix(invoke: Invoke, folder: Path) -> None:
    save("img.png", GRAY)
    (folder / "img.png").rename(folder / "picture")
    ok(invoke("convolve", "picture", "-k", "blur", "-o", "out/"))
    files = entries(folder / "out")
    assert len(files) == 1
    same(folder / "out" / files[0], expected(GRAY, BLUR, "clip"))


# ---------------------------------------------------------------------------------------------------------------------
# Streams


def content_of(array: Array, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    PIL.Image.fromarray(array).save(file, format=kind)
    return file.getvalue()


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
    assert all(line.isprintable() for line in result.out.decode().split("\n"))
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


# ---------------------------------------------------------------------------------------------------------------------
# Folders, patterns, doing less


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


@pytest.mark.parametrize(("arguments", "needles"), MISUSES, ids=[" ".join(pair[0]) for pair in MISUSES])
def test_a_dry_run_finds_the_same_misuses(
    invoke: Invoke, stocked: Path, arguments: list[str], needles: list[str]
) -> None:
    result = invoke(*arguments, "--dry-run", stdin=content_of(GRAY))
    assert result.code == 2
    assert [needle for needle in needles if needle not in one_line(result.err)] == []


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


# ---------------------------------------------------------------------------------------------------------------------
# The command itself


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
