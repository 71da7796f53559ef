"""The speed of filters and pooling next to OpenCV's, row by row, after a check that both make the same picture.

    python tests/benchmarks/against_opencv.py [--rounds N] [--json FILE] [WORD...]

runs the rows whose name holds all the words. Both sides use all processors; rounds are interleaved, and the table shows
medians. Ratios are worth more than times: the two sides of a row meet the same machine at the same moment.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

import cnnfilter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Array = NDArray[Any]

cv2: Any = importlib.import_module("cv2")


@dataclass(frozen=True)
class Row:
    """One work for both; `within` is how far their samples may be apart."""

    name: str
    image: Array
    ours: Callable[[Array], Array]
    peer: Callable[[Array], Array]
    within: int = 0

    def difference(self) -> int:
        """The largest difference between two samples."""
        ours, peer = self.ours(self.image), self.peer(self.image)
        return int(np.abs(ours.astype(np.int32) - peer).max())

    def measured(self, rounds: int) -> tuple[float, float]:
        """Median milliseconds of both."""
        times: tuple[list[float], list[float]] = ([], [])
        for warm in [True] * 2 + [False] * rounds:
            for work, taken in zip((self.ours, self.peer), times, strict=True):
                start = time.perf_counter()
                work(self.image)
                if not warm:
                    taken.append((time.perf_counter() - start) * 1000)
        return median(times[0]), median(times[1])


def filtered(kernel: Any, mapping: str, **options: Any) -> Callable[[Array], Array]:
    return lambda image: cnnfilter.convolve(image, kernel, mapping=mapping, **options)


def pooled(kind: str, size: int, stride: int, mapping: str = "raw") -> Callable[[Array], Array]:
    return lambda image: cnnfilter.pool(image, kind, size=size, stride=stride, mapping=mapping)


def sobel_abs(image: Array) -> Array:
    result: Array = cv2.convertScaleAbs(cv2.Sobel(image, cv2.CV_16S, 1, 0))
    return result


def prewitt_abs(image: Array) -> Array:
    taps = np.array([[-1, -1, -1], [0, 0, 0], [1, 1, 1]], np.float32)
    result: Array = cv2.convertScaleAbs(cv2.filter2D(image, cv2.CV_16S, taps))
    return result


def filter2d(taps: Array) -> Callable[[Array], Array]:
    return lambda image: cv2.filter2D(image, -1, taps.astype(np.float32))


def gaussian(size: int) -> Callable[[Array], Array]:
    return lambda image: cv2.GaussianBlur(image, (size, size), 0)


def dilated(size: int, stride: int) -> Callable[[Array], Array]:
    """Maximum pooling without padding: OpenCV's dilation, then every stride-th pixel."""

    def work(image: Array) -> Array:
        tall = cv2.dilate(image, np.ones((size, size), np.uint8), anchor=(0, 0))
        rows, columns = image.shape[0] - size + 1, image.shape[1] - size + 1
        return np.ascontiguousarray(tall[:rows:stride, :columns:stride])

    return work


def shrunk(size: int) -> Callable[[Array], Array]:
    return lambda image: cv2.resize(
        image, (image.shape[1] // size, image.shape[0] // size), interpolation=cv2.INTER_AREA
    )


def sliced(work: Callable[[Array], Array], stride: int) -> Callable[[Array], Array]:
    return lambda image: np.ascontiguousarray(work(image)[::stride, ::stride])


def rows() -> Iterator[Row]:
    rng = np.random.default_rng(0)
    gray = rng.integers(0, 256, (2160, 3840), np.uint8)
    color = rng.integers(0, 256, (3000, 4000, 3), np.uint8)
    odd = np.ascontiguousarray(color[:2999, :3999])
    sharpen = np.array([[0, -1, 0], [-1, 5, -1], [0, -1, 0]])
    dense5, dense7 = rng.integers(-4, 5, (5, 5)), rng.integers(-4, 9, (7, 7))
    for name, image in (("gray", gray), ("RGB", color)):
        yield Row(f"sobel abs {name}", image, filtered("sobel-v", "abs"), sobel_abs)
        yield Row(f"sobel clip {name}", image, filtered("sobel-v", "clip"), lambda i: cv2.Sobel(i, -1, 1, 0))
    yield Row("prewitt-h abs RGB odd width", odd, filtered("prewitt-h", "abs"), prewitt_abs)
    yield Row("sharpen RGB", color, filtered("sharpen", "clip"), filter2d(sharpen))
    yield Row("blur RGB", color, filtered("blur", "clip"), lambda i: cv2.blur(i, (3, 3)), within=1)
    for stride, name, image in ((2, "gray", gray), (2, "RGB", color), (3, "RGB", color)):
        ours = filtered("sobel-v", "abs", stride=stride)
        yield Row(f"sobel abs stride {stride} {name}", image, ours, sliced(sobel_abs, stride))
    yield Row("gaussian 5x5 gray", gray, filtered("gaussian", "clip"), lambda i: cv2.GaussianBlur(i, (5, 5), 0), 1)
    for size, name, image in ((9, "RGB", color), (31, "gray", gray)):
        ours = filtered(f"gaussian:{size}", "clip")
        yield Row(f"gaussian {size}x{size} {name}", image, ours, gaussian(size), 1)
    for size, wavelength in ((9, 5), (31, 12)):
        kernel = cnnfilter.kernel(f"gabor:{size}:{wavelength}:30")
        yield Row(f"gabor {size}x{size} gray", gray, filtered(kernel, "clip"), filter2d(kernel.matrix), within=1)
    yield Row("box 15x15 gray", gray, filtered("box:15", "clip"), lambda i: cv2.blur(i, (15, 15)), within=1)
    yield Row("dense 5x5 integer gray", gray, filtered(dense5, "clip"), filter2d(dense5))
    yield Row("dense 7x7 rational gray", gray, filtered(dense7, "clip", scale="1/64"), filter2d(dense7 / 64), within=1)
    for size, stride, name, image in ((2, 2, "gray", gray), (4, 4, "gray", gray), (3, 2, "gray", gray),
                                      (2, 2, "RGB", color), (5, 3, "RGB", color)):  # fmt: skip
        ours = pooled("max", size, stride)
        yield Row(f"max pool {size}x{size} stride {stride} {name}", image, ours, dilated(size, stride))
    for size, name, image in ((2, "gray", gray), (4, "RGB", color)):
        ours = pooled("avg", size, size, "clip")
        yield Row(f"avg pool {size}x{size} {name}", image, ours, shrunk(size), within=1)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", help="run the rows whose name holds all of these")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", type=Path, help="also write the measurements to this file")
    options = parser.parse_args()
    records, wrong = [], 0
    print(f"{'work':34} {'ours ms':>8} {'OpenCV ms':>9} {'ratio':>6}")
    for row in rows():
        if not all(word in row.name for word in options.words):
            continue
        difference = row.difference()
        ours, peer = row.measured(max(9, options.rounds))
        wrong += difference > row.within
        remark = f"  DIFFERS by {difference}" if difference > row.within else ""
        print(f"{row.name:34} {ours:8.2f} {peer:9.2f} {ours / peer:6.2f}{remark}", flush=True)
        records.append({"work": row.name, "ours_ms": ours, "peer_ms": peer, "ratio": ours / peer, "apart": difference})
    if options.json:
        versions = {"numpy": np.__version__, "opencv": cv2.__version__, "cores": os.cpu_count()}
        options.json.write_text(json.dumps({**versions, "rows": records}, indent=1) + "\n", encoding="utf-8")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
