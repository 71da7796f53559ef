"""From Pillow's picture to arrays, without the copies that would be made on the way."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray

# Pictures up to SMALL_PIXELS are taken over as a whole, in half the time; larger ones by bands.
SMALL_PIXELS, BAND_PIXELS = 1 << 20, 1 << 16
TILE = 64, 256  # rows and columns that are turned at a time, so that both sides stay in the cache


def arrays(picture: PIL.Image.Image, mode: str) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """(pixels, alpha) of a loaded picture in `mode`: Pillow's, or I;16A for 16-bit gray with one transparent level.

    They may be read-only.
    """
    if mode.startswith("I;16"):
        gray = _filled(picture, picture.mode, 1)[0].astype(np.uint16, copy=False)
        level = picture.info["transparency"] if mode == "I;16A" else None
        return gray, None if level is None else np.where(gray == level, np.uint16(0), np.uint16(65535))
    if picture.mode == "1" and mode == "LA":
        picture = picture.convert("L")  # keeps the transparent level in its info
    if picture.mode == "RGBA" and mode == "LA":  # 16-bit gray with alpha arrives as RGBA
        pixels, alpha = _filled(picture, "RGBA", 2)
        return np.ascontiguousarray(pixels[:, :, 0]), alpha
    pixels, *rest = _filled(picture, mode, 2 if mode.endswith("A") else 1)
    return pixels, rest[0] if rest else None


def _filled(picture: PIL.Image.Image, mode: str, parts: int) -> list[NDArray[Any]]:
    """The samples in one array, or in two: the last channel apart from the others."""
    if parts == 1 and picture.mode == mode and picture.width * picture.height <= SMALL_PIXELS:
        return [np.asarray(picture)]
    found: list[NDArray[Any]] = []
    for rows, band in _bands(picture, mode):
        split = [band] if parts == 1 else [band[:, :, 0] if band.shape[2] == 2 else band[:, :, :-1], band[:, :, -1]]
        found = found or [np.empty((picture.height, *part.shape[1:]), part.dtype.newbyteorder("=")) for part in split]
        for whole, part in zip(found, split, strict=True):
            for to, of in zip(_planes(whole), _planes(part), strict=True) if parts > 1 else [(whole, part)]:
                to[rows] = of
    return found


def _bands(picture: PIL.Image.Image, mode: str) -> Iterator[tuple[slice, NDArray[Any]]]:
    """Bands of rows: of a whole picture Pillow would make two more copies on the way to an array."""
    width, height = picture.size
    many = max(1, BAND_PIXELS // width)
    for top in range(0, height, many):
        bottom = min(height, top + many)
        part = picture if many >= height else picture.crop((0, top, width, bottom))
        yield slice(top, bottom), np.asarray(part if part.mode == mode else part.convert(mode))


def upright(array: NDArray[Any], orientation: int) -> NDArray[Any]:
    """`array` turned and mirrored as EXIF orientation 1 to 8 asks for (CIPA DC-008, tag 274), contiguous.

    >>> upright(np.array([[1, 2], [3, 4]]), 6).tolist()
    [[3, 1], [4, 2]]
    """
    if orientation == 1:
        return np.ascontiguousarray(array)
    if orientation in (5, 6, 7, 8):
        array = np.swapaxes(array, 0, 1)
    array = array[:: -1 if orientation in (3, 4, 7, 8) else 1, :: -1 if orientation in (2, 3, 6, 7) else 1]
    out = np.empty(array.shape, array.dtype)
    rows, columns = TILE
    for to, of in zip(_planes(out), _planes(array), strict=True):
        for top in range(0, array.shape[0], rows):
            for left in range(0, array.shape[1], columns):
                tile = slice(top, top + rows), slice(left, left + columns)
                to[tile] = of[tile]
    return out


def _planes(array: NDArray[Any]) -> list[NDArray[Any]]:
    """Views of the channels: NumPy is slow where only three or four samples lie side by side."""
    return [array] if array.ndim == 2 else [array[:, :, channel] for channel in range(array.shape[2])]
