"""Float sums in bands of equal shape, which threads take from one iterator.

A method is bound to the shape of an image once; each thread then has its own scratch, and for every band its padded
rows are loaded, multiplied and handed on. Methods mix samples across windows (a product of matrices meets every sample
of its tile), so that NaN or infinity would spread, and 32 bits could overflow. A band that holds such samples is done
with the plain strategy in float64 instead: there a sample reaches its own windows only. Where bands lie depends on
shapes and types, never on the number of threads, and so do the bits of the result.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cnnfilter.core.engine import products, shifts, threads
from cnnfilter.core.engine.levels import Levels
from cnnfilter.core.engine.padding import padded_rows
from cnnfilter.core.engine.task import Correlation

Array = NDArray[Any]
Item = tuple[int, int]

FLOAT32, FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)
# Sizes of samples and weights whose products and sums stay far from both ends of float32.
SMALLEST, LARGEST = 1e-12, 1e12


class Method(Protocol):
    """A way to compute float sums, for one task and one shape of image.

    `rows` are the output rows of a band, `pitch` the columns of its scratch, at least those of the padded image;
    what is beyond is zero. With `planar` a row holds one channel after the other. `workload` is the number of
    multiplications for the image, `why` what speaks for the method.
    """

    name: str
    why: str
    dtype: np.dtype[Any]
    rows: int
    pitch: int
    planar: bool
    workload: int

    def bound(self) -> Callable[[Array], Array]:
        """A function with scratch of its own: sums (rows, columns, channels) of a band's padded rows.

        These are (rows, channels, pitch) if planar, else (rows, pitch, channels). The next call overwrites the sums.
        """
        ...


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


def starts(method: Method, rows: int) -> list[Item]:
    """(first row to compute, first row that no other band makes); the last band overlaps the one before."""
    last = max(0, rows - method.rows)
    return [(min(first, last), first) for first in range(0, rows, method.rows)]


def sums(
    method: Method, task: Correlation, image: Array, items: Iterable[Item] | None = None
) -> Iterator[tuple[slice, Array]]:
    """(rows of the output, their sums) of the bands that `items` gives, of all by default."""
    total = task.output_shape(image.shape)[0]
    compute = method.bound()
    windows = task.windows
    step, top = windows.stride[0], windows.padding[0][0]
    count = (method.rows - 1) * step + windows.extent[0]
    channels = 1 if task.sum_channels else image.shape[2]
    lines = (channels, method.pitch) if method.planar else (method.pitch, channels)
    scratch = np.zeros((count, *lines), method.dtype)
    width = sum(windows.padding[1]) + image.shape[1]
    band = (scratch.transpose(0, 2, 1) if method.planar else scratch)[:, :width]
    for start, first in starts(method, total) if items is None else items:
        with np.errstate(over="ignore", invalid="ignore"):  # where it matters the plain strategy steps in
            padded_rows(
                image,
                start * step - top,
                count,
                windows.padding,
                task.pad_mode,
                method.dtype,
                sum_channels=task.sum_channels,
                out=band,
            )
            plain = image.dtype.kind == "f" and not tame(scratch)
            values = _plain(task, image, start, min(method.rows, total - start)) if plain else compute(scratch)
        stop = min(start + method.rows, total)
        yield slice(first, stop), values[first - start : stop - start]


def run(fused: Fused, image: Array, count: int) -> tuple[Array, int]:
    """(samples or responses, number of values clipped), computed by `count` threads."""
    out = np.empty(fused.output, fused.levels.output)
    bands = starts(fused.method, fused.output[0])

    def work(items: Iterator[Item]) -> int:
        return sum(
            fused.levels.store(values, out[rows]) for rows, values in sums(fused.method, fused.task, image, items)
        )

    return out, threads.share(bands, work, min(count, len(bands)))


def _plain(task: Correlation, image: Array, start: int, count: int) -> Array:
    """Sums of `count` rows, in which every sample meets its own windows only."""
    windows = task.windows
    first = start * windows.stride[0] - windows.padding[0][0]
    height = (count - 1) * windows.stride[0] + windows.extent[0]
    band = padded_rows(image, first, height, windows.padding, task.pad_mode, FLOAT64, sum_channels=task.sum_channels)
    inner = replace(task, windows=replace(windows, padding=((0, 0), (0, 0))), sum_channels=False)
    strategy = products.sums if task.is_bank else shifts.sums
    return next(strategy(inner, band, FLOAT64, count))[1]
