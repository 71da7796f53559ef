"""Many images, file to file; no Click, no rich."""

import os
import sys

# Fewer images than this are done before workers have started.
LEAST_FOR_WORKERS = 4
# What libraries for linear algebra are told of threads, which they start when NumPy is loaded.
BLAS_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")

# Whether this process runs the command and nothing else, so that all threads that it has are known.
is_command = False


def forks_workers() -> bool:
    """Whether workers are to be forked from this process, which has no other thread then."""
    quiet = all(os.environ.get(variable) == "1" for variable in BLAS_THREADS)
    return is_command and quiet and sys.platform == "linux"


def worth_workers(images: int, asked: int | None, processors: int) -> bool:
    """Whether so many images are given to workers; `asked` is how many of these are asked for, None for no wish.

    >>> worth_workers(3, None, 2), worth_workers(4, None, 2), worth_workers(2, 2, 1)
    (False, True, True)
    """
    return images >= (2 if asked else LEAST_FOR_WORKERS) and (asked or processors) > 1
