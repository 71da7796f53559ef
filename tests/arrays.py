"""Arrays that tests filter: random samples of every type, laid out differently in memory, and as nested lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Array = NDArray[Any]

FLOATS = ["float32", "float64", "float16"]
LAYOUTS = ["plain", "fortran", "every-second", "upside-down", "big-endian", "read-only"]


def nested(array: Array) -> list[list[list[Any]]]:
    """An array as the reference wants it: height x width x channels of Python numbers."""
    values: list[list[list[Any]]] = (array if array.ndim == 3 else array[:, :, np.newaxis]).tolist()
    return values


def as_float32(values: Any) -> Any:
    """Nested exact numbers, each rounded once to 32 bits."""
    return [as_float32(v) for v in values] if isinstance(values, list) else float(np.float32(float(values)))


def sample_range(dtype: str) -> tuple[int, int]:
    """The least and the greatest sample that tests use of a type of integers."""
    if dtype == "bool":
        return 0, 1
    if dtype == "int64":  # as far as these tests go: sums of windows have to stay within 64 bits
        return -(2**33), 2**33
    return int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)


def random_image(seed: int, shape: tuple[int, ...], dtype: str) -> Array:
    """Samples over the whole range of the type; every third image uses the ends of the range only."""
    rng = np.random.default_rng(seed)
    if dtype in FLOATS:
        return rng.uniform(-1 if seed % 2 else 0, 1 if seed % 2 else 255, shape).astype(dtype)
    low, high = sample_range(dtype)
    if seed % 3 == 0:
        return rng.choice(np.array([low, high], np.int64), shape).astype(dtype)
    return rng.integers(low, high, shape, np.int64, endpoint=True).astype(dtype)


def laid_out(image: Array, layout: str) -> Array:
    """The same samples, differently in memory."""
    if layout == "fortran":
        return np.asfortranarray(image)
    if layout == "every-second":
        wide = np.zeros((image.shape[0] * 2, image.shape[1] * 2, *image.shape[2:]), image.dtype)
        wide[::2, ::2] = image
        return wide[::2, ::2]
    if layout == "upside-down":
        return image[::-1, ::-1].copy()[::-1, ::-1]
    if layout == "big-endian":
        return image.astype(image.dtype.newbyteorder(">"))
    copy = image.copy()
    copy.flags.writeable = layout != "read-only"
    return copy


@st.composite
def images(draw: st.DrawFn, dtypes: Sequence[str], channels: Sequence[int] = (0, 1, 2, 3, 4, 5)) -> Array:
    """At most 9 x 9; 0 channels means an image of two axes."""
    height, width = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    depth = draw(st.sampled_from(channels))
    dtype = draw(st.sampled_from(dtypes))
    image = random_image(draw(st.integers(0, 2**16)), (height, width, depth) if depth else (height, width), dtype)
    return laid_out(image, draw(st.sampled_from(LAYOUTS)))
