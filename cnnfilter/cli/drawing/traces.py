"""The trace of output values in the terminal: window x kernel = products, their sum, the pixel, what it means."""

import math
import textwrap
from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.text import Text

from cnnfilter.cli.drawing.blocks import Block, beside, matrix, texts
from cnnfilter.cli.drawing.canvas import NAMES, Canvas, listing
from cnnfilter.cli.drawing.equations import COLOURS, channel_name, drawn_terms, equation, pooled_window
from cnnfilter.cli.drawing.windows import HOLE, WHOLE_ROWS, padding_note
from cnnfilter.cli.drawing.working import (
    ending_lines,
    formula_lines,
    place,
    pooling_lines,
    scaling_lines,
    sum_lines,
    vector_lines,
)
from cnnfilter.core.words import by, figure, printable
from cnnfilter.model.layer import Array
from cnnfilter.model.trace import Tracer
from cnnfilter.model.traced import Combined, Pooled, Position, Trace, Weighted

# Channels of an output that are traced in full when no channel is named.
MOST_VALUES = 4
REST = "..."  # columns that are left out


def draw_position(canvas: Canvas, tracer: Tracer, traces: Sequence[Trace], alpha: int | None) -> None:
    """Print the values of one position, a channel after the other; of many channels only a list."""
    if alpha is not None:
        canvas.show(Text(f"alpha {alpha}, which is kept apart", "dim"))
    if len(traces) > MOST_VALUES:
        canvas.show(*_overview(canvas, traces), _one_channel(tracer))
        return
    for index, trace in enumerate(traces):
        name = channel_name(trace.output_shape, trace.position[-1]) if len(traces) > 1 else ""
        drawn = [*([Text(name, f"bold {name}" if name in COLOURS else "bold")] if name else [])]
        canvas.show(*[Text()] * (index > 0), *drawn, *_steps(canvas, tracer, trace), Text(), *_words(canvas, trace))


def draw_walk(canvas: Canvas, tracer: Tracer, places: Sequence[Position], wanted: int) -> None:
    """Print one position after the other, briefly, and the output so far; `wanted` positions were asked for."""
    total = math.prod(tracer.shape[:2])
    for at in places:
        canvas.show(Text(f"{tracer.number(at)} of {total}: output {place(at)}", "bold"))
        positions = tracer.positions(at)
        if len(positions) > MOST_VALUES:
            canvas.show(*_overview(canvas, [tracer.at(position) for position in positions]))
        else:
            for position in positions:
                canvas.show(*_brief(canvas, tracer, tracer.at(position), several=len(position) > len(at)))
        canvas.show(Text())
    canvas.show(*_so_far(canvas, tracer, places))
    if len(tracer.positions(places[0])) > MOST_VALUES:
        canvas.show(Text(), _one_channel(tracer))
    if len(places) < wanted:
        last = f"{place(places[-1])} is the last position: the walk ends there, after {len(places)} of {wanted}"
        canvas.show(Text(), Text(last))


def _brief(canvas: Canvas, tracer: Tracer, trace: Trace, *, several: bool) -> Iterator[RenderableType]:
    """The window and what came of it, on few lines."""
    how = trace.how
    if several:
        yield Text(channel_name(trace.output_shape, trace.position[-1]), "cyan")
    if isinstance(how, Pooled):
        yield from pooled_window(canvas, tracer.arrays[0], how)
        numbers = [*pooling_lines(how, _room(canvas))]
    elif isinstance(how, Weighted) and how.window is not None:
        for term in drawn_terms(how):
            yield from equation(canvas, tracer.arrays[0], how, term, brief=True)
        numbers = [*sum_lines(how, _room(canvas)), *scaling_lines(how)]
    else:
        numbers = [*(formula_lines(how) if isinstance(how, Combined) else vector_lines(how))]
    pixel = "" if trace.written is None else f", pixel {figure(trace.pixel)}"
    yield listing([*numbers, ("response", f"{figure(trace.response, 7)}{pixel}")])


def _so_far(canvas: Canvas, tracer: Tracer, places: Sequence[Position]) -> Iterator[RenderableType]:
    """The values that were traced, in their places in the output."""
    channels = {position[2:] for position in tracer.positions(places[0])}
    rows = sorted({at[0] for at in places})[-WHOLE_ROWS:]
    if len(tracer.shape) > 1 and tracer.shape[0] <= WHOLE_ROWS:
        rows = list(range(tracer.shape[0]))
    yield Text(f"the output so far, {len(places)} of {math.prod(tracer.shape[:2])} positions", "bold")
    for channel in sorted(channels)[:MOST_VALUES]:
        arrays = {"responses": tracer.response}
        if tracer.samples is not None:
            arrays["pixels"] = tracer.samples
        room = canvas.width // len(arrays) - 4
        blocks = [_filled(canvas, values, rows, places, channel, name, room) for name, values in arrays.items()]
        blocks.insert(1, Block((Text("    "),)))
        if len(channels) > 1:
            yield Text(channel_name(tracer.shape, channel[0]), "cyan")
        yield from beside(blocks, canvas.width)
    if len(channels) > MOST_VALUES:
        yield Text(f"... and {len(channels) - MOST_VALUES} more channels (--report json)", "dim")


def _filled(
    canvas: Canvas,
    values: Array,
    rows: Sequence[int],
    places: Sequence[Position],
    channel: Position,
    name: str,
    room: int,
) -> Block:
    """A part of the output with dots where no value was traced; as many columns as fit into `room`."""
    if values.ndim == 1:
        rows, values, places = [0], values[None, :], [(0, *at) for at in places]
    plane = values[:, :, channel[0]] if channel else values
    known = {tuple(at[:2]) for at in places}
    used = [column for _, column in known]
    wide = max(len(text) for row in texts(plane[rows][:, min(used) : max(used) + 1]) for text in row) + 2
    fits = plane.shape[1] * wide <= room
    wide = wide if fits else max(wide, len(REST) + 2)
    first = 0 if fits else min(used)
    columns = range(first, min(plane.shape[1], first + (plane.shape[1] if fits else max(1, room // wide - 1))))
    shown = texts(plane[rows][:, list(columns)])
    cells = [
        [text if (row, column) in known else HOLE[canvas.ascii] for column, text in zip(columns, line, strict=True)]
        for row, line in zip(rows, shown, strict=True)
    ]
    cells = [[*line, REST] for line in cells] if columns.stop < plane.shape[1] else cells
    return matrix(cells, lambda i, j, text: text, name)


def title(tracer: Tracer, source: str, at: Position) -> Iterator[Text]:
    """What is traced, of which picture, and where; where the window begins."""
    layer = tracer.node.layer.type
    name = layer if tracer.node.name == layer else f"{tracer.node.name} ({layer})"
    shapes = " and ".join(by(array.shape) for array in tracer.arrays)
    where = f" at {place(at)}" if at else ""
    yield Text.assemble((f"{name}{where}", "bold"), f"  {printable(source)}, {shapes} -> {by(tracer.shape)}")
    windows = tracer.windows
    if windows is not None and at:
        steps = [(at[axis], windows.stride[axis], windows.padding[axis][0]) for axis in (0, 1)]
        told = ", ".join(f"{n} x {stride} - {pad} = {n * stride - pad}" for n, stride, pad in steps)
        yield Text(f"window from position x stride - padding: {told}", "dim")


def _steps(canvas: Canvas, tracer: Tracer, trace: Trace) -> Iterator[RenderableType]:
    how = trace.how
    if isinstance(how, Combined):
        yield listing([*formula_lines(how), *ending_lines(trace)])
        return
    if isinstance(how, Pooled):
        yield from pooled_window(canvas, tracer.arrays[0], how)
        yield listing([*pooling_lines(how, _room(canvas)), *ending_lines(trace)])
        return
    if how.window is None:
        yield listing([*vector_lines(how), *scaling_lines(how), *ending_lines(trace)])
        return
    for index, term in enumerate(drawn_terms(how)):
        yield from [Text()] * (index > 0)
        yield from equation(canvas, tracer.arrays[0], how, term, brief=index > 0)
    note = padding_note(how)
    if note:
        yield Text(note, "dim")
    yield Text()
    yield listing([*sum_lines(how, _room(canvas)), *scaling_lines(how), *ending_lines(trace)])


def _room(canvas: Canvas) -> int:
    """Characters beside the names of a listing."""
    return canvas.width - NAMES - 2


def _words(canvas: Canvas, trace: Trace) -> Iterator[Text]:
    for sentence in trace.meaning:
        yield from (Text(line, "bold") for line in textwrap.wrap(sentence, canvas.width, subsequent_indent="  "))


def _overview(canvas: Canvas, traces: Sequence[Trace]) -> Iterator[RenderableType]:
    """A line a channel: the response, the pixel, and what it means."""
    columns = [
        (str(trace.position[-1]), f"  {figure(trace.response)}")
        + (() if trace.written is None else (" ->", f" {figure(trace.pixel)}"))
        for trace in traces
    ]
    widths = [max(map(len, column)) for column in zip(*columns, strict=True)]
    for trace, cells in zip(traces, columns, strict=True):
        line = "".join(cell.rjust(wide) for cell, wide in zip(cells, widths, strict=True))
        told = trace.meaning[0] if trace.meaning else ""
        for end in (";", ":", ","):
            told = told if len(line) + 2 + len(told) <= canvas.width else told.partition(end)[0]
        yield Text(f"{line}  {told}"[: canvas.width])


def _one_channel(tracer: Tracer) -> Text:
    """Where more of a channel is told than a line."""
    return Text(f"--at Y,X,C shows how one of these {tracer.shape[2]} channels came about", "dim")
