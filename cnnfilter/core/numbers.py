"""Numbers as people write them, kept exact: `3`, `0.25`, `1/9`."""

import math
import re
from collections.abc import Iterable
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from cnnfilter.errors import ParameterError

if TYPE_CHECKING:
    import numpy as np

# Denominators up to this are looked for behind a binary float: 1/9 typed as 0.1111111111111111 is meant as a ninth.
LARGEST_DENOMINATOR = 1024


def exact(value: object, parameter: str) -> Fraction:
    """The fraction that `value` (text, int, float, Fraction) stands for.

    A float stands for the simplest fraction that it is nearest to, when that has a denominator up to 1024.

    >>> exact("1/9", "scale"), exact(0.5, "scale"), exact(1 / 9, "scale")
    (Fraction(1, 9), Fraction(1, 2), Fraction(1, 9))

    Raises:
        ParameterError: not a number, not finite, or a division by zero.
    """
    try:
        if isinstance(value, str):
            return _within_floats(_from_text(value), parameter)
        if isinstance(value, bool):
            raise TypeError
        number = value if isinstance(value, int | Fraction) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, ZeroDivisionError, OverflowError) as error:
        raise ParameterError(parameter, f"{str(value)[:40]!r} is not a number such as 2, 0.5 or 1/9") from error
    if isinstance(number, int | Fraction):
        return _within_floats(Fraction(number), parameter)
    if not math.isfinite(number):
        raise ParameterError(parameter, f"{number} is not finite")
    simple = Fraction(number).limit_denominator(LARGEST_DENOMINATOR)
    return simple if float(simple) == number else Fraction(number)


def _within_floats(number: Fraction, parameter: str) -> Fraction:
    if abs(number) > 10**300:
        raise ParameterError(parameter, "numbers up to 1e300 fit")
    return number


def _from_text(text: str) -> Fraction:
    """A decimal, or one over another."""
    numerator, slash, denominator = text.partition("/")
    return _decimal(numerator) / _decimal(denominator) if slash else _decimal(text)


def _decimal(text: str) -> Fraction:
    """Fraction(text), but for exponents so large that the exact number would fill the memory."""
    _, _, exponent = text.lower().partition("e")
    if "/" in text or (exponent and abs(int(exponent)) > 300):
        raise ValueError(text)
    return Fraction(text.strip())


def real(value: object, parameter: str, *, least: float = -math.inf, most: float = math.inf) -> float:
    """A number as a float, within bounds.

    Raises:
        ParameterError: not a number, or out of bounds.
    """
    number = float(exact(value, parameter))
    if not least <= number <= most:
        raise ParameterError(parameter, f"{number:g} is out of range; {least:g} to {most:g} fit")
    return number


def reals(value: object, parameter: str) -> tuple[float, ...]:
    """Numbers from a list, or from text with blanks or commas between them.

    >>> reals("0.5, 1/4", "mean")
    (0.5, 0.25)

    Raises:
        ParameterError: one of them is no number.
    """
    parts = value.replace(",", " ").split() if isinstance(value, str) else value
    if isinstance(parts, Iterable):
        return tuple(real(part, parameter) for part in parts)
    return (real(parts, parameter),)


def table(text: str, parameter: str) -> list[list[Fraction]]:
    """Rows of exact numbers: entries apart by blanks or commas, rows by `;` or line ends.

    >>> table("1/2, 1; 0 -3", "kernel")
    [[Fraction(1, 2), Fraction(1, 1)], [Fraction(0, 1), Fraction(-3, 1)]]

    Raises:
        ParameterError: an entry that is no number, rows of different lengths, no entries.
    """
    lines = [re.split(r"\s*,\s*|\s+", line.strip()) for line in re.split(r"[;\n]", text) if line.strip()]
    if not lines:
        raise ParameterError(parameter, "the matrix has no entries")
    rows = [[exact(entry, parameter) for entry in line] for line in lines]
    lengths = [len(row) for row in rows]
    if len(set(lengths)) > 1:
        raise ParameterError(parameter, f"the matrix is ragged: its rows have {_listed(lengths)} entries")
    return rows


def _listed(numbers: list[int]) -> str:
    shown = [str(n) for n in numbers[:8]]
    return f"{', '.join(shown[:-1])} and {shown[-1]}" if len(numbers) <= 8 else f"{', '.join(shown)}, ..."


def whole(value: object, parameter: str, *, least: int = 1) -> int:
    """A whole number of at least `least`.

    Raises:
        ParameterError: anything else.
    """
    told = f"{str(value)[:40]!r} is not a whole number of at least {least}"
    try:
        number = exact(value, parameter)
    except ParameterError as error:
        raise ParameterError(parameter, told) from error
    if isinstance(value, bool) or number.denominator != 1 or not least <= number <= 2**63:
        raise ParameterError(parameter, told)
    return int(number)


def flag(value: object, parameter: str) -> bool:
    """True or false, also as text.

    >>> flag("false", "flip")
    False

    Raises:
        ParameterError: anything else.
    """
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if not isinstance(value, bool):
        raise ParameterError(parameter, f"{str(value)[:40]!r} is neither true nor false")
    return value


def fit(bounds: tuple[int, int], dtype: "type[np.signedinteger[Any]]") -> bool:
    """Whether all whole numbers within `bounds` fit the type."""
    import numpy as np

    limits = np.iinfo(dtype)
    return int(limits.min) <= bounds[0] and bounds[1] <= int(limits.max)


def whole_type(bounds: tuple[int, int]) -> "np.dtype[Any]":
    """int32 where all whole numbers within `bounds` fit it, else int64.

    >>> whole_type((-(2**31), 2**31 - 1)), whole_type((0, 2**31))
    (dtype('int32'), dtype('int64'))
    """
    import numpy as np

    return np.dtype(np.int32 if fit(bounds, np.int32) else np.int64)
