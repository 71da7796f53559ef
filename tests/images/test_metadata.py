"""Metadata: what is kept, and what is not."""

from __future__ import annotations

import functools
import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import PIL.Image
import PIL.ImageCms
import pytest
from handmade import GRAY, MAKER, ORIENTATION, RGB, exif_of, picture_of, saved

import cnnfilter
from cnnfilter.images import files, formats
from cnnfilter.images.encoding import WriteOptions
from cnnfilter.images.image import Image, Metadata

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Array = NDArray[Any]

pytestmark = pytest.mark.usefixtures("no_hanging")


@functools.cache  # a profile holds the second that it was made in
def srgb() -> bytes:
    return PIL.ImageCms.ImageCmsProfile(PIL.ImageCms.createProfile("sRGB")).tobytes()


@pytest.fixture
def described(tmp_path: Path) -> Image:
    """A picture with a profile, a resolution and a maker."""
    place = tmp_path / "described.png"
    place.write_bytes(saved(picture_of(RGB), "PNG", icc_profile=srgb(), dpi=(300, 300), exif=exif_of(3)))
    return files.read(str(place))


def test_metadata_are_read(described: Image) -> None:
    assert described.metadata.icc_profile == srgb()
    assert described.metadata.dpi == pytest.approx((300, 300), abs=0.1)
    assert described.metadata.exif is not None


@pytest.mark.parametrize(
    ("file_format", "kept"),
    [("png", "icc dpi exif"), ("jpeg", "icc dpi exif"), ("tiff", "icc dpi exif"), ("webp", "icc exif")],
)
def test_metadata_are_kept_where_there_is_room(tmp_path: Path, described: Image, file_format: str, kept: str) -> None:
    place = tmp_path / f"kept.{file_format}"
    files.write(str(place), described, formats.by_name(file_format), WriteOptions())
    with PIL.Image.open(place) as picture:
        exif = picture.getexif()
        if "icc" in kept:
            assert picture.info["icc_profile"] == srgb()
        if "dpi" in kept:
            assert [float(value) for value in picture.info["dpi"]] == pytest.approx([300, 300], abs=0.6)
        if "exif" in kept:
            assert exif.get(MAKER) == "Maker"
        assert exif.get(ORIENTATION, 1) == 1


@pytest.mark.parametrize("file_format", ["png", "jpeg", "tiff", "webp"])
def test_strip_writes_no_metadata(tmp_path: Path, described: Image, file_format: str) -> None:
    place = tmp_path / f"bare.{file_format}"
    files.write(str(place), described, formats.by_name(file_format), WriteOptions(strip=True))
    with PIL.Image.open(place) as picture:
        exif = picture.getexif()
        assert picture.info.get("icc_profile") is None
        assert MAKER not in exif
        assert float(picture.info.get("dpi", (72, 72))[0]) < 299
    assert b"Maker" not in place.read_bytes()


def test_the_profile_of_inks_does_not_fit_the_colours_made_of_them(tmp_path: Path) -> None:
    place = tmp_path / "inks.tif"
    place.write_bytes(saved(PIL.Image.new("CMYK", (4, 4)), "TIFF", icc_profile=b"a profile of inks"))
    assert files.read(str(place)).metadata.icc_profile is None


@pytest.mark.parametrize(
    "block", [b"", b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0" + bytes(50), b"junk"]
)
def test_exif_that_cannot_be_read_harms_nothing(tmp_path: Path, block: bytes) -> None:
    content = saved(picture_of(np.full((16, 16), 50, np.uint8)), "JPEG")
    segment = b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block
    place = tmp_path / "odd.jpg"
    place.write_bytes(content[:2] + segment + content[2:])
    image = files.read(str(place))
    assert image.pixels.shape == (16, 16)
    files.write(str(tmp_path / "out.jpg"), image, image.format, WriteOptions())
    assert cnnfilter.read_image(tmp_path / "out.jpg").shape == (16, 16)


def test_an_exif_block_too_large_for_jpeg_is_left_out(tmp_path: Path) -> None:
    image = Image(GRAY, None, formats.PNG, Metadata(exif=b"Exif\0\0" + bytes(70_000)))
    files.write(str(tmp_path / "out.jpg"), image, formats.by_name("jpeg"), WriteOptions())
    assert cnnfilter.read_image(tmp_path / "out.jpg").shape == GRAY.shape
