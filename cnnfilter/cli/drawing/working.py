"""The numbers of a trace, line by line: the sum written out, what is done with it, the way to the pixel."""

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

from cnnfilter.core.words import figure, printable
from cnnfilter.model.traced import Combined, Number, Pooled, Trace, Weighted, Written
from cnnfilter.model.views import heaviest

# Terms of a vector that are listed.
MOST_LISTED = 8
Lines = Iterator[tuple[str, str]]


def sum_lines(how: Weighted, room: int) -> Lines:
    """The sum, and those of a gradient's parts, written out where `room` characters are enough."""
    parts = how.parts
    for part, total in parts.items():
        terms = [term for term in how.terms if term.part == part]
        if len(terms) == 1:
            yield (part or "sum"), _added(terms[0].products.ravel().tolist(), total, room)
        else:
            yield (part or "sum"), _added([term.sum for term in terms], total, room, "channels")
    if len(parts) > 1:
        v, h = (bracketed(value) for value in parts.values())
        yield "sum", f"sqrt({v}^2 + {h}^2) = {figure(how.sum, 7)}"


def _added(values: Sequence[Number], total: Number, room: int, what: str = "products") -> str:
    """The sum written out, without zeros, where that is short."""
    summands = [value for value in values if value != 0]
    if len(summands) < 2:
        return figure(total, 7) + ("" if summands or what != "products" else ": all products are zero")
    written = figure(summands[0])
    for value in summands[1:]:
        written += f" - {figure(-value)}" if value < 0 else f" + {figure(value)}"
    full = f"{written} = {figure(total, 7)}"
    return full if len(full) <= room else f"{figure(total, 7)}, of {len(values)} {what}"


def scaling_lines(how: Weighted) -> Lines:
    """What is done with the sum: divisor, scale, bias."""
    value: Any = Fraction(how.sum) if isinstance(how.sum, int) else how.sum
    if how.divisor != 1:
        value = value / how.divisor
        yield f"/ {how.divisor}", figure(value, 7)
    if how.scale != 1:
        value = value * how.scale
        yield f"x {_fraction(how.scale)}", figure(value, 7)
    if how.bias:
        value = value + how.bias
        size: Any = abs(how.bias)
        yield f"{'-' if how.bias < 0 else '+'} {_fraction(size)}", figure(value, 7)


def _fraction(value: Fraction | float) -> str:
    text = str(value)
    return text if isinstance(value, Fraction) and len(text) <= 7 else figure(value, 5)


def pooling_lines(how: Pooled, room: int) -> Lines:
    """The winner, or the mean."""
    if how.kind == "avg":
        few = how.samples[how.counted][:room]  # more cannot be written out
        told = f"{figure(how.sum, 7)}, of {how.count} samples"
        yield "sum", _added(few.tolist(), how.sum, room, "samples") if how.count <= room else told
        yield f"/ {how.count}", figure(how.sum / how.count, 7)
    elif how.winners:
        y, x = how.winners[0]
        more = f" and {how.count - 1} more" if how.count > 1 else ""
        yield winner(how), f"{figure(how.sum)}, at {y},{x} of the input{more}"


def vector_lines(how: Weighted) -> Lines:
    """The products of a vector that weigh most."""
    (term,) = how.terms
    products = term.products.ravel()
    for index in heaviest(products, MOST_LISTED):
        sample, weight = term.samples[0, index], term.weights[0, index]
        yield f"input {index}", f"{bracketed(sample)} x {bracketed(weight)} = {figure(products[index].item())}"
    if products.size > MOST_LISTED:
        yield "...", f"{products.size - MOST_LISTED} products of less weight"
    yield "sum", f"{figure(how.sum, 7)}, of {products.size} products"


def formula_lines(how: Combined) -> Lines:
    """What a layer without windows takes, and its formula."""
    for source in how.sources:
        yield "takes", f"{figure(source.value)} of {printable(source.layer)} at {place(source.position)}"
    if how.formula != "x":
        yield "formula", how.formula
        for name, value in how.numbers.items():
            yield f"  {name}", figure(value)
        yield "", how.worked


def ending_lines(trace: Trace) -> Lines:
    """The response and what is written of it."""
    yield "response", figure(trace.response, 7)
    if trace.written is not None:
        yield "mapping", _mapping(trace.response, trace.written)
        yield "pixel", f"{figure(trace.pixel)} ({trace.written.dtype})"


def _mapping(response: Number, written: Written) -> str:
    """The way from the response to the pixel."""
    shown = figure(response, 7)
    scaled = f" x {written.level_scale}" if written.level_scale != 1 else ""
    level = _unrounded(written)
    if written.extremes is not None:
        low, high = map(figure, written.extremes)
        ends = f"{low}, the least response, becomes {written.low}, {high}, the greatest, {written.high}"
        told = f"{ends}; {shown} becomes {level}"
    elif written.mapping == "abs":
        told = f"|{shown}|{scaled} = {level}"
    elif written.mapping == "shift":
        middle = 0 if written.low < 0 else (written.high + 1) // 2
        told = f"{shown}{scaled} + {middle} = {level}"
    else:
        told = f"{shown}{scaled} = {level}" if scaled else level
    if written.clipped:
        told += f", clipped to {figure(written.pixel)}"
    elif float(written.level) != float(written.pixel):
        told += f", rounded to {figure(written.pixel)}"
    return f"{written.mapping}: {told}"


def _unrounded(written: Written) -> str:
    """The level in as many figures as show how it is rounded."""
    level = written.level
    for digits in range(6, 17):
        text = figure(level, digits)
        shown = float(text)
        if not math.isfinite(level):
            break
        if math.floor(shown + 0.5) == math.floor(level + 0.5) and (shown == written.pixel) == (level == written.pixel):
            break
    return text


def bracketed(value: Number) -> str:
    """A number within a formula; negative ones in brackets."""
    text = figure(value)
    return f"({text})" if text.startswith("-") else text


def place(position: Sequence[int]) -> str:
    """A position as it is written for --at."""
    return ",".join(map(str, position))


def winner(how: Pooled) -> str:
    """What wins."""
    return "largest" if how.kind == "max" else "smallest"
