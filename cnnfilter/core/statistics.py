"""How the samples of a channel are spread: extremes, mean, deviation, histogram."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
BINS = 64
# Samples that are looked at together: a few megabytes of float64.
CHUNK = 1 << 18


@dataclass(frozen=True)
class ChannelStatistics:
    """What is told of one channel; of floats only the finite samples count, `nonfinite` is the number of the others.

    `at_low` and `at_high` are the shares of samples at the least and the greatest level of the type (of floats: at 0
    and above 255, the levels that they stand for). `histogram` counts samples in equal bins between the two of `edges`.
    """

    low: float
    high: float
    mean: float
    deviation: float
    at_low: float
    at_high: float
    nonfinite: int
    edges: tuple[float, float]
    histogram: tuple[int, ...]

    def as_dict(self) -> dict[str, Any]:
        """The fields by name, with tuples as lists."""
        return {**vars(self), "edges": list(self.edges), "histogram": list(self.histogram)}


def channel_statistics(channel: Array, bins: int = BINS) -> ChannelStatistics:
    """The statistics of a channel (height, width) of booleans, integers or floats.

    >>> found = channel_statistics(np.array([[0, 0, 255, 255]], np.uint8), bins=2)
    >>> found.mean, found.deviation, found.at_high, found.histogram
    (127.5, 127.5, 0.5, (2, 2))
    """
    kind = channel.dtype.kind
    bottom, top = _levels(channel.dtype)
    values = channel.ravel()
    low, high, total, squares, count = math.inf, -math.inf, 0.0, 0.0, 0
    ends = [0, 0]
    for part in _finite_parts(values):
        low, high = min(low, float(part.min())), max(high, float(part.max()))
        total, count = total + float(part.sum()), count + part.size
        ends[0] += int((part == bottom).sum())
        ends[1] += int(((part > top) if kind == "f" else (part == top)).sum())
    if not count:
        return ChannelStatistics(0, 0, 0, 0, 0, 0, values.size, (0.0, 0.0), (0,) * bins)
    mean = total / count
    edges = (float(bottom), float(top) + 1) if kind in "bu" and channel.dtype.itemsize < 4 else (low, high)
    histogram = np.zeros(bins, np.int64)
    for part in _finite_parts(values):
        squares += float(((part - mean) ** 2).sum())
        histogram += _counts(part, edges, bins)
    at_low, at_high = (end / count for end in ends)
    deviation, found = float(np.sqrt(squares / count)), tuple(histogram.tolist())
    return ChannelStatistics(low, high, mean, deviation, at_low, at_high, values.size - count, edges, found)


def _levels(dtype: np.dtype[Any]) -> tuple[int, int]:
    """Black and white."""
    if dtype.kind == "f":
        return 0, 255
    return (0, 1) if dtype.kind == "b" else (int(np.iinfo(dtype).min), int(np.iinfo(dtype).max))


def _finite_parts(values: Array) -> Iterator[Array]:
    """The finite values as float64, a part after the other."""
    for start in range(0, values.size, CHUNK):
        part = values[start : start + CHUNK].astype(np.float64)
        if values.dtype.kind == "f":
            part = part[np.isfinite(part)]
        if part.size:
            yield part


def _counts(part: Array, edges: tuple[float, float], bins: int) -> Array:
    low, high = edges
    if high <= low:
        return np.bincount([0], [part.size], bins).astype(np.int64)
    places = ((part - low) * (bins / (high - low))).astype(np.int64)
    return np.bincount(np.minimum(places, bins - 1), minlength=bins)
