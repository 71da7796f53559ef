"""How a value of a layer with windows comes about: convolve, conv2d, pool, resize."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from cnnfilter.core.arrays import as_planes
from cnnfilter.core.engine.padding import indices
from cnnfilter.core.geometry import PadMode, Windows, pad_mode as parse_pad_mode
from cnnfilter.core.samples import SampleType
from cnnfilter.model.filters import Convolve, Pool
from cnnfilter.model.layer import Array, Shape, Tensors
from cnnfilter.model.learned import Conv2d
from cnnfilter.model.preparing import Resize, taps
from cnnfilter.model.traced import Number, Pooled, Position, Term, Weighted, Window, added

# Sums of whole numbers below this stay within 64 bits.
_LARGEST = 1 << 62


def convolved(layer: Convolve, image: Array, position: Position) -> Weighted:
    """A value of an image filter."""
    operation = layer.operation
    planes = as_planes(image)
    kernel = operation.kernel.spanning(planes.shape[2])
    kernel = kernel.flipped() if operation.flip else kernel
    window = window_at(operation.windows, position, planes.shape, operation.pad_mode)
    together = kernel.is_bank or operation.channels == "sum"
    channels = range(planes.shape[2]) if together else (_channel(position),)
    if kernel.is_bank:
        parts: dict[str, Any] = {"": [kernel.matrix[:, :, channel, _channel(position)] for channel in channels]}
    elif kernel.is_gradient:
        parts = {"v": [kernel.matrix[0]] * len(channels), "h": [kernel.matrix[1]] * len(channels)}
    else:
        parts = {"": [kernel.matrix] * len(channels)}
    terms = tuple(
        weighted_term(_taken(planes, window, channel), weights, channel, part)
        for part, matrices in parts.items()
        for channel, weights in zip(channels, matrices, strict=True)
    )
    sums = [added([term.sum for term in terms if term.part == part]) for part in parts]
    total = math.hypot(*map(float, sums)) if kernel.is_gradient else sums[0]
    return Weighted(
        kernel.name,
        operation.windows,
        window,
        operation.pad_mode,
        terms,
        total,
        kernel.divisor,
        operation.scale,
        operation.bias,
    )


def conv2d_value(layer: Conv2d, image: Array, position: Position, tensors: Tensors) -> Weighted:
    """A value of a feature map of a bank of filters."""
    planes = as_planes(image)
    windows = layer.windows(planes.shape)
    pad_mode = parse_pad_mode(layer.pad_mode)
    weights, number = tensors["weight"], _channel(position)
    window = window_at(windows, position, planes.shape, pad_mode)
    inputs = weights.shape[1]
    first = number // (weights.shape[0] // layer.groups) * inputs
    terms = tuple(
        weighted_term(_taken(planes, window, first + index), weights[number, index].astype(np.float64), first + index)
        for index in range(inputs)
    )
    bias = float(tensors["bias"][number]) if "bias" in tensors else 0.0
    total = added([term.sum for term in terms])
    return Weighted(f"filter {number}", windows, window, pad_mode, terms, total, bias=bias)


def resized(layer: Resize, image: Array, position: Position) -> Weighted:
    """A pixel of an image in another size: a mean of some of the old pixels."""
    planes = as_planes(image)
    sizes = layer.output_shape(image.shape)[:2]
    cells, weights = [], []
    for axis in (0, 1):
        first, shares = taps(planes.shape[axis], sizes[axis])
        used = np.flatnonzero(shares[position[axis]])
        cells.append(tuple(int(first[position[axis]]) + index for index in used.tolist()))
        weights.append(shares[position[axis]][used].astype(np.float64))
    window = Window(cells[0], cells[1], cells[0], cells[1])
    channel = _channel(position)
    term = weighted_term(_taken(planes, window, channel), np.outer(*weights), channel)
    return Weighted("bilinear", None, window, "edge", (term,), term.sum)


def pooled(layer: Pool, image: Array, position: Position) -> Pooled:
    """A value of pooling."""
    planes = as_planes(image)
    operation, channel = layer.operation, _channel(position)
    windows = operation.windows(planes.shape)
    window = window_at(windows, position, planes.shape, "zero")
    samples = _taken(planes, window, channel)
    counted = ~window.padding
    inside = samples[counted]
    if operation.kind == "avg":
        if operation.count_include_pad:
            counted = _within(windows, window, planes.shape)
        count = max(1, int(counted.sum()))
        return Pooled("avg", windows, window, channel, samples, counted, _total(inside), count)
    best = _best(operation.kind, inside)
    won = counted & ((samples == best) | (np.isnan(samples) if best != best else False))
    winners = [window.source(row, column) for row, column in np.argwhere(won)[:_MOST_WINNERS].tolist()]
    return Pooled(
        operation.kind,
        windows,
        window,
        channel,
        samples,
        counted,
        best,
        int(won.sum()),
        tuple(w for w in winners if w is not None),
    )


# Pixels that are named of those that hold the maximum; a flat picture has millions.
_MOST_WINNERS = 100


def _best(kind: str, values: Array) -> Number:
    """The maximum or minimum; NaN wins, and of no values there is none."""
    if not values.size:
        return -math.inf if kind == "max" else math.inf
    best: Number = (values.max() if kind == "max" else values.min()).item()
    return best


def _within(windows: Windows, window: Window, shape: Shape) -> Array:
    """Which cells lie in the image or its padding, not among those that ceil mode adds."""
    along = [
        np.array([-windows.padding[axis][0] <= cell < shape[axis] + windows.padding[axis][1] for cell in cells])
        for axis, cells in enumerate((window.rows, window.columns))
    ]
    return np.asarray(along[0][:, None] & along[1][None, :])


def window_at(windows: Windows, position: Sequence[int], shape: Shape, pad_mode: PadMode) -> Window:
    """The window of an output position on an image of `shape`.

    >>> window_at(Windows.of(3), (0, 0), (8, 8), "reflect").from_rows
    (1, 0, 1)
    """
    cells: list[tuple[int, ...]] = []
    sources: list[tuple[int | None, ...]] = []
    for axis in (0, 1):
        first = position[axis] * windows.stride[axis] - windows.padding[axis][0]
        step, extent = windows.dilation[axis], windows.extent[axis]
        cells.append(tuple(range(first, first + extent, step)))
        found = indices(pad_mode, shape[axis], first, extent)[::step].tolist()
        sources.append(tuple(None if index < 0 else index for index in found))
    return Window(cells[0], cells[1], sources[0], sources[1])


def known_levels(image: Array) -> tuple[Number, Number]:
    """The least and the greatest sample that there can be: of the type for 8 and 16 bits, else of finite ones here."""
    if image.dtype.kind in "biu" and image.dtype.itemsize <= 2:
        samples = SampleType.of(image.dtype)
        return samples.low, samples.high
    values = image[np.isfinite(image)]
    return (values.min().item(), values.max().item()) if values.size else (0, 0)


def _channel(position: Position) -> int:
    return position[2] if len(position) > 2 else 0


def _taken(planes: Array, window: Window, channel: int) -> Array:
    """The samples under the window in one channel, int64 or float64."""
    rows, columns = ([0 if index is None else index for index in s] for s in (window.from_rows, window.from_columns))
    samples = planes[:, :, channel][np.ix_(rows, columns)]
    samples = samples.astype(np.float64 if samples.dtype.kind == "f" else np.int64)
    samples[[index is None for index in window.from_rows]] = 0
    samples[:, [index is None for index in window.from_columns]] = 0
    return samples


def weighted_term(samples: Array, weights: Array, channel: int, part: str = "") -> Term:
    """One channel under a window times its weights; whole numbers stay exact, beyond 64 bits where need be."""
    if samples.dtype.kind == weights.dtype.kind == "i" and _may_overflow(samples, weights):
        samples, weights = samples.astype(object), weights.astype(object)
    with np.errstate(invalid="ignore", over="ignore"):
        products = samples * weights
    return Term(channel, samples, weights, products, _total(products), part)


def _may_overflow(samples: Array, weights: Array) -> bool:
    largest = [float(np.abs(values.astype(np.float64)).max(initial=0)) for values in (samples, weights)]
    return largest[0] * largest[1] * samples.size >= _LARGEST


def _total(values: Array) -> Number:
    if values.dtype.kind == "i":
        fits = float(np.abs(values.astype(np.float64)).max(initial=0)) * values.size < _LARGEST
        return int(values.sum()) if fits else sum(values.ravel().tolist())
    return added(list(_numbers(values)))


def _numbers(values: Array) -> Iterator[Number]:
    yield from values.ravel().tolist()
