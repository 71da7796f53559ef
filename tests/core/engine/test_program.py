"""Programs against the kernels they stand for, on arrays."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.strategies import DrawFn
from numpy.typing import NDArray

import cnnfilter
from cnnfilter.core.engine.compiler import addition_chain, compiled, rank_one
from cnnfilter.core.engine.program import Add, Pick, Program, Ref, Scale

Array = NDArray[Any]


@st.composite
def weights(draw: DrawFn, most: int = 5) -> tuple[tuple[int, ...], ...]:
    """Dense, sparse, constant and rank-one matrices, not all zero."""
    shape = draw(st.integers(1, most)), draw(st.integers(1, most))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    largest = draw(st.sampled_from([1, 2, 3, 70]))
    kind = draw(st.sampled_from(["dense", "sparse", "outer", "constant"]))
    matrix = rng.integers(-largest, largest + 1, shape)
    if kind == "sparse":
        matrix *= rng.random(shape) < 0.4
    elif kind == "outer":
        matrix = np.outer(*(rng.integers(-largest, largest + 1, n) for n in shape))
    elif kind == "constant":
        matrix[:] = largest
    if not matrix.any():
        matrix[-1, -1] = -1
    return tuple(map(tuple, matrix.tolist()))


def evaluated(made: Program, image: Array, size: tuple[int, int], stride: tuple[int, int]) -> Array:
    """The result on a padded image, with signals as flat arrays; what is read beyond them is some large number."""
    pitch, narrow = image.shape[1], image.shape[1] // stride[1] + 1
    signals, pitches = [], []
    for phase in made.phases:
        signals.append(image[phase :: stride[0]].ravel())
        pitches.append(pitch)

    def read(ref: Ref, length: int) -> Array:
        start = ref.dy * pitches[ref.signal] + ref.dx
        assert start >= 0
        values = signals[ref.signal][start : start + length]
        return np.append(values, np.full(length - values.size, 10**9))

    for step in made.steps:
        if isinstance(step, Pick):
            source = signals[step.signal]
            rows = -(-source.size // pitch)
            whole = np.append(source, np.full(rows * pitch - source.size, 10**9)).reshape(rows, pitch)
            picked = np.full((rows, narrow), 10**9)
            columns = whole[:, step.phase :: stride[1]]
            picked[:, : columns.shape[1]] = columns
            signals.append(picked.ravel())
            pitches.append(narrow)
            continue
        first = step.left if isinstance(step, Add) else step.operand
        length = signals[first.signal].size
        if isinstance(step, Add):
            signals.append(read(step.left, length) + step.sign * read(step.right, length))
        else:
            signals.append(step.factor * read(step.operand, length))
        pitches.append(pitches[first.signal])
    width = pitches[made.result.signal]
    result = read(made.result, size[0] * width).reshape(size[0], width)
    return result[:, : size[1]]


def expected(taps: tuple[tuple[int, ...], ...], image: Array, stride: tuple[int, int], dilation: Any) -> Array:
    height = image.shape[0] - dilation[0] * (len(taps) - 1)
    width = image.shape[1] - dilation[1] * (len(taps[0]) - 1)
    total = np.zeros((height, width), np.int64)
    for (y, x), k in np.ndenumerate(np.array(taps)):
        total += k * image[y * dilation[0] :, x * dilation[1] :][:height, :width]
    return total[:: stride[0], :: stride[1]]


@settings(deadline=None, max_examples=300)
@given(
    weights(),
    st.tuples(st.integers(1, 4), st.integers(1, 4)),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.sampled_from([0, 50, 3000, 100_000]),
    st.integers(0, 2**16),
)
def test_a_program_is_its_kernel(
    taps: tuple[tuple[int, ...], ...], stride: tuple[int, int], dilation: tuple[int, int], effort: int, seed: int
) -> None:
    made = compiled(taps, stride, dilation, effort)
    image = np.random.default_rng(seed).integers(-99, 100, (18, 19))
    wanted = expected(taps, image, stride, dilation)
    got = evaluated(made, image, (wanted.shape[0], wanted.shape[1]), stride)
    np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("length", [3, 7, 11, 15, 16])
@pytest.mark.parametrize("run", ["row", "column", "falling", "rising"])
@pytest.mark.parametrize("factor", [1, -1, 3])
def test_a_program_of_equal_taps_is_its_kernel(length: int, run: str, factor: int) -> None:
    falling = np.eye(length, dtype=int)
    lines = {"row": falling[:1] | 1, "column": falling[:, :1] | 1, "falling": falling, "rising": falling[::-1]}
    taps = tuple(map(tuple, (factor * lines[run]).tolist()))
    image = np.random.default_rng(length).integers(-99, 100, (20, 21))
    made, wanted = compiled(taps), expected(taps, image, (1, 1), (1, 1))
    np.testing.assert_array_equal(evaluated(made, image, (wanted.shape[0], wanted.shape[1]), (1, 1)), wanted)
    assert len(made.steps) == len(addition_chain(length)) - (factor == 1)


@settings(deadline=None, max_examples=200)
@given(weights())
def test_factors_are_exact(taps: tuple[tuple[int, ...], ...]) -> None:
    factors = rank_one(taps)
    is_outer = np.linalg.matrix_rank(np.array(taps)) == 1
    assert (factors is not None) == is_outer
    if factors:
        assert np.outer(*factors).tolist() == np.array(taps).tolist()


@pytest.mark.parametrize(("kernel", "most"), [
    ("sobel-v", 3), ("sobel-h", 4), ("prewitt-v", 4), ("blur", 4), ("gaussian", 8), ("sharpen", 4), ("laplacian-8", 6),
    ("sobel-45", 5), ("box:15", 10), ("box:31", 14), ("emboss", 5),
])  # fmt: skip
def test_programs_are_short(kernel: str, most: int) -> None:
    matrix = cnnfilter.kernel(kernel).matrix
    made = compiled(tuple(map(tuple, matrix.tolist())))
    assert len(made.steps) <= most


def reaches(number: int, chain: list[int], more: int) -> bool:
    """Whether `more` sums with the last number of a chain, or fewer, make `number`.

    Sums of two earlier numbers are not looked at: they make no chain shorter for numbers this small.
    """
    if chain[-1] == number:
        return True
    longer = [chain[-1] + k for k in reversed(chain)] if more and chain[-1] << more >= number else []
    return any(reaches(number, [*chain, n], more - 1) for n in longer if n <= number)


@pytest.mark.parametrize("number", range(2, 77))
def test_addition_chains_are_the_shortest(number: int) -> None:
    chain = addition_chain(number)
    assert (chain[0], chain[-1]) == (1, number)
    assert all(chain[k + 1] - chain[k] in chain[: k + 1] for k in range(len(chain) - 1))
    assert not reaches(number, [1], len(chain) - 2)


def test_equal_taps_evenly_apart_are_summed_along_a_chain() -> None:
    seven = compiled((tuple([0, 1] * 7),), dilation=(1, 3))
    assert [str(step) for step in seven.steps] == [
        "s0[+0, +3] + s0[+0, +9]",
        "s1 + s0[+0, +15]",
        "s2 + s1[+0, +18]",
        "s3 + s1[+0, +30]",
    ]


def test_a_stride_needs_only_the_rows_and_columns_that_it_touches() -> None:
    made = compiled(((-1, 0, 1), (-2, 0, 2), (-1, 0, 1)), (3, 2))
    assert made.phases == (0, 1, 2)
    assert [step.phase for step in made.steps if isinstance(step, Pick)] == [0]
    assert compiled(((1,), (0,), (-1,)), (2, 1)).phases == (0,)


def test_effort_bounds_the_search() -> None:
    taps = tuple(map(tuple, np.random.default_rng(1).integers(-4, 5, (7, 7)).tolist()))
    quick, long = (compiled(taps, effort=effort) for effort in (0, 100_000))
    assert len(long.steps) < len(quick.steps)
    assert sum(isinstance(step, Scale) for step in quick.steps) <= 3


def test_programs_print() -> None:
    assert str(compiled(((1, 1), (3, 3)), (2, 2))).splitlines() == [
        "s0 = rows 0 + stride * i",
        "s1 = rows 1 + stride * i",
        "s2 = 3 * s1",
        "s3 = s2 + s0",
        "s4 = s3 + s3[+0, +1]",
        "s5 = columns 0 + stride * i of s4",
        "result: s5",
    ]
