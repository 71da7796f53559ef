"""Methods for float sums against the nested loops, in bands, with threads, and with samples that are no numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import reference
from hypothesis import assume, given, settings, strategies as st
from hypothesis.strategies import DrawFn

import cnnfilter
from cnnfilter.core.engine import floats, separable
from cnnfilter.core.engine.floats import FLOAT32, FLOAT64, Method
from cnnfilter.core.engine.levels import Levels
from cnnfilter.core.engine.separable import Separable
from cnnfilter.core.engine.task import Correlation
from cnnfilter.core.geometry import PAD_MODES, Windows, pad_mode

Array = Any
LIMIT = {FLOAT32: 2e-6, FLOAT64: 1e-12}


@pytest.fixture(autouse=True)
def narrow_bands(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small images have several bands, too."""
    monkeypatch.setattr(separable, "BAND", 1)


@st.composite
def windows(draw: DrawFn, size: tuple[int, int] | None = None, simple: bool = False) -> Windows:
    sides, small = st.integers(0, 4), st.integers(1, 3)
    return Windows(
        size or draw(st.tuples(st.integers(1, 4), st.integers(1, 5))),
        (1, 1) if simple else draw(st.tuples(small, small)),
        (1, 1) if simple else draw(st.tuples(small, st.integers(1, 2))),
        (draw(st.tuples(sides, sides)), draw(st.tuples(sides, sides))),
    )


@st.composite
def images(draw: DrawFn, channels: int = 0) -> Array:
    shape = draw(st.integers(1, 40)), draw(st.integers(1, 40)), channels or draw(st.integers(1, 5))
    assume(shape[0] * shape[1] <= 250)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    dtype = draw(st.sampled_from(["uint8", "uint16", "int16", "float32", "float64"]))
    if dtype.startswith("float"):
        return rng.normal(size=shape).astype(dtype)
    return rng.integers(np.iinfo(dtype).min, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def in_bands(method: Method, task: Correlation, image: Array, threads: int = 1) -> Array:
    fused = floats.Fused(task, method, Levels(), task.output_shape(image.shape))
    return floats.run(fused, image, threads)[0]


def assert_close(method: Method, task: Correlation, image: Array) -> None:
    """The sums are within the limit of the largest, or of what the taps could give where all of them cancel."""
    define = reference.convolve if task.weights.ndim == 2 else reference.conv2d
    w = task.windows
    options: dict[str, Any] = {"stride": w.stride, "padding": w.padding, "pad_mode": task.pad_mode}
    if task.weights.ndim == 2:
        options["channels"] = "sum" if task.sum_channels else "each"
    else:
        options["groups"] = task.groups
    expected = np.array(define(image.tolist(), task.weights.tolist(), dilation=w.dilation, **options))
    most = np.abs(task.weights).sum() * np.abs(image.astype(float)).max()
    found = np.full(expected.shape, np.nan)
    for rows, values in floats.sums(method, task, image):
        assert np.isnan(found[rows]).all()
        found[rows] = values
    largest = np.abs(expected).max()
    assert np.abs(found - expected).max() <= LIMIT[method.dtype] * (largest if largest > most / 20 else most)
    once = in_bands(method, task, image)
    assert np.abs(once - found).max() <= 1e-7 * largest
    assert (in_bands(method, task, image, 2) == once).all()


def fits(image: Array, w: Windows) -> bool:
    return all(n + sum(p) >= e for n, p, e in zip(image.shape, w.padding, w.extent, strict=False))


modes = st.sampled_from(sorted(PAD_MODES))


@settings(deadline=None, max_examples=80)
@given(images(), windows(), modes, st.sampled_from([FLOAT32, FLOAT64]), st.booleans(), st.integers(0, 99))
@pytest.mark.usefixtures("narrow_bands")
def test_separable(image: Array, w: Windows, mode: str, dtype: np.dtype[Any], together: bool, seed: int) -> None:
    assume(fits(image, w))
    rng = np.random.default_rng(seed)
    column, row = rng.uniform(0.1, 1, w.size[0]), rng.uniform(0.1, 1, w.size[1])
    task = Correlation(np.outer(column, row), w, pad_mode(mode), sum_channels=together)
    assert_close(Separable(task, image.shape, column, row, dtype), task, image)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
@pytest.mark.parametrize("kernel", ["gaussian:5", "gaussian:9:1.2", [[0.5, -1.5], [-1, 3]]])
def test_a_sample_that_is_no_number_reaches_its_own_windows_only(bad: float, kernel: Any) -> None:
    image = np.random.default_rng(0).normal(size=(70, 50))
    clean = cnnfilter.convolve(image, kernel)
    image[40, 20] = bad
    found = cnnfilter.convolve(image, kernel)
    matrix = cnnfilter.kernel(kernel).matrix if isinstance(kernel, str) else np.array(kernel)
    top, left = ((n - 1) // 2 for n in matrix.shape)
    touched = np.zeros(image.shape, bool)
    touched[40 - (matrix.shape[0] - 1 - top) : 41 + top, 20 - (matrix.shape[1] - 1 - left) : 21 + left] = True
    assert not np.isfinite(found[touched]).any()
    np.testing.assert_allclose(found[~touched], clean[~touched], rtol=0, atol=2e-6)
