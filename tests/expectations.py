"""What `cnnfilter convolve` is to write, by the slow definition, and how it refuses."""

from __future__ import annotations

import io
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import PIL.Image
import PIL.ImageCms
import reference
from arrays import nested
from outcomes import load

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Array = NDArray[Any]


SOBEL_V = [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]
EMBOSS = [[-2, -1, 0], [-1, 1, 1], [0, 1, 2]]
BLUR = [[Fraction(1, 9)] * 3] * 3

RNG = np.random.default_rng(20)
GRAY = RNG.integers(0, 256, (9, 11)).astype(np.uint8)
RGB = RNG.integers(0, 256, (7, 8, 3)).astype(np.uint8)
ALPHA = RNG.integers(1, 256, (7, 8)).astype(np.uint8)
GRAY16 = RNG.integers(0, 65536, (6, 7)).astype(np.uint16)
FLOATS = RNG.uniform(0, 255, (6, 7)).astype(np.float32)
MIDDLE = {8: 128, 16: 32768}
HIGH = {8: 255, 16: 65535}


def flat(rows: Any) -> Array:
    """Nested rows as an array; one channel is 2-D."""
    array = np.array(rows)
    return array[:, :, 0] if array.shape[2] == 1 else array


def responses(array: Array, kernel: Any, **options: Any) -> list[list[list[Any]]]:
    return reference.convolve(nested(array), kernel, **options)


def expected(
    array: Array, kernel: Any, mapping: str, bits: int = 8, times: Fraction | int = 1, **options: Any
) -> Array:
    """The pixels by the slow definition; `times` is the change of levels between depths."""
    values = [[[value * times for value in pixel] for pixel in row] for row in responses(array, kernel, **options)]
    return flat(reference.to_samples(values, mapping, 0, HIGH[bits], MIDDLE[bits])[0])


def same(name: str | Path, wanted: Array) -> None:
    got = load(name)
    assert got.dtype.kind == ("u" if wanted.dtype.kind == "i" and not str(name).endswith(".npy") else wanted.dtype.kind)
    np.testing.assert_array_equal(got, wanted)


def content_of(array: Array, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    PIL.Image.fromarray(array).save(file, format=kind)
    return file.getvalue()
