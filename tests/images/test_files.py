"""Reading and writing picture files: what arrives, what is refused, what is kept, and all-or-nothing writes."""

from __future__ import annotations

import io
import os
import socket
import stat
import struct
import time
import zlib
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import PIL.Image
import PIL.ImageCms
import pytest

import cnnfilter
from cnnfilter import FileError, ParameterError
from cnnfilter.images import encoding, files, formats, temporary
from cnnfilter.images.encoding import WriteOptions
from cnnfilter.images.image import Image, Metadata

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    Array = NDArray[Any]

pytestmark = pytest.mark.usefixtures("no_hanging")
ORIENTATION, MAKER = 0x0112, 0x010F

# ---------------------------------------------------------------------------------------------------------------------
# Files by hand


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, bits: int, colour: int, rows: list[bytes], *extra: tuple[bytes, bytes]) -> bytes:
    """A PNG; `colour` is 0 gray, 2 RGB, 3 palette, 4 gray and alpha, 6 RGBA; `extra` chunks come before the data."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    chunks = [chunk(b"IHDR", header), *(chunk(*e) for e in extra), chunk(b"IDAT", data), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def png16(samples: Array, colour: int, *extra: tuple[bytes, bytes]) -> bytes:
    """A PNG of 16-bit samples, height x width [x channels]."""
    return png(samples.shape[1], samples.shape[0], 16, colour, [row.astype(">u2").tobytes() for row in samples], *extra)


def tiff(array: Array, order: str, *, zero_is_white: bool = False) -> bytes:
    """An uncompressed gray TIFF in the byte order `<` or `>`."""
    height, width = array.shape
    data = array.astype(array.dtype.newbyteorder("<" if order == "<" else ">")).tobytes()
    kinds = {"u": 1, "i": 2, "f": 3}
    tags = [
        (256, 4, width),
        (257, 4, height),
        (258, 3, array.dtype.itemsize * 8),
        (259, 3, 1),
        (262, 3, 0 if zero_is_white else 1),
        (273, 4, 8),
        (277, 3, 1),
        (278, 4, height),
        (279, 4, len(data)),
        (339, 3, kinds[array.dtype.kind]),
    ]
    short, long = order + "HHIHxx", order + "HHII"
    entries = b"".join(struct.pack(short if kind == 3 else long, tag, kind, 1, value) for tag, kind, value in tags)
    padded = data + b"\0" * (len(data) % 2)
    magic = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, 8 + len(padded))
    return magic + padded + struct.pack(order + "H", len(tags)) + entries + b"\0\0\0\0"


def npy(array: Array, *, pickles: bool = False) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, array, allow_pickle=pickles)
    return file.getvalue()


def npy_header(text: str, version: bytes = b"\x01\x00") -> bytes:
    """The beginning of an npy file with any text as its header."""
    padded = (text + " " * (-(len(text) + 11) % 64) + "\n").encode("latin-1")
    return b"\x93NUMPY" + version + struct.pack("<H" if version[0] == 1 else "<I", len(padded)) + padded


def saved(picture: PIL.Image.Image, file_format: str, **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, format=file_format, **options)
    return file.getvalue()


def picture_of(array: Array, mode: str | None = None) -> PIL.Image.Image:
    picture = PIL.Image.fromarray(array)
    assert mode is None or picture.mode == mode
    return picture


def exif_of(orientation: int) -> bytes:
    exif = PIL.Image.Exif()
    exif[ORIENTATION] = orientation
    exif[MAKER] = "Maker"
    return exif.tobytes()


def srgb() -> bytes:
    return PIL.ImageCms.ImageCmsProfile(PIL.ImageCms.createProfile("sRGB")).tobytes()


GRAY = np.array([[0, 40, 80], [120, 160, 255]], np.uint8)
ALPHA = np.array([[0, 1, 128], [254, 255, 7]], np.uint8)
RGB = np.arange(18, dtype=np.uint8).reshape(2, 3, 3) * 14
GRAY16 = np.array([[0, 1, 256], [258, 40000, 65535]], np.uint16)
INT32 = np.array([[-5, 0, 255], [256, 70000, 2**31 - 1]], np.int32)
FLOATS = np.array([[-1.5, 0, 0.1], [1e-30, 3.4e38, 255.5]], np.float32)
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


def test_read_image_gives_alpha_as_the_last_channel(case: Case, path: str) -> None:
    expected = case.pixels if case.alpha is None else np.dstack([case.pixels, case.alpha])
    np.testing.assert_array_equal(cnnfilter.read_image(path), expected, strict=True)


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
    assert np.abs(cnnfilter.read_image(place) - deep / 257).max() <= 1


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


# ---------------------------------------------------------------------------------------------------------------------
# What is refused

EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n%%EOF\n"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>'
GOOD_PNG = saved(picture_of(np.arange(2500, dtype=np.uint16).reshape(50, 50).astype(np.uint8)), "PNG")
NOT_PICTURES = {
    "eps": EPS,
    "svg": SVG,
    "pdf": b"%PDF-1.4\n1 0 obj <<>> endobj\n%%EOF",
    "text": b"this is no picture\n",
    "empty": b"",
    "zeros": bytes(1000),
    "one byte": b"\x89",
    "signature alone": b"\x89PNG\r\n\x1a\n",
    "header alone": GOOD_PNG[:33],
    "cut short": GOOD_PNG[:-400],
    "damaged": GOOD_PNG[:60] + bytes(40) + GOOD_PNG[100:],
    "no pixels": png(0, 0, 8, 0, []),
    "jpeg cut short": saved(picture_of(np.zeros((64, 64), np.uint8)), "JPEG")[:200],
    "tiff that points outside": b"II*\0\xff\xff\xff\x7f",
}


@pytest.mark.parametrize("name", NOT_PICTURES)
def test_what_is_no_picture_is_refused_by_its_content(tmp_path: Path, name: str) -> None:
    place = tmp_path / "picture.png"
    place.write_bytes(NOT_PICTURES[name])
    with pytest.raises(FileError) as caught:
        cnnfilter.read_image(place)
    assert str(place) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "Errno" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".png", ".eps", ".ps", ""])
def test_formats_that_call_other_programs_are_not_on_the_list(tmp_path: Path, suffix: str) -> None:
    place = tmp_path / f"drawing{suffix}"
    place.write_bytes(EPS)
    for reader in (files.read, files.probe):
        with pytest.raises(FileError, match=r"none of the formats|cannot be"):
            reader(str(place))


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.path,)


def zipped() -> bytes:
    file = io.BytesIO()
    np.savez(file, GRAY)
    return file.getvalue()


def promise(shape: str, descr: str = "|u1", data: bytes = b"") -> bytes:
    return npy_header(f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}") + data


BAD_ARRAYS = {
    "objects": npy(np.array([[1, None]], object), pickles=True),
    "complex": npy(np.zeros((2, 2), complex)),
    "bytes": npy(np.array([[b"a", b"b"]])),
    "text": npy(np.array([["a", "b"]])),
    "records": npy(np.zeros((2, 2), [("a", "u1"), ("b", "f4")])),
    "dates": npy(np.zeros((2, 2), "datetime64[s]")),
    "long floats": npy(np.zeros((2, 2), np.longdouble)),
    "no dimension": npy(np.array(5)),
    "one dimension": npy(np.arange(5)),
    "four dimensions": npy(np.zeros((2, 2, 2, 2), "uint8")),
    "no rows": npy(np.zeros((0, 5), "uint8")),
    "no columns": npy(np.zeros((5, 0), "uint8")),
    "no channels": npy(np.zeros((5, 5, 0), "uint8")),
    "cut short": npy(GRAY)[:-1],
    "no data": npy(GRAY)[:-6],
    "trailing bytes": npy(GRAY) + b"\0",
    "two arrays": npy(GRAY) + npy(GRAY),
    "terabytes": promise("(10000, 10000, 100000)", "<f4", bytes(100)),
    "more than any memory": promise("(2000000000, 2000000000, 2000000000)", "<f8", bytes(100)),
    "a size below zero": promise("(-1, 5)", data=bytes(5)),
    "sizes that are no numbers": promise("('a', 5)", data=bytes(5)),
    "a size that is a truth value": promise("(True, 5)", data=bytes(5)),
    "no header": b"\x93NUMPY\x01\x00\xff\xff",
    "a header that is no dictionary": npy_header("[1, 2, 3]"),
    "a header that is code": npy_header("__import__('os').getpid()"),
    "a header without end": npy_header("{'descr': '|u1', " + "(" * 5000),
    "an unknown version": b"\x93NUMPY\x09\x00" + npy(GRAY)[8:],
    "npz": zipped(),
    "a picture": saved(picture_of(GRAY), "PNG")[:20],
}


@pytest.mark.parametrize("name", BAD_ARRAYS)
def test_arrays_that_are_no_pictures_are_refused(tmp_path: Path, name: str) -> None:
    place = tmp_path / "array.npy"
    place.write_bytes(BAD_ARRAYS[name])
    with pytest.raises(FileError) as caught:
        cnnfilter.read_image(place)
    assert str(place) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_pickles_are_never_loaded(tmp_path: Path) -> None:
    trap, place = tmp_path / "sprung", tmp_path / "trap.npy"
    place.write_bytes(npy(np.array([[Trap(str(trap))]], object), pickles=True))
    with pytest.raises(FileError):
        cnnfilter.read_image(place)
    assert not trap.exists()


@pytest.mark.parametrize(
    "kind", ["fifo", "device", "folder", "missing", "dangling", "loop", "socket", "through a file"]
)
@pytest.mark.parametrize("reader", [files.read, files.probe])
def test_what_is_no_file_is_refused_without_waiting(tmp_path: Path, kind: str, reader: Callable[[str], object]) -> None:
    place = tmp_path / "place.png"
    with socket.socket(socket.AF_UNIX) as listener:
        if kind == "fifo":
            os.mkfifo(place)
        elif kind == "device":
            place.symlink_to("/dev/zero")
        elif kind == "folder":
            place.mkdir()
        elif kind == "dangling":
            place.symlink_to("nowhere.png")
        elif kind == "loop":
            place.symlink_to(place)
        elif kind == "socket":
            folder = os.open(tmp_path, os.O_RDONLY)  # the name of a socket has to be short
            listener.bind(f"/proc/self/fd/{folder}/place.png")
            os.close(folder)
        elif kind == "through a file":
            place.write_bytes(GOOD_PNG)
            place = place / "picture.png"
        with pytest.raises(FileError) as caught:
            reader(str(place))
    assert str(place) in str(caught.value)


def test_a_name_with_a_null_is_refused() -> None:
    with pytest.raises(FileError):
        cnnfilter.read_image("a\0b.png")


# ---------------------------------------------------------------------------------------------------------------------
# Limits


@pytest.mark.parametrize("suffix", [".png", ".npy", ".tif", ".bmp"])
def test_a_picture_of_just_the_limit_is_read_and_a_larger_one_refused(tmp_path: Path, suffix: str) -> None:
    place = tmp_path / f"picture{suffix}"
    cnnfilter.write_image(place, np.zeros((6, 7), np.uint8))
    assert cnnfilter.read_image(place, max_pixels=42).shape == (6, 7)
    assert files.probe(str(place), 42).shape == (6, 7)
    for reader in (files.read, files.probe):
        with pytest.raises(FileError, match=r"42.*41.*--max-pixels") as caught:
            reader(str(place), 41)
        assert str(place) in str(caught.value)


def test_channels_do_not_count_as_pixels(tmp_path: Path) -> None:
    place = tmp_path / "picture.npy"
    cnnfilter.write_image(place, np.zeros((6, 7, 30), np.uint8))
    assert cnnfilter.read_image(place, max_pixels=42).shape == (6, 7, 30)


@pytest.mark.parametrize(
    ("width", "height", "limit"), [(20000, 7501, 150_000_000), (2**31 - 1, 2**31 - 1, None), (60000, 60000, 10**9)]
)
def test_bombs_are_refused_from_the_header(tmp_path: Path, width: int, height: int, limit: int | None) -> None:
    place = tmp_path / "bomb.png"
    place.write_bytes(png(width, height, 1, 0, [bytes(100)]))
    started = time.monotonic()
    with pytest.raises(FileError, match="--max-pixels"):
        files.read(str(place), *([] if limit is None else [limit]))
    assert time.monotonic() - started < 1


@pytest.mark.parametrize("pixels", [100_000_000, 200_000_000])
def test_the_limit_takes_the_place_of_pillows_own(tmp_path: Path, pixels: int) -> None:
    place, limit = tmp_path / "large.png", PIL.Image.MAX_IMAGE_PIXELS
    place.write_bytes(png(10_000, pixels // 10_000, 1, 0, []))
    assert files.probe(str(place), pixels).shape == (pixels // 10_000, 10_000)
    assert limit == PIL.Image.MAX_IMAGE_PIXELS


def test_a_terabyte_promised_takes_no_time(tmp_path: Path) -> None:
    place = tmp_path / "array.npy"
    place.write_bytes(promise("(10000, 10000, 100000)", "<f4", bytes(100)))
    started = time.monotonic()
    with pytest.raises(FileError, match=r"cut short|promise|bytes"):
        cnnfilter.read_image(place)
    assert time.monotonic() - started < 1


# ---------------------------------------------------------------------------------------------------------------------
# Writing arrays

LOSSLESS = [".png", ".tif", ".tiff", ".bmp", ".npy", ".tga"]


@pytest.mark.parametrize("suffix", LOSSLESS)
@pytest.mark.parametrize("array", [GRAY, RGB, GRAY[:1, :1]], ids=["gray", "rgb", "pixel"])
def test_what_was_written_is_read(tmp_path: Path, suffix: str, array: Array) -> None:
    place = tmp_path / f"picture{suffix}"
    cnnfilter.write_image(place, array)
    np.testing.assert_array_equal(cnnfilter.read_image(place), array, strict=True)
    if suffix != ".npy":
        with PIL.Image.open(place) as picture:
            np.testing.assert_array_equal(np.asarray(picture), array)


@pytest.mark.parametrize(
    ("suffix", "array"),
    [
        (".png", GRAY16),
        (".tif", GRAY16),
        (".tif", FLOATS),
        (".png", np.dstack([GRAY, ALPHA])),
        (".png", np.dstack([RGB, ALPHA])),
        (".tif", np.dstack([RGB, ALPHA])),
        (".npy", GRAY16),
        (".npy", FLOATS),
        (".npy", INT32),
        (".npy", np.dstack([GRAY16] * 3)),
        (".npy", np.dstack([FLOATS] * 5)),
    ],
)
def test_depths_and_alpha_survive_where_the_format_has_room(tmp_path: Path, suffix: str, array: Array) -> None:
    place = tmp_path / f"picture{suffix}"
    cnnfilter.write_image(place, array)
    np.testing.assert_array_equal(cnnfilter.read_image(place), array, strict=True)


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.array([[True, False]]), [[255, 0]]),
        (np.array([[-3, 0, 255, 256]], np.int32), [[0, 0, 255, 255]]),
        (np.array([[0.5, 1.5, 2.49, 254.5, 300, -0.5, -7]], np.float32), [[1, 2, 2, 255, 255, 0, 0]]),
        (np.array([[0.5, 1.5, 300]]), [[1, 2, 255]]),
        (GRAY[:, :, None], GRAY.tolist()),
        (GRAY[::-1, ::-1], GRAY[::-1, ::-1].tolist()),
        (np.asfortranarray(GRAY), GRAY.tolist()),
        (GRAY.astype(">u2"), GRAY.tolist()),
    ],
)
def test_other_samples_become_levels(tmp_path: Path, array: Array, expected: list[list[int]]) -> None:
    place = tmp_path / "picture.png"
    cnnfilter.write_image(place, array)
    with PIL.Image.open(place) as picture:
        assert np.asarray(picture).tolist() == expected


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg", ".webp", ".avif", ".jp2"])
def test_formats_that_lose_a_little(tmp_path: Path, suffix: str) -> None:
    smooth = np.tile(np.linspace(40, 200, 32).astype(np.uint8), (32, 1))
    place = tmp_path / f"picture{suffix}"
    cnnfilter.write_image(place, np.dstack([smooth] * 3))
    assert np.abs(cnnfilter.read_image(place).astype(int) - smooth[:, :, None]).max() <= 8


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("a.xyz", GRAY),
        ("a", GRAY),
        ("a.", GRAY),
        (".png", GRAY),
        ("a.png.txt", GRAY),
        ("a.gif", GRAY),
        ("a.eps", GRAY),
        ("a.pdf", GRAY),
        ("a.png", np.zeros((2, 2, 5), np.uint8)),
        ("a.png", np.zeros((0, 2), np.uint8)),
        ("a.png", np.zeros(4, np.uint8)),
        ("a.png", np.zeros((2, 2), complex)),
        ("a.png", np.array([["a"]])),
        ("a.png", np.array([[None]])),
        ("a.png", np.array([[np.nan]])),
        ("a.png", np.array([[np.inf, 1]])),
        ("a.png", np.dstack([GRAY16] * 3)),
        ("a.jpg", GRAY16),
        ("a.npy", np.array([[None]])),
    ],
)
def test_what_cannot_be_written_is_wrong_usage_and_leaves_nothing(folder: Path, name: str, array: Array) -> None:
    with pytest.raises(ParameterError) as caught:
        cnnfilter.write_image(name, array)
    assert caught.value.exit_code == 2
    assert list(folder.iterdir()) == []


def test_a_refused_suffix_is_named(folder: Path) -> None:
    with pytest.raises(ParameterError, match=r"\.xyz.*\.png"):
        cnnfilter.write_image("a.xyz", GRAY)


def test_sixteen_bits_in_colour_name_what_can_hold_them(folder: Path) -> None:
    with pytest.raises(ParameterError, match=r"npy"):
        cnnfilter.write_image("a.png", np.dstack([GRAY16] * 3))


@pytest.mark.parametrize(("options", "smaller"), [(WriteOptions(png_level=9), WriteOptions(png_level=0))])
def test_png_levels(tmp_path: Path, options: WriteOptions, smaller: WriteOptions) -> None:
    array = np.zeros((100, 100), np.uint8)
    for name, chosen in (("nine", options), ("none", smaller)):
        cnnfilter.write_image(tmp_path / f"{name}.png", array, options=chosen)
        np.testing.assert_array_equal(cnnfilter.read_image(tmp_path / f"{name}.png"), array)
    assert (tmp_path / "nine.png").stat().st_size < 400
    assert (tmp_path / "none.png").stat().st_size > 10_000


@pytest.mark.parametrize("suffix", [".jpg", ".webp"])
def test_quality(tmp_path: Path, suffix: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    sizes = []
    for quality in (10, 90):
        place = tmp_path / f"{quality}{suffix}"
        cnnfilter.write_image(place, noise, options=WriteOptions(quality=quality))
        sizes.append(place.stat().st_size)
    assert sizes[0] < sizes[1] / 2


# ---------------------------------------------------------------------------------------------------------------------
# Metadata


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


# ---------------------------------------------------------------------------------------------------------------------
# All or nothing


@pytest.fixture
def umask() -> Iterator[Callable[[int], None]]:
    before = os.umask(0o022)
    os.umask(before)

    def change(mask: int) -> None:
        os.umask(mask)

    yield change
    os.umask(before)


def interrupted(path: str, fault: type[BaseException]) -> None:
    with temporary.replacing(path) as file:
        file.write(b"half of it")
        raise fault


@pytest.mark.parametrize("fault", [ValueError, OSError, MemoryError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("exists", [True, False])
def test_a_fault_while_writing_changes_nothing(folder: Path, fault: type[BaseException], exists: bool) -> None:
    place = folder / "picture.png"
    if exists:
        place.write_bytes(b"old")
    with pytest.raises(fault):
        interrupted(str(place), fault)
    assert [entry.name for entry in folder.iterdir()] == ["picture.png"] * exists
    assert not exists or place.read_bytes() == b"old"


def test_a_picture_that_the_encoder_refuses_leaves_the_old_file(folder: Path) -> None:
    place = folder / "picture.webp"
    place.write_bytes(b"old")
    with pytest.raises(FileError, match=r"picture\.webp.*webp"):
        files.write(str(place), Image(np.zeros((1, 17000, 3), np.uint8)), formats.by_name("webp"), WriteOptions())
    assert place.read_bytes() == b"old"
    assert list(folder.iterdir()) == [place]


def test_a_reader_sees_the_old_file_until_the_new_one_is_whole(folder: Path) -> None:
    place = folder / "picture.png"
    place.write_bytes(b"old")
    with temporary.replacing(str(place)) as file:
        file.write(b"new")
        file.flush()
        assert place.read_bytes() == b"old"
    assert place.read_bytes() == b"new"
    assert list(folder.iterdir()) == [place]


def test_a_reader_that_has_it_open_keeps_the_old_file(folder: Path) -> None:
    place = folder / "picture.png"
    place.write_bytes(b"old")
    with place.open("rb") as reader:
        cnnfilter.write_image(place, GRAY)
        assert reader.read() == b"old"


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0o077, 0o600), (0, 0o666)])
def test_new_files_have_the_permissions_that_the_umask_leaves(
    folder: Path, umask: Callable[[int], None], mask: int, mode: int
) -> None:
    umask(mask)
    cnnfilter.write_image("picture.png", GRAY)
    assert stat.S_IMODE((folder / "picture.png").stat().st_mode) == mode
    now = os.umask(mask)
    assert now == mask


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o666])
def test_a_file_that_is_replaced_keeps_its_permissions(folder: Path, mode: int) -> None:
    place = folder / "picture.png"
    place.write_bytes(b"old")
    place.chmod(mode)
    cnnfilter.write_image(place, GRAY)
    assert stat.S_IMODE(place.stat().st_mode) == mode
    np.testing.assert_array_equal(cnnfilter.read_image(place), GRAY)


def test_a_symbolic_link_stays_one(folder: Path) -> None:
    (folder / "store").mkdir()
    target, link = folder / "store" / "target.png", folder / "link.png"
    target.write_bytes(b"old")
    link.symlink_to("store/target.png")
    cnnfilter.write_image(link, GRAY)
    assert link.is_symlink()
    np.testing.assert_array_equal(cnnfilter.read_image(target), GRAY)
    assert sorted(entry.name for entry in folder.rglob("*")) == ["link.png", "store", "target.png"]


@pytest.mark.parametrize("name", ["missing/picture.png", "file.png/picture.png", "x" * 300 + ".png"])
def test_a_place_that_cannot_be_written_is_a_file_error(folder: Path, name: str) -> None:
    (folder / "file.png").write_bytes(b"old")
    with pytest.raises(FileError) as caught:
        cnnfilter.write_image(name, GRAY)
    assert name in str(caught.value)
    assert (folder / "file.png").read_bytes() == b"old"
    assert len(list(folder.iterdir())) == 1


def test_a_full_device_is_a_file_error(folder: Path) -> None:
    (folder / "full.png").symlink_to("/dev/full")
    with pytest.raises(FileError, match=r"full\.png.*[Nn]o space"):
        cnnfilter.write_image("full.png", GRAY)


def test_names_of_255_bytes_can_be_written(folder: Path) -> None:
    name = "n" * 251 + ".png"
    cnnfilter.write_image(name, GRAY)
    np.testing.assert_array_equal(cnnfilter.read_image(name), GRAY)


def test_names_that_are_not_utf_8_can_be_written(folder: Path) -> None:
    name = os.fsdecode(b"caf\xe9\n\x1b[31m.png")
    cnnfilter.write_image(name, GRAY)
    np.testing.assert_array_equal(cnnfilter.read_image(name), GRAY)
    assert os.listdir(os.fsencode(folder)) == [b"caf\xe9\n\x1b[31m.png"]


@pytest.mark.parametrize("name", ["picture.png", "picture.jpg", "picture.npy", "picture.tif"])
def test_the_size_is_told(folder: Path, name: str) -> None:
    size = files.write(name, Image(GRAY), formats.for_output(name), WriteOptions())
    assert size == (folder / name).stat().st_size


@pytest.mark.parametrize("name", ["png", "jpeg", "webp", "tiff", "npy", "bmp"])
def test_encoded_bytes_are_those_of_the_file(folder: Path, name: str) -> None:
    file_format = formats.by_name(name)
    place = f"picture{file_format.suffixes[0]}"
    files.write(place, Image(GRAY), file_format, WriteOptions())
    assert encoding.encoded(Image(GRAY), file_format, WriteOptions()) == (folder / place).read_bytes()
