"""Pooling: maximum, minimum or mean of windows, channel by channel."""

import functools
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from cnnfilter.core import calls, engine
from cnnfilter.core.arrays import as_image, as_planes
from cnnfilter.core.engine import extremes, means
from cnnfilter.core.engine.layout import BandPlan
from cnnfilter.core.engine.padding import padded_rows
from cnnfilter.core.engine.task import Correlation
from cnnfilter.core.geometry import PAD_MODES, PaddingLike, Pair, PairLike, Sides, Windows, pair
from cnnfilter.core.numbers import flag
from cnnfilter.core.recent import Recent
from cnnfilter.core.samples import BAND, RAW, Rendering, SampleType, auto_mapping, sample_bounds
from cnnfilter.core.vocabulary import KINDS, Kind, Mapping, choice
from cnnfilter.errors import ParameterError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

ALL = "all"

# From an image to (response or samples, number of values clipped).
Work = Callable[[NDArray[Any]], tuple[NDArray[Any], int]]


class Pooling(NamedTuple):
    """A pooling with everything that users say about it, parsed; `size` is None for the whole image."""

    kind: Kind
    size: Pair | None
    stride: Pair | None = None
    padding: PaddingLike = "valid"
    ceil_mode: bool = False
    count_include_pad: bool = False
    dilation: Pair = (1, 1)

    @classmethod
    def of(
        cls,
        kind: str = "max",
        *,
        size: PairLike | Literal["all"] = 2,
        stride: PairLike | None = None,
        padding: PaddingLike = "valid",
        ceil_mode: bool = False,
        count_include_pad: bool = False,
        dilation: PairLike = 1,
    ) -> "Pooling":
        """The arguments of `pool`, checked.

        Raises:
            ParameterError: names the argument that cannot be used.
        """
        parsed = cls(
            cast("Kind", choice(kind, KINDS, "kind")),
            None if isinstance(size, str) and size.lower() == ALL else pair(size, "size"),
            None if stride is None else pair(stride, "stride"),
            padding if isinstance(padding, int | str) else _frozen(padding),
            flag(ceil_mode, "ceil_mode"),
            flag(count_include_pad, "count_include_pad"),
            pair(dilation, "dilation"),
        )
        windows = parsed.windows((1, 1))
        if any(side >= e for sides, e in zip(windows.padding, windows.extent, strict=True) for side in sides):
            extent = "x".join(map(str, windows.extent))
            raise ParameterError("padding", f"{padding!r} is not smaller than the effective window of {extent}")
        return parsed

    def windows(self, shape: tuple[int, ...]) -> Windows:
        """The windows on an image of `shape`."""
        return _windows(self, (shape[0], shape[1]) if self.size is None else self.size)

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of the output for an image of `shape`.

        Raises:
            UnfitError: the output would be empty.
        """
        rows, columns = self.windows(shape).output_size(shape[0], shape[1])
        return rows, columns, *shape[2:]

    def resolve(self, mapping: Mapping, *, to_float: bool) -> Mapping:
        """The mapping that `auto` stands for here; others stay."""
        if mapping != "auto":
            return mapping
        return auto_mapping(sums_to_zero=False, bias=Fraction(0), is_stack=False, to_float=to_float)

    def respond(
        self, image: NDArray[Any], rendering: Rendering = RAW, *, count: bool = True
    ) -> tuple[NDArray[Any], int]:
        """(response or samples, number of values clipped), as `Convolution.respond`.

        Raises:
            UnfitError: the output would be empty.
        """
        return self.prepared(image, rendering, count=count)(image)

    def prepared(self, image: NDArray[Any], rendering: Rendering = RAW, *, count: bool = True) -> Work:
        """What `respond` does, for all images of this shape, type and order in memory.

        The values of `image` are looked at only where it has whole numbers of 64 bits.

        Raises:
            UnfitError: the output would be empty.
        """
        shape = self.output_shape(image.shape)
        work = self._work(as_planes(image), rendering, count=count)

        def run(image: NDArray[Any]) -> tuple[NDArray[Any], int]:
            result, clipped = work(as_planes(image))
            return result.reshape(shape), clipped

        return run

    def _work(self, image: NDArray[Any], rendering: Rendering, *, count: bool) -> Work:
        """`prepared` for (height, width, channels)."""
        mapping = self.resolve(rendering.mapping, to_float=image.dtype.kind == "f")
        own = SampleType.of(image.dtype)
        samples = rendering.samples or own
        untouched = mapping == "clip" and samples == own and rendering.gain == 1 and image.dtype.kind != "f"
        if self.kind != "avg" and (mapping == "raw" or untouched):
            return self._extremes(image)
        windows = self.windows(image.shape)
        if untouched and (plan := means.plan(image, windows)):
            return lambda image: (means.run(plan, image), 0)
        rendering = rendering._replace(mapping=mapping, samples=None if mapping == "raw" else samples)
        if (fused := self._fused(image, rendering, count=count)) is not None:
            return functools.partial(engine.rendered, fused)
        exact = self.kind != "avg" and image.dtype.kind != "f"
        bounds = sample_bounds(image) if exact else None
        output = (*windows.output_size(image.shape[0], image.shape[1]), image.shape[2])
        return lambda image: rendering.render(lambda: self._bands(image), output, bounds)

    def _extremes(self, image: NDArray[Any]) -> Work:
        """Maxima or minima as they are."""
        windows = self.windows(image.shape)
        if windows.size == windows.extent == image.shape[:2] and windows.padding == ((0, 0), (0, 0)):
            native = image.dtype.newbyteorder("=")
            return lambda image: (_whole(image, self.kind).astype(native, copy=False), 0)
        sides = _reached(windows, image.shape, windows.output_size(*image.shape[:2]))
        reduce = np.maximum if self.kind == "max" else np.minimum
        fill = _working_type(image, self.kind, windows.taps)[1]
        plan = extremes.plan(reduce, image, windows, sides, fill)
        return lambda image: (extremes.run(plan, image), 0)

    def _fused(self, image: NDArray[Any], rendering: Rendering, *, count: bool) -> BandPlan | None:
        """Means whose windows all have the same number of cells are a convolution with a constant kernel."""
        windows = self.windows(image.shape)
        is_plain = windows.padding == ((0, 0), (0, 0)) or self.count_include_pad
        if self.kind != "avg" or not is_plain or self.ceil_mode or windows.taps == 1 or windows.size == image.shape[:2]:
            return None
        mean = rendering._replace(gain=rendering.gain / windows.taps)
        task = Correlation(np.ones(windows.size, np.int64), windows, "zero")
        return engine.plan(task, image, mean, count=count).fused

    def _bands(self, image: NDArray[Any]) -> Iterator[tuple[slice, NDArray[Any]]]:
        """(rows of the output, maxima, minima or means) band by band; means in float64."""
        windows = self.windows(image.shape)
        rows, columns = windows.output_size(*image.shape[:2])
        if windows.size == windows.extent == image.shape[:2] and windows.padding == ((0, 0), (0, 0)):
            yield slice(0, 1), _whole(image, self.kind)
            return
        work, fill = _working_type(image, self.kind, windows.taps)
        sides = _reached(windows, image.shape, (rows, columns))
        extent, step = windows.extent[0], windows.stride[0]
        width = (image.shape[1] + sum(sides[1])) * image.shape[2]
        many = max(1, max(BAND // width - extent, min(extent, 64)) // step)
        reduce = {"max": np.maximum, "min": np.minimum, "avg": np.add}[self.kind]
        counts = _counts(windows, image.shape, (rows, columns), padding_too=self.count_include_pad)
        for start in range(0, rows, many):
            count = min(many, rows - start)
            band = padded_rows(
                image, start * step - sides[0][0], (count - 1) * step + extent, sides, "zero", work, fill=fill
            )
            with np.errstate(invalid="ignore"):
                tall = _reduced(reduce, band, 0, windows, count)
                values = _reduced(reduce, tall, 1, windows, columns)
                if self.kind == "avg":
                    values = values / counts[start : start + count, :, None]
            yield slice(start, start + count), values


def pool(
    image: "ArrayLike",
    kind: str = "max",
    *,
    size: PairLike | Literal["all"] = 2,
    stride: PairLike | None = None,
    padding: PaddingLike = "valid",
    ceil_mode: bool = False,
    count_include_pad: bool = False,
    dilation: PairLike = 1,
    mapping: str = "raw",
) -> NDArray[Any]:
    """Maximum, minimum or mean of windows, channel by channel.

    Args:
        image: height x width or height x width x channels, of booleans, integers or floats.
        kind: `max`, `avg` or `min`.
        size: of the windows, a number or (y, x); `all` for one window over the whole image.
        stride: step between windows, by default the size.
        padding: as for `convolve`, less than a window; padding never wins and is not counted.
        ceil_mode: round the size of the output up: a last window may reach beyond the image, but none starts in the
            padding at the end.
        count_include_pad: `avg` divides by padding cells too (PyTorch's default); never by those that ceil mode adds.
        dilation: distance between the cells of a window, a number or (y, x).
        mapping: `raw`, or as for `convolve`.

    Returns:
        For `raw` samples of the image's own type from `max` and `min`, float32 from `avg`; for other mappings samples
        of the image's own type, rounded to nearest, halves up. NaN passes on.

    Raises:
        ParameterError: an argument that cannot be used, or does not fit the image.

    >>> pool([[1, 3, 2, 4], [5, 6, 7, 8], [9, 10, 11, 12], [13, 14, 15, 16]]).tolist()
    [[6, 8], [14, 16]]
    """
    key = calls.key(image, kind, size, stride, padding, ceil_mode, count_include_pad, dilation, mapping)
    work = _recent.get(key)
    if work is None:
        parsed = Pooling.of(
            kind,
            size=size,
            stride=stride,
            padding=padding,
            ceil_mode=ceil_mode,
            count_include_pad=count_include_pad,
            dilation=dilation,
        )
        image = as_image(image)
        work = parsed.prepared(image, Rendering.of(mapping), count=False)
        _recent.keep(key, work)
    array: Any = image  # now it is one: others have no key
    return work(array)[0]


_recent: Recent[Work] = Recent()


def _frozen(padding: Any) -> Any:
    """Lists as tuples."""
    return tuple(map(_frozen, padding)) if isinstance(padding, Iterable) else padding


@functools.lru_cache(maxsize=64)
def _windows(pooling: Pooling, size: Pair) -> Windows:
    if pooling.size is None:
        return Windows(size, size)
    if str(pooling.padding).lower() in PAD_MODES:
        told = "is a pad mode, and pooling has none: its padding never wins; same, valid, N or YxX fits"
        raise ParameterError("padding", f"{pooling.padding!r} {told}")
    return Windows.of(
        size,
        stride=pooling.stride or size,
        padding=pooling.padding,
        dilation=pooling.dilation,
        ceil_mode=pooling.ceil_mode,
    )


def _whole(image: NDArray[Any], kind: Kind) -> NDArray[Any]:
    if kind != "avg":
        return np.asarray((image.max if kind == "max" else image.min)(axis=(0, 1), keepdims=True))
    sum_type = _sum_type(image, image.shape[0] * image.shape[1])
    with np.errstate(invalid="ignore"):  # inf - inf: NaN is the answer
        total = image.sum(axis=(0, 1), keepdims=True, dtype=sum_type)
    return np.asarray(total / (image.shape[0] * image.shape[1]))


def _sum_type(image: NDArray[Any], taps: int) -> np.dtype[Any]:
    """int64 where sums of that many samples fit, else float64."""
    if image.dtype.kind == "f":
        return np.dtype(np.float64)
    fits = max(abs(bound) for bound in sample_bounds(image)) * taps < 2**63
    return np.dtype(np.int64 if fits else np.float64)


def _working_type(image: NDArray[Any], kind: Kind, taps: int) -> tuple[np.dtype[Any], float]:
    """The type that windows are reduced in, and the value for padding that cannot win or adds nothing."""
    dtype = image.dtype.newbyteorder("=")
    if kind == "avg":
        return _sum_type(image, taps), 0
    if dtype.kind == "b":
        return dtype, kind == "min"
    if dtype.kind == "f":
        return dtype, -np.inf if kind == "max" else np.inf
    limits = np.iinfo(dtype)
    return dtype, int(limits.min if kind == "max" else limits.max)


def _reached(windows: Windows, shape: tuple[int, ...], counts: Pair) -> Sides:
    """The padding that windows reach into, with the cells that ceil mode adds at the end."""
    sides = []
    for axis in (0, 1):
        before, after = windows.padding[axis]
        end = (counts[axis] - 1) * windows.stride[axis] + windows.extent[axis] - before
        sides.append((before, max(after, end - shape[axis])))
    return sides[0], sides[1]


def _counts(windows: Windows, shape: tuple[int, ...], counts: Pair, *, padding_too: bool) -> NDArray[np.int64]:
    """The number of cells that each mean is divided by, (rows, columns)."""
    along = []
    for axis in (0, 1):
        before, after = windows.padding[axis] if padding_too else (0, 0)
        first = np.arange(counts[axis]) * windows.stride[axis] - windows.padding[axis][0]
        cells = first[:, None] + np.arange(windows.size[axis]) * windows.dilation[axis]
        along.append(((cells >= -before) & (cells < shape[axis] + after)).sum(axis=1))
    return np.maximum(np.outer(along[0], along[1]), 1)  # a dilated window may hold no cell at all


def _reduced(reduce: np.ufunc, values: NDArray[Any], axis: int, windows: Windows, count: int) -> NDArray[Any]:
    """`values` reduced along `axis` by windows, `count` of them."""
    step, dilation = windows.stride[axis], windows.dilation[axis]
    shifted = (
        values[(slice(None),) * axis + (slice(first, first + (count - 1) * step + 1, step),)]
        for first in range(0, windows.extent[axis], dilation)
    )
    result = next(shifted).copy()
    for view in shifted:
        reduce(result, view, out=result)
    return result
