"""Families of kernels: a size and a few numbers in, a matrix out.

Coordinates have their origin in the middle of the matrix (between cells for even sizes), x to the right and y upwards;
angles are in degrees, counter-clockwise from the x axis, as in the names sobel-45 and sobel-135.
"""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from cnnfilter.core.catalogue import FAMILIES
from cnnfilter.core.geometry import Pair, pair
from cnnfilter.core.kernels import Kernel, from_array
from cnnfilter.core.matrices import LARGEST_KERNEL
from cnnfilter.core.numbers import exact
from cnnfilter.errors import ParameterError

FloatMatrix = NDArray[np.float64]


def build(text: str) -> Kernel:
    """The kernel for `family:parameter:...`.

    >>> build("box:2x3").matrix.tolist(), build("box:2x3").divisor
    ([[1, 1, 1], [1, 1, 1]], 6)

    Raises:
        ParameterError: too few or too many parameters, or one out of its range.
    """
    label = text.replace(":", "-")
    family, *parameters = text.split(":")
    usage = f"{family}:{FAMILIES[family]}"
    required, optional = _counts(FAMILIES[family])
    if not required <= len(parameters) <= required + optional:
        raise ParameterError("kernel", f"{text!r} has {len(parameters)} parameters; write {usage}")
    try:
        size = pair(parameters[0], "kernel")
        _fits(size)
        if family == "random":
            count, seed = _whole(parameters[1], 1), _whole(parameters[2], 0) if len(parameters) > 2 else 0
            _fits(size, count)
            return Kernel(text, random(size, 1, count, seed), 1, label, seed)
        if family == "box":
            return Kernel(text, np.ones(size, np.int64), math.prod(size), label)
        numbers = [float(exact(parameter, "kernel")) for parameter in parameters[1:]]
        matrix = _MAKERS[family](size, *numbers)
    except ParameterError as error:
        raise ParameterError("kernel", f"{text!r}: {error.message} ({usage})") from error
    return from_array(matrix, text, label)


def gaussian(size: Pair, sigma: float | None = None) -> FloatMatrix:
    """The sampled normal distribution, scaled to sum to 1.

    Without `sigma` it is 0.3 * ((n - 1) / 2 - 1) + 0.8 along an axis of n entries, as in OpenCV's getGaussianKernel.
    """
    column, row = (_bell(n, sigma) for n in size)
    return np.outer(column, row)


def log(size: Pair, sigma: float) -> FloatMatrix:
    """The Laplacian of a Gaussian, (r^2 - 2 s^2) / s^4 * exp(-r^2 / (2 s^2)) / (2 pi s^2), less its mean.

    Source: Marr and Hildreth, "Theory of edge detection", 1980.
    """
    sigma = _positive(sigma, "SIGMA")
    y, x = grid(size)
    r2, s2 = x * x + y * y, sigma * sigma
    matrix = (r2 - 2 * s2) / s2**2 * np.exp(-r2 / (2 * s2)) / (2 * math.pi * s2)
    return _without_mean(matrix)


def motion(size: Pair, degrees: float = 0.0) -> FloatMatrix:
    """An anti-aliased line of SIZE pixels through the middle, scaled to sum to 1.

    An entry falls off linearly with its distance from the line, to nothing at a distance of one pixel.

    Raises:
        ParameterError: two different sizes.
    """
    if size[0] != size[1]:
        raise ParameterError("kernel", "a line has one length, not two")
    y, x = grid(size)
    dx, dy = _direction(degrees)
    half = (size[0] - 1) / 2
    along = np.clip(x * dx + y * dy, -half, half)
    weights = np.clip(1 - np.hypot(x - along * dx, y - along * dy), 0, None)
    return np.asarray(weights / weights.sum())


def gabor(size: Pair, wavelength: float, degrees: float) -> FloatMatrix:
    """A wave that runs towards `degrees` under a bell, less its mean: sigma 0.56 x wavelength, aspect 0.5, phase 0.

    Source: Daugman, "Uncertainty relation for resolution in space, spatial frequency, and orientation", 1985; sigma
    for a bandwidth of one octave.
    """
    sigma = 0.56 * _positive(wavelength, "WAVELENGTH")
    y, x = grid(size)
    dx, dy = _direction(degrees)
    along, across = x * dx + y * dy, y * dx - x * dy
    bell = np.exp(-(along**2 + (0.5 * across) ** 2) / (2 * sigma**2))
    return _without_mean(bell * np.cos(2 * math.pi * along / wavelength))


def random(size: Pair, channels: int, count: int, seed: int) -> NDArray[np.float64]:
    """A bank of standard normal filters, height x width x channels x count, from NumPy's default generator."""
    _fits(size, channels * count)
    return np.random.default_rng(seed).standard_normal((*size, channels, count))


_MAKERS: dict[str, Callable[..., FloatMatrix]] = {
    "gaussian": gaussian,
    "log": log,
    "motion": motion,
    "gabor": gabor,
}


def _counts(usage: str) -> tuple[int, int]:
    """Numbers of required and of optional parameters of a usage such as `SIZE[:SIGMA]`."""
    optional = usage.count("[")
    return usage.count(":") + 1 - optional, optional


def grid(size: Pair) -> tuple[FloatMatrix, FloatMatrix]:
    """Coordinates (y, x) of the entries of a matrix from its middle; y points upwards.

    >>> grid((2, 3))[0].tolist()
    [[0.5, 0.5, 0.5], [-0.5, -0.5, -0.5]]
    """
    height, width = size
    y, x = np.meshgrid((height - 1) / 2 - np.arange(height), np.arange(width) - (width - 1) / 2, indexing="ij")
    return y, x


def _bell(n: int, sigma: float | None) -> FloatMatrix:
    sigma = 0.3 * ((n - 1) / 2 - 1) + 0.8 if sigma is None else _positive(sigma, "SIGMA")
    values = np.exp(-(((np.arange(n) - (n - 1) / 2) / sigma) ** 2) / 2)
    if not values.sum() > 0:
        raise ParameterError("kernel", f"SIGMA {sigma:g} is too small for {n} entries: all of them are 0")
    return np.asarray(values / values.sum())


def _direction(degrees: float) -> tuple[float, float]:
    """(dx, dy) of an angle; multiples of 90 degrees are exact."""
    turns, rest = divmod(degrees % 360, 90)
    c, s = math.cos(math.radians(rest)), math.sin(math.radians(rest))
    return [(c, s), (-s, c), (-c, -s), (s, -c)][int(turns)]


def _without_mean(matrix: FloatMatrix) -> FloatMatrix:
    return np.asarray(matrix - matrix.mean())


def _positive(value: float, parameter: str) -> float:
    if not 1e-3 <= value <= 1e6:
        raise ParameterError("kernel", f"{parameter} {value:g} is out of range; 0.001 to 1000000 fit")
    return value


def _whole(text: str, least: int) -> int:
    if not text.isdecimal() or not least <= int(text[:20]) <= 2**63:
        raise ParameterError("kernel", f"{text!r} is not a whole number of at least {least}")
    return int(text)


def _fits(size: Pair, filters: int = 1) -> None:
    if math.prod(size) * filters > LARGEST_KERNEL:
        raise ParameterError("kernel", f"more than {LARGEST_KERNEL} entries")
