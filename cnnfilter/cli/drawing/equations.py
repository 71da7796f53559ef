"""Windows and what they are multiplied with: numbers beside each other, or pictures where these are too many."""

import math
from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.text import Text

from cnnfilter.cli.drawing.blocks import Block, after, beside, matrix, texts
from cnnfilter.cli.drawing.canvas import Canvas
from cnnfilter.cli.drawing.windows import draw_view, gray, near_view, padding_note, whole_view
from cnnfilter.cli.drawing.working import bracketed, winner
from cnnfilter.core.words import figure, printable
from cnnfilter.model.layer import Array, Shape
from cnnfilter.model.traced import Pooled, Term, Weighted, Window
from cnnfilter.model.views import View, finite, heaviest

# Channels of a filter that are drawn, those that weigh most; all others are told in numbers.
MOST_TERMS = 3
# Rows of a window that are drawn in numbers, or in shades.
MOST_CELLS = 31
LONGEST_NAME = 20
COLOURS = ("red", "green", "blue")


def drawn_terms(how: Weighted) -> Sequence[Term]:
    """The terms that are drawn: all of a gradient, else those that weigh most."""
    if len(how.parts) > 1 or len(how.terms) <= MOST_TERMS:
        return how.terms
    heaviest = sorted(how.terms, key=lambda term: -abs(term.sum))[:MOST_TERMS]
    return sorted(heaviest, key=lambda term: term.channel)


def equation(
    canvas: Canvas, image: Array, how: Weighted, term: Term, *, brief: bool = False
) -> Iterator[RenderableType]:
    """Window x kernel = products, beside each other where they fit; unless `brief`, with the whole of a small input."""
    name = _term_name(image, how, term)
    if name:
        yield Text(name, "cyan")
    weights, products = texts(term.weights), texts(term.products)
    if _too_wide(canvas, weights) or _too_wide(canvas, products):
        yield from _maps(canvas, how, term)
        return
    kernel = _kernel_name(how, term)
    rest = [
        after("x", _signed(canvas, term.weights, weights, kernel + f" (/ {how.divisor})" * (how.divisor != 1))),
        after("=", _signed(canvas, term.products, products, "products")),
    ]
    view = _chosen(canvas, image, how, term, sum(block.width for block in rest))
    if not brief and not view.is_whole:
        apart = whole_view(image, term.channel, how, canvas.width)
        if apart is not None:
            yield from (*draw_view(canvas, apart, how).lines, Text())
            view = near_view(image, term.channel, how, canvas.width, 0)
    yield from beside([draw_view(canvas, view, how), *rest], canvas.width)


def _chosen(canvas: Canvas, image: Array, how: Weighted, term: Term, taken: int) -> View:
    """The whole input, the window's neighbourhood or the window alone: what leaves room for the rest of the line."""
    room = canvas.width - taken
    view = whole_view(image, term.channel, how, room) or near_view(image, term.channel, how, room)
    return view if draw_view(canvas, view, how).width <= room else near_view(image, term.channel, how, canvas.width)


def _signed(canvas: Canvas, values: Array, shown: list[list[str]], name: str) -> Block:
    """A matrix in the colours of a diverging scale; plain where there are none."""
    strongest = float(abs(finite(values)).max()) or 1.0

    def paint(i: int, j: int, text: str) -> Text | str:
        share = float(values[i, j]) / strongest
        return canvas.weight(share, text) if canvas.in_colour and math.isfinite(share) else text

    return matrix(shown, paint, name)


def _too_wide(canvas: Canvas, shown: list[list[str]]) -> bool:
    return (
        len(shown[0]) * (max(len(text) for row in shown for text in row) + 2) > canvas.width or len(shown) > MOST_CELLS
    )


def _maps(canvas: Canvas, how: Weighted, term: Term) -> Iterator[RenderableType]:
    """Large windows as pictures of two characters a cell, and their heaviest products in numbers."""
    assert how.window is not None
    kernel = _kernel_name(how, term)
    step = max(1, -(-2 * term.samples.shape[1] // (canvas.width - 2)), -(-term.samples.shape[0] // MOST_CELLS))
    blocks = [_shades(canvas, term.samples, how.window, step, "window")]
    for name, values in ((kernel, term.weights), ("products", term.products)):
        floats = finite(values)
        shares = floats[::step, ::step] / (abs(floats).max() or 1.0)
        lines = [Text().join(canvas.weight(float(v), "  ") for v in row) for row in shares]
        blocks += [Block((Text("  "),)), _captioned(name, floats, lines)]
    yield from beside(blocks, canvas.width)
    rows, columns = how.window.rows, how.window.columns
    drawn = f"; every {step}th row and column is drawn" if step > 1 else ""
    yield Text(f"window: rows {rows[0]} to {rows[-1]}, columns {columns[0]} to {columns[-1]}{drawn}", "dim")
    places = [divmod(index, len(columns)) for index in heaviest(term.products, MOST_TERMS)]
    told = [
        f"{figure(term.samples[i, j].item())} x {bracketed(term.weights[i, j].item())} at {rows[i]},{columns[j]}"
        for i, j in places
    ]
    yield Text(f"heaviest products: {'; '.join(told)}", "dim")


def _shades(canvas: Canvas, samples: Array, window: Window, step: int, name: str) -> Block:
    """Samples as shades of two characters; brackets are padding."""
    floats, padding = finite(samples), window.padding[::step, ::step]
    low, high = float(floats.min()), float(floats.max())
    lines = []
    for row, outside in zip(floats[::step, ::step].tolist(), padding.tolist(), strict=True):
        line = Text()
        for value, is_padding in zip(row, outside, strict=True):
            share = (value - low) / ((high - low) or 1)
            cell = Text("  ", gray(share)) if canvas.in_colour else canvas.shade(share, 2)
            line.append_text(Text("()", cell.style) if is_padding else cell)
        lines.append(line)
    return _captioned(name, floats, lines)


def _kernel_name(how: Weighted, term: Term) -> str:
    """What the weights are called, where that is short: one of a gradient's two kernels, a filter."""
    name = f"{how.kernel}-{term.part}" if term.part else how.kernel
    return printable(name) if len(name) <= LONGEST_NAME else "kernel"


def _captioned(name: str, values: Array, lines: Sequence[Text]) -> Block:
    """A picture under its name and the range of its values."""
    span = f"{figure(values.min(), 3)} to {figure(values.max(), 3)}"
    return Block((Text(name, "cyan"), Text(span, "dim"), *lines), 2, len(lines))


def pooled_window(canvas: Canvas, image: Array, how: Pooled) -> Iterator[RenderableType]:
    """The window of pooling; the winner is marked."""
    rows, columns = how.samples.shape
    if rows > MOST_CELLS or columns * 5 + 8 > canvas.width:
        step = max(1, -(-2 * columns // (canvas.width - 2)), -(-rows // MOST_CELLS))
        yield from _shades(canvas, how.samples, how.window, step, f"window of {rows}x{columns}").lines
        yield from [Text(f"every {step}th row and column is drawn", "dim")] * (step > 1)
        yield Text()
        return
    view = whole_view(image, how.channel, how, canvas.width) or near_view(image, how.channel, how, canvas.width)
    yield from draw_view(canvas, view, how).lines
    notes = [note for note in (padding_note(how), f"[ ] the {winner(how)}" if how.winners else "") if note]
    if notes:
        yield Text("; ".join(notes), "dim")
    yield Text()


def channel_name(shape: Shape, channel: int) -> str:
    """What a channel of an array of `shape` is called."""
    return COLOURS[channel] if len(shape) == 3 and shape[2] == 3 else f"channel {channel}"


def _term_name(image: Array, how: Weighted, term: Term) -> str:
    """The channel of a term, where several are added."""
    if len({each.channel for each in how.terms}) == 1:
        return ""
    name = channel_name(image.shape, term.channel)
    return f"{name}: {figure(term.sum)}"
