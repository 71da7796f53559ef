"""Pictures in the terminal: cells at every colour system, sizes, shrinking and enlarging."""

import io
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import pytest
from numpy.typing import NDArray
from rich.console import Console
from rich.segment import Segment

from cnnfilter.cli.preview import HalfBlocks, half_blocks
from cnnfilter.images.thumbnail import Thumbnail, thumbnail

System = Literal["truecolor", "256", "standard"]
BLACK, WHITE, RED = (0, 0, 0), (255, 255, 255), (255, 0, 0)


class Stream(io.StringIO):
    """A stream in an encoding."""

    def __init__(self, encoding: str) -> None:
        super().__init__()
        self._encoding = encoding

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._encoding


def console(
    system: System | None = None, *, width: int = 80, no_color: bool = False, encoding: str = "utf-8"
) -> Console:
    return Console(
        file=Stream(encoding),
        force_terminal=True,
        color_system=system,
        width=width,
        no_color=no_color,
        legacy_windows=False,
        _environ={},
    )


def printed(picture: HalfBlocks, **options: Any) -> str:
    screen = console(**options)
    screen.print(picture, end="")
    assert isinstance(screen.file, io.StringIO)
    return screen.file.getvalue()


Cell = tuple[str, tuple[int, ...] | None, tuple[int, ...] | None]


def cells(picture: HalfBlocks) -> list[list[Cell]]:
    """(character, foreground, background) of every cell in true colour."""
    screen = console("truecolor")
    lines = Segment.split_lines(screen.render(picture))
    return [list(_cells_of(line)) for line in lines]


def _cells_of(line: list[Segment]) -> Iterator[Cell]:
    for text, style, _ in line:
        ink, ground = (style.color, style.bgcolor) if style else (None, None)
        for character in text:
            yield character, ink and tuple(ink.get_truecolor()), ground and tuple(ground.get_truecolor())


def array(*rows: Any) -> NDArray[np.uint8]:
    return np.array(rows, np.uint8)


def grays(picture: HalfBlocks) -> list[list[int]]:
    return picture.canvas.pixels[:, :, 0].tolist()  # type: ignore[no-any-return]


# ------------------------------------------------------------------------------------------------------------- cells


def test_a_cell_is_two_pixels_one_above_the_other() -> None:
    picture = half_blocks(array([RED, WHITE], [BLACK, (1, 2, 3)]), 2, 1)
    assert cells(picture) == [[("▀", RED, BLACK), ("▀", WHITE, (1, 2, 3))]]
    assert (picture.canvas.columns, picture.canvas.rows) == (2, 1)


def test_the_last_line_of_an_odd_height_has_no_ground() -> None:
    assert cells(half_blocks(array([10], [20], [30]), 1, 2)) == [
        [("▀", (10, 10, 10), (20, 20, 20))],
        [("▀", (30, 30, 30), None)],
    ]


@pytest.mark.parametrize(
    ("system", "expected"),
    [
        ("truecolor", "\x1b[38;2;255;0;0;48;2;0;0;255m▀\x1b[0m\x1b[38;2;128;128;128;48;2;255;255;255m▀\x1b[0m\n"),
        ("256", "\x1b[38;5;196;48;5;21m▀\x1b[0m\x1b[38;5;244;48;5;231m▀\x1b[0m\n"),
        ("standard", "\x1b[31;44m▀\x1b[0m\x1b[37;107m▀\x1b[0m\n"),
    ],
)
def test_colours_are_those_that_the_terminal_has(system: System, expected: str) -> None:
    picture = half_blocks(array([RED, (128, 128, 128)], [(0, 0, 255), WHITE]), 2, 1)
    assert printed(picture, system=system) == expected


def test_equal_cells_share_one_change_of_colours() -> None:
    assert printed(half_blocks(np.full((2, 9), 7, np.uint8), 9, 1), system="truecolor").count("\x1b[38") == 1


@pytest.mark.parametrize("options", [{"system": None}, {"system": "truecolor", "no_color": True}])
def test_without_colour_there_are_shades(options: dict[str, Any]) -> None:
    ramp = np.repeat(np.arange(0, 256, 255 / 19).round().astype(np.uint8)[None], 2, 0)
    assert printed(half_blocks(ramp, 20, 1), **options) == "  ..::--==++**##%%@@\n"


def test_a_shade_is_the_mean_of_its_two_pixels_and_the_luma_of_colour() -> None:
    assert printed(half_blocks(array([255, 0], [0, 0]), 2, 1)) == "+ \n"
    assert (
        printed(half_blocks(array([RED, (0, 255, 0), (0, 0, 255)], [RED, (0, 255, 0), (0, 0, 255)]), 3, 1)) == ":+.\n"
    )


def test_the_last_shade_of_an_odd_height_is_not_darker() -> None:
    assert printed(half_blocks(array([255], [255], [255]), 1, 2)) == "@\n@\n"


def test_where_blocks_cannot_be_encoded_there_are_coloured_spaces() -> None:
    shown = printed(half_blocks(array([100], [200]), 1, 1), system="truecolor", encoding="ascii")
    assert shown == "\x1b[48;2;150;150;150m \x1b[0m\n"


def test_a_picture_is_cut_where_a_terminal_is_narrower_after_all() -> None:
    picture = half_blocks(np.zeros((2, 30), np.uint8) + 255, 30, 1)
    assert printed(picture, width=10) == "@" * 10 + "\n"
    assert printed(picture, width=10, system="256") == "\x1b[38;5;231;48;5;231m" + "▀" * 10 + "\x1b[0m\n"


# ------------------------------------------------------------------------------------------------------------- sizes


@pytest.mark.parametrize(
    ("shape", "room", "expected"),
    [
        ((427, 640), (39, 20), (39, 13)),  # columns, lines
        ((640, 427), (39, 20), (27, 20)),
        ((64, 64), (39, 14), (28, 14)),
        ((10, 9000), (80, 24), (80, 1)),
        ((9000, 10), (80, 24), (1, 24)),
        ((1, 1), (80, 24), (8, 4)),
        ((8, 8), (39, 14), (16, 8)),
        ((8, 8), (80, 24), (48, 24)),
        ((5, 5), (39, 14), (20, 10)),
        ((28, 28), (39, 14), (28, 14)),
        ((30, 30), (39, 16), (30, 15)),
        ((500, 500), (1, 1), (1, 1)),
    ],
)
def test_a_picture_fills_its_room_in_its_own_proportions(
    shape: tuple[int, int], room: tuple[int, int], expected: tuple[int, int]
) -> None:
    picture = half_blocks(np.zeros(shape, np.uint8), *room)
    assert (picture.canvas.columns, picture.canvas.rows) == expected


def test_large_pictures_are_shrunk_by_the_mean_of_areas() -> None:
    assert thumbnail(array([0, 100, 8, 16], [100, 200, 24, 32]), (1, 2)).pixels.tolist() == [[100, 20]]
    # 5 samples to 2: (0 + 50 + 100 / 2) / 2.5 and (100 / 2 + 150 + 200) / 2.5
    assert thumbnail(array([0, 50, 100, 150, 200]), (1, 2)).pixels.tolist() == [[40, 160]]


def test_shrinking_by_a_fraction_agrees_with_areas_counted_in_halves_of_a_pixel() -> None:
    picture = np.random.default_rng(5).integers(0, 256, (6, 9, 3), np.uint8)
    expected = picture.astype(float).repeat(2, 0).repeat(2, 1).reshape(4, 3, 6, 3, 3).mean((1, 3))
    small = thumbnail(picture, (4, 6)).pixels
    assert small.shape == (4, 6, 3)
    assert np.abs(small - expected).max() <= 0.51


def test_tiny_pictures_are_enlarged_with_hard_pixels() -> None:
    assert grays(half_blocks(array([1, 2], [3, 4]), 5, 2)) == [[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]]


def test_an_enlarged_chessboard_is_as_sharp_in_shades() -> None:
    board = (np.indices((4, 4)).sum(0) % 2 == 0) * np.uint8(255)
    assert printed(half_blocks(board, 10, 5)).splitlines() == ["@@  @@  ", "  @@  @@", "@@  @@  ", "  @@  @@"]


# ----------------------------------------------------------------------------------------------------- kinds of array


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        (np.array([[0, 65535, 32896]], np.uint16), [0, 255, 128]),
        (np.array([[0, 65535, 32896]], ">u2"), [0, 255, 128]),
        (np.array([[False, True]]), [0, 255]),
        (np.array([[-128, 0, 127]], np.int8), [0, 128, 255]),
        (np.array([[-510, 0, 510]], np.int32), [0, 128, 255]),
        (np.array([[0.0, 0.25, 1.0]], np.float32), [0, 64, 255]),
        (np.array([[3.5, 3.5]], np.float64), [0, 0]),
    ],
)
def test_samples_of_every_type_become_levels(samples: NDArray[Any], expected: list[int]) -> None:
    assert thumbnail(samples, (10, 10)).pixels.tolist() == [expected]


def test_what_was_stretched_is_told() -> None:
    assert thumbnail(np.array([[-510, 255]], np.int32), (10, 10)).extremes == (-510, 255)
    assert thumbnail(np.array([[np.nan, 2.5]], np.float32), (10, 10)).extremes == (2.5, 2.5)
    assert thumbnail(array([1, 2]), (10, 10)).extremes is None


def test_transparent_places_show_a_checkerboard() -> None:
    clear = np.zeros((8, 8), np.uint8)
    expected = np.kron([[102, 153], [153, 102]], np.ones((4, 4), int))
    assert grays(half_blocks(np.full((8, 8), 9, np.uint8), 8, 4, alpha=clear)) == expected.tolist()


def test_half_transparent_colours_lie_over_the_checkerboard() -> None:
    picture = np.dstack([np.full((2, 2, 3), 200, np.uint8), np.full((2, 2), 128, np.uint8)])
    shown = thumbnail(picture, (2, 2))
    assert shown.alpha is not None
    assert shown.alpha.tolist() == [[128, 128], [128, 128]]
    (ground,) = {*np.unique(half_blocks(shown, 2, 1).canvas.pixels).tolist()}
    assert ground in ((200 * 128 + 102 * 127 + 127) // 255, (200 * 128 + 153 * 127 + 127) // 255)


def test_colours_count_as_much_as_they_are_seen() -> None:
    gray_alpha = np.array([[[200, 255], [0, 0]], [[100, 255], [0, 0]]], np.uint8)
    small = thumbnail(gray_alpha, (1, 1))
    assert (small.pixels.tolist(), small.alpha is not None and small.alpha.tolist()) == ([[150]], [[128]])


def test_opaque_alpha_is_no_alpha() -> None:
    assert thumbnail(np.full((4, 4, 4), 255, np.uint8), (2, 2)).alpha is None
    assert thumbnail(np.full((4, 4, 4), 65535, np.uint16), (2, 2)).alpha is None


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_none_are_seen_through(bad: float) -> None:
    small = thumbnail(np.array([[0, bad], [10, 5]], np.float32), (2, 2))
    assert small.pixels.tolist() == [[0, 0], [255, 128]]
    assert small.alpha is not None
    assert small.alpha.tolist() == [[255, 0], [255, 255]]
    assert thumbnail(np.full((2, 2), bad, np.float32), (2, 2)).pixels.tolist() == [[0, 0], [0, 0]]


# ------------------------------------------------------------------------------------------------------ feature maps


def test_feature_maps_lie_side_by_side_with_nothing_between() -> None:
    maps = np.stack([np.full((8, 8), level, np.uint8) for level in (255, 0, 140)], axis=2)
    picture = half_blocks(maps, 40, 4, is_stack=True)
    assert printed(picture).splitlines() == ["@@@@@@@@  " + " " * 8 + "  " + "+" * 8] * 4
    assert cells(picture)[0][8:11] == [(" ", None, None)] * 2 + [("▀", BLACK, BLACK)]


def test_rows_of_maps_begin_with_a_line_also_when_their_height_is_odd() -> None:
    maps = np.full((9, 9, 2), 255, np.uint8)
    picture = half_blocks(maps, 9, 11, is_stack=True)
    assert printed(picture).splitlines() == ["@" * 9] * 5 + [" " * 9] + ["@" * 9] * 5
    assert [line[0] for line in cells(picture)[4:7]] == [
        ("▀", WHITE, None),
        (" ", None, None),
        ("▀", WHITE, WHITE),
    ]


def test_raw_maps_are_stretched_each_on_its_own() -> None:
    maps = np.array([[[0, 100.0], [1, 200]]], np.float32)
    assert thumbnail(maps, (10, 10), is_stack=True).pixels.tolist() == [[[0, 0], [255, 255]]]


@pytest.mark.parametrize("count", [1, 2, 5, 8, 16, 64, 1000])
@pytest.mark.parametrize("shape", [(64, 64), (1, 1), (14, 14), (7, 300), (300, 7), (224, 224)])
@pytest.mark.parametrize("room", [(78, 14), (39, 20), (20, 3), (1, 1)])
def test_stacks_fit_their_room_and_a_thumbnail_is_shown_as_the_array(
    count: int, shape: tuple[int, int], room: tuple[int, int]
) -> None:
    maps = np.random.default_rng(count).integers(0, 256, (*shape, count), np.uint8)
    picture = half_blocks(maps, *room, is_stack=True)
    assert picture.canvas.columns <= room[0]
    assert picture.canvas.rows <= room[1]
    small = thumbnail(maps, (2 * room[1], room[0]), is_stack=True)
    assert 1 <= small.pixels.shape[2] <= count
    again = half_blocks(small, *room)
    assert np.array_equal(again.canvas.pixels, picture.canvas.pixels)
    assert np.array_equal(again.canvas.seen, picture.canvas.seen)


def test_more_than_four_channels_are_a_stack() -> None:
    assert thumbnail(np.zeros((8, 8, 5), np.uint8), (16, 60)).columns == 5
    assert thumbnail(np.zeros((8, 8, 4), np.uint8), (16, 60)).columns == 0


def test_a_thumbnail_made_for_a_larger_terminal_is_made_smaller() -> None:
    wide = thumbnail(np.full((400, 600), 255, np.uint8), (40, 60))
    assert half_blocks(wide, 30, 20).canvas.columns == 30
    maps = thumbnail(np.full((32, 32, 8), 255, np.uint8), (40, 150), is_stack=True)
    assert isinstance(maps, Thumbnail)
    assert half_blocks(maps, 40, 20).canvas.columns <= 40
