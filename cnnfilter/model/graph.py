"""The graph of a pipeline: named layers and what they take, each after its inputs."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from cnnfilter.core.words import like
from cnnfilter.errors import ParameterError
from cnnfilter.model.layer import Array, Layer, Tensors

INPUT = "input"


class Node(NamedTuple):
    """A layer in its graph: its name, the names of its inputs, and where it was written."""

    name: str
    layer: Layer
    inputs: tuple[str, ...]
    place: str

    def __call__(self, inputs: list[Array], tensors: Tensors) -> Array:
        """The output of the layer."""
        return self.layer(*inputs, tensors=tensors)


def graph_of(layers: Sequence[Layer], places: Sequence[str]) -> tuple[Node, ...]:
    """The layers in an order in which each comes after its inputs; `places` is where they were written.

    Raises:
        ParameterError: two layers of one name, an unknown input, a wrong number of them, a cycle.
    """
    names = names_of(layers)
    at = [_place(layers, places, index, name) for index, name in enumerate(names)]
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        second = names.index(repeated[0], names.index(repeated[0]) + 1)
        raise ParameterError("name", f"{at[second]}two layers are called {repeated[0]!r}")
    found = []
    for index, (name, layer) in enumerate(zip(names, layers, strict=True)):
        before = names[index - 1] if index else INPUT
        node = Node(name, layer, layer.inputs if layer.inputs is not None else (before,), at[index])
        _check_inputs(node, names)
        found.append(node)
    return tuple(_in_order(found))


def _check_inputs(node: Node, names: Sequence[str]) -> None:
    layer, count = node.layer, len(node.inputs)
    for wanted in node.inputs:
        if wanted not in (INPUT, *names):
            raise ParameterError("from", f"{node.place}there is no layer {wanted!r}{like(wanted, [INPUT, *names])}")
        if wanted == names[-1]:
            raise ParameterError("from", f"{node.place}the last layer, {wanted!r}, is the result and no input")
    if layer.several and count < 2:
        need = 'two inputs or more; name them, as in from = ["a", "b"]'
        raise ParameterError("from", f"{node.place}{layer.type} takes {need}")
    if not layer.several and count != 1:
        raise ParameterError("from", f"{node.place}{layer.type} takes one input, {count} are named")


def names_of(layers: Sequence[Layer]) -> list[str]:
    """The layers' names; those without one are called by their type, numbered where it repeats."""
    taken = {layer.name for layer in layers if layer.name}
    seen: Counter[str] = Counter()
    names = []
    for layer in layers:
        name = layer.name
        while name is None or (layer.name is None and name in taken):
            seen[layer.type] += 1
            name = layer.type if seen[layer.type] == 1 else f"{layer.type}-{seen[layer.type]}"
        names.append(name)
        taken.add(name)
    return names


def _place(layers: Sequence[Layer], places: Sequence[str], index: int, name: str) -> str:
    """Where a layer was written, for messages; nothing for the only one of a command."""
    if len(layers) == 1 and not places:
        return ""
    place = places[index] if index < len(places) else f"layer {index + 1}"
    return f"{place} ({name}): "


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


class naming:  # noqa: N801 - used as a function
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
