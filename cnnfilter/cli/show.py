"""Tables in the terminal."""

import os
from collections.abc import Sequence
from typing import TextIO

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cnnfilter.batch.report import MOST_CLASSES, Record, Totals
from cnnfilter.core.words import by, printable

ARROW = "->"
FULL_WIDTH = 72
BAR = 30
UNBROKEN = 10_000  # columns of what no terminal shows, where names are to stay in one piece


def records(rows: Sequence[Record], totals: Totals | None, stream: TextIO, *, is_dry: bool = False) -> None:
    """Print the records of a run: one as a list of its properties, several as a table, then the totals."""
    console = Console(file=stream, highlight=False)
    if not (stream.isatty() or "COLUMNS" in os.environ):
        console.width = UNBROKEN
    with console.capture() as capture:
        _print(console, rows, totals, is_dry=is_dry)
    stream.write("".join(f"{line.rstrip()}\n" for line in capture.get().splitlines()))


def _print(console: Console, rows: Sequence[Record], totals: Totals | None, *, is_dry: bool) -> None:
    narrow = console.width < FULL_WIDTH
    if len(rows) == 1 and totals is None:
        if rows[0].status != "failed":
            console.print(_properties(rows[0], is_dry=is_dry))
    elif rows:
        console.print(_table(rows, narrow=narrow))
        for record in rows:
            for note in record.warnings:
                console.print(Text(f"{printable(record.input)}: {note}", style="yellow"))
    for record in rows:
        if record.layers and totals is None:
            console.print(_layers(record, narrow=narrow))
        if record.classes:
            console.print(_classes(record, named=totals is not None))
    if totals is not None:
        console.print(Text(totals_line(totals, is_dry=is_dry), style="bold"))


def totals_line(totals: Totals, *, is_dry: bool = False) -> str:
    """The totals of a batch in words."""
    done = "would be done" if is_dry else "done"
    told = f"{totals.done} {done}, {totals.skipped} skipped, {totals.failed} failed in {totals.seconds:.2f} s"
    if is_dry:  # rates would be those of reading headers
        return told
    values = totals.as_dict()
    return f"{told}: {values['images_per_second']:.1f} images/s, {values['megapixels_per_second']:.1f} megapixels/s"


def _properties(record: Record, *, is_dry: bool) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    output = "standard output" if record.output == "-" else printable(record.output or "")
    source = "standard input" if record.input == "-" else printable(record.input)
    table.add_row("file", Text(f"{source} {ARROW} {output}" if output else source, style="bold"))
    if record.status == "skipped":
        table.add_row("status", "skipped: the output exists")
        return table
    if is_dry:
        table.add_row("status", "would be done")
    for name, value in _values(record):
        table.add_row(name, Text(value))
    if len(record.output_shape or ()) == 1 and record.output is None and not record.classes:
        table.add_row("result", "a vector, which is not written; -o x.npy takes it")
    for note in record.warnings:
        table.add_row("warning", Text(note, style="yellow"))
    return table


def _values(record: Record) -> list[tuple[str, str]]:
    """Name and value of each property that applies, in the order of reading."""
    found: list[tuple[str, str]] = []
    if record.input_shape and record.output_shape:
        found.append(("shape", f"{by(record.input_shape)} {ARROW} {by(record.output_shape)}"))
    if record.input_values and record.output_values:
        found.append(("values", _change(record.input_values, record.output_values)))
    if record.input_bytes and record.output_bytes:
        found.append(("bytes", _change(record.input_bytes, record.output_bytes)))
    if record.kernel and record.kernel_shape:
        name = printable(record.kernel if len(record.kernel) <= 40 else record.kernel[:37] + "...")
        found.append(("kernel", f"{name} ({by(record.kernel_shape)})"))
    if record.stride and record.padding and record.dilation:
        found.append(("windows", windows(record.stride, record.padding, record.pad_mode, record.dilation)))
    if record.mapping:
        clipped = f", {record.clipped} values clipped" if record.clipped else ""
        found.append(("mapping", record.mapping + clipped))
    if record.params is not None:
        found.append(("parameters", str(record.params)))
    if record.macs is not None:
        found.append(("cost", f"{record.macs} multiply-accumulates ({short(2 * record.macs)}FLOPs)"))
    if record.seconds is not None:
        found.append(("seconds", f"{record.seconds:.3f}"))
    return found


def windows(stride: Sequence[int], padding: Sequence[Sequence[int]], mode: str | None, dilation: Sequence[int]) -> str:
    """Where windows lie, in words.

    >>> windows((2, 2), ((1, 1), (1, 1)), "reflect", (1, 1))
    'stride 2, padding 1 reflect'
    """
    (top, bottom), (left, right) = padding
    even = str(top) if top == bottom == left == right else f"{top},{bottom} x {left},{right}"
    parts = [
        f"stride {_pair(stride)}",
        f"padding {even}" + (f" {mode}" if mode and any((top, bottom, left, right)) else ""),
    ]
    if tuple(dilation) != (1, 1):
        parts.append(f"dilation {_pair(dilation)}")
    return ", ".join(parts)


def _table(rows: Sequence[Record], *, narrow: bool) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column("output", overflow="fold", ratio=1, min_width=12)
    columns = ["out", "values"] if narrow else ["in", "out", "values", "mapping", "MACs"]
    if not narrow and any(record.output_bytes is not None for record in rows):  # nothing is written in a dry run
        columns += ["bytes", "s"]
    for name in columns:
        table.add_column(name, no_wrap=True, justify="left" if name in ("in", "out", "mapping") else "right")
    for record in rows:
        place = Text(printable(record.output or record.input))
        if record.status != "ok":
            style = "red" if record.status == "failed" else "yellow"
            table.add_row(place, Text(record.status, style=style), *[""] * (len(columns) - 1))
            continue
        cells = {
            "in": by(record.input_shape or ()),
            "out": by(record.output_shape or ()),
            "values": f"{record.compression or 0:.2%}",
            "mapping": record.mapping or "",
            "MACs": short(record.macs or 0),
            "bytes": "" if record.output_bytes is None else short(record.output_bytes),
            "s": "" if record.seconds is None else f"{record.seconds:.2f}",
        }
        table.add_row(place, *(cells[name] for name in columns))
    return table


def _layers(record: Record, *, narrow: bool) -> Table:
    """The layers of a pipeline, a row each, and their totals."""
    layers = record.layers or ()
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False, show_footer=True)
    table.add_column("layer", "total", overflow="fold", ratio=1, min_width=8)
    totals = {
        "params": short(sum(row["params"] for row in layers)),
        "MACs": short(sum(row["macs"] for row in layers)),
        "ms": f"{1000 * sum(row['seconds'] or 0 for row in layers):.1f}",
    }
    columns = ("output", "params") if narrow else ("type", "output", "params", "MACs", "sees", "bytes", "ms")
    for name in columns:
        table.add_column(
            name, totals.get(name, ""), no_wrap=True, justify="left" if name in ("type", "output") else "right"
        )
    for row in layers:
        cells = {
            "type": row["type"],
            "output": by(row["output_shape"]),
            "params": short(row["params"]),
            "MACs": short(row["macs"]),
            "sees": by(row["receptive_field"]) if row["receptive_field"] else "all",
            "bytes": short(row["bytes"]),
            "ms": "" if row["seconds"] is None else f"{1000 * row['seconds']:.1f}",
        }
        table.add_row(Text(printable(row["name"])), *(cells[name] for name in columns))
    return table


def _classes(record: Record, *, named: bool) -> Table:
    """The classes with their probabilities, the likeliest first; at most ten."""
    classes = record.classes or ()
    title = printable(record.input) if named else None
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False, title=title, title_justify="left")
    table.add_column(justify="right")
    table.add_column()
    table.add_column(justify="right")
    table.add_column()
    for rank, row in enumerate(classes[:MOST_CLASSES], 1):
        bar = "#" * round(BAR * row["probability"])
        style = "bold" if rank == 1 else ""
        table.add_row(str(rank), Text(printable(row["label"]), style), f"{row['probability']:.2%}", Text(bar, "cyan"))
    return table


def _pair(values: Sequence[int]) -> str:
    return str(values[0]) if values[0] == values[1] else by(values)


def _change(before: int, after: int) -> str:
    return f"{before} {ARROW} {after}, {after / before:.2%}"


def short(number: int) -> str:
    """A number with three figures and a unit: 1.85M.

    >>> short(1849000), short(12)
    ('1.85M', '12')
    """
    for exponent, unit in ((12, "T"), (9, "G"), (6, "M"), (3, "k")):
        if number >= 10**exponent:
            return f"{number / 10**exponent:.3g}{unit}"
    return str(number)
