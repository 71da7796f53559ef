"""Memory that is handed from call to call."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

import cnnfilter
from cnnfilter.core.engine import dense, scratch, threads
from cnnfilter.core.engine.dense import Dense
from cnnfilter.core.engine.floats import FLOAT32, Fused
from cnnfilter.core.engine.levels import Levels
from cnnfilter.core.engine.task import Correlation
from cnnfilter.core.geometry import Windows

if TYPE_CHECKING:
    from collections.abc import Iterator


def test_scratch_is_kept_up_to_a_size_only() -> None:
    def bind(memory: np.ndarray) -> np.ndarray:
        return memory

    for size, is_kept in ((1000, True), (scratch.KEPT + 1, False)):
        key = object()
        with scratch.borrowed(size, bind, key) as first:
            assert first.size >= size
        with scratch.borrowed(size, bind, key) as second:
            assert (second is first) == is_kept


def test_pieces_that_are_open_at_once_share_no_memory() -> None:
    for _ in range(2):  # the second time with memory that has been kept
        with scratch.pieces() as one, scratch.pieces() as other:
            arrays = [memory.empty((3, 5), np.dtype(np.float32)) for memory in (one, other, one, other)]
            assert not any(np.shares_memory(a, b) for i, a in enumerate(arrays) for b in arrays[:i])


@pytest.mark.parametrize("end", ["as it should", "by an error", "of an abandoned generator"])
def test_pieces_are_there_again(end: str) -> None:
    def taken() -> Iterator[np.ndarray]:
        with scratch.pieces() as memory:
            yield memory.empty((1000,), np.dtype(np.int64))
            if end == "by an error":
                raise KeyError

    scratch._pieces.clear()
    for _ in range(2):  # at first there is no room: then it is made
        if end == "of an abandoned generator":
            next(taken())
        else:
            with contextlib.suppress(KeyError):
                list(taken())
    assert len(scratch._pieces) == 1
    again = scratch._pieces[0]
    with scratch.pieces() as memory:
        assert memory is again
        assert np.shares_memory(memory.empty((1000,), np.dtype(np.int64)), again._memory)


def test_pieces_are_kept_up_to_a_size_and_a_number() -> None:
    scratch._pieces.clear()
    with scratch.pieces() as memory:
        memory.empty((scratch.KEPT + 1,), np.dtype(np.uint8))
    assert [kept._memory.size for kept in scratch._pieces] == [0]
    with contextlib.ExitStack() as stack:
        for _ in range(threads.threads() + 3):
            stack.enter_context(scratch.pieces())
    assert len(scratch._pieces) == threads.threads()


@pytest.mark.parametrize("groups", [1, 8, 32])
def test_the_memory_of_a_bank_does_not_grow_with_its_groups(groups: int) -> None:
    scratch._pieces.clear()
    x, weight = np.ones((30, 40, 32), np.float32), np.ones((3, 3, 32 // groups, 32), np.float32)
    cnnfilter.conv2d(x, weight, groups=groups)
    (kept,) = scratch._pieces
    assert kept._memory.size < 4 * (32 * 40 * 32 + 9 * 32 * 30 * 40 + 9 * 32 * 32 + 28 * 38 * 32 + 1000)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_child_forked_while_scratch_is_borrowed_does_not_wait_for_it() -> None:
    script = """if True:
        import os, numpy as np, cnnfilter
        from cnnfilter.core.engine import scratch
        image = np.zeros((40, 40), np.uint8)
        with scratch._lock:
            child = os.fork()
            if not child:
                for kernel in ("sobel-v", "gaussian:9"):
                    cnnfilter.convolve(image, kernel, mapping="clip")
                os._exit(0)
        raise SystemExit(os.waitpid(child, 0)[1])
    """
    assert subprocess.run([sys.executable, "-c", script], timeout=60).returncode == 0


def test_what_was_bound_is_there_again_for_the_same_key_only() -> None:
    scratch._pieces.clear()
    keys = [object(), object()]
    made: list[np.ndarray] = []

    def bind(memory: scratch.Pieces) -> np.ndarray:
        made.append(memory.full((1000,), np.dtype(np.int64), len(made)))
        return made[-1]

    def bound(key: object) -> np.ndarray:
        with scratch.prepared(key, bind) as found:
            return found

    first = bound(keys[0])  # there is no room yet: it is made for the next time
    second = bound(keys[0])
    assert second is not first
    assert all(bound(keys[0]) is second for _ in range(3))
    assert bound(keys[1]) is not second
    assert len(made) == 3
    assert bound(keys[0]) is not second
    assert np.shares_memory(made[-1], second)
    assert bound(None) is not bound(None)
    assert (scratch._pieces[0].key, scratch._pieces[0].bound) == (None, None)
    bound(keys[0])
    with scratch.pieces() as memory:  # somebody takes other pieces of it
        memory.empty((10,), np.dtype(np.uint8))
    count = len(made)
    bound(keys[0])
    assert len(made) == count + 1


def test_what_is_bound_beyond_the_memory_is_not_kept() -> None:
    scratch._pieces.clear()
    key = object()

    def bind(memory: scratch.Pieces) -> np.ndarray:
        return memory.empty((scratch.KEPT + 1,), np.dtype(np.uint8))

    for _ in range(2):
        with scratch.prepared(key, bind):
            pass
        assert [(kept.key, kept.bound, kept._memory.size) for kept in scratch._pieces] == [(None, None, 0)]


def test_memory_that_another_thread_had_in_between_is_prepared_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    mine, theirs = object(), object()

    class Contended(list[scratch.Pieces]):
        def remove(self, memory: scratch.Pieces) -> None:
            memory.key, memory.bound = theirs, "their work"
            super().remove(memory)

    monkeypatch.setattr(scratch, "_pieces", Contended())
    for _ in range(3):
        with scratch.prepared(mine, lambda memory: "my work") as found:
            assert found == "my work"
    assert len(scratch._pieces) == 1


def test_what_cannot_be_bound_leaves_memory_for_others() -> None:
    scratch._pieces.clear()
    key = object()
    with pytest.raises(ZeroDivisionError), scratch.prepared(key, lambda memory: 1 // 0):
        pass
    with scratch.prepared(key, lambda memory: 7) as found:
        assert found == 7
    assert len(scratch._pieces) == 1


@pytest.mark.parametrize("channels", [1, 2, 3, 5, 17, 128, 300])
@pytest.mark.parametrize("stride", [1, 2, 3, 8])
@pytest.mark.parametrize("size", [3, 9, 15])
def test_a_dense_kernel_takes_little_memory(channels: int, stride: int, size: int) -> None:
    image = np.broadcast_to(np.uint8(0), (4000, 4000, channels))
    task = Correlation(np.random.default_rng(1).random((size, size)), Windows.of((size, size), stride=stride), "edge")
    method = Dense(task, image.shape, FLOAT32)
    assert method.across <= method.columns + dense.UNIT
    memory = scratch.Pieces()
    Fused.of(task, method, Levels(), image).prepare(memory)
    assert memory._taken <= scratch.KEPT
