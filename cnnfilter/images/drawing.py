"""Pictures that are put together from others."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

GAP = 2


def grid(maps: NDArray[Any], separator: int) -> NDArray[Any]:
    """Feature maps (height, width, count) as tiles of one gray picture, row by row, about as wide as it is high.

    `separator` is the level of the lines, two pixels wide, between tiles and of the places that stay empty.

    >>> grid(np.zeros((2, 2, 3), np.uint8), 255).shape
    (6, 6)
    """
    height, width, count = maps.shape
    columns = min(count, max(1, round(math.sqrt(count * height / width))))
    rows = -(-count // columns)
    size = (rows * (height + GAP) - GAP, columns * (width + GAP) - GAP)
    picture = np.full(size, separator, maps.dtype)
    for index in range(count):
        top, left = index // columns * (height + GAP), index % columns * (width + GAP)
        picture[top : top + height, left : left + width] = maps[:, :, index]
    return picture
