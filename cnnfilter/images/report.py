"""What `inspect` says of an image: what it is, how it is read, how its samples are spread."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnfilter.core.samples import SampleType
from cnnfilter.core.statistics import ChannelStatistics, channel_statistics
from cnnfilter.images import files
from cnnfilter.images.details import Details
from cnnfilter.images.formats import MAX_PIXELS
from cnnfilter.images.image import Image


@dataclass(frozen=True)
class ImageReport:
    """An image as it is read, `channels` by name (gray, or red, green and blue; alpha), `levels` of black and white."""

    format: str
    shape: tuple[int, ...]
    dtype: str
    itemsize: int
    has_alpha: bool
    nbytes: int | None
    levels: tuple[int, int]
    channels: dict[str, ChannelStatistics]
    warnings: tuple[str, ...]
    details: Details | None

    def as_dict(self) -> dict[str, Any]:
        """The record as a dictionary.

        Keys: kind, format, shape (after orientation, without alpha), dtype, alpha, bytes, levels, warnings, the keys of
        `Details` (null for npy), and channels, which has a dictionary by name: low, high, mean, deviation, at_low,
        at_high, nonfinite, edges, histogram.
        """
        details = vars(self.details) if self.details else dict.fromkeys(Details.__dataclass_fields__)
        return {
            "kind": "image",
            "format": self.format,
            "shape": list(self.shape),
            "dtype": self.dtype,
            "alpha": self.has_alpha,
            "bytes": self.nbytes,
            "levels": list(self.levels),
            "warnings": list(self.warnings),
            **details,
            "channels": {name: found.as_dict() for name, found in self.channels.items()},
        }


def image_report(path: str, max_pixels: int = MAX_PIXELS) -> tuple[ImageReport, Image]:
    """(what is told of the picture in a file, the picture).

    Raises:
        FileError: whatever is wrong with it.
    """
    image, details = files.examine(path, max_pixels)
    pixels = image.pixels
    samples = SampleType.of(pixels.dtype)
    planes = {name: pixels if pixels.ndim == 2 else pixels[:, :, index] for index, name in enumerate(_names(image))}
    if image.alpha is not None:
        planes["alpha"] = image.alpha
    report = ImageReport(
        image.format.name,
        pixels.shape,
        str(pixels.dtype),
        pixels.dtype.itemsize,
        image.alpha is not None,
        image.nbytes,
        (samples.low, samples.high),
        {name: channel_statistics(np.ascontiguousarray(plane)) for name, plane in planes.items()},
        image.warnings,
        details,
    )
    return report, image


def _names(image: Image) -> list[str]:
    if image.pixels.ndim == 2:
        return ["gray"]
    count = image.pixels.shape[2]
    return ["red", "green", "blue"] if count == 3 else [f"channel {index}" for index in range(count)]
