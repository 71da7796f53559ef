"""A fast PNG writer: NumPy filters the rows, zlib deflates bands of them in threads.

Each band is a raw deflate stream of its own that ends on a byte boundary and knows the 32 KB before it, so that all of
them joined are one valid stream, as pigz makes it. One filter and one zlib strategy serve the whole picture; they are
chosen by deflating samples of it. zlib lets other threads run meanwhile, and little else is computed.

Format: "Portable Network Graphics (PNG) Specification (Third Edition)", W3C, 2025. Joined bands: Adler, "pigz".
"""

import struct
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cnnfilter.core.engine.threads import threads
from cnnfilter.images.image import Image

if TYPE_CHECKING:
    from concurrent.futures import Future

Bytes = NDArray[np.uint8]
# The rows first .. last of a picture as the bytes that PNG wants, (rows, bytes of a row).
Rows = Callable[[int, int], Bytes]

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # by samples a pixel: gray, gray and alpha, RGB, RGBA
WINDOW = 32 << 10  # how far back deflate looks
BAND_BYTES = 1 << 19  # whatever the threads, so that the bytes are always the same
# Rows are filtered so many bytes at a time, so that the steps of one filter stay in the cache.
BLOCK_BYTES = 1 << 16
SAMPLE_ROWS, SAMPLE_BYTES = 8, 6 << 10
NONE, SUB, UP, AVERAGE, PAETH = range(5)
_ADLER_BASE = 65521


@dataclass(frozen=True)
class Recipe:
    """How all rows are filtered and deflated."""

    filter: int
    level: int
    strategy: int


# Huffman coding alone is best for photographs, whose noise has no repetitions. A slower way is taken only if it saves
# enough: sizes are compared times these weights.
_FAST = ((zlib.Z_HUFFMAN_ONLY, 1.0), (zlib.Z_RLE, 1.0), (zlib.Z_DEFAULT_STRATEGY, 1.06))
_FILTERS = {NONE: 1.0, SUB: 1.0, UP: 1.0, AVERAGE: 1.02, PAETH: 1.06}
# Pictures that shrink below this share are drawings; there the full search finds most, and is fast as well.
_DRAWING = 1 / 8


def write(image: Image, file: IO[bytes], *, strip: bool = False) -> None:
    """Write a picture with samples of 8 or 16 bits: gray or RGB, with or without alpha."""
    height, width = image.pixels.shape[:2]
    samples = (image.pixels.shape[2] if image.pixels.ndim == 3 else 1) + (image.alpha is not None)
    depth = image.pixels.dtype.itemsize
    rows = _rows_of(image)
    step = samples * depth
    recipe = choose(rows, height, step)
    file.write(SIGNATURE)
    header = struct.pack(">IIBBBBB", width, height, 8 * depth, COLOUR_TYPES[samples], 0, 0, 0)
    _chunk(file, b"IHDR", header)
    if not strip:
        _write_metadata(image, file)
    many = max(1, BAND_BYTES // (width * step))
    adler = 1
    waiting = b"\x78\x01"  # zlib's two bytes: deflate with a window of 32 KB
    for number, (data, part, length) in enumerate(_bands(rows, height, many, step, recipe)):
        if number:
            _chunk(file, b"IDAT", waiting)
            waiting = b""
        waiting += data
        adler = joined_adler(adler, part, length)
    _chunk(file, b"IDAT", waiting + struct.pack(">I", adler))
    _chunk(file, b"IEND", b"")


def joined_adler(first: int, second: int, length: int) -> int:
    """Adler-32 of two pieces in a row from that of each; `length` is that of the second.

    >>> joined_adler(zlib.adler32(b"one"), zlib.adler32(b"two"), 3) == zlib.adler32(b"onetwo")
    True
    """
    low = (first & 0xFFFF) + (second & 0xFFFF) - 1
    high = (first >> 16) + (second >> 16) + length * ((first & 0xFFFF) - 1)
    return high % _ADLER_BASE << 16 | low % _ADLER_BASE


def choose(rows: Rows, height: int, step: int) -> Recipe:
    """The recipe that makes samples of the picture smallest, slow ones at a handicap.

    The entropy of the filtered bytes tells the two best filters; only those are deflated.
    """
    starts = sorted({min(max(height - SAMPLE_ROWS, 0), height * k // 5) for k in (1, 2, 3, 4)})
    pieces = [_sample(rows, start, min(height, start + SAMPLE_ROWS)) for start in starts]
    data = {kind: [filtered(piece, kind, step) for piece in pieces] for kind in _FILTERS}
    ranked = sorted(_FILTERS, key=lambda kind: _entropy(data[kind]) * _FILTERS[kind])
    tried = [
        (_size(data[kind], Recipe(kind, 1, strategy)) * slower * _FILTERS[kind], Recipe(kind, 1, strategy))
        for kind in ranked[:2]
        for strategy, slower in _FAST
    ]
    size, best = min(tried, key=lambda pair: pair[0])
    if size > _DRAWING * sum(piece.size for piece in pieces):
        return best
    full = [Recipe(kind, 6, zlib.Z_DEFAULT_STRATEGY) for kind in dict.fromkeys((NONE, SUB, UP, best.filter))]
    return min(full, key=lambda recipe: _size(data[recipe.filter], recipe))


def filtered(rows: Bytes, kind: int, step: int) -> Bytes:
    """Rows but the first, which only comes before them, filtered by `kind` and led by its number.

    `step` is the number of bytes of a pixel. All arithmetic is modulo 256, as the format wants it.
    """
    out = np.empty((rows.shape[0] - 1, rows.shape[1] + 1), np.uint8)
    out[:, 0] = kind
    many = max(1, BLOCK_BYTES // rows.shape[1])
    for first in range(0, out.shape[0], many):
        _filter(rows[first : first + many + 1], kind, step, out[first : first + many, 1:])
    return out


def _filter(rows: Bytes, kind: int, step: int, body: Bytes) -> None:
    before, now = rows[:-1], rows[1:]
    if kind == NONE:
        body[...] = now
        return
    if kind == UP:
        np.subtract(now, before, out=body)
        return
    body[:, :step] = now[:, :step]
    left, above = now[:, :-step], before[:, step:]
    if kind == SUB:
        predicted = left
    elif kind == AVERAGE:
        body[:, :step] -= before[:, :step] >> 1
        predicted = (left & above) + ((left ^ above) >> 1)  # floor of the mean without leaving eight bits
    else:
        body[:, :step] -= before[:, :step]
        predicted = _paeth(left, above, before[:, :-step])
    np.subtract(now[:, step:], predicted, out=body[:, step:])


def _paeth(left: Bytes, above: Bytes, corner: Bytes) -> Bytes:
    """Whichever of the three is nearest to left + above - corner; on a tie left, then above."""
    corner16 = corner.astype(np.int16)
    from_left, from_above = above - corner16, left - corner16
    from_corner = np.abs(from_left + from_above)
    np.abs(from_left, out=from_left)
    np.abs(from_above, out=from_above)
    nearest = np.where(from_above <= from_corner, above, corner)
    return np.where((from_left <= from_above) & (from_left <= from_corner), left, nearest)


def _rows_of(image: Image) -> Rows:
    def rows(first: int, last: int) -> Bytes:
        pixels: NDArray[Any] = image.pixels[first:last]
        if image.alpha is not None:
            pixels = np.dstack([pixels, image.alpha[first:last]])
        flat = np.ascontiguousarray(pixels).reshape(last - first, -1)
        return flat if flat.dtype == np.uint8 else flat.astype(">u2").view(np.uint8)

    return rows


def _with_row_before(rows: Rows, first: int, last: int) -> Bytes:
    """Rows first .. last after the one before them, which is zero before the first."""
    if first:
        return rows(first - 1, last)
    found = rows(0, last)
    return np.concatenate([np.zeros((1, found.shape[1]), np.uint8), found])


def _sample(rows: Rows, first: int, last: int) -> Bytes:
    """Some rows with the one before them, cut to a few thousand bytes."""
    return np.ascontiguousarray(_with_row_before(rows, first, last)[:, :SAMPLE_BYTES])


def _entropy(pieces: list[Bytes]) -> float:
    """Bits a byte that Huffman coding needs at least (Shannon)."""
    counts = np.sum([np.bincount(piece.ravel(), minlength=256) for piece in pieces], axis=0)
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log2(shares)).sum())


def _size(pieces: list[Bytes], recipe: Recipe) -> int:
    return sum(len(_deflated(piece, recipe, b"", last=True)) for piece in pieces)


def _deflated(data: Any, recipe: Recipe, before: bytes, *, last: bool) -> bytes:
    """A raw deflate stream, finished or ending on a byte boundary."""
    dictionary = (before,) if before else ()
    stream = zlib.compressobj(recipe.level, zlib.DEFLATED, -15, 9, recipe.strategy, *dictionary)
    return stream.compress(data) + stream.flush(zlib.Z_FINISH if last else zlib.Z_SYNC_FLUSH)


def _bands(rows: Rows, height: int, many: int, step: int, recipe: Recipe) -> Iterator[tuple[bytes, int, int]]:
    """(deflated bytes, Adler-32, length) of each band of `many` rows, in order."""

    def band(first: int) -> tuple[bytes, int, int]:
        last = min(height, first + many)
        looks_back = recipe.strategy == zlib.Z_DEFAULT_STRATEGY and first > 0
        lead = min(first, -(-WINDOW // row_bytes)) if looks_back else 0
        data = filtered(_with_row_before(rows, first - lead, last), recipe.filter, step)
        before = data[:lead].tobytes()[-WINDOW:]
        body = data[lead:]
        return _deflated(body, recipe, before, last=last == height), zlib.adler32(body.data), body.size

    row_bytes = rows(0, 1).shape[1] + 1
    starts = range(0, height, many)
    count = min(threads(), len(starts))
    if count == 1:
        yield from map(band, starts)
        return
    from concurrent.futures import ThreadPoolExecutor  # small images need no threads

    with ThreadPoolExecutor(count) as pool:
        under_way: deque[Future[tuple[bytes, int, int]]] = deque()
        for first in starts:
            under_way.append(pool.submit(band, first))
            if len(under_way) > 2 * count:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()


def _write_metadata(image: Image, file: IO[bytes]) -> None:
    metadata = image.metadata
    if metadata.icc_profile:
        _chunk(file, b"iCCP", b"ICC Profile\0\0" + zlib.compress(metadata.icc_profile))
    if metadata.dpi:
        x, y = (min(round(dots / 0.0254), 2**31 - 1) for dots in metadata.dpi)
        _chunk(file, b"pHYs", struct.pack(">IIB", x, y, 1))
    if metadata.exif:
        _chunk(file, b"eXIf", metadata.exif.removeprefix(b"Exif\0\0"))


def _chunk(file: IO[bytes], tag: bytes, data: bytes) -> None:
    file.write(struct.pack(">I", len(data)) + tag)
    file.write(data)
    file.write(struct.pack(">I", zlib.crc32(data, zlib.crc32(tag))))
