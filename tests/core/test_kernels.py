"""Kernels: the named ones, and which of name, family, file and matrix a text means."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from matrices import over_plane

import cnnfilter

if TYPE_CHECKING:
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


def rows(text: str) -> list[list[int]]:
    return [[int(entry) for entry in row.split()] for row in text.split(";")]


@pytest.mark.parametrize("name", NAMED)
def test_named_matrix(name: str) -> None:
    text, divisor = NAMED[name]
    kernel = cnnfilter.kernel(name)
    assert kernel.name == name
    assert kernel.matrix.tolist() == rows(text)
    assert np.issubdtype(kernel.matrix.dtype, np.integer)
    assert (kernel.divisor, type(kernel.divisor)) == (divisor, int)


def test_what_convolve_takes_is_a_kernel() -> None:
    blur = cnnfilter.kernel("blur")
    assert cnnfilter.kernel(blur) is blur
    found = cnnfilter.kernel([[0, 0.5], [0.25, 0]])
    assert (found.matrix.tolist(), found.divisor) == ([[0, 2], [1, 0]], 4)
    assert cnnfilter.kernel(np.zeros((3, 3, 3, 8))).is_bank
    with pytest.raises(cnnfilter.ParameterError, match="kernel"):
        cnnfilter.kernel([])


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


def test_a_layer_is_no_kernel() -> None:
    with pytest.raises(cnnfilter.ParameterError, match=r"relu.; it is a layer, as in --steps"):
        cnnfilter.kernel("relu")
