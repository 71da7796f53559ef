"""Many images, file to file; no Click, no rich."""

# Fewer images than this are done before workers have started.
LEAST_FOR_WORKERS = 4


def worth_workers(images: int, asked: int | None, processors: int) -> bool:
    """Whether so many images are given to workers; `asked` is how many of these are asked for, None for no wish.

    >>> worth_workers(3, None, 2), worth_workers(4, None, 2), worth_workers(2, 2, 1)
    (False, True, True)
    """
    return images >= (2 if asked else LEAST_FOR_WORKERS) and (asked or processors) > 1
