"""What is said of types of layers."""

import numpy as np
import pytest

import cnnfilter
from cnnfilter.model.activations import Activation
from cnnfilter.model.explain_layer import PLACES, explain_layer
from cnnfilter.model.layers import LAYERS


@pytest.mark.parametrize("name", LAYERS)
def test_every_type_has_an_example_that_holds_it(name: str) -> None:
    found = explain_layer(name).as_dict()
    assert (found["kind"], found["type"]) == ("layer", name)
    assert name in {layer["type"] for layer in found["layers"]}
    shapes = cnnfilter.parse_pipeline(found["example"]).summary((32, 32, 3)).layers
    assert [layer["output_shape"] for layer in found["layers"]] == [layer.output_shape for layer in shapes]


@pytest.mark.parametrize("name", [name for name, kind in LAYERS.items() if issubclass(kind, Activation)])
def test_values_of_activations_are_those_of_the_layer(name: str) -> None:
    row = np.array([PLACES], np.float32)
    expected = cnnfilter.parse_pipeline(name).run(row)[0].tolist()
    assert explain_layer(name).as_dict()["values"] == [list(pair) for pair in zip(PLACES, expected, strict=True)]


def test_other_layers_have_no_values() -> None:
    assert explain_layer("pool").as_dict()["values"] is None
