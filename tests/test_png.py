"""The fast PNG writer: what Pillow decodes is what was written, whatever filter and strategy were chosen."""

import io
import struct
import zlib
from typing import Any

import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings, strategies as st

from cnnfilter.images import png
from cnnfilter.images.image import Image, Metadata

SAMPLES = {"gray": 0, "gray and alpha": 1, "RGB": 3, "RGBA": 4}


def picture(height: int, width: int, samples: int, dtype: Any, texture: str, seed: int = 0) -> Image:
    """A picture of noise, of a smooth ramp or of flat areas."""
    rng = np.random.default_rng(seed)
    shape = (height, width, max(samples, 1) + (samples == 1))
    top = np.iinfo(dtype).max
    if texture == "noise":
        pixels = rng.integers(0, top, shape, dtype=dtype, endpoint=True)
    elif texture == "ramp":
        y, x, c = np.indices(shape)
        pixels = ((3 * y + 5 * x + 40 * c) * (top // 255) % top).astype(dtype)
    else:
        pixels = np.broadcast_to(rng.integers(0, top, (1, 1, shape[2]), dtype=dtype), shape).copy()
        pixels[height // 2 :] = top
    alpha = pixels[:, :, -1] if samples in (1, 4) else None
    colour = pixels[:, :, :3] if samples in (3, 4) else pixels[:, :, 0]
    return Image(colour, alpha)


def written(image: Image, **options: Any) -> bytes:
    file = io.BytesIO()
    png.write(image, file, **options)
    return file.getvalue()


def chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    """(tag, content) of every chunk; checksums are checked."""
    assert data.startswith(png.SIGNATURE)
    found, at = [], len(png.SIGNATURE)
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        tag, content = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        assert struct.unpack(">I", data[at + 8 + length : at + 12 + length])[0] == zlib.crc32(tag + content)
        found.append((tag, content))
        at += 12 + length
    return found


def decoded(data: bytes, image: Image) -> np.ndarray:
    """Samples of all channels, decoded by this test: the scanlines unfiltered byte by byte."""
    parts = chunks(data)
    width, height, depth, colour = struct.unpack(">IIBB", parts[0][1][:10])
    samples = {0: 1, 4: 2, 2: 3, 6: 4}[colour]
    step = samples * depth // 8
    raw = zlib.decompress(b"".join(content for tag, content in parts if tag == b"IDAT"))
    row_bytes = width * step
    before = bytearray(row_bytes)
    rows = []
    for y in range(height):
        line = raw[y * (row_bytes + 1) : (y + 1) * (row_bytes + 1)]
        now = bytearray(line[1:])
        for i in range(row_bytes):
            a = now[i - step] if i >= step else 0
            b, c = before[i], before[i - step] if i >= step else 0
            nearest = min((abs(b - c), 0, a), (abs(a - c), 1, b), (abs(a + b - 2 * c), 2, c))[2]
            now[i] = (now[i] + (0, a, b, (a + b) // 2, nearest)[line[0]]) % 256
        rows.append(bytes(now))
        before = now
    flat = np.frombuffer(b"".join(rows), ">u2" if depth == 16 else np.uint8)
    return flat.reshape(height, width, samples).astype(image.pixels.dtype)


def stacked(image: Image) -> np.ndarray:
    return np.dstack([image.pixels] if image.alpha is None else [image.pixels, image.alpha])


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 20),
    st.integers(1, 20),
    st.sampled_from(sorted(SAMPLES)),
    st.sampled_from([np.uint8, np.uint16]),
    st.sampled_from(["noise", "ramp", "flat"]),
    st.integers(0, 9),
)
def test_every_kind_of_picture_comes_back(
    height: int, width: int, kind: str, dtype: Any, texture: str, seed: int
) -> None:
    image = picture(height, width, SAMPLES[kind], dtype, texture, seed)
    assert decoded(written(image), image).tolist() == stacked(image).tolist()


@pytest.mark.parametrize("kind", sorted(SAMPLES))
@pytest.mark.parametrize("texture", ["noise", "ramp", "flat"])
@pytest.mark.parametrize("threads", ["1", "3"])
def test_pillow_reads_bands_from_threads(
    kind: str, texture: str, threads: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CNNFILTER_THREADS", threads)
    monkeypatch.setattr(png, "BAND_BYTES", 5000)
    image = picture(301, 157, SAMPLES[kind], np.uint8, texture)
    data = written(image)
    assert len([tag for tag, _ in chunks(data) if tag == b"IDAT"]) > 5
    with PIL.Image.open(io.BytesIO(data)) as opened:
        np.testing.assert_array_equal(np.asarray(opened).reshape(301, 157, -1), stacked(image))


@pytest.mark.parametrize("kind", range(5))
@pytest.mark.parametrize("strategy", [zlib.Z_HUFFMAN_ONLY, zlib.Z_RLE, zlib.Z_DEFAULT_STRATEGY])
def test_every_recipe_is_decoded_alike(kind: int, strategy: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(png, "BAND_BYTES", 700)
    monkeypatch.setattr(png, "choose", lambda *_: png.Recipe(kind, 6, strategy))
    image = picture(41, 13, 4, np.uint8, "ramp")
    assert decoded(written(image), image).tolist() == stacked(image).tolist()


def test_threads_do_not_change_a_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    image = picture(900, 700, 3, np.uint8, "ramp")
    sizes = []
    for threads in ("2", "5"):
        monkeypatch.setenv("CNNFILTER_THREADS", threads)
        sizes.append(written(image))
    monkeypatch.setenv("CNNFILTER_THREADS", "1")
    assert sizes[0] == sizes[1] == written(image)


def test_metadata_is_written_unless_stripped() -> None:
    block = PIL.Image.Exif()
    block[271] = "a camera"
    metadata = Metadata(b"a profile", (300.0, 150.0), block.tobytes())
    image = Image(np.zeros((2, 2, 3), np.uint8), None, metadata=metadata)
    with PIL.Image.open(io.BytesIO(written(image))) as opened:
        assert opened.info["icc_profile"] == b"a profile"
        assert opened.info["dpi"] == pytest.approx((300, 150), abs=0.02)
        assert opened.getexif()[271] == "a camera"
    assert [tag for tag, _ in chunks(written(image, strip=True))] == [b"IHDR", b"IDAT", b"IEND"]


@pytest.mark.parametrize("texture", ["noise", "ramp", "flat"])
def test_files_are_about_as_small_as_those_of_a_full_search(texture: str) -> None:
    image = picture(200, 300, 3, np.uint8, texture)
    full = io.BytesIO()
    PIL.Image.fromarray(image.pixels).save(full, "PNG", compress_level=6)
    assert len(written(image)) <= 1.15 * len(full.getvalue()) + 64
