"""`cnnfilter pool` from outside: pixels, names and reports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import reference
from outcomes import KEYS, entries, load, ok, record, refused, save
from pictures import GRAY, RGB, RGBA, RNG

import cnnfilter

if TYPE_CHECKING:
    from conftest import Invoke
    from numpy.typing import NDArray

    Array = NDArray[Any]


GRAY16 = RNG.integers(0, 65536, (6, 7)).astype(np.uint16)


def pooled(array: Array, kind: str = "max", size: tuple[int, int] = (2, 2), **options: Any) -> Array:
    """The pixels by the slow definition."""
    planes = array if array.ndim == 3 else array[:, :, None]
    values = reference.pool(planes.tolist(), kind, size=size, **options)
    pixels = [[[reference.round_half_up(v) for v in pixel if v is not None] for pixel in row] for row in values]
    result = np.array(pixels)
    return result if array.ndim == 3 else result[:, :, 0]


@pytest.mark.parametrize(("options", "words"), [
    ([], {}),
    (["--kind", "min"], {"kind": "min"}),
    (["--kind", "avg"], {"kind": "avg"}),
    (["--size", "3"], {"size": (3, 3)}),
    (["--size", "2x3", "--kind", "avg"], {"size": (2, 3), "kind": "avg"}),
    (["--size", "3", "--stride", "2"], {"size": (3, 3), "stride": (2, 2)}),
    (["--size", "3", "-s", "1x2", "-p", "1"], {"size": (3, 3), "stride": (1, 2), "padding": 1}),
    (["--size", "3", "-p", "same", "--kind", "avg"], {"size": (3, 3), "padding": "same", "kind": "avg"}),
    (["--size", "3", "-p", "2x1", "--kind", "avg", "--count-include-pad"],
     {"size": (3, 3), "padding": ((2, 2), (1, 1)), "kind": "avg", "count_include_pad": True}),
    (["--ceil-mode"], {"ceil_mode": True}),
    (["--size", "4", "--ceil-mode", "--kind", "avg"], {"size": (4, 4), "kind": "avg", "ceil_mode": True}),
    (["--dilation", "3"], {"dilation": (3, 3)}),
    (["--dilation", "1x2", "--kind", "min"], {"dilation": (1, 2), "kind": "min"}),
], ids=str)  # fmt: skip
@pytest.mark.parametrize("array", [GRAY, RGB], ids=["gray", "rgb"])
def test_every_pixel(invoke: Invoke, folder: Path, array: Array, options: list[str], words: dict[str, Any]) -> None:
    save("img.png", array)
    ok(invoke("pool", "img.png", *options, "-o", "out.png"))
    result = load("out.png")
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(result, pooled(array, **words))


@pytest.mark.parametrize("options", [["--global"], ["--size", "all"]], ids=str)
@pytest.mark.parametrize("kind", ["max", "min", "avg"])
def test_global(invoke: Invoke, folder: Path, options: list[str], kind: str) -> None:
    save("img.png", RGB)
    ok(invoke("pool", "img.png", *options, "--kind", kind, "-o", "out.png"))
    np.testing.assert_array_equal(load("out.png"), pooled(RGB, kind, (17, 22)))


@pytest.mark.parametrize(("options", "name"), [
    ([], "img.max2x2.png"),
    (["--kind", "avg", "--size", "4"], "img.avg4x4.png"),
    (["--kind", "min", "--size", "3x2"], "img.min3x2.png"),
    (["--size", "2", "--stride", "1"], "img.max2x2.png"),
])  # fmt: skip
def test_names_beside_the_input(invoke: Invoke, folder: Path, options: list[str], name: str) -> None:
    save("img.png", RGB)
    ok(invoke("pool", "img.png", *options))
    assert entries(folder) == sorted([name, "img.png"])


@pytest.mark.parametrize("kind", ["max", "min", "avg"])
def test_alpha_is_pooled_like_a_colour(invoke: Invoke, folder: Path, kind: str) -> None:
    save("img.png", RGBA)
    ok(invoke("pool", "img.png", "--kind", kind, "--size", "3", "--ceil-mode", "-o", "out.png"))
    np.testing.assert_array_equal(load("out.png"), pooled(RGBA, kind, (3, 3), ceil_mode=True))


def test_alpha_drop(invoke: Invoke, folder: Path) -> None:
    save("img.png", RGBA)
    ok(invoke("pool", "img.png", "--alpha", "drop", "-o", "out.png"))
    np.testing.assert_array_equal(load("out.png"), pooled(RGBA[:, :, :3]))


@pytest.mark.parametrize("kind", ["max", "min", "avg"])
def test_16_bits_stay(invoke: Invoke, folder: Path, kind: str) -> None:
    save("img.png", GRAY16)
    ok(invoke("pool", "img.png", "--kind", kind, "-o", "out.png"))
    result = load("out.png")
    assert result.dtype == np.uint16
    np.testing.assert_array_equal(result, pooled(GRAY16, kind))


def test_npy_holds_the_raw_response(invoke: Invoke, folder: Path) -> None:
    save("img.png", GRAY)
    ok(invoke("pool", "img.png", "--kind", "avg", "-o", "out.npy"))
    ok(invoke("pool", "img.png", "-o", "max.npy"))
    np.testing.assert_array_equal(load("out.npy"), cnnfilter.pool(GRAY, "avg"))
    assert load("out.npy").dtype == np.float32
    assert load("max.npy").dtype == np.uint8


def test_the_courses_report(invoke: Invoke, folder: Path) -> None:
    save("img.png", RNG.integers(0, 256, (427, 640)).astype(np.uint8))
    text = " ".join(ok(invoke("pool", "img.png", "--size", "4")).out.decode().split())
    assert "273280 -> 16960" in text
    assert "6.21%" in text
    assert "427x640 -> 106x160" in text


def test_json_of_pool(invoke: Invoke, folder: Path) -> None:
    save("img.png", RGB)
    arguments = ["--kind", "avg", "--size", "3x2", "-s", "2", "-p", "1", "--gray", "luma", "--report", "json"]
    row = record(invoke("pool", "img.png", *arguments))
    assert list(row)[: len(KEYS)] == KEYS
    wanted = {
        "input": "img.png", "output": "img.avg3x2.png", "status": "ok", "operation": "pool", "kernel": "avg",
        "kernel_shape": [3, 2], "stride": [2, 2], "padding": [[1, 1], [1, 1]], "pad_mode": None, "dilation": [1, 1],
        "mapping": "clip", "input_shape": [17, 22], "output_shape": [9, 12], "input_values": 374,
        "output_values": 108, "compression": pytest.approx(108 / 374), "clipped": 0, "params": 0, "macs": 0,
        "warnings": [], "error": None,
    }  # fmt: skip
    assert {key: row[key] for key in wanted} == wanted
    assert row["output_bytes"] == Path("img.avg3x2.png").stat().st_size


def test_json_of_global_pooling(invoke: Invoke, folder: Path) -> None:
    save("img.png", RGB)
    row = record(invoke("pool", "img.png", "--global", "--report", "json"))
    assert (row["kernel_shape"], row["output_shape"]) == ([17, 22], [1, 1, 3])


@pytest.mark.parametrize(("options", "words"), [
    (["--padding", "2"], ["--padding", "2"]),
    (["--size", "0"], ["--size", "0"]),
    (["--size", "2y3"], ["--size", "2y3"]),
    (["--stride", "0"], ["--stride", "0"]),
    (["--kind", "median"], ["--kind", "median"]),
    (["--dilation", "0"], ["--dilation"]),
    (["--size", "18"], ["18x18", "17x22"]),
    (["--alpha", "filter"], ["--alpha", "filter"]),
    (["--pad-mode", "zero"], ["--pad-mode"]),
    (["--mapping", "raw"], ["--mapping", "raw"]),
    (["-o", "out.xyz"], ["out.xyz"]),
    (["-o", "img.png"], ["img.png"]),
], ids=str)  # fmt: skip
def test_pool_misused(invoke: Invoke, folder: Path, options: list[str], words: list[str]) -> None:
    save("img.png", RGB)
    text = refused(invoke("pool", "img.png", *options))
    for word in words:
        assert word in text
    assert entries(folder) == ["img.png"]


def test_a_batch_goes_on_after_an_image_that_is_too_small(invoke: Invoke, folder: Path) -> None:
    save("a.png", RGB)
    save("b.png", GRAY[:2, :2])
    save("c.png", RGB)
    result = invoke("pool", "a.png", "b.png", "c.png", "--size", "3", "--report", "json", "-o", "out/")
    rows = [json.loads(line) for line in result.out.splitlines()]
    assert [row.get("status") for row in rows[:3]] == ["ok", "failed", "ok"]
    assert (rows[3]["done"], rows[3]["failed"]) == (2, 1)
    assert result.code == 1
    assert entries(folder / "out") == ["a.png", "c.png"]
