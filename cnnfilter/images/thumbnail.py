"""Small pictures for the terminal: any array brought down to few pixels of 8 bits."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnfilter.core.samples import SampleType

Size = tuple[int, int]
# Feature maps are shown down to this size; where they would be smaller, fewer are.
LEAST_MAP = 8
# Between them lie that many pixels, which are one line of the terminal; each map begins with a line.
GAP = 2
# Tiny pictures are enlarged up to that many times.
MOST_ZOOM = 8
# Results of a picture are in proportion to it down to this length of their longer side.
LEAST_RESULT = 16


@dataclass(frozen=True, eq=False)
class Thumbnail:
    """A small picture: uint8 pixels (height, width), (height, width, 3), or (height, width, maps) of a stack.

    `alpha`, uint8, is 0 where there is nothing to see, NaN included; a stack's has an entry for every map. `columns`
    are the maps of a stack beside each other, 0 for a picture. `extremes` are the least and the greatest value of an
    array whose samples have no levels of their own (floats, whole numbers beyond 16 bits): they are stretched to the
    full range, and the maps of a stack each on its own.
    """

    pixels: NDArray[np.uint8]
    alpha: NDArray[np.uint8] | None = None
    columns: int = 0
    extremes: tuple[float, float] | None = None

    @property
    def _rows(self) -> int:
        return -(-int(self.pixels.shape[2]) // self.columns)

    def zoom(self, frame: Size) -> int:
        """The whole factor by which it is enlarged within `frame`."""
        height, width = self.pixels.shape[:2]
        return max(1, int(_scale((height, width), _room(frame, self._rows, self.columns) if self.columns else frame)))

    def extent(self, zoom: int = 1) -> Size:
        """Its size in pixels when enlarged, with the gaps between the maps of a stack."""
        height, width = (zoom * length for length in self.pixels.shape[:2])
        if not self.columns:
            return height, width
        return self._rows * (_even(height) + GAP) - GAP - height % 2, self.columns * (width + GAP) - GAP

    def places(self, zoom: int = 1) -> Iterator[tuple[slice, slice]]:
        """Where the maps of a stack lie, row by row."""
        height, width = (zoom * length for length in self.pixels.shape[:2])
        for index in range(self.pixels.shape[2]):
            top, left = index // self.columns * (_even(height) + GAP), index % self.columns * (width + GAP)
            yield slice(top, top + height), slice(left, left + width)


def _even(length: int) -> int:
    return length + length % 2


def _room(frame: Size, rows: int, columns: int) -> Size:
    """The size that each of rows x columns maps has in a frame; even in height."""
    return (frame[0] + GAP) // rows // 2 * 2 - GAP, (frame[1] + GAP) // columns - GAP


def _scale(shape: Size, room: Size) -> float:
    """How many times as large a picture is shown; enlarged by an even factor, so that no line holds two rows of it."""
    scale = min(room[0] / shape[0], room[1] / shape[1])
    return scale if scale < 1 else max(1, min(int(scale) // 2 * 2, MOST_ZOOM))


def _arranged(count: int, shape: Size, frame: Size) -> tuple[int, int]:
    """(rows, columns) that show the largest maps; where they would be tiny, with room for fewer than `count`.

    >>> _arranged(8, (64, 64), (28, 78))
    (2, 4)
    """
    height, width = fitted(shape, (min(LEAST_MAP, frame[0]), min(LEAST_MAP, frame[1])))
    most = (frame[0] + GAP) // (_even(height) + GAP) or 1, (frame[1] + GAP) // (width + GAP)
    count = min(count, most[0] * most[1])
    found = []
    for columns in range(1, min(count, most[1]) + 1):
        rows = -(-count // columns)
        if rows <= most[0]:
            found.append((_scale(shape, _room(frame, rows, columns)), -rows, -columns))
    _, rows, columns = max(found)
    return -rows, -columns


def in_proportion(shape: Size, results: Sequence[Size], frame: Size) -> list[Size]:
    """The rooms of a picture and its results within `frame`: all on one scale.

    A result that would be tiny beside a large picture gets LEAST_RESULT pixels on its longer side.

    >>> in_proportion((400, 640), [(200, 320), (100, 160), (1, 1)], (28, 40))
    [(25, 40), (13, 20), (10, 16), (16, 16)]
    >>> in_proportion((8, 8), [(4, 4), (10, 10)], (28, 40))
    [(16, 16), (8, 8), (20, 20)]
    """
    scale = _scale(shape, frame)
    scale = scale if scale < 1 else max(1, min(_scale(each, frame) for each in (shape, *results)))
    rooms = []
    for each in (shape, *results):
        own = scale if scale >= 1 or each is shape else max(scale, LEAST_RESULT / max(each))
        height, width = (max(1, math.floor(length * own + 0.5)) for length in each)
        rooms.append((min(frame[0], height), min(frame[1], width)))
    return rooms


@dataclass(frozen=True)
class Frames:
    """The rooms, (height, width) in pixels, that a terminal has for a picture and for a stack of feature maps."""

    picture: Size
    stack: Size

    def show(
        self,
        pixels: NDArray[Any],
        alpha: NDArray[Any] | None = None,
        *,
        is_stack: bool = False,
        beside: Sequence[int] | None = None,
    ) -> Thumbnail:
        """The small picture that fits: of a picture with 1 or 3 channels, or a stack of maps.

        A picture that comes from one of the shape `beside` is in proportion to it.
        """
        channels = pixels.shape[2] if pixels.ndim == 3 else 1
        if channels > 1 and (is_stack or channels != 3):
            return thumbnail(pixels, self.stack, alpha, is_stack=True)
        frame, (height, width) = self.picture, pixels.shape[:2]
        if beside is not None:
            frame = in_proportion((beside[0], beside[1]), [(height, width)], frame)[1]
        return thumbnail(pixels, frame, alpha)


def thumbnail(
    pixels: NDArray[Any], frame: Size, alpha: NDArray[Any] | None = None, *, is_stack: bool = False
) -> Thumbnail:
    """The picture with at most `frame` (height, width) pixels: shrunk by the mean of areas, never enlarged.

    `pixels` are (height, width[, channels]) of any real type, `alpha` (height, width) of the same. Two channels that
    are no stack are gray and alpha, four are colour and alpha; other numbers than 1 to 4 are always a stack of maps,
    of which the first are kept that `frame` has room for.

    >>> thumbnail(np.array([[0, 100], [200, 100]], np.uint8), (1, 1)).pixels.tolist()
    [[100]]
    """
    planes = pixels if pixels.ndim == 3 else pixels[:, :, None]
    is_stack = is_stack or planes.shape[2] > 4
    if not is_stack and planes.shape[2] in (2, 4):
        planes, alpha = planes[:, :, :-1], planes[:, :, -1]
    columns = 0
    if is_stack:
        rows, columns = _arranged(planes.shape[2], planes.shape[:2], frame)
        planes, frame = planes[:, :, : rows * columns], _room(frame, rows, columns)
    small, opacity = _averaged(planes, fitted(planes.shape[:2], frame), alpha)
    shown = _levels(small, pixels.dtype, per_map=is_stack)
    return Thumbnail(
        shown[:, :, 0] if not is_stack and shown.shape[2] == 1 else shown,
        None if opacity.min() == 255 else opacity if is_stack else opacity.min(axis=2),
        columns,
        None if _has_levels(pixels.dtype) else _extremes(planes),
    )


def _averaged(
    planes: NDArray[Any], size: Size, alpha: NDArray[Any] | None
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """(means of areas, their opacity from 0 to 255); colours count as much as they are seen."""
    if alpha is None:
        small = _shrunk(planes, size)
        return small, np.where(np.isfinite(small), np.uint8(255), np.uint8(0))
    alpha = alpha if alpha.ndim == 3 else alpha[:, :, None]
    weight = _shrunk(alpha, size)
    small = np.divide(_shrunk(planes, size, alpha), np.maximum(weight, 1e-12), dtype=np.float32)
    opacity = weight * (255 / SampleType.of(alpha.dtype).high)
    return small, _to_bytes(np.where(np.isfinite(small), opacity, 0))


def fitted(shape: Size, frame: Size) -> Size:
    """The largest size of the same proportions within `frame`, and not larger than `shape`.

    >>> fitted((427, 640), (40, 39)), fitted((8, 8), (40, 39)), fitted((9000, 10), (40, 39))
    ((26, 39), (8, 8), (40, 1))
    """
    scale = min(1.0, frame[0] / shape[0], frame[1] / shape[1])
    return max(1, math.floor(shape[0] * scale + 0.5)), max(1, math.floor(shape[1] * scale + 0.5))


def _has_levels(dtype: np.dtype[Any]) -> bool:
    return dtype.kind == "b" or (dtype.kind in "iu" and dtype.itemsize <= 2)


def _extremes(values: NDArray[Any]) -> tuple[float, float]:
    """The least and the greatest value; NaN is passed over."""
    return float(np.fmin.reduce(values, axis=None)), float(np.fmax.reduce(values, axis=None))


def _levels(small: NDArray[np.float32], dtype: np.dtype[Any], *, per_map: bool) -> NDArray[np.uint8]:
    """Means of samples of a type as levels from 0 to 255; those without levels of their own are stretched to that."""
    finite = np.where(np.isfinite(small), small, np.float32(np.nan))
    samples, axes = SampleType.of(dtype), (0, 1) if per_map else None
    low, high = np.float64(samples.low), np.float64(samples.high)
    if not _has_levels(dtype):
        low, high = (f.reduce(finite, axis=axes).astype(np.float64) for f in (np.fmin, np.fmax))
    span = np.where(high == low, 1, high - low)
    return _to_bytes(np.nan_to_num((finite - low) * (255 / span)))


def _to_bytes(levels: NDArray[Any]) -> NDArray[np.uint8]:
    return np.clip(np.floor(levels + 0.5), 0, 255).astype(np.uint8)


def _shrunk(planes: NDArray[Any], size: Size, weights: NDArray[Any] | None = None) -> NDArray[np.float32]:
    """The means of the areas (height, width, channels) that the pixels of the small picture cover, in float32.

    With `weights` (height, width, 1 or channels) they are means of the products with them.
    """
    _, width, channels = planes.shape
    rows = np.empty((size[0], width, channels), np.float32)
    with np.errstate(invalid="ignore", over="ignore"):
        for y, (start, shares) in enumerate(_areas(planes.shape[0], size[0])):  # few rows are in floats at a time
            band = planes[start : start + len(shares)].astype(np.float32)
            if weights is not None:
                band *= weights[start : start + len(shares)]
            rows[y] = np.tensordot(shares, band, 1)
        columns = [
            np.tensordot(rows[:, start : start + len(shares)], shares, (1, 0))
            for start, shares in _areas(width, size[1])
        ]
    return np.stack(columns, axis=1)


def _areas(length: int, count: int) -> list[tuple[int, NDArray[np.float32]]]:
    """For each of `count` equal parts of `length` samples: the first that it covers, and the share of each.

    >>> [(start, (5 * shares).tolist()) for start, shares in _areas(5, 2)]
    [(0, [2.0, 2.0, 1.0]), (2, [1.0, 2.0, 2.0])]
    """
    found = []
    for index in range(count):
        begin, end = index * length, (index + 1) * length  # in units of 1/count of a sample
        first, last = begin // count, -(-end // count)
        cells = np.arange(first, last)
        overlaps = np.minimum(cells * count + count, end) - np.maximum(cells * count, begin)
        found.append((first, (overlaps / length).astype(np.float32)))
    return found
