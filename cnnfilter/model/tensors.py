"""Weights bound to the layers of a pipeline: from arrays, from a file, or drawn."""

import math
import os
import zlib
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnfilter.core.words import by, like
from cnnfilter.errors import FileError, UnfitError
from cnnfilter.model.classifier import Dense
from cnnfilter.model.graph import Node, naming
from cnnfilter.model.layer import Array, Layer, Shape, Tensors
from cnnfilter.model.learned import BatchNorm, Conv2d, Learned

if TYPE_CHECKING:
    from cnnfilter.model.weights import Weights

# What PyTorch calls the tensors of a role.
_TORCH_NAMES = {"weight": "weight", "bias": "bias", "mean": "running_mean", "variance": "running_var"}


class Binding:
    """The layers `nodes` with the tensors of the file `weights`, or with drawn ones where `init` says so.

    `source` is the pipeline file, for messages.
    """

    def __init__(self, nodes: Sequence[Node], weights: str | None, init: str | None, seed: int, source: str) -> None:
        self.nodes, self.weights, self.init, self.seed, self.source = nodes, weights, init, seed, source
        self._wanted: dict[str, dict[str, Shape]] | None = None
        self._loaded: dict[str, Tensors] = {}

    @cached_property
    def _file(self) -> "Weights | None":
        """The weights file, opened when it is first needed."""
        if self.weights is None:
            return None
        from cnnfilter.model.weights import load

        return load(self.weights)

    @cached_property
    def lacks_file(self) -> bool:
        """Whether the weights file is missing; shapes and cost are told without it."""
        return self.weights is not None and not os.path.lexists(self.weights)

    @cached_property
    def told_nodes(self) -> tuple[Node, ...]:
        """The nodes, with sizes and bias that only the weights file tells filled in.

        Where the file is missing, a layer whose bias only it would tell has one.
        """
        return tuple(node._replace(layer=self._told(node)) for node in self.nodes)

    def _told(self, node: Node) -> Layer:
        layer = node.layer
        if not isinstance(layer, Learned):
            return layer
        unknown = (isinstance(layer, Conv2d) and None in (layer.filters, layer.size)) or (
            isinstance(layer, Dense) and layer.units is None
        )
        needs_bias = layer.bias is None and layer.params is not None and not self.lacks_file
        if (unknown or needs_bias) and self._file is not None and layer.init is None:
            told: dict[str, Any] = {}
            name = _tensor_name(layer, "weight")
            if unknown and name is not None and isinstance(layer, Conv2d | Dense):
                with naming(node):
                    told = layer.told_by(self._shape_in_file(node, name))
            if needs_bias:
                told["bias"] = f"{layer.params}.bias" in self._file.shapes
            return replace(layer, **told)
        return layer

    def _shape_in_file(self, node: Node, name: str) -> Shape:
        assert self._file is not None
        if name not in self._file.shapes:
            near = like(name, [*self._file.shapes])
            raise self._unfit(node, f"{self.weights} has no tensor {name!r}{near}")
        return self._file.shapes[name]

    @property
    def draws(self) -> bool:
        """Whether any layer's weights are drawn by lot."""
        for layer in (node.layer for node in self.nodes):
            if isinstance(layer, Learned) and not isinstance(layer, BatchNorm):
                in_file = self.weights is not None and _tensor_name(layer, "weight") is not None
                is_array = isinstance(getattr(layer, "weight", None), np.ndarray)
                if not is_array and (layer.init or (self.init and not in_file)):
                    return True
        return False

    def check(self) -> None:
        """Refuse a lack of weights, a file of them that cannot be read, or one that lacks a tensor.

        Raises:
            ParameterError: names the file and the layer that wants the tensor.
        """
        try:
            _ = self._file
            for node in self.told_nodes:
                layer = node.layer
                if not isinstance(layer, Learned) or layer.init or self.init:
                    continue
                roles = ("weight", "mean", "variance") if isinstance(layer, BatchNorm) else ("weight",)
                for role in roles:
                    name = _tensor_name(layer, role)
                    if self._file is not None and name is not None:
                        self._shape_in_file(node, name)
                    elif getattr(layer, role) is None and not (isinstance(layer, BatchNorm) and name is None):
                        raise self._lack(node, role)
        except FileError as error:
            wants = next((node for node in self.nodes if isinstance(node.layer, Learned)), self.nodes[0])
            raise self._unfit(wants, str(error)) from error

    def tensors(self, shapes: dict[str, Shape]) -> dict[str, Tensors]:
        """The tensors of every layer that has some, for inputs of these shapes.

        Raises:
            ParameterError: no weights, a missing tensor, or one of the wrong shape; says which layer wanted what.
        """
        needs = {
            node.name: (node, [shapes[name] for name in node.inputs])
            for node in self.told_nodes
            if isinstance(node.layer, Learned)
        }
        wanted = {name: node.layer.tensors(*inputs) for name, (node, inputs) in needs.items()}
        if self._wanted != wanted:  # the next image of a batch mostly wants the same
            self._loaded = {name: self._tensors_of(node, inputs) for name, (node, inputs) in needs.items()}
            self._wanted = wanted
        return self._loaded

    def _tensors_of(self, node: Node, shapes: Sequence[Shape]) -> Tensors:
        layer = node.layer
        assert isinstance(layer, Learned)
        found = {}
        for role, shape in layer.tensors(*shapes).items():
            given = getattr(layer, role)
            if isinstance(given, np.ndarray):
                found[role] = np.asarray(given, np.float32)
                self._check_shape(node, role, found[role].shape, shape)
                continue
            name = _tensor_name(layer, role)
            if self._file is not None and name is not None and layer.init is None:
                self._check_shape(node, name, self._shape_in_file(node, name), shape)
                found[role] = self._file[name]
            elif layer.init or self.init:
                seed = self.seed if layer.seed is None else layer.seed
                found[role] = _drawn(role, shape, [seed, zlib.crc32(node.name.encode())])
            elif isinstance(layer, BatchNorm) and name is None:
                found[role] = _drawn(role, shape, [])
            else:
                raise self._lack(node, role)
        return found

    def _unfit(self, node: Node, message: str) -> UnfitError:
        """What is wrong with a layer's weights, said of the pipeline file, where there is one."""
        if self.source:
            return UnfitError("file", f"{self.source}: {node.place}{message}")
        return UnfitError("weights", f"{node.place}{message}")

    def _check_shape(self, node: Node, name: str, came: Shape, wanted: Shape) -> None:
        if came != wanted:
            hint = _shape_meant(node.layer, came, wanted)
            raise self._unfit(node, f"the tensor {name} is {by(came)}, {by(wanted)} is wanted{hint}")

    def _lack(self, node: Node, role: str) -> UnfitError:
        lack = f"{node.place}{node.layer.type} has no {role}"
        if self.source:
            lines = 'add the line weights = "FILE" or init = "normal" at the top of'
            return UnfitError("file", f"{self.source}: {lack}; {lines} {self.source}")
        return UnfitError("weights", f"{lack}; --weights FILE or --init normal (in Python weights, init) is needed")


def _tensor_name(layer: Learned, role: str) -> str | None:
    """What the weights file calls a layer's tensor of a role."""
    given = getattr(layer, role, None)
    if isinstance(given, str):
        return given
    return f"{layer.params}.{_TORCH_NAMES[role]}" if layer.params is not None else None


def _shape_meant(layer: Layer, came: Shape, wanted: Shape) -> str:
    """What would fit weights whose shape `came` instead of the one `wanted`, where that is known."""
    if isinstance(layer, Conv2d) and (came[0], came[2:]) == (wanted[0], wanted[2:]) and len(came) == 4:
        takes = came[1] * layer.groups
        meant = {1: "; put gray before it", 3: "; a picture in colour (no gray) has 3"}.get(takes, "")
        return f": the input has {wanted[1] * layer.groups} channels, the weights take {takes}{meant}"
    if isinstance(layer, Dense) and len(came) == 2 and came[0] == wanted[0]:
        return f": {wanted[1]} values came, the weights take {came[1]}; a resize at the beginning would fit the size"
    return ""


def _drawn(role: str, shape: Shape, seeds: list[int]) -> Array:
    """He's initialisation: weights from N(0, 2 / fan in); nothing for bias and mean, one for variance and scale.

    Source: He et al., "Delving deep into rectifiers", 2015.
    """
    if role == "weight" and len(shape) > 1:
        deviation = math.sqrt(2 / math.prod(shape[1:]))
        return (np.random.default_rng(seeds).standard_normal(shape, np.float32) * np.float32(deviation)).astype(
            np.float32
        )
    return np.full(shape, 1 if role in ("weight", "variance") else 0, np.float32)
