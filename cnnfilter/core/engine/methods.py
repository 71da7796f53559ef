"""Which float method computes a task, and in which precision."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnfilter.core.engine import planes
from cnnfilter.core.engine.columns import Columns
from cnnfilter.core.engine.dense import Dense, height
from cnnfilter.core.engine.floats import FLOAT32, FLOAT64, Fused, Method, tame
from cnnfilter.core.engine.fourier import Fourier, side
from cnnfilter.core.engine.levels import Levels
from cnnfilter.core.engine.separable import Separable, factors
from cnnfilter.core.engine.task import Correlation
from cnnfilter.core.engine.winograd import Winograd
from cnnfilter.core.samples import Rendering, sample_bounds

# The rounding of one operation in float32, and what all of them may make of a level of integer samples.
ROUNDING, TOLERATED = 2.0**-24, 0.25
# Roundings that count for a product of spectra, about three for each of 16 halvings of a tile.
SPECTRAL_OPERATIONS = 48
# Channels and filters from which on Winograd's transforms pay, and its error is allowed (above 400 taps x channels).
MANY = 45
# Outputs of a filter from which on it pays to transform it.
WORTH_TRANSFORMS = 1 << 10


def method(task: Correlation, image: NDArray[Any], rendering: Rendering | None = None) -> Method | None:
    """The method for float sums; None where the plain strategy is as good or the only one that is right.

    With `rendering` the sums become its samples at once, which tells what precision they need.
    """
    with np.errstate(all="ignore"):
        if not tame(task.weights):
            return None
    return _for_bank(task, image) if task.is_bank else _for_kernel(task, image, rendering)


def _for_bank(task: Correlation, image: NDArray[Any]) -> Method:
    """Float32 for all banks."""
    rows, columns, filters = task.output_shape((image.shape[0], image.shape[1], image.shape[2]))
    inputs = task.weights.shape[2]
    windows = task.windows
    simple = (windows.size, windows.stride, windows.dilation, task.groups) == ((3, 3), (1, 1), (1, 1), 1)
    if simple and min(inputs, filters) >= MANY and rows * columns >= WORTH_TRANSFORMS:
        return Winograd(task, image.shape)
    if planes.suit(task, columns):
        return planes.Planes(task, image.shape)
    return Columns(task, image.shape)


def _for_kernel(task: Correlation, image: NDArray[Any], rendering: Rendering | None) -> Method | None:
    parts = factors(task.weights)
    if parts is not None:
        return Separable(task, image.shape, *parts, _precision(task, image, sum(map(len, parts)), rendering))
    if not task.weights.any():
        return None
    dtype = _precision(task, image, task.weights.size, rendering)
    narrow = rendering and rendering.samples and rendering.samples.dtype.itemsize == 1
    spectral = FLOAT32 if narrow and _unseen(task, image, SPECTRAL_OPERATIONS, rendering) else FLOAT64
    if _cost_of_spectra(task, image.shape, spectral) < _cost_of_product(task, dtype):
        return Fourier(task, image.shape, spectral)
    return Dense(task, image.shape, dtype)


def _cost_of_product(task: Correlation, dtype: np.dtype[Any]) -> float:
    """Nanoseconds a value."""
    extent, step = task.windows.extent[0], task.windows.stride[0]
    count = height(extent)
    rows = (count - 1) * step + extent
    return task.windows.size[1] * rows * (0.025 + 0.25 / count) * dtype.itemsize / 4


def _cost_of_spectra(task: Correlation, shape: tuple[int, ...], dtype: np.dtype[Any]) -> float:
    """Nanoseconds a value; infinite with a stride."""
    if task.windows.stride != (1, 1):
        return math.inf
    outputs = task.output_shape((shape[0], shape[1], shape[2]))[:2]
    wasted = 1.0
    for extent, count in zip(task.windows.extent, outputs, strict=True):
        size = side(extent, count)
        wasted *= size * -(-count // (size - extent + 1)) / count
    return 14 * wasted * dtype.itemsize / 4


def _precision(task: Correlation, image: NDArray[Any], operations: int, rendering: Rendering | None) -> np.dtype[Any]:
    """float32 where nothing can cancel, or where its errors cannot be seen in the samples; else float64."""
    if image.dtype.kind not in "biu" or image.dtype.itemsize > 2:
        return FLOAT64
    same_sign = (task.weights >= 0).all() or (task.weights <= 0).all()
    nothing_cancels = same_sign and image.dtype.kind != "i"
    return FLOAT32 if nothing_cancels or _unseen(task, image, operations, rendering) else FLOAT64


def _unseen(task: Correlation, image: NDArray[Any], operations: int, rendering: Rendering | None) -> bool:
    """Whether that many roundings in float32 cannot move a sample by more than one level."""
    if not rendering or not rendering.samples or image.dtype.kind not in "biu" or image.dtype.itemsize > 2:
        return False
    return max(map(abs, _reach(task, image))) * ROUNDING * (operations + 2) <= TOLERATED


def _reach(task: Correlation, image: NDArray[Any]) -> tuple[float, float]:
    """The least and the greatest sum of a kernel over whole-number samples, without rounding errors."""
    low, high = sample_bounds(image)
    low, high = min(low, 0), max(high, 0)
    weights = task.weights.astype(np.float64)
    many = image.shape[2] if task.sum_channels else 1
    positive, negative = weights[weights > 0].sum() * many, -weights[weights < 0].sum() * many
    return positive * low - negative * high, positive * high - negative * low


def fused(task: Correlation, image: NDArray[Any], rendering: Rendering, *, count: bool) -> Fused | None:
    """From the image to samples at once, by the method for the task; None where there is none.

    Not for `normalize`, and not for samples that are floats, booleans or of more than 16 bits.
    """
    samples = rendering.samples
    if rendering.mapping == "normalize" or (samples and (samples.dtype.kind not in "iu" or samples.dtype.itemsize > 2)):
        return None
    scaled = task.scaled(float(rendering.gain))
    found = method(scaled, image, rendering)
    if found is None:
        return None
    bias = float(rendering.bias)
    absolute = rendering.mapping == "abs"
    if samples and rendering.mapping == "shift":
        bias += samples.middle
    reach = None
    if samples and not task.is_bank and image.dtype.kind != "f":
        low, high = _reach(scaled, image)
        reach = low + bias, high + bias
    return Fused.of(scaled, found, Levels(bias, absolute, samples, reach, count), image)
