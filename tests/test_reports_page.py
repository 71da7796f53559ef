"""The page on reports names the keys that reports have."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from expectations import GRAY
from outcomes import KEYS, lines, ok, save
from places import SAMPLES

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Invoke

PAGE = (SAMPLES / "reports.md").read_text(encoding="utf-8")


def test_the_page_has_all_keys_and_no_others() -> None:
    rows = [line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| `")]
    assert sorted(re.findall(r"`(\w+)`", "".join(rows))) == sorted(KEYS)


def test_the_page_has_the_keys_of_totals_layers_and_classes(invoke: Invoke, folder: Path) -> None:
    save("a.png", GRAY)
    save("b.png", GRAY)
    steps = "pool avg size=all | flatten | softmax"
    done = ok(invoke("pipeline", "a.png", "b.png", "--steps", steps, "-o", "out/", "--report", "json"))
    first, _, totals = lines(done)
    for keys in (totals, first["layers"][0], first["classes"][0]):
        assert [key for key in keys if f"`{key}`" not in PAGE] == []
