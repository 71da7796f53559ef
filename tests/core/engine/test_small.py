"""Small banks of filters, which are checked once and kept."""

from __future__ import annotations

import gc
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import reference
from hypothesis import assume, given, settings, strategies as st
from windowed import fits, images, modes, windows

import cnnfilter
from cnnfilter.core.engine import small

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cnnfilter.core.geometry import Windows

Array = Any


@pytest.fixture(autouse=True)
def none_kept() -> Iterator[None]:
    small._kept.clear()
    yield
    small._kept.clear()


@settings(deadline=None, max_examples=80)
@given(images(), windows(), modes, st.integers(1, 4), st.integers(0, 99), st.booleans())
def test_a_small_bank_that_is_kept(image: Array, w: Windows, mode: str, filters: int, seed: int, biased: bool) -> None:
    assume(fits(image, w))
    rng = np.random.default_rng(seed)
    options: dict[str, Any] = {"stride": w.stride, "padding": w.padding, "pad_mode": mode, "dilation": w.dilation}
    for _ in range(3):  # the weights of the first call are not kept
        x = rng.normal(size=image.shape).astype(np.float32)
        weight = rng.normal(size=(*w.size, image.shape[2], filters)).astype(np.float32)
        bias = rng.normal(size=filters).astype(np.float32) if biased else None
        found = cnnfilter.conv2d(x, weight, bias, **options)
        expected = np.array(reference.conv2d(x.tolist(), weight.tolist(), **options)) + (0 if bias is None else bias)
        most = np.abs(weight).sum(axis=(0, 1, 2)).max() * np.abs(x).max() + 1
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6 * most)
        assert found.dtype == np.float32
        assert (cnnfilter.conv2d(x, weight, bias, **options) == found).all()


def test_small_banks_on_many_threads_and_with_weights_changed_in_place() -> None:
    rng = np.random.default_rng(0)
    x, weight = (rng.normal(size=shape).astype(np.float32) for shape in ((20, 20, 3), (3, 3, 3, 8)))
    once = cnnfilter.conv2d(x, weight, padding=1)
    with ThreadPoolExecutor(8) as pool:
        for scale, found in pool.map(
            lambda k: (k, cnnfilter.conv2d(x * np.float32(k), weight, padding=1)), [1, 2, 4] * 30
        ):
            np.testing.assert_array_equal(found, once * np.float32(scale))
    assert len(small._kept) == 1
    weight *= 2
    np.testing.assert_array_equal(cnnfilter.conv2d(x, weight, padding=1), once * 2)


def test_a_small_bank_of_large_and_of_bad_samples() -> None:
    x, weight = np.full((9, 9, 2), 2.0**127, np.float32), np.ones((3, 3, 2, 1), np.float32)
    weight[0, :, :, 0] = -2  # 32 bits overflow on the way
    exact = cnnfilter.conv2d(x * np.float32(2**-60), weight)
    np.testing.assert_array_equal(cnnfilter.conv2d(x, weight), exact * np.float32(2**60))
    x[4, 4, 0] = np.inf
    assert np.isinf(cnnfilter.conv2d(x, weight)[2, 2, 0])
    assert np.isfinite(cnnfilter.conv2d(x, weight)[0, 0, 0])


@pytest.mark.parametrize("bad", [{"stride": 1.5}, {"padding": ((0.5, 0), (0, 0))}, {"dilation": (1, 1.5)}])
def test_options_of_a_kept_bank_are_checked_by_type(bad: dict[str, Any]) -> None:
    x, weight = np.ones((9, 9, 2), np.float32), np.ones((3, 3, 2, 1), np.float32)
    cnnfilter.conv2d(x, weight, stride=1, padding=((0, 0), (0, 0)), dilation=(1, 1))
    options: dict[str, Any] = {"stride": 1, "padding": ((0, 0), (0, 0)), "dilation": (1, 1)}
    assert len(small._kept) == 1
    with pytest.raises(cnnfilter.errors.ParameterError):
        cnnfilter.conv2d(x, weight, **(options | bad))


@pytest.mark.parametrize("shape", [(20, 20, 3), (6, 6, 3), (8, 8, 20)])
def test_the_weights_of_a_kept_bank_are_not_held(shape: tuple[int, int, int]) -> None:
    weight = np.ones((3, 3, shape[2], 4), np.float32)
    cnnfilter.conv2d(np.ones(shape, np.float32), weight)
    assert len(small._kept) == 1
    alive = weakref.ref(weight)
    del weight
    gc.collect()
    assert alive() is None


def test_what_is_kept_is_small_whatever_lies_between_the_windows() -> None:
    cnnfilter.conv2d(np.ones((1200, 1200, 1), np.float32), np.ones((3, 3, 1, 4), np.float32), stride=40)
    assert not small._kept


def test_a_bank_of_several_tiles_is_not_kept() -> None:
    rng = np.random.default_rng(0)
    x, weight = (rng.normal(size=shape).astype(np.float32) for shape in ((7, 206, 3), (7, 7, 3, 100)))
    under = np.lib.stride_tricks.sliding_window_view(x.astype(float), (7, 7), (0, 1))
    expected = np.einsum("yxcij,ijcf->yxf", under, weight)
    np.testing.assert_allclose(cnnfilter.conv2d(x, weight), expected, rtol=0, atol=2e-6 * np.abs(expected).max())
    assert not small._kept
