"""One vocabulary in three places: what commands, layers of pipelines and functions call a thing, and its default."""

from __future__ import annotations

import inspect
from dataclasses import MISSING, fields
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import click
import pytest

import cnnfilter
from cnnfilter.cli.operations import parameters
from cnnfilter.core.convolution import Convolution
from cnnfilter.core.pooling import Pooling
from cnnfilter.model.layers import LAYERS

if TYPE_CHECKING:
    from collections.abc import Callable

Defaults = dict[str, Any]
# What a place has for reasons of its own: the array, how responses are written, several kernels, a layer's place.
NOT_SHARED = {"image", "mapping", "kernels", "kernel", "is_global", "name", "inputs"}


def shared(defaults: Defaults) -> Defaults:
    return {name: default for name, default in defaults.items() if name not in NOT_SHARED}


def of_function(function: Callable[..., Any]) -> Defaults:
    return shared({name: each.default for name, each in inspect.signature(function).parameters.items()})


def of_layer(name: str) -> Defaults:
    return shared({field.name: field.default for field in fields(LAYERS[name]) if field.default is not MISSING})


def of_command(name: str) -> Defaults:
    """The defaults of a command's options as numbers where they are numbers; what has none is None."""
    found = {}
    for option in parameters(name).values():
        assert isinstance(option, click.Option)
        text = option.default if isinstance(option.default, str) else ""
        default = text or (False if option.is_flag else None)
        found[str(option.name)] = int(text) if text.isdecimal() else default
    return shared(found)


@pytest.mark.parametrize(
    ("name", "function", "operation"),
    [("convolve", cnnfilter.convolve, Convolution.of), ("pool", cnnfilter.pool, Pooling.of)],
)
def test_commands_layers_and_functions_have_the_same_words_and_defaults(
    name: str, function: Callable[..., Any], operation: Callable[..., Any]
) -> None:
    wanted = of_layer(name)
    assert len(wanted) >= 7
    assert of_function(function) == wanted
    assert of_function(operation) == wanted
    assert of_command(name) == wanted


def test_conv2d_and_its_layer_have_the_same_words_and_defaults() -> None:
    layer, function = of_layer("conv2d"), of_function(cnnfilter.conv2d)
    both = layer.keys() & function.keys()
    assert both == {"stride", "padding", "pad_mode", "dilation", "groups", "weight", "bias"}
    for name in both - {"weight"}:
        assert layer[name] == function[name], name


@pytest.mark.parametrize("text", ["1/9", "0.25", "3"])
def test_numbers_are_read_alike_in_the_three_places(text: str) -> None:
    image = [[1, 2, 3], [4, 5, 6]]
    exact = float(Fraction(text)) * 2
    assert cnnfilter.convolve(image, "identity", scale=text)[0, 1] == pytest.approx(exact)
    assert cnnfilter.parse_pipeline(f"convolve identity scale={text}").run(image)[0, 1] == pytest.approx(exact)


PUBLIC = [name for name in cnnfilter.__all__ if not name.endswith("Error")]


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_documented_with_an_example(name: str) -> None:
    assert ">>>" in (inspect.getdoc(getattr(cnnfilter, name)) or "")
