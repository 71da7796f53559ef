"""A bank of filters in the terminal, and a file of tensors."""

from typing import Any

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from cnnfilter.cli.drawing.canvas import Canvas, counted, listing
from cnnfilter.cli.drawing.kernels import INSIDE, cost_lines, done_by, map_without_numbers
from cnnfilter.cli.show import short
from cnnfilter.core.words import by, printable
from cnnfilter.model.banks import BankReport

MOST_FILTERS = 16
# Filters that are larger are told in numbers only.
LARGEST_LOOK = 15


def draw_bank(canvas: Canvas, report: BankReport) -> None:
    """Print all that is told of a bank."""
    height, width, channels, count = report.shape
    name = printable(report.name)
    canvas.show(
        Text.assemble((name, "bold"), f"  bank of {count} filters of {height}x{width} over {channels} channels")
    )
    told = [
        "Each filter makes one feature map: it weighs the pixels of a window in all channels and adds them up.",
        "Drawn is what a filter does to a gray picture, the sum over its channels.",
    ]
    canvas.show(Text(), *map(Text, told), Text())
    if max(height, width) <= LARGEST_LOOK:
        _look(canvas, report)
    canvas.show(_filters(report))
    if count > MOST_FILTERS:
        canvas.show(Text(f"... and {count - MOST_FILTERS} more filters (--report json)", "dim"))
    spread = f"mean {report.mean:.4g}, standard deviation {report.deviation:.4g}"
    rows: list[tuple[str, Any]] = [("parameters", f"{report.params}: {by(report.shape)}"), ("weights", spread)]
    canvas.show(Text(), listing([*rows, *cost_lines([report.execution])]), Text())
    canvas.show(Text(INSIDE, "dim"), listing([done_by(report.execution)]))


def _look(canvas: Canvas, report: BankReport) -> None:
    """The filters as small heat maps, as many beside each other as fit; each has its own scale."""
    shown = report.filters[:MOST_FILTERS]
    width = max(2 * report.shape[1], 3) + 3
    columns = max(1, min(len(shown), canvas.width // width))
    for start in range(0, len(shown), columns):
        grid = Table.grid(padding=(0, 3, 0, 0))
        cells = []
        for index, line in enumerate(shown[start : start + columns], start):
            strongest = float(abs(line.gray).max()) or 1.0
            cells.append(Group(Text(str(index), "cyan"), map_without_numbers(canvas, line.gray / strongest)))
            grid.add_column(no_wrap=True)
        grid.add_row(*cells)
        canvas.show(grid, Text())


def _filters(report: BankReport) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    for name in ("filter", "sum", "L2", "min", "max"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("on gray pictures", overflow="fold")
    for index, line in enumerate(report.filters[:MOST_FILTERS]):
        numbers = (f"{value:.3g}" for value in (line.sum, line.l2, line.low, line.high))
        table.add_row(str(index), *numbers, line.filter)
    return table


def draw_tensors(canvas: Canvas, data: dict[str, Any], name: str) -> None:
    """Print the tensors of a file, with PyTorch's names."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column("tensor", overflow="fold")
    table.add_column("shape", no_wrap=True)
    table.add_column("values", justify="right", no_wrap=True)
    for tensor, shape in data["tensors"].items():
        values = 1
        for size in shape:
            values *= size
        table.add_row(Text(printable(tensor)), by(shape) or "one number", short(values))
    title = f"  weights: {counted(len(data['tensors']), 'tensor')}, {data['params']} values"
    canvas.show(Text.assemble((printable(name), "bold"), title), Text(), table)
