"""What an image file is and how it is read, told from its header without decoding a pixel."""

import io
from dataclasses import dataclass
from typing import Any, BinaryIO

import PIL.Image

from cnnfilter.images import decoding

# Pillow's modes in words.
MODES = {
    "1": "1 bit, black and white",
    "L": "8-bit gray",
    "LA": "8-bit gray with alpha",
    "La": "8-bit gray with premultiplied alpha",
    "P": "palette",
    "PA": "palette with alpha",
    "RGB": "8-bit colour (RGB)",
    "RGBA": "8-bit colour with alpha (RGBA)",
    "RGBa": "8-bit colour with premultiplied alpha",
    "RGBX": "8-bit colour (RGB)",
    "CMYK": "8-bit print colours (CMYK)",
    "YCbCr": "8-bit YCbCr",
    "LAB": "8-bit L*a*b*",
    "HSV": "8-bit HSV",
    "I": "32-bit whole numbers",
    "F": "32-bit floats",
}
ORIENTATIONS = {
    2: "mirrored left-right",
    3: "turned by 180 degrees",
    4: "mirrored top-bottom",
    5: "mirrored along the diagonal",
    6: "turned by 90 degrees clockwise",
    7: "mirrored along the other diagonal",
    8: "turned by 90 degrees counter-clockwise",
}


@dataclass(frozen=True)
class Details:
    """What the header of a file says besides shape and type.

    `mode` is how samples lie in the file, in words; `orientation` 1 to 8 as EXIF has it; `colours` of a palette;
    `profile` names the ICC profile; `exif` counts its entries; `frames` is 1 where they cannot be counted.
    """

    mode: str
    colours: int | None = None
    orientation: int = 1
    profile: str | None = None
    profile_bytes: int = 0
    dpi: tuple[float, float] | None = None
    exif: int = 0
    frames: int = 1
    loses_bits: bool = False
    compression: str | None = None


def read_details(file: BinaryIO, max_pixels: int) -> Details:
    """The details of a picture file; nothing is decoded, and the file is left anywhere."""
    with decoding.opened(file, max_pixels) as picture:
        profile = picture.info.get("icc_profile")
        profile = profile if isinstance(profile, bytes) else b""
        return Details(
            mode=_mode(picture),
            colours=_colours(picture),
            orientation=decoding.header_orientation(picture),
            profile=_profile_name(profile),
            profile_bytes=len(profile),
            dpi=decoding.dpi_of(picture),
            exif=_exif_entries(picture),
            loses_bits=decoding.loses_bits(picture),
            compression=_compression(picture),
            frames=decoding.frames_of(picture),
        )


def _mode(picture: PIL.Image.Image) -> str:
    if picture.mode.startswith("I;16"):
        return "16-bit gray"
    if decoding.loses_bits(picture):
        return MODES.get(picture.mode, picture.mode).replace("8-bit", "16-bit")
    if picture.mode == "I" and picture.format == "TIFF" and decoding.tiff_tag(picture, 258) == 16:
        return "16-bit whole numbers, signed"
    return MODES.get(picture.mode, picture.mode)


def _colours(picture: PIL.Image.Image) -> int | None:
    if picture.palette is None or picture.mode not in ("P", "PA"):
        return None
    return len(picture.palette.palette) // len(picture.palette.mode)


def _compression(picture: PIL.Image.Image) -> str | None:
    found: Any = picture.info.get("compression")
    return found if isinstance(found, str) and found.isprintable() and len(found) < 40 else None


def _exif_entries(picture: PIL.Image.Image) -> int:
    exif = PIL.Image.Exif()
    try:
        if picture.format == "TIFF":
            return len(decoding.DESCRIPTIVE & set(picture.getexif()))
        exif.load(picture.info.get("exif", b""))
        return len(exif)
    except Exception:  # decoders raise what they like
        return 0


def _profile_name(profile: bytes) -> str | None:
    """The description in an ICC profile; what cannot be read has none."""
    if not profile:
        return None
    try:
        from PIL import ImageCms

        return ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile))).strip() or None
    except Exception:  # a build without littlecms, or no profile at all
        return None
