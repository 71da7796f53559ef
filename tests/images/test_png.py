"""The fast PNG writer: what Pillow decodes is what was written, whatever filter and strategy were chosen."""

import io
import itertools
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import png_reference
import pytest
from hypothesis import given, settings, strategies as st
from places import SAMPLES

import cnnfilter
from cnnfilter.images import files, formats, png, recipes, row_filters
from cnnfilter.images.encoding import WriteOptions
from cnnfilter.images.image import Image, Metadata
from cnnfilter.images.recipes import Recipe

CHANNELS = {"gray": 0, "gray and alpha": 1, "RGB": 3, "RGBA": 4}


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


def stacked(image: Image) -> np.ndarray:
    return np.dstack([image.pixels] if image.alpha is None else [image.pixels, image.alpha])


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 20),
    st.integers(1, 20),
    st.sampled_from(sorted(CHANNELS)),
    st.sampled_from([np.uint8, np.uint16]),
    st.sampled_from(["noise", "ramp", "flat"]),
    st.integers(0, 9),
)
def test_every_kind_of_picture_comes_back(
    height: int, width: int, kind: str, dtype: Any, texture: str, seed: int
) -> None:
    image = picture(height, width, CHANNELS[kind], dtype, texture, seed)
    assert png_reference.read(written(image)).samples.tolist() == stacked(image).tolist()


@pytest.mark.parametrize("kind", sorted(CHANNELS))
@pytest.mark.parametrize("texture", ["noise", "ramp", "flat"])
@pytest.mark.parametrize("threads", ["1", "3"])
def test_pillow_reads_bands_from_threads(
    kind: str, texture: str, threads: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CNNFILTER_THREADS", threads)
    monkeypatch.setattr(png, "LARGEST_BAND", 5000)
    image = picture(301, 157, CHANNELS[kind], np.uint8, texture)
    data = written(image)
    assert [tag for tag, _ in png_reference.read_chunks(data)].count(b"IDAT") > 5
    with PIL.Image.open(io.BytesIO(data)) as opened:
        np.testing.assert_array_equal(np.asarray(opened).reshape(301, 157, -1), stacked(image))


@pytest.mark.parametrize("kind", range(5))
@pytest.mark.parametrize("strategy", [zlib.Z_HUFFMAN_ONLY, zlib.Z_RLE, zlib.Z_DEFAULT_STRATEGY])
def test_every_recipe_is_decoded_alike(kind: int, strategy: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(png, "LARGEST_BAND", 700)
    monkeypatch.setattr(png, "choose", lambda *_: Recipe(kind, 6, strategy))
    image = picture(41, 13, 4, np.uint8, "ramp")
    assert png_reference.read(written(image)).samples.tolist() == stacked(image).tolist()


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
    assert [tag for tag, _ in png_reference.read_chunks(written(image, strip=True))] == [b"IHDR", b"IDAT", b"IEND"]


@pytest.mark.parametrize("height", [1, 6, 7, 8, 13, 14, 15, 21, 64])
def test_pictures_that_end_at_and_near_the_end_of_a_band(height: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(png, "LARGEST_BAND", 7 * 11)
    image = picture(height, 11, 0, np.uint8, "ramp")
    read = png_reference.read(written(image))
    assert read.samples.tolist() == stacked(image).tolist()
    assert len([tag for tag, _ in read.chunks if tag == b"IDAT"]) == -(-height // 7)


def test_bands_take_repetitions_from_the_band_before(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.random.default_rng(3).integers(0, 256, (20, 900), np.uint8)
    image = Image(np.tile(rows, (20, 1)))
    monkeypatch.setattr(png, "choose", lambda *_: Recipe(row_filters.NONE, 6, zlib.Z_DEFAULT_STRATEGY))
    monkeypatch.setattr(png, "LARGEST_BAND", 20 * 900)
    assert len(written(image)) < 1.2 * rows.size


@pytest.mark.parametrize("shape", [(1, 900_000), (3, 300_000), (900_000, 1), (300_000, 3), (1000, 900)])
@pytest.mark.parametrize("step", [1, 4])
def test_a_sample_is_small_and_of_whole_pixels_whatever_the_shape(shape: tuple[int, int], step: int) -> None:
    height, width = shape
    pixels = np.arange(height * width, dtype=np.uint32) % 1021 + 1  # whatever begins a pixel is in its first byte
    data = np.zeros((height, width, step), np.uint8)
    data[:, :, 0] = (pixels % 255 + 1).reshape(height, width)
    flat = data.reshape(height, width * step)
    now, before = recipes._sample(lambda first, last: flat[first:last], height, step)
    assert now.shape == before.shape
    assert recipes.LEAST_SAMPLE // 2 < now.size <= 1.5 * recipes.LARGEST_SAMPLE
    assert now.shape[1] % step == 0
    assert now[:, ::step].all()


def every_triple() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    a, b, c = np.meshgrid(*[np.arange(256, dtype=np.uint8)] * 3, indexing="ij")
    return a.ravel(), b.ravel(), c.ravel()


def test_paeth_is_right_for_every_three_neighbours() -> None:
    a, b, c = every_triple()
    out = np.empty_like(a)
    row_filters.predict_paeth(a, b, c, out)
    p = a.astype(np.int16) + b - c
    pa, pb, pc = np.abs(p - a), np.abs(p - b), np.abs(p - c)
    expected = np.where((pa <= pb) & (pa <= pc), a, np.where(pb <= pc, b, c))
    assert np.array_equal(out, expected)


def test_average_is_right_for_every_two_neighbours() -> None:
    a, b, c = every_triple()
    out = np.empty_like(a)
    row_filters.predict_average(a, b, c, out)
    assert np.array_equal(out, (a.astype(np.uint16) + b) // 2)


def harbour(look: str) -> np.ndarray:
    with PIL.Image.open(SAMPLES / "harbor.jpg") as opened:
        photograph = np.asarray(opened)
    if look == "photograph":
        return photograph
    if look == "edges":
        return cnnfilter.convolve(photograph, "sobel-v", mapping="abs")
    if look == "smooth":
        return cnnfilter.convolve(photograph, "gaussian:31:6", mapping="clip")
    if look == "framed":
        return np.pad(photograph, ((300, 300), (100, 100), (0, 0)), constant_values=255)
    return np.where(photograph > 128, np.uint8(255), np.uint8(0))


@pytest.mark.parametrize("look", ["photograph", "edges", "smooth", "framed", "flat"])
@pytest.mark.parametrize("kind", ["gray", "RGB"])
def test_files_of_a_photograph_are_about_as_small_as_pillows(look: str, kind: str) -> None:
    pixels = harbour(look) if kind == "RGB" else np.ascontiguousarray(harbour(look)[:, :, 1])
    full = io.BytesIO()
    PIL.Image.fromarray(pixels).save(full, "PNG", compress_level=6)
    assert len(written(Image(pixels))) <= 1.1 * len(full.getvalue())


def test_an_error_in_a_thread_reaches_the_caller_and_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = itertools.count()

    def failing(*arguments: Any) -> Any:
        if next(calls) == 3:
            raise MemoryError
        return row_filters.filtered(*arguments)

    monkeypatch.setenv("CNNFILTER_THREADS", "2")
    monkeypatch.setattr(png, "LARGEST_BAND", 5000)
    monkeypatch.setattr(png, "filtered", failing)
    image = picture(301, 157, 3, np.uint8, "noise")
    with pytest.raises(MemoryError):
        files.write(str(tmp_path / "out.png"), image, formats.PNG, WriteOptions())
    assert list(tmp_path.iterdir()) == []
    assert next(calls) < 20  # of 29 bands: the others were given up


class Nowhere(io.RawIOBase):
    """A file that forgets."""

    def write(self, data: Any) -> int:
        return len(data)


def test_memory_is_bounded_whatever_the_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CNNFILTER_THREADS", "2")
    image = picture(4000, 6000, 3, np.uint8, "flat")
    tracemalloc.start()
    try:
        png.write(image, Nowhere())  # type: ignore[arg-type]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 << 20  # of 72 MB


@pytest.mark.parametrize("texture", ["noise", "ramp", "flat"])
def test_files_are_about_as_small_as_those_of_a_full_search(texture: str) -> None:
    image = picture(200, 300, 3, np.uint8, texture)
    full = io.BytesIO()
    PIL.Image.fromarray(image.pixels).save(full, "PNG", compress_level=6)
    assert len(written(image)) <= 1.15 * len(full.getvalue()) + 64
