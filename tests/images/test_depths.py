"""What becomes of wide whole numbers, and what TIFFs do and do not say."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING

import numpy as np
import PIL.Image
import pytest

import cnnfilter
from cnnfilter.errors import FileError, ParameterError
from cnnfilter.images import files

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Invoke

RAMP = np.arange(20 * 30).reshape(20, 30) * 50


def tiff(pixels: np.ndarray[tuple[int, int], np.dtype[np.int16]], tags: dict[int, tuple[int, int]]) -> bytes:
    """An uncompressed little-endian TIFF of one strip; `tags` are (type, value) of further entries."""
    height, width = pixels.shape
    bits = 8 * pixels.dtype.itemsize
    entries = {256: (4, width), 257: (4, height), 258: (3, bits), 259: (3, 1), 262: (3, 1), 273: (4, 8)}
    entries |= {277: (3, 1), 278: (4, height), 279: (4, pixels.nbytes), **tags}
    rows = [struct.pack("<HHII", tag, kind, 1, value) for tag, (kind, value) in sorted(entries.items())]
    directory = struct.pack("<H", len(rows)) + b"".join(rows) + bytes(4)
    return struct.pack("<2sHI", b"II", 42, 8 + pixels.nbytes) + pixels.tobytes() + directory


@pytest.mark.parametrize(("dtype", "kind"), [(np.int16, 2), (np.int32, 2), (np.uint32, 1)])
def test_wide_numbers_are_not_saturated_unsaid(folder: Path, invoke: Invoke, dtype: type, kind: int) -> None:
    (folder / "w.tif").write_bytes(tiff(RAMP.astype(dtype), {339: (3, kind)}))
    done = invoke("convolve", "w.tif", "-k", "identity", "-o", "out.tif", "--report", "json")
    record = json.loads(done.out)
    depth, clipped = record["warnings"]
    assert depth.startswith("whole numbers of more than 16 bits are written as levels 0 to 255")
    assert "npy" in depth
    assert "--scale" in depth
    assert clipped == "594 of 600 values clipped"
    assert record["clipped"] == 594
    done = invoke("pool", "w.tif", "-o", "small.png", "--report", "json")
    assert "--scale" not in json.loads(done.out)["warnings"][0]


@pytest.mark.parametrize("options", [["-o", "out.npy"], ["--mapping", "normalize"], ["--depth", "8", "--scale", "0"]])
def test_what_was_asked_for_is_no_warning(folder: Path, invoke: Invoke, options: list[str]) -> None:
    (folder / "w.tif").write_bytes(tiff(RAMP.astype(np.int32), {339: (3, 2)}))
    done = invoke("convolve", "w.tif", "-k", "identity", *options, "--report", "json")
    assert json.loads(done.out)["warnings"] == []


def test_a_batch_says_what_was_clipped(folder: Path, invoke: Invoke) -> None:
    for name in ("a.png", "b.png"):
        PIL.Image.fromarray(np.full((4, 5), 200, np.uint8)).save(folder / name)
    done = invoke("convolve", "a.png", "b.png", "-k", "identity", "--scale", "2", "-o", "out/")
    assert b"a.png: 20 of 20 values clipped" in done.out
    assert b"b.png: 20 of 20 values clipped" in done.out


def test_signed_samples_have_the_bits_that_the_file_has(folder: Path, invoke: Invoke) -> None:
    (folder / "s.tif").write_bytes(tiff(RAMP.astype(np.int16), {339: (3, 2)}))
    assert b"16-bit whole numbers, signed" in invoke("inspect", "s.tif").out


def test_no_resolution_is_made_up(folder: Path, invoke: Invoke) -> None:
    (folder / "plain.tif").write_bytes(tiff(RAMP.astype(np.uint8), {}))
    assert b"DPI" not in invoke("inspect", "plain.tif").out
    invoke("convolve", "plain.tif", "-k", "blur", "-o", "out.tif")
    with PIL.Image.open(folder / "out.tif") as written:
        assert "dpi" not in written.info or not {282, 283} & set(written.getexif())
    PIL.Image.fromarray(RAMP.astype(np.uint8)).save(folder / "dense.tif", dpi=(300, 150))
    assert files.read("dense.tif").metadata.dpi == (300, 150)


def test_refusals_of_write_image_name_what_can(folder: Path) -> None:
    gray = RAMP.astype(np.uint16)
    with pytest.raises(ParameterError, match=r"jpeg cannot hold 16 bits; png, tiff and npy can"):
        cnnfilter.write_image("w.jpg", gray)
    with pytest.raises(ParameterError, match=r"png cannot hold 16 bits in colour; npy can"):
        cnnfilter.write_image("w.png", np.dstack([gray] * 3))
    with pytest.raises(ParameterError, match=r"^path: the suffix \.xyz") as refused:
        cnnfilter.write_image("q.xyz", gray)
    assert "--" not in str(refused.value)
    assert list(folder.iterdir()) == []


def test_an_empty_file_is_called_so(folder: Path) -> None:
    (folder / "e.png").touch()
    with pytest.raises(FileError, match=r"^e\.png: is empty$"):
        cnnfilter.read_image("e.png")


def test_only_whole_numbers_of_threads() -> None:
    with pytest.raises(ParameterError, match="'x' is not a whole number of at least 1"):
        cnnfilter.set_threads("x")  # type: ignore[arg-type]


def test_a_missing_kernel_is_told_what_would_do(invoke: Invoke) -> None:
    done = invoke("convolve", "img.png")
    assert done.code == 2
    assert "--kernel sobel-v" in done.err.decode()
    assert done.err.count(b"\n") == 1


def test_keys_may_be_written_like_options() -> None:
    steps = cnnfilter.parse_pipeline("convolve kernel=blur pad-mode=zero | pool ceil-mode=true")
    assert str(steps) == "convolve blur pad_mode=zero | pool ceil_mode=true"
    with pytest.raises(ParameterError, match="pad_mode is given twice"):
        cnnfilter.parse_pipeline("convolve blur pad-mode=zero pad_mode=edge")
