"""Reading picture files: what arrives, and which way up."""

from __future__ import annotations

import contextlib
import struct
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import PIL.Image
import PIL.ImageCms
import pytest
from handmade import (
    ALPHA,
    FLOATS,
    GRAY,
    GRAY16,
    INT32,
    MAKER,
    ORIENTATION,
    RGB,
    exif_of,
    npy,
    npy_header,
    picture_of,
    png,
    saved,
    tiff,
)

import cnnfilter
from cnnfilter import FileError
from cnnfilter.images import files
from cnnfilter.images.encoding import WriteOptions

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from cnnfilter.images.image import Image

    Array = NDArray[Any]

pytestmark = pytest.mark.usefixtures("no_hanging")


def png16(samples: Array, colour: int, *extra: tuple[bytes, bytes]) -> bytes:
    """A PNG of 16-bit samples, height x width [x channels]."""
    return png(samples.shape[1], samples.shape[0], 16, colour, [row.astype(">u2").tobytes() for row in samples], *extra)


PALETTE = bytes([10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120])
INDICES = np.array([[0, 1, 2], [3, 3, 0]], np.uint8)
COLOURS = np.frombuffer(PALETTE, np.uint8).reshape(4, 3)[INDICES]


# ---------------------------------------------------------------------------------------------------------------------
# What arrives


class Case(NamedTuple):
    """A file, and the pixels, alpha and warning (a word of it) that reading it gives."""

    suffix: str
    content: bytes
    pixels: Array
    alpha: Array | None = None
    warning: str | None = None


def opaque(array: Array, level: int = 255) -> Array:
    return np.full(array.shape[:2], level, array.dtype)


def picture_cases() -> dict[str, Case]:
    rgba = np.dstack([RGB, ALPHA])
    bits = np.array([[0, 255, 0], [255, 255, 0]], np.uint8)
    palette_rows = [row.tobytes() for row in INDICES]
    plte = (b"PLTE", PALETTE)
    deep_rgb = RGB.astype(np.uint16) * 257
    deep_gray = GRAY.astype(np.uint16) * 257
    deep_alpha = ALPHA.astype(np.uint16) * 257
    cmyk = picture_of(rgba[:, :, [3, 0, 1, 2]]).convert("RGBA")
    inks = PIL.Image.frombytes("CMYK", (3, 2), cmyk.tobytes())
    return {
        "gray png": Case(".png", saved(picture_of(GRAY, "L"), "PNG"), GRAY),
        "rgb png": Case(".png", saved(picture_of(RGB, "RGB"), "PNG"), RGB),
        "rgba png": Case(".png", saved(picture_of(rgba, "RGBA"), "PNG"), RGB, ALPHA),
        "gray and alpha png": Case(".png", saved(picture_of(np.dstack([GRAY, ALPHA]), "LA"), "PNG"), GRAY, ALPHA),
        "1-bit png": Case(".png", saved(picture_of(bits).convert("1"), "PNG"), bits),
        "1-bit tiff": Case(".tif", saved(picture_of(bits).convert("1"), "TIFF"), bits),
        "2-bit png": Case(".png", png(3, 1, 2, 0, [bytes([0b00_01_11_00])]), np.array([[0, 85, 255]], np.uint8)),
        "4-bit png": Case(".png", png(3, 1, 4, 0, [bytes([0x0A, 0xF0])]), np.array([[0, 170, 255]], np.uint8)),
        "palette png": Case(".png", png(3, 2, 8, 3, palette_rows, plte), COLOURS),
        "palette png, levels of transparency": Case(
            ".png",
            png(3, 2, 8, 3, palette_rows, plte, (b"tRNS", bytes([0, 100, 255]))),
            COLOURS,
            np.array([0, 100, 255, 255], np.uint8)[INDICES],
        ),
        "palette gif, one index transparent": Case(
            ".gif",
            saved(palette_picture(), "GIF", transparency=1),
            COLOURS,
            np.array([255, 0, 255, 255], np.uint8)[INDICES],
        ),
        "gray png, one level transparent": Case(
            ".png",
            png(3, 2, 8, 0, [row.tobytes() for row in GRAY], (b"tRNS", b"\0\x50")),
            GRAY,
            np.where(GRAY == 80, 0, 255).astype(np.uint8),
        ),
        "1-bit png, black transparent": Case(
            ".png",
            png(3, 2, 1, 0, [b"\x40", b"\xc0"], (b"tRNS", b"\0\0")),
            bits,
            bits,
        ),
        "rgb png, one colour transparent": Case(
            ".png",
            png(3, 2, 8, 2, [row.tobytes() for row in RGB], (b"tRNS", struct.pack(">HHH", *RGB[1, 1].tolist()))),
            RGB,
            np.array([[255, 255, 255], [255, 0, 255]], np.uint8),
        ),
        "16-bit gray png": Case(".png", png16(GRAY16, 0), GRAY16),
        "16-bit gray png, one level transparent": Case(
            ".png",
            png16(GRAY16, 0, (b"tRNS", struct.pack(">H", 40000))),
            GRAY16,
            np.where(GRAY16 == 40000, 0, 65535).astype(np.uint16),
        ),
        "16-bit rgb png": Case(".png", png16(deep_rgb, 2), RGB, None, "16-bit"),
        "16-bit rgba png": Case(".png", png16(np.dstack([deep_rgb, deep_alpha]), 6), RGB, ALPHA, "16-bit"),
        "16-bit gray and alpha png": Case(".png", png16(np.dstack([deep_gray, deep_alpha]), 4), GRAY, ALPHA, "16-bit"),
        "16-bit gray tiff": Case(".tif", tiff(GRAY16, "<"), GRAY16),
        "16-bit gray tiff, big-endian": Case(".tiff", tiff(GRAY16, ">"), GRAY16),
        "int32 tiff": Case(".tif", tiff(INT32, "<"), INT32),
        "int32 tiff, big-endian": Case(".tif", tiff(INT32, ">"), INT32),
        "float tiff": Case(".tif", tiff(FLOATS, "<"), FLOATS),
        "float tiff, big-endian": Case(".tif", tiff(FLOATS, ">"), FLOATS),
        "cmyk tiff": Case(".tif", saved(inks, "TIFF"), np.asarray(inks.convert("RGB"))),
        "rgba tiff": Case(".tif", saved(picture_of(rgba), "TIFF"), RGB, ALPHA),
        "rgb bmp": Case(".bmp", saved(picture_of(RGB), "BMP"), RGB),
        "rgba webp": Case(".webp", saved(picture_of(rgba), "WEBP", lossless=True, exact=True), RGB, ALPHA),
        "rgba tga": Case(".tga", saved(picture_of(rgba), "TGA"), RGB, ALPHA),
        "rgb ppm": Case(".ppm", b"P6 3 2 255\n" + RGB.tobytes(), RGB),
        "gray pgm": Case(".pgm", b"P5 3 2 255\n" + GRAY.tobytes(), GRAY),
        "bitmap pbm": Case(".pbm", b"P4 3 2\n\xa0\x20", bits),
        "16-bit rgb ppm": Case(".ppm", b"P6 3 2 65535\n" + deep_rgb.astype(">u2").tobytes(), RGB, None, "16-bit"),
        "gray jpeg 2000": Case(".jp2", saved(picture_of(GRAY), "JPEG2000"), GRAY),
        "a png named .jpg": Case(".jpg", saved(picture_of(GRAY), "PNG"), GRAY),
        "a png without a suffix": Case("", saved(picture_of(GRAY), "PNG"), GRAY),
        "one pixel": Case(".png", saved(picture_of(GRAY[:1, 1:2]), "PNG"), GRAY[:1, 1:2]),
    }


def palette_picture() -> PIL.Image.Image:
    picture = PIL.Image.frombytes("P", (3, 2), INDICES.tobytes())
    picture.putpalette(PALETTE)
    return picture


def npy_cases() -> dict[str, Case]:
    whole = np.array([[0, 1, 2], [3, 100, 127]])
    singles = np.array([[-1.5, 0.1, 3e38], [1, 2, 3]], np.float32)
    nothing = np.array([[np.nan, np.inf, -np.inf]], np.float32)
    cases = {
        f"npy of {name}": Case(".npy", npy(whole.astype(name)), whole.astype(name))
        for name in ("bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "float32")
    }
    return cases | {
        "npy of float16": Case(".npy", npy(whole.astype("float16")), whole.astype("float32")),
        "npy of float64": Case(".npy", npy(whole / 7), (whole / 7).astype("float32"), None, "64-bit"),
        "npy, big-endian": Case(".npy", npy(whole.astype(">i4")), whole.astype("int32")),
        "npy, big-endian floats": Case(".npy", npy(singles.astype(">f4")), singles),
        "npy, Fortran order": Case(".npy", npy(np.asfortranarray(RGB)), RGB),
        "npy of one channel": Case(".npy", npy(GRAY[:, :, None]), GRAY),
        "npy of two channels": Case(".npy", npy(RGB[:, :, :2]), RGB[:, :, :2]),
        "npy of four channels": Case(".npy", npy(np.dstack([RGB, ALPHA])), np.dstack([RGB, ALPHA])),
        "npy of seven channels": Case(".npy", npy(np.ones((2, 2, 7), "uint8")), np.ones((2, 2, 7), "uint8")),
        "npy with NaN and infinity": Case(".npy", npy(nothing), nothing),
        "npy, version 2": Case(
            ".npy",
            npy_header("{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3), }", b"\x02\x00") + GRAY.tobytes(),
            GRAY,
        ),
        "npy without a suffix": Case("", npy(GRAY), GRAY),
    }


CASES = picture_cases() | npy_cases()


@pytest.fixture(params=list(CASES))
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


@pytest.fixture
def path(tmp_path: Path, case: Case) -> str:
    place = tmp_path / f"picture{case.suffix}"
    place.write_bytes(case.content)
    return str(place)


def test_pixels_alpha_and_warnings_arrive(case: Case, path: str) -> None:
    image = files.read(path)
    np.testing.assert_array_equal(image.pixels, case.pixels, strict=True)
    assert image.pixels.dtype.isnative
    if case.alpha is None:
        assert image.alpha is None
    else:
        assert image.alpha is not None
        np.testing.assert_array_equal(image.alpha, case.alpha, strict=True)
    assert len(image.warnings) == (case.warning is not None)
    assert all(str(case.warning) in warning for warning in image.warnings)
    assert image.nbytes == len(case.content)


def test_the_header_tells_what_reading_gives(case: Case, path: str) -> None:
    header, image = files.probe(path), files.read(path)
    assert header.shape == image.pixels.shape
    assert header.dtype == image.pixels.dtype
    assert header.alpha == (image.alpha is not None)
    assert header.format == image.format


def test_read_image_gives_one_array_to_write_to_with_alpha_as_its_last_channel(case: Case, path: str) -> None:
    expected = case.pixels if case.alpha is None else np.dstack([case.pixels, case.alpha])
    with pytest.warns(UserWarning, match=case.warning) if case.warning else contextlib.nullcontext():
        array = cnnfilter.read_image(path)
    np.testing.assert_array_equal(array, expected, strict=True)
    assert array.flags.writeable


def test_jpegs_arrive_nearly(tmp_path: Path) -> None:
    (tmp_path / "gray.jpg").write_bytes(saved(picture_of(np.full((20, 30), 77, "uint8")), "JPEG", quality=95))
    inks = PIL.Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    (tmp_path / "inks.jpg").write_bytes(saved(inks, "JPEG", quality=95))
    gray, colour = cnnfilter.read_image(tmp_path / "gray.jpg"), cnnfilter.read_image(tmp_path / "inks.jpg")
    assert (gray.shape, colour.shape) == ((20, 30), (16, 16, 3))
    assert np.abs(gray.astype(int) - 77).max() <= 1
    assert np.abs(colour.astype(int) - [0, 255, 255]).max() <= 3


def test_16_bit_samples_between_the_levels_arrive_as_the_nearest_of_8_bits(tmp_path: Path) -> None:
    deep = np.arange(18, dtype=np.uint16).reshape(2, 3, 3) * 3600
    place = tmp_path / "deep.png"
    place.write_bytes(png16(deep, 2))
    with pytest.warns(UserWarning, match=r"deep\.png: 16-bit samples are read as 8-bit"):
        pixels = cnnfilter.read_image(place)
    assert np.abs(pixels - deep / 257).max() <= 1


@pytest.mark.parametrize(("maximum", "expected"), [(65535, GRAY16), (100, None)])
def test_pgm_with_other_maxima(tmp_path: Path, maximum: int, expected: Array | None) -> None:
    samples = GRAY16 if expected is not None else np.array([[0, 50, 100]], np.uint8)
    place = tmp_path / "gray.pgm"
    raw = samples.astype(">u2" if maximum > 255 else "u1").tobytes()
    place.write_bytes(b"P5 %d %d %d\n" % (samples.shape[1], samples.shape[0], maximum) + raw)
    pixels = cnnfilter.read_image(place)
    if expected is None:
        np.testing.assert_array_equal(pixels, [[0, 128, 255]])
        assert pixels.dtype == np.uint8
    else:
        np.testing.assert_array_equal(pixels, expected)


def read_or_refused(path: Path) -> Image | None:
    """The image; None where the file is refused."""
    try:
        return files.read(str(path))
    except FileError:
        return None


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("array", [GRAY, GRAY16], ids=["8 bits", "16 bits"])
def test_tiffs_whose_zero_is_white_are_never_shown_as_negatives(tmp_path: Path, array: Array, order: str) -> None:
    place = tmp_path / "negative.tif"
    place.write_bytes(tiff(array, order, zero_is_white=True))
    image = read_or_refused(place)
    assert image is not None or array.dtype == np.uint16
    assert image is None or (image.pixels == np.iinfo(array.dtype).max - array).all()


@pytest.mark.parametrize(
    "array",
    [
        np.array([[-5, 100, 127]], np.int8),
        np.array([[-5, 300, -32768]], np.int16),
        np.array([[1, 2**31, 2**32 - 1]], np.uint32),
        np.array([[0, 0.5, 1]], np.float16),
        np.array([[0, 0.5, 1]], np.float64),
    ],
    ids=lambda array: str(array.dtype),
)
def test_rare_samples_of_tiffs_arrive_as_they_are_or_not_at_all(tmp_path: Path, array: Array) -> None:
    """Other numbers never come silently."""
    place = tmp_path / "rare.tif"
    place.write_bytes(tiff(array, "<"))
    image = read_or_refused(place)
    assert image is None or image.warnings or (image.pixels == array).all()


@pytest.mark.parametrize("suffix", [".gif", ".png", ".webp", ".tiff"])
def test_only_the_first_frame_is_read_and_said(tmp_path: Path, suffix: str) -> None:
    frames = [picture_of(np.full((4, 5), level, np.uint8)) for level in (0, 128, 255)]
    place = tmp_path / f"film{suffix}"
    extra: dict[str, Any] = {"lossless": True} if suffix == ".webp" else {}
    frames[0].save(place, save_all=True, append_images=frames[1:], **extra)
    image = files.read(str(place))
    assert image.pixels.shape[:2] == (4, 5)
    assert not image.pixels.any()
    assert len(image.warnings) == 1
    assert "first" in image.warnings[0]
    assert "frame" in image.warnings[0]


# ---------------------------------------------------------------------------------------------------------------------
# Orientation

STORED = np.array([[1, 2, 3], [4, 5, 6]], np.uint8) * np.uint8(40)
TURNED = {
    1: [[1, 2, 3], [4, 5, 6]],
    2: [[3, 2, 1], [6, 5, 4]],
    3: [[6, 5, 4], [3, 2, 1]],
    4: [[4, 5, 6], [1, 2, 3]],
    5: [[1, 4], [2, 5], [3, 6]],
    6: [[4, 1], [5, 2], [6, 3]],
    7: [[6, 3], [5, 2], [4, 1]],
    8: [[3, 6], [2, 5], [1, 4]],
}


@pytest.mark.parametrize("orientation", TURNED)
@pytest.mark.parametrize("file_format", ["PNG", "TIFF", "JPEG", "WEBP"])
def test_orientation_is_applied(tmp_path: Path, file_format: str, orientation: int) -> None:
    blocks = np.kron(STORED, np.ones((16, 16), np.uint8))
    lossy: dict[str, dict[str, Any]] = {"JPEG": {"quality": 95}, "WEBP": {"lossless": True}}
    options = lossy.get(file_format, {})
    place = tmp_path / f"turned.{file_format.lower()}"
    place.write_bytes(saved(picture_of(blocks), file_format, exif=exif_of(orientation), **options))
    expected = np.kron(np.array(TURNED[orientation]) * 40, np.ones((16, 16), int))
    image = files.read(str(place))
    gray = image.pixels if image.pixels.ndim == 2 else image.pixels[:, :, 1]
    assert gray.shape == expected.shape
    assert np.abs(gray.astype(int) - expected).max() <= (0 if file_format != "JPEG" else 2)
    assert files.probe(str(place)).shape == image.pixels.shape


@pytest.mark.parametrize("orientation", TURNED)
def test_colour_and_alpha_turn_together(tmp_path: Path, orientation: int) -> None:
    rgba = np.dstack([STORED, STORED // 2, STORED // 3, 255 - STORED])
    place = tmp_path / "turned.png"
    place.write_bytes(saved(picture_of(rgba), "PNG", exif=exif_of(orientation)))
    turned = np.array(TURNED[orientation], np.uint8) * np.uint8(40)
    expected = np.dstack([turned, turned // 2, turned // 3, 255 - turned])
    np.testing.assert_array_equal(cnnfilter.read_image(place), expected)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_means_nothing_changes_nothing(tmp_path: Path, orientation: int) -> None:
    place = tmp_path / "odd.png"
    place.write_bytes(saved(picture_of(STORED), "PNG", exif=exif_of(orientation)))
    np.testing.assert_array_equal(cnnfilter.read_image(place), STORED)


@pytest.mark.parametrize("file_format", ["PNG", "TIFF", "JPEG", "WEBP"])
def test_the_orientation_is_reset_in_what_is_written(tmp_path: Path, file_format: str) -> None:
    """What was turned once is not turned again."""
    place, again = tmp_path / f"a.{file_format.lower()}", tmp_path / f"b.{file_format.lower()}"
    place.write_bytes(saved(picture_of(np.dstack([STORED] * 3)), file_format, exif=exif_of(6)))
    image = files.read(str(place))
    files.write(str(again), image, image.format, WriteOptions())
    with PIL.Image.open(again) as picture:
        exif = picture.getexif()
        assert picture.size == (2, 3)
        assert exif.get(ORIENTATION, 1) == 1
        assert exif.get(MAKER) == "Maker"
    assert cnnfilter.read_image(again).shape == (3, 2, 3)
