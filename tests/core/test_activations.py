"""Activations, batch normalisation, dense and conv2d: ONNX's published examples, extremes, types and shapes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra import numpy as hnp

import cnnfilter
from cnnfilter.core.activations import absolute

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Array = NDArray[Any]
    Function = Callable[..., Array]

BY_ELEMENT: dict[str, Function] = {
    "relu": cnnfilter.relu,
    "leaky_relu": cnnfilter.leaky_relu,
    "relu6": cnnfilter.relu6,
    "elu": cnnfilter.elu,
    "sigmoid": cnnfilter.sigmoid,
    "tanh": cnnfilter.tanh,
    "silu": cnnfilter.silu,
}
DEFINITIONS: dict[str, Callable[[float], float]] = {
    "relu": lambda x: max(x, 0.0),
    "leaky_relu": lambda x: x if x >= 0 else 0.01 * x,
    "relu6": lambda x: min(max(x, 0.0), 6.0),
    "elu": lambda x: x if x >= 0 else math.expm1(x),
    "sigmoid": lambda x: 1 / (1 + math.exp(-x)),
    "tanh": math.tanh,
    "silu": lambda x: x / (1 + math.exp(-x)),
}
EPSILON = 1.2e-7  # of float32
MOST = float(np.finfo(np.float32).max)


# ---------------------------------------------------------------------------------------------------------------------
# Published examples: onnx/backend/test/case/node/*.py


@pytest.mark.parametrize(("function", "keys", "x", "y"), [
    pytest.param("leaky_relu", {"slope": 0.1}, [-1, 0, 1], [-0.1, 0, 1], id="test_leakyrelu_example"),
    pytest.param("elu", {"alpha": 2}, [-1, 0, 1], [-1.2642411, 0, 1], id="test_elu_example"),
    pytest.param("sigmoid", {}, [-1, 0, 1], [0.26894143, 0.5, 0.7310586], id="test_sigmoid_example"),
    pytest.param("tanh", {}, [-1, 0, 1], [-0.76159418, 0, 0.76159418], id="test_tanh_example"),
])  # fmt: skip
def test_onnx_activations(function: str, keys: dict[str, Any], x: list[float], y: list[float]) -> None:
    result = BY_ELEMENT[function](np.array(x, np.float32), **keys)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, y, rtol=2e-7)


@pytest.mark.parametrize(("x", "y"), [
    pytest.param([[-1, 0, 1]], [[0.09003058, 0.24472848, 0.66524094]], id="test_softmax_example"),
    pytest.param([[0, 1, 2, 3], [10000, 10001, 10002, 10003]],
                 [[0.032058604, 0.08714432, 0.23688284, 0.6439143]] * 2, id="test_softmax_large_number"),
])  # fmt: skip
def test_onnx_softmax(x: list[list[float]], y: list[list[float]]) -> None:
    result = cnnfilter.softmax(np.array(x, np.float32))
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, y, rtol=3e-7)
    np.testing.assert_allclose(cnnfilter.softmax(x[0]), y[0], rtol=3e-7)


def test_onnx_batchnorm_example() -> None:
    """test_batchnorm_example: s * (x - mean) / sqrt(var + 1e-5) + bias, on two channels of 1 x 3."""
    x = np.array([[[-1, 2], [0, 3], [1, 4]]], np.float32)
    result = cnnfilter.batchnorm(x, [1.0, 1.5], [0, 1], [0, 3], [1, 1.5])
    first = 1 / math.sqrt(1 + 1e-5)
    second = 1.5 / math.sqrt(1.5 + 1e-5)
    assert result.dtype == np.float32
    wanted = np.array([[[-first, 1 - second], [0, 1], [first, 1 + second]]])
    np.testing.assert_allclose(result, wanted, rtol=3e-7, atol=5e-7)
    np.testing.assert_allclose(result[0, :, 1], [-0.22474074, 1, 2.2247407], atol=5e-7)


def test_onnx_batchnorm_epsilon() -> None:
    """test_batchnorm_epsilon: the same with epsilon 1e-2, of random numbers."""
    rng = np.random.default_rng(7)
    x = rng.standard_normal((4, 5, 3))
    weight, bias, mean = rng.standard_normal((3, 3))
    variance = rng.random(3)
    result = cnnfilter.batchnorm(x, weight, bias, mean, variance, epsilon=1e-2)
    np.testing.assert_allclose(result, weight * (x - mean) / np.sqrt(variance + 1e-2) + bias, rtol=1e-5, atol=1e-5)


FIVE = np.arange(25.0).reshape(5, 5)
SEVEN = np.arange(35.0).reshape(7, 5)


@pytest.mark.parametrize(("x", "options", "y"), [
    pytest.param(FIVE, {"padding": 1},
                 [[12, 21, 27, 33, 24], [33, 54, 63, 72, 51], [63, 99, 108, 117, 81], [93, 144, 153, 162, 111],
                  [72, 111, 117, 123, 84]], id="test_basic_conv_with_padding"),
    pytest.param(FIVE, {}, [[54, 63, 72], [99, 108, 117], [144, 153, 162]], id="test_basic_conv_without_padding"),
    pytest.param(SEVEN, {"padding": 1, "stride": 2},
                 [[12, 27, 24], [63, 108, 81], [123, 198, 141], [112, 177, 124]], id="test_conv_with_strides_padding"),
    pytest.param(SEVEN, {"stride": 2}, [[54, 72], [144, 162], [234, 252]], id="test_conv_with_strides_no_padding"),
    pytest.param(SEVEN, {"padding": ((1, 1), (0, 0)), "stride": 2}, [[21, 33], [99, 117], [189, 207], [171, 183]],
                 id="test_conv_with_strides_and_asymmetric_padding"),
    pytest.param(FIVE, {"padding": ((1, 1), (1, 1)), "stride": 2}, [[12, 27, 24], [63, 108, 81], [72, 117, 84]],
                 id="test_conv_with_autopad_same"),
])  # fmt: skip
def test_onnx_conv(x: Array, options: dict[str, Any], y: list[list[float]]) -> None:
    result = cnnfilter.conv2d(x.astype(np.float32)[:, :, None], np.ones((3, 3, 1, 1), np.float32), **options)
    assert result.dtype == np.float32
    assert result[:, :, 0].tolist() == y


# ---------------------------------------------------------------------------------------------------------------------
# Definitions


@pytest.mark.parametrize("name", BY_ELEMENT)
@given(x=hnp.arrays(np.float32, hnp.array_shapes(max_dims=3, max_side=6), elements=st.floats(-80, 80, width=32)))
@settings(deadline=None, max_examples=40)
def test_definitions(name: str, x: Array) -> None:
    wanted = np.array([DEFINITIONS[name](value) for value in x.ravel().tolist()]).reshape(x.shape)
    result = BY_ELEMENT[name](x)
    assert result.dtype == np.float32
    assert result.shape == x.shape
    np.testing.assert_allclose(result, wanted, rtol=8 * EPSILON, atol=1e-37)


@pytest.mark.parametrize(("function", "keys", "x", "y"), [
    ("leaky_relu", {}, [-2, 0, 2], [-0.02, 0, 2]),
    ("leaky_relu", {"slope": 0}, [-2, 0, 2], [0, 0, 2]),
    ("leaky_relu", {"slope": -1}, [-2, 0, 2], [2, 0, 2]),
    ("leaky_relu", {"slope": 2}, [-2, 0, 2], [-4, 0, 2]),
    ("elu", {"alpha": 0.5}, [-1e4, 0, 3], [-0.5, 0, 3]),
    ("relu6", {}, [-1, 0, 5.5, 6, 7], [0, 0, 5.5, 6, 6]),
])  # fmt: skip
def test_keys(function: str, keys: dict[str, Any], x: list[float], y: list[float]) -> None:
    np.testing.assert_allclose(BY_ELEMENT[function](x, **keys), y, rtol=2e-7)


@pytest.mark.parametrize(("name", "x", "y"), [
    ("relu", [1e4, -1e4, math.inf, -math.inf], [1e4, 0, math.inf, 0]),
    ("leaky_relu", [1e4, -1e4, math.inf, -math.inf], [1e4, -100, math.inf, -math.inf]),
    ("relu6", [1e4, -1e4, math.inf, -math.inf], [6, 0, 6, 0]),
    ("elu", [1e4, -1e4, math.inf, -math.inf], [1e4, -1, math.inf, -1]),
    ("sigmoid", [1e4, -1e4, math.inf, -math.inf], [1, 0, 1, 0]),
    ("tanh", [1e4, -1e4, math.inf, -math.inf], [1, -1, 1, -1]),
    ("silu", [1e4, -1e4, math.inf, -math.inf], [1e4, 0, math.inf, 0]),
    ("silu", [MOST, -MOST], [MOST, 0]),
    ("sigmoid", [MOST, -MOST], [1, 0]),
    ("elu", [MOST, -MOST], [MOST, -1]),
    ("softmax", [1e4, -1e4], [1, 0]),
    ("softmax", [MOST, -MOST], [1, 0]),
    ("softmax", [-math.inf, 0, 0], [0, 0.5, 0.5]),
    ("softmax", [-1e4, -1e4, -1e4, -1e4], [0.25] * 4),
    ("softmax", [7], [1]),
])  # fmt: skip
def test_extremes_without_a_warning(name: str, x: list[float], y: list[float]) -> None:
    function = BY_ELEMENT.get(name, cnnfilter.softmax)
    np.testing.assert_allclose(function(np.array(x, np.float32)), y, rtol=2e-6)


@pytest.mark.parametrize("name", BY_ELEMENT)
def test_nan_stays(name: str) -> None:
    result = BY_ELEMENT[name](np.array([math.nan, 1], np.float32))
    assert np.isnan(result).tolist() == [True, False]


def test_softmax_of_nan_is_nan() -> None:
    assert np.isnan(cnnfilter.softmax(np.array([[math.nan, 1], [0, 0]], np.float32))).tolist() == [
        [True] * 2,
        [False] * 2,
    ]


# ---------------------------------------------------------------------------------------------------------------------
# Types


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int8", "uint16", "int16", "int32", "uint32", "int64", ">i2"])
def test_integers_stay_integers_in_relu(dtype: str) -> None:
    low, high = (0, 1) if dtype == "bool" else (int(np.iinfo(dtype).min), int(np.iinfo(dtype).max))
    x = np.array([[low, 0, 1, high]], dtype)
    result = cnnfilter.relu(x)
    assert result.dtype.newbyteorder("=") == x.dtype.newbyteorder("=")
    assert result.tolist() == [[0, 0, 1, high]]


@pytest.mark.parametrize("name", [*BY_ELEMENT, "softmax"])
@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32", "float16", "float64", ">f4"])
def test_results_are_floats_of_32_bits(name: str, dtype: str) -> None:
    result = BY_ELEMENT.get(name, cnnfilter.softmax)(np.array([[1, 2, 100]], dtype))
    if name in ("relu", "relu6"):
        assert result.dtype.kind == np.dtype(dtype).kind
    else:
        assert result.dtype == np.float32
    assert result.shape == (1, 3)


@pytest.mark.parametrize("name", [*BY_ELEMENT, "softmax"])
def test_arguments_are_left_alone(name: str) -> None:
    x = np.array([[-1.5, 2, 9]], np.float32)
    x.flags.writeable = False
    BY_ELEMENT.get(name, cnnfilter.softmax)(x)
    assert x.tolist() == [[-1.5, 2, 9]]


@given(x=hnp.arrays(np.float32, (3, 4, 5), elements=st.floats(-(2.0**100), 2.0**100, width=32)))
@settings(deadline=None, max_examples=60)
def test_softmax_over_the_last_axis(x: Array) -> None:
    result = cnnfilter.softmax(x)
    assert result.shape == x.shape
    np.testing.assert_allclose(result.sum(axis=-1), np.ones((3, 4)), rtol=1e-6)
    np.testing.assert_array_equal(result[1, 2], cnnfilter.softmax(x[1, 2]))
    largest = np.take_along_axis(result, x.argmax(axis=-1)[..., None], axis=-1)[..., 0]
    np.testing.assert_array_equal(largest, result.max(axis=-1))


# ---------------------------------------------------------------------------------------------------------------------
# Batch normalisation and dense


def test_batchnorm_of_integers() -> None:
    x = np.array([[[10, 200], [30, 0]]], np.uint8)
    result = cnnfilter.batchnorm(x, [2, 1], [1, 0], [20, 100], [25, 100], epsilon=0)
    assert result.dtype == np.float32
    assert result.tolist() == [[[-3, 10], [5, -10]]]


def test_batchnorm_of_an_offset_far_from_zero() -> None:
    """Values near a mean far from zero: what is left must not drown in rounding."""
    x = np.array([[[1000.0], [1000.5], [1001.0]]], np.float32)
    result = cnnfilter.batchnorm(x, [1], [0], [1000.5], [0.25], epsilon=0)
    np.testing.assert_allclose(result[0, :, 0], [-1, 0, 1], atol=2e-4)


def test_batchnorm_of_variance_zero_is_finite() -> None:
    result = cnnfilter.batchnorm(np.ones((1, 1, 1), np.float32), [1], [0], [0], [0])
    np.testing.assert_allclose(result, [[[1 / math.sqrt(1e-5)]]], rtol=1e-6)


@pytest.mark.parametrize("wrong", ["weight", "bias", "mean", "variance"])
@pytest.mark.parametrize("shape", [(2,), (4,), (3, 1), (1, 3)], ids=str)
def test_batchnorm_names_the_part_that_does_not_fit(wrong: str, shape: tuple[int, ...]) -> None:
    parts: dict[str, Any] = {name: np.ones(3) for name in ("weight", "bias", "mean", "variance")}
    parts[wrong] = np.ones(shape)
    with pytest.raises(cnnfilter.ParameterError, match=rf"^{wrong}: .*3"):
        cnnfilter.batchnorm(np.ones((2, 2, 3)), **parts)


def test_dense_by_hand() -> None:
    weight: list[list[float]] = [[1, 2, 3], [0, -1, 0.5]]
    result = cnnfilter.dense([1, 10, 100], weight)
    assert result.dtype == np.float32
    assert result.tolist() == [321, 40]
    assert cnnfilter.dense(np.array([1, 10, 100], np.uint8), weight, [0.5, -40]).tolist() == [321.5, 0]


@given(data=st.data(), units=st.integers(1, 6), values=st.integers(1, 40))
@settings(deadline=None, max_examples=40)
def test_dense_of_whole_numbers_is_exact(data: st.DataObject, units: int, values: int) -> None:
    whole = st.integers(-100, 100).map(float)
    weight: Array = data.draw(hnp.arrays(np.float32, (units, values), elements=whole))
    x: Array = data.draw(hnp.arrays(np.float32, values, elements=whole))
    bias: Array = data.draw(hnp.arrays(np.float32, units, elements=whole))
    wanted = [
        sum(int(w) * int(v) for w, v in zip(row, x, strict=True)) + int(b) for row, b in zip(weight, bias, strict=True)
    ]
    assert cnnfilter.dense(x, weight, bias).tolist() == wanted


@pytest.mark.parametrize(("x", "weight", "bias", "parameter"), [
    ((3,), (2, 4), None, "weight"),
    ((3,), (3,), None, "weight"),
    ((2,), (3, 2), (2,), "bias"),
    ((2,), (3, 2), (1,), "bias"),
    ((2, 3), (3, 2), None, "(weight|x)"),
])  # fmt: skip
def test_dense_names_what_does_not_fit(
    x: tuple[int, ...], weight: tuple[int, ...], bias: tuple[int, ...] | None, parameter: str
) -> None:
    with pytest.raises(cnnfilter.ParameterError, match=rf"^{parameter}: .*\d"):
        cnnfilter.dense(np.ones(x), np.ones(weight), None if bias is None else np.ones(bias))


@pytest.mark.parametrize(
    ("dtype", "result"),
    [("int8", "int16"), ("int16", "int32"), ("int32", "int64"), ("int64", "int64"), ("uint8", "uint8")],
)
def test_the_size_of_the_least_whole_number_fits(dtype: str, result: str) -> None:
    least = max(int(np.iinfo(dtype).min), -(2**62))
    found = absolute(np.array([least, 3], dtype))
    assert (found.dtype.name, found.tolist()) == (result, [-least, 3])
