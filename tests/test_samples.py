"""Gray levels against whole-number arithmetic."""

import numpy as np
import pytest

from cnnfilter.core.samples import to_gray


@pytest.mark.parametrize("factor", [1, 257])
def test_gray_of_every_third_colour_is_exact(factor: int) -> None:
    levels = np.arange(0, 256, 3), np.arange(256), np.arange(0, 256, 5)
    colours = np.stack(np.meshgrid(*levels, indexing="ij"), -1).reshape(len(levels[0]), -1, 3) * factor
    image = colours.astype(np.uint8 if factor == 1 else np.uint16)
    red, green, blue = np.moveaxis(colours, 2, 0)
    assert (to_gray(image) == (19595 * red + 38470 * green + 7471 * blue + 32768) >> 16).all()
    for channels in (2, 3, 4, 7):
        many = np.concatenate([colours] * 3, axis=2)[:, :, :channels]
        mean = (many.sum(axis=2) + channels // 2) // channels
        assert (to_gray(many.astype(image.dtype), "mean") == mean).all()
