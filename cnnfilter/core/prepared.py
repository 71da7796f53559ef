"""Convolutions planned once for all images of a shape and a type."""

import functools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnnfilter.core import engine
from cnnfilter.core.engine import threads
from cnnfilter.core.engine.task import Correlation
from cnnfilter.core.samples import Rendering, SampleType

if TYPE_CHECKING:
    from cnnfilter.core.convolution import Convolution
    from cnnfilter.core.engine.gradient import Magnitude

# Entries of a kernel from which on plans are not remembered.
LARGEST_REMEMBERED = 1 << 16


class Prepared(NamedTuple):
    """A convolution planned for one kind of image: two tasks for a gradient magnitude, otherwise one."""

    shape: tuple[int, ...]  # of the response
    tasks: list[Correlation]
    plans: list[engine.Plan]
    rendering: Rendering
    magnitude: "Magnitude | None" = None

    def run(self, image: NDArray[Any]) -> tuple[NDArray[Any], int]:
        """(response or samples, number of values clipped) for an image of (height, width, channels)."""
        if planned := self.magnitude or self.plans[0].whole:
            result, clipped = engine.rendered(planned, image)
            return result.reshape(self.shape), clipped
        bands = functools.partial(_bands, self.tasks, image, self.plans)
        bounds = None if len(self.tasks) > 1 else self.plans[0].bounds
        result, clipped = self.rendering.render(bands, self.tasks[0].output_shape(image.shape), bounds)
        return result.reshape(self.shape), clipped


def stand_in(shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """An image (height, width, channels) of zeros, with no memory behind them.

    >>> stand_in((4, 5), np.dtype(np.uint8)).shape
    (4, 5, 1)
    """
    return np.broadcast_to(np.zeros((), dtype), (*shape, 1)[:3])


def prepare(
    convolution: "Convolution", shape: tuple[int, ...], image: NDArray[Any], rendering: Rendering, *, count: bool
) -> Prepared:
    """Plans for images of `shape` that are, as (height, width, channels), like `image`; `count` those clipped.

    The values of `image` are looked at only where it has samples of 64 bits; all others are told by their type. A
    `rendering` without samples is to samples of the image's own type, unless it is raw.

    Raises:
        UnfitError: the output would be empty, or a bank takes another number of channels.
    """
    if convolution.kernel.matrix.size > LARGEST_REMEMBERED or (image.dtype.kind in "iu" and image.dtype.itemsize == 8):
        return _planned(convolution, shape, image, rendering, count=count)
    return _remembered(convolution, shape, image.dtype, rendering, count, threads.threads())


@functools.lru_cache(maxsize=32)
def _remembered(
    convolution: "Convolution",
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    rendering: Rendering,
    count: bool,
    threads: int,  # with which plans change, but not results
) -> Prepared:
    """What is prepared once for all images of a shape and a type."""
    return _planned(convolution, shape, stand_in(shape, dtype), rendering, count=count)


def _planned(
    convolution: "Convolution", shape: tuple[int, ...], image: NDArray[Any], asked: Rendering, *, count: bool
) -> Prepared:
    kernel = convolution.kernel.spanning(image.shape[2])
    kernel = kernel.flipped() if convolution.flip else kernel
    mapping = convolution.resolve(asked.mapping, to_float=image.dtype.kind == "f", is_stack=asked.per_map)
    rendering = Rendering(
        mapping,
        convolution.scale / kernel.divisor * asked.gain,
        convolution.bias * asked.gain,
        None if mapping == "raw" else asked.samples or SampleType.of(image.dtype),
        per_map=asked.per_map or kernel.is_bank,
    )
    matrices = kernel.matrix if kernel.is_gradient else kernel.matrix[None]
    sums = convolution.channels == "sum" and not kernel.is_bank
    tasks = [Correlation(matrix, convolution.windows, convolution.pad_mode, sums) for matrix in matrices]
    output = convolution.output_shape(shape)
    if not kernel.is_gradient:
        return Prepared(output, tasks, [engine.plan(tasks[0], image, rendering, count=count)], rendering)
    plans = [engine.plan(task, image) for task in tasks]
    if len({(planned.strategy, planned.band_rows) for planned in plans}) > 1:  # a gradient's parts go band by band
        plans = [engine.plain(task, image) for task in tasks]
    magnitude = engine.magnitude(tasks, image, rendering, count=count)
    return Prepared(output, tasks, plans, rendering, magnitude)


def _bands(
    tasks: list[Correlation], image: NDArray[Any], plans: list[engine.Plan]
) -> Iterator[tuple[slice, NDArray[Any]]]:
    """The sums of one task, or the magnitude of the gradient whose parts two tasks give."""
    if len(tasks) == 1:
        yield from engine.sums(tasks[0], image, plans[0])
        return
    vertical, horizontal = (engine.sums(task, image, planned) for task, planned in zip(tasks, plans, strict=True))
    for (rows, v), (_, h) in zip(vertical, horizontal, strict=True):
        v, h = v.astype(np.float64), h.astype(np.float64)
        with np.errstate(over="ignore"):
            yield rows, np.sqrt(v * v + h * h)
