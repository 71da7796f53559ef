"""How weighted sums over windows are computed: `plan` chooses a strategy and says why, `sums` carries it out.

Every strategy is a function `sums(task, image, accumulator, band_rows)` that gives the sums of one band of rows after
the other; memory beyond input and output is that of a band or two. The choice depends on shapes, kernel and types only.

Whole numbers have a faster way, `bands`: from samples to samples in narrow arithmetic, without sums of the image's
size in between. kernel -> program (what to add to what) -> plan (where, for this size of image) -> bands (do it). But
for the smallest images it is never slower: a program has no more operations than its kernel has taps.

Floats have theirs, too: a method of `methods`, which makes whole tiles of sums by products of matrices; `floats`
loads the tiles and hands them out. Banks of filters are prepared once for images that repeat, by `small` and `banks`.
"""

from collections.abc import Callable, Hashable, Iterator
from math import gcd
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnnfilter.core.engine import bands, products, shifts, threads
from cnnfilter.core.engine.compiler import compiled
from cnnfilter.core.engine.finish import EXACT_IN_FLOAT32, finish
from cnnfilter.core.engine.layout import BandPlan, band_rows
from cnnfilter.core.engine.task import Correlation
from cnnfilter.core.numbers import fit, whole_type
from cnnfilter.core.samples import BAND, Rendering

if TYPE_CHECKING:  # loaded when they are chosen
    from cnnfilter.core.engine import floats, stretch
    from cnnfilter.core.engine.gradient import Magnitude

FLOAT = np.dtype(np.float64)
# Bounds of the search for a program, in units of some 0.4 microseconds: as long as a few passes over the image take.
LEAST_EFFORT, MOST_EFFORT = 5_000, 200_000

Strategy = Callable[[Correlation, NDArray[Any], np.dtype[Any], int], Iterator[tuple[slice, NDArray[Any]]]]
STRATEGIES: dict[str, Strategy] = {"shifts": shifts.sums, "products": products.sums}


class Plan(NamedTuple):
    """How a task will be carried out; `bounds` are those of the sums where they are exact, `method` is for floats.

    With `fused` or `direct`, it goes from samples to samples, and `rendered` carries it out; otherwise `sums` does.
    """

    strategy: str
    accumulator: np.dtype[Any]
    band_rows: int
    bounds: tuple[int, int] | None
    why: str
    fused: BandPlan | None = None
    method: "floats.Method | None" = None
    direct: "floats.Fused | None" = None
    stretched: "stretch.Stretch | None" = None

    @property
    def whole(self) -> "BandPlan | floats.Fused | stretch.Stretch | None":
        """What `rendered` takes: from samples to samples at once."""
        return self.fused or self.direct or self.stretched


def plan(task: Correlation, image: NDArray[Any], rendering: Rendering | None = None, *, count: bool = True) -> Plan:
    """The strategy for `task` on `image` (height, width, channels), of which only shape and type are looked at.

    Sums of whole numbers that become samples by `rendering` are fused where that can be done: not for banks, kernels of
    zeros, what 32 bits cannot hold, and `normalize` beyond bytes. Without `count` clipped values are not counted then.

    >>> from cnnfilter.core.geometry import Windows
    >>> from cnnfilter.core.samples import UINT8
    >>> task = Correlation(np.array([[-1, 0, 1]]), Windows.of((1, 3)), "reflect")
    >>> image = np.zeros((4, 4, 1), np.uint8)
    >>> plan(task, image).why
    'one kernel a channel; whole numbers from -255 to 255 fit int32'
    >>> plan(task, image, Rendering("abs", samples=UINT8)).why
    'one kernel a channel; 1 step instead of 2 taps, in int16'
    """
    bounds = task.bounds(image)
    if bounds is None:
        return _of_floats(task, image, rendering, count=count) or _plain(task, image.shape, bounds)
    planned = _plain(task, image.shape, bounds)
    if rendering and rendering.mapping == "normalize":
        return _stretched(task, rendering, image, planned)
    fused = _fused(task, rendering, image, planned.bounds, count=count) if rendering else None
    if fused is None:
        return planned
    return Plan("bands", fused.finish.dtype, fused.rows, planned.bounds, f"one kernel a channel; {fused.why}", fused)


def _of_floats(task: Correlation, image: NDArray[Any], rendering: Rendering | None, *, count: bool) -> Plan | None:
    """A method for floats, from samples to samples where that can be done."""
    from cnnfilter.core.engine import methods  # the methods for floats are loaded when there are some

    direct = methods.fused(task, image, rendering, count=count) if rendering else None
    method = direct.method if direct else methods.method(task, image)
    if method is None:
        return None
    return Plan(method.name, method.dtype, method.rows, None, method.why, None, method, direct)


def plain(task: Correlation, image: NDArray[Any]) -> Plan:
    """The plan that is right for every task: it gives sums, by a strategy of STRATEGIES."""
    return _plain(task, image.shape, task.bounds(image))


def _plain(task: Correlation, shape: tuple[int, ...], bounds: tuple[int, int] | None) -> Plan:
    """The same, of sums within `bounds`: to find those of 64 bits takes a look at all samples."""
    strategy, why = ("products", "a bank of filters") if task.is_bank else ("shifts", "one kernel a channel")
    if bounds and not fit(bounds, np.int64):
        return Plan(strategy, FLOAT, 1, None, f"{why}; sums beyond 64 bits are rounded")
    if not bounds:
        accumulator, reason = FLOAT, "floats are added up in float64"
    elif strategy == "products" and max(-bounds[0], bounds[1]) <= 2**53:
        accumulator, reason = FLOAT, "whole numbers from {} to {} are exact in float64".format(*bounds)
    else:
        accumulator = whole_type(bounds)
        reason = "whole numbers from {} to {} fit {}".format(*bounds, accumulator)
    return Plan(strategy, accumulator, _band_rows(task, shape), bounds, f"{why}; {reason}")


def _band_rows(task: Correlation, shape: tuple[int, ...]) -> int:
    """Output rows of a band: as many as BAND holds, but no fewer than repay the rows that neighbours both load."""
    extent, step = task.windows.extent[0], task.windows.stride[0]
    row = (shape[1] + sum(task.windows.padding[1])) * shape[2]
    rows = max(BAND // row - extent, min(extent, 64)) // step
    if task.is_bank:
        windows_of_a_row = task.windows.output_size(shape[0], shape[1])[1] * task.weights[..., 0].size
        rows = min(rows, products.BLOCK // windows_of_a_row)
    return max(1, rows)


def sums(task: Correlation, image: NDArray[Any], planned: Plan | None = None) -> Iterator[tuple[slice, NDArray[Any]]]:
    """(rows of the output, their sums) band by band, (rows, columns, channels); overwritten by the next band's.

    Whole-number sums that are exact come as int32 or int64, others as float64.
    """
    planned = planned or plan(task, image)
    exact = whole_type(planned.bounds) if planned.bounds else FLOAT
    if planned.method:
        from cnnfilter.core.engine import floats

        found = floats.sums(planned.method, task, image)
    else:
        found = STRATEGIES[planned.strategy](task, image, planned.accumulator, planned.band_rows)
    for rows, values in found:
        yield rows, values.astype(exact, copy=False)


def responses(
    task: Correlation, image: NDArray[Any], bias: NDArray[np.float64], name: Hashable = None
) -> NDArray[np.float32]:
    """The sums of a bank plus `bias`, a number a filter, in float32.

    A `name` tells calls apart, but for weights and bias: the next one may find what is planned here in `banks`.
    """
    planned, shape = plan(task, image), task.output_shape(image.shape)
    if planned.method:
        from cnnfilter.core.engine import banks, floats

        assert floats.is_direct(planned.method)
        return floats.run(banks.planned(name, task, planned.method, bias, image), image)[0]
    out = np.empty(shape, np.float32)
    with np.errstate(over="ignore"):
        for rows, values in sums(task, image, planned):
            out[rows] = values + bias
    return out


def _fused(
    task: Correlation, rendering: Rendering, image: NDArray[Any], bounds: tuple[int, int] | None, *, count: bool
) -> BandPlan | None:
    if not bounds or task.is_bank or image.dtype.itemsize == 8 or not task.weights.any():
        return None
    weights = task.weights.tolist()
    common = gcd(*(k for row in weights for k in row))
    end = finish(rendering, bounds, common)
    if end is None:
        return None
    output, taps = task.output_shape(image.shape), int(np.count_nonzero(task.weights))
    windows, values = task.windows, output[0] * output[1] * output[2]
    effort = min(max(LEAST_EFFORT, values // 64), MOST_EFFORT)
    effort = 1 << effort.bit_length()  # so that images of about the same size share their programs
    primitive = tuple(tuple(k // common for k in row) for row in weights)
    program = compiled(primitive, windows.stride, windows.dilation, effort)
    many = threads.threads_for(max(image.size, values))
    rows = band_rows(program, end, windows, image.shape, output, many)
    shapes = image.shape, output
    return BandPlan(program, end, windows, task.pad_mode, task.sum_channels, *shapes, rows, taps, count, many)


def _stretched(task: Correlation, rendering: Rendering, image: NDArray[Any], planned: Plan) -> Plan:
    """`normalize` of sums within 16 bits to bytes; scale and bias do not matter to it, but for their signs."""
    from cnnfilter.core.engine import stretch

    samples, bounds = rendering.samples, planned.bounds
    if not samples or samples.dtype != np.uint8 or rendering.gain <= 0 or rendering.per_map:
        return planned
    fits = bounds and max(-bounds[0], bounds[1]) <= stretch.LARGEST
    sums = _fused(task, Rendering("raw"), image, bounds, count=False) if fits else None
    if sums is None:
        return planned
    stretched = stretch.of(sums)
    why = f"one kernel a channel; {stretched.why}"
    return planned._replace(strategy="bands", band_rows=stretched.sums.rows, why=why, stretched=stretched)


def magnitude(
    tasks: list[Correlation], image: NDArray[Any], rendering: Rendering, *, count: bool
) -> "Magnitude | None":
    """The plan for scale * sqrt(v^2 + h^2) + bias of two tasks; None where float32 does not do."""
    from cnnfilter.core.engine import gradient
    from cnnfilter.core.engine.levels import Levels

    samples = rendering.samples
    if rendering.mapping == "normalize" or (samples and (samples.dtype.kind not in "iu" or samples.dtype.itemsize > 2)):
        return None
    parts = []
    for task in tasks:
        bounds = task.bounds(image)
        if not bounds or max(-bounds[0], bounds[1]) >= EXACT_IN_FLOAT32:
            return None
        parts.append(_fused(task, Rendering("raw"), image, bounds, count=False))
    whole = [part for part in parts if part]
    if len(whole) < len(parts):
        return None
    bias = float(rendering.bias) + (samples.middle if samples and rendering.mapping == "shift" else 0)
    levels = Levels(bias, rendering.mapping == "abs", samples, count=count)
    return gradient.of(whole, float(rendering.gain), levels)


def rendered(
    planned: "BandPlan | stretch.Stretch | Magnitude | floats.Fused", image: NDArray[Any]
) -> tuple[NDArray[Any], int]:
    """(samples, number of values clipped) as planned."""
    if isinstance(planned, BandPlan):
        return bands.run(planned, image)
    from cnnfilter.core.engine import floats, gradient, stretch

    if isinstance(planned, floats.Fused):
        return floats.run(planned, image)
    if isinstance(planned, gradient.Magnitude):
        return gradient.run(planned, image)
    return stretch.run(planned, image), 0
