"""Where drawings go: a console, with the colours and characters that it has."""

import math
from collections.abc import Iterator, Sequence
from typing import TextIO

from rich.color import Color
from rich.console import Console, RenderableType
from rich.measure import Measurement
from rich.style import Style
from rich.table import Table
from rich.text import Text

# From nothing to all, in blocks and in ASCII; the first is for zero.
SHADES = {True: " .:+*#", False: " ░▒▓██"}
LEVELS = {True: "_.:-=+*#", False: "▁▂▃▄▅▆▇█"}
# What fills the cells of positive and of negative weights where there is no colour, from weak to strong.
POSITIVE = {True: "+*#", False: "░▒▓"}
NEGATIVE = {True: ".-=", False: "·-="}
# Colours of a diverging scale: strongly negative, zero, strongly positive (Brewer's RdBu, safe for colour blindness).
BLUE, WHITE, RED = (33, 102, 172), (247, 247, 247), (178, 24, 43)
# Of a scale from nothing to all: the ends and the middle of viridis.
DARK, MIDDLE, BRIGHT = (68, 1, 84), (33, 145, 140), (253, 231, 37)

# Width of the names in a listing, so that several of them align.
NAMES = 11

Rgb = tuple[int, int, int]


class Canvas:
    """A console with what drawings ask of it: whether it has colours, and more than ASCII."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.console = Console(file=stream, highlight=False)
        # Sixteen colours are too few for a scale: they only tinge the fillings.
        self.in_colour = self.console.color_system not in (None, "standard") and not self.console.no_color
        self.ascii = self.console.options.ascii_only
        self.width = self.console.width

    def show(self, *drawings: RenderableType) -> None:
        """Print drawings one below the other, without blanks at line ends."""
        with self.console.capture() as capture:
            for drawing in drawings:
                self.console.print(drawing)
        self.stream.write("".join(f"{line.rstrip()}\n" for line in capture.get().splitlines()))

    def levels(self, values: Sequence[float], top: float) -> str:
        """A line of bars, one character a value, from 0 to `top`."""
        ramp = LEVELS[self.ascii]
        return "".join(ramp[_step(value / top if top else 0, len(ramp))] for value in values)

    def columns(self, values: Sequence[float], top: float, rows: int) -> list[str]:
        """Bars from 0 to `top` in several lines; nothing at all is blank, and what is not nothing shows."""
        ramp = " " + LEVELS[self.ascii]
        fine = len(ramp) - 1
        heights = [min(math.ceil(value / top * rows * fine - 1e-9), rows * fine) if top else 0 for value in values]
        bases = [row * fine for row in reversed(range(rows))]
        return ["".join(ramp[min(max(height - base, 0), fine)] for height in heights) for base in bases]

    def shade(self, share: float, width: int) -> Text:
        """A cell of a picture from nothing (0) to all (1)."""
        if self.in_colour:
            colour = _between(DARK, MIDDLE, 2 * share) if share < 0.5 else _between(MIDDLE, BRIGHT, 2 * share - 1)
            return Text(" " * width, Style(bgcolor=Color.from_rgb(*colour)))
        ramp = SHADES[self.ascii]
        return Text(ramp[0 if share <= 0 else max(1, _step(share, len(ramp)))] * width)

    def weight(self, share: float, text: str, *, framed: bool = False) -> Text:
        """A cell of a kernel, from -1 (as negative as it gets) to 1: in a diverging colour, or on a filling.

        `framed` keeps a blank on both sides of the text, where it lies on a filling.
        """
        if self.in_colour:
            colour = _between(WHITE, RED if share > 0 else BLUE, abs(share))
            ink = (0, 0, 0) if sum(colour) > 380 else (255, 255, 255)
            return Text(text, Style(color=Color.from_rgb(*ink), bgcolor=Color.from_rgb(*colour)))
        ramp = POSITIVE[self.ascii] if share > 0 else NEGATIVE[self.ascii]
        fill = ramp[min(math.ceil(abs(share) * len(ramp)) - 1, len(ramp) - 1)] if share else " "
        word = f" {text.strip()} " if framed and text.strip() else text.strip()
        start = len(text) - len(text.lstrip()) - (framed and bool(text.strip()))
        tinge = "red" if share > 0 else "blue" if share < 0 else ""
        return Text(fill * max(start, 0) + word + fill * (len(text) - max(start, 0) - len(word)), tinge)


def _step(share: float, count: int) -> int:
    return min(max(int(share * count + 1e-9), 0), count - 1)  # equal shares may differ by rounding


def _between(start: Rgb, end: Rgb, share: float) -> Rgb:
    r, g, b = (round(a + (z - a) * min(max(share, 0.0), 1.0)) for a, z in zip(start, end, strict=True))
    return r, g, b


def counted(number: int, word: str) -> str:
    """A number of things.

    >>> counted(1, "layer"), counted(2, "layer")
    ('1 layer', '2 layers')
    """
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def listing(rows: Sequence[tuple[str, RenderableType]]) -> Table:
    """Names and what is told of each, in two columns; nothing is cut off."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column(style="cyan", no_wrap=True, min_width=NAMES)
    table.add_column(overflow="fold")
    for name, told in rows:
        table.add_row(name, Text(told) if isinstance(told, str) else told)
    return table


def beside(canvas: Canvas, drawings: Sequence[RenderableType], gap: int = 4) -> Iterator[RenderableType]:
    """The drawings beside each other, or below each other with a line between where they do not fit."""
    widths = [Measurement.get(canvas.console, canvas.console.options, drawing).maximum for drawing in drawings]
    if sum(widths) + gap * (len(drawings) - 1) > canvas.width:
        for index, drawing in enumerate(drawings):
            if index:
                yield Text()
            yield drawing
        return
    grid = Table.grid(padding=(0, gap, 0, 0))
    for _ in drawings:
        grid.add_column(no_wrap=True)
    grid.add_row(*drawings)
    yield grid
