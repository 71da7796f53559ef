"""A pipeline: named layers as a graph, run on an image or summed up without running."""

import math
import os
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np

from cnnfilter.core.convolution import as_image
from cnnfilter.core.geometry import Pair
from cnnfilter.core.samples import SampleType
from cnnfilter.core.vocabulary import Mapping
from cnnfilter.core.words import by, like
from cnnfilter.errors import FileError, ParameterError, UnfitError
from cnnfilter.model import weights as weight_files
from cnnfilter.model.filters import BatchNorm, Conv2d, Learned
from cnnfilter.model.layer import NO_TENSORS, Array, Layer, Shape, Tensors
from cnnfilter.model.pointwise import Dense, Flatten, Sigmoid, Softmax, check_inputs

INPUT = "input"
# What PyTorch calls the tensors of a role.
_TORCH_NAMES = {"weight": "weight", "bias": "bias", "mean": "running_mean", "variance": "running_var"}
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
    """A row of a summary; `bytes` are those of the output, four a value unless the layer was run."""

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


@dataclass(frozen=True, eq=False)
class Node:
    """A layer in its graph: its name, the names of its inputs, and where it was written."""

    name: str
    layer: Layer
    inputs: tuple[str, ...]
    place: str

    def __call__(self, inputs: list[Array], tensors: Tensors) -> Array:
        """The output of the layer."""
        return self.layer(*inputs, tensors=tensors)


# Gets a layer's name, its output, and the seconds that it took.
Observer = Callable[[str, Array, float], None]


@dataclass(frozen=True, eq=False)
class Pipeline:
    """Layers, each taking the output of the one before unless it names its inputs; the last one's is the result.

    `weights` is a file, relative to `folder`; `init = "normal"` draws weights instead, from `seed`.

    >>> from cnnfilter.model.layers import make
    >>> pipeline = Pipeline((make("gray", {}), make("pool", {"size": 4}, "max")))
    >>> pipeline.summary((427, 640, 3)).output_shape
    (106, 160)

    Raises:
        ParameterError: no layers, two of one name, an unknown input, a cycle.
    """

    layers: tuple[Layer, ...]
    name: str = "pipeline"
    weights: str | None = None
    labels: tuple[str, ...] | None = None
    init: str | None = None
    seed: int = 0
    folder: str = ""
    source: str = ""
    places: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", tuple(self.layers))
        if not self.layers:
            raise ParameterError("layers", "a pipeline needs at least one layer")
        if self.init not in (None, "normal"):
            raise ParameterError("init", f"{self.init!r} is not normal")
        _ = self.nodes

    def __getstate__(self) -> dict[str, Any]:
        """The fields alone: what was derived from them, or read from files, each process derives for itself."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    # ------------------------------------------------------------------------------------------------------- graph

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """The layers in an order in which each comes after its inputs."""
        names = self._names()
        repeated = [name for name, count in Counter(names).items() if count > 1]
        if repeated:
            second = names.index(repeated[0], names.index(repeated[0]) + 1)
            raise ParameterError("name", f"{self._at(second)}two layers are called {repeated[0]!r}")
        found = []
        for index, (name, layer) in enumerate(zip(names, self.layers, strict=True)):
            before = names[index - 1] if index else INPUT
            inputs = layer.inputs if layer.inputs is not None else (before,)
            place = self._at(index, name)
            for wanted in inputs:
                if wanted not in (INPUT, *names):
                    raise ParameterError("from", f"{place}there is no layer {wanted!r}{like(wanted, [INPUT, *names])}")
            try:
                check_inputs(layer, len(inputs))
            except ParameterError as error:
                raise ParameterError(error.parameter, f"{place}{error.message}") from error
            if names[-1] in inputs:
                raise ParameterError("from", f"{place}the last layer, {names[-1]!r}, is the result and no input")
            found.append(Node(name, layer, inputs, place))
        return tuple(_in_order(found))

    def _names(self) -> list[str]:
        """The layers' names; those without one are called by their type, numbered where it repeats."""
        taken = {layer.name for layer in self.layers if layer.name}
        seen: Counter[str] = Counter()
        names = []
        for layer in self.layers:
            name = layer.name
            while name is None or (layer.name is None and name in taken):
                seen[layer.type] += 1
                name = layer.type if seen[layer.type] == 1 else f"{layer.type}-{seen[layer.type]}"
            names.append(name)
            taken.add(name)
        return names

    def _at(self, index: int, name: str = "") -> str:
        """Where a layer was written, for messages; nothing for the only one of a command."""
        if len(self.layers) == 1 and not self.places:
            return ""
        place = self.places[index] if index < len(self.places) else f"layer {index + 1}"
        return f"{place}{f' ({name})' if name else ''}: "

    @property
    def last(self) -> Node:
        """The layer whose output is the result: the last one written."""
        name = self._names()[-1]
        return self.node(name)

    def node(self, name: str) -> Node:
        """The layer of that name.

        Raises:
            ParameterError: there is none.
        """
        for node in self.nodes:
            if node.name == name:
                return node
        names = [node.name for node in self.nodes]
        raise ParameterError("tap", f"there is no layer {name!r}{like(name, names)}")

    def shapes(self, input_shape: Shape) -> dict[str, Shape]:
        """The shape of every layer's output, and of the input.

        Raises:
            UnfitError: names the layer that an input does not fit.
        """
        if len(input_shape) not in (2, 3) or not all(isinstance(n, int) and n > 0 for n in input_shape):
            raise ParameterError("input_shape", f"{input_shape} is not (height, width) or (height, width, channels)")
        shapes = {INPUT: tuple(input_shape)}
        for node in self._told_nodes:
            with _naming(node):
                shapes[node.name] = node.layer.output_shape(*(shapes[name] for name in node.inputs))
        return shapes

    @property
    def gives_vector(self) -> bool:
        """Whether the result is a vector, which no picture can show."""
        vectors = {INPUT: False}
        for node in self.nodes:
            vectors[node.name] = isinstance(node.layer, Flatten | Dense) or vectors[node.inputs[0]]
        return vectors[self.last.name]

    def carried_alpha(self, alpha: Array) -> Array | None:
        """The transparency of the result, where all layers, one after the other, are ones that keep it."""
        below = INPUT
        for node in self.nodes:
            carried = node.layer.carried_alpha(alpha) if node.inputs == (below,) else None
            if carried is None:
                return None
            alpha, below = carried, node.name
        return alpha

    def is_stack(self, name: str, input_shape: Shape) -> bool:
        """Whether the channels of a layer's output are feature maps rather than colours."""
        stacks = {INPUT: len(input_shape) == 3 and input_shape[2] not in (1, 3)}
        for node in self.nodes:
            stacks[node.name] = node.layer.makes_maps or any(stacks[above] for above in node.inputs)
        return stacks[name]

    # ------------------------------------------------------------------------------------------------------- weights

    @cached_property
    def _file(self) -> weight_files.Weights | None:
        """The weights file, opened when it is first needed."""
        return weight_files.load(os.path.join(self.folder, self.weights)) if self.weights else None

    @cached_property
    def _told_nodes(self) -> tuple[Node, ...]:
        """The nodes, with sizes and bias that only the weights file tells filled in."""
        return tuple(replace(node, layer=self._told(node)) for node in self.nodes)

    def _told(self, node: Node) -> Layer:
        layer = node.layer
        if not isinstance(layer, Learned):
            return layer
        unknown = (isinstance(layer, Conv2d) and None in (layer.filters, layer.size)) or (
            isinstance(layer, Dense) and layer.units is None
        )
        needs_bias = layer.bias is None and layer.params is not None
        if (unknown or needs_bias) and self._file is not None and layer.init is None:
            told: dict[str, Any] = {}
            name = _tensor_name(layer, "weight")
            if unknown and name is not None and isinstance(layer, Conv2d | Dense):
                with _naming(node):
                    told = layer.told_by(self._shape_in_file(node, name))
            if needs_bias:
                told["bias"] = f"{layer.params}.bias" in self._file.shapes
            return replace(layer, **told)
        return layer

    def _shape_in_file(self, node: Node, name: str) -> Shape:
        assert self._file is not None
        if name not in self._file.shapes:
            near = like(name, [*self._file.shapes])
            raise UnfitError("weights", f"{node.place}{self.weights} has no tensor {name!r}{near}")
        return self._file.shapes[name]

    def check_weights(self) -> None:
        """Refuse a lack of weights, a file of them that cannot be read, or one that lacks a tensor.

        Raises:
            ParameterError: names the file and the layer that wants the tensor.
        """
        try:
            _ = self._file
            for node in self._told_nodes:
                layer = node.layer
                if not isinstance(layer, Learned) or layer.init or self.init:
                    continue
                roles = ("weight", "mean", "variance") if isinstance(layer, BatchNorm) else ("weight",)
                for role in roles:
                    name = _tensor_name(layer, role)
                    if self._file is not None and name is not None:
                        self._shape_in_file(node, name)
                    elif getattr(layer, role) is None and not (isinstance(layer, BatchNorm) and name is None):
                        raise UnfitError("weights", self._lack(node, role))
        except FileError as error:
            wants = next((node.place for node in self.nodes if isinstance(node.layer, Learned)), "")
            raise ParameterError("weights", f"{wants}{error}") from error

    def tensors(self, input_shape: Shape) -> dict[str, Tensors]:
        """The tensors of every layer that has some, for an input of that shape.

        Raises:
            ParameterError: no weights, a missing tensor, or one of the wrong shape; says which layer wanted what.
        """
        shapes = self.shapes(input_shape)
        needs = {
            node.name: (node, [shapes[name] for name in node.inputs])
            for node in self._told_nodes
            if isinstance(node.layer, Learned)
        }
        wanted = {name: node.layer.tensors(*inputs) for name, (node, inputs) in needs.items()}
        if self._loaded.get("wanted") != wanted:  # the next image of a batch mostly wants the same
            self._loaded["tensors"] = {name: self._tensors_of(node, inputs) for name, (node, inputs) in needs.items()}
            self._loaded["wanted"] = wanted
        tensors: dict[str, Tensors] = self._loaded["tensors"]
        return tensors

    @cached_property
    def _loaded(self) -> dict[str, Any]:
        """The tensors of the last run and the shapes that were wanted for it."""
        return {}

    def _tensors_of(self, node: Node, shapes: Sequence[Shape]) -> Tensors:
        layer = node.layer
        assert isinstance(layer, Learned)
        found = {}
        for role, shape in layer.tensors(*shapes).items():
            given = getattr(layer, role)
            if isinstance(given, np.ndarray):
                found[role] = np.asarray(given, np.float32)
                _check_shape(node, role, found[role].shape, shape)
                continue
            name = _tensor_name(layer, role)
            if self._file is not None and name is not None and layer.init is None:
                _check_shape(node, name, self._shape_in_file(node, name), shape)
                found[role] = self._file[name]
            elif layer.init or self.init:
                seed = self.seed if layer.seed is None else layer.seed
                found[role] = _drawn(role, shape, [seed, zlib.crc32(node.name.encode())])
            elif isinstance(layer, BatchNorm) and name is None:
                found[role] = _drawn(role, shape, [])
            else:
                raise UnfitError("weights", self._lack(node, role))
        return found

    def _lack(self, node: Node, role: str) -> str:
        where = f"{self.source}: " if self.source else ""
        return f'{where}{node.place}{node.layer.type} has no {role}: name a file in weights, or init = "normal"'

    # ------------------------------------------------------------------------------------------------------- running

    def run(self, image: Any) -> Array:
        """The output of the last layer for an image, height x width [x channels], unmapped and unrounded.

        Raises:
            ParameterError: the image does not fit a layer, or weights are missing.
        """
        return self.outputs(image)[self.last.name]

    def outputs(self, image: Any, names: Iterable[str] = (), observe: Observer | None = None) -> dict[str, Array]:
        """The outputs of the named layers and of the last, unmapped; `observe` gets every layer's as it is made."""
        kept = {self.node(name).name for name in names} | {self.last.name}
        return self._run(as_image(image), kept, observe, Node.__call__)

    def respond(
        self,
        image: Array,
        mapping: Mapping = "raw",
        samples: SampleType | None = None,
        level_scale: Fraction = Fraction(1),
        observe: Observer | None = None,
        names: Iterable[str] = (),
    ) -> tuple[Array, int, dict[str, Array]]:
        """(response or samples of the last layer, number of values clipped, outputs of the named layers, unmapped)."""
        last = self.last.name
        is_stack = self.is_stack(last, image.shape)
        clips = []

        def apply(node: Node, inputs: list[Array], tensors: Tensors) -> Array:
            if node.name != last:
                return node(inputs, tensors)
            result, clipped = node.layer.respond(
                *inputs, tensors=tensors, mapping=mapping, samples=samples, level_scale=level_scale, is_stack=is_stack
            )
            clips.append(clipped)
            return result

        outputs = self._run(image, {last, *names}, observe, apply)
        return outputs.pop(last), clips[0], outputs

    def _run(
        self,
        image: Array,
        kept: set[str],
        observe: Observer | None,
        apply: Callable[[Node, list[Array], Tensors], Array],
    ) -> dict[str, Array]:
        """Apply every layer; memory of an output is freed as soon as no later layer needs it."""
        tensors = self.tensors(image.shape)
        alive: dict[str, Array] = {INPUT: image}
        for node, unneeded in self._schedule(kept):
            started = time.perf_counter()
            with _naming(node), np.errstate(over="ignore", invalid="ignore"):
                inputs = [alive[name] for name in node.inputs]
                alive[node.name] = output = apply(node, inputs, tensors.get(node.name, NO_TENSORS))
            if observe is not None:
                observe(node.name, output, time.perf_counter() - started)
            del inputs, output
            for name in unneeded:
                del alive[name]
        return {name: alive[name] for name in kept}

    def _schedule(self, kept: set[str]) -> Iterator[tuple[Node, list[str]]]:
        """Every node with the names whose outputs nothing needs after it."""
        nodes = self._told_nodes
        last_use = {INPUT: -1} | {node.name: index for index, node in enumerate(nodes)}
        for index, node in enumerate(nodes):
            last_use |= dict.fromkeys(node.inputs, index)
        for index, node in enumerate(nodes):
            yield node, [name for name, use in last_use.items() if use == index and name not in kept]

    # ------------------------------------------------------------------------------------------------------- summary

    def summary(self, input_shape: Shape) -> Summary:
        """Shapes, parameters, cost and receptive fields for an input of that shape; nothing is computed.

        Raises:
            UnfitError: names the layer that an input does not fit.
        """
        shapes = self.shapes(input_shape)
        seen: dict[str, ReceptiveField | None] = {INPUT: ReceptiveField()}
        rows = []
        for node in self._told_nodes:
            inputs = [shapes[name] for name in node.inputs]
            seen[node.name] = field = _field(node, inputs, [seen[name] for name in node.inputs])
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
                )
            )
        last, params = self.last.name, sum(row.params for row in rows)
        stored = sum(
            math.prod(shape)
            for node in self._told_nodes
            for shape in node.layer.tensors(*(shapes[name] for name in node.inputs)).values()
        )
        field = seen[last]
        return Summary(
            shapes[INPUT],
            tuple(rows),
            shapes[last],
            params,
            sum(row.macs for row in rows),
            self._memory(shapes),
            stored * VALUE_BYTES,
            field.size if field else None,
        )

    def _memory(self, shapes: dict[str, Shape]) -> int:
        """The peak of bytes in the outputs that are alive at one time, four a value."""
        alive = {INPUT}
        peak = 0
        for node, unneeded in self._schedule({self.last.name}):
            alive.add(node.name)
            peak = max(peak, sum(math.prod(shapes[name]) for name in alive))
            alive -= set(unneeded)
        return peak * VALUE_BYTES

    # ------------------------------------------------------------------------------------------------------- result

    def classes(self, output: Array) -> list[tuple[str, float]] | None:
        """(label, probability), the likeliest first, where the last layer is softmax or sigmoid over a vector."""
        if not isinstance(self.last.layer, Softmax | Sigmoid) or output.ndim != 1:
            return None
        labels = self.labels or tuple(map(str, range(len(output))))
        if len(labels) != len(output):
            raise UnfitError("labels", f"there are {len(labels)} labels for {len(output)} classes")
        order = np.argsort(-output, kind="stable").tolist()
        return [(labels[i], float(output[i])) for i in order]

    def __str__(self) -> str:
        from cnnfilter.model.syntax import to_steps

        return to_steps(self)

    def to_toml(self) -> str:
        """The pipeline as a file that `load_pipeline` reads."""
        from cnnfilter.model.syntax import to_toml

        return to_toml(self)


class _naming:  # noqa: N801 - used as a function
    """Errors within are told of a layer: where it was written and its name; the one layer of a command is known."""

    def __init__(self, node: Node) -> None:
        self.node = node

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        place = self.node.place
        if place and isinstance(error, ParameterError) and not error.message.startswith(place):
            key = f"{error.parameter}: " if error.parameter not in ("", "weights") else ""
            message = error.message.removeprefix(f"{self.node.layer.type} ")
            raise type(error)("", f"{place}{key}{message}") from error


def _in_order(nodes: list[Node]) -> Iterator[Node]:
    """The nodes, each after its inputs, else in the order in which they were written."""
    done = {INPUT}
    waiting = list(nodes)
    while waiting:
        ready = next((node for node in waiting if done.issuperset(node.inputs)), None)
        if ready is None:
            names = " and ".join(repr(node.name) for node in waiting[:3])
            raise ParameterError("from", f"{waiting[0].place}{names} wait for each other: a cycle")
        waiting.remove(ready)
        done.add(ready.name)
        yield ready


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


def _tensor_name(layer: Learned, role: str) -> str | None:
    """What the weights file calls a layer's tensor of a role."""
    given = getattr(layer, role, None)
    if isinstance(given, str):
        return given
    return f"{layer.params}.{_TORCH_NAMES[role]}" if layer.params is not None else None


def _check_shape(node: Node, name: str, came: Shape, wanted: Shape) -> None:
    if came == wanted:
        return
    layer, hint = node.layer, ""
    if isinstance(layer, Conv2d) and (came[0], came[2:]) == (wanted[0], wanted[2:]) and len(came) == 4:
        takes = came[1] * layer.groups
        hint = f": the input has {wanted[1] * layer.groups} channels, the weights take {takes}"
        hint += "; put gray before it" if takes == 1 else ""
        hint += "; a picture in colour (no gray) has 3" if takes == 3 else ""
    if isinstance(layer, Dense) and len(came) == 2 and came[0] == wanted[0]:
        hint = f": {wanted[1]} values came, the weights take {came[1]}; a resize at the beginning would fit the size"
    raise UnfitError("weights", f"{node.place}the tensor {name} is {by(came)}, {by(wanted)} is wanted{hint}")


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
