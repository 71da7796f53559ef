"""Numbers that people write, and arrays in npy files of strangers."""

from __future__ import annotations

import io
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from cnnfilter.core import npy
from cnnfilter.core.numbers import exact, flag, real, reals, whole
from cnnfilter.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("1/9", Fraction(1, 9)),
        (" 2 ", Fraction(2)),
        ("1/127.5", Fraction(2, 255)),
        ("-0.5/1e-3", Fraction(-500)),
        ("1e-3", Fraction(1, 1000)),
        (1 / 3, Fraction(1, 3)),  # the simplest fraction that the float is nearest to
        (0.1234567891, Fraction(0.1234567891)),  # none: the float itself
        (np.float32(0.5), Fraction(1, 2)),
        (10**300, Fraction(10**300)),
    ],
)
def test_numbers_are_exact(value: object, number: Fraction) -> None:
    assert exact(value, "scale") == number


@pytest.mark.parametrize(
    "value",
    [
        True,
        None,
        "one",
        "1/0",
        "1e301",
        "-1e9999999999",
        10**301,
        float("inf"),
        float("nan"),
        [1, 2],
        "",
        "1/",
        "/2",
        "1/2/3",
    ],
)
def test_what_is_no_number_is_refused_by_the_parameters_name(value: object) -> None:
    with pytest.raises(ParameterError) as caught:
        exact(value, "scale")
    assert caught.value.parameter == "scale"
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("parse", "message"),
    [
        (lambda: real("-1", "epsilon", least=0), "-1 is out of range; 0 to inf fit"),
        (lambda: whole(1.5, "groups"), "'1.5' is not a whole number of at least 1"),
        (lambda: whole(True, "groups"), "'True' is not a whole number of at least 1"),
        (lambda: flag(1, "flip"), "'1' is neither true nor false"),
        (lambda: reals("1 x", "mean"), "'x' is not a number such as 2, 0.5 or 1/9"),
    ],
)
def test_numbers_of_another_kind_are_refused(parse: Callable[[], Any], message: str) -> None:
    with pytest.raises(ParameterError) as caught:
        parse()
    assert caught.value.message == message


def test_one_number_stands_for_all() -> None:
    assert reals(0.5, "std") == (0.5,)
    assert reals(["1/2", 2], "std") == (0.5, 2.0)


# ---------------------------------------------------------------------------------------------------------------------
# npy


def saved(array: Any, **options: Any) -> bytes:
    content = io.BytesIO()
    np.save(content, array, **options)
    return content.getvalue()


@pytest.mark.parametrize("dtype", ["bool", "uint8", ">i2", "<f4", "float64"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_come_back(dtype: str, order: Any) -> None:
    array = np.arange(6).reshape(2, 3).astype(dtype, order=order)
    content = saved(array)
    found = npy.read(io.BytesIO(content), len(content))
    assert found.dtype == array.dtype.newbyteorder("=")
    assert found.tolist() == array.tolist()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (saved(np.ones((2, 3)))[:-1], "cut short: 48 bytes of data are promised, 47 are there"),
        (saved(np.ones((2, 3))) + b"?", "followed by other bytes: 48 bytes of data are promised, 49 are there"),
        (saved(np.ones((2, 0))), r"an empty array of shape \(2, 0\)"),
        (saved(np.array(["a"])), "only booleans, integers and floats are read"),
        (saved(np.ones(2, "complex64")), "complex64; only booleans"),
        (b"\x93NUMPY\x09\x00", "its header cannot be read"),
        (b"", "its header cannot be read"),
    ],
)
def test_arrays_that_are_refused(content: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        npy.read(io.BytesIO(content), len(content))


def test_a_file_that_shrinks_while_it_is_read_is_refused() -> None:
    content = saved(np.ones((2, 3)))
    with pytest.raises(ValueError, match="ended while it was read"):
        npy.read(io.BytesIO(content[:-8]), len(content))
