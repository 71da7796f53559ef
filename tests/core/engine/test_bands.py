"""Samples made in bands against the nested loops: every type, mapping, padding and stride; threads."""

import os
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import reference
from hypothesis import assume, event, given, settings, strategies as st
from hypothesis.strategies import DrawFn
from numpy.typing import NDArray

import cnnfilter
from cnnfilter.core import engine
from cnnfilter.core.engine import bands, scratch, threads
from cnnfilter.core.engine.finish import finish
from cnnfilter.core.engine.layout import BandPlan
from cnnfilter.core.engine.task import Correlation
from cnnfilter.core.geometry import PAD_MODES, Windows, pad_mode
from cnnfilter.core.samples import UINT8, UINT16, Rendering, SampleType
from cnnfilter.core.vocabulary import Mapping

Array = NDArray[Any]


@st.composite
def windows(draw: DrawFn) -> Windows:
    side = st.sampled_from([0, 1, 2, 5, 13])
    pair = st.tuples(st.integers(1, 4), st.integers(1, 4))
    return Windows(
        draw(st.tuples(st.integers(1, 4), st.integers(1, 5))),
        draw(pair),
        draw(st.tuples(st.integers(1, 3), st.integers(1, 3))),
        (draw(st.tuples(side, side)), draw(st.tuples(side, side))),
    )


def samples(dtype: str, shape: tuple[int, ...], seed: int) -> Array:
    """Every third image uses the ends of the range only, where overflow would show."""
    rng = np.random.default_rng(seed)
    limits = (0, 1) if dtype == "bool" else (int(np.iinfo(dtype).min), int(np.iinfo(dtype).max))
    if seed % 3 == 0:
        return rng.choice(np.array(limits, np.int64), shape).astype(dtype)
    return rng.integers(*limits, shape, np.int64, endpoint=True).astype(dtype)


def in_bands(plan: BandPlan, rows: int, threads: int) -> BandPlan:
    return replace(plan, rows=min(rows, plan.output[0]), threads=threads)


@settings(deadline=None, max_examples=400)
@given(
    windows(),
    st.sampled_from(sorted(PAD_MODES)),
    st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 5)),
    st.sampled_from(["uint8", "uint8", "uint8", "uint16", "int16", "int32", "int8", "bool"]),
    st.sampled_from(["clip", "abs", "shift", "raw"]),
    st.sampled_from([1, 1, 2, 3, 9, 20, 64, 256, 1000]),
    st.sampled_from([0, 0, 60, Fraction(1, 2), Fraction(-7, 3)]),
    st.sampled_from([1, 2, 9, 60, 300]),
    st.booleans(),
    st.integers(1, 5),
    st.sampled_from([1, 2]),
    st.integers(0, 2**16),
)
def test_bands_equal_the_nested_loops(
    w: Windows,
    mode: str,
    shape: tuple[int, int, int],
    dtype: str,
    mapping: Mapping,
    divisor: int,
    bias: Any,
    largest: int,
    sum_channels: bool,
    rows: int,
    count: int,
    seed: int,
) -> None:
    assume(all(n + sum(p) >= e for n, p, e in zip(shape, w.padding, w.extent, strict=False)))
    image = samples(dtype, shape, seed)
    weights = np.random.default_rng(seed).integers(-largest if seed % 2 else 0, largest, w.size, endpoint=True)
    weights.flat[0] = weights.flat[0] or 1
    kind = SampleType.of(image.dtype)
    rendering = Rendering(mapping, Fraction(1, divisor), Fraction(bias), None if mapping == "raw" else kind)
    task = Correlation(weights, w, pad_mode(mode), sum_channels)
    plan = engine.plan(task, image, rendering).fused
    assume(plan is not None)
    assert plan is not None
    event(f"{dtype} {mapping} in {plan.finish.dtype}, lift {plan.finish.lift != 0}")
    result, clipped = bands.run(in_bands(plan, rows, count), image)
    responses = reference.convolve(
        image.tolist(), weights.tolist(), stride=w.stride, padding=w.padding, pad_mode=mode, dilation=w.dilation,
        channels="sum" if sum_channels else "each", scale=Fraction(1, divisor), bias=Fraction(bias),
    )  # fmt: skip
    if mapping == "raw":
        exact = np.array(responses, object).astype(np.float64)
        assert result.dtype in (np.int32, np.int64, np.float32)
        np.testing.assert_array_equal(result, exact.astype(result.dtype))
    else:
        assert result.dtype == image.dtype
        pixels = reference.to_samples(responses, mapping, kind.low, kind.high, kind.middle)
        assert (result.astype(int).tolist(), clipped) == pixels


@pytest.mark.parametrize("mapping", ["clip", "abs", "shift"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16"])
@pytest.mark.parametrize("kernel", ["sobel-v", "blur", "gaussian", "sharpen-strong", "box:15", "emboss"])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_several_bands_and_threads_equal_the_plain_strategy(
    mapping: Mapping, dtype: str, kernel: str, stride: int
) -> None:
    image = samples(dtype, (90, 71, 3), 5)
    known = cnnfilter.kernel(kernel)
    w = Windows.of(known.size, stride=stride)
    task = Correlation(known.matrix, w, "reflect")
    rendering = Rendering(mapping, Fraction(1, known.divisor), samples=SampleType.of(image.dtype))
    plan = engine.plan(task, image, rendering).fused
    assert plan is not None
    expected = rendering.render(lambda: engine.sums(task, image), plan.output, task.bounds(image))
    for rows in (1, 7, 64, 90):
        for count in (1, 2, 3):
            result, clipped = bands.run(in_bands(plan, rows, count), image)
            np.testing.assert_array_equal(result, expected[0])
            assert clipped == expected[1]


def finished(mapping: Mapping, bounds: tuple[int, int], divisor: int = 1, kind: SampleType | None = UINT8) -> Any:
    return finish(Rendering(mapping, Fraction(1, divisor), samples=kind), bounds)


@pytest.mark.parametrize(("mapping", "bounds", "divisor", "dtype"), [
    ("clip", (0, 32767), 1, "int16"),
    ("clip", (0, 65535), 1, "uint16"),
    ("clip", (0, 65535), 2, "uint16"),  # from 1 to 65536 with the rounding term, lowered by 1
    ("clip", (0, 65536), 2, "int32"),
    ("clip", (0, 65407), 256, "uint16"),
    ("clip", (-32768, 32767), 1, "int16"),
    ("clip", (-32768, 32766), 2, "int16"),
    ("clip", (-40000, 25535), 1, "uint16"),
    ("clip", (-40000, 25536), 1, "int32"),
    ("abs", (-32767, 32767), 1, "int16"),
    ("abs", (-32768, 0), 1, "int32"),
    ("abs", (-32767, 32767), 3, "int32"),
    ("shift", (-32768, 32639), 1, "int16"),
    ("shift", (-32768, 32640), 1, "uint16"),
])  # fmt: skip
def test_the_narrowest_type_that_holds_everything(
    mapping: Mapping, bounds: tuple[int, int], divisor: int, dtype: str
) -> None:
    assert finished(mapping, bounds, divisor).dtype == dtype


def test_what_is_left_out() -> None:
    assert finished("clip", (-(2**31), 2**31 - 1)).limits == (0, 255)
    assert finished("clip", (0, 2**31)) is None
    assert finished("normalize", (0, 9)) is None
    assert finished("raw", (0, 2**24 + 1), 3, None) is None  # float32 would round the sum before the quotient
    assert finished("clip", (0, 255)).limits is None
    assert finished("clip", (0, 9 * 255), 9).limits is None


@pytest.mark.parametrize("array", [np.zeros((9, 9, 1), np.float32), np.zeros((9, 9, 1), np.int64)])
def test_floats_and_64_bits_take_the_plain_way(array: Array) -> None:
    task = Correlation(np.ones((3, 3), np.int64), Windows.of(3), "reflect")
    assert engine.plan(task, array, Rendering("clip", samples=UINT16)).fused is None


def test_a_fused_plan_says_why() -> None:
    task = Correlation(np.array([[1, 2, 1]]), Windows.of((1, 3)), "reflect")
    plan = engine.plan(task, np.zeros((9, 9, 1), np.uint8), Rendering("clip", Fraction(1, 4), samples=UINT8))
    assert plan.strategy == "bands"
    assert plan.why == "one kernel a channel; 2 steps instead of 3 taps, in int16"


# ---------------------------------------------------------------------------------------------------------------------
# Threads


def test_many_callers_at_once() -> None:
    """More callers than threads, each with threads of its own; none waits for another and all get their own picture."""
    images = [samples("uint8", (300 + 10 * i, 200, 3), i) for i in range(8)]
    kernels = ["sobel-v", "blur", "gaussian", "sharpen"] * 2

    def convolved(i: int) -> Array:
        known = cnnfilter.kernel(kernels[i])
        task = Correlation(known.matrix, Windows.of(known.size), "reflect")
        plan = engine.plan(task, images[i], Rendering("clip", Fraction(1, known.divisor), samples=UINT8)).fused
        assert plan is not None
        return bands.run(in_bands(plan, 9, 3), images[i])[0]

    expected = [convolved(i) for i in range(8)]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(5):
            for got, wanted in zip(pool.map(convolved, range(8)), expected, strict=True):
                np.testing.assert_array_equal(got, wanted)


def test_scratch_that_is_kept_is_bounded() -> None:
    image = samples("uint8", (700, 1900, 3), 1)
    for kernel in ("sobel-v", "gaussian", "box:15"):
        cnnfilter.convolve(image, kernel, mapping="clip")
    assert len(scratch._spare) <= threads.threads()
    assert all(spare.memory.size <= scratch.KEPT for spare in scratch._spare)


def test_an_error_in_one_thread_reaches_the_caller() -> None:
    def work(items: Any) -> int:
        for item in items:
            if item == 5:
                raise MemoryError("item 5")
        return 0

    with pytest.raises(MemoryError, match="item 5"):
        threads.share(range(100), work, 3)
    assert threads.share(range(10), lambda items: sum(items), 3) == 45


def test_the_switch_interval_is_short_while_threads_share_an_image_and_the_users_own_afterwards() -> None:
    before = sys.getswitchinterval()
    seen: list[float] = []

    def work(items: Iterator[int]) -> int:
        seen.append(sys.getswitchinterval())
        return sum(threads.share(range(3), lambda inner: sum(inner), 2) for _ in items)

    sys.setswitchinterval(0.002)
    try:
        assert threads.share(range(5), work, 2) == 15
        assert sys.getswitchinterval() == pytest.approx(0.002)
        assert seen
        assert max(seen) == pytest.approx(threads.PATIENCE)
        seen.clear()
        assert threads.share(range(5), work, 1) == 15
        assert seen == [pytest.approx(0.002)]
    finally:
        sys.setswitchinterval(before)


def test_the_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CNNFILTER_THREADS", "3")
    assert threads.threads() == 3
    cnnfilter.set_threads(2)
    assert threads.threads() == 2
    cnnfilter.set_threads(None)
    monkeypatch.setenv("CNNFILTER_THREADS", "many")
    with pytest.raises(cnnfilter.ParameterError, match="CNNFILTER_THREADS"):
        threads.threads()
    monkeypatch.delenv("CNNFILTER_THREADS")
    assert threads.threads() >= 1
    with pytest.raises(cnnfilter.ParameterError, match="threads"):
        cnnfilter.set_threads(0)


@pytest.mark.parametrize("kernel", ["1 0 0; 0 0 0; 0 0 0", "0 0 0; 0 0 0; 0 0 1", "0; 0; -1", "0 0 3", "2; 0; 0; 0"])
@pytest.mark.parametrize("stride", [1, 2, 5])
def test_kernels_that_are_mostly_zero(kernel: str, stride: int) -> None:
    image = samples("uint8", (11, 9, 2), 4)
    taps = cnnfilter.kernel(kernel).matrix.tolist()
    got = cnnfilter.convolve(image, kernel, stride=stride, mapping="shift")
    exact = reference.convolve(image.tolist(), taps, stride=(stride, stride))
    assert got.tolist() == reference.to_samples(exact, "shift", 0, 255, 128)[0]


def test_responses_that_are_all_below_black() -> None:
    """Lifted to be positive, black itself would be beyond 16 bits here."""
    image = np.array([[31010, 0, 65535]], np.uint16)
    bias = Fraction(-7, 3)
    samples = cnnfilter.convolve(image, [[-1]], scale=Fraction(1, 3), bias=bias, mapping="clip")
    assert samples.tolist() == [[0, 0, 0]]


def test_responses_that_are_all_above_white() -> None:
    image = np.array([[255, 131, 0]], np.uint8)
    samples = cnnfilter.convolve(image, [[5]], scale=Fraction(1, 7), bias=Fraction(45409, 3), mapping="abs")
    assert samples.tolist() == [[255, 255, 255]]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_starts_threads_of_its_own() -> None:
    """Its parent's are not there; work handed to them would never end."""
    assert threads.share(range(10), lambda items: sum(items), 3) == 45
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        os._exit(threads.share(range(10), lambda items: sum(items), 3))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 45
    assert threads.share(range(10), lambda items: sum(items), 3) == 45
