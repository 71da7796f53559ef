"""A pipeline: named layers as a graph, run on an image or summed up without running."""

import operator
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnfilter.core.arrays import as_image
from cnnfilter.core.samples import RAW, Rendering
from cnnfilter.core.words import like
from cnnfilter.errors import ParameterError, UnfitError
from cnnfilter.model.graph import INPUT, Node, graph_of, names_of, naming
from cnnfilter.model.layer import NO_TENSORS, Array, Layer, Shape, Tensors

if TYPE_CHECKING:
    from cnnfilter.model.summary import Summary
    from cnnfilter.model.tensors import Binding

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

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """The layers in an order in which each comes after its inputs."""
        return graph_of(self.layers, self.places)

    @cached_property
    def _binding(self) -> "Binding":
        from cnnfilter.model.tensors import Binding

        path = None if self.weights is None else os.path.join(self.folder, self.weights)
        return Binding(self.nodes, path, self.init, self.seed, self.source)

    @cached_property
    def _told_nodes(self) -> tuple[Node, ...]:
        """The nodes with what only the weights tell of them; without learned layers nothing is bound."""
        return self._binding.told_nodes if self._learns else self.nodes

    @cached_property
    def _learns(self) -> bool:
        return any(layer.learns for layer in self.layers)

    @property
    def last(self) -> Node:
        """The layer whose output is the result: the last one written."""
        name = names_of(self.layers)[-1]
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

    def told(self, name: str) -> Node:
        """The layer of that name, with sizes and bias that only the weights file tells filled in."""
        return next(node for node in self._binding.told_nodes if node.name == self.node(name).name)

    def upto(self, name: str) -> "Pipeline":
        """The pipeline whose result is that layer's output: the layer and those that it needs.

        Raises:
            ParameterError: there is no such layer.
        """
        if self.node(name).name == self.last.name:
            return self
        needed = {name}
        for node in reversed(self.nodes):
            needed |= set(node.inputs) if node.name in needed else set()
        kept = [node for node in self.nodes if node.name in needed]
        written = dict(zip(names_of(self.layers), self.places, strict=False))
        return replace(
            self,
            layers=tuple(replace(node.layer, name=node.name, inputs=node.inputs) for node in kept),
            places=tuple(written.get(node.name, f"layer {number}") for number, node in enumerate(kept, 1)),
        )

    def shapes(self, input_shape: Shape) -> dict[str, Shape]:
        """The shape of every layer's output, and of the input.

        Raises:
            UnfitError: names the layer that an input does not fit.
        """
        try:
            sizes = tuple(operator.index(n) for n in input_shape)
        except TypeError:
            sizes = ()
        if len(sizes) not in (2, 3) or min(sizes) < 1:
            raise ParameterError("input_shape", f"{input_shape} is not (height, width) or (height, width, channels)")
        shapes: dict[str, Shape] = {INPUT: sizes}
        for node in self._told_nodes:
            with naming(node):
                shapes[node.name] = node.layer.output_shape(*(shapes[name] for name in node.inputs))
        return shapes

    @property
    def gives_vector(self) -> bool:
        """Whether the result is a vector, which no picture can show."""
        vectors = {INPUT: False}
        for node in self.nodes:
            vectors[node.name] = node.layer.gives_vector or vectors[node.inputs[0]]
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

    @property
    def draws_weights(self) -> bool:
        """Whether the weights of any layer are drawn by lot, so that nothing was learnt."""
        return self._binding.draws

    @property
    def lacks_weights(self) -> bool:
        """Whether its weights file is missing; without it the pipeline can be summarised, not run."""
        return self._binding.lacks_file

    def check_weights(self) -> None:
        """Refuse a lack of weights, a file of them that cannot be read, or one that lacks a tensor.

        Raises:
            ParameterError: names the file and the layer that wants the tensor.
        """
        self._binding.check()

    def tensors(self, input_shape: Shape) -> dict[str, Tensors]:
        """The tensors of every layer that has some, for an input of that shape.

        Raises:
            ParameterError: no weights, a missing tensor, or one of the wrong shape; says which layer wanted what.
        """
        shapes = self.shapes(input_shape)
        return self._binding.tensors(shapes) if self._learns else {}

    def run(self, image: Any) -> Array:
        """The output of the last layer for an image, height x width [x channels], unmapped and unrounded.

        >>> from cnnfilter.model.syntax import parse_pipeline
        >>> parse_pipeline("convolve '-1 1' padding=valid | relu").run([[5, 3, 9]]).tolist()
        [[0, 6]]

        Raises:
            ParameterError: the image does not fit a layer, or weights are missing.
        """
        return self.outputs(image)[self.last.name]

    def outputs(self, image: Any, names: Iterable[str] = (), observe: Observer | None = None) -> dict[str, Array]:
        """The outputs of the named layers and of the last, unmapped; `observe` gets every layer's as it is made.

        Raises:
            ParameterError: there is no such layer, the image does not fit one, or weights are missing.
        """
        kept = {self.node(name).name for name in names} | {self.last.name}
        return self._run(as_image(image), kept, observe, Node.__call__)

    def respond(
        self,
        image: Array,
        rendering: Rendering = RAW,
        observe: Observer | None = None,
        names: Iterable[str] = (),
    ) -> tuple[Array, int, dict[str, Array]]:
        """(response or samples of the last layer, number of values clipped, outputs of the named layers, unmapped).

        Feature maps are rendered each on its own.

        Raises:
            ParameterError: the image does not fit a layer, or weights are missing.
        """
        last = self.last.name
        rendering = rendering._replace(per_map=self.is_stack(last, image.shape))
        clips = []

        def apply(node: Node, inputs: list[Array], tensors: Tensors) -> Array:
            if node.name != last:
                return node(inputs, tensors)
            result, clipped = node.layer.respond(*inputs, tensors=tensors, rendering=rendering)
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
            with naming(node), np.errstate(over="ignore", invalid="ignore"):
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

    def cost(self, input_shape: Shape) -> tuple[int, int]:
        """(parameters, multiply-accumulates) of all layers for an input of that shape.

        Raises:
            UnfitError: names the layer that an input does not fit.
        """
        shapes = self.shapes(input_shape)
        inputs = [(node.layer, [shapes[name] for name in node.inputs]) for node in self._told_nodes]
        return sum(layer.parameters(*of) for layer, of in inputs), sum(layer.macs(*of) for layer, of in inputs)

    def summary(self, input_shape: Shape) -> "Summary":
        """Shapes, parameters, cost and receptive fields for an input of that shape; nothing is computed.

        Raises:
            UnfitError: names the layer that an input does not fit.
        """
        from cnnfilter.model.summary import summarize

        last = self.last.name
        return summarize(self._told_nodes, last, self.shapes(input_shape), self._schedule({last}))

    def classes(self, output: Array) -> list[tuple[str, float]] | None:
        """(label, probability), the likeliest first, where the last layer is softmax or sigmoid over a vector.

        Raises:
            UnfitError: there are labels, but not one a class.
        """
        if not self.last.layer.gives_probabilities or output.ndim != 1:
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
