"""What `inspect` says of a pipeline: its layers, and for an input of a known shape what each of them costs."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnfilter.core.kernels import Kernel
from cnnfilter.model.layer import Layer, Shape
from cnnfilter.model.pipeline import Pipeline
from cnnfilter.model.summary import Summary
from cnnfilter.model.syntax import as_word


@dataclass(frozen=True)
class LayerLine:
    """A layer as it was written: its name, type, inputs (empty where it takes the one before), and settings."""

    name: str
    type: str
    inputs: tuple[str, ...]
    settings: dict[str, str]


@dataclass(frozen=True)
class PipelineReport:
    """A pipeline; `summary` is None where the shape of its input is not known.

    `lacks_weights` says that its weights file is missing: layers of which only the file would tell whether they have a
    bias are counted with one.
    """

    name: str
    weights: str | None
    labels: int | None
    layers: tuple[LayerLine, ...]
    summary: Summary | None
    lacks_weights: bool = False

    def as_dict(self) -> dict[str, Any]:
        """The record as a dictionary.

        Keys: kind, name, weights (the file), labels (their number), input_shape, output_shape, params, macs, memory,
        weight_bytes, receptive_field (null without an input), and layers, a list with name, type, from, settings and,
        with an input, output_shape, params, macs, receptive_field, bytes, weight_bytes and more.
        """
        totals = {"input_shape": None, "output_shape": None, "params": None, "macs": None, "memory": None}
        totals |= {"weight_bytes": None, "receptive_field": None}
        if self.summary is not None:
            totals = {key: self.summary[key] for key in totals}
        rows = [row.as_dict() for row in self.summary.layers] if self.summary else [{} for _ in self.layers]
        written = [{"from": list(line.inputs) or None, "settings": line.settings} for line in self.layers]
        names = [{"name": line.name, "type": line.type} for line in self.layers]
        layers = [name | row | line for name, row, line in zip(names, rows, written, strict=True)]
        own = {"kind": "pipeline", "name": self.name, "weights": self.weights, "labels": self.labels}
        return own | totals | {"layers": layers}


def explain_pipeline(pipeline: Pipeline, shape: Shape | None) -> PipelineReport:
    """What a pipeline is, and what it costs for an input of `shape`; nothing is computed or allocated.

    >>> from cnnfilter.model.syntax import parse_pipeline
    >>> explain_pipeline(parse_pipeline("gray | pool size=4"), (427, 640, 3)).summary.output_shape
    (106, 160)

    Raises:
        UnfitError: names the layer that the input does not fit.
    """
    lines, before = [], "input"
    for node in pipeline.nodes:
        inputs = () if node.inputs == (before,) else node.inputs
        lines.append(LayerLine(node.name, node.layer.type, inputs, _settings(node.layer)))
        before = node.name
    labels = None if pipeline.labels is None else len(pipeline.labels)
    summary = None if shape is None else pipeline.summary(shape)
    return PipelineReport(pipeline.name, pipeline.weights, labels, tuple(lines), summary, pipeline.lacks_weights)


def _settings(layer: Layer) -> dict[str, str]:
    """The keys that differ from their defaults, as text, but those that say where weights come from."""
    hidden = ("name", "inputs", "params", "init", "seed")
    return {key: _text(value) for key, value in layer.keys().items() if key not in hidden}


def _text(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return "(given)"
    return as_word(value.name if isinstance(value, Kernel) else value)
