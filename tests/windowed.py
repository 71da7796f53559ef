"""Images, and windows on them, for tests of the engine's methods."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import assume, strategies as st

from cnnfilter.core.geometry import PAD_MODES, Windows

Array = Any
modes = st.sampled_from(sorted(PAD_MODES))


@st.composite
def windows(draw: st.DrawFn, size: tuple[int, int] | None = None, simple: bool = False) -> Windows:
    sides, small = st.integers(0, 4), st.integers(1, 3)
    return Windows(
        size or draw(st.tuples(st.integers(1, 4), st.integers(1, 5))),
        (1, 1) if simple else draw(st.tuples(small, small)),
        (1, 1) if simple else draw(st.tuples(small, st.integers(1, 2))),
        (draw(st.tuples(sides, sides)), draw(st.tuples(sides, sides))),
    )


@st.composite
def images(draw: st.DrawFn, channels: int = 0) -> Array:
    shape = draw(st.integers(1, 40)), draw(st.integers(1, 40)), channels or draw(st.integers(1, 5))
    assume(shape[0] * shape[1] <= 250)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    dtype = draw(st.sampled_from(["uint8", "uint16", "int16", "float32", "float64"]))
    if dtype.startswith("float"):
        return rng.normal(size=shape).astype(dtype)
    return rng.integers(np.iinfo(dtype).min, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def fits(image: Array, w: Windows) -> bool:
    return all(n + sum(p) >= e for n, p, e in zip(image.shape, w.padding, w.extent, strict=False))
