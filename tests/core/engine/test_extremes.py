"""Pooling in bands against the nested loops, and means that are computed as convolutions."""

from typing import Any

import numpy as np
import pytest
import reference
from forgetting import forget
from hypothesis import assume, given, settings, strategies as st

import cnnfilter
from cnnfilter.core.engine import extremes, threads

PAIR = st.tuples(st.integers(1, 4), st.integers(1, 5))


@settings(deadline=None, max_examples=300)
@given(
    data=st.data(),
    shape=st.tuples(st.integers(1, 12), st.integers(1, 12), st.integers(1, 5)),
    dtype=st.sampled_from(["bool", "uint8", "int8", "uint16", "int16", "int32", "float32", "float64"]),
    kind=st.sampled_from(["max", "min"]),
    size=PAIR,
    stride=PAIR,
    dilation=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    ceil_mode=st.booleans(),
    seed=st.integers(0, 2**16),
    band=st.sampled_from([1, 60, 10**6]),
    count=st.sampled_from([1, 2]),
)
def test_extremes_in_bands_equal_the_nested_loops(
    data: st.DataObject, shape: tuple[int, int, int], dtype: str, kind: str, size: tuple[int, int],
    stride: tuple[int, int], dilation: tuple[int, int], ceil_mode: bool, seed: int, band: int, count: int,
) -> None:  # fmt: skip
    extent = [d * (k - 1) + 1 for d, k in zip(dilation, size, strict=True)]
    sides = [st.tuples(st.integers(0, e // 2), st.integers(0, e // 2)) for e in extent]
    padding = data.draw(sides[0]), data.draw(sides[1])
    assume(all(n + sum(p) >= e for n, p, e in zip(shape, padding, extent, strict=False)))
    rng = np.random.default_rng(seed)
    image = rng.normal(size=shape) * 99 if dtype.startswith("f") else rng.integers(-(2**15), 2**16, shape)
    image = image.astype(dtype)
    expected = reference.pool(
        image.tolist(), kind, size=size, stride=stride, padding=padding, dilation=dilation, ceil_mode=ceil_mode
    )
    assume(all(value is not None for row in expected for pixel in row for value in pixel))
    with pytest.MonkeyPatch.context() as patch:
        forget()
        patch.setattr(extremes, "BAND", band)
        patch.setattr(threads, "ALONE", 0)
        patch.setattr(threads, "threads", lambda: count)
        got = cnnfilter.pool(
            image, kind, size=size, stride=stride, padding=padding, dilation=dilation, ceil_mode=ceil_mode
        )
    assert got.dtype == image.dtype
    assert got.tolist() == expected


@pytest.mark.parametrize("size", [(2, 2), (3, 3), (4, 4), (2, 3), (1, 5)], ids=str)
@pytest.mark.parametrize("stride", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "bool"])
@pytest.mark.parametrize("options", [{}, {"padding": 0}, {"padding": (0, 1), "count_include_pad": True}], ids=str)
def test_means_are_rounded_once(size: tuple[int, int], stride: int, dtype: str, options: dict[str, Any]) -> None:
    image = np.random.default_rng(7).integers(0, 2**16, (13, 14, 3)).astype(dtype)
    padding = ((0, 0), (1, 1)) if options.get("padding") == (0, 1) else "valid"
    exact = reference.pool(
        image.tolist(), "avg", size=size, stride=(stride, stride), padding=padding, count_include_pad=True
    )
    raw = cnnfilter.pool(image, "avg", size=size, stride=stride, **options)
    assert raw.dtype == np.float32
    assert raw.tolist() == [[[float(np.float32(float(v or 0))) for v in pixel] for pixel in row] for row in exact]
    pixels = cnnfilter.pool(image, "avg", size=size, stride=stride, mapping="clip", **options)
    assert pixels.dtype == image.dtype
    assert pixels.astype(int).tolist() == [[[reference.round_half_up(v or 0) for v in p] for p in row] for row in exact]


def test_nan_passes_on_in_bands() -> None:
    image = np.arange(36, dtype=np.float32).reshape(6, 6)
    image[2, 3] = np.nan
    result = cnnfilter.pool(image, size=3, stride=1)
    assert np.isnan(result).tolist() == [[x >= 1 and y <= 2 for x in range(4)] for y in range(4)]
