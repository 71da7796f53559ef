"""Helper threads: what they begin, what they never begin, and what they leave behind."""

import gc
import os
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import cnnfilter
from cnnfilter.core.engine import threads


class Bulky:
    """Stands for an image that work holds."""


@pytest.fixture
def helpers(monkeypatch: pytest.MonkeyPatch) -> threads._Helpers:
    """Helpers that have not started yet, of four processors."""
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    made = threads._Helpers()
    monkeypatch.setattr(threads, "_helpers", made)
    return made


def test_helpers_are_as_many_as_are_wanted_at_a_time_and_as_there_are_other_processors(
    helpers: threads._Helpers,
) -> None:
    assert threads.share(range(10), sum, 1) == 45
    assert helpers._started == 0
    assert threads.share(range(10), sum, 2) == 45
    assert threads.share(range(10), sum, 2) == 45
    assert helpers._started == 1
    assert threads.share(range(10), sum, 9) == 45
    assert helpers._started == 3
    assert not helpers._given


def test_callers_at_the_same_time_have_helpers_of_their_own(helpers: threads._Helpers) -> None:
    meet = threading.Barrier(3)

    def work(items: Iterator[int]) -> int:
        if threading.current_thread().name.startswith("caller"):
            meet.wait(20)
        return sum(items)

    callers = [threading.Thread(target=threads.share, args=(range(9), work, 2), name=f"caller {k}") for k in range(3)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(20)
    assert helpers._started == 3


def test_without_any_helper_the_caller_does_it_all_and_nothing_is_held(
    helpers: threads._Helpers, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    bulky = Bulky()
    seen = weakref.ref(bulky)
    assert threads.share(range(10), lambda items, held=bulky: sum(items), 3) == 45  # type: ignore[misc]
    del bulky
    assert seen() is None
    assert helpers._tasks is not None
    assert helpers._tasks.empty()


def test_work_that_a_busy_helper_never_began_is_not_held(helpers: threads._Helpers) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def block() -> int:
        begun.set()
        return int(go_on.wait(20))

    blocking = [threads._Task(block)]
    helpers.give(blocking)
    assert begun.wait(20)
    bulky = Bulky()
    seen = weakref.ref(bulky)
    late = threads._Task(lambda held=bulky: 7)  # type: ignore[misc]
    helpers._tasks.put(late)  # type: ignore[union-attr]
    late.wait()
    del bulky
    assert seen() is None
    assert late.result() == 0
    go_on.set()
    blocking[0].wait()
    assert blocking[0].result() == 1


def test_an_error_in_a_helper_leaves_no_cycle_that_holds_the_image(helpers: threads._Helpers) -> None:
    def failing(items: Iterator[int], held: Bulky) -> int:
        if threading.current_thread().name == "cnnfilter":
            raise MemoryError(f"no room beside {type(held).__name__}")
        return sum(1 for _ in items if not failed.wait(0.01))

    failed = threading.Event()
    bulky = Bulky()
    seen = weakref.ref(bulky)
    gc.disable()
    try:
        with pytest.raises(MemoryError, match="no room") as caught:
            threads.share(range(100), lambda items, held=bulky: failing(items, held), 2)  # type: ignore[misc]
        del bulky, caught
        assert seen() is None
    finally:
        gc.enable()


def test_after_an_error_of_the_caller_helpers_end_with_the_item_they_have(helpers: threads._Helpers) -> None:
    begun, failed, done = threading.Event(), threading.Event(), []

    def work(items: Iterator[int]) -> int:
        for item in items:
            if threading.current_thread().name != "cnnfilter":
                begun.wait(20)
                threading.Timer(0.2, failed.set).start()  # after `share` has been told
                raise MemoryError("no room")
            begun.set()
            failed.wait(20)
            done.append(item)
        return 0

    with pytest.raises(MemoryError, match="no room"):
        threads.share(range(1000), work, 2)
    assert len(done) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_child_forked_while_helpers_work_has_helpers_of_its_own(helpers: threads._Helpers) -> None:
    image: Any = np.random.default_rng(0).integers(0, 256, (1100, 1000), dtype=np.uint8)
    expected = cnnfilter.pool(image)

    def work(items: Iterator[int]) -> int:
        failures = 0
        for _ in items:
            child = os.fork()
            if child == 0:
                os._exit(0 if np.array_equal(cnnfilter.pool(image), expected) else 1)
            failures += os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        return failures

    cnnfilter.set_threads(2)
    try:
        assert threads.share(range(6), work, 2) == 0
    finally:
        cnnfilter.set_threads(None)
