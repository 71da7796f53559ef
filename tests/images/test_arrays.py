"""From Pillow's picture to arrays: in bands as if it were at once, turned in tiles as if it were at once."""

import tracemalloc
from typing import Any

import numpy as np
import PIL.Image
import pytest

from cnnfilter.images import arrays

# In words of NumPy's own, by EXIF orientation.
TURNED: dict[int, Any] = {
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: lambda a: np.swapaxes(a, 0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(np.swapaxes(a, 0, 1), 2),
    8: lambda a: np.rot90(a, 1),
}


def noise(*shape: int, dtype: Any = np.uint8) -> np.ndarray:
    return np.random.default_rng(sum(shape)).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (64, 256), (65, 257), (130, 600, 3), (600, 130, 3)])
def test_every_orientation(orientation: int, shape: tuple[int, ...]) -> None:
    array = noise(*shape)
    turned = arrays.upright(array, orientation)
    assert np.array_equal(turned, TURNED[orientation](array))
    assert turned.flags.c_contiguous


@pytest.mark.parametrize("band", [1, 40, 41, 1 << 16])
@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "F", "I", "I;16"])
def test_bands_make_the_whole_picture(mode: str, band: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrays, "SMALL_PIXELS", 0)
    monkeypatch.setattr(arrays, "BAND_PIXELS", band)
    if mode in ("F", "I"):
        picture = PIL.Image.fromarray(noise(7, 20, dtype=np.int32).astype(np.float32 if mode == "F" else np.int32))
    elif mode == "I;16":
        picture = PIL.Image.fromarray(noise(7, 20, dtype=np.uint16))
    else:
        many = len(mode)
        picture = PIL.Image.fromarray(noise(7, 20, many) if many > 1 else noise(7, 20))
    assert picture.mode == mode
    whole = np.asarray(picture)
    pixels, alpha = arrays.arrays(picture, mode)
    if mode.endswith("A"):
        assert alpha is not None
        assert np.array_equal(alpha, whole[:, :, -1])
        whole = whole[:, :, 0] if mode == "LA" else whole[:, :, :3]
    assert np.array_equal(pixels, whole)
    assert pixels.dtype == whole.dtype
    assert pixels.flags.c_contiguous


@pytest.mark.parametrize(("stored", "transparency", "mode"), [
    ("P", 3, "RGBA"), ("P", None, "RGB"), ("L", 7, "LA"), ("RGB", (1, 2, 3), "RGBA"), ("1", None, "L"), ("1", 0, "LA"),
    ("CMYK", None, "RGB"), ("YCbCr", None, "RGB"), ("RGBa", None, "RGBA"),
])  # fmt: skip
def test_bands_convert_like_the_whole_picture(
    stored: str, transparency: Any, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = PIL.Image.fromarray(noise(9, 20, 3)).convert("RGBA" if stored == "RGBa" else "RGB").convert(stored)
    if transparency is not None:
        picture.info["transparency"] = transparency
    expected = np.asarray((picture.convert("L") if stored == "1" else picture).convert(mode))
    monkeypatch.setattr(arrays, "SMALL_PIXELS", 0)
    monkeypatch.setattr(arrays, "BAND_PIXELS", 40)
    pixels, alpha = arrays.arrays(picture, mode)
    together = pixels if alpha is None else np.dstack([pixels, alpha])
    assert np.array_equal(together, expected)


@pytest.mark.parametrize("mode", ["L", "RGB", "F", "I", "I;16"])
def test_small_pictures_are_taken_over_as_a_whole(mode: str) -> None:
    dtype = {"F": np.float32, "I": np.int32, "I;16": np.uint16}.get(mode, np.uint8)
    array = noise(7, 20, *[3] * (mode == "RGB"), dtype=np.uint8).astype(dtype)
    pixels, alpha = arrays.arrays(PIL.Image.fromarray(array), mode)
    assert np.array_equal(pixels, array)
    assert pixels.dtype == dtype
    assert alpha is None


def test_sixteen_bits_with_a_transparent_level(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrays, "SMALL_PIXELS", 0)
    monkeypatch.setattr(arrays, "BAND_PIXELS", 5)
    picture = PIL.Image.fromarray(np.arange(12, dtype=np.uint16).reshape(3, 4) * 1000)
    picture.info["transparency"] = 5000
    pixels, alpha = arrays.arrays(picture, "I;16A")
    assert pixels.tolist() == (np.arange(12).reshape(3, 4) * 1000).tolist()
    assert alpha is not None
    assert alpha.tolist() == [[65535] * 4, [65535, 0, 65535, 65535], [65535] * 4]


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_nothing_of_the_size_of_the_picture_is_made_but_the_arrays(mode: str) -> None:
    picture = PIL.Image.new(mode, (1500, 1000))
    tracemalloc.start()
    try:
        found = arrays.arrays(picture, mode)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1.3 * sum(part.nbytes for part in found if part is not None)
