"""Pictures as bytes of their formats."""

import io
from typing import IO, Any, Literal, NamedTuple, cast

import numpy as np
import PIL.Image

from cnnfilter.core.vocabulary import STANDARD_STREAM
from cnnfilter.errors import FileError
from cnnfilter.images import png
from cnnfilter.images.formats import Format
from cnnfilter.images.image import Image

LARGEST_JPEG_EXIF = 65_533  # one APP1 segment


class WriteOptions(NamedTuple):
    """How a picture is encoded: PNG level (`fast` or 0-9), quality of JPEG, WebP and AVIF, no metadata."""

    png_level: int | Literal["fast"] = "fast"
    quality: int = 90
    strip: bool = False


def transparency_lost(file_format: Format, dtype: np.dtype[Any]) -> str | None:
    """What is said of a picture with samples of `dtype` whose transparency the format cannot hold; None where it can.

    >>> from cnnfilter.images.formats import PNG
    >>> transparency_lost(PNG, np.dtype(np.uint8)), transparency_lost(PNG, np.dtype(np.uint16))
    (None, 'png holds no transparency here; it is dropped')
    """
    if file_format.alpha and dtype == np.uint8:
        return None
    return f"{file_format.name} holds no transparency here; it is dropped"


def encoded(image: Image, file_format: Format, options: WriteOptions) -> bytes:
    """The bytes of a picture file.

    Raises:
        FileError: it cannot be encoded in that format.
    """
    file = io.BytesIO()
    try:
        encode(image, file_format, file, options)
    except (OSError, ValueError, OverflowError, SystemError) as error:
        raise FileError(STANDARD_STREAM, f"cannot be written as {file_format.name}: {error}") from error
    return file.getvalue()


def encode(image: Image, file_format: Format, file: IO[bytes], options: WriteOptions) -> None:
    """Write a picture in `file_format` to an open file that can seek."""
    if file_format.is_array:
        np.lib.format.write_array(file, image.pixels, allow_pickle=False)
        return
    if file_format.name == "png" and options.png_level == "fast":
        png.write(image, file, strip=options.strip)
        return
    picture = _picture(image)
    extra: dict[str, Any] = {}
    if not options.strip:
        kept = {name: getattr(image.metadata, name) for name in file_format.metadata}
        extra = {name: value for name, value in kept.items() if value is not None}
    if file_format.name == "png":
        extra["compress_level"] = options.png_level
    elif file_format.name in ("jpeg", "webp", "avif"):
        extra["quality"] = options.quality
    if file_format.name == "jpeg" and len(extra.get("exif", b"")) > LARGEST_JPEG_EXIF:
        del extra["exif"]
    if file_format.name == "jpeg2000":  # its encoder never returns from a write that fails
        content = io.BytesIO()
        picture.save(content, format="JPEG2000", **extra)
        file.write(content.getbuffer())
        return
    picture.save(cast("IO[bytes]", _Named(f"picture{file_format.suffixes[0]}", file)), **extra)


class _Named:
    """A file with a name, by whose suffix Pillow loads one plugin (asked for a format it loads all usual ones).

    And without a descriptor: Pillow's own writes to one overlook that a full disk took only a part.
    """

    def __init__(self, name: str, file: IO[bytes]) -> None:
        self.name = name
        self.write, self.read, self.seek, self.tell, self.flush = (
            file.write,
            file.read,
            file.seek,
            file.tell,
            file.flush,
        )


def _picture(image: Image) -> PIL.Image.Image:
    """Pillow's picture of (pixels, alpha)."""
    pixels = image.pixels
    if image.alpha is not None:
        pixels = np.dstack([pixels, image.alpha])
    return PIL.Image.fromarray(np.ascontiguousarray(pixels))
