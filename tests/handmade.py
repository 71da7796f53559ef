"""Picture files made by hand, byte by byte, and small pictures to go into them."""

from __future__ import annotations

import io
import struct
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import PIL.Image
import PIL.ImageCms

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]


ORIENTATION, MAKER = 0x0112, 0x010F


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, bits: int, colour: int, rows: list[bytes], *extra: tuple[bytes, bytes]) -> bytes:
    """A PNG; `colour` is 0 gray, 2 RGB, 3 palette, 4 gray and alpha, 6 RGBA; `extra` chunks come before the data."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    chunks = [chunk(b"IHDR", header), *(chunk(*e) for e in extra), chunk(b"IDAT", data), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def tiff(array: Array, order: str, *, zero_is_white: bool = False) -> bytes:
    """An uncompressed gray TIFF in the byte order `<` or `>`."""
    height, width = array.shape
    data = array.astype(array.dtype.newbyteorder("<" if order == "<" else ">")).tobytes()
    kinds = {"u": 1, "i": 2, "f": 3}
    tags = [
        (256, 4, width),
        (257, 4, height),
        (258, 3, array.dtype.itemsize * 8),
        (259, 3, 1),
        (262, 3, 0 if zero_is_white else 1),
        (273, 4, 8),
        (277, 3, 1),
        (278, 4, height),
        (279, 4, len(data)),
        (339, 3, kinds[array.dtype.kind]),
    ]
    short, long = order + "HHIHxx", order + "HHII"
    entries = b"".join(struct.pack(short if kind == 3 else long, tag, kind, 1, value) for tag, kind, value in tags)
    padded = data + b"\0" * (len(data) % 2)
    magic = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, 8 + len(padded))
    return magic + padded + struct.pack(order + "H", len(tags)) + entries + b"\0\0\0\0"


def npy(array: Array, *, pickles: bool = False) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, array, allow_pickle=pickles)
    return file.getvalue()


def npy_header(text: str, version: bytes = b"\x01\x00") -> bytes:
    """The beginning of an npy file with any text as its header."""
    padded = (text + " " * (-(len(text) + 11) % 64) + "\n").encode("latin-1")
    return b"\x93NUMPY" + version + struct.pack("<H" if version[0] == 1 else "<I", len(padded)) + padded


def saved(picture: PIL.Image.Image, file_format: str, **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, format=file_format, **options)
    return file.getvalue()


def picture_of(array: Array, mode: str | None = None) -> PIL.Image.Image:
    picture = PIL.Image.fromarray(array)
    assert mode is None or picture.mode == mode
    return picture


def exif_of(orientation: int) -> bytes:
    exif = PIL.Image.Exif()
    exif[ORIENTATION] = orientation
    exif[MAKER] = "Maker"
    return exif.tobytes()


GRAY = np.array([[0, 40, 80], [120, 160, 255]], np.uint8)
ALPHA = np.array([[0, 1, 128], [254, 255, 7]], np.uint8)
RGB = np.arange(18, dtype=np.uint8).reshape(2, 3, 3) * 14
GRAY16 = np.array([[0, 1, 256], [258, 40000, 65535]], np.uint16)
INT32 = np.array([[-5, 0, 255], [256, 70000, 2**31 - 1]], np.int32)
FLOATS = np.array([[-1.5, 0, 0.1], [1e-30, 3.4e38, 255.5]], np.float32)
