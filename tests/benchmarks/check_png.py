"""What others make of files of the fast PNG writer: Pillow, libvips and ImageMagick decode them, pngcheck judges them.

    python tests/benchmarks/check_png.py [FOLDER]

writes a picture of every kind, depth, texture and size, and others with metadata, and compares what each program
decodes with what was written, sample by sample. The programs are Debian's packages pngcheck, imagemagick and
libvips-tools; one that is missing is an error. FOLDER keeps the files. The end is a count, and exit code 1 if something
differs.
"""

from __future__ import annotations

import argparse
import itertools
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import PIL.Image
import PIL.ImageCms

from cnnfilter.images import png
from cnnfilter.images.image import Image, Metadata

sys.path.insert(0, str(Path(__file__).parents[1]))
import png_reference

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Array = NDArray[Any]

# The name in ImageMagick of raw samples, by samples a pixel.
RAW = {1: "gray", 2: "graya", 3: "rgb", 4: "rgba"}
TEXTURES = ("noise", "ramp", "flat", "mixed")
SIZES = ((1, 1), (1, 2), (2, 1), (1, 257), (257, 1), (1, 9000), (3, 3), (16, 16), (31, 33), (127, 129))
# About as large as a band, and several bands with a remainder.
LARGE = ((511, 513), (1031, 769))
SLOW = 20_000  # so many samples are left to the other readers
DPI = (300.0, 72.0)
MAKER = "cnnfilter's check"


@dataclass(frozen=True, eq=False)
class Case:
    """A picture, its samples (height, width, samples of a pixel), and whether it has metadata."""

    name: str
    samples: Array
    metadata: Metadata

    def write(self, folder: Path) -> Path:
        many = self.samples.shape[2]
        pixels = self.samples[:, :, :3] if many > 2 else self.samples[:, :, 0]
        path = folder / f"{self.name}.png"
        with path.open("wb") as file:
            png.write(Image(pixels, self.samples[:, :, -1] if many in (2, 4) else None, metadata=self.metadata), file)
        return path


def samples(texture: str, shape: tuple[int, int, int], dtype: Any) -> Array:
    """Noise, a ramp, two flat halves, or one of them in each quarter."""
    height, width, many = shape
    top = int(np.iinfo(dtype).max)
    rng = np.random.default_rng(height * 7 + width + many)
    if texture == "noise":
        return np.asarray(rng.integers(0, top, shape, dtype, endpoint=True))
    if texture == "ramp":
        y, x, c = np.ogrid[:height, :width, :many]
        return np.asarray((3 * y + 5 * x + 40 * c) * (top // 255) % (top + 1), dtype)
    if texture == "flat":
        out = np.empty(shape, dtype)
        out[: height // 2], out[height // 2 :] = rng.integers(0, top, many, dtype), top
        return out
    out = samples("flat", shape, dtype)
    out[: height // 2, : width // 2] = samples("noise", shape, dtype)[: height // 2, : width // 2]
    out[height // 2 :, width // 2 :] = samples("ramp", shape, dtype)[height // 2 :, width // 2 :]
    return out


def cases() -> Iterator[Case]:
    for many, dtype in itertools.product(RAW, (np.uint8, np.uint16)):
        kind = f"{RAW[many]}{8 * np.dtype(dtype).itemsize}"
        for texture, (height, width) in itertools.product(TEXTURES, SIZES + LARGE):
            name = f"{kind}-{texture}-{height}x{width}"
            yield Case(name, samples(texture, (height, width, many), dtype), Metadata())
        exif = PIL.Image.Exif()
        exif[271] = MAKER
        profile = PIL.ImageCms.ImageCmsProfile(PIL.ImageCms.createProfile("sRGB")).tobytes() if many > 2 else None
        yield Case(f"{kind}-metadata", samples("ramp", (9, 7, many), dtype), Metadata(profile, DPI, exif.tobytes()))


def run(*command: str) -> bytes:
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode or done.stderr:
        raise ValueError(f"{command[0]} gives {done.returncode}: {(done.stderr or done.stdout).decode()[:200]}")
    return done.stdout


def differences(case: Case, path: Path) -> Iterator[str]:
    """What is wrong with a file, in a line each."""
    expected = case.samples
    wide = expected.dtype == np.uint16
    if expected.size < SLOW and not np.array_equal(png_reference.read(path.read_bytes()).samples, expected):
        yield "the tests' own reader differs"
    with PIL.Image.open(path) as opened:
        seen = np.asarray(opened).reshape(*expected.shape[:2], -1)
    if wide and expected.shape[2] > 1:  # Pillow keeps the high bytes, and has no gray with alpha
        high = (expected >> 8).astype(np.uint8)
        if expected.shape[2] == 2 and seen.shape[2] == 4:
            seen = seen[:, :, 2:]
        if not np.array_equal(seen, high):
            yield "Pillow differs"
    elif not np.array_equal(seen, expected):
        yield "Pillow differs"
    raw = path.with_suffix(".raw")
    run("vips", "rawsave", str(path), str(raw))
    if raw.read_bytes() != expected.tobytes():
        yield "libvips differs"
    raw.unlink()
    order = ["-endian", "LSB" if sys.byteorder == "little" else "MSB"] if wide else []
    depth = str(8 * expected.dtype.itemsize)
    if run(convert(), str(path), "-depth", depth, *order, f"{RAW[expected.shape[2]]}:-") != expected.tobytes():
        yield "ImageMagick differs"
    if run("pngcheck", "-q", str(path)):
        yield "pngcheck has something to say"
    if case.metadata.dpi:
        yield from metadata_differences(case, path)


def metadata_differences(case: Case, path: Path) -> Iterator[str]:
    """Whether others find resolution, EXIF and profile."""
    with PIL.Image.open(path) as opened:
        if opened.getexif()[271] != MAKER or opened.info.get("icc_profile") != case.metadata.icc_profile:
            yield "Pillow reads other metadata"
    header = run("vipsheader", "-a", str(path)).decode()
    told = dict(line.split(": ", 1) for line in header.splitlines() if ": " in line)
    if [round(float(told[key]) * 25.4) for key in ("xres", "yres")] != list(DPI):
        yield "libvips reads another resolution"
    if MAKER not in told["exif-ifd0-Make"] or ("icc-profile-data" in told) != bool(case.metadata.icc_profile):
        yield "libvips reads other metadata"
    # ImageMagick 6 has no eye for EXIF in a PNG.
    resolution = run(convert(), str(path), "-units", "PixelsPerInch", "-format", "%x %y", "info:").decode()
    if [round(float(word)) for word in resolution.split()] != list(DPI):
        yield f"ImageMagick reads another resolution: {resolution}"
    if case.metadata.icc_profile and run(convert(), str(path), "icc:-") != case.metadata.icc_profile:
        yield "ImageMagick reads another profile"


def convert() -> str:
    """ImageMagick 7 is magick, before it was convert."""
    return shutil.which("magick") or "/usr/bin/convert"


def checked(case: Case, folder: Path) -> list[str]:
    try:
        return [f"{case.name}: {text}" for text in differences(case, case.write(folder))]
    except (AssertionError, OSError, ValueError) as error:
        return [f"{case.name}: {type(error).__name__} {error}"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path)
    options = parser.parse_args()
    missing = [name for name in ("vips", "vipsheader", "pngcheck", convert()) if shutil.which(name) is None]
    if missing:
        print(f"missing: {', '.join(missing)}; Debian has pngcheck, imagemagick and libvips-tools", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as temporary, ThreadPoolExecutor() as pool:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        found = list(pool.map(lambda case: checked(case, folder), cases()))
    for text in itertools.chain(*found):
        print(text)
    wrong = sum(map(bool, found))
    print(
        f"{len(found)} files, {len(found) - wrong} decoded alike by Pillow, libvips, ImageMagick and passed by pngcheck"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
