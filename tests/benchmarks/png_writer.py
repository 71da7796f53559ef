"""Speed and size of the fast PNG writer next to Pillow's at levels 1 and 6, after a check that Pillow reads it.

    python tests/benchmarks/png_writer.py [--rounds N] [--json FILE] [WORD...]

runs the rows whose name holds all the words, such as `photograph RGB 12MP`. The pictures are made from the samples: a
photograph is one of them enlarged, with a sensor's noise; edges are its Sobel response; smooth is it blurred; flat is a
drawing. Rounds are interleaved and medians shown; level 6 is timed once. Both sides write to memory. The table gives
milliseconds with all processors and with one thread, how many times faster than level 1 that is, and the size as
a share of that of both levels.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import geometric_mean, median
from typing import TYPE_CHECKING, Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import PIL
import PIL.Image
import PIL.ImageDraw

import cnnfilter
from cnnfilter.images import png
from cnnfilter.images.image import Image

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Array = NDArray[Any]

HARBOR = Path(__file__).parents[2] / "samples" / "harbor.jpg"
CLASSES = ("photograph", "edges", "smooth", "flat")
KINDS = ("gray", "gray-16", "RGB", "RGBA")
HEADINGS = ("all", "one", "level1", "level6")
TIMES = ("all_ms", "one_ms", "level1_ms", "level6_ms")
RATIOS = ("faster", "faster_one", "size_1", "size_6")
SIZES = {"tiny": (32, 32), "1MP": (866, 1155), "4MP": (1732, 2309), "12MP": (3000, 4000)}


def photograph(height: int, width: int) -> Array:
    """The harbour enlarged, 0..255, with the noise of a sensor: more where it is brighter."""
    enlarged = PIL.Image.open(HARBOR).convert("RGB").resize((width, height), PIL.Image.Resampling.BICUBIC)
    levels = np.asarray(enlarged, np.float32)
    noise = np.random.default_rng(0).standard_normal(levels.shape, np.float32)
    return np.clip(levels + noise * (1 + np.sqrt(levels) / 8), 0, 255)


def drawing(height: int, width: int) -> Array:
    """Axes, bars, discs and lines of text in few colours."""
    picture = PIL.Image.new("RGB", (width, height), "white")
    draw = PIL.ImageDraw.Draw(picture)
    rng = np.random.default_rng(1)
    for _ in range(40):
        x, y, size = (int(rng.integers(low, high)) for low, high in ((0, width), (0, height), (2, max(3, width // 8))))
        colour = tuple(int(c) for c in rng.choice([0, 64, 128, 192, 255], 3))
        shape = draw.ellipse if rng.integers(2) else draw.rectangle
        shape((x, y, x + size, y + size), fill=colour, outline="black")
    for line in range(0, height, 24):
        draw.text((4 + line % 70, line), "The quick brown fox jumps over the lazy dog. " * 2, fill="black")
    return np.asarray(picture, np.float32)


def picture(look: str, kind: str, size: tuple[int, int]) -> Array:
    """A picture of one class and kind as an array."""
    levels = drawing(*size) if look == "flat" else photograph(*size)
    if look == "smooth":
        levels = np.asarray(cnnfilter.convolve(levels, "gaussian:31:6"))
    top, dtype = (65535, np.uint16) if kind == "gray-16" else (255, np.uint8)
    samples = np.rint(levels * (top / 255)).astype(dtype)
    if kind.startswith("gray"):
        samples = samples[:, :, 1]
    samples = np.ascontiguousarray(samples)
    if look == "edges":
        samples = np.asarray(cnnfilter.convolve(samples, "sobel-v", mapping="abs"))
    if kind == "RGBA":  # a soft vignette
        y, x = np.ogrid[-1 : 1 : size[0] * 1j, -1 : 1 : size[1] * 1j]
        return np.dstack([samples, np.clip(400 * (1.2 - np.hypot(x, y)), 0, 255).astype(np.uint8)])
    return samples


def as_image(array: Array) -> Image:
    return Image(array) if array.ndim == 2 or array.shape[2] == 3 else Image(array[:, :, :3], array[:, :, 3])


@dataclass(frozen=True)
class Row:
    """One picture for all writers."""

    name: str
    array: Array

    def ours(self, threads: int | None) -> Callable[[], bytes]:
        image = as_image(self.array)

        def work() -> bytes:
            file = io.BytesIO()
            png.write(image, file)
            return file.getvalue()

        def limited() -> bytes:
            cnnfilter.set_threads(threads)
            try:
                return work()
            finally:
                cnnfilter.set_threads(None)

        return limited

    def pillow(self, level: int) -> Callable[[], bytes]:
        image = PIL.Image.fromarray(self.array)

        def work() -> bytes:
            file = io.BytesIO()
            image.save(file, "PNG", compress_level=level)
            return file.getvalue()

        return work

    def is_right(self) -> bool:
        """Whether Pillow reads what was written."""
        return np.array_equal(np.asarray(PIL.Image.open(io.BytesIO(self.ours(None)()))), self.array)

    def measured(self, rounds: int) -> dict[str, float]:
        """Median milliseconds of each writer and the sizes of its files."""
        works = {"all": self.ours(None), "one": self.ours(1), "level1": self.pillow(1), "level6": self.pillow(6)}
        repeats = max(1, 50_000 // self.array.size)  # a tiny picture many times
        times: dict[str, list[float]] = {name: [] for name in works}
        sizes = {}
        for number in range(rounds):
            for name, work in works.items():
                if name == "level6" and number:
                    continue
                start = time.perf_counter()
                for _ in range(repeats):
                    data = work()
                times[name].append((time.perf_counter() - start) * 1000 / repeats)
                sizes[name] = len(data)
        result = {f"{name}_ms": median(taken) for name, taken in times.items()}
        result |= {"bytes": sizes["all"], "level1_bytes": sizes["level1"], "level6_bytes": sizes["level6"]}
        result["faster"] = result["level1_ms"] / result["all_ms"]
        result["faster_one"] = result["level1_ms"] / result["one_ms"]
        result["size_1"], result["size_6"] = (sizes["all"] / sizes[name] for name in ("level1", "level6"))
        return result


def rows(words: list[str]) -> Iterator[Row]:
    for look in CLASSES:
        for kind in KINDS:
            for name, size in SIZES.items():
                name = f"{look} {kind} {name}"
                if all(word in name.split() for word in words):
                    yield Row(name, picture(look, kind, size))


def line(name: str, values: dict[str, Any]) -> str:
    """A line of the table."""
    times = "".join(f"{values[key]:8.1f}" if key in values else " " * 8 for key in TIMES)
    ratios = "".join(f"{values[key]:8.3f}" for key in RATIOS)
    return f"{name:27}{times}{ratios}" + "  READ WRONG" * (not values.get("right", True))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", help="run the rows whose name holds all of these")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="also write the measurements to this file")
    options = parser.parse_args()
    print(f"{'':27} {'milliseconds':^31} {'times faster':^15} {'size against':^15}")
    print(f"{'picture':27}" + "".join(f"{word:>8}" for word in [*HEADINGS, *HEADINGS]))
    records: list[dict[str, Any]] = []
    for row in rows(options.words):
        records.append({"picture": row.name, "right": row.is_right(), **row.measured(options.rounds)})
        print(line(row.name, records[-1]), flush=True)
    for look in CLASSES:
        of_class = [r for r in records if r["picture"].startswith(look) and not r["picture"].endswith("tiny")]
        if of_class:
            print(line(f"{look}, geometric mean", {key: geometric_mean([r[key] for r in of_class]) for key in RATIOS}))
    if options.json:
        versions = {"numpy": np.__version__, "pillow": PIL.__version__, "cores": os.cpu_count()}
        options.json.write_text(json.dumps({**versions, "rows": records}, indent=1) + "\n", encoding="utf-8")
    return 0 if all(record["right"] for record in records) else 1


if __name__ == "__main__":
    sys.exit(main())
