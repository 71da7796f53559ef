"""What `inspect` says of a type of layer: its keys, its values where it is a function of one, and an example."""

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnfilter.model.activations import Activation
from cnnfilter.model.layers import LAYERS
from cnnfilter.model.listing import LayerListing, listing
from cnnfilter.model.overview import PipelineReport, explain_pipeline
from cnnfilter.model.syntax import parse_pipeline

# The picture that goes through the examples.
SHAPE = (32, 32, 3)
# Steps with a layer of each type; what is not here follows a conv2d.
EXAMPLES: dict[str, str] = {
    "convolve": "convolve sobel-v stride=2",
    "pool": "pool max size=2",
    "conv2d": "conv2d 8 size=3 padding=1",
    "batchnorm": "conv2d 8 size=3 padding=1 | batchnorm | relu",
    "gray": "gray | convolve sobel-v",
    "resize": "resize 16",
    "crop": "crop 24x24",
    "scale": "scale 1/255 | conv2d 8 size=3",
    "standardize": "scale 1/255 | standardize mean=0.5,0.5,0.5 std=0.25,0.25,0.25",
    "add": "conv2d 3 size=3 padding=1 name=filtered | add from=filtered,input",
    "multiply": "conv2d 3 size=1 | sigmoid name=gate | multiply from=gate,input",
    "concat": "conv2d 8 size=3 padding=1 name=filtered | concat from=filtered,input",
    "flatten": "pool avg size=8 | flatten | dense 10",
    "dense": "pool avg size=8 | flatten | dense 10",
    "dropout": "pool avg size=8 | flatten | dropout 0.5 | dense 10",
    "softmax": "pool avg size=8 | flatten | dense 10 | softmax",
}
# Where the values of activations are told.
PLACES = (-8.0, -4.0, -2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 4.0, 8.0)


@dataclass(frozen=True)
class LayerExplanation:
    """A type of layer, an example, what that costs, and the values of an activation at PLACES."""

    listing: LayerListing
    example: str
    report: PipelineReport
    values: tuple[float, ...] | None

    def as_dict(self) -> dict[str, Any]:
        """Keys: kind, type, meaning, main, keys (with defaults), values ([x, y] pairs or null), example, layers."""
        pairs = None if self.values is None else [list(pair) for pair in zip(PLACES, self.values, strict=True)]
        rest = {"values": pairs, "example": self.example, "layers": self.report.as_dict()["layers"]}
        return {"kind": "layer", **dataclasses.asdict(self.listing), **rest}


def explain_layer(type_name: str) -> LayerExplanation:
    """What a type of layer is.

    >>> explain_layer("relu").values[-3:], explain_layer("softmax").example
    ((2.0, 4.0, 8.0), 'pool avg size=8 | flatten | dense 10 | softmax')
    """
    kind = LAYERS[type_name]
    values = None
    if issubclass(kind, Activation):
        values = tuple(kind()(np.array(PLACES, np.float32)).astype(np.float64).tolist())
    example = EXAMPLES.get(type_name, f"conv2d 8 size=3 padding=1 | {type_name}")
    return LayerExplanation(listing(kind), example, explain_pipeline(parse_pipeline(example), SHAPE), values)
