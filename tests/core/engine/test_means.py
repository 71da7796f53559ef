"""Average pooling of bytes against plain sums, and memory that large results share."""

import gc

import numpy as np
import pytest
from forgetting import forget
from hypothesis import given, settings, strategies as st

import cnnfilter
from cnnfilter.core.engine import means, outputs
from cnnfilter.core.geometry import Windows


@settings(deadline=None, max_examples=400)
@given(
    windows=st.tuples(st.integers(1, 9), st.integers(1, 12)),
    size=st.tuples(st.integers(1, 16), st.integers(1, 16)),
    rest=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    channels=st.integers(1, 5),
    first=st.integers(0, 1),
    seed=st.integers(0, 2**16),
    band=st.sampled_from([1, 300, 1 << 20]),
)
def test_means_of_bytes(
    windows: tuple[int, int], size: tuple[int, int], rest: tuple[int, int], channels: int, first: int, seed: int,
    band: int,
) -> None:  # fmt: skip
    height, width = (n * k + min(r, k - 1) for n, k, r in zip(windows, size, rest, strict=True))
    rng = np.random.default_rng(seed)
    buffer = rng.integers(0, 256, first + height * width * channels, np.uint8)
    if seed % 3 == 0:
        buffer[:] = 255
    image = buffer[first:].reshape(height, width, channels)  # from odd addresses, too
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(means, "BAND", band)
        forget()
        plan = means.plan(image, Windows(size, size))
        assert (plan is None) == (size == (1, 1))
        got = cnnfilter.pool(image, "avg", size=size, mapping="clip")
    forget()
    used = image[: windows[0] * size[0], : windows[1] * size[1]].astype(np.int64)
    sums = used.reshape(windows[0], size[0], windows[1], size[1], channels).sum(axis=(1, 3))
    taps = size[0] * size[1]
    assert got.tolist() == ((2 * sums + taps) // (2 * taps)).tolist()


def test_what_the_planner_pools_instead() -> None:
    image = np.zeros((40, 40, 1), np.uint8)
    assert means.plan(image, Windows((2, 2), (2, 2))) is not None
    assert means.plan(image, Windows((3, 3), (2, 2))) is None
    assert means.plan(image, Windows((2, 2), (2, 2), (2, 2))) is None
    assert means.plan(image, Windows((2, 2), (2, 2), padding=((1, 0), (0, 0)))) is None
    assert means.plan(image, Windows((17, 17), (17, 17))) is None  # 289 * 255 is beyond 16 bits
    assert means.plan(image.astype(np.uint16), Windows((2, 2), (2, 2))) is None
    assert means.plan(image[:, ::-1], Windows((2, 2), (2, 2))) is None


def test_memory_of_a_result_is_reused_only_when_nobody_holds_it() -> None:
    outputs._kept.clear()
    shape = (1 << 12, outputs.AT_LEAST >> 12)
    first = outputs.empty(shape, np.uint8)
    first[:] = 7
    corner, address = first[:3, :3], first.ctypes.data
    del first
    gc.collect()
    second = outputs.empty(shape, np.uint8)
    second[:] = 9
    assert second.ctypes.data != address  # a view still holds the first
    assert corner.tolist() == [[7] * 3] * 3
    del corner
    gc.collect()
    assert outputs.empty(shape, np.uint8).ctypes.data == address


def test_memory_of_a_frozen_result_is_not_reused() -> None:
    outputs._kept.clear()
    shape = (outputs.AT_LEAST,)
    frozen = outputs.empty(shape, np.uint8)
    assert frozen.base is not None
    frozen.base.flags.writeable = False
    del frozen
    outputs.empty(shape, np.uint8)[:] = 1
    assert len(outputs._kept[outputs.AT_LEAST]) == 1


def test_memory_that_is_kept_is_bounded() -> None:
    outputs._kept.clear()
    for extra in range(20):
        outputs.empty((outputs.AT_LEAST + extra,), np.uint8)
    assert sum(memory.size for kept in outputs._kept.values() for memory in kept) <= outputs.KEPT
    assert sum(map(len, outputs._kept.values())) <= outputs.MOST
    outputs.empty((outputs.KEPT + 1,), np.uint8)
    assert outputs.KEPT + 1 not in outputs._kept
    outputs._kept.clear()
