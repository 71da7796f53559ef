"""PNG read the slow way, chunk by chunk and byte by byte, with every rule checked that a file can break.

Shares no code with the writer; only zlib's own inflate is taken for granted.
"""

import struct
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

SAMPLES = {0: 1, 2: 3, 4: 2, 6: 4}  # a pixel, by colour type; palettes are not written
BEFORE_DATA = {b"iCCP", b"pHYs", b"eXIf"}


@dataclass(frozen=True, eq=False)
class Png:
    """What a file holds: samples (height, width, samples of a pixel), filters by row, and what chunks say besides."""

    samples: NDArray[Any]
    filters: list[int]
    chunks: list[tuple[bytes, bytes]]

    def content(self, tag: bytes) -> bytes | None:
        return dict(self.chunks).get(tag)


def read(data: bytes) -> Png:
    """Read a file; AssertionError where it breaks a rule of the format."""
    chunks = read_chunks(data)
    header = chunks[0][1]
    assert len(header) == 13
    width, height, depth, colour, compression, filtering, interlace = struct.unpack(">IIBBBBB", header)
    assert width > 0
    assert height > 0
    assert depth in (8, 16)
    assert (compression, filtering, interlace) == (0, 0, 0)
    step = SAMPLES[colour] * depth // 8
    raw = inflated(b"".join(content for tag, content in chunks if tag == b"IDAT"))
    assert len(raw) == height * (width * step + 1)
    lines = [raw[y * (width * step + 1) : (y + 1) * (width * step + 1)] for y in range(height)]
    before, rows = bytes(width * step), []
    for line in lines:
        before = unfiltered(line[0], line[1:], before, step)
        rows.append(before)
    flat = np.frombuffer(b"".join(rows), ">u2" if depth == 16 else np.uint8)
    native = flat.astype(flat.dtype.newbyteorder("="))
    return Png(native.reshape(height, width, SAMPLES[colour]), [line[0] for line in lines], chunks)


def read_chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    """(tag, content) of every chunk: whole, with right checksums, in an order that the format allows."""
    assert data[:8] == bytes([137, 80, 78, 71, 13, 10, 26, 10])
    found, at = [], 8
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        assert length < 2**31
        tag, content = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        assert len(content) == length
        assert struct.unpack(">I", data[at + 8 + length : at + 12 + length])[0] == zlib.crc32(tag + content)
        found.append((tag, content))
        at += 12 + length
    tags = [tag for tag, _ in found]
    first = tags.index(b"IDAT")
    many = tags.count(b"IDAT")
    assert tags[0] == b"IHDR"
    assert set(tags[1:first]) <= BEFORE_DATA
    assert len(set(tags[1:first])) == first - 1
    assert tags[first:] == [b"IDAT"] * many + [b"IEND"]
    assert found[-1][1] == b""
    assert all(content for tag, content in found if tag == b"IDAT")
    return found


def inflated(stream: bytes) -> bytes:
    """What a zlib stream holds: its header right, its Adler-32 right (zlib sees to that), nothing after it."""
    assert stream[0] & 15 == 8
    assert stream[0] >> 4 <= 7
    assert (stream[0] * 256 + stream[1]) % 31 == 0
    assert not stream[1] & 32  # no preset dictionary
    inflate = zlib.decompressobj()
    raw = inflate.decompress(stream)
    assert inflate.eof
    assert inflate.unused_data == b""
    return raw


def unfiltered(kind: int, line: bytes, before: bytes, step: int) -> bytes:
    """A row from its differences and the row above, in the words of the format's section 9.2."""
    now = bytearray(line)
    for x in range(len(now)):
        a = now[x - step] if x >= step else 0
        b = before[x]
        c = before[x - step] if x >= step else 0
        now[x] = (line[x] + (0, a, b, (a + b) // 2, paeth(a, b, c))[kind]) % 256
    return bytes(now)


def paeth(a: int, b: int, c: int) -> int:
    """The format's section 9.4, word for word."""
    p = a + b - c
    pa, pb, pc = abs(p - a), abs(p - b), abs(p - c)
    if pa <= pb and pa <= pc:
        return a
    return b if pb <= pc else c
