"""Many images, file to file; no Click, no rich."""

import sys

# Fewer images than this are done before workers have started.
LEAST_FOR_WORKERS = 4

# Whether this process runs the command and nothing else, so that nobody minds a fork.
is_process = False


def forks_workers() -> bool:
    """Whether workers are forked from this process, as long as it has no other thread."""
    return is_process and sys.platform == "linux"


def worth_workers(images: int, asked: int | None, processors: int) -> bool:
    """Whether so many images are given to workers; `asked` is how many of these are asked for, None for no wish.

    >>> worth_workers(3, None, 2), worth_workers(4, None, 2), worth_workers(2, 2, 1)
    (False, True, True)
    """
    return images >= (2 if asked else LEAST_FOR_WORKERS) and (asked or processors) > 1
