"""How a picture is best filtered and deflated, guessed from a small sample of it.

The entropy of a filtered sample tells what Huffman coding alone will give, and so which filter fits. Runs and
repetitions are known only by deflating the sample.
"""

import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from cnnfilter.images.row_filters import AVERAGE, KINDS, NONE, PAETH, UP, Bytes, filtered

# The rows first .. last of a picture as the bytes that PNG wants, (rows, bytes of a row).
Rows = Callable[[int, int], Bytes]

PLACES, ROWS = 6, 6  # where the sample is taken: so many times so many rows, or more if they are short
SAMPLE_SHARE = 64  # of the picture, within these bounds
LEAST_SAMPLE, LARGEST_SAMPLE = 1 << 14, 1 << 16
# More memory would only be cleared more often: tables of 32768 entries, blocks of 16384 symbols.
MEMORY_LEVEL = 8
# Sizes are compared times these weights, so that a slower way is taken only if it saves enough.
FILTER_WEIGHTS = {AVERAGE: 1.01, PAETH: 1.02}
# Samples that shrink below this share are drawings, where a longer search may find much more. Levels and weights.
DRAWING = 1 / 6
SEARCHES = {3: 1.0, 4: 1.2, 6: 1.4}
SMALL = 1 << 19  # a picture of so many bytes takes a few milliseconds anyway, and no weights


class Recipe(NamedTuple):
    """How all rows are filtered and deflated."""

    filter: int
    level: int
    strategy: int

    @property
    def looks_back(self) -> bool:
        """Whether what comes before helps to deflate."""
        return self.strategy == zlib.Z_DEFAULT_STRATEGY

    def deflated(self, data: Any, before: bytes = b"", *, last: bool = True) -> bytes:
        """A raw deflate stream, finished or ending on a byte boundary; `before` is what was deflated before it."""
        dictionary = (before,) if before else ()
        stream = zlib.compressobj(self.level, zlib.DEFLATED, -15, MEMORY_LEVEL, self.strategy, *dictionary)
        return stream.compress(data) + stream.flush(zlib.Z_FINISH if last else zlib.Z_SYNC_FLUSH)


def choose(rows: Rows, height: int, step: int) -> Recipe:
    """The recipe that makes a sample of the picture smallest, slow ones at a handicap; `step` bytes are a pixel."""
    now, before = _sample(rows, height, step)
    data = {kind: filtered(now, before, kind, step) for kind in KINDS}
    coded = {kind: _coded_size(data[kind]) * FILTER_WEIGHTS.get(kind, 1) for kind in KINDS}
    best = min(coded, key=coded.__getitem__)
    sizes = {Recipe(best, 1, zlib.Z_HUFFMAN_ONLY): coded[best]}

    def deflated_size(kind: int, level: int, strategy: int, weight: float = 1) -> int:
        recipe = Recipe(kind, level, strategy)
        size = len(recipe.deflated(data[kind]))
        sizes[recipe] = size * FILTER_WEIGHTS.get(kind, 1) * weight
        return size

    runs = deflated_size(best, 1, zlib.Z_RLE)
    search = deflated_size(best, 1, zlib.Z_DEFAULT_STRATEGY)
    if min(runs, search) < DRAWING * now.size:
        sizes.clear()
        small = height * rows(0, 1).shape[1] <= SMALL
        least, *longer = SEARCHES
        for kind in dict.fromkeys((NONE, UP, best)):
            deflated_size(kind, least, zlib.Z_DEFAULT_STRATEGY)
        best = min(sizes, key=sizes.__getitem__).filter
        for level in longer:
            deflated_size(best, level, zlib.Z_DEFAULT_STRATEGY, 1 if small else SEARCHES[level])
    elif search < min(runs, coded[best]) and best != UP:  # repetitions are mostly of the row above
        deflated_size(UP, 1, zlib.Z_DEFAULT_STRATEGY)
    return min(sizes, key=sizes.__getitem__)


def rows_and_before(rows: Rows, first: int, last: int) -> tuple[Bytes, Bytes]:
    """The rows first .. last, and for each the row above it, which is zero above the first."""
    if first:
        found = rows(first - 1, last)
        return found[1:], found[:-1]
    found = rows(0, last)
    return found, np.concatenate([np.zeros_like(found[:1]), found[:-1]])


def _sample(rows: Rows, height: int, step: int) -> tuple[Bytes, Bytes]:
    """Pieces of a few rows along the diagonal, and the rows above them; the margins may be unlike the rest."""
    width = rows(0, 1).shape[1]
    wanted = min(max(height * width // SAMPLE_SHARE, LEAST_SAMPLE), LARGEST_SAMPLE)
    if height * width <= wanted:
        return rows_and_before(rows, 0, height)
    many = min(height, max(ROWS, wanted // (PLACES * width)))
    columns = min(width, -(-wanted // (PLACES * many * step)) * step)
    pieces = []
    for place in range(1, 2 * PLACES, 2):
        first = (height - many) * place // (2 * PLACES)
        start = (width - columns) * place // (2 * PLACES) // step * step
        pieces.append([part[:, start : start + columns] for part in rows_and_before(rows, first, first + many)])
    now, before = (np.concatenate(parts) for parts in zip(*pieces, strict=True))
    return now, before


def _coded_size(data: Bytes) -> float:
    """Bytes that Huffman coding needs at least (Shannon)."""
    counts = np.bincount(data.ravel(), minlength=256)
    counts = counts[counts > 0]
    return float((counts * np.log2(data.size / counts)).sum() / 8)
