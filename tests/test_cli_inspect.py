"""The inspect command."""

import json
from pathlib import Path

from conftest import Invoke

SAMPLES = Path(__file__).parent.parent / "samples"


def test_several_things_are_told_a_line_each_and_an_error_costs_its_own_one(invoke: Invoke) -> None:
    done = invoke("inspect", "sobel-v", "sobl-v", str(SAMPLES / "chessboard.png"), "--report", "json")
    kernel, wrong, image = (json.loads(line) for line in done.out.splitlines())
    assert kernel["matrices"][0]["matrix"] == [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]
    assert "did you mean sobel-v" in wrong["error"]
    assert image["shape"] == [8, 8]
    assert done.code == 1
    assert done.err.count(b"\n") == 1
