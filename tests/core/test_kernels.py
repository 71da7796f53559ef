"""Kernels: the named ones, families, matrices as text, files, and which of them a text means."""

from __future__ import annotations

import math
import os
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import cnnfilter
from cnnfilter.core.kernels import from_array

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Array = NDArray[Any]

NAMED = {
    "identity": ("0 0 0; 0 1 0; 0 0 0", 1),
    "blur": ("1 1 1; 1 1 1; 1 1 1", 9),
    "gaussian": ("1 4 6 4 1; 4 16 24 16 4; 6 24 36 24 6; 4 16 24 16 4; 1 4 6 4 1", 256),
    "sharpen": ("0 -1 0; -1 5 -1; 0 -1 0", 1),
    "sharpen-strong": ("-1 -1 -1; -1 9 -1; -1 -1 -1", 1),
    "emboss": ("-2 -1 0; -1 1 1; 0 1 2", 1),
    "sobel-v": ("-1 0 1; -2 0 2; -1 0 1", 1),
    "sobel-h": ("-1 -2 -1; 0 0 0; 1 2 1", 1),
    "sobel-45": ("0 1 2; -1 0 1; -2 -1 0", 1),
    "sobel-135": ("2 1 0; 1 0 -1; 0 -1 -2", 1),
    "prewitt-v": ("-1 0 1; -1 0 1; -1 0 1", 1),
    "prewitt-h": ("-1 -1 -1; 0 0 0; 1 1 1", 1),
    "scharr-v": ("-3 0 3; -10 0 10; -3 0 3", 1),
    "scharr-h": ("-3 -10 -3; 0 0 0; 3 10 3", 1),
    "laplacian": ("0 1 0; 1 -4 1; 0 1 0", 1),
    "laplacian-8": ("1 1 1; 1 -8 1; 1 1 1", 1),
}
MAGNITUDES = ["sobel", "prewitt", "scharr"]
SIZES = [(1, 1), (3, 3), (4, 4), (5, 3), (2, 7), (9, 9)]


def rows(text: str) -> list[list[int]]:
    return [[int(entry) for entry in row.split()] for row in text.split(";")]


def fractions(kernel: Any) -> list[list[Fraction]]:
    """The exact taps of a kernel of integers over a divisor."""
    assert np.issubdtype(kernel.matrix.dtype, np.integer)
    return [[Fraction(int(entry), kernel.divisor) for entry in row] for row in kernel.matrix]


def taps(text: str) -> Array:
    """The taps of a kernel as floats of 64 bits."""
    kernel = cnnfilter.kernel(text)
    assert kernel.matrix.ndim == 2
    values: Array = np.asarray(kernel.matrix, np.float64) / kernel.divisor
    return values


def centred(size: int) -> list[float]:
    """The distance of each tap from the middle, which lies between two taps when the size is even."""
    return [i - (size - 1) / 2 for i in range(size)]


def over_plane(height: int, width: int, formula: Callable[[float, float], float]) -> Array:
    return np.array([[formula(y, x) for x in centred(width)] for y in centred(height)])


def default_sigma(size: int) -> float:
    return 0.3 * ((size - 1) / 2 - 1) + 0.8


def bell(size: int, sigma: float) -> Array:
    values: Array = np.array([math.exp(-x * x / (2 * sigma * sigma)) for x in centred(size)])
    values /= values.sum()
    return values


# ---------------------------------------------------------------------------------------------------------------------
# Named kernels


@pytest.mark.parametrize("name", NAMED)
def test_named_matrix(name: str) -> None:
    text, divisor = NAMED[name]
    kernel = cnnfilter.kernel(name)
    assert kernel.name == name
    assert kernel.matrix.tolist() == rows(text)
    assert np.issubdtype(kernel.matrix.dtype, np.integer)
    assert (kernel.divisor, type(kernel.divisor)) == (divisor, int)


def test_names_are_listed() -> None:
    names = list(cnnfilter.kernel_names())
    assert set(names) >= {*NAMED, *MAGNITUDES}
    assert len(names) == len(set(names))
    for name in [*NAMED, *MAGNITUDES]:
        assert cnnfilter.kernel(name).name == name


def test_changing_a_matrix_changes_no_later_kernel() -> None:
    matrix = cnnfilter.kernel("sobel-v").matrix
    if matrix.flags.writeable:
        matrix[:] = 0
    assert cnnfilter.kernel("sobel-v").matrix.tolist() == rows(NAMED["sobel-v"][0])
    image = np.array([[0, 0, 1]], np.uint8)
    assert cnnfilter.convolve(image, "sobel-v", padding=((1, 1), (0, 0)), pad_mode="edge").tolist() == [[4]]


def corner(toward: str) -> Array:
    """An image that is bright towards one side or corner."""
    plane = {
        "right": lambda y, x: x, "left": lambda y, x: -x, "below": lambda y, x: y, "above": lambda y, x: -y,
        "upper right": lambda y, x: x - y, "lower left": lambda y, x: y - x, "upper left": lambda y, x: -x - y,
        "lower right": lambda y, x: x + y,
    }[toward]  # fmt: skip
    return (100 + 10 * over_plane(5, 5, plane)).astype(np.uint8)


@pytest.mark.parametrize(("name", "toward", "away"), [
    ("sobel-v", "right", "left"), ("prewitt-v", "right", "left"), ("scharr-v", "right", "left"),
    ("sobel-h", "below", "above"), ("prewitt-h", "below", "above"), ("scharr-h", "below", "above"),
    ("sobel-45", "upper right", "lower left"), ("sobel-135", "upper left", "lower right"),
])  # fmt: skip
def test_direction_that_answers_positive(name: str, toward: str, away: str) -> None:
    assert (cnnfilter.convolve(corner(toward), name, padding="valid") > 0).all()
    assert (cnnfilter.convolve(corner(away), name, padding="valid") < 0).all()


@pytest.mark.parametrize(("name", "across"), [
    ("sobel-v", "below"), ("sobel-h", "right"), ("sobel-45", "upper left"), ("sobel-135", "upper right"),
])  # fmt: skip
def test_direction_that_answers_nothing(name: str, across: str) -> None:
    assert not cnnfilter.convolve(corner(across), name, padding="valid").any()


@pytest.mark.parametrize(("name", "weight"), [("sobel", 80), ("prewitt", 60), ("scharr", 320)])
def test_magnitudes_answer_the_same_in_all_directions(name: str, weight: int) -> None:
    for toward in ("right", "left", "above", "below"):
        assert cnnfilter.convolve(corner(toward), name, padding="valid").tolist() == [[weight] * 3] * 3
    slanted = cnnfilter.convolve(corner("upper left"), name, padding="valid")
    np.testing.assert_allclose(slanted, weight * math.sqrt(2), rtol=2e-6)


# ---------------------------------------------------------------------------------------------------------------------
# Families


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_box_is_the_mean(size: tuple[int, int]) -> None:
    height, width = size
    kernel = cnnfilter.kernel(f"box:{height}x{width}")
    assert fractions(kernel) == [[Fraction(1, height * width)] * width] * height


def test_box_of_three_is_blur() -> None:
    image = np.arange(40, dtype=np.uint8).reshape(5, 8) * 6
    assert fractions(cnnfilter.kernel("box:3")) == fractions(cnnfilter.kernel("blur"))
    np.testing.assert_array_equal(cnnfilter.convolve(image, "box:3"), cnnfilter.convolve(image, "blur"))


@pytest.mark.parametrize("sigma", [0.5, 1, 1.5, 4])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_gaussian_samples_the_bell(size: tuple[int, int], sigma: float) -> None:
    height, width = size
    expected = np.outer(bell(height, sigma), bell(width, sigma))
    np.testing.assert_allclose(taps(f"gaussian:{height}x{width}:{sigma}"), expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_gaussian_without_sigma(size: tuple[int, int]) -> None:
    height, width = size
    expected = np.outer(bell(height, default_sigma(height)), bell(width, default_sigma(width)))
    np.testing.assert_allclose(taps(f"gaussian:{height}x{width}"), expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(("short", "long"), [("gaussian:7", "gaussian:7:1.4"), ("gaussian:5", "gaussian:5x5:1.1")])
def test_gaussian_default_sigma_by_hand(short: str, long: str) -> None:
    np.testing.assert_allclose(taps(short), taps(long), rtol=1e-6)


@pytest.mark.parametrize("text", ["gaussian:7:1.5", "gaussian:4", "gaussian:3x9:2", "gaussian:15"])
def test_gaussian_is_separable_and_sums_to_one(text: str) -> None:
    matrix = taps(text)
    assert matrix.sum() == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(np.outer(matrix.sum(axis=1), matrix.sum(axis=0)), matrix, rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(matrix, matrix[::-1, ::-1], rtol=1e-6)


@pytest.mark.parametrize("sigma", [0.8, 1.4, 3])
@pytest.mark.parametrize("size", [(5, 5), (9, 9), (6, 6), (7, 4)], ids=str)
def test_log_is_the_laplacian_of_a_gaussian(size: tuple[int, int], sigma: float) -> None:
    """Its mean is zero, and otherwise it is a multiple of the formula, negative in the middle as `laplacian` is."""

    def laplacian(y: float, x: float) -> float:
        square = y * y + x * x
        return (square - 2 * sigma**2) * math.exp(-square / (2 * sigma**2))

    matrix = taps(f"log:{size[0]}x{size[1]}:{sigma}")
    formula = over_plane(*size, laplacian)
    formula -= formula.mean()
    assert abs(matrix.sum()) <= 1e-6 * np.abs(matrix).sum()
    factor = (matrix * formula).sum() / (formula * formula).sum()
    assert factor > 0
    np.testing.assert_allclose(matrix, factor * formula, atol=1e-6 * np.abs(matrix).max())


@pytest.mark.parametrize("size", [3, 5, 9])
@pytest.mark.parametrize("text", ["motion:{}", "motion:{}:0"])
def test_motion_is_a_flat_row(text: str, size: int) -> None:
    expected = np.zeros((size, size))
    expected[size // 2] = 1 / size
    np.testing.assert_allclose(taps(text.format(size)), expected, atol=1e-9)


@pytest.mark.parametrize("degrees", [0, 10, 30, 45, 60, 90, 135, 180, 200, 359, -30, 22.5])
@pytest.mark.parametrize("size", [1, 3, 4, 9])
def test_motion_is_a_line_that_sums_to_one(size: int, degrees: float) -> None:
    matrix = taps(f"motion:{size}:{degrees}")
    assert matrix.shape == (size, size)
    assert matrix.sum() == pytest.approx(1, abs=1e-6)
    assert (matrix >= 0).all()
    np.testing.assert_allclose(matrix, matrix[::-1, ::-1], atol=1e-6)
    np.testing.assert_allclose(matrix, taps(f"motion:{size}:{degrees + 180}"), atol=1e-6)


def test_motion_turns() -> None:
    flat = taps("motion:9:0")
    np.testing.assert_allclose(taps("motion:9:90"), flat.T, atol=1e-6)
    rising = taps("motion:9:45")  # as in sobel-45, 45 degrees point to the upper right
    assert np.trace(rising[:, ::-1]) > 0.5 > np.trace(rising)
    np.testing.assert_allclose(taps("motion:9:135"), rising[:, ::-1], atol=1e-6)
    np.testing.assert_allclose(rising, rising.T, atol=1e-6)


@pytest.mark.parametrize("wavelength", [3, 4.5, 10])
@pytest.mark.parametrize("size", [(7, 7), (8, 8), (21, 21), (5, 9)], ids=str)
@pytest.mark.parametrize("degrees", [0, 90])
def test_gabor_formula(size: tuple[int, int], wavelength: float, degrees: int) -> None:
    """At 0 degrees the wave runs along x, at 90 along y; the bell is twice as long across the wave."""
    sigma = 0.56 * wavelength

    def wave(y: float, x: float) -> float:
        along, across = (x, y) if degrees == 0 else (y, x)
        envelope = math.exp(-(along**2 + 0.25 * across**2) / (2 * sigma**2))
        return envelope * math.cos(2 * math.pi * along / wavelength)

    expected = over_plane(*size, wave)
    expected -= expected.mean()
    matrix = taps(f"gabor:{size[0]}x{size[1]}:{wavelength}:{degrees}")
    np.testing.assert_allclose(matrix, expected, atol=1e-6)


@pytest.mark.parametrize("degrees", [0, 17, 45, 90, 135])
def test_gabor_sums_to_zero_and_turns(degrees: int) -> None:
    matrix = taps(f"gabor:11:5:{degrees}")
    assert abs(matrix.sum()) <= 1e-6 * np.abs(matrix).sum()
    np.testing.assert_allclose(matrix, matrix[::-1, ::-1], atol=1e-6)
    np.testing.assert_allclose(np.rot90(matrix), taps(f"gabor:11:5:{degrees + 90}"), atol=1e-6)


@pytest.mark.parametrize(("text", "shape"), [
    ("random:3:4", (3, 3, 4)), ("random:5:1:9", (5, 5, 1)), ("random:2x7:6", (2, 7, 6)), ("random:1:3", (1, 1, 3)),
])  # fmt: skip
def test_random_bank_size(text: str, shape: tuple[int, int, int]) -> None:
    image = np.zeros((9, 8, 3), np.uint8)
    height, width, count = shape
    assert cnnfilter.convolve(image, text, padding="valid").shape == (10 - height, 9 - width, count)
    assert cnnfilter.kernel(text).matrix.shape[:2] == (height, width)
    assert cnnfilter.kernel(text).name == text


def test_random_seed() -> None:
    image = np.arange(30, dtype=np.uint8).reshape(5, 6)
    results = [cnnfilter.convolve(image, f"random:3:4{seed}") for seed in ("", ":0", ":0", ":1", ":2")]
    assert all(np.array_equal(results[0], same) for same in results[1:3])
    assert not np.allclose(results[0], results[3])
    assert not np.allclose(results[3], results[4])


@pytest.mark.parametrize(
    "text", ["box:5", "gaussian:7:1.5", "log:9:1.4", "motion:15:30", "gabor:21:8:45", "random:3:4"]
)
def test_families_keep_their_text_as_a_name(text: str) -> None:
    assert cnnfilter.kernel(text).name == text


# ---------------------------------------------------------------------------------------------------------------------
# Matrices


@pytest.mark.parametrize(("text", "expected"), [
    ("0 -1 0; -1 5 -1; 0 -1 0", [[0, -1, 0], [-1, 5, -1], [0, -1, 0]]),
    ("1 2 3", [[1, 2, 3]]),
    ("1; 2; 3", [[1], [2], [3]]),
    ("  1   2;3 4 ", [[1, 2], [3, 4]]),
    ("+1 -2; 3 4", [[1, -2], [3, 4]]),
    ("7", [[7]]),
    ("1 2 3 4; 5 6 7 8", [[1, 2, 3, 4], [5, 6, 7, 8]]),
    ("123456789 -987654321", [[123456789, -987654321]]),
])  # fmt: skip
def test_integer_matrix(text: str, expected: list[list[int]]) -> None:
    kernel = cnnfilter.kernel(text)
    assert kernel.divisor == 1
    assert kernel.matrix.tolist() == expected
    assert np.issubdtype(kernel.matrix.dtype, np.integer)


@pytest.mark.parametrize(("text", "expected"), [
    ("1/9 1/9 1/9; 1/9 1/9 1/9; 1/9 1/9 1/9", [["1/9"] * 3] * 3),
    ("1/2 1/3", [["1/2", "1/3"]]),
    ("1 -1/2; 2/4 0", [["1", "-1/2"], ["1/2", "0"]]),
    ("-22/7", [["-22/7"]]),
    ("1/7 1/11 1/13", [["1/7", "1/11", "1/13"]]),
], ids=str)  # fmt: skip
def test_fractions_stay_exact(text: str, expected: list[list[str]]) -> None:
    kernel = cnnfilter.kernel(text)
    assert isinstance(kernel.divisor, int)
    assert fractions(kernel) == [[Fraction(entry) for entry in row] for row in expected]


def entries() -> st.SearchStrategy[Fraction]:
    return st.fractions(min_value=-99, max_value=99, max_denominator=30)


@given(st.tuples(st.integers(1, 4), st.integers(1, 5)).flatmap(
    lambda size: st.lists(st.lists(entries(), min_size=size[1], max_size=size[1]), min_size=size[0], max_size=size[0])
))  # fmt: skip
@settings(deadline=None)
def test_every_matrix_of_fractions_stays_exact(matrix: list[list[Fraction]]) -> None:
    kernel = cnnfilter.kernel("; ".join(" ".join(str(entry) for entry in row) for row in matrix))
    assert fractions(kernel) == matrix


def test_decimals() -> None:
    np.testing.assert_allclose(taps("0.5 -0.25; 1e-3 .75"), [[0.5, -0.25], [0.001, 0.75]], rtol=1e-7)


@pytest.mark.parametrize("text", [
    "", " ", ";", "1 2; 3", "1; 2 3", "1 nan", "inf 1", "-inf", "1/0", "0/0", "1 x 2", "1 2 | 3 4", "1/2/3",
    "1/nan", "1e999", "0x", "None", "[[1]]", "1+1j",
])  # fmt: skip
def test_refused_matrices(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        cnnfilter.kernel(text)


def test_a_ragged_matrix_is_said_to_be_ragged() -> None:
    with pytest.raises(ValueError, match=r"row|entries|columns|ragged"):
        cnnfilter.kernel("1 2 3; 4 5")


@pytest.mark.parametrize(("wrong", "right"), [
    ("sobl-v", "sobel-v"), ("sobel_v", "sobel-v"), ("gausian", "gaussian"), ("lapalcian", "laplacian"),
    ("sharpn", "sharpen"), ("embos", "emboss"), ("prewit-h", "prewitt-h"), ("identiy", "identity"), ("blurr", "blur"),
])  # fmt: skip
def test_a_misspelt_name_gets_the_nearest(wrong: str, right: str) -> None:
    with pytest.raises(ValueError, match=wrong) as refused:
        cnnfilter.kernel(wrong)
    assert right in str(refused.value)


@pytest.mark.parametrize(("wrong", "right"), [("gausian:5", "gaussian"), ("bx:3", "box"), ("randm:3:4", "random")])
def test_a_misspelt_family_gets_the_nearest(wrong: str, right: str) -> None:
    with pytest.raises(ValueError, match=wrong) as refused:
        cnnfilter.kernel(wrong)
    assert right in str(refused.value)


@pytest.mark.parametrize("text", [
    "box:0", "box:-3", "box:3.5", "box:", "box", "box:3x", "box:3x3x3", "box:3:4", "box:big",
    "gaussian:0", "gaussian:5:0", "gaussian:5:-1", "gaussian:5:nan", "gaussian:5:inf", "gaussian:5:1:1", "gaussian::2",
    "log:5", "log:5:0", "log:5:-1", "log:0:1", "motion", "motion:0", "motion:5:east", "motion:5:nan", "motion:5:0:0",
    "gabor:7", "gabor:7:4", "gabor:7:0:0", "gabor:7:-4:0", "gabor:0:4:0", "gabor:7:4:inf",
    "random:3", "random:3:0", "random:0:3", "random:3:-1", "random:3:1.5", "random:3:4:x", "random:3:4:0:1",
    "sobel-v:3", "blur:5", "identity:3",
])  # fmt: skip
def test_refused_families(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        cnnfilter.kernel(text)


# ---------------------------------------------------------------------------------------------------------------------
# Files


@pytest.mark.parametrize(("name", "content"), [
    ("edge.txt", "-1 0 1\n-2 0 2\n"),
    ("edge.csv", "-1,0,1\n-2,0,2\n"),
    ("spaces.csv", "-1, 0, 1\n-2, 0, 2\n"),
    ("no-end.txt", "-1 0 1\n-2 0 2"),
    ("windows.txt", "-1 0 1\r\n-2 0 2\r\n"),
    ("tabs.txt", "-1\t0\t1\n-2\t0\t2\n\n"),
])  # fmt: skip
def test_text_files(tmp_path: Path, name: str, content: str) -> None:
    path = tmp_path / name
    path.write_bytes(content.encode())
    kernel = cnnfilter.kernel(str(path))
    assert fractions(kernel) == [[-1, 0, 1], [-2, 0, 2]]
    assert kernel.divisor == 1


@pytest.mark.parametrize(("name", "content"), [("third.txt", "1/3 2/3\n-1/6 1\n"), ("third.csv", "1/3,2/3\n-1/6,1\n")])
def test_fractions_in_files_stay_exact(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    expected = [[Fraction(1, 3), Fraction(2, 3)], [Fraction(-1, 6), 1]]
    assert fractions(cnnfilter.kernel(str(tmp_path / name))) == expected


@pytest.mark.parametrize("dtype", ["int64", "int8", ">i4", "uint8"])
def test_npy_of_integers(tmp_path: Path, dtype: str) -> None:
    matrix = np.array([[1, 2, 3], [0, 5, 100]], dtype)
    np.save(tmp_path / "k.npy", matrix)
    kernel = cnnfilter.kernel(str(tmp_path / "k.npy"))
    assert fractions(kernel) == matrix.tolist()
    image = np.arange(42, dtype=np.uint8).reshape(6, 7)
    np.testing.assert_array_equal(cnnfilter.convolve(image, str(tmp_path / "k.npy")), cnnfilter.convolve(image, matrix))


@pytest.mark.parametrize("dtype", ["float32", "float64", ">f8"])
def test_npy_of_floats(tmp_path: Path, dtype: str) -> None:
    matrix = np.random.default_rng(1).normal(size=(4, 3)).astype(dtype)
    np.save(tmp_path / "k.npy", np.asfortranarray(matrix))
    np.testing.assert_allclose(taps(str(tmp_path / "k.npy")), matrix.astype(np.float64), rtol=1e-6)


def test_npy_bank(tmp_path: Path) -> None:
    bank = np.random.default_rng(2).integers(-9, 9, (3, 2, 4, 5))
    np.save(tmp_path / "bank.npy", bank)
    image = np.random.default_rng(3).integers(0, 255, (6, 7, 4)).astype(np.uint8)
    result = cnnfilter.convolve(image, str(tmp_path / "bank.npy"))
    assert result.shape == (6, 7, 5)
    np.testing.assert_array_equal(result, cnnfilter.convolve(image, bank))
    assert cnnfilter.kernel(str(tmp_path / "bank.npy")).matrix.shape == (3, 2, 4, 5)


@pytest.mark.parametrize("name", ["missing.npy", "missing.txt", "missing.csv"])
def test_missing_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=name):
        cnnfilter.kernel(str(tmp_path / name))


@pytest.mark.parametrize(("name", "content"), [
    ("empty.txt", b""),
    ("blank.txt", b"\n\n"),
    ("empty.csv", b""),
    ("empty.npy", b""),
    ("ragged.txt", b"1 2\n3\n"),
    ("ragged.csv", b"1,2\n3\n"),
    ("words.txt", b"one two\n"),
    ("nan.txt", b"1 nan\n"),
    ("hole.csv", b"1,,2\n"),
    ("binary.txt", b"\xff\xfe\x00\x01"),
    ("garbage.npy", b"this is not an array"),
    ("cut.npy", b"\x93NUMPY\x01\x00v\x00{'descr'"),
])  # fmt: skip
def test_refused_files(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=name.split(".")[0]):
        cnnfilter.kernel(str(tmp_path / name))


@pytest.mark.parametrize("array", [
    np.array([[1, np.nan]]), np.array([[np.inf]]), np.ones(3), np.ones((3, 3, 3)), np.ones((2, 2, 2, 2, 2)),
    np.array(1), np.ones((0, 3)), np.ones((3, 3, 0, 1)), np.ones((2, 2), complex), np.array([["a"]]),
], ids=["nan", "inf", "1-D", "3-D", "5-D", "0-D", "empty", "empty bank", "complex", "text"])  # fmt: skip
def test_refused_arrays_in_files(tmp_path: Path, array: Array) -> None:
    np.save(tmp_path / "k.npy", array)
    with pytest.raises(ValueError, match=r"k\.npy"):
        cnnfilter.kernel(str(tmp_path / "k.npy"))


class Trap:
    """Unpickling it makes a folder."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (self.path,)


def test_pickles_are_never_loaded(tmp_path: Path) -> None:
    trap = np.empty((1, 1), object)
    trap[0, 0] = Trap(str(tmp_path / "sprung"))
    np.save(tmp_path / "k.npy", trap, allow_pickle=True)
    with pytest.raises(ValueError, match=r"k\.npy"):
        cnnfilter.kernel(str(tmp_path / "k.npy"))
    assert not (tmp_path / "sprung").exists()


def test_a_folder_is_no_kernel_file(tmp_path: Path) -> None:
    (tmp_path / "folder.npy").mkdir()
    with pytest.raises(ValueError, match=r"folder\.npy"):
        cnnfilter.kernel(str(tmp_path / "folder.npy"))


@pytest.mark.parametrize(("name", "expected"), [
    ("blur", [[Fraction(1, 9)] * 3] * 3), ("box:2", [[Fraction(1, 4)] * 2] * 2), ("3 4", [[3, 4]]),
    ("blur.txt", [[8]]), ("./blur.txt", [[8]]), ("3 4.txt", [[8]]),
])  # fmt: skip
def test_lookup_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, expected: Sequence[Sequence[Fraction]]
) -> None:
    """A name, a family, a file that exists and has a suffix for kernels, a matrix."""
    monkeypatch.chdir(tmp_path)
    for file in ("blur", "box:2", "3 4", "blur.txt", "3 4.txt"):
        (tmp_path / file).write_text("8\n", encoding="utf-8")
    assert fractions(cnnfilter.kernel(name)) == expected


def test_a_large_file_is_no_kernel(tmp_path: Path) -> None:
    path = tmp_path / "huge.txt"
    with path.open("wb") as file:
        file.truncate(1 << 28)
    with pytest.raises(ValueError, match=r"huge\.txt': too large for a kernel"):
        cnnfilter.kernel(str(path))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("motion:3x5", "a line has one length, not two"),
        ("gaussian:4:0.001", "SIGMA 0.001 is too small for 4 entries: all of them are 0"),
        ("box:5000", "more than 16777216 entries"),
        ("random:100:2000", "more than 16777216 entries"),
        ("gabor:7:1e7:0", "WAVELENGTH 1e+07 is out of range; 0.001 to 1000000 fit"),
    ],
)
def test_families_say_what_does_not_fit(text: str, message: str) -> None:
    with pytest.raises(ValueError, match="kernel: ") as caught:
        cnnfilter.kernel(text)
    assert message in str(caught.value)


def test_entries_without_a_common_divisor_of_64_bits_are_floats() -> None:
    found = cnnfilter.kernel("1e-20 1/3; 1e300 -2")
    assert (found.matrix.dtype.name, found.divisor) == ("float64", 1)
    assert found.matrix.tolist() == [[1e-20, 1 / 3], [1e300, -2.0]]


def test_entries_beyond_exact_integers_stay_floats() -> None:
    found = from_array([[1e18, 0.5]])
    assert (found.matrix.tolist(), found.divisor) == ([[1e18, 0.5]], 1)
    found = from_array(np.array([[2**63]], np.uint64))
    assert (found.matrix.dtype.name, found.matrix.tolist()) == ("float64", [[2.0**63]])


def test_small_kernels_are_remembered_and_large_ones_are_not() -> None:
    assert cnnfilter.kernel("box:5") is cnnfilter.kernel("box:5")
    assert cnnfilter.kernel("box:65") is not cnnfilter.kernel("box:65")


def test_a_divisor_has_to_fit_every_entry() -> None:
    """Every other one of these, which is looked at first, is whole."""
    row = np.arange(64) / 2
    row[1::2] += 1 / np.pi
    found = from_array(row[None])
    assert (found.matrix.tolist(), found.divisor) == ([row.tolist()], 1)
    assert found.matrix.dtype == np.float64
    halves = from_array(np.arange(64)[None] / 2)
    assert (halves.matrix.tolist(), halves.divisor) == ([list(range(64))], 2)
