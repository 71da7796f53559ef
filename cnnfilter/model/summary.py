"""What a pipeline costs, told without running it: shapes, parameters, multiply-accumulates, receptive fields."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

from cnnfilter.core.geometry import Pair
from cnnfilter.model.graph import INPUT, Node
from cnnfilter.model.layer import Shape

VALUE_BYTES = 4


class Keyed:
    """A record whose fields can be read as attributes or by key."""

    def __getitem__(self, key: str) -> Any:
        if key not in self.keys():
            raise KeyError(key)
        return getattr(self, key)

    def keys(self) -> list[str]:
        """The names of the fields."""
        return [field.name for field in fields(self)]  # type: ignore[arg-type]

    def as_dict(self) -> dict[str, Any]:
        """The fields by name."""
        return {key: getattr(self, key) for key in self.keys()}


@dataclass(frozen=True)
class ReceptiveField:
    """What one value sees of the input along (y, x): its extent, the step to its neighbour's, and the padding before.

    Source: Araujo, Norris and Sim, "Computing receptive fields of convolutional neural networks", 2019.
    """

    size: Pair = (1, 1)
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)


@dataclass(frozen=True)
class LayerReport(Keyed):
    """A row of a summary; `bytes` are those of the output, four a value unless the layer was run.

    `weight_bytes` are those of its tensors, running statistics included.
    """

    name: str
    type: str
    output_shape: Shape
    params: int
    macs: int
    receptive_field: Pair | None
    bytes: int
    seconds: float | None = None
    effective_stride: Pair | None = None
    effective_padding: Pair | None = None
    weight_bytes: int = 0


@dataclass(frozen=True)
class Summary(Keyed):
    """Shapes and cost of a pipeline for one input.

    One multiply-accumulate counts one; bias adds none. `memory` is the peak of bytes in the outputs alive at one time,
    the input included; `receptive_field` is that of the last layer.
    """

    input_shape: Shape
    layers: tuple[LayerReport, ...]
    output_shape: Shape
    params: int
    macs: int
    memory: int
    weight_bytes: int
    receptive_field: Pair | None


def summarize(
    nodes: Sequence[Node], last: str, shapes: dict[str, Shape], schedule: Iterable[tuple[Node, list[str]]]
) -> Summary:
    """The summary of layers whose outputs have `shapes`; `schedule` says which outputs each step frees."""
    seen: dict[str, ReceptiveField | None] = {INPUT: ReceptiveField()}
    rows = []
    for node in nodes:
        inputs = [shapes[name] for name in node.inputs]
        seen[node.name] = field = _field(node, inputs, [seen[name] for name in node.inputs])
        weights = VALUE_BYTES * sum(math.prod(shape) for shape in node.layer.tensors(*inputs).values())
        rows.append(
            LayerReport(
                node.name,
                node.layer.type,
                shapes[node.name],
                node.layer.parameters(*inputs),
                node.layer.macs(*inputs),
                field.size if field else None,
                math.prod(shapes[node.name]) * VALUE_BYTES,
                None,
                field.stride if field else None,
                field.padding if field else None,
                weights,
            )
        )
    field = seen[last]
    return Summary(
        shapes[INPUT],
        tuple(rows),
        shapes[last],
        sum(row.params for row in rows),
        sum(row.macs for row in rows),
        _memory(shapes, schedule),
        sum(row.weight_bytes for row in rows),
        field.size if field else None,
    )


def _memory(shapes: dict[str, Shape], schedule: Iterable[tuple[Node, list[str]]]) -> int:
    """The peak of bytes in the outputs that are alive at one time, four a value."""
    alive, peak = {INPUT}, 0
    for node, unneeded in schedule:
        alive.add(node.name)
        peak = max(peak, sum(math.prod(shapes[name]) for name in alive))
        alive -= set(unneeded)
    return peak * VALUE_BYTES


def _field(node: Node, shapes: Sequence[Shape], above: Sequence[ReceptiveField | None]) -> ReceptiveField | None:
    """The receptive field of a layer from those of its inputs: where branches meet, the largest."""
    windows = node.layer.windows(*shapes)
    known = [field for field in above if field is not None]
    if windows is None or len(known) < len(above):
        return None
    size, stride, padding = (
        tuple(max(getattr(field, part)[axis] for field in known) for axis in (0, 1))
        for part in ("size", "stride", "padding")
    )
    grown = [
        (
            size[axis] + (windows.extent[axis] - 1) * stride[axis],
            stride[axis] * windows.stride[axis],
            padding[axis] + windows.padding[axis][0] * stride[axis],
        )
        for axis in (0, 1)
    ]
    (y, x) = grown
    return ReceptiveField((y[0], x[0]), (y[1], x[1]), (y[2], x[2]))
