"""Float sums in tiles of equal shape, which threads take from one iterator.

A method is bound to the shape of an image once; each thread then has its own scratch, and for every tile the padded
samples under it are loaded, multiplied and handed on while they are in the cache. Methods mix samples across windows (a
product of matrices meets every sample of its tile), so that NaN or infinity would spread, and 32 bits could overflow. A
tile that holds such samples is done with the plain strategy in float64 instead: there a sample reaches its own windows
only. Where tiles lie depends on shapes and types, never on the number of threads, and so do the bits of the result.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from cnnfilter.core.engine import outputs, products, shifts, threads
from cnnfilter.core.engine.levels import Levels
from cnnfilter.core.engine.padding import padded_tile
from cnnfilter.core.engine.task import Correlation

Array = NDArray[Any]

FLOAT32, FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)
# Sizes of samples and weights whose products and sums stay far from both ends of float32.
SMALLEST, LARGEST = 1e-12, 1e12


class Method(Protocol):
    """A way to compute float sums, for one task and one shape of image.

    A tile has `rows` x `columns` windows. `pitch` is that of its scratch: values of all channels from row to row, or,
    where `planar` is set and a row holds one channel after the other, from channel to channel; what it holds beyond
    the padded image is zero. `workload` is the number of multiplications for the image, `why` speaks for the method.
    """

    name: str
    why: str
    dtype: np.dtype[Any]
    rows: int
    columns: int
    pitch: int
    planar: bool
    workload: int

    def bound(self, samples: Array) -> Callable[[], Array]:
        """What makes sums (rows, columns, channels) of the samples that are in `samples` when it is called.

        These are (rows, pitch), or (rows, channels, pitch) if planar. The next call overwrites the sums. All views are
        made here: between products there is little for threads to wait for each other.
        """
        ...


class Tile(NamedTuple):
    """Windows that are computed together; `first` are the row and the column that no other tile makes."""

    start: tuple[int, int]
    first: tuple[int, int]


@dataclass(frozen=True, eq=False)
class Fused:
    """From an image to samples or responses without sums of the image's size; the task's weights hold the gain."""

    task: Correlation
    method: Method
    levels: Levels
    output: tuple[int, int, int]


def tame(values: Array) -> bool:
    """Whether all values are finite, and none so large or all so small that float32 would not do."""
    low, high = float(values.min()), float(values.max())
    largest = max(-low, high)
    return largest == 0 or SMALLEST <= largest <= LARGEST


def shares(total: int, most: int, unit: int = 1) -> int:
    """The length of tiles, none above `most`, that divide `total` about equally; a multiple of `unit`.

    >>> shares(100, 64), shares(100, 64, 8), shares(10, 64, 8)
    (50, 56, 16)
    """
    count = -(-total // max(unit, most))
    return -(-total // (count * unit)) * unit


def tiles(method: Method, rows: int, columns: int) -> list[Tile]:
    """The tiles of an output; the last ones overlap those before."""
    last = max(0, rows - method.rows), max(0, columns - method.columns)
    return [
        Tile((min(y, last[0]), min(x, last[1])), (y, x))
        for y in range(0, rows, method.rows)
        for x in range(0, columns, method.columns)
    ]


def sums(method: Method, task: Correlation, image: Array) -> Iterator[tuple[slice, Array]]:
    """(rows of the output, their sums), tiles side by side at a time; overwritten by the next."""
    rows, columns, channels = task.output_shape((image.shape[0], image.shape[1], image.shape[2]))
    every = tiles(method, rows, columns)
    across = sum(tile.first[0] == 0 for tile in every)
    wide = np.empty((min(method.rows, rows), columns, channels), method.dtype)
    for i, (down, beside, values) in enumerate(_computed(method, task, image, every)):
        wide[: values.shape[0], beside] = values
        if (i + 1) % across == 0:
            yield down, wide[: values.shape[0]]


def run(fused: Fused, image: Array, count: int) -> tuple[Array, int]:
    """(samples or responses, number of values clipped), computed by `count` threads."""
    out = outputs.empty(fused.output, fused.levels.output)
    every = tiles(fused.method, *fused.output[:2])

    def work(items: Iterator[Tile]) -> int:
        done = _computed(fused.method, fused.task, image, items)
        store = fused.levels.bound(fused.method.dtype)
        with np.errstate(over="ignore", invalid="ignore"):
            return sum(store(values, out[down, across]) for down, across, values in done)

    return out, threads.share(every, work, min(count, len(every)))


def _computed(
    method: Method, task: Correlation, image: Array, items: Iterable[Tile]
) -> Iterator[tuple[slice, slice, Array]]:
    """(rows, columns, their sums) of the tiles that `items` gives; sums are overwritten by the next tile's."""
    total = task.output_shape((image.shape[0], image.shape[1], image.shape[2]))
    windows = task.windows
    steps, before = windows.stride, (windows.padding[0][0], windows.padding[1][0])
    counts = [
        (min(count, outputs) - 1) * step + extent
        for count, outputs, step, extent in zip(
            (method.rows, method.columns), total[:2], steps, windows.extent, strict=True
        )
    ]
    height = (method.rows - 1) * steps[0] + windows.extent[0]
    channels = 1 if task.sum_channels else image.shape[2]
    scratch = np.zeros((height, channels, method.pitch) if method.planar else (height, method.pitch), method.dtype)
    samples = scratch.transpose(0, 2, 1) if method.planar else _pixels(scratch, channels)
    samples = samples[: counts[0], : counts[1]]
    compute = method.bound(scratch)
    for start, first in items:
        with np.errstate(over="ignore", invalid="ignore"):  # where it matters the plain strategy steps in
            corner = start[0] * steps[0] - before[0], start[1] * steps[1] - before[1]
            padded_tile(image, corner, task.pad_mode, samples, sum_channels=task.sum_channels)
            wild = image.dtype.kind == "f" and not tame(scratch)
            values = _plain(task, image, corner, samples.shape) if wild else compute()
        stop = min(start[0] + method.rows, total[0]), min(start[1] + method.columns, total[1])
        kept = values[first[0] - start[0] : stop[0] - start[0], first[1] - start[1] : stop[1] - start[1]]
        yield slice(first[0], stop[0]), slice(first[1], stop[1]), kept


def _pixels(scratch: Array, channels: int) -> Array:
    """Rows of whole pixels, (rows, columns, channels); of a pitch that channels do not divide the rest is left out."""
    columns = scratch.shape[1] // channels
    return scratch[:, : columns * channels].reshape(len(scratch), columns, channels)


def _plain(task: Correlation, image: Array, corner: tuple[int, int], shape: tuple[int, ...]) -> Array:
    """Sums of a tile of samples from `corner` on, in which every sample meets its own windows only."""
    samples = np.empty(shape)
    padded_tile(image, corner, task.pad_mode, samples, sum_channels=task.sum_channels)
    inner = replace(task, windows=replace(task.windows, padding=((0, 0), (0, 0))), sum_channels=False)
    strategy = products.sums if task.is_bank else shifts.sums
    return next(strategy(inner, samples, FLOAT64, shape[0]))[1]
