"""The signals that end a run, and what is said of them."""

import contextlib
import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from threading import Event

INTERRUPT = signal.SIGINT
# Sent when the terminal is closed, as by a lost connection; Windows has none.
HANGUP: signal.Signals | None = getattr(signal, "SIGHUP", None)
ENDING: tuple[signal.Signals, ...] = (signal.SIGINT, signal.SIGTERM, *((HANGUP,) if HANGUP else ()))
# Seconds until a signal that got lost comes again.
AGAIN = 0.05
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


# What ends the repetition of a signal.
_heard: "Event | None" = None


def repeat(number: signal.Signals) -> None:
    """Send this process a signal until it says `heard`; the first one a moment from now."""
    import _thread
    import threading

    global _heard
    event, main = threading.Event(), threading.main_thread().ident
    _heard = event

    def send() -> None:
        while not event.wait(AGAIN):
            if main is not None and hasattr(signal, "pthread_kill"):
                signal.pthread_kill(main, number)
            else:
                _thread.interrupt_main(number)

    threading.Thread(target=send, daemon=True).start()


def heard() -> None:
    """A signal has come: it is not repeated any more."""
    if _heard:
        _heard.set()


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
