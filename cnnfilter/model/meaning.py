"""What an output value means, in words: an edge and its direction, an average, a winner."""

import math
from collections.abc import Iterator

import numpy as np

from cnnfilter.core.character import degrees_of, slope
from cnnfilter.core.words import figure
from cnnfilter.model.filters import Convolve
from cnnfilter.model.layer import Array, Layer
from cnnfilter.model.learned import Conv2d
from cnnfilter.model.traced import Combined, Number, Pooled, Weighted

# Parts of the largest possible response from which on an edge is called weak, clear, strong.
WEAK, CLEAR, STRONG = 0.05, 0.25, 0.6
# Part of a kernel's L1 norm that is odd (changes its sign when turned by 180 degrees) from which on it has a direction.
DIRECTED = 0.5
# Sides of a window, counter-clockwise from the right in steps of 45 degrees, and the edges across the way to them.
_SIDES = ("right", "upper right", "top", "upper left", "left", "lower left", "bottom", "lower right")
_EDGES = ("vertical", "diagonal", "horizontal", "diagonal")


def meaning(
    layer: Layer, how: Weighted | Pooled | Combined, response: Number, levels: tuple[Number, Number]
) -> list[str]:
    """Sentences on a value; `levels` are the least and the greatest value that the layer can take."""
    if isinstance(response, float) and math.isnan(response):
        return ["NaN: the window holds NaN, or infinities that cancel"]
    if isinstance(how, Pooled):
        return [*_of_pooled(how), *_of_pool_padding(how)]
    if isinstance(how, Combined):
        return list(_of_combined(layer, how, response))
    if how.window is None:
        return [_of_unit(how, response)]
    return [*_of_window(layer, how, response, levels), *_of_padding(how)]


def _of_window(layer: Layer, how: Weighted, response: Number, levels: tuple[Number, Number]) -> Iterator[str]:
    first = how.terms[0]
    net = float(response) - float(how.bias)
    if len(how.parts) > 1:
        yield _of_gradient(how, net, levels)
        return
    if isinstance(layer, Conv2d) or (isinstance(layer, Convolve) and layer.operation.kernel.is_bank):
        yield from _of_filter(how, net)
        return
    factor = float(how.scale) / how.divisor
    weights = first.weights.astype(np.float64) * factor
    if not weights.any():
        yield "all weights are zero, and so is whatever they meet"
    elif (np.count_nonzero(weights)) == 1:
        (row, column), gain = np.argwhere(weights)[0].tolist(), weights.sum()
        place = how.window.source(row, column) if how.window else None
        yield f"a copy of {_pixel(place)}" + ("" if gain == 1 else f", times {figure(gain)}")
    elif abs(weights.sum()) <= 1e-6 * np.abs(weights).sum():
        yield from _of_differences(how, weights, net, levels)
    elif (weights >= 0).all() or (weights <= 0).all():
        yield _of_average(how, weights)
    else:
        yield _of_detail(how, weights, net)


def _of_differences(how: Weighted, weights: Array, net: float, levels: tuple[Number, Number]) -> Iterator[str]:
    """Kernels that sum to zero answer to differences only."""
    most = weights[weights > 0].sum() * (levels[1] - levels[0]) * len(how.terms)
    strength, share = _strength(net, most)
    direction = direction_of(weights)
    if strength == "no":
        yield f"near zero ({share}): no edge here"
    elif direction is not None:
        yield f"{share}: a {strength} {_edge(*direction, rising=net > 0)}"
    elif _is_round(weights):
        centre = weights[weights.shape[0] // 2, weights.shape[1] // 2]
        brighter = "brighter" if (net > 0) == (centre > 0) else "darker"
        yield f"{share}: a {strength} spot or edge, the centre is {brighter} than what is around it"
    else:
        alike = "like the kernel's pattern" if net > 0 else "like the negative of the kernel's pattern"
        yield f"{share}: a {strength} answer, the window looks {alike}"


def _of_gradient(how: Weighted, net: float, levels: tuple[Number, Number]) -> str:
    """The magnitude says how strong, the two parts say where to."""
    v, h = (float(value) for value in how.parts.values())
    both = [term.weights.astype(np.float64) for term in (how.terms[0], how.terms[-1])]
    turned = (math.cos(angle) * both[0] + math.sin(angle) * both[1] for angle in np.linspace(0, math.pi, 65))
    # A kernel that sums to zero gives most where the samples are greatest under its positive half, least elsewhere.
    most = max(float(np.abs(weights).sum()) / 2 for weights in turned) * len(how.terms) / 2
    most *= (levels[1] - levels[0]) * abs(float(how.scale)) / how.divisor
    strength, share = _strength(net, most)
    if strength == "no":
        return f"near zero ({share}): no edge here"
    return f"{share}: a {strength} {_edge(*_sides(complex(v, -h)), rising=True)}, which v and h tell"


def _edge(start: str, end: str, *, rising: bool) -> str:
    """An edge between two sides, told from the left or the top."""
    if start not in ("left", "upper left", "top", "lower left"):
        start, end, rising = end, start, not rising
    first, last = ("dark", "bright") if rising else ("bright", "dark")
    return f"{_EDGES[_SIDES.index(end) % 4]} edge, from {first} ({start}) to {last} ({end})"


def _strength(net: float, most: float) -> tuple[str, str]:
    """(no, weak, clear or strong; the part of the largest possible response in words)."""
    part = abs(net) / most if most > 0 and math.isfinite(most) else 0.0
    share = f"{part:.0%} of the {figure(most, 4)} possible"
    words = [word for least, word in ((STRONG, "strong"), (CLEAR, "clear"), (WEAK, "weak")) if part >= least]
    return words[0] if words else "no", share


def direction_of(weights: Array) -> tuple[str, str] | None:
    """(where positive weights are not, where they are) of a kernel that answers to one side being brighter.

    >>> direction_of(np.array([[0, 1, 2], [-1, 0, 1], [-2, -1, 0]]))
    ('lower left', 'upper right')
    """
    odd = (weights - weights[::-1, ::-1]) / 2
    if np.abs(odd).sum() < DIRECTED * np.abs(weights).sum():
        return None
    towards = slope(odd)
    return None if abs(towards) <= 1e-6 * np.abs(odd).sum() else _sides(towards)


def _sides(towards: complex) -> tuple[str, str]:
    """(the side that a slope comes from, the one that it goes to)."""
    end = round(degrees_of(towards) / 45) % 8
    return _SIDES[(end + 4) % 8], _SIDES[end]


def _is_round(weights: Array) -> bool:
    return weights.shape[0] == weights.shape[1] and np.allclose(weights, np.rot90(weights), atol=1e-9)


def _of_average(how: Weighted, weights: Array) -> str:
    total, used = float(weights.sum()), weights[weights != 0]
    samples = np.concatenate([term.samples[weights != 0].astype(np.float64) for term in how.terms])
    kind = "the average" if np.ptp(used) <= 1e-9 * abs(used).max() else "the weighted average"
    gain = total * len(how.terms)
    if abs(gain - 1) > 1e-6:
        kind = f"{figure(gain, 4)} times {kind}"
    spread = f"{figure(samples.min())} to {figure(samples.max())}"
    if samples.min() == samples.max():
        return f"{kind} of the {samples.size} samples, which are all {figure(samples.min())}"
    centre = weights[weights.shape[0] // 2, weights.shape[1] // 2] / total
    share = "" if kind.endswith("the average") else f"; the centre counts {centre:.0%}"
    return f"{kind} of the {samples.size} samples, which lie between {spread.replace(' to ', ' and ')}{share}"


def _of_detail(how: Weighted, weights: Array, net: float) -> str:
    """Kernels that keep the brightness and add differences: sharpen, emboss."""
    row, column = weights.shape[0] // 2, weights.shape[1] // 2
    flat = sum(float(term.samples[row, column]) for term in how.terms) * float(weights.sum())
    change = net - flat
    told = f"{figure(flat)} if all were like the centre, {'+' if change >= 0 else ''}{figure(change)} for differences"
    direction = direction_of(weights)
    if abs(change) <= 1e-6 * max(abs(flat), 1):
        return f"{told}: nothing stands out here, the sample stays as it is"
    if direction is not None:
        start, end = direction if change > 0 else direction[::-1]
        return f"{told}: {'lit' if change > 0 else 'in shadow'}, brighter at the {end} than at the {start}"
    outstanding = "brighter" if (change > 0) == (weights[row, column] > 0) else "darker"
    return f"{told}: the centre is {outstanding} than its surroundings, and becomes more so"


def _of_filter(how: Weighted, net: float) -> Iterator[str]:
    """A filter over several channels, with weights of their own."""
    samples = np.concatenate([term.samples.astype(np.float64).ravel() for term in how.terms])
    weights = np.concatenate([term.weights.astype(np.float64).ravel() for term in how.terms])
    norms = float(np.linalg.norm(samples) * np.linalg.norm(weights))
    alike = float(samples @ weights) / norms if norms > 0 and math.isfinite(norms) else 0.0
    words = "looks like the filter" if alike > 0 else "looks like the filter's negative"
    if abs(alike) < WEAK:
        words = "has little to do with the filter"
    yield f"cosine {alike:+.2f}: the window {words}"
    if len(how.terms) > 1:
        top = max(how.terms, key=lambda term: abs(term.sum))
        yield f"channel {top.channel} weighs most: it adds {figure(top.sum)}"


def _of_unit(how: Weighted, response: Number) -> str:
    term = how.terms[0]
    positive, negative = (float(term.products[sign].sum()) for sign in (term.products > 0, term.products < 0))
    return f"{figure(positive)} speak for it, {figure(negative)} against it, the bias is {figure(float(how.bias))}"


def _of_padding(how: Weighted) -> Iterator[str]:
    assert how.window is not None
    padding = how.window.padding
    if padding.any():
        holds = {"zero": "zeros", "reflect": "reflected samples", "symmetric": "mirrored samples"}
        holds |= {"edge": "samples of the border", "wrap": "samples of the opposite side"}
        what = f"{int(padding.sum())} of {padding.size} cells are padding ({holds[how.pad_mode]})"
        dark = ": the border of the image answers, too" if how.pad_mode == "zero" else ""
        yield what + dark


def _of_pooled(how: Pooled) -> Iterator[str]:
    cells = int(how.counted.sum())
    if how.kind == "avg":
        inside = how.samples[how.counted]
        span = f", which lie between {figure(inside.min().item())} and {figure(inside.max().item())}" if cells else ""
        yield f"the mean of {how.count} cells{span}"
        return
    word = "largest" if how.kind == "max" else "smallest"
    if not how.winners:
        yield "no cell of the window lies in the image: nothing to choose from"
    elif how.count == 1:
        others = f"; the other {cells - 1} leave no trace" if cells > 1 else ""
        yield f"{_pixel(how.winners[0])} holds the {word} of {cells} samples{others}"
    else:
        yield f"{how.count} of {cells} samples are the {word}, the first at {_at(how.winners[0])}"


def _of_pool_padding(how: Pooled) -> Iterator[str]:
    left = how.samples.size - int(how.counted.sum())
    if left:
        yield f"{left} of {how.samples.size} cells lie beyond the image and are not counted"


def _of_combined(layer: Layer, how: Combined, response: Number) -> Iterator[str]:
    value = how.sources[0].value
    if layer.type in ("relu", "relu6"):
        cut = "negative: cut to zero" if value < 0 else "passes unchanged"
        yield "above six: cut to six" if layer.type == "relu6" and value > 6 else cut
    elif layer.type in ("leaky-relu", "elu"):
        yield "passes unchanged" if value >= 0 else "negative: flattened, not cut"
    elif layer.type in ("sigmoid", "tanh"):
        low, middle, high = (0, 0.5, 1) if layer.type == "sigmoid" else (-1, 0, 1)
        near = min((low, middle, high), key=lambda level: abs(level - response))
        yield f"between {low} and {high}: close to {near}"
    elif layer.type == "batchnorm":
        deviation = (value - how.numbers["mean"]) / math.sqrt(how.numbers["variance"] + how.numbers["epsilon"])
        yield f"{abs(deviation):.2f} standard deviations {'above' if deviation >= 0 else 'below'} the channel's mean"
    elif layer.type == "softmax":
        rank, classes = how.numbers["rank"], how.numbers["classes"]
        place = "the likeliest" if rank == 1 else f"rank {rank}"
        yield f"{float(response):.2%} of the probability: {place} of {classes}"
    elif layer.type == "concat":
        yield f"channel {how.sources[0].position[-1]} of {how.sources[0].layer}, as it is"
    elif layer.type in ("flatten", "crop", "dropout"):
        yield f"the value of {how.sources[0].layer} at {_at(how.sources[0].position)}, as it is"


def _pixel(place: tuple[int, int] | None) -> str:
    return "zero padding" if place is None else f"the sample at {_at(place)}"


def _at(place: tuple[int, ...]) -> str:
    return ",".join(map(str, place))
