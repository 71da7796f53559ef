"""One picture out of many panels: first where everything goes, as data, then the drawing of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from cnnfilter.images import lettering
from cnnfilter.images.heatmap import RGB, diverging
from cnnfilter.images.tiles import PAPER

# A montage is about so wide at most, and never higher; rows that would reach beyond are left out.
WIDTH, HEIGHT = 1640, 12_000
LEAST_WIDTH = 420
MOST_GROUPS = 100  # of an input: kernels or filters with their maps, layers
MARGIN, GAP, INNER_GAP, LINE_GAP = 20, 28, 12, 18
HEADING, TITLE, NOTE = 19, 15, 13
# The words above a panel that is narrower than this may be so wide.
LEAST_PANEL = 190
RAMP_HEIGHT, RAMP_WIDTH = 14, 180

Ramp = Literal["diverging", "gray"]


@dataclass(frozen=True)
class Key:
    """An entry of the legend: a ramp of colours with marks at its ends and between, and what it means."""

    text: str
    ramp: Ramp
    marks: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Panel:
    """A picture in the size in which it is drawn, a title and a note above it, and the keys to its colours."""

    title: str
    note: str
    pixels: RGB
    keys: tuple[Key, ...] = ()


# Panels that stay side by side.
Group = tuple[Panel, ...]


@dataclass(frozen=True, eq=False)
class Exhibit:
    """What is shown of the input `source`, or a part of it: the first group is the input itself."""

    source: str
    heading: str
    groups: tuple[Group, ...]


@dataclass(frozen=True, eq=False)
class Place:
    """A rectangle of the sheet and what is drawn there: a line of text, a picture, or the ramp of a key."""

    top: int
    left: int
    height: int
    width: int
    text: str = ""
    size: int = 0
    pixels: RGB | None = None


@dataclass(frozen=True, eq=False)
class Sheet:
    """The layout of a montage; `rows` is the number of exhibits that are on it."""

    height: int
    width: int
    places: tuple[Place, ...]
    rows: int


def joined(exhibits: Sequence[Exhibit]) -> list[Exhibit]:
    """What is shown of each input, where that came in parts."""
    rows: list[Exhibit] = []
    for exhibit in exhibits:
        if rows and rows[-1].source == exhibit.source:
            groups = (*rows[-1].groups, *exhibit.groups[1:])
            rows[-1] = replace(exhibit, groups=groups[: 1 + MOST_GROUPS])
        else:
            rows.append(exhibit)
    return rows


def layout(exhibits: Sequence[Exhibit]) -> Sheet:
    """Where the exhibits go, row below row, with a legend at the foot.

    Groups that do not fit beside each other stand in columns. No two places overlap.
    """
    rows = joined(exhibits)
    wide = max(WIDTH - 2 * MARGIN, *(_group_width(group) for row in rows for group in row.groups))
    columns = [_columns(row.groups, wide) for row in rows]
    width = max(LEAST_WIDTH, *(sum(each) + GAP * (len(each) - 1) for each in columns))
    places: list[Place] = []
    top, shown = MARGIN, 0
    keys: list[Key] = []
    for row, widths in zip(rows, columns, strict=True):
        fresh = [key for key in dict.fromkeys(k for g in row.groups for p in g for k in p.keys) if key not in keys]
        here, bottom = _row(row, widths, top, width)
        if shown and bottom + _legend([*keys, *fresh], bottom, width)[1] - bottom + MARGIN > HEIGHT:
            break
        places += here
        keys += fresh
        top, shown = bottom + GAP, shown + 1
    legend, bottom = _legend(keys, top, width)
    return Sheet(bottom + MARGIN, width + 2 * MARGIN, (*places, *legend), shown)


def _group_width(group: Group) -> int:
    return sum(_panel_width(panel) for panel in group) + INNER_GAP * (len(group) - 1)


def _panel_width(panel: Panel) -> int:
    """As wide as its picture, and wider where its words are, but within bounds."""
    words = max(lettering.text_width(panel.title, TITLE), lettering.text_width(panel.note, NOTE))
    return max(int(panel.pixels.shape[1]), min(words, LEAST_PANEL))


def _columns(groups: Sequence[Group], wide: int) -> list[int]:
    """The widths of the columns: those of the groups where there are two that fit, else all alike."""
    widths = [_group_width(group) for group in groups]
    if len(widths) <= 2 and sum(widths) + GAP * (len(widths) - 1) <= wide:
        return widths
    most = max(1, (wide + GAP) // (max(widths) + GAP))
    lines = -(-len(widths) // most)
    return [max(widths)] * -(-len(widths) // lines)


def _row(row: Exhibit, widths: list[int], top: int, width: int) -> tuple[list[Place], int]:
    """(places of a row, its bottom)."""
    places = [_line(lettering.fitted(row.heading, width, HEADING), top, MARGIN, HEADING, width)]
    top += lettering.line_height(HEADING) + LINE_GAP // 2
    for start in range(0, len(row.groups), len(widths)):
        bottom, left = top, MARGIN
        for group, column in zip(row.groups[start : start + len(widths)], widths, strict=False):
            here = _group(group, top, left, column)
            places += here
            bottom = max(bottom, *(place.top + place.height for place in here))
            left += column + GAP
        top = bottom + LINE_GAP
    return places, top - LINE_GAP


def _group(group: Group, top: int, left: int, column: int) -> list[Place]:
    """The places of a group; the words above its last panel may reach to the end of the column."""
    places = []
    end = left + column
    for panel in group:
        width = end - left if panel is group[-1] else _panel_width(panel)
        height, across = panel.pixels.shape[:2]
        below = top + lettering.line_height(TITLE) + lettering.line_height(NOTE) + 4
        note_top = top + lettering.line_height(TITLE)
        places.append(_line(lettering.fitted(panel.title, width, TITLE), top, left, TITLE, width))
        places.append(_line(lettering.fitted(panel.note, width, NOTE), note_top, left, NOTE, width))
        places.append(Place(below, left, height, across, pixels=panel.pixels))
        left += width + INNER_GAP
    return places


def _legend(keys: Sequence[Key], top: int, width: int) -> tuple[list[Place], int]:
    """(places of the legend, its bottom): ramps with their marks, and what they mean beside them."""
    places: list[Place] = []
    for key in keys:
        places.append(Place(top + 2, MARGIN, RAMP_HEIGHT, RAMP_WIDTH, pixels=_ramp(key.ramp)))
        marks_top = top + RAMP_HEIGHT + 4
        steps = max(1, len(key.marks) - 1)
        for index, mark in enumerate(key.marks):
            wide = lettering.text_width(mark, NOTE)
            left = MARGIN + (RAMP_WIDTH - wide) * index // steps
            places.append(_line(mark, marks_top, left, NOTE, wide))
        beside = MARGIN + RAMP_WIDTH + INNER_GAP
        room = width + MARGIN - beside
        lines = lettering.wrapped(key.text, room, NOTE)
        for number, text in enumerate(lines):
            places.append(_line(text, top + number * lettering.line_height(NOTE), beside, NOTE, room))
        bottom = max(marks_top, top + (len(lines) - 1) * lettering.line_height(NOTE)) + lettering.line_height(NOTE)
        top = bottom + INNER_GAP
    return places, top - INNER_GAP if keys else top - GAP


def _line(text: str, top: int, left: int, size: int, width: int) -> Place:
    return Place(top, left, lettering.line_height(size), width, text, size)


def _ramp(ramp: Ramp) -> RGB:
    values = np.linspace(-1, 1, RAMP_WIDTH)[None].repeat(RAMP_HEIGHT, 0)
    if ramp == "diverging":
        return diverging(values, 1.0)
    return np.floor((values + 1) * 127.5 + 0.5).astype(np.uint8)[:, :, None].repeat(3, axis=2)


def drawn(sheet: Sheet) -> RGB:
    """The picture of a layout."""
    picture = np.full((sheet.height, sheet.width, 3), PAPER, np.uint8)
    for place in sheet.places:
        part = picture[place.top : place.top + place.height, place.left : place.left + place.width]
        if place.pixels is not None:
            part[...] = place.pixels
        else:
            ink = lettering.GRAY if place.size == NOTE else lettering.BLACK
            lettering.write(part, 0, 0, place.text, place.size, ink)
    return picture
