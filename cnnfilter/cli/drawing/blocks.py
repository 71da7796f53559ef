"""Blocks of text lines: matrices with their coordinates, and what stands beside what."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.text import Text

from cnnfilter.model.layer import Array

Cell = Text | str


@dataclass(frozen=True)
class Block:
    """Lines of text, the line of the first row of the matrix (`top`) and how many rows it has."""

    lines: tuple[Text, ...]
    top: int = 0
    rows: int = 0

    @property
    def width(self) -> int:
        """The longest line."""
        return max((line.cell_len for line in self.lines), default=0)


def texts(values: Array, figures: int = 4) -> list[list[str]]:
    """Numbers of a matrix as texts: whole ones in full, others with as many decimals as show the largest well.

    >>> import numpy as np
    >>> texts(np.array([[0.0123, -1.5]])), texts(np.array([[7, -12]])), texts(np.array([[0.5, 0.25]]))
    ([['0.012', '-1.500']], [['7', '-12']], [['0.5', '0.25']])
    """
    if values.dtype.kind != "f":
        return [[str(value) for value in row] for row in values.tolist()]
    finite = [abs(value) for value in values.ravel().tolist() if math.isfinite(value)]
    largest = max(finite, default=0.0)
    if all(value == round(value, 2) for value in finite) and largest < 1e6:
        form = "g"
    elif largest >= 1e6 or 0 < largest < 1e-3:
        form = ".2e"
    else:
        form = f".{min(max(0, figures - 1 - math.floor(math.log10(largest))), 3)}f"
    return [[f"{value:{form}}" if value else "0" for value in row] for row in values.tolist()]


def matrix(cells: Sequence[Sequence[str]], paint: Callable[[int, int, str], Cell], title: str = "") -> Block:
    """A matrix of texts, right-aligned and painted, under its title."""
    wide = max(len(text) for row in cells for text in row) + 2
    lines = [
        Text().join(_text(paint(i, j, f"{text} ".rjust(wide))) for j, text in enumerate(row))
        for i, row in enumerate(cells)
    ]
    return Block((Text(title, "cyan"), *lines), 1, len(lines))


def _text(cell: Cell) -> Text:
    return cell if isinstance(cell, Text) else Text(cell)


def after(symbol: str, block: Block) -> Block:
    """The block with a symbol before its middle row."""
    middle = block.top + block.rows // 2
    lines = [Text(f" {symbol} " if index == middle else "   ") + line for index, line in enumerate(block.lines)]
    return Block(tuple(lines), block.top, block.rows)


def beside(blocks: Sequence[Block], width: int) -> list[Text]:
    """The blocks beside each other, their matrices' first rows on one line; below each other where they do not fit."""
    rows: list[list[Block]] = [[]]
    for block in blocks:
        row = [*rows[-1], block]
        if rows[-1] and sum(each.width for each in row) > width:
            rows.append([block])
        else:
            rows[-1] = row
    lines: list[Text] = []
    for row in rows:
        lines += [Text()] * bool(lines)
        lines += _joined(row)
    return lines


def _joined(row: Sequence[Block]) -> list[Text]:
    top = max(block.top for block in row)
    shifted = [[Text()] * (top - block.top) + list(block.lines) for block in row]
    found = []
    for index in range(max(map(len, shifted))):
        line = Text()
        for block, own in zip(row, shifted, strict=True):
            text = own[index] if index < len(own) else Text()
            line.append_text(text)
            line.append(" " * (block.width - text.cell_len))
        found.append(line)
    return found
