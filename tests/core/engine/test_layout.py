"""Where a program's signals lie in the scratch of a band."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import cnnfilter
from cnnfilter.core import engine
from cnnfilter.core.engine import layout
from cnnfilter.core.engine.compiler import compiled
from cnnfilter.core.engine.layout import MANY, BandPlan, Call, held
from cnnfilter.core.engine.task import Correlation
from cnnfilter.core.geometry import Windows
from cnnfilter.core.samples import UINT8, Rendering

SCATTERED = np.random.default_rng(0).integers(-4, 9, (7, 7))


def planned(kernel: str | NDArray[Any], mapping: str = "raw") -> BandPlan:
    matrix = cnnfilter.kernel(kernel).matrix if isinstance(kernel, str) else kernel
    windows = Windows.of((matrix.shape[0], matrix.shape[1]))
    image = np.zeros((2000, 3000, 1), np.uint8)
    rendering = Rendering("abs", samples=UINT8) if mapping == "abs" else Rendering("raw")
    found = engine.plan(Correlation(matrix, windows, "reflect"), image, rendering, count=False).fused
    assert found
    return found


@pytest.mark.parametrize(
    ("kernel", "signals"),
    [("sobel-v", 1), ("sobel-h", 1), ("gaussian", 1), ("prewitt-h", 2), ("sharpen", 2), ("laplacian", 2)],
)
def test_sums_take_the_place_of_what_they_are_made_of(kernel: str, signals: int) -> None:
    plan = planned(kernel)
    assert held(plan.program) == signals
    assert len(set(plan.layout._blocks)) == signals
    assert plan.layout.size < 1.25 * signals * plan.rows * plan.pitch


def test_a_sum_of_one_signal_at_two_shifts_never_lies_behind_what_is_still_to_be_read() -> None:
    for kernel in ("sobel-v", "sobel-45", "gaussian", "emboss", "box:15", "sharpen"):
        for call in planned(kernel).layout.calls:
            assert isinstance(call, Call)
            spans = [x for x in call.operands if isinstance(x, layout.Span)]
            reach = range(call.out.start, call.out.start + call.out.length)
            overlapping = [x for x in spans if x.start in reach or x.start + x.length - 1 in reach]
            assert all(x.start >= call.out.start for x in overlapping)


@pytest.mark.parametrize(
    ("kernel", "signals", "share"),
    [
        ("sobel-v", range(1, 2), 2),
        ("sharpen", range(2, MANY), 1),
        ("box:11", range(2, MANY), 1),
        (SCATTERED, range(MANY, 49), 0.5),
    ],
)
def test_bands_are_the_lower_the_more_signals_a_program_holds(
    kernel: str | NDArray[Any], signals: range, share: float
) -> None:
    plan = planned(kernel)
    assert held(plan.program) in signals
    assert plan.rows * plan.pitch == pytest.approx(share * layout.BAND, rel=0.1)


def test_row_phases_are_held_from_the_beginning() -> None:
    assert held(compiled(((1,), (2,), (1,)), (3, 1))) == 3
