"""The trace of output values: what came out of a layer at one position, and every step on the way there."""

import dataclasses
import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np

from cnnfilter.core.arrays import as_image
from cnnfilter.core.geometry import Windows
from cnnfilter.core.samples import Rendering, SampleType, rendered
from cnnfilter.core.vocabulary import Mapping
from cnnfilter.core.words import by
from cnnfilter.errors import ParameterError
from cnnfilter.model import trace_values, trace_windows
from cnnfilter.model.filters import Convolve, Pool
from cnnfilter.model.graph import INPUT, Node, naming
from cnnfilter.model.layer import NO_TENSORS, Array, Shape, Tensors
from cnnfilter.model.learned import Conv2d
from cnnfilter.model.meaning import meaning
from cnnfilter.model.pipeline import Pipeline
from cnnfilter.model.preparing import Resize
from cnnfilter.model.traced import Combined, Number, Pooled, Position, Trace, Weighted, Written


@dataclass(frozen=True, eq=False)
class Tracer:
    """A layer that was run: what it took, what came out, and the samples that are written of it.

    `samples` is None where the response itself is written.
    """

    node: Node
    arrays: tuple[Array, ...]
    tensors: Tensors
    response: Array
    samples: Array | None = None
    mapping: Mapping = "raw"
    type: SampleType | None = None
    level_scale: Fraction = Fraction(1)
    is_stack: bool = False

    @property
    def shape(self) -> Shape:
        """The shape of the output."""
        return self.response.shape

    @property
    def windows(self) -> Windows | None:
        """The windows of convolve, conv2d and pool."""
        if not isinstance(self.node.layer, Convolve | Conv2d | Pool):
            return None
        if isinstance(self.node.layer, Pool):
            return self.node.layer.operation.windows(self.arrays[0].shape)
        return self.node.layer.windows(self.arrays[0].shape)

    def positions(self, at: Position) -> list[Position]:
        """The positions that `at` means: of all channels where it leaves the channel out.

        Raises:
            ParameterError: it lies outside the output.
        """
        axes = len(self.shape)
        if len(at) == 3 and axes == 2 and at[2] == 0:
            at = at[:2]
        fits = len(at) == axes or (len(at), axes) == (2, 3)
        if not fits or any(not 0 <= place < size for place, size in zip(at, self.shape, strict=False)):
            what = "I" if axes == 1 else "Y,X" if axes == 2 else "Y,X,C"
            if len(at) == 1 < axes:
                raise ParameterError("at", f"{at[0]} lacks X; write Y,X, as in {at[0]},0")
            last = ",".join(str(size - 1) for size in self.shape)
            raise ParameterError(
                "at", f"{','.join(map(str, at))} lies outside the output of {by(self.shape)}; {what} up to {last} fit"
            )
        return [at] if len(at) == axes else [(*at, channel) for channel in range(self.shape[2])]

    def walk(self, count: int, start: Position | None = None) -> list[Position]:
        """`count` positions row by row, without the channel unless `start` has one; fewer where the output ends."""
        sizes = self.shape[:2]
        begin = 0 if start is None else self.number(start) - 1
        channel = () if start is None else start[len(sizes) :]
        steps = range(begin, min(begin + count, math.prod(sizes)))
        return [(*(int(place) for place in np.unravel_index(step, sizes)), *channel) for step in steps]

    def number(self, at: Position) -> int:
        """Which of all positions it is, row by row, the first being 1."""
        sizes = self.shape[:2]
        return 1 + int(np.ravel_multi_index(at[: len(sizes)], sizes))

    def at(self, position: Position) -> Trace:
        """How the value at a position, channel included, came about."""
        how, response = self._how(position), self.response[position].item()
        inputs = tuple((name, array.shape) for name, array in zip(self.node.inputs, self.arrays, strict=True))
        written = self._written(position, how, response)
        layer = self.node.layer
        words = meaning(layer, how, response, self._levels)
        return Trace(
            self.node.name, layer.type, position, self.shape, inputs, how, _plain(response), written, tuple(words)
        )

    def _how(self, position: Position) -> Weighted | Pooled | Combined:
        layer, image = self.node.layer, self.arrays[0]
        if isinstance(layer, Convolve):
            return trace_windows.convolved(layer, image, position)
        if isinstance(layer, Conv2d):
            return trace_windows.conv2d_value(layer, image, position, self.tensors)
        if isinstance(layer, Pool):
            return trace_windows.pooled(layer, image, position)
        if isinstance(layer, Resize):
            return trace_windows.resized(layer, image, position)
        return trace_values.combined(layer, self.node.inputs, self.arrays, position, self.tensors)

    def _written(self, position: Position, how: Weighted | Pooled | Combined, response: Number) -> Written | None:
        if self.samples is None or self.type is None:
            return None
        pixel = _plain(self.samples[position].item())
        result: Any = how.result if isinstance(how, Weighted) else None
        exact = result if isinstance(result, Fraction) else response
        extremes = self._extremes(position) if self.mapping == "normalize" else None
        level = _level(self.mapping, exact, self.type, self.level_scale, extremes)
        low, high = self.type.low, self.type.high
        return Written(self.mapping, self.samples.dtype.name, low, high, level, pixel, self.level_scale, extremes)

    def _extremes(self, position: Position) -> tuple[Number, Number]:
        """The least and the greatest response of the map, or of all colours together."""
        per_map = self.is_stack and self.response.ndim == 3
        return self._ends[position[2] if per_map else 0]

    @cached_property
    def _ends(self) -> list[tuple[Number, Number]]:
        """The least and the greatest response, of every map or of all."""
        per_map = self.is_stack and self.response.ndim == 3
        values = self.response if per_map else self.response.reshape(-1, 1, 1)
        with np.errstate(invalid="ignore"):
            lows, highs = np.fmin.reduce(values, axis=(0, 1)), np.fmax.reduce(values, axis=(0, 1))
        return list(zip(lows.tolist(), highs.tolist(), strict=True))

    @cached_property
    def _levels(self) -> tuple[Number, Number]:
        """The least and the greatest value that the layer can take."""
        return trace_windows.known_levels(self.arrays[0])


def tracer(
    pipeline: Pipeline,
    image: Any,
    layer: str | None = None,
    *,
    mapping: Mapping = "raw",
    samples: SampleType | None = None,
    level_scale: Fraction = Fraction(1),
) -> Tracer:
    """Run a pipeline up to a layer (the last one by default), so that its values can be traced.

    `mapping`, `samples` and `level_scale` say what is written of the responses, as for `Pipeline.respond`.

    >>> from cnnfilter.model.syntax import parse_pipeline
    >>> found = tracer(parse_pipeline("convolve sobel-v"), [[0, 0, 9], [0, 0, 9], [0, 0, 9]]).at((1, 1))
    >>> found.response, found.how.terms[0].products.tolist()
    (36, [[0, 0, 9], [0, 0, 18], [0, 0, 9]])

    Raises:
        ParameterError: there is no such layer, the image does not fit one, or weights are missing.
    """
    image = as_image(image)
    is_result = layer is None or layer == pipeline.last.name
    part = pipeline if is_result else pipeline.upto(layer or "")
    last = part.last.name
    node = part.told(last)
    outputs = part.outputs(image, [name for name in node.inputs if name != INPUT])
    arrays = tuple(image if name == INPUT else outputs[name] for name in node.inputs)
    tensors, is_stack = part.tensors(image.shape).get(last, NO_TENSORS), part.is_stack(last, image.shape)
    found = Tracer(node, arrays, tensors, outputs[last], None, mapping, samples, level_scale, is_stack)
    if samples is None or mapping == "raw":
        return found
    return dataclasses.replace(found, samples=_samples(found, is_result=is_result))


def _samples(found: Tracer, *, is_result: bool) -> Array:
    """The samples that are written: those that a pipeline's result is rendered to at once, or of a tap's response."""
    rendering = Rendering(found.mapping, found.level_scale, samples=found.type, per_map=found.is_stack)
    if not is_result:
        return rendered(found.response, rendering)[0]
    with naming(found.node), np.errstate(over="ignore", invalid="ignore"):
        return found.node.layer.respond(*found.arrays, tensors=found.tensors, rendering=rendering)[0]


def _level(
    mapping: Mapping,
    response: Fraction | Number,
    samples: SampleType,
    scale: Fraction,
    extremes: tuple[Number, Number] | None,
) -> Number:
    """The mapped response, before it is rounded and clipped."""
    if extremes is not None:
        low, high = extremes
        if high == low:
            return 0
        return float((response - low) * (samples.high - samples.low) / (high - low)) + samples.low
    if not math.isfinite(response):
        return float(response)
    level: Any = response * scale if isinstance(response, int | Fraction) else response * float(scale)
    level = abs(level) if mapping == "abs" else level + samples.middle if mapping == "shift" else level
    return _plain(level)


def _plain(value: Fraction | Number) -> Number:
    """Whole numbers as int, others as float; booleans count as 0 and 1."""
    if isinstance(value, float):
        return value
    return int(value) if value == int(value) else float(value)
