"""Activations, normalisation and the classifier's functions, element by element or over the last axis.

Functions of single elements take arrays of any shape, of booleans, integers or floats, and give the same shape. Whole
numbers stay what they are where the function allows it (relu, relu6, abs); everything else is float32. NaN passes on.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cnnfilter.errors import UnfitError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

Floats = NDArray[np.float32]


def _floats(x: "ArrayLike") -> Floats:
    array = np.asarray(x)
    with np.errstate(over="ignore"):
        return array.astype(np.float32, copy=False)


def relu(x: "ArrayLike") -> NDArray[Any]:
    """max(x, 0) in the shape and the type of x.

    >>> relu([-1.5, 0.0, 2.0]).tolist()
    [0.0, 0.0, 2.0]
    """
    array = np.asarray(x)
    return array if array.dtype.kind in "bu" else np.maximum(array, array.dtype.type(0))


def leaky_relu(x: "ArrayLike", slope: float = 0.01) -> Floats:
    """X where it is positive, else slope * x: float32 in the shape of x.

    >>> leaky_relu([-2.0, 3.0], slope=0.5).tolist()
    [-1.0, 3.0]
    """
    array = _floats(x)
    return np.where(array >= 0, array, np.float32(slope) * array)


def relu6(x: "ArrayLike") -> NDArray[Any]:
    """min(max(x, 0), 6) in the shape and the type of x.

    >>> relu6([-1.5, 2.0, 9.0]).tolist()
    [0.0, 2.0, 6.0]
    """
    array = relu(x)
    return array if array.dtype.kind == "b" else np.minimum(array, array.dtype.type(6))


def elu(x: "ArrayLike", alpha: float = 1.0) -> Floats:
    """X where it is positive, else alpha * (exp(x) - 1): float32 in the shape of x.

    Source: Clevert, Unterthiner and Hochreiter, "Fast and accurate deep network learning by ELUs", 2015.

    >>> elu([-1000.0, 3.0], alpha=2).tolist()
    [-2.0, 3.0]
    """
    array = _floats(x)
    return np.where(array > 0, array, np.float32(alpha) * np.expm1(np.minimum(array, np.float32(0))))


def sigmoid(x: "ArrayLike") -> Floats:
    """1 / (1 + exp(-x)) without overflow: float32 in the shape of x.

    >>> sigmoid([0.0, -1000.0]).tolist()
    [0.5, 0.0]
    """
    array = _floats(x)
    small = np.exp(-np.abs(array))  # in 0 .. 1 for any x
    return np.asarray(np.where(array >= 0, np.float32(1), small) / (1 + small))


def tanh(x: "ArrayLike") -> Floats:
    """The hyperbolic tangent: float32 in the shape of x.

    >>> tanh([0.0, -1000.0]).tolist()
    [0.0, -1.0]
    """
    return np.tanh(_floats(x))


def silu(x: "ArrayLike") -> Floats:
    """X * sigmoid(x), also called swish: float32 in the shape of x.

    Source: Elfwing, Uchibe and Doya, "Sigmoid-weighted linear units", 2018.

    >>> silu([0.0, -1000.0, 1000.0]).tolist()
    [0.0, -0.0, 1000.0]
    """
    array = _floats(x)
    with np.errstate(invalid="ignore"):
        return np.where(np.isneginf(array), np.float32(0), array * sigmoid(array))


def absolute(x: "ArrayLike") -> NDArray[Any]:
    """|x|, in the type of x; signed integers become the next wider type, which holds that of the least one.

    >>> absolute(np.array([-128, 3], np.int8)).tolist()
    [128, 3]
    """
    array = np.asarray(x)
    if array.dtype.kind == "i":
        array = array.astype({1: np.int16, 2: np.int32}.get(array.dtype.itemsize, np.int64))
    return np.asarray(np.abs(array))


def softmax(x: "ArrayLike") -> Floats:
    """exp(x) / sum of exp(x) over the last axis without overflow: float32 in the shape of x, which has an axis or more.

    >>> softmax([0.0, 0.0]).tolist()
    [0.5, 0.5]
    """
    array = _floats(x)
    with np.errstate(invalid="ignore", over="ignore"):
        powers = np.exp(array - array.max(axis=-1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def batchnorm(
    x: "ArrayLike",
    weight: "ArrayLike",
    bias: "ArrayLike",
    mean: "ArrayLike",
    variance: "ArrayLike",
    *,
    epsilon: float = 1e-5,
) -> Floats:
    """(x - mean) / sqrt(variance + epsilon) * weight + bias, one of each a channel (the last axis): float32 as x.

    Source: Ioffe and Szegedy, "Batch normalization", 2015, as at inference.

    Raises:
        UnfitError: a number of values that is not that of the channels.

    >>> batchnorm([[1.0, 2.0]], [1, 1], [0, 5], [1, 1], [1, 1], epsilon=0).tolist()
    [[0.0, 6.0]]
    """
    array = _floats(x)
    parts = [np.asarray(part, np.float64) for part in (weight, bias, mean, variance)]
    for name, part in zip(("weight", "bias", "mean", "variance"), parts, strict=True):
        if part.shape not in ((), array.shape[-1:]):
            raise UnfitError(name, f"{array.shape[-1]} values are needed, one a channel; {part.shape} came")
    factor = (parts[0] / np.sqrt(parts[3] + epsilon)).astype(np.float32)
    centered = array - parts[2].astype(np.float32)  # not folded into the bias, where digits would cancel
    centered *= factor
    centered += parts[1].astype(np.float32)
    return centered


def normalized(x: "ArrayLike", *, epsilon: float = 1e-5) -> Floats:
    """Each channel of an image, height x width [x channels], with its own mean 0 and variance 1, in float32.

    >>> normalized([[1.0, 3.0]], epsilon=0).tolist()
    [[-1.0, 1.0]]
    """
    array = _floats(x)
    planes = array[:, :, None] if array.ndim == 2 else array
    mean = planes.mean(axis=(0, 1), dtype=np.float64)
    variance = np.square(planes - mean.astype(np.float32), dtype=np.float32).mean(axis=(0, 1), dtype=np.float64)
    ones = np.ones_like(mean)
    return batchnorm(planes, ones, 0 * ones, mean, variance, epsilon=epsilon).reshape(array.shape)


def dense(x: "ArrayLike", weight: "ArrayLike", bias: "ArrayLike | None" = None) -> Floats:
    """Weight @ x + bias: x of n values, weight units x n (PyTorch's Linear), bias of as many values as units.

    Gives float32, a value a unit.

    Raises:
        UnfitError: shapes that do not fit each other.

    >>> dense([1.0, 2.0], [[3.0, 4.0]], [5.0]).tolist()
    [16.0]
    """
    vector, matrix = _floats(x), _floats(weight)
    if vector.ndim != 1 or matrix.ndim != 2 or matrix.shape[1] != vector.shape[0]:
        raise UnfitError("weight", f"units x {vector.shape} values are needed, {matrix.shape} came")
    product = matrix @ vector
    if bias is None:
        return product
    offset = _floats(bias)
    if offset.shape != product.shape:
        raise UnfitError("bias", f"{len(product)} values are needed, {offset.shape} came")
    return product + offset
