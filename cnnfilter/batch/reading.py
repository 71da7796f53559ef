"""What an operation gets of an image: read, or as its header tells, gray and without alpha where that is asked for."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnfilter.batch.settings import Settings
from cnnfilter.core.gray import to_gray
from cnnfilter.images import files
from cnnfilter.images.image import Image

NOT_FINITE = "holds NaN or infinity, for which integer samples have no level; npy has"


def read(source: str, settings: Settings) -> Image:
    """The image as the operation gets it; on a dry run its shape and type, from the header alone.

    Raises:
        FileError: missing or unreadable.
        UnfitError: it has more pixels than are allowed, or channels that do not become gray.
    """
    image = _header_image(source, settings) if settings.dry_run else files.read(source, settings.max_pixels)
    return prepared(image, settings)


def prepared(image: Image, settings: Settings) -> Image:
    """The image gray and without alpha where that is asked for.

    Raises:
        UnfitError: luma of an image that has neither 1 nor 3 channels.
    """
    if settings.alpha == "drop":
        image = replace(image, alpha=None)
    if settings.gray and image.pixels.ndim == 3:
        kept = image.metadata._replace(icc_profile=None)
        if settings.dry_run:
            gray = to_gray(image.pixels[:1, :1], settings.gray)
            return replace(image, pixels=np.broadcast_to(gray, image.pixels.shape[:2]), metadata=kept)
        image = replace(image, pixels=to_gray(image.pixels, settings.gray), metadata=kept)
    return image


def is_finite(pixels: NDArray[Any]) -> bool:
    """Whether no sample is NaN or infinite."""
    if pixels.dtype.kind != "f":
        return True
    return all(np.isfinite(pixels[start : start + 256]).all() for start in range(0, pixels.shape[0], 256))


def _header_image(source: str, settings: Settings) -> Image:
    """An image with the shape and type that the header of a file tells, and no memory behind its pixels."""
    header = files.probe(source, settings.max_pixels)
    pixels = np.broadcast_to(np.zeros((), header.dtype), header.shape)
    alpha = np.broadcast_to(np.zeros((), header.dtype), header.shape[:2]) if header.alpha else None
    return Image(pixels, alpha, header.format)
