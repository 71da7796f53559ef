"""`python -m cnnfilter`, and the entry point of the command."""

import contextlib
import gc
import os
import signal
import sys
from types import FrameType
from typing import NoReturn

from cnnfilter import signals

BLAS_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def main() -> None:
    """Run the command and end the process with its exit code."""
    gc.disable()  # what is being loaded is no garbage; `execute` starts the collector for images
    for variable in BLAS_THREADS:  # read when NumPy is imported; bands have threads of their own, whose number
        os.environ[variable] = "1"  # changes no bit of the results, as that of BLAS would
    heeded = signals.heeded()
    for number in heeded:
        signal.signal(number, _end_at_once)
    from cnnfilter.cli.main import run

    code = run(owns_process=True)
    for number in heeded:  # all is done; the interpreter's own end is not to be disturbed
        signal.signal(number, signal.SIG_IGN)
    if sys.gettrace() or sys.getprofile():  # who watches wants to see the end
        sys.exit(code)
    _leave(code)


def _leave(code: int) -> NoReturn:
    """End without taking the interpreter apart, module by module: all is written, and the system frees the memory."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):  # they may be closed
            stream.flush()
    if "multiprocessing.util" in sys.modules:  # workers have a folder for their sockets
        sys.modules["multiprocessing.util"]._run_finalizers()
    os._exit(code)


def _end_at_once(number: int, frame: FrameType | None) -> None:
    """End before anything has begun."""
    with contextlib.suppress(OSError, AttributeError):  # the terminal may be gone
        sys.stderr.write(f"cnnfilter: {signals.ending(number)}\n")
        sys.stderr.flush()
    os._exit(128 + number)


if __name__ == "__main__":
    main()
