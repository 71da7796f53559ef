"""A picture in memory: pixels, transparency and what a file says besides."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from numpy.typing import NDArray

from cnnfilter.images.formats import PNG, Format


class Metadata(NamedTuple):
    """What is carried from an input to its output."""

    icc_profile: bytes | None = None
    dpi: tuple[float, float] | None = None
    exif: bytes | None = None


@dataclass(frozen=True, eq=False)
class Image:
    """Pixels (height, width) or (height, width, channels) of any sample type, and alpha (height, width) of the same.

    `warnings` are sentences on what reading lost; `nbytes` is the size of the encoded file.
    """

    pixels: NDArray[Any]
    alpha: NDArray[Any] | None = None
    format: Format = PNG
    metadata: Metadata = field(default_factory=Metadata)
    warnings: tuple[str, ...] = ()
    nbytes: int | None = None

    @property
    def is_colour(self) -> bool:
        """Whether it has red, green and blue."""
        return self.pixels.ndim == 3 and self.pixels.shape[2] == 3
