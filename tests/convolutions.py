"""Random convolutions, and what their responses are compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import reference
from arrays import nested, sample_range
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Array = NDArray[Any]
    Draw = st.DrawFn


MODES = ["reflect", "symmetric", "zero", "edge", "wrap"]
NUMPY_MODES = {"zero": "constant"}
SMALL_INTEGERS = ["bool", "uint8", "int8", "uint16", "int16"]
INTEGERS = [*SMALL_INTEGERS, "int32", "uint32", "int64"]
LIMIT = 2e-6  # of the largest response
PREWITT_V = [[-1, 0, 1], [-1, 0, 1], [-1, 0, 1]]
PREWITT_H = [[-1, -1, -1], [0, 0, 0], [1, 1, 1]]
GRADIENTS = {
    "sobel": ([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], [[-1, -2, -1], [0, 0, 0], [1, 2, 1]]),
    "prewitt": (PREWITT_V, PREWITT_H),
    "scharr": ([[-3, 0, 3], [-10, 0, 10], [-3, 0, 3]], [[-3, -10, -3], [0, 0, 0], [3, 10, 3]]),
}


def response_type(dtype: str, taps: Sequence[int], bias: int = 0) -> str:
    """What is promised of integers up to 32 bits: int32 unless some image of this type would overflow it."""
    low, high = sample_range(dtype)
    smallest = sum(min(tap * low, tap * high) for tap in taps) + bias
    largest = sum(max(tap * low, tap * high) for tap in taps) + bias
    return "int32" if smallest >= -(2**31) and largest < 2**31 else "int64"


def bound(image: Array, kernel: Array, scale: float = 1, bias: float = 0) -> float:
    """The largest response that these taps could give to samples of this size."""
    taps = float(np.abs(kernel.astype(np.float64)).sum())
    return taps * float(np.abs(image.astype(np.float64)).max()) * abs(scale) + abs(bias)


def assert_close(result: Array, expected: Any, most: float, limit: float = LIMIT) -> None:
    """Within `limit` of the largest response; where all responses cancel to about 0, of `most`."""
    wanted = np.asarray(expected, np.float64)
    assert result.dtype == np.float32
    assert result.shape == wanted.shape
    largest = float(np.abs(wanted).max())
    scale = largest if largest > most / 100 else most
    assert float(np.abs(result - wanted).max()) <= limit * scale


def by_taps(image: Array, weight: Array, pad_mode: str, padding: Any, stride: int = 1, dilation: int = 1) -> Array:
    """A second reference for larger images: np.pad, then one shifted copy a tap, in 64 bits.

    A weight of two axes filters every channel, of four axes (height x width x in x out) it is a bank.
    """
    exact = image.dtype.kind in "bui" and weight.dtype.kind in "iu"
    work = np.int64 if exact else np.float64
    kh, kw = weight.shape[:2]
    if padding == "same":
        spare_y, spare_x = dilation * (kh - 1), dilation * (kw - 1)
        padding = ((spare_y // 2, spare_y - spare_y // 2), (spare_x // 2, spare_x - spare_x // 2))
    widths = [*padding, (0, 0)] if image.ndim == 3 else [*padding]
    padded = np.pad(image.astype(work), widths, mode=NUMPY_MODES.get(pad_mode, pad_mode))  # type: ignore[call-overload]
    height = (padded.shape[0] - dilation * (kh - 1) - 1) // stride + 1
    width = (padded.shape[1] - dilation * (kw - 1) - 1) // stride + 1
    total: Any = 0
    for i in range(kh):
        for j in range(kw):
            top, left = i * dilation, j * dilation
            window = padded[top:, left:][: (height - 1) * stride + 1 : stride, : (width - 1) * stride + 1 : stride]
            tap = weight[i, j].astype(work)
            total = total + (window * tap if weight.ndim == 2 else window @ tap)
    result: Array = total
    return result


def pads() -> st.SearchStrategy[int]:
    return st.sampled_from([0, 1, 2, 3, 5, 11])


@st.composite
def windows(draw: Draw) -> dict[str, Any]:
    """How windows lie: the arguments that every operation has."""
    pair = st.tuples(st.integers(1, 4), st.integers(1, 4))
    padding = st.one_of(
        st.sampled_from(["same", "same", "valid"]),
        pads(),
        st.tuples(st.tuples(pads(), pads()), st.tuples(pads(), pads())),
    )
    return {
        "stride": draw(pair),
        "padding": draw(padding),
        "pad_mode": draw(st.sampled_from(MODES)),
        "dilation": draw(st.tuples(st.integers(1, 3), st.integers(1, 3))),
    }


@st.composite
def kernels(draw: Draw, kind: str = "integer", depth: int = 0, filters: int = 0, largest: int = 70_000) -> Array:
    """Kernels up to 4 x 5; integers up to +-9, now and then much larger; floats with some zeros."""
    shape: tuple[int, ...] = (draw(st.integers(1, 4)), draw(st.integers(1, 5)))
    shape += (depth, filters) if depth else ()
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    if kind == "integer":
        most = min(draw(st.sampled_from([1, 2, 9, 9, 9, 300, 70_000])), largest)
        return rng.integers(-most, most, shape, np.int64, endpoint=True)
    taps = rng.normal(size=shape) * draw(st.sampled_from([0.01, 1.0, 30.0]))
    taps[rng.random(shape) < 0.2] = 0
    taps.flat[0] = 0.3  # whatever is drawn, not a kernel of whole numbers
    return taps


def is_empty(image: Array, kernel: Array, window: dict[str, Any]) -> bool:
    taps = (kernel.shape[0], kernel.shape[1])
    lines = reference.axes(
        image.shape[0], image.shape[1], taps, window["stride"], window["padding"], window["dilation"]
    )
    return min(line.outputs for line in lines) == 0


def sum_or_each(result: Array, image: Array, channels: str) -> list[list[list[Any]]]:
    """The result for comparison, after a look at its axes: a sum over channels is one map, without a channel axis."""
    assert result.ndim == (2 if channels == "sum" else image.ndim)
    return nested(result)
