"""The signals that end a run, and what is said of them."""

import contextlib
import signal
from collections.abc import Iterator

INTERRUPT = signal.SIGINT
# Sent when the terminal is closed, as by a lost connection; Windows has none.
HANGUP: signal.Signals | None = getattr(signal, "SIGHUP", None)
ENDING: tuple[signal.Signals, ...] = (signal.SIGINT, signal.SIGTERM, *((HANGUP,) if HANGUP else ()))
# Those that a terminal sends to all processes of a run; the command decides for its workers.
FROM_TERMINAL: tuple[signal.Signals, ...] = tuple(number for number in ENDING if number != signal.SIGTERM)


def heeded() -> tuple[signal.Signals, ...]:
    """The signals that end this process: all but those it was started to ignore, as by `nohup` or `trap "" INT`."""
    return tuple(number for number in ENDING if signal.getsignal(number) != signal.SIG_IGN)


def ending(number: int) -> str:
    """The word for an end by a signal.

    >>> ending(signal.SIGTERM)
    'terminated'
    """
    return "interrupted" if number == INTERRUPT else "terminated"


def block() -> None:
    """Keep the signals from this thread and from what it starts, where that can be done."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """Signals wait until this block is through; what is started in it has to unblock them itself."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def unblock() -> None:
    """Let the signals come that whoever started this process has blocked."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)


def leave_to_parent() -> None:
    """In a worker: what a terminal sends to all is not for it; its parent decides."""
    for number in FROM_TERMINAL:
        signal.signal(number, signal.SIG_IGN)


def start_tracker() -> None:
    """Start the helper of `multiprocessing` now, where a hang-up does not reach it; later it would unblock signals."""
    from multiprocessing import resource_tracker

    before = signal.pthread_sigmask(signal.SIG_BLOCK, {HANGUP}) if HANGUP else None
    try:
        resource_tracker.ensure_running()
    finally:
        if before is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
