"""Gray, channels, transparency and banks from outside."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import reference
from arrays import nested
from expectations import ALPHA, BLUR, EMBOSS, GRAY, RGB, RNG, SOBEL_V, expected, flat, responses, same
from outcomes import entries, load, ok, one_line, record, refused, save

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Invoke
    from numpy.typing import NDArray

    Array = NDArray[Any]


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
