"""Lines on standard error."""

import contextlib
import sys

from cnnfilter.core.words import printable


def complain(message: str) -> None:
    """One line on standard error, whatever is in it."""
    with contextlib.suppress(OSError, ValueError, AttributeError):  # standard error may be closed
        sys.stderr.write(f"cnnfilter: {printable(message)}\n")
        sys.stderr.flush()
