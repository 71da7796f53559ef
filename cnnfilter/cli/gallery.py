"""The pictures of a run in the terminal: each input with its results."""

import os
import sys
from collections.abc import Sequence
from typing import TextIO

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from cnnfilter.batch.paths import Job
from cnnfilter.batch.report import Record
from cnnfilter.cli.options import Shared
from cnnfilter.cli.preview import HalfBlocks
from cnnfilter.cli.progress import Progress
from cnnfilter.core.vocabulary import STANDARD_STREAM
from cnnfilter.core.words import by, printable
from cnnfilter.images.canvas import drawn
from cnnfilter.images.thumbnail import Frames, Size, Thumbnail, in_proportion

MOST_INPUTS = 10
# Columns: the least for pictures beside each other, and between them.
LEAST_WIDTH, GAP = 30, 2
# Lines: the least and the most of a picture, and those that are left to captions, report and prompt.
LEAST_HEIGHT, MOST_HEIGHT, OTHERS = 8, 30, 13

# How much larger than in proportion a result is drawn before its caption says so; rounding alone is less.
ENLARGED = 1.25

Tile = tuple[int, RenderableType]  # with its width


def gallery(shared: Shared, jobs: Sequence[Job], *, to_stderr: bool) -> "Gallery | None":
    """The gallery of a run; None where it would not go to a terminal.

    It goes where the table would, but beside JSON Lines or CSV on standard output to standard error.
    """
    machine_read = shared.report_file is None and shared.report in ("json", "csv")
    stream: TextIO | None = sys.stderr if to_stderr or machine_read else sys.stdout
    if stream is None or not Console(file=stream).is_terminal:  # it may be closed
        return None
    return Gallery(stream, jobs)


class Gallery:
    """Receives the records of a run and shows their pictures, those of the first ten inputs.

    The results of an input lie beside it where the terminal is wide enough, otherwise below.
    """

    def __init__(self, stream: TextIO, jobs: Sequence[Job]) -> None:
        self.console = Console(file=stream, highlight=False)
        self._bar: Console | None = None  # of a progress bar in the same terminal
        self._stream, self._total = stream, len(jobs)
        self._height = min(max(self.console.height - OTHERS, LEAST_HEIGHT), MOST_HEIGHT)
        results = max(sum(target.path is not None for target in job.targets) for job in jobs)
        across = min(1 + results, max(1, (self.console.width + GAP) // (LEAST_WIDTH + GAP)))
        self._width = (self.console.width + GAP) // across - GAP
        self._waiting: list[Record] = []  # of one input
        self._is_first, self._has_told = True, False

    def framed(self, jobs: Sequence[Job]) -> list[Job]:
        """The jobs, the first of which bring pictures for the gallery."""
        frames = Frames((2 * self._height, self._width), (2 * self._height, self.console.width))
        return [job._replace(frames=frames) if index < MOST_INPUTS else job for index, job in enumerate(jobs)]

    def stand_above(self, progress: Progress) -> None:
        """Print above the bar, where it stands in the same terminal."""
        if self._stream.isatty():
            self._bar = progress.console

    def receive(self, record: Record) -> None:
        """Keep the pictures of a record, and show those of the input before it."""
        if self._waiting and record.input != self._waiting[0].input:
            self._show()
        if record.status != "ok":
            return
        if record.input_preview is not None:
            self._waiting.append(record)
        elif not self._has_told:
            self._has_told = True
            self._print(Text(f"{self._total - MOST_INPUTS} more inputs are not shown", "dim"))

    def finish(self) -> None:
        """Show what is left."""
        if self._waiting:
            self._show()

    def _show(self) -> None:
        records, self._waiting = self._waiting, []
        for row in _rows(self._tiles(records), self.console.width):
            table = Table.grid(padding=(0, GAP, 0, 0), pad_edge=False)
            for width, _ in row:
                table.add_column(width=width, no_wrap=True)
            table.add_row(*(tile for _, tile in row))
            self._print(table if self._is_first else Group("", table))
            self._is_first = False

    def _tiles(self, records: Sequence[Record]) -> list[Tile]:
        """The input and its results: pictures in proportion to each other, stacks of maps as large as they get."""
        shown = [record for record in records if record.output_preview is not None]
        frame = 2 * self._height, self._width
        shapes = [_size(record.output_shape) for record in shown]
        shape = _size(records[0].input_shape)
        first, *others = in_proportion(shape, shapes, frame)
        tiles = [self._input(records, first)]
        for record, own, room in zip(shown, shapes, others, strict=True):
            is_larger = max(room) / max(own) > ENLARGED * max(first) / max(shape)
            tiles.append(self._result(record, room, is_larger=is_larger))
        return tiles

    def _input(self, records: Sequence[Record], room: Size) -> Tile:
        record = records[0]
        assert record.input_preview is not None
        classes = "".join(_best(record) for record in records if record.classes)
        name = "standard input" if record.input == STANDARD_STREAM else os.path.basename(record.input)
        info = _info(record.input_preview, record.input_shape) + classes
        return self._tile(record.input_preview, room, name, info)

    def _result(self, record: Record, room: Size, *, is_larger: bool) -> Tile:
        assert record.output_preview is not None
        path = record.output or ""
        name = "standard output" if path == STANDARD_STREAM else os.path.basename(path)
        if name == os.path.basename(record.input):
            name = os.path.join(*path.split(os.sep)[-2:])  # which of the two it is
        mapping = f", {record.mapping}" if record.mapping not in (None, "raw") else ""
        note = ", enlarged" if is_larger and not record.output_preview.columns else ""
        info = _info(record.output_preview, record.output_shape) + mapping + note
        return self._tile(record.output_preview, room, name, info)

    def _tile(self, picture: Thumbnail, room: Size, name: str, info: str) -> Tile:
        width = self.console.width if picture.columns else self._width
        blocks = HalfBlocks(drawn(picture, (2 * self._height, width) if picture.columns else room))
        name, info = _cut(printable(name), width), _cut(info, width)
        width = max(blocks.canvas.columns, cell_len(name), cell_len(info))
        return width, Group(Text(name, "bold"), Text(info, "dim"), blocks)

    def _print(self, shown: RenderableType) -> None:
        if self._bar is not None:
            self._bar.print(shown)  # above it
            return
        with self.console.capture() as capture:
            self.console.print(shown)
        self._stream.write(capture.get())
        self._stream.flush()


def _size(shape: Sequence[int] | None) -> Size:
    height, width = (shape or (1, 1))[:2]
    return height, width


def _info(picture: Thumbnail, shape: Sequence[int] | None) -> str:
    """The shape of what is shown, the range of values that were stretched, how many maps of how many."""
    words = [by(shape or ())]
    if picture.columns and shape and picture.pixels.shape[2] < shape[2]:
        words.append(f"the first {picture.pixels.shape[2]} maps")
    if picture.extremes:
        words.append("{:.4g} to {:.4g}".format(*picture.extremes))
    return ", ".join(words)


def _best(record: Record) -> str:
    """The likeliest class."""
    best = (record.classes or ())[0]
    return f": {printable(best['label'])}, {best['probability']:.2%}"


def _rows(tiles: Sequence[Tile], width: int) -> list[list[Tile]]:
    """As many tiles in a row as fit."""
    rows: list[list[Tile]] = []
    left = 0
    for tile in tiles:
        left -= tile[0] + GAP
        if left < 0:
            rows.append([])
            left = width - tile[0]
        rows[-1].append(tile)
    return rows


def _cut(text: str, width: int) -> str:
    """`text` without its middle where it is too wide.

    >>> _cut("a-long-name.sobel-v.png", 15)
    'a-long...-v.png'
    """
    if cell_len(text) <= width:
        return text
    head = tail = ""
    for index in range(len(text)):
        longer = (text[: index // 2 + 1], tail) if index % 2 == 0 else (head, text[len(text) - index // 2 - 1 :])
        if cell_len("".join(longer)) + 3 > width:
            break
        head, tail = longer
    return f"{head}...{tail}"[: max(width, 0)]
