"""Matrices of kernels from text, arrays and files."""

from __future__ import annotations

import os
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from matrices import fractions, taps

import cnnfilter
from cnnfilter.core.kernels import from_array

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Array = NDArray[Any]


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
