"""`cnnfilter convolve` from outside: its pixels, mappings and depths by the slow definition."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import reference
from expectations import (
    BLUR,
    EMBOSS,
    FLOATS,
    GRAY,
    GRAY16,
    HIGH,
    MIDDLE,
    RGB,
    RNG,
    SOBEL_V,
    expected,
    flat,
    responses,
    same,
)
from outcomes import entries, load, ok, one_line, record, refused, save

import cnnfilter

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Invoke, Run
    from numpy.typing import NDArray

    Array = NDArray[Any]


SOBEL_H = [[-1, -2, -1], [0, 0, 0], [1, 2, 1]]
SHARPEN = [[0, -1, 0], [-1, 5, -1], [0, -1, 0]]
LAPLACIAN = [[0, 1, 0], [1, -4, 1], [0, 1, 0]]


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
