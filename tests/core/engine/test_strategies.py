"""Every strategy against the nested loops, band by band."""

import numpy as np
import pytest
import reference
from hypothesis import assume, given, settings, strategies as st
from hypothesis.strategies import DrawFn

import cnnfilter
from cnnfilter.core import engine
from cnnfilter.core.engine.padding import indices
from cnnfilter.core.engine.task import Correlation
from cnnfilter.core.geometry import PAD_MODES, Windows, pad_mode

NAMES = sorted(engine.STRATEGIES)


@st.composite
def windows(draw: DrawFn) -> Windows:
    small, sides = st.integers(1, 3), st.integers(0, 4)
    return Windows(
        draw(st.tuples(small, st.integers(1, 4))),
        draw(st.tuples(small, small)),
        draw(st.tuples(small, st.integers(1, 2))),
        (draw(st.tuples(sides, sides)), draw(st.tuples(sides, sides))),
    )


def sums_of(strategy: str, task: Correlation, image: np.ndarray, accumulator: str, band_rows: int) -> np.ndarray:
    """The bands of a strategy, put together."""
    out = np.full(task.output_shape(image.shape), 99, accumulator)
    for rows, values in engine.STRATEGIES[strategy](task, image, np.dtype(accumulator), band_rows):
        out[rows] = values
    return out


@settings(deadline=None, max_examples=60)
@given(
    windows(),
    st.sampled_from(sorted(PAD_MODES)),
    st.tuples(st.integers(1, 7), st.integers(1, 8), st.integers(1, 4)),
    st.integers(1, 4),
    st.sampled_from(["int32", "int64", "float64"]),
    st.integers(0, 2**32 - 1),
)
@pytest.mark.parametrize("strategy", NAMES)
def test_every_strategy_equals_the_nested_loops(
    strategy: str, w: Windows, mode: str, shape: tuple[int, int, int], band_rows: int, accumulator: str, seed: int
) -> None:
    assume(all(n + sum(p) >= e for n, p, e in zip(shape, w.padding, w.extent, strict=False)))
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, shape, dtype=np.uint8)
    is_bank = strategy == "products"
    weights = rng.integers(-9, 10, (*w.size, shape[2], 3) if is_bank else w.size)
    task = Correlation(weights, w, pad_mode(mode))
    define = reference.convolve_bank if is_bank else reference.convolve
    expected = define(
        image.tolist(), weights.tolist(), stride=w.stride, padding=w.padding, pad_mode=mode, dilation=w.dilation
    )
    assert sums_of(strategy, task, image, accumulator, band_rows).tolist() == expected


@pytest.mark.parametrize("mode", sorted(PAD_MODES))
@pytest.mark.parametrize("length", [1, 2, 3, 7])
def test_indices_are_those_of_numpy(mode: str, length: int) -> None:
    row = np.arange(10, 10 + length)
    taken = np.append(row, 0)[indices(pad_mode(mode), length, -9, length + 20)]
    assert taken.tolist() == np.pad(row, (9, 11), {"zero": "constant"}.get(mode, mode)).tolist()  # type: ignore[call-overload]


def test_the_plan_depends_on_types_not_on_values() -> None:
    task = Correlation(np.array([[-1, 0, 1]]), Windows.of((1, 3)), "reflect")
    black, white = (engine.plan(task, np.full((5, 5, 1), level, np.uint8)) for level in (0, 255))
    assert black == white
    assert black.accumulator == np.int32


@pytest.mark.parametrize(
    ("weights", "dtype", "accumulator"),
    [
        ([[1, 1]], "uint8", "int32"),
        ([[1, 1]], "int32", "int64"),
        ([[0.5, 1], [-1, 0.5]], "uint8", "float64"),
        ([[1, 1], [1, 2]], "float32", "float64"),
    ],
)
def test_sums_are_added_up_in_a_type_that_holds_them(weights: list[list[float]], dtype: str, accumulator: str) -> None:
    task = Correlation(np.array(weights), Windows.of((len(weights), 2)), "edge")
    assert engine.plan(task, np.zeros((3, 3, 1), dtype)).accumulator == accumulator


def test_a_kernel_of_zeros_answers_floats_with_zero() -> None:
    image = np.random.default_rng(1).uniform(-9, 9, (6, 7, 3)).astype(np.float32)
    response = cnnfilter.convolve(image, np.zeros((3, 3)), bias=2.5)
    assert response.dtype == np.float32
    assert response.tolist() == np.full((6, 7, 3), 2.5).tolist()


@pytest.mark.parametrize("largest", [1e-200, 1e30, 1e200])
def test_weights_beyond_floats_of_32_bits_are_added_up_in_64(largest: float) -> None:
    rng = np.random.default_rng(2)
    x, bank = rng.uniform(0, 1, (5, 6, 2)).astype(np.float32), rng.uniform(0.1, 1, (3, 3, 2, 4)) * largest
    found = cnnfilter.conv2d(x, bank, [1, 2, 3, 4], padding="same")
    sums = np.array(reference.convolve_bank(x.tolist(), bank.tolist(), pad_mode="zero"))
    with np.errstate(over="ignore"):
        expected = (sums + np.arange(1, 5)).astype(np.float32)
    np.testing.assert_allclose(found, expected, rtol=2e-6)


def test_weights_that_are_not_finite_pass_on() -> None:
    bank = np.array([np.nan, np.inf, 1.0]).reshape(1, 1, 1, 3)
    found = cnnfilter.conv2d(np.ones((1, 2, 1)), bank)
    np.testing.assert_array_equal(found, [[[np.nan, np.inf, 1]] * 2])
