"""Text on pictures, in the font that comes with Pillow."""

import bisect
import functools
import unicodedata
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont
from numpy.typing import NDArray

from cnnfilter.core.words import printable

Font = PIL.ImageFont.FreeTypeFont | PIL.ImageFont.ImageFont
Colour = tuple[int, int, int]
BLACK: Colour = (20, 20, 20)
GRAY: Colour = (95, 95, 95)


@functools.cache
def font(size: int) -> Font:
    """Pillow's own font; where Pillow has no FreeType, the letters that it has in one size."""
    try:
        return PIL.ImageFont.load_default(size)
    except (ImportError, OSError):
        return PIL.ImageFont.load_default()


def line_height(size: int) -> int:
    """The height of a line of text."""
    return size + size // 3


def drawable(text: str) -> str:
    r"""The text in the letters that Pillow's font has: accents go, control characters are escaped, others become ?.

    >>> drawable("caf\xe9\n\u65e5.png")
    'cafe\\n?.png'
    """
    apart = unicodedata.normalize("NFKD", printable(text))
    return "".join(c if c.isascii() else "?" for c in apart if not unicodedata.combining(c))


def text_width(text: str, size: int) -> int:
    """The width of a text in pixels."""
    return -int(-font(size).getlength(drawable(text)) // 1)


def fitted(text: str, width: int, size: int) -> str:
    """The text, or as much of its beginning and end around `...` as fits into `width` pixels.

    >>> fitted("a picture with a long name.png", 120, 13)
    'a picture w...e.png'
    """
    text = drawable(text)
    if text_width(text, size) <= width:
        return text
    kept = bisect.bisect(range(len(text)), width, key=lambda kept: text_width(_shortened(text, kept), size)) - 1
    return _shortened(text, kept) if kept > 0 else ""


def _shortened(text: str, kept: int) -> str:
    """`kept` letters of the text: of the beginning twice as many as of the end."""
    tail = kept // 3
    return f"{text[: kept - tail].rstrip()}...{text[len(text) - tail :]}"


def wrapped(text: str, width: int, size: int) -> list[str]:
    """The words of a text in lines of at most `width` pixels; a longer word is cut."""
    lines: list[str] = []
    for word in drawable(text).split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(longer, size) <= width:
            lines[-1] = longer
        else:
            lines.append(fitted(word, width, size))
    return lines


def write(picture: NDArray[Any], top: int, left: int, text: str, size: int, ink: Colour = BLACK) -> None:
    """Write a line of text on an RGB picture (height, width, 3) of uint8; what reaches beyond its border is cut."""
    place = picture[top : top + line_height(size), left:]
    place = place[:, : text_width(text, size) + 2]
    if not place.size:
        return
    stamp = PIL.Image.new("L", (place.shape[1], place.shape[0]), 0)
    PIL.ImageDraw.Draw(stamp).text((0, 0), drawable(text), fill=255, font=font(size))
    cover = np.asarray(stamp, np.uint16)[:, :, None]
    place[...] = (place * (255 - cover) + np.array(ink, np.uint16) * cover + 127) // 255
