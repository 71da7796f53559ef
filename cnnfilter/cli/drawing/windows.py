"""The window of a trace, drawn where it lies: in the whole input if that is small, else with its neighbours."""

import math

from rich.color import Color
from rich.style import Style
from rich.text import Text

from cnnfilter.cli.drawing.blocks import Block, texts
from cnnfilter.cli.drawing.canvas import Canvas
from cnnfilter.model.layer import Array
from cnnfilter.model.traced import Pooled, Weighted, Window
from cnnfilter.model.views import View, spans_of, view

# Inputs with padding up to this many rows are drawn whole.
WHOLE_ROWS = 12
FRAME = {True: "+-+|+-+", False: "┌─┐│└─┘"}
HOLE = {True: ".", False: "·"}


def whole_view(image: Array, channel: int, how: Weighted | Pooled, width: int) -> View | None:
    """The whole padded input, where it fits into `width`."""
    rows, columns = spans_of(image, how)
    if len(rows) > WHOLE_ROWS or _width(image, rows, columns) > width:
        return None
    return view(image, channel, how, rows, columns)


def near_view(image: Array, channel: int, how: Weighted | Pooled, width: int, margin: int = 1) -> View:
    """The window with `margin` cells around it where that fits into `width`, else the window alone."""
    assert how.window is not None
    cells, spans = (how.window.rows, how.window.columns), spans_of(image, how)
    for around in (margin, 0):
        rows, columns = (
            range(max(own[0] - around, span.start), min(own[-1] + 1 + around, span.stop))
            for own, span in zip(cells, spans, strict=True)
        )
        if _width(image, rows, columns) <= width:
            break
    return view(image, channel, how, rows, columns)


def _width(image: Array, rows: range, columns: range) -> int:
    """Characters of a drawing of these rows and columns, of which the first ones tell how long numbers are."""
    inner = [slice(max(span.start, 0), min(span.stop, max(span.start, 0) + 40)) for span in (rows, columns)]
    samples = image[inner[0], inner[1]].reshape(1, -1)
    label = max(len(str(rows.start)), len(str(rows.stop)), 3)
    return len(columns) * _cell_width(texts(samples)) + label + 3 if samples.size else 0


def _cell_width(shown: list[list[str]]) -> int:
    """Characters of a cell: the longest number, with brackets or blanks around it."""
    return max(len(text) for row in shown for text in row) + 2


def draw_view(canvas: Canvas, seen: View, how: Weighted | Pooled) -> Block:
    """The cells with their coordinates; the window is framed, padding stands in brackets, holes are dots."""
    window = how.window
    assert window is not None
    shown = texts(seen.values)
    wide = _cell_width(shown)
    frame = FRAME[canvas.ascii]
    label = max(len(str(seen.rows.start)), len(str(seen.rows.stop - 1)), 3)
    left, right = seen.columns.index(window.columns[0]), seen.columns.index(window.columns[-1])
    first, last = seen.rows.index(window.rows[0]), seen.rows.index(window.rows[-1])
    heads = [str(column).rjust(wide - 1) + " " for column in seen.columns]
    head = " " * (label + 1) + _spread(heads, left, right, wide)
    span = (right - left + 1) * wide
    before = " " * (label + 1 + left * wide)
    lines = [Text(head, "cyan"), Text(f"{before}{frame[0]}{frame[1] * span}{frame[2]}", "bold")]
    winners = set(how.winners) if isinstance(how, Pooled) else set()
    for i, row in enumerate(seen.rows):
        line = Text()
        line.append(f"{row:>{label}} ", "cyan")
        within = first <= i <= last
        for j, column in enumerate(seen.columns):
            if j == left:
                line.append(frame[3] if within else " ", "bold" if within else "")
            line.append_text(_cell(canvas, seen, how, (i, j), shown[i][j], wide, won=(row, column) in winners))
            if j == right:
                line.append(frame[3] if within else " ", "bold" if within else "")
        if i == last + 1:
            lines.append(Text(f"{before}{frame[4]}{frame[5] * span}{frame[6]}", "bold"))
        lines.append(line)
    if last + 1 == len(seen.rows):
        lines.append(Text(f"{before}{frame[4]}{frame[5] * span}{frame[6]}", "bold"))
    top = 2 + first
    # The upper line of the frame belongs above the window's first row.
    lines.insert(1 + first, lines.pop(1))
    return Block(tuple(lines), top, len(seen.rows))


def _spread(heads: list[str], left: int, right: int, wide: int) -> str:
    """The numbers of the columns, with room for the two sides of the frame."""
    return "".join((" " if j == left else "") + head + (" " if j == right else "") for j, head in enumerate(heads))


def _cell(
    canvas: Canvas, seen: View, how: Weighted | Pooled, place: tuple[int, int], text: str, wide: int, *, won: bool
) -> Text:
    """A sample: in brackets where it is padding, in square ones where it won, a dot where the window has a hole."""
    i, j = place
    row, column = seen.rows[i], seen.columns[j]
    window = how.window
    assert window is not None
    inside = window.rows[0] <= row <= window.rows[-1] and window.columns[0] <= column <= window.columns[-1]
    taken = row in window.rows and column in window.columns
    is_padding = bool(seen.padding[place])
    if inside and not taken:
        return Text(f"{HOLE[canvas.ascii]} ".rjust(wide), "dim")
    uncounted = is_padding and isinstance(how, Pooled) and not _counts(how, row, column)
    text = "" if uncounted else text
    text = f"({text})" if is_padding else f"[{text}]" if won else f"{text} "
    style = _gray(canvas, seen, place) if taken and not is_padding else Style(dim=not taken, italic=is_padding)
    return Text(text.rjust(wide), style + Style(bold=True) if won else style)


def _counts(how: Pooled, row: int, column: int) -> bool:
    if how.kind != "avg":
        return False
    if row in how.window.rows and column in how.window.columns:
        return bool(how.counted[how.window.rows.index(row), how.window.columns.index(column)])
    return False


def _gray(canvas: Canvas, seen: View, place: tuple[int, int]) -> Style:
    """The gray of a sample, behind its number."""
    low, high = seen.levels
    return gray((float(seen.values[place]) - low) / ((high - low) or 1)) if canvas.in_colour else Style()


def gray(share: float) -> Style:
    """A gray from black (0) to white (1), and ink that can be read on it."""
    if not math.isfinite(share):
        return Style()
    level = round(255 * min(max(share, 0.0), 1.0))
    ink = 0 if level > 127 else 255
    return Style(color=Color.from_rgb(ink, ink, ink), bgcolor=Color.from_rgb(level, level, level))


def padding_note(how: Weighted | Pooled) -> str:
    """What the cells in brackets hold, as far as they lie in the window."""
    window: Window | None = how.window
    if window is None or not window.padding.any():
        return ""
    if isinstance(how, Pooled):
        return "( ) padding, counted as 0" if how.kind == "avg" and how.counted.all() else "( ) not counted"
    if how.pad_mode == "zero":
        return "( ) padding: zeros"
    told = [*_moved("row", window.rows, window.from_rows), *_moved("column", window.columns, window.from_columns)]
    return f"( ) padding, {how.pad_mode}: {', '.join(told)}"


def _moved(word: str, cells: tuple[int, ...], sources: tuple[int | None, ...]) -> list[str]:
    """Whose samples the rows or columns in the padding hold, run by run."""
    runs: list[list[int]] = []
    for index, (cell, source) in enumerate(zip(cells, sources, strict=True)):
        if cell != source and runs and runs[-1][-1] == index - 1:
            runs[-1].append(index)
        elif cell != source:
            runs.append([index])
    told = []
    for run in runs:
        first, last = run[0], run[-1]
        if first == last:
            told.append(f"{word} {cells[first]} is {word} {sources[first]}")
        else:
            ends = f"s {sources[first]} to {sources[last]}" if sources[first] != sources[last] else f" {sources[first]}"
            told.append(f"{word}s {cells[first]} to {cells[last]} are {word}{ends}")
    return told
