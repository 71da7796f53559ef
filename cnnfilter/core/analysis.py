"""What a matrix is, told from its numbers: sums, norms, rank, separable parts, symmetry."""

from dataclasses import dataclass
from fractions import Fraction
from math import gcd, isqrt, lcm
from typing import Any

import numpy as np
from numpy.typing import NDArray

Number = Fraction | float
Array = NDArray[Any]

# Matrices of whole numbers with more entries than this are taken apart in floats.
LARGEST_EXACT = 1024
# Matrices with more entries are not taken apart at all: it would take seconds.
LARGEST = 1 << 18
# Singular values below this share of the largest are rounding errors of float64.
RANK_TOLERANCE = 1e-12
# Sums of floats below this share of the L1 norm are zero.
ROUNDING = 1e-12
# Further parts than these tell nobody anything.
MOST_PARTS = 3


@dataclass(frozen=True)
class Part:
    """The product of a column and a row; a matrix is the sum of as many of them as its rank says."""

    column: tuple[Number, ...]
    row: tuple[Number, ...]


@dataclass(frozen=True)
class Facts:
    """What is so of a matrix whoever uses it. Sums are exact where the matrix is.

    `parts` are empty for a rank above 3; `energy` is the share of the first product, of all squares, in the best
    approximation by products. Neither these nor the rank are looked for in matrices of more than LARGEST entries.
    `symmetry` names the movements that change nothing (`left-right`, `up-down`, `half turn`, `quarter turn`,
    `transpose`), or only the signs (`left-right negated`, ...).
    """

    sum: Number
    l1: Number
    l2: float
    low: Number
    high: Number
    zeros: int
    rank: int | None
    parts: tuple[Part, ...]
    energy: float | None
    symmetry: tuple[str, ...]


def facts(matrix: Array, divisor: int = 1) -> Facts:
    """The facts of `matrix` / `divisor`, (height, width).

    >>> found = facts(np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]))
    >>> found.rank, [int(n) for n in found.parts[0].column], [int(n) for n in found.parts[0].row]
    (1, [1, 2, 1], [-1, 0, 1])
    """
    parts = separable_parts(matrix) if matrix.size <= LARGEST else None
    total, size = matrix.sum(dtype=object), abs(matrix).sum(dtype=object)
    total = 0.0 if matrix.dtype.kind == "f" and abs(total) <= ROUNDING * size else total
    return Facts(
        over(total, divisor),
        over(size, divisor),
        _root(matrix) / divisor,
        over(matrix.min(), divisor),
        over(matrix.max(), divisor),
        int((matrix == 0).sum()),
        None if parts is None else len(parts),
        tuple(parts) if parts and len(parts) <= MOST_PARTS else (),
        None if parts is None else _energy(matrix),
        symmetries(matrix),
    )


def _energy(matrix: Array) -> float:
    shares = np.linalg.svd(matrix.astype(np.float64), compute_uv=False) ** 2
    return float(shares[0] / shares.sum()) if shares.any() else 1.0


def over(value: Any, divisor: int) -> Number:
    """The value over the divisor, exact for whole numbers."""
    return Fraction(int(value), divisor) if isinstance(value, int | np.integer) else float(value) / divisor


def _root(matrix: Array) -> float:
    """The root of the sum of squares."""
    if matrix.dtype.kind != "i":
        return float(np.sqrt((matrix.astype(np.float64) ** 2).sum()))
    squares = int((matrix.astype(object) ** 2).sum())
    root = isqrt(squares)
    return float(root) if root * root == squares else float(squares) ** 0.5


def symmetries(matrix: Array) -> tuple[str, ...]:
    """The movements that leave the matrix as it is, or only change its signs.

    >>> symmetries(np.array([[-1, 0, 1]]))
    ('left-right negated', 'up-down', 'half turn negated')
    """
    moved = {"left-right": matrix[:, ::-1], "up-down": matrix[::-1], "half turn": matrix[::-1, ::-1]}
    if matrix.shape[0] == matrix.shape[1]:
        moved |= {"quarter turn": np.rot90(matrix), "transpose": matrix.T}
    found = []
    slack = 1e-9 * float(abs(matrix).max())
    for name, other in moved.items():
        if (abs(matrix - other) <= slack).all():
            found.append(name)
        elif (abs(matrix + other) <= slack).all():
            found.append(f"{name} negated")
    return tuple(found)


def separable_parts(matrix: Array) -> list[Part]:
    """Products of a column and a row that add up to the matrix, as few as there can be: their number is its rank.

    Whole numbers come apart exactly, the row without a common factor. Each step takes away the product of a row and
    the column that goes with it, which lowers the rank by one.
    Source: Wedderburn, "Lectures on matrices", 1934.
    """
    if matrix.dtype.kind != "i" or matrix.size > LARGEST_EXACT:
        return _float_parts(matrix.astype(np.float64))
    rest = [[Fraction(int(n)) for n in line] for line in matrix]
    parts = []
    while line := next((line for line in rest if any(line)), None):
        row = _primitive(line)
        pivot = next(x for x, n in enumerate(row) if n)
        column = tuple(each[pivot] / row[pivot] for each in rest)
        rest = [[n - c * r for n, r in zip(each, row, strict=True)] for c, each in zip(column, rest, strict=True)]
        parts.append(Part(column, row))
    return parts


def _primitive(line: list[Fraction]) -> tuple[Fraction, ...]:
    """The line as whole numbers without a common factor, with a sum that is not negative."""
    scale = lcm(*(n.denominator for n in line))
    whole = [int(n * scale) for n in line]
    common = gcd(*whole) * (-1 if sum(whole) < 0 else 1)
    return tuple(Fraction(n // common) for n in whole)


def _float_parts(matrix: Array) -> list[Part]:
    left, sizes, right = np.linalg.svd(matrix, full_matrices=False)
    parts = []
    for k in range(int((sizes > sizes[0] * RANK_TOLERANCE).sum())):
        column, row = left[:, k] * sizes[k], right[k]
        total = float(row.sum())
        unit = total if abs(total) > 1e-6 * float(abs(row).sum()) else float(row[np.argmax(abs(row))])
        parts.append(Part(tuple((column * unit).tolist()), tuple((row / unit).tolist())))
    return parts


def strongest_of(matrix: Array, rows: int, columns: int) -> tuple[Array, int]:
    """(a smaller matrix of at most that size, the side of its cells): of every cell the entry farthest from zero.

    >>> strongest_of(np.array([[1, -3, 0], [2, 0, 0]]), 2, 2)[0].tolist()
    [[-3, 0]]
    """
    height, width = matrix.shape
    step = max(1, -(-height // rows), -(-width // columns))
    padded = np.pad(matrix, ((0, -height % step), (0, -width % step)))
    cells = padded.reshape(padded.shape[0] // step, step, -1, step).swapaxes(1, 2)
    flat = cells.reshape(*cells.shape[:2], step * step)
    return np.take_along_axis(flat, np.argmax(abs(flat), axis=2)[:, :, None], axis=2)[:, :, 0], step
