"""Picture files that are refused, and the limit of pixels."""

from __future__ import annotations

import io
import os
import socket
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import PIL.Image
import PIL.ImageCms
import pytest
from handmade import GRAY, npy, npy_header, picture_of, png, saved

import cnnfilter
from cnnfilter import FileError
from cnnfilter.images import files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    Array = NDArray[Any]

pytestmark = pytest.mark.usefixtures("no_hanging")


# ---------------------------------------------------------------------------------------------------------------------
# What is refused

EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n%%EOF\n"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>'
GOOD_PNG = saved(picture_of(np.arange(2500, dtype=np.uint16).reshape(50, 50).astype(np.uint8)), "PNG")
NOT_PICTURES = {
    "eps": EPS,
    "svg": SVG,
    "pdf": b"%PDF-1.4\n1 0 obj <<>> endobj\n%%EOF",
    "text": b"this is no picture\n",
    "empty": b"",
    "zeros": bytes(1000),
    "one byte": b"\x89",
    "signature alone": b"\x89PNG\r\n\x1a\n",
    "header alone": GOOD_PNG[:33],
    "cut short": GOOD_PNG[:-400],
    "damaged": GOOD_PNG[:60] + bytes(40) + GOOD_PNG[100:],
    "no pixels": png(0, 0, 8, 0, []),
    "jpeg cut short": saved(picture_of(np.zeros((64, 64), np.uint8)), "JPEG")[:200],
    "tiff that points outside": b"II*\0\xff\xff\xff\x7f",
}


@pytest.mark.parametrize("name", NOT_PICTURES)
def test_what_is_no_picture_is_refused_by_its_content(tmp_path: Path, name: str) -> None:
    place = tmp_path / "picture.png"
    place.write_bytes(NOT_PICTURES[name])
    with pytest.raises(FileError) as caught:
        cnnfilter.read_image(place)
    assert str(place) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "Errno" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".png", ".eps", ".ps", ""])
def test_formats_that_call_other_programs_are_not_on_the_list(tmp_path: Path, suffix: str) -> None:
    place = tmp_path / f"drawing{suffix}"
    place.write_bytes(EPS)
    for reader in (files.read, files.probe):
        with pytest.raises(FileError, match=r"none of the formats|cannot be"):
            reader(str(place))


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.path,)


def zipped() -> bytes:
    file = io.BytesIO()
    np.savez(file, GRAY)
    return file.getvalue()


def promise(shape: str, descr: str = "|u1", data: bytes = b"") -> bytes:
    return npy_header(f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}") + data


BAD_ARRAYS = {
    "objects": npy(np.array([[1, None]], object), pickles=True),
    "complex": npy(np.zeros((2, 2), complex)),
    "bytes": npy(np.array([[b"a", b"b"]])),
    "text": npy(np.array([["a", "b"]])),
    "records": npy(np.zeros((2, 2), [("a", "u1"), ("b", "f4")])),
    "dates": npy(np.zeros((2, 2), "datetime64[s]")),
    "long floats": npy(np.zeros((2, 2), np.longdouble)),
    "no dimension": npy(np.array(5)),
    "one dimension": npy(np.arange(5)),
    "four dimensions": npy(np.zeros((2, 2, 2, 2), "uint8")),
    "no rows": npy(np.zeros((0, 5), "uint8")),
    "no columns": npy(np.zeros((5, 0), "uint8")),
    "no channels": npy(np.zeros((5, 5, 0), "uint8")),
    "cut short": npy(GRAY)[:-1],
    "no data": npy(GRAY)[:-6],
    "trailing bytes": npy(GRAY) + b"\0",
    "two arrays": npy(GRAY) + npy(GRAY),
    "terabytes": promise("(10000, 10000, 100000)", "<f4", bytes(100)),
    "more than any memory": promise("(2000000000, 2000000000, 2000000000)", "<f8", bytes(100)),
    "a size below zero": promise("(-1, 5)", data=bytes(5)),
    "sizes that are no numbers": promise("('a', 5)", data=bytes(5)),
    "a size that is a truth value": promise("(True, 5)", data=bytes(5)),
    "no header": b"\x93NUMPY\x01\x00\xff\xff",
    "a header that is no dictionary": npy_header("[1, 2, 3]"),
    "a header that is code": npy_header("__import__('os').getpid()"),
    "a header without end": npy_header("{'descr': '|u1', " + "(" * 5000),
    "an unknown version": b"\x93NUMPY\x09\x00" + npy(GRAY)[8:],
    "npz": zipped(),
    "a picture": saved(picture_of(GRAY), "PNG")[:20],
}


@pytest.mark.parametrize("name", BAD_ARRAYS)
def test_arrays_that_are_no_pictures_are_refused(tmp_path: Path, name: str) -> None:
    place = tmp_path / "array.npy"
    place.write_bytes(BAD_ARRAYS[name])
    with pytest.raises(FileError) as caught:
        cnnfilter.read_image(place)
    assert str(place) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_pickles_are_never_loaded(tmp_path: Path) -> None:
    trap, place = tmp_path / "sprung", tmp_path / "trap.npy"
    place.write_bytes(npy(np.array([[Trap(str(trap))]], object), pickles=True))
    with pytest.raises(FileError):
        cnnfilter.read_image(place)
    assert not trap.exists()


@pytest.mark.parametrize(
    "kind", ["fifo", "device", "folder", "missing", "dangling", "loop", "socket", "through a file"]
)
@pytest.mark.parametrize("reader", [files.read, files.probe])
def test_what_is_no_file_is_refused_without_waiting(tmp_path: Path, kind: str, reader: Callable[[str], object]) -> None:
    place = tmp_path / "place.png"
    with socket.socket(socket.AF_UNIX) as listener:
        if kind == "fifo":
            os.mkfifo(place)
        elif kind == "device":
            place.symlink_to("/dev/zero")
        elif kind == "folder":
            place.mkdir()
        elif kind == "dangling":
            place.symlink_to("nowhere.png")
        elif kind == "loop":
            place.symlink_to(place)
        elif kind == "socket":
            folder = os.open(tmp_path, os.O_RDONLY)  # the name of a socket has to be short
            listener.bind(f"/proc/self/fd/{folder}/place.png")
            os.close(folder)
        elif kind == "through a file":
            place.write_bytes(GOOD_PNG)
            place = place / "picture.png"
        with pytest.raises(FileError) as caught:
            reader(str(place))
    assert str(place) in str(caught.value)


def test_a_name_with_a_null_is_refused() -> None:
    with pytest.raises(FileError):
        cnnfilter.read_image("a\0b.png")


# ---------------------------------------------------------------------------------------------------------------------
# Limits


@pytest.mark.parametrize("suffix", [".png", ".npy", ".tif", ".bmp"])
def test_a_picture_of_just_the_limit_is_read_and_a_larger_one_refused(tmp_path: Path, suffix: str) -> None:
    place = tmp_path / f"picture{suffix}"
    cnnfilter.write_image(place, np.zeros((6, 7), np.uint8))
    assert cnnfilter.read_image(place, max_pixels=42).shape == (6, 7)
    assert files.probe(str(place), 42).shape == (6, 7)
    for reader in (files.read, files.probe):
        with pytest.raises(FileError, match=r"42.*41.*--max-pixels") as caught:
            reader(str(place), 41)
        assert str(place) in str(caught.value)


def test_channels_do_not_count_as_pixels(tmp_path: Path) -> None:
    place = tmp_path / "picture.npy"
    cnnfilter.write_image(place, np.zeros((6, 7, 30), np.uint8))
    assert cnnfilter.read_image(place, max_pixels=42).shape == (6, 7, 30)


@pytest.mark.parametrize(
    ("width", "height", "limit"), [(20000, 7501, 150_000_000), (2**31 - 1, 2**31 - 1, None), (60000, 60000, 10**9)]
)
def test_bombs_are_refused_from_the_header(tmp_path: Path, width: int, height: int, limit: int | None) -> None:
    place = tmp_path / "bomb.png"
    place.write_bytes(png(width, height, 1, 0, [bytes(100)]))
    started = time.monotonic()
    with pytest.raises(FileError, match="--max-pixels"):
        files.read(str(place), *([] if limit is None else [limit]))
    assert time.monotonic() - started < 1


@pytest.mark.parametrize("pixels", [100_000_000, 200_000_000])
def test_the_limit_takes_the_place_of_pillows_own(tmp_path: Path, pixels: int) -> None:
    place, limit = tmp_path / "large.png", PIL.Image.MAX_IMAGE_PIXELS
    place.write_bytes(png(10_000, pixels // 10_000, 1, 0, []))
    assert files.probe(str(place), pixels).shape == (pixels // 10_000, 10_000)
    assert limit == PIL.Image.MAX_IMAGE_PIXELS


def test_a_terabyte_promised_takes_no_time(tmp_path: Path) -> None:
    place = tmp_path / "array.npy"
    place.write_bytes(promise("(10000, 10000, 100000)", "<f4", bytes(100)))
    started = time.monotonic()
    with pytest.raises(FileError, match=r"cut short|promise|bytes"):
        cnnfilter.read_image(place)
    assert time.monotonic() - started < 1
