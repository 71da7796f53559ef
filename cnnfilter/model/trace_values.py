"""How a value of a layer without windows comes about: from which values of its inputs, by which formula."""

import re
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import cast

import numpy as np

from cnnfilter.core.gray import GRAY_WEIGHTS
from cnnfilter.core.numbers import exact
from cnnfilter.core.words import figure
from cnnfilter.model.activations import Elu, LeakyRelu
from cnnfilter.model.classifier import Dense, Flatten, Softmax
from cnnfilter.model.joining import Add, Concat, Multiply
from cnnfilter.model.layer import Array, Layer, Tensors
from cnnfilter.model.learned import BatchNorm
from cnnfilter.model.preparing import Crop, Gray, Scale, Standardize
from cnnfilter.model.trace_windows import weighted_term
from cnnfilter.model.traced import Combined, Number, Position, Source, Weighted

# What functions of one value are called, and how they are worked out.
_FUNCTIONS = {
    "relu": "max(x, 0)",
    "relu6": "min(max(x, 0), 6)",
    "sigmoid": "1 / (1 + exp(-x))",
    "tanh": "tanh(x)",
    "silu": "x / (1 + exp(-x))",
    "abs": "abs(x)",
    "dropout": "x",
}


def combined(
    layer: Layer, names: Sequence[str], arrays: Sequence[Array], position: Position, tensors: Tensors
) -> Combined | Weighted:
    """How the layer's output at `position` comes from its inputs, `arrays`, which are called `names`."""
    if isinstance(layer, Dense):
        return _dense(arrays[0], position, tensors)
    if isinstance(layer, Add | Multiply):
        return _joined(layer, names, arrays, position)
    if isinstance(layer, Concat):
        return _concatenated(names, arrays, position)
    if isinstance(layer, Flatten):
        shape = arrays[0].shape
        where = np.unravel_index(position[0], shape if len(shape) < 3 else (shape[2], *shape[:2]))
        found = tuple(int(index) for index in where)
        source = (*found[1:], found[0]) if len(found) == 3 else found
        return _single(names[0], arrays[0], source, "x")
    if isinstance(layer, Crop):
        sizes = layer.output_shape(arrays[0].shape)
        offset = [(arrays[0].shape[axis] - sizes[axis]) // 2 for axis in (0, 1)]
        source = (position[0] + offset[0], position[1] + offset[1], *position[2:])
        return _single(names[0], arrays[0], source, "x")
    if isinstance(layer, Gray):
        return _gray(layer, names[0], arrays[0], position)
    if isinstance(layer, Softmax):
        return _softmax(names[0], arrays[0], position)
    return _of_one(layer, names[0], arrays[0], position, tensors)


def _of_one(layer: Layer, name: str, array: Array, position: Position, tensors: Tensors) -> Combined:
    """Functions of the value at the same position."""
    channel = position[-1] if len(position) != 2 else 0
    if isinstance(layer, LeakyRelu):
        return _single(name, array, position, "x if x >= 0 else slope * x", {"slope": layer.slope})
    if isinstance(layer, Elu):
        return _single(name, array, position, "x if x > 0 else alpha * (exp(x) - 1)", {"alpha": layer.alpha})
    if isinstance(layer, Scale):
        return _single(name, array, position, "x * by", {"by": float(exact(layer.by, "by"))})
    if isinstance(layer, Standardize):
        mean, std = (cast("tuple[float, ...]", values) for values in (layer.mean, layer.std))
        numbers: dict[str, Number] = {"mean": mean[channel % len(mean)], "std": std[channel % len(std)]}
        return _single(name, array, position, "(x - mean) / std", numbers)
    if isinstance(layer, BatchNorm):
        return _single(name, array, position, *_batchnorm(layer, array, channel, tensors))
    return _single(name, array, position, _FUNCTIONS.get(layer.type, layer.type))


def _batchnorm(layer: BatchNorm, array: Array, channel: int, tensors: Tensors) -> tuple[str, dict[str, Number]]:
    formula = "(x - mean) / sqrt(variance + epsilon)"
    if not layer.is_learned:
        plane = array[..., channel] if array.ndim == 3 else array
        values = plane.astype(np.float64)
        return formula, {"mean": float(values.mean()), "variance": float(values.var()), "epsilon": layer.epsilon}
    numbers: dict[str, Number] = {role: float(values[channel]) for role, values in tensors.items()}
    ending = " * weight" + (" + bias" if "bias" in numbers else "")
    return formula + ending, numbers | {"epsilon": layer.epsilon}


def _gray(layer: Gray, name: str, array: Array, position: Position) -> Combined:
    if array.ndim == 2 or array.shape[2] == 1:
        return _single(name, array, (*position[:2], 0)[: array.ndim], "x")
    channels = array.shape[2]
    sources = [_source(name, array, (*position[:2], channel)) for channel in range(channels)]
    values = [figure(source.value) for source in sources]
    if layer.gray == "luma":
        formula = "(19595 R + 38470 G + 7471 B) / 65536"
        sum_ = " + ".join(f"{weight} * {value}" for weight, value in zip(GRAY_WEIGHTS, values, strict=True))
        return Combined(tuple(sources), formula, f"({sum_}) / 65536")
    worked = f"({' + '.join(values if channels <= _FEW else [*values[:_FEW], '...'])}) / {channels}"
    return Combined(tuple(sources), "the mean of the channels", worked)


# Values that are written out in a sum.
_FEW = 8


def _softmax(name: str, array: Array, position: Position) -> Combined:
    values = (array[position[:2]].reshape(-1) if array.ndim > 1 else array).astype(np.float64)
    greatest = float(values.max())
    with np.errstate(invalid="ignore", over="ignore"):
        total = float(np.exp(values - greatest).sum())
    own = _source(name, array, position)
    rank = int((values > float(own.value)).sum()) + 1
    worked = f"exp({figure(own.value)} - {figure(greatest)}) / {figure(total)}"
    numbers: dict[str, Number] = {"max": greatest, "sum": total, "rank": rank, "classes": values.size}
    return Combined((own,), "exp(x - max) / sum of exp(x - max)", worked, numbers)


def _dense(array: Array, position: Position, tensors: Tensors) -> Weighted:
    weights = tensors["weight"][position[0]].astype(np.float64)
    term = weighted_term(array.reshape(1, -1).astype(np.float64), weights.reshape(1, -1), 0)
    bias = float(tensors["bias"][position[0]]) if "bias" in tensors else 0.0
    return Weighted(f"unit {position[0]}", None, None, "zero", (term,), term.sum, bias=bias)


def _joined(layer: Layer, names: Sequence[str], arrays: Sequence[Array], position: Position) -> Combined:
    sources = tuple(_source(name, array, position) for name, array in zip(names, arrays, strict=True))
    sign = "+" if isinstance(layer, Add) else "*"
    worked = f" {sign} ".join(_bracketed(source.value) for source in sources)
    return Combined(sources, f" {sign} ".join(names), worked)


def _concatenated(names: Sequence[str], arrays: Sequence[Array], position: Position) -> Combined:
    """Which input the value comes from: its channels follow those of the inputs before."""
    ends = list(accumulate(array.shape[-1] if array.ndim != 2 else 1 for array in arrays))
    which = bisect_right(ends, position[-1])
    name, array = names[which], arrays[which]
    index = position[-1] - (ends[which - 1] if which else 0)
    return _single(name, array, (*position[:-1], index) if array.ndim != 2 else position[:2], "x")


def _single(
    name: str, array: Array, position: Position, formula: str, numbers: dict[str, Number] | None = None
) -> Combined:
    """A function of one value x and named numbers, with all of them filled in."""
    source = _source(name, array, position)
    worked = formula
    for word, value in {"x": source.value, **(numbers or {})}.items():
        worked = re.sub(rf"\b{word}\b(?!\()", _bracketed(value), worked)
    return Combined((source,), formula, worked, numbers or {})


def _bracketed(value: Number) -> str:
    """A number within a formula; negative ones in brackets."""
    text = figure(value)
    return f"({text})" if text.startswith("-") else text


def _source(name: str, array: Array, position: Position) -> Source:
    """The value of an input at a position of the output, where sizes of 1 are repeated."""
    wanted = position[: array.ndim] if array.ndim < 3 or len(position) == 3 else (*position, 0)
    index = tuple(0 if size == 1 else place for place, size in zip(wanted, array.shape, strict=True))
    return Source(name, index, array[index].item() if array.dtype.kind != "b" else int(array[index]))
