"""Responses and pixels: mappings, depths and rounding.

A response is sum x gain + bias, with gain and bias as exact fractions. Where the sums are whole numbers everything up
to the pixel is computed in whole numbers; otherwise in float64.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from cnnfilter.core.numbers import fit, whole_type
from cnnfilter.core.vocabulary import MAPPINGS, Mapping, choice
from cnnfilter.errors import UnfitError

Array = NDArray[Any]
# Values of a band of rows: 2 MB in int32, within the second-level cache of most processors.
BAND = 1 << 19


class SampleType(NamedTuple):
    """The samples of an output: their type, and the levels of black and white."""

    dtype: np.dtype[Any]
    low: int
    high: int

    @classmethod
    def of(cls, dtype: np.dtype[Any]) -> "SampleType":
        """Samples of an image's own type; floats count as levels 0 to 255.

        >>> SampleType.of(np.dtype(np.uint16)).high
        65535
        """
        native = dtype.newbyteorder("=")
        if native.kind == "b":
            return cls(native, 0, 1)
        if native.kind == "f":
            return cls(native, 0, 255)
        limits = np.iinfo(native)
        return cls(native, int(limits.min), int(limits.max))

    @property
    def middle(self) -> int:
        """The level that `shift` gives to a response of zero: mid-gray, or 0 for signed samples."""
        return 0 if self.low < 0 else (self.high + 1) // 2


UINT8 = SampleType(np.dtype(np.uint8), 0, 255)
UINT16 = SampleType(np.dtype(np.uint16), 0, 65535)


class Rendering(NamedTuple):
    """How sums become samples: response = sum x gain + bias, then the mapping, rounding and clipping.

    `samples` is None for raw responses. With `per_map`, `normalize` stretches every channel on its own.
    """

    mapping: Mapping
    gain: Fraction = Fraction(1)
    bias: Fraction = Fraction(0)
    samples: SampleType | None = None
    per_map: bool = False

    @classmethod
    def of(cls, mapping: str) -> "Rendering":
        """Nothing but the mapping of that name.

        Raises:
            ParameterError: there is none; names what there is.
        """
        return cls(cast("Mapping", choice(mapping, MAPPINGS, "mapping")))

    def common(self) -> tuple[int, int, int]:
        """(factor, offset, divisor) with sum x gain + bias == (sum x factor + offset) / divisor."""
        divisor = math.lcm(self.gain.denominator, self.bias.denominator)
        return int(self.gain * divisor), int(self.bias * divisor), divisor

    def exact_type(self, bounds: tuple[int, int]) -> np.dtype[Any] | None:
        """The type for everything between whole-number sums within `bounds` and samples; None beyond 64 bits."""
        low, high = reach = self._reach(bounds)
        if self.mapping == "normalize" and self.samples:  # differences times the range of the samples
            low, high = (2 * limit * (self.samples.high - self.samples.low) for limit in reach)
        return whole_type(reach) if fit((low, high), np.int64) else None

    def _reach(self, bounds: tuple[int, int]) -> tuple[int, int]:
        """The least and the greatest whole number met between sums within `bounds` and their samples."""
        factor, offset, divisor = self.common()
        products = [factor * bound for bound in bounds]
        low, high = min(products) + min(offset, 0), max(products) + max(offset, 0)
        if self.samples is not None:  # their negatives, mid-gray, and half a divisor for rounding
            high = max(abs(low), abs(high)) + divisor * (1 + self.samples.middle)
            low = -high
        return min(low, factor, offset), max(high, factor, offset, divisor)

    def render(
        self, bands: Callable[[], Iterable[tuple[slice, Array]]], shape: tuple[int, int, int], bounds: Any
    ) -> tuple[Array, int]:
        """(samples of `shape`, number of values clipped) from bands of sums within `bounds` (None for floats).

        `normalize` asks for the bands twice: for the extremes, then for the samples.
        """
        exact = self.exact_type(bounds) if bounds else None
        numbers: _Exact | _Rounded = _Exact(self, exact) if exact else _Rounded(self)
        if self.samples is None:
            out = np.empty(shape, numbers.raw_type)
            for rows, sums in bands():
                out[rows] = numbers.response(sums)
            return out, 0
        extremes = self._extremes(numbers, bands()) if self.mapping == "normalize" else None
        out, clipped = np.empty(shape, self.samples.dtype), 0
        for rows, sums in bands():
            levels = numbers.levels(sums) if extremes is None else numbers.stretched(sums, *extremes)
            out[rows], count = _clip(levels, self.samples)
            clipped += count
        return out, clipped

    def _extremes(self, numbers: "_Exact | _Rounded", bands: Iterable[tuple[slice, Array]]) -> tuple[Any, Any]:
        axes = (0, 1) if self.per_map else None
        low: Any = None
        high: Any = None
        for _, sums in bands:
            values = numbers.scaled(sums)
            least, most = np.fmin.reduce(values, axis=axes), np.fmax.reduce(values, axis=axes)  # passing over NaN
            low, high = (least, most) if low is None else (np.minimum(low, least), np.maximum(high, most))
        return low, high


RAW = Rendering("raw")


class _Exact:
    """Whole-number sums: response = (sum x factor + offset) / divisor."""

    def __init__(self, rendering: Rendering, dtype: np.dtype[Any]) -> None:
        self.rendering, self.type = rendering, dtype
        self.factor, self.offset, self.divisor = rendering.common()
        self.raw_type = self.type if self.divisor == 1 else np.dtype(np.float32)

    def scaled(self, sums: Array) -> Array:
        """Response x divisor."""
        values = sums.astype(self.type, copy=False)
        if self.factor != 1:
            values = np.asarray(values * self.type.type(self.factor))
        return np.asarray(values + self.type.type(self.offset)) if self.offset else values

    def response(self, sums: Array) -> Array:
        values = self.scaled(sums)
        return values if self.divisor == 1 else (values / np.float64(self.divisor)).astype(np.float32)

    def levels(self, sums: Array) -> Array:
        values, samples = self.scaled(sums), self.rendering.samples
        assert samples is not None
        if self.rendering.mapping == "abs":
            values = np.abs(values)
        elif self.rendering.mapping == "shift":
            values = values + self.type.type(samples.middle * self.divisor)
        if samples.dtype.kind == "f":
            return np.asarray(values / np.float64(self.divisor))
        # floor((v + d / 2) / d): to nearest, halves up; d // 2 does for odd d, too, since v and d are whole
        return values if self.divisor == 1 else (values + self.type.type(self.divisor // 2)) // self.divisor

    def stretched(self, sums: Array, low: Any, high: Any) -> Array:
        samples = self.rendering.samples
        assert samples is not None
        span = np.asarray(high, np.int64) - low
        above = self.scaled(sums).astype(np.int64) - low
        full = samples.high - samples.low
        if samples.dtype.kind == "f":
            return np.asarray(above * full / np.maximum(span, 1.0))
        levels = (above * full + span // 2) // np.maximum(span, 1) + samples.low
        return np.where(span == 0, 0, levels)


class _Rounded:
    """Float sums, in float64."""

    def __init__(self, rendering: Rendering) -> None:
        self.rendering = rendering
        self.gain, self.bias = float(rendering.gain), float(rendering.bias)
        self.raw_type = np.dtype(np.float32)

    def scaled(self, sums: Array) -> Array:
        with np.errstate(invalid="ignore", over="ignore"):
            return np.asarray(sums * self.gain + self.bias)

    def response(self, sums: Array) -> Array:
        with np.errstate(over="ignore"):
            return self.scaled(sums).astype(np.float32)

    def levels(self, sums: Array) -> Array:
        values, samples = self.scaled(sums), self.rendering.samples
        assert samples is not None
        if self.rendering.mapping == "abs":
            values = np.abs(values)
        elif self.rendering.mapping == "shift":
            values = values + samples.middle
        return values if samples.dtype.kind == "f" else np.floor(values + 0.5)

    def stretched(self, sums: Array, low: Any, high: Any) -> Array:
        samples = self.rendering.samples
        assert samples is not None
        with np.errstate(invalid="ignore"):
            span = np.asarray(high - low)
            levels = (self.scaled(sums) - low) * ((samples.high - samples.low) / np.where(span == 0, 1.0, span))
        levels = np.asarray(np.where(span == 0, levels * 0, levels + samples.low))
        return levels if samples.dtype.kind == "f" else np.floor(levels + 0.5)


def _refuse_nan(levels: Array) -> None:
    if np.isnan(levels).any():
        raise UnfitError("", "the responses exceed the range of floats; a smaller kernel or scale would fit")


def _clip(levels: Array, samples: SampleType) -> tuple[Array, int]:
    """(levels within the range of the samples, number of those outside)."""
    low, high = samples.low, samples.high
    if levels.dtype.kind == "f" and samples.dtype.kind != "f" and not np.isfinite(levels.sum()):
        _refuse_nan(levels)
    if levels.dtype.kind == "i":  # a range beyond the type's own cannot be passed to np.clip
        limits = np.iinfo(levels.dtype)
        low, high = max(low, int(limits.min)), min(high, int(limits.max))
    clipped = np.count_nonzero(levels < low) + np.count_nonzero(levels > high)
    bounded = np.clip(levels, low, high) if clipped else levels
    if samples.dtype.kind in "iu" and levels.dtype.kind == "f" and samples.dtype.itemsize == 8:
        bounded = np.minimum(bounded, np.nextafter(np.float64(2.0**63), 0))
    return bounded.astype(samples.dtype), int(clipped)


def rendered(array: Array, rendering: Rendering) -> tuple[Array, int]:
    """(samples, number of values clipped) from a response that is there as a whole; itself where it stays raw.

    >>> rendered(np.array([[-3, 4]]), Rendering("abs", Fraction(1, 2), samples=UINT8))[0].tolist()
    [[2, 2]]

    Raises:
        UnfitError: NaN, for which integer samples have no level.
    """
    if rendering.mapping == "raw" or rendering.samples is None:
        return array, 0
    height, width, channels = shape = (*array.shape, 1, 1)[:3]
    planes: Array = array.reshape(shape)
    rows = max(1, BAND // (width * channels))

    def bands() -> Iterator[tuple[slice, Array]]:
        for start in range(0, height, rows):
            band = slice(start, start + rows)
            yield band, planes[band] if planes.dtype.kind in "iub" else planes[band].astype(np.float64)

    bounds = None if planes.dtype.kind == "f" else sample_bounds(planes)
    result, clipped = rendering.render(bands, (height, width, channels), bounds)
    return result.reshape(array.shape), clipped


def sample_bounds(image: Array) -> tuple[int, int]:
    """The least and the greatest value that samples of the image's type have; for 64 bits, that these samples have."""
    if image.dtype.kind == "b":
        return 0, 1
    if image.dtype.itemsize == 8:
        return int(image.min()), int(image.max())
    limits = np.iinfo(image.dtype)
    return int(limits.min), int(limits.max)


def scaled_levels(samples: Array, target: SampleType, scale: Fraction) -> Array:
    """Samples with their levels multiplied by `scale` (257 from 8 to 16 bits, 1/257 back), rounded halves up.

    >>> scaled_levels(np.array([0, 128, 129, 65535]), UINT8, Fraction(1, 257)).tolist()
    [0, 0, 1, 255]
    """
    if scale == 1 and samples.dtype == target.dtype:
        return samples
    wide = samples.astype(np.int64) * scale.numerator
    return np.asarray((wide + scale.denominator // 2) // scale.denominator).astype(target.dtype)


def auto_mapping(*, sums_to_zero: bool, bias: Fraction, is_stack: bool, to_float: bool) -> Mapping:
    """What `auto` stands for."""
    if to_float:
        return "raw"
    if is_stack:
        return "normalize"
    return "abs" if sums_to_zero and bias == 0 else "clip"
