"""The walk-through in samples/: its commands run one after another, print what it shows, and draw its pictures."""

import re
import subprocess
from pathlib import Path
from typing import NamedTuple

import numpy as np
import PIL.Image
import pytest
from places import ROOT
from transcripts import blocks, compare, make_workplace, quick, transcripts

FOLDER = Path("samples/walkthrough")
TEXT = (ROOT / FOLDER / "README.md").read_text(encoding="utf-8")
TRANSCRIPTS = transcripts(TEXT)
EXERCISES = [line for kind, text in blocks(TEXT) if kind == "sh" for line in text.splitlines()]
PICTURES = re.findall(r"!\[[^\]]*\]\(([^)]*)\)", TEXT)
# Mean difference of levels that other versions of the JPEG and WebP libraries and of the font may make.
TOLERANCE = 1.0


class Walk(NamedTuple):
    """What the commands have left: a result each, and the folder in which they ran."""

    done: list[subprocess.CompletedProcess[str]]
    place: Path


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Walk:
    """All commands, run in their order where none of the pictures exists yet."""
    place = tmp_path_factory.mktemp("walk")
    make_workplace(place)
    for name in PICTURES:
        (place / FOLDER / name).unlink()
    return Walk([quick(command, place) for command, _ in TRANSCRIPTS], place)


@pytest.mark.parametrize("index", range(len(TRANSCRIPTS)), ids=[each.command for each in TRANSCRIPTS])
def test_a_command_prints_what_is_shown(walk: Walk, index: int) -> None:
    compare(walk.done[index], TRANSCRIPTS[index].shown)


@pytest.mark.parametrize("command", EXERCISES)
def test_an_exercise_runs(walk: Walk, command: str) -> None:
    done = quick(command, walk.place)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_what_the_commands_draw(walk: Walk, name: str) -> None:
    drawn, shown = (PIL.Image.open(top / FOLDER / name) for top in (walk.place, ROOT))
    assert (drawn.format, drawn.mode, drawn.size) == (shown.format, shown.mode, shown.size)
    assert np.abs(np.asarray(drawn, float) - np.asarray(shown, float)).mean() <= TOLERANCE


def test_every_picture_of_the_folder_is_shown() -> None:
    beside = {path.name for path in (ROOT / FOLDER).iterdir()} - {"README.md", "padding.toml"}
    assert beside == set(PICTURES)


def test_every_section_is_listed() -> None:
    listed = re.findall(r"^\d+\. \[(.*)\]\(#(.*)\)$", TEXT, re.MULTILINE)
    titles = re.findall(r"^## \d+\. (.*)$", TEXT, re.MULTILINE)
    anchors = [re.sub(r"[^\w -]", "", f"{n}. {title}").lower().replace(" ", "-") for n, title in enumerate(titles, 1)]
    assert listed == list(zip(titles, anchors, strict=True))


def test_the_course_comes_out(walk: Walk) -> None:
    """The numbers that the course works out, of which the text speaks."""
    step, raw = ("\n".join(shown) for command, shown in TRANSCRIPTS if "--walk 9" in command or "--walk 64" in command)
    table = [[int(word) for word in line.split()[:3]] for line in step.splitlines()[-3:]]
    assert table == [[150] * 3, [300] * 3, [150] * 3]
    board = [[int(word) for word in line.split()] for line in raw.splitlines()[-8:]]
    assert board == [
        [left, *[0] * 6, right]
        for left, right in [(255, -255), (255, -510), (510, -255), (255, -510), (510, -255), (255, -510), (510, -255),
                            (255, -255)]
    ]  # fmt: skip
    pooled = next(each.shown for each in TRANSCRIPTS if "--gray luma --size 4" in each.command)
    assert "values      273280 -> 16960, 6.21%" in pooled
