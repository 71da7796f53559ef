"""Pixels as a terminal shows them: two to a character, one above the other."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnfilter.core.gray import to_gray
from cnnfilter.images.thumbnail import Size, Thumbnail, thumbnail

# The squares that show through transparent places, and their two grays.
CHECKS, SQUARE = (102, 153), 4

Colour = tuple[int, int, int]


class Canvas:
    """Pixels (height, width, 3), uint8, as they are shown; where `seen` (height, width) is false there is nothing.

    An odd height is made up by a row where nothing is.
    """

    def __init__(self, pixels: NDArray[np.uint8], seen: NDArray[np.bool_]) -> None:
        odd = pixels.shape[0] % 2
        self.pixels = np.pad(pixels, ((0, odd), (0, 0), (0, 0)))
        self.seen = np.pad(seen, ((0, odd), (0, 0)))

    @property
    def columns(self) -> int:
        """Its width in characters."""
        return int(self.pixels.shape[1])

    @property
    def rows(self) -> int:
        """Its height in lines."""
        return int(self.pixels.shape[0]) // 2

    def cut(self, columns: int) -> "Canvas":
        """Its left part."""
        return Canvas(self.pixels[:, :columns], self.seen[:, :columns])

    def pairs(self) -> list[list[tuple[Colour | None, Colour | None]]]:
        """The upper and the lower pixel of every character."""
        lines = _colours(self.pixels, self.seen)
        return [list(zip(above, below, strict=True)) for above, below in zip(lines[::2], lines[1::2], strict=True)]

    def means(self) -> list[list[Colour | None]]:
        """One colour a character."""
        return _colours(self._means(), self.seen[::2] | self.seen[1::2])

    def shades(self, count: int) -> list[list[int]]:
        """The brightness of every character as one of `count` shades."""
        return (to_gray(self._means()).astype(int) * count // 256).tolist()  # type: ignore[no-any-return]

    def _means(self) -> NDArray[np.uint8]:
        """The means of those of the two pixels that are there; black where none is."""
        places = self.seen.reshape(self.rows, 2, self.columns, 1)
        sums = (self.pixels.reshape(self.rows, 2, self.columns, 3) * places).sum(axis=1, dtype=np.uint16)
        count = np.maximum(places.sum(axis=1, dtype=np.uint16), 1)
        return np.asarray((sums + count // 2) // count).astype(np.uint8)


def _colours(pixels: NDArray[np.uint8], seen: NDArray[np.bool_]) -> list[list[Colour | None]]:
    return [
        [tuple(pixel) if there else None for pixel, there in zip(*line, strict=True)]
        for line in zip(pixels.tolist(), seen.tolist(), strict=True)
    ]


def drawn(picture: Thumbnail, frame: Size) -> Canvas:
    """A small picture at its best size within `frame` (height, width in pixels): tiny ones enlarged, maps as tiles."""
    if max(np.subtract(picture.extent(), frame)) > 0:  # it was made for a larger terminal
        picture = thumbnail(picture.pixels, frame, picture.alpha, is_stack=bool(picture.columns))
    zoom = picture.zoom(frame)
    if not picture.columns:
        shown = _composed(picture.pixels, picture.alpha, zoom)
        return Canvas(shown, np.ones(shown.shape[:2], bool))
    pixels = np.zeros((*picture.extent(zoom), 3), np.uint8)
    seen = np.zeros(pixels.shape[:2], bool)
    for index, place in enumerate(picture.places(zoom)):
        alpha = None if picture.alpha is None else picture.alpha[:, :, index]
        pixels[place] = _composed(picture.pixels[:, :, index], alpha, zoom)
        seen[place] = True
    return Canvas(pixels, seen)


def _composed(pixels: NDArray[np.uint8], alpha: NDArray[np.uint8] | None, zoom: int) -> NDArray[np.uint8]:
    """Colours (height, width, 3), enlarged, on a checkerboard where they are transparent."""
    shown: NDArray[Any] = np.broadcast_to(np.atleast_3d(pixels), (*pixels.shape[:2], 3))
    shown = shown.repeat(zoom, 0).repeat(zoom, 1)
    if alpha is None:
        return shown
    opacity = alpha.repeat(zoom, 0).repeat(zoom, 1)[:, :, None].astype(np.uint16)
    y, x = np.indices(shown.shape[:2]) // SQUARE
    ground = np.where((y + x) % 2, CHECKS[1], CHECKS[0])[:, :, None]
    return np.asarray((shown * opacity + ground * (255 - opacity) + 127) // 255).astype(np.uint8)
