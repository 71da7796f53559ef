"""Writing arrays as pictures, all or nothing."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import PIL.Image
import PIL.ImageCms
import pytest
from handmade import ALPHA, FLOATS, GRAY, GRAY16, INT32, RGB

import cnnfilter
from cnnfilter import FileError, ParameterError
from cnnfilter.errors import OutputError
from cnnfilter.images import encoding, files, formats, temporary
from cnnfilter.images.encoding import WriteOptions
from cnnfilter.images.image import Image

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Array = NDArray[Any]

pytestmark = pytest.mark.usefixtures("no_hanging")


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
    ("suffix", "alpha"),
    [(".jpg", ALPHA), (".bmp", ALPHA), (".ppm", ALPHA), (".png", ALPHA.astype(np.uint16))],
)
def test_alpha_is_dropped_with_a_warning_where_there_is_no_room(tmp_path: Path, suffix: str, alpha: Array) -> None:
    pixels = GRAY if alpha.dtype == np.uint16 else RGB
    place = tmp_path / f"picture{suffix}"
    with pytest.warns(UserWarning, match="holds no transparency here; it is dropped"):
        cnnfilter.write_image(place, np.dstack([pixels, alpha]))
    assert cnnfilter.read_image(place).shape == pixels.shape


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


def written_for_later(place: Path) -> temporary.Written:
    """A file with b"new" in it that has not taken its place."""
    with temporary.committed_later() as left, temporary.replacing(str(place)) as file:
        file.write(b"new")
    (written,) = left
    return written


def test_a_file_that_is_committed_later_is_not_there_before(folder: Path) -> None:
    place = folder / "picture.png"
    place.write_bytes(b"old")
    place.chmod(0o640)
    written = written_for_later(place)
    assert place.read_bytes() == b"old"
    files.commit(written)
    assert (place.read_bytes(), place.stat().st_mode & 0o777) == (b"new", 0o640)
    assert list(folder.iterdir()) == [place]
    written.remove()  # as one does who cannot know that it has been committed
    assert place.read_bytes() == b"new"


def test_a_file_that_is_committed_later_keeps_the_link_to_it(folder: Path) -> None:
    (folder / "there").mkdir()
    link = folder / "picture.png"
    link.symlink_to(folder / "there" / "real.png")
    files.commit(written_for_later(link))
    assert link.is_symlink()
    assert (folder / "there" / "real.png").read_bytes() == b"new"


@pytest.mark.parametrize("mask", [0o777, 0o700, 0o200])
def test_a_file_that_is_committed_later_can_be_opened_whatever_the_umask(
    folder: Path, umask: Callable[[int], None], mask: int
) -> None:
    umask(mask)
    written = written_for_later(folder / "picture.png")
    assert Path(written.unfinished).stat().st_mode & 0o777 == 0o600
    files.commit(written)
    assert (folder / "picture.png").stat().st_mode & 0o777 == 0o666 & ~mask


def test_a_file_that_cannot_be_committed_changes_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = folder / "picture.png"
    place.write_bytes(b"old")
    written = written_for_later(place)

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match=r"picture\.png: cannot be written: no space left on device") as caught:
        files.commit(written)
    assert caught.value.is_lasting
    assert list(folder.iterdir()) == [place]
    assert place.read_bytes() == b"old"
