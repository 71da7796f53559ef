"""Random pictures for pooling and pipelines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]


RNG = np.random.default_rng(40)
GRAY = RNG.integers(0, 256, (9, 11)).astype(np.uint8)
RGB = RNG.integers(0, 256, (17, 22, 3)).astype(np.uint8)
RGBA = RNG.integers(0, 256, (9, 10, 4)).astype(np.uint8)
