"""From an open file to pixels, with Pillow: limits before decoding, exact modes, orientation, metadata.

Decoders raise what they like; whoever calls turns all of it into one kind of error.
"""

import contextlib
import logging
import os
import re
import threading
import warnings
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from cnnfilter.errors import FileError
from cnnfilter.images import formats
from cnnfilter.images.arrays import arrays, upright
from cnnfilter.images.formats import Format
from cnnfilter.images.image import Image, Metadata

_READABLE = [name for f in formats.FORMATS for name in f.pillow if name != "MPO"]  # MPO opens as JPEG
_ORIENTATION = 0x0112
one_at_a_time = threading.Lock()
logging.getLogger("PIL").addHandler(logging.NullHandler())  # else what Pillow logs goes to standard error
# Tags of a TIFF that describe the picture, not how its bytes are stored: description, camera, software, time, artist,
# copyright, and the EXIF and GPS directories.
DESCRIPTIVE = {270, 271, 272, 305, 306, 315, 33432, 34665, 34853}


_MODES: dict[str, np.dtype[Any]] = {
    "L": np.dtype(np.uint8),
    "LA": np.dtype(np.uint8),
    "RGB": np.dtype(np.uint8),
    "RGBA": np.dtype(np.uint8),
    "I;16": np.dtype(np.uint16),
    "I;16A": np.dtype(np.uint16),  # 16-bit gray with one transparent level; a name of ours
    "I": np.dtype(np.int32),
    "F": np.dtype(np.float32),
}


class Header(NamedTuple):
    """What a file says of its picture before it is decoded: shape after orientation, without alpha."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    alpha: bool
    format: Format


def read_header(file: BinaryIO, max_pixels: int) -> Header:
    """What the header of a picture says; nothing is decoded."""
    with opened(file, max_pixels) as picture:
        return header_of(picture)


def header_of(picture: PIL.Image.Image) -> Header:
    """What the header of an open picture says."""
    mode = _target_mode(picture)
    width, height = picture.size
    turned = header_orientation(picture) in (5, 6, 7, 8)
    if turned and picture.format != "TIFF":  # a TIFF's size is turned by Pillow
        width, height = height, width
    shape = (height, width, 3) if mode.startswith("RGB") else (height, width)
    return Header(shape, _MODES[mode], mode.endswith("A"), formats.by_pillow(picture.format))


def check_pixels(width: int, height: int, max_pixels: int) -> None:
    """Refuse a picture that is too large.

    Raises:
        FileError: names both numbers of pixels and the option.
    """
    if width * height > max_pixels:
        raise FileError("", f"{height} x {width} is {width * height} pixels, the limit is {max_pixels} (--max-pixels)")


@contextlib.contextmanager
def opened(file: BinaryIO, max_pixels: int) -> Iterator[PIL.Image.Image]:
    """Pillow's picture, refused from its header if it is too large; Pillow's own warnings are kept off the terminal."""
    with one_at_a_time:  # the limit, warning filters and standard error are the process's own
        yield from _open_alone(file, max_pixels)


def _open_alone(file: BinaryIO, max_pixels: int) -> Iterator[PIL.Image.Image]:
    limit = PIL.Image.MAX_IMAGE_PIXELS
    PIL.Image.MAX_IMAGE_PIXELS = max_pixels  # Pillow looks at it for nested pictures, too
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", PIL.Image.DecompressionBombWarning)
            with _recognised(file) as picture:
                check_pixels(*picture.size, max_pixels)
                yield picture
    except (PIL.Image.DecompressionBombWarning, PIL.Image.DecompressionBombError) as error:
        pixels = re.search(r"\d+", str(error))
        many = pixels.group() if pixels else "too many"
        raise FileError("", f"the picture has {many} pixels, the limit is {max_pixels} (--max-pixels)") from error
    finally:
        PIL.Image.MAX_IMAGE_PIXELS = limit


def _recognised(file: BinaryIO) -> PIL.Image.Image:
    """Pillow's picture. For PNG and JPEG only their own plugins are loaded; all five usual ones take 10 ms."""
    start = file.read(8)
    file.seek(0)
    if start == b"\x89PNG\r\n\x1a\n":
        from PIL.PngImagePlugin import PngImageFile

        return PngImageFile(file)
    if start.startswith(b"\xff\xd8\xff"):
        from PIL.JpegImagePlugin import jpeg_factory

        return jpeg_factory(file)
    return PIL.Image.open(file, formats=_READABLE)


def read_picture(file: BinaryIO, size: int, max_pixels: int) -> Image:
    """The first frame of a picture file of `size` bytes, upright."""
    notes = []
    with opened(file, max_pixels) as picture:
        if loses_bits(picture):
            notes.append("16-bit samples are read as 8-bit")
        stored, mode = picture.mode, _target_mode(picture)
        with _silent_libtiff(picture):
            picture.load()
        pixels, alpha = arrays(picture, mode)
        if picture.format == "TIFF":
            pixels = _as_tiff_says(picture, pixels)
        orientation, exif = _exif(picture)
        profile = picture.info.get("icc_profile") if stored not in ("CMYK", "LAB", "YCbCr", "HSV") else None
        metadata = Metadata(profile if isinstance(profile, bytes) else None, dpi_of(picture), exif)
        file_format = formats.by_pillow(picture.format)
        frames = frames_of(picture)
        if frames > 1:
            notes.append(f"only the first of {frames} frames is read")
    del picture  # before there is another copy of it
    pixels = upright(pixels, orientation)
    alpha = None if alpha is None else upright(alpha, orientation)
    return Image(pixels, alpha, file_format, metadata, tuple(notes), size)


def _target_mode(picture: PIL.Image.Image) -> str:
    """The mode that a picture is read in."""
    mode = picture.mode
    transparent = picture.has_transparency_data
    if mode.startswith("I;16"):
        return "I;16A" if isinstance(picture.info.get("transparency"), int) else "I;16"
    if mode in ("I", "F"):
        return mode
    gray = mode in ("1", "L", "LA", "La") or any(raw.startswith("LA") for raw in _raw_modes(picture))
    return ("L" if gray else "RGB") + ("A" if transparent else "")


def _as_tiff_says(picture: PIL.Image.Image, pixels: NDArray[Any]) -> NDArray[Any]:
    """Gray samples as the tags of a TIFF mean them, where Pillow's modes have no room for that.

    Tag 262 is 0 where zero is white (Pillow turns only 8 bits round), tag 339 is 1 for unsigned and 2 for signed.
    """
    kind = tiff_tag(picture, 339) or 1
    if pixels.ndim == 2 and pixels.dtype == np.uint16 and tiff_tag(picture, 262) == 0:
        return np.asarray(np.uint16(65535) - pixels)
    if pixels.ndim == 2 and pixels.dtype == np.uint8 and kind == 2 and tiff_tag(picture, 258) == 8:
        return pixels.view(np.int8)
    if pixels.dtype == np.int32 and kind == 1:
        return pixels.view(np.uint32)
    return pixels


def tiff_tag(picture: PIL.Image.Image, number: int) -> Any:
    """The value of a tag of a TIFF, the first of several; None where it is not there."""
    value = picture.tag_v2.get(number)  # type: ignore[attr-defined]
    return value[0] if isinstance(value, tuple) and value else value


def loses_bits(picture: PIL.Image.Image) -> bool:
    """Whether the samples in the file have 16 bits and those in memory 8: Pillow's raw modes tell."""
    if picture.mode.startswith("I") or picture.mode == "F":
        return False
    if picture.format == "PPM":
        parts = [part for tile in getattr(picture, "tile", []) if isinstance(tile[3], tuple) for part in tile[3]]
        return any(isinstance(part, int) and part > 255 for part in parts)
    return any(";16" in raw for raw in _raw_modes(picture))


def _raw_modes(picture: PIL.Image.Image) -> list[str]:
    """Pillow's words for how samples lie in the file, until it is decoded."""
    found = []
    for tile in getattr(picture, "tile", []):
        parts = tile[3] if isinstance(tile[3], tuple) else (tile[3],)
        found += [part for part in parts if isinstance(part, str)]
    return found


def _exif(picture: PIL.Image.Image) -> tuple[int, bytes | None]:
    """(orientation, EXIF block with the orientation reset); a block that cannot be parsed is left out."""
    try:
        exif = picture.getexif()
        orientation = exif.get(_ORIENTATION, 1)
        if picture.format == "TIFF":
            for tag in set(exif) - DESCRIPTIVE:
                del exif[tag]
        if _ORIENTATION in exif:
            exif[_ORIENTATION] = 1
        block = exif.tobytes() if len(exif) else None
    except Exception:  # as for decoders; the picture itself is fine
        return 1, None
    return orientation if orientation in range(1, 9) else 1, block


def header_orientation(picture: PIL.Image.Image) -> int:
    """Orientation from what is known before decoding (getexif of a PNG would decode it)."""
    if picture.format != "PNG":
        return _exif(picture)[0]
    exif = PIL.Image.Exif()
    try:
        exif.load(picture.info.get("exif", b""))
    except Exception:  # as for decoders
        return 1
    orientation = exif.get(_ORIENTATION, 1)
    return orientation if orientation in range(1, 9) else 1


def dpi_of(picture: PIL.Image.Image) -> tuple[float, float] | None:
    """Dots per inch along x and y, where they make sense."""
    if picture.format == "TIFF" and not {282, 283} <= set(picture.tag_v2):  # type: ignore[attr-defined]
        return None  # Pillow makes up 1
    try:
        x, y = (float(value) for value in picture.info["dpi"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    return (x, y) if 0 < x < 1e6 and 0 < y < 1e6 else None


def frames_of(picture: PIL.Image.Image) -> int:
    """Number of frames; 1 where later ones cannot be counted. Comes last, since it moves through the file."""
    try:
        return int(getattr(picture, "n_frames", 1))
    except Exception:  # as for decoders; the first frame is fine
        return 1


@contextlib.contextmanager
def _silent_libtiff(picture: PIL.Image.Image) -> Iterator[None]:
    """Libtiff writes its complaints to file descriptor 2 itself; what matters comes as an exception as well."""
    if picture.format != "TIFF":
        yield
        return
    try:
        kept = os.dup(2)
    except OSError:  # no standard error at all
        yield
        return
    nothing = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)
