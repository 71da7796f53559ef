"""Damaged files of every kind: an error of ours or a result, never another exception, a crash, a hang or a leftover.

CNNFILTER_FUZZ=N in the environment makes N damaged files of each kind (40 by default); CNNFILTER_SEED chooses others.
"""

from __future__ import annotations

import faulthandler
import io
import json
import os
import random
import subprocess
import sys
import warnings
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import PIL.Image
import pytest
from conftest import plain_environment
from places import SAMPLES

import cnnfilter
from cnnfilter.errors import CnnfilterError, FileError
from cnnfilter.images import files
from cnnfilter.model import weights

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

COUNT = int(os.environ.get("CNNFILTER_FUZZ", "40"))
SEED = int(os.environ.get("CNNFILTER_SEED", "7"))
NOISE = np.random.default_rng(77)
RGB = PIL.Image.fromarray(NOISE.integers(0, 256, (19, 23, 3)).astype(np.uint8))
GRAY = PIL.Image.fromarray(NOISE.integers(0, 256, (19, 23)).astype(np.uint8))
MAX_PIXELS = 2_000_000  # so that a damaged size is no large picture


def saved(picture: PIL.Image.Image, file_format: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, file_format, **options)
    return file.getvalue()


def array(values: object, **options: object) -> bytes:
    file = io.BytesIO()
    np.save(file, np.asarray(values), **options)  # type: ignore[arg-type]
    return file.getvalue()


EXIF = PIL.Image.Exif()
EXIF[0x0112] = 6
EXIF[0x010F] = "Maker"
PICTURES: dict[str, bytes] = {
    "png": saved(RGB, "PNG", exif=EXIF, dpi=(72, 72)),
    "palette.png": saved(RGB.quantize(16), "PNG", transparency=3),
    "16-bit.png": saved(PIL.Image.fromarray(NOISE.integers(0, 65536, (9, 11)).astype(np.uint16)), "PNG"),
    "jpg": saved(RGB, "JPEG", exif=EXIF),
    "progressive.jpg": saved(RGB, "JPEG", progressive=True),
    "cmyk.jpg": saved(RGB.convert("CMYK"), "JPEG"),
    "webp": saved(RGB, "WEBP"),
    "lossless.webp": saved(RGB, "WEBP", lossless=True, exif=EXIF),
    "animated.webp": saved(RGB, "WEBP", save_all=True, append_images=[RGB.rotate(90)]),
    "tif": saved(RGB, "TIFF"),
    "lzw.tif": saved(RGB, "TIFF", compression="tiff_lzw"),
    "jpeg.tif": saved(RGB, "TIFF", compression="jpeg"),
    "fax.tif": saved(GRAY.convert("1"), "TIFF", compression="group4"),
    "float.tif": saved(PIL.Image.fromarray(NOISE.random((9, 11)).astype(np.float32)), "TIFF"),
    "bmp": saved(RGB, "BMP"),
    "palette.bmp": saved(RGB.quantize(16), "BMP"),
    "dib": saved(RGB, "DIB"),
    "gif": saved(RGB.quantize(32), "GIF"),
    "animated.gif": saved(RGB.quantize(32), "GIF", save_all=True, append_images=[RGB.rotate(90).quantize(32)]),
    "ppm": saved(RGB, "PPM"),
    "pbm": saved(GRAY.convert("1"), "PPM"),
    "pfm": saved(PIL.Image.fromarray(NOISE.random((9, 11)).astype(np.float32)), "PPM"),
    "tga": saved(RGB, "TGA"),
    "rle.tga": saved(RGB, "TGA", compression="tga_rle"),
    "jp2": saved(RGB, "JPEG2000"),
    "j2k": saved(RGB, "JPEG2000", no_jp2=True),
    "avif": saved(RGB, "AVIF"),
    "ico": saved(RGB, "ICO", sizes=[(16, 16)]),
    "bmp.ico": saved(RGB, "ICO", sizes=[(16, 16)], bitmap_format="bmp"),
    "icns": saved(RGB.resize((32, 32)), "ICNS"),
    "pcx": saved(RGB, "PCX"),
    "sgi": saved(RGB, "SGI"),
    "dds": saved(RGB, "DDS"),
    "mpo": saved(RGB, "MPO", save_all=True, append_images=[RGB.rotate(90)]),
    "xbm": saved(GRAY.convert("1"), "XBM"),
    "qoi": saved(RGB, "QOI") if "QOI" in PIL.Image.SAVE else b"",
    "npy": array(np.asarray(RGB)),
    "float.npy": array(np.asarray(GRAY, np.float64)),
}


def damaged(content: bytes, chance: random.Random) -> bytes:
    """`content` with a few bytes changed, moved, doubled, or cut off."""
    data = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 4, 12))):
        where = chance.randrange(min(len(data), chance.choice((32, 200, len(data)))) or 1)
        what = chance.randrange(7)
        if what == 0:
            data[where:] = b""
        elif what == 1:
            data[where : where + chance.randrange(1, 9)] = b""
        elif what == 2:
            data[where:where] = chance.randbytes(chance.randrange(1, 9))
        elif what == 3:
            data[where : where + 4] = chance.choice((b"\xff\xff\xff\xff", bytes(4), b"\x7f\xff\xff\xff", b"\0\0\0\x80"))
        elif what == 4:
            data[where : where + 8] = data[where // 2 : where // 2 + 8]
        elif where < len(data):
            data[where] = chance.randrange(256) if what == 5 else data[where] ^ 1 << chance.randrange(8)
    return bytes(data)


def variants(content: bytes, name: str, count: int = COUNT) -> Iterator[bytes]:
    chance = random.Random(f"{SEED} {name}")
    for _ in range(count):
        yield damaged(content, chance)


@pytest.fixture(autouse=True)
def _no_hanging() -> Iterator[None]:
    """A decoder that never comes back is in no state to be interrupted: the process ends with a traceback."""
    faulthandler.dump_traceback_later(60 + COUNT // 2, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


def survives(content: bytes, work: Callable[[], object], expected: type[CnnfilterError], keep: Path) -> None:
    """`work` gives something or raises an error of ours with one line; otherwise the content is kept."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            work()
    except expected as error:
        told = str(error)
    except BaseException:
        keep.write_bytes(content)
        raise
    else:
        return
    assert told
    assert "\n" not in told


# ---------------------------------------------------------------------------------------------------------------------
# Pictures and arrays


@pytest.mark.parametrize("name", [name for name, content in PICTURES.items() if content])
def test_damaged_pictures(folder: Path, capfd: pytest.CaptureFixture[str], name: str) -> None:
    place = folder / f"picture.{name.rpartition('.')[2]}"
    place.write_bytes(PICTURES[name])
    assert files.read(str(place), MAX_PIXELS).pixels.size  # whole, it is read
    for content in variants(PICTURES[name], name):
        place.write_bytes(content)
        for reader in (files.probe, files.read):
            survives(content, partial(reader, str(place), MAX_PIXELS), FileError, folder / "kept")
    assert os.listdir(folder) == [place.name]
    assert capfd.readouterr() == ("", "")


def test_damaged_pictures_in_a_batch(folder: Path) -> None:
    """Through the whole command: one line a failure, no crash, nothing left over."""
    (folder / "in").mkdir()
    count = 0
    for name, content in PICTURES.items():
        for damage in variants(content, f"batch {name}", max(COUNT // 10, 2) if content else 0):
            (folder / "in" / f"{count:04}.{name.rpartition('.')[2]}").write_bytes(damage)
            count += 1
    options = ["--format", "png", "--report", "json", "-j", "2", "--max-pixels", str(MAX_PIXELS)]
    done = subprocess.run(
        [sys.executable, "-m", "cnnfilter", "convolve", "in", "-k", "blur", "-o", "out/", *options],
        capture_output=True,
        env=plain_environment(),
        timeout=60 + COUNT,
        check=False,
    )
    *records, totals = [json.loads(line) for line in done.stdout.splitlines()]
    failed = [record for record in records if record["status"] == "failed"]
    assert done.returncode == 1
    assert len(records) == count
    assert (totals["done"], totals["failed"]) == (count - len(failed), len(failed))
    assert len(done.stderr.decode().splitlines()) == len(failed)
    assert [record["error"] for record in failed if "internal" in record["error"] or "killed" in record["error"]] == []
    assert len(os.listdir("out")) == totals["done"]
    for name in os.listdir("out"):
        with PIL.Image.open(f"out/{name}") as picture:
            picture.load()


# ---------------------------------------------------------------------------------------------------------------------
# Pipelines, kernels, weights

STEPS = [
    "gray | convolve sobel-v stride=2 | relu | pool max size=2",
    'convolve "0 -1 0; -1 5 -1; 0 -1 0" pad_mode=zero scale=1/9 | leaky-relu slope=0.1 name=a | add from=[a,input]',
    "resize 32x32 | conv2d 8 size=3 padding=1 | batchnorm | silu | pool avg size=all | flatten | dense 10 | softmax",
]
TEXT = [
    *"|=[]{}\"'\\,;:#.\n\t \0",
    "-1",
    "0",
    "1e999",
    "nan",
    "999999999999",
    "é",
    "\u202e",
    "[[",
    "from=",
    "name=",
    "=",
]


def damaged_text(text: str, chance: random.Random) -> str:
    for _ in range(chance.choice((1, 1, 2, 4))):
        where = chance.randrange(len(text) + 1)
        what = chance.randrange(4)
        if what == 0:
            text = text[:where] + chance.choice(TEXT) + text[where:]
        elif what == 1:
            text = text[:where] + text[where + chance.randrange(1, 6) :]
        elif what == 2:
            text = text[:where] + chance.choice(TEXT) + text[where + 1 :]
        else:
            other = chance.randrange(len(text) + 1)
            text = text[:where] + text[other : other + chance.randrange(1, 30)] + text[where:]
    return text


@pytest.mark.parametrize("number", range(len(STEPS)))
def test_damaged_steps(folder: Path, number: int) -> None:
    chance = random.Random(f"{SEED} steps {number}")
    pixels = np.asarray(RGB)
    for _ in range(4 * COUNT):
        text = damaged_text(STEPS[number], chance)

        def work(text: str = text) -> None:
            summary = cnnfilter.parse_pipeline(text, init="normal").summary(pixels.shape)
            if summary.memory + summary.weight_bytes < 1 << 24 and summary.macs < 1 << 24:
                cnnfilter.parse_pipeline(text, init="normal").run(pixels)

        with np.errstate(all="ignore"):
            survives(text.encode("utf-8", "replace"), work, CnnfilterError, folder / "kept")


@pytest.mark.parametrize("name", sorted(path.name for path in SAMPLES.glob("*.toml")))
def test_damaged_pipeline_files(folder: Path, name: str) -> None:
    chance = random.Random(f"{SEED} {name}")
    text = (SAMPLES / name).read_text(encoding="utf-8")[:3000]
    place = folder / name
    for number in range(COUNT):
        content = damaged_text(text, chance).encode("utf-8", "replace")
        content = damaged(content, chance) if number % 4 == 0 else content
        place.write_bytes(content)

        def work() -> None:
            cnnfilter.load_pipeline(str(place)).summary((224, 224, 3))

        survives(content, work, CnnfilterError, folder / "kept")
    assert os.listdir(folder) == [name]


KERNELS = ["0 -1 0; -1 5 -1; 0 -1 0", "1/9 2/9; 1e-3 .5", "gaussian:7:1.5", "gabor:9:4:30", "random:3:4:1", "sobel-45"]


@pytest.mark.parametrize("text", KERNELS)
def test_damaged_kernels(folder: Path, text: str) -> None:
    chance = random.Random(f"{SEED} {text}")
    for _ in range(4 * COUNT):
        changed = damaged_text(text, chance)
        work = partial(cnnfilter.kernel, changed)
        survives(changed.encode("utf-8", "replace"), work, CnnfilterError, folder / "kept")


@pytest.mark.parametrize("suffix", ["npy", "txt", "csv"])
def test_damaged_kernel_files(folder: Path, suffix: str) -> None:
    matrix = NOISE.normal(size=(3, 3))
    content = array(matrix) if suffix == "npy" else b"1 2 3\n4 5 6\n" if suffix == "txt" else b"1,2,3\n4,5,6\n"
    place = folder / f"kernel.{suffix}"
    for damage in variants(content, f"kernel {suffix}", 2 * COUNT):
        place.write_bytes(damage)
        survives(damage, lambda: cnnfilter.kernel(str(place)), CnnfilterError, folder / "kept")
    assert os.listdir(folder) == [place.name]


@pytest.mark.parametrize("packed", [False, True])
def test_damaged_weights(folder: Path, packed: bool) -> None:
    file = io.BytesIO()
    (np.savez_compressed if packed else np.savez)(file, a=np.ones((2, 3), np.float32), b=np.arange(4))
    place = folder / "weights.npz"

    def work() -> None:
        loaded = weights.load(str(place))
        for name in loaded.shapes:
            assert loaded[name].dtype == np.float32

    place.write_bytes(file.getvalue())
    work()
    for damage in variants(file.getvalue(), f"weights {packed}", 4 * COUNT):
        place.write_bytes(damage)
        survives(damage, work, CnnfilterError, folder / "kept")
    assert os.listdir(folder) == [place.name]
