"""A pipeline in the terminal: a table of its layers, and totals."""

from collections.abc import Iterator, Sequence
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from cnnfilter.cli.drawing.canvas import Canvas, counted, listing
from cnnfilter.cli.show import short
from cnnfilter.core.words import by, printable
from cnnfilter.model.overview import LayerLine, PipelineReport
from cnnfilter.model.summary import LayerReport, Summary

# Widths of terminals below and above which a table has fewer columns, and more.
NARROW, WIDE = 60, 110
COLUMNS = ("type", "output", "params", "MACs", "memory", "weights", "sees")
FEW = ("output", "params", "MACs")
LEFT = ("type", "output")


def draw_pipeline(canvas: Canvas, report: PipelineReport, name: str) -> None:
    """Print all that is told of a pipeline."""
    missing = " (no such file)" if report.lacks_weights else ""
    weights = f", weights in {printable(report.weights)}{missing}" if report.weights else ""
    labels = f", {report.labels} labels" if report.labels else ""
    title = Text.assemble(
        (printable(name), "bold"), f"  pipeline of {counted(len(report.layers), 'layer')}{weights}{labels}"
    )
    canvas.show(title, Text())
    if report.summary is None:
        canvas.show(_written(report), Text())
        canvas.show(Text("Shapes and cost need an input: --input 224x224x3, or --input photo.jpg."))
        return
    summary = report.summary
    canvas.show(layers_table(canvas, report, summary), Text(), listing(list(_totals(report, summary))))


def _written(report: PipelineReport) -> Table:
    """The layers as they were written."""
    table = _table()
    for name in ("layer", "type", "settings"):
        table.add_column(name, overflow="fold", no_wrap=name == "type")
    for line in report.layers:
        table.add_row(Text(printable(line.name)), line.type, Text(_settings(line)))
    return table


def _settings(line: LayerLine) -> str:
    parts = [f"{key}={value}" for key, value in line.settings.items()]
    parts += [f"from {', '.join(line.inputs)}"] * bool(line.inputs)
    return printable(" ".join(parts))


def _table() -> Table:
    return Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)


def layers_table(canvas: Canvas, report: PipelineReport, summary: Summary) -> Table:
    """A row a layer; the first parts of long names stand above all that share them."""
    columns = FEW if canvas.width < NARROW else COLUMNS
    cells = [{"output": by(summary.input_shape)}, *(_cells(row) for row in summary.layers)]
    widths = {name: max(len(name), *(len(row.get(name, "")) for row in cells)) for name in columns}
    names = ["input", *(printable(line.name) for line in report.layers)]
    room = canvas.width - sum(widths.values()) - len(widths)
    is_tight = max(map(len, names)) > room - len(widths)
    grouped = _grouped(names, max(12, room if is_tight else room - len(widths)))
    settings = ["", *map(_settings, report.layers)] if canvas.width >= WIDE else []
    table = _table()
    table.padding = (0, 0 if is_tight else 1, 0, 0)
    table.add_column("layer", no_wrap=True)
    for name in columns:
        table.add_column(name, no_wrap=True, justify="left" if name in LEFT else "right", min_width=widths[name])
    if settings:
        table.add_column("settings", overflow="fold")
    above = ""
    for index, ((head, tail), row) in enumerate(zip(grouped, cells, strict=True)):
        if head and head != above:
            table.add_row(Text(head, "dim"))
        above = head
        rest = [Text(settings[index])] if settings else []
        table.add_row(Text(f" {tail}" if head else tail), *(row.get(name, "") for name in columns), *rest)
    return table


def _grouped(names: Sequence[str], room: int) -> list[tuple[str, str]]:
    """(what comes before, what is left) of each name, so that all fit: as few dotted parts as possible come before.

    >>> _grouped(["stem", "block.1.conv", "block.1.activation"], 12)
    [('', 'stem'), ('block.1', '.conv'), ('block.1', '.activation')]
    """
    for count in range(max(name.count(".") for name in names) + 1):
        heads = {_head(name, count) for name in names if len(name) > room and name.count(".") >= count}
        found = [
            (head, name.removeprefix(head)) if count and (head := _head(name, count)) in heads - {name} else ("", name)
            for name in names
        ]
        if all(len(tail) < room + (not head) for head, tail in found):
            return found
    return [("", name if len(name) <= room else f"{name[: room - 3]}...") for name in names]


def _head(name: str, count: int) -> str:
    return ".".join(name.split(".")[:count])


def _cells(row: LayerReport) -> dict[str, str]:
    return {
        "type": row.type,
        "output": by(row.output_shape),
        "params": short(row.params) if row.params else "",
        "MACs": short(row.macs) if row.macs else "",
        "memory": short(row.bytes),
        "weights": short(row.weight_bytes) if row.weight_bytes else "",
        "sees": by(row.receptive_field) if row.receptive_field else "all",
    }


def _totals(report: PipelineReport, summary: Summary) -> Iterator[tuple[str, Any]]:
    yield "input", by(summary.input_shape)
    yield "output", by(summary.output_shape)
    if summary.params:
        learned = sum(row.params > 0 for row in summary.layers)
        yield "parameters", f"{summary.params} in {counted(learned, 'layer')}"
    if summary.weight_bytes:
        yield "weights", f"{summary.weight_bytes} bytes in float32, running statistics included"
    if summary.macs:
        yield "cost", f"{summary.macs} multiply-accumulates ({short(2 * summary.macs)}FLOPs) an image"
    total = sum(row.bytes for row in summary.layers)
    yield "memory", f"{summary.memory} bytes at most at one time; {total} in all outputs together"
    field = summary.receptive_field
    seen = f"{by(field)} pixels of the input" if field else "all of the input"
    yield "sees", f"a value of the result depends on {seen}"
