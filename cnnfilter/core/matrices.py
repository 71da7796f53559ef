"""Matrices of kernels: whole numbers over one divisor where that is exact, else floats."""

import math
import os
import re
from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cnnfilter.core.catalogue import GRADIENTS, NAMED
from cnnfilter.core.numbers import LARGEST_DENOMINATOR, table
from cnnfilter.core.words import by
from cnnfilter.errors import ParameterError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

Matrix = NDArray[np.int64] | NDArray[np.float64]

# Kernels with more entries than this are a slip (a picture taken for a kernel).
LARGEST_KERNEL = 1 << 24
LARGEST_SIDE = 100_000
# Whole numbers up to this are exact as floats, too; so are quotients' divisors.
_EXACT_INTEGER = 1 << 53


def from_array(values: "ArrayLike", name: str) -> tuple[Matrix, int]:
    """(matrix, divisor) from an array: height x width, or height x width x channels in x filters out for a bank.

    Floats that are the nearest ones to fractions with one small divisor (1/9, 0.0625) become integers over it. `name`
    is what messages call the array.

    >>> matrix, divisor = from_array([[0.5, 0.25]], "the matrix")
    >>> matrix.tolist(), divisor
    ([[2, 1]], 4)

    Raises:
        ParameterError: wrong number of axes, empty, too large, not numbers, not finite.
    """
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise ParameterError("kernel", "the matrix is ragged: its rows differ in length") from error
    if array.ndim not in (2, 4):
        raise ParameterError(
            "kernel",
            f"{name} has {array.ndim} axes; a kernel is height x width, a bank height x width x channels x filters",
        )
    if array.dtype.kind not in "biuf":
        raise ParameterError("kernel", f"{name} holds {array.dtype}, not numbers")
    if not 0 < array.size <= LARGEST_KERNEL or max(array.shape[:2]) > LARGEST_SIDE:
        size = by(array.shape)
        raise ParameterError("kernel", f"{name} is {size}; 1 to {LARGEST_KERNEL} entries fit, {LARGEST_SIDE} a side")
    if not np.isfinite(array).all():
        raise ParameterError("kernel", f"{name} holds NaN or infinity")
    return _rational(array) or (array.astype(np.float64), 1)


def named(name: str) -> tuple[Matrix, int]:
    """(matrix, divisor) of a kernel of the catalogue; for a gradient magnitude the -v and the -h matrix.

    >>> named("blur")[0].tolist(), named("sobel")[0].shape
    ([[1, 1, 1], [1, 1, 1], [1, 1, 1]], (2, 3, 3))
    """
    if name in GRADIENTS:
        return np.array([named(f"{name}-{part}")[0] for part in "vh"], np.int64), 1
    rows, _, divisor = NAMED[name].partition("|")
    return np.array([[int(entry) for entry in row.split()] for row in rows.split(";")], np.int64), int(divisor or 1)


def from_fractions(rows: Sequence[Sequence[Fraction]]) -> tuple[Matrix, int]:
    """(matrix, divisor) from rows of one length; floats where 53 bits do not hold the whole numbers.

    >>> matrix, divisor = from_fractions([[Fraction(1, 2), Fraction(1, 3)]])
    >>> matrix.tolist(), divisor
    ([[3, 2]], 6)
    """
    divisor = math.lcm(*(entry.denominator for row in rows for entry in row))
    integers = [[int(entry * divisor) for entry in row] for row in rows]
    largest = max(abs(entry) for row in integers for entry in row)
    if max(divisor, largest) <= _EXACT_INTEGER:
        return np.array(integers, dtype=np.int64), divisor
    return np.array([[float(entry) for entry in row] for row in rows]), 1  # whose range numbers in text keep to


def from_file(path: str) -> tuple[Matrix, int]:
    """(matrix, divisor) from a file: `.npy`, or text in which `#` begins a comment.

    Raises:
        ParameterError: names the file, which is unreadable, too large, or holds no kernel.
    """
    try:
        if os.path.getsize(path) > 8 * LARGEST_KERNEL + 4096:
            raise ParameterError("kernel", "too large for a kernel")
        if path.lower().endswith(".npy"):
            return from_array(_load_npy(path), path)
        with open(path, encoding="utf-8-sig") as file:
            text = re.sub(r"#.*", "", file.read())  # np.savetxt leads headers by #
        return from_fractions(table(text, "kernel"))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise ParameterError("kernel", f"{path!r} cannot be read: {reason}") from error
    except ParameterError as error:
        if path in error.message:
            raise
        raise ParameterError("kernel", f"{path!r}: {error.message}") from error


def as_text(matrix: Matrix, divisor: int) -> str:
    """The matrix as people write it; only the shape of a bank."""
    if matrix.ndim == 4:
        return "bank " + "x".join(map(str, matrix.shape))
    whole = matrix.dtype.kind == "i"
    rows = [[str(Fraction(entry, divisor)) if whole else repr(entry) for entry in row] for row in matrix.tolist()]
    return "; ".join(" ".join(row) for row in rows)


def _load_npy(path: str) -> NDArray[Any]:
    from cnnfilter.core import npy

    with open(path, "rb") as file:
        try:
            return npy.read(file, os.path.getsize(path))
        except ValueError as error:
            raise ParameterError("kernel", str(error)) from error


def _rational(array: NDArray[Any]) -> tuple[NDArray[np.int64], int] | None:
    """(integers, divisor) with array == integers / divisor to the last bit of its own type, if there are any."""
    if array.dtype.kind in "biu":
        whole = array.astype(np.int64)
        return (whole, 1) if (whole == array).all() else None
    values = np.unique(array)
    with np.errstate(over="ignore", invalid="ignore"):
        if abs(values).max() * LARGEST_DENOMINATOR > _EXACT_INTEGER:
            return None
        return _with_divisor(array, values)


def _with_divisor(array: NDArray[Any], values: NDArray[Any]) -> tuple[NDArray[np.int64], int] | None:
    divisors = np.arange(1, LARGEST_DENOMINATOR + 1 if array.ndim == 2 else 2, dtype=array.dtype)

    def fitting(some: NDArray[Any], among: NDArray[Any]) -> NDArray[Any]:
        among = among[:, None]
        return np.asarray((np.rint(some * among) / among == some).all(axis=1))

    few = values[:: max(1, len(values) // 16)]  # enough to see that most divisors do not fit
    for divisor in divisors[fitting(few, divisors)].tolist():
        if fitting(values, np.array([divisor], array.dtype)).all():
            return np.rint(array.astype(np.float64) * divisor).astype(np.int64), int(divisor)
    return None
