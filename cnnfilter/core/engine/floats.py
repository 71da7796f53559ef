"""Float sums in tiles of equal shape, which threads take from one queue.

A method is bound to the shape of an image once; each thread then has its own scratch, with the views of it that the
same work finds again, and for every tile the padded samples under it are loaded, multiplied and handed on while they
are in the cache. Methods mix samples across windows (a product of matrices meets every sample of its tile), so that NaN
or infinity would spread, and 32 bits could overflow. A tile that holds such samples is done with the plain strategy in
float64 instead: there a sample reaches its own windows only. Where tiles lie depends on shapes and types, never on the
number of threads, and so do the bits of the result.
"""

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeGuard

import numpy as np
from numpy.typing import NDArray

from cnnfilter.core.engine import outputs, products, shifts, threads
from cnnfilter.core.engine.bands import starts
from cnnfilter.core.engine.buffers import small_buffer
from cnnfilter.core.engine.levels import Levels
from cnnfilter.core.engine.padding import padded_tile
from cnnfilter.core.engine.scratch import Pieces, pieces, prepared
from cnnfilter.core.engine.task import Correlation, Shape3

Array = NDArray[Any]

FLOAT32, FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)
# Multiplications of a product up to which OpenBLAS neither copies nor reorders what it multiplies.
DIRECT = 1_000_000
# Multiplications below which a second thread, which costs 0.1 ms to wake, is not worth it.
WORTH_THREADS = 1 << 24
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

    def bind(self, samples: Array, memory: Pieces) -> Callable[[], Array]:
        """What makes sums (rows, columns, channels) of the samples that are in `samples` when it is called.

        The samples are (rows, pitch), or (rows, channels, pitch) if planar. Arrays come from `memory`. The next call
        overwrites the sums. All views are made here: between products there is little for threads to wait for.
        """
        ...


class Direct(Method, Protocol):
    """A method that can put responses where they belong: sums and a bias a filter, without a pass of their own."""

    def bind_to(self, samples: Array, memory: Pieces, bias: Array) -> Callable[[Array], None]:
        """What puts sums plus `bias` of the samples in `samples` into an array (rows, columns, filters)."""
        ...

    def hold(self, weights: Array) -> None:
        """Keep this copy of the weights, if any, instead of those that the method was made for."""
        ...


def is_direct(method: Method) -> TypeGuard[Direct]:
    """Whether a method is `Direct`: isinstance would look at all that the protocol names, for 0.1 ms."""
    return hasattr(method, "bind_to")


def in_own_memory(method: Direct, samples: Array, memory: Pieces, filters: int) -> Callable[[], Array]:
    """What `bind` gives, of a method that can put responses anywhere."""
    sums = memory.empty((method.rows, method.columns, filters), method.dtype)
    respond = method.bind_to(samples, memory, np.zeros(filters, method.dtype))

    def compute() -> Array:
        respond(sums)
        return sums

    return compute


class Tile(NamedTuple):
    """Windows that are computed together, from the one at `start` on.

    The tile makes the rows `down` and the columns `across` of the output. Within the tile these are `kept`; the rest of
    it is what the tiles before it have made.
    """

    start: tuple[int, int]
    down: slice
    across: slice
    kept: tuple[slice, slice]


@dataclass(frozen=True, eq=False)
class Fused:
    """From an image to samples or responses without sums of the image's size; the task's weights hold the gain.

    Images are of `shape`; `checked` tells of those that may hold NaN or infinity. Where it is `repeated`, a thread's
    scratch stays prepared for it; a plan that nobody keeps would only take the place of another there.
    """

    task: Correlation
    method: Method
    levels: Levels
    shape: Shape3
    output: Shape3
    checked: bool
    threads: int
    repeated: bool

    @classmethod
    def of(cls, task: Correlation, method: Method, levels: Levels, image: Array, *, repeated: bool = True) -> "Fused":
        """For images like this one, of (height, width, channels)."""
        shape = image.shape[0], image.shape[1], image.shape[2]
        many = threads.threads() if method.workload >= WORTH_THREADS else 1
        return cls(task, method, levels, shape, task.output_shape(shape), image.dtype.kind == "f", many, repeated)

    def prepare(self, memory: Pieces) -> "_Storing | _Responding":
        """What makes tiles of the output, in a thread's scratch."""
        is_whole = self.levels.samples is None and is_direct(self.method)
        return _Responding(self, memory) if is_whole else _Storing(self, memory)


def tame(values: Array) -> bool:
    """Whether all values are finite, and none so large or all so small that float32 would not do.

    To be called where overflow, underflow and invalid numbers are ignored.
    """
    if values.dtype.kind == "f" and values.flags.c_contiguous:
        flat = values.reshape(-1)
        squares = float(flat.dot(flat))  # four times as fast as the extremes, and mostly enough
        if flat.size * SMALLEST**2 <= squares <= LARGEST**2:
            return True
    low, high = float(values.min()), float(values.max())
    largest = max(-low, high)
    return largest == 0 or SMALLEST <= largest <= LARGEST


def shares(total: int, most: int, unit: int = 1, *, paired: bool = False) -> int:
    """The length of tiles, none above `most`, that divide `total` about equally; a multiple of `unit`.

    `paired` tiles are mostly an even number, if more than one, so that two threads have the same to do.

    >>> shares(100, 64), shares(100, 64, 8), shares(10, 64, 8), shares(100, 40), shares(100, 40, paired=True)
    (50, 56, 16, 34, 25)
    """
    count = -(-total // max(unit, most))
    if paired and count > 1:
        count += count % 2
    return -(-total // (count * unit)) * unit


def balanced(total: int, least: int, most: int) -> int:
    """The length of tiles from `least` to `most`, the last of which overlap, with which two threads end first.

    >>> balanced(14, 2, 8), balanced(14, 2, 4), balanced(28, 2, 8), balanced(3, 4, 8)
    (7, 2, 2, 3)
    """
    lengths = range(min(least, total), min(max(least, most), total) + 1)
    return min(lengths, key=lambda length: -(-total // (2 * length)) * length)


@functools.lru_cache(maxsize=16)
def tiles(size: tuple[int, int], output: tuple[int, int]) -> tuple[Tile, ...]:
    """Tiles of `size` that cover an output; the last ones overlap those before."""
    down, across = (_stretches(length, total) for length, total in zip(size, output, strict=True))
    return tuple(Tile((y, x), rows, columns, (a, b)) for y, rows, a in down for x, columns, b in across)


def _stretches(length: int, total: int) -> list[tuple[int, slice, slice]]:
    """(start, what of the total is new there, where that is in the stretch) of stretches that cover `total`."""
    ends = ((start, first, min(first + length, total)) for start, first in starts(total, length))
    return [(start, slice(first, end), slice(first - start, end - start)) for start, first, end in ends]


def sums(method: Method, task: Correlation, image: Array) -> Iterator[tuple[slice, Array]]:
    """(rows of the output, their sums), tiles side by side at a time; overwritten by the next."""
    shape = image.shape[0], image.shape[1], image.shape[2]
    rows, columns, channels = task.output_shape(shape)
    with pieces() as memory:
        tiled = _Tiled(method, task, shape, image.dtype.kind == "f", memory)
        wide = memory.empty((min(method.rows, rows), columns, channels), method.dtype)
        with np.errstate(all="ignore"):
            compute = method.bind(tiled.scratch, memory)
        for beside in _beside(tiles((method.rows, method.columns), (rows, columns))):
            down = beside[0].down
            values = wide[: down.stop - down.start]
            with np.errstate(all="ignore"), small_buffer():
                for tile in beside:
                    made = compute() if tiled.load(image, tile.start) else tiled.plain(image, tile.start)
                    values[:, tile.across] = made[tile.kept]
            yield down, values


def _beside(every: Iterable[Tile]) -> Iterator[list[Tile]]:
    """Tiles by their rows."""
    for _, beside in itertools.groupby(every, key=lambda tile: tile.down.start):
        yield list(beside)


def run(fused: Fused, image: Array) -> tuple[Array, int]:
    """(samples or responses, number of values clipped)."""
    out = outputs.empty(fused.output, fused.levels.output)
    every = tiles((fused.method.rows, fused.method.columns), fused.output[:2])
    key = fused if fused.repeated else None

    def work(items: Iterator[Tile]) -> int:
        # NaN and infinity are the plain strategy's.
        with np.errstate(all="ignore"), small_buffer(), prepared(key, fused.prepare) as maker:
            return maker.make(items, image, out)

    return out, threads.share(every, work, min(fused.threads, len(every)))


class _Tiled:
    """The samples under a tile, in memory that a method is bound to."""

    def __init__(self, method: Method, task: Correlation, shape: Shape3, checked: bool, memory: Pieces) -> None:
        self.task, self.checked = task, checked
        windows = task.windows
        counts = [
            (min(count, outputs) - 1) * step + extent
            for count, outputs, step, extent in zip(
                (method.rows, method.columns), task.output_shape(shape)[:2], windows.stride, windows.extent, strict=True
            )
        ]
        height = (method.rows - 1) * windows.stride[0] + windows.extent[0]
        channels = 1 if task.sum_channels else shape[2]
        under = (height, channels, method.pitch) if method.planar else (height, method.pitch)
        self.scratch = memory.empty(under, method.dtype)
        samples = self.scratch.transpose(0, 2, 1) if method.planar else _pixels(self.scratch, channels)
        self.samples = samples[: counts[0], : counts[1]]
        if self.samples.size < self.scratch.size:
            self.scratch.fill(0)

    def load(self, image: Array, start: tuple[int, int]) -> bool:
        """Load the samples under the tile that starts there; whether the method is right for them."""
        padded_tile(image, self._corner(start), self.task.pad_mode, self.samples, sum_channels=self.task.sum_channels)
        return not self.checked or tame(self.scratch)

    def plain(self, image: Array, start: tuple[int, int]) -> Array:
        """Sums of a whole tile in which every sample meets its own windows only."""
        task, samples = self.task, np.empty(self.samples.shape)
        padded_tile(image, self._corner(start), task.pad_mode, samples, sum_channels=task.sum_channels)
        inner = task._replace(windows=task.windows._replace(padding=((0, 0), (0, 0))), sum_channels=False)
        strategy = products.sums if task.is_bank else shifts.sums
        return next(strategy(inner, samples, FLOAT64, len(samples)))[1]

    def _corner(self, start: tuple[int, int]) -> tuple[int, int]:
        """The sample under the first tap of the window at `start`."""
        (step_y, step_x), ((top, _), (left, _)) = self.task.windows.stride, self.task.windows.padding
        return start[0] * step_y - top, start[1] * step_x - left


class _Storing:
    """What makes samples of tiles."""

    def __init__(self, fused: Fused, memory: Pieces) -> None:
        method = fused.method
        self._tiled = _Tiled(method, fused.task, fused.shape, fused.checked, memory)
        self._compute = method.bind(self._tiled.scratch, memory)
        most = method.rows * method.columns * fused.output[2]
        self._finish = fused.levels.bind(method.dtype, most, memory.empty)

    def make(self, items: Iterable[Tile], image: Array, out: Array) -> int:
        """Put samples into `out`; the number of values clipped."""
        tiled, compute, finish, clipped = self._tiled, self._compute, self._finish, 0
        for start, down, across, kept in items:
            values = compute() if tiled.load(image, start) else tiled.plain(image, start)
            clipped += finish(values[kept], out[down, across])
        return clipped


class _Responding:
    """What makes responses of tiles, those of whole ones where they belong."""

    def __init__(self, fused: Fused, memory: Pieces) -> None:
        method, filters = fused.method, fused.output[2]
        assert is_direct(method)
        self._tiled = _Tiled(method, fused.task, fused.shape, fused.checked, memory)
        bias = np.broadcast_to(np.asarray(fused.levels.bias, FLOAT32), (filters,))
        self._respond = method.bind_to(self._tiled.scratch, memory, bias)
        self._finish = fused.levels.bind(method.dtype, 0, memory.empty)
        self._whole = method.rows, method.columns
        in_parts = any(total % length for total, length in zip(fused.output[:2], self._whole, strict=True))
        self._own = memory.empty((*self._whole, filters), method.dtype) if in_parts else None

    def make(self, items: Iterable[Tile], image: Array, out: Array) -> int:
        """Put responses into `out`; nothing is clipped."""
        tiled, respond = self._tiled, self._respond
        for start, down, across, kept in items:
            target = out[down, across]
            if not tiled.load(image, start):
                self._finish(tiled.plain(image, start)[kept], target)
            elif self._own is None or target.shape[:2] == self._whole:
                respond(target)
            else:
                respond(self._own)
                target[...] = self._own[kept]
        return 0


def _pixels(scratch: Array, channels: int) -> Array:
    """Rows of whole pixels, (rows, columns, channels); of a pitch that channels do not divide the rest is left out."""
    columns = scratch.shape[1] // channels
    return scratch[:, : columns * channels].reshape(len(scratch), columns, channels)
