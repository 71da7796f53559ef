"""A fast PNG writer: NumPy filters the rows, zlib deflates bands of them in threads.

Each band is a raw deflate stream of its own that ends on a byte boundary and knows the 32 KB before it, so that all of
them joined are one valid stream, as pigz makes it. One filter and one zlib strategy serve the whole picture. zlib lets
other threads run meanwhile, and little else is computed.

Format: "Portable Network Graphics (PNG) Specification (Third Edition)", W3C, 2025. Joined bands: Adler, "pigz".
"""

import struct
import threading
import zlib
from collections.abc import Iterator
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnnfilter.core.engine.threads import share, threads
from cnnfilter.images.image import Image
from cnnfilter.images.recipes import Recipe, Rows, choose, rows_and_before
from cnnfilter.images.row_filters import Bytes, filtered

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # by samples a pixel: gray, gray and alpha, RGB, RGBA
WINDOW = 32 << 10  # how far back deflate looks
# A band has a sixteenth of the picture within these bounds, but a row at least. The number of threads has no part in
# it, so that the bytes are always the same.
LEAST_BAND, LARGEST_BAND, BANDS = 1 << 18, 1 << 20, 16
_ADLER_BASE = 65521


class Band(NamedTuple):
    """Some rows, deflated; Adler-32 and length of the filtered bytes."""

    deflated: bytes
    adler: int
    length: int
    is_last: bool


def write(image: Image, file: IO[bytes], *, strip: bool = False) -> None:
    """Write a picture with samples of 8 or 16 bits: gray or RGB, with or without alpha."""
    height, width = image.pixels.shape[:2]
    samples = (image.pixels.shape[2] if image.pixels.ndim == 3 else 1) + (image.alpha is not None)
    depth = image.pixels.dtype.itemsize
    step = samples * depth
    rows = _rows_of(image)
    recipe = choose(rows, height, step)
    file.write(SIGNATURE)
    header = struct.pack(">IIBBBBB", width, height, 8 * depth, COLOUR_TYPES[samples], 0, 0, 0)
    _chunk(file, b"IHDR", header)
    if not strip:
        _write_metadata(image, file)
    _write_bands(file, rows, height, step, recipe)
    _chunk(file, b"IEND", b"")


def joined_adler(first: int, second: int, length: int) -> int:
    """Adler-32 of two pieces in a row from that of each; `length` is that of the second.

    >>> joined_adler(zlib.adler32(b"one"), zlib.adler32(b"two"), 3) == zlib.adler32(b"onetwo")
    True
    """
    low = (first & 0xFFFF) + (second & 0xFFFF) - 1
    high = (first >> 16) + (second >> 16) + length * ((first & 0xFFFF) - 1)
    return high % _ADLER_BASE << 16 | low % _ADLER_BASE


def _rows_of(image: Image) -> Rows:
    """The rows of a picture with their samples interleaved, the more significant byte first."""

    def rows(first: int, last: int) -> Bytes:
        pixels: NDArray[Any] = image.pixels[first:last]
        if image.alpha is not None:
            pixels = _interleaved(pixels, image.alpha[first:last])
        flat = np.ascontiguousarray(pixels).reshape(last - first, -1)
        return flat if flat.dtype == np.uint8 else flat.astype(">u2").view(np.uint8)

    return rows


def _interleaved(pixels: NDArray[Any], alpha: NDArray[Any]) -> NDArray[Any]:
    """Pixels with alpha as their last channel; channel by channel is several times as fast as np.dstack."""
    channels = [pixels] if pixels.ndim == 2 else [pixels[:, :, index] for index in range(pixels.shape[2])]
    out = np.empty((*alpha.shape, len(channels) + 1), pixels.dtype)
    for index, channel in enumerate([*channels, alpha]):
        out[:, :, index] = channel
    return out


def _write_bands(file: IO[bytes], rows: Rows, height: int, step: int, recipe: Recipe) -> None:
    """All rows in bands of about the same size, which threads share."""
    row_bytes = rows(0, 1).shape[1]
    band_bytes = min(max(height * row_bytes // BANDS, LEAST_BAND), LARGEST_BAND)
    count = -(-height // max(1, band_bytes // row_bytes))
    edges = [height * number // count for number in range(count + 1)]
    lead = -(-WINDOW // row_bytes) if recipe.looks_back else 0

    def band(number: int) -> Band:
        first, last = edges[number], edges[number + 1]
        start = max(0, first - lead)
        data = filtered(*rows_and_before(rows, start, last), recipe.filter, step)
        before, body = data[: first - start].tobytes()[-WINDOW:], data[first - start :]
        deflated = recipe.deflated(body, before, last=last == height)
        return Band(deflated, zlib.adler32(body.data), body.size, last == height)

    stream = _Stream(file)

    def work(numbers: Iterator[int]) -> int:
        for number in numbers:
            stream.add(number, band(number))
        return 0

    share(range(count), work, min(threads(), count))


class _Stream:
    """The zlib stream that bands make, in their order: it is written by the thread that has the next one."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._lock = file, threading.Lock()
        self._waiting: dict[int, Band] = {}
        self._written, self._adler = 0, 1

    def add(self, number: int, band: Band) -> None:
        """Write a band, and those that have waited for it."""
        with self._lock:
            self._waiting[number] = band
            while (coming := self._waiting.pop(self._written, None)) is not None:
                self._adler = joined_adler(self._adler, coming.adler, coming.length)
                head = b"\x78\x01" if self._written == 0 else b""  # zlib's: deflate with a window of 32 KB
                tail = struct.pack(">I", self._adler) if coming.is_last else b""
                _chunk(self._file, b"IDAT", head, coming.deflated, tail)
                self._written += 1


def _write_metadata(image: Image, file: IO[bytes]) -> None:
    metadata = image.metadata
    if metadata.icc_profile:
        _chunk(file, b"iCCP", b"ICC Profile\0\0" + zlib.compress(metadata.icc_profile))
    if metadata.dpi:
        x, y = (min(round(dots / 0.0254), 2**31 - 1) for dots in metadata.dpi)
        _chunk(file, b"pHYs", struct.pack(">IIB", x, y, 1))
    if metadata.exif:
        _chunk(file, b"eXIf", metadata.exif.removeprefix(b"Exif\0\0"))


def _chunk(file: IO[bytes], tag: bytes, *parts: bytes) -> None:
    checksum = zlib.crc32(tag)
    file.write(struct.pack(">I", sum(map(len, parts))) + tag)
    for part in filter(None, parts):
        checksum = zlib.crc32(part, checksum)
        file.write(part)
    file.write(struct.pack(">I", checksum))
