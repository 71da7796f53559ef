"""The works that are measured: filters and pooling against OpenCV, as rows of a table."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

import cnnfilter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Array = NDArray[Any]
    Work = Callable[[Array], Array]

cv2: Any = importlib.import_module("cv2")


@dataclass(frozen=True)
class Row:
    """One work for us and for each peer; `within` is how far samples may be apart.

    `listed` rows are those of the published table and count for the mean, the others are their neighbours.
    """

    name: str
    image: Array
    ours: Work
    peers: dict[str, Work]
    within: int = 0
    listed: bool = True

    def difference(self) -> int:
        """The largest difference between our samples and a peer's."""
        ours = self.ours(self.image).astype(np.int64)
        return max(int(np.abs(ours - peer(self.image)).max()) for peer in self.peers.values())


def rows() -> Iterator[Row]:
    rng = np.random.default_rng(0)
    gray = rng.integers(0, 256, (2160, 3840), np.uint8)
    color = rng.integers(0, 256, (3000, 4000, 3), np.uint8)
    yield from _edges(gray, color)
    yield from _smoothing(gray, color)
    yield from _dense(gray, color, rng)
    yield from _pooling(gray, color)
    yield from _small(rng)


def _edges(gray: Array, color: Array) -> Iterator[Row]:
    odd = np.ascontiguousarray(color[:2999, :3999])
    rgba = np.concatenate([color, color[:, :, :1]], axis=2)
    deep = gray.astype(np.uint16) * 257
    sharpen = np.array([[0, -1, 0], [-1, 5, -1], [0, -1, 0]])
    sobel = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    clipped = {"Sobel": lambda i: cv2.Sobel(i, -1, 1, 0), "filter2D": _filter2d(sobel)}
    for name, image in (("gray", gray), ("RGB", color)):
        yield Row(f"sobel abs {name}", image, _filtered("sobel-v", "abs"), {"Sobel": _sobel_abs})
        yield Row(f"sobel clip {name}", image, _filtered("sobel-v", "clip"), clipped)
    yield Row("prewitt-h abs RGB odd width", odd, _filtered("prewitt-h", "abs"), {"filter2D": _prewitt_abs})
    yield Row("sharpen RGB", color, _filtered("sharpen", "clip"), {"filter2D": _filter2d(sharpen)})
    for stride, name, image in ((2, "gray", gray), (2, "RGB", color), (3, "RGB", color)):
        peers = {"Sobel": _sliced(_sobel_abs, stride)}
        yield Row(f"sobel abs stride {stride} {name}", image, _filtered("sobel-v", "abs", stride=stride), peers)
    yield Row("sobel abs RGB odd width", odd, _filtered("sobel-v", "abs"), {"Sobel": _sobel_abs}, listed=False)
    yield Row("sobel abs RGBA", rgba, _filtered("sobel-v", "abs"), {"Sobel": _sobel_abs}, listed=False)
    peers = {"Sobel": _sliced(_sobel_abs, 3)}
    yield Row("sobel abs stride 3 gray", gray, _filtered("sobel-v", "abs", stride=3), peers, listed=False)
    yield Row(
        "sharpen 16 bits gray", deep, _filtered("sharpen", "clip"), {"filter2D": _filter2d(sharpen)}, listed=False
    )
    laplacian = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]])
    peers = {"filter2D": _filter2d(laplacian)}
    yield Row("laplacian clip gray", gray, _filtered("laplacian", "clip"), peers, listed=False)


def _smoothing(gray: Array, color: Array) -> Iterator[Row]:
    deep = gray.astype(np.uint16) * 257
    for size, name, image, listed in (
        (5, "gray", gray, True),
        (9, "RGB", color, True),
        (31, "gray", gray, True),
        (5, "RGB", color, False),
        (7, "gray", gray, False),
        (9, "gray", gray, False),
        (15, "RGB", color, False),
        (9, "16 bits gray", deep, False),
    ):
        ours = _filtered("gaussian" if size == 5 else f"gaussian:{size}", "clip")
        within = 257 if image.dtype == np.uint16 else 1  # OpenCV's weights have 8 bits
        yield Row(f"gaussian {size}x{size} {name}", image, ours, {"GaussianBlur": _gaussian(size)}, within, listed)
    yield Row("box 15x15 gray", gray, _filtered("box:15", "clip"), {"blur": lambda i: cv2.blur(i, (15, 15))}, 1)
    for name, image, size in (("RGB", color, 3), ("gray", gray, 9)):
        ours, blur = _filtered(f"box:{size}", "clip"), lambda i, size=size: cv2.blur(i, (size, size))
        yield Row(f"box {size}x{size} {name}", image, ours, {"blur": blur}, 1, listed=False)


def _dense(gray: Array, color: Array, rng: np.random.Generator) -> Iterator[Row]:
    five, seven = rng.integers(-4, 5, (5, 5)), rng.integers(-4, 9, (7, 7))
    yield Row("dense 5x5 integer gray", gray, _filtered(five, "clip"), {"filter2D": _filter2d(five)})
    ours = _filtered(seven, "clip", scale="1/64")
    yield Row("dense 7x7 rational gray", gray, ours, {"filter2D": _filter2d(seven / 64)}, 1)
    for size, image, name, listed in (
        (7, gray, "gray", True),
        (31, gray, "gray", True),
        (5, gray, "gray", False),
        (7, color, "RGB", False),
    ):
        taps = rng.normal(size=(size, size))
        taps /= np.abs(taps).sum() / 2
        peers = {"filter2D": _filter2d(taps)}
        yield Row(f"dense {size}x{size} float {name}", image, _filtered(taps, "clip"), peers, 1, listed)
    for size, wavelength in ((9, 5), (31, 12)):
        kernel = cnnfilter.kernel(f"gabor:{size}:{wavelength}:30")
        peers = {"filter2D": _filter2d(kernel.matrix)}
        yield Row(f"gabor {size}x{size} gray", gray, _filtered(kernel, "clip"), peers, 1, listed=False)


def _pooling(gray: Array, color: Array) -> Iterator[Row]:
    for size, stride, name, image, listed in (
        (2, 2, "gray", gray, True),
        (4, 4, "gray", gray, True),
        (3, 2, "gray", gray, True),
        (2, 2, "RGB", color, True),
        (5, 3, "RGB", color, True),
        (5, 3, "gray", gray, False),
        (3, 2, "RGB", color, False),
    ):
        ours = _pooled("max", size, stride)
        peers = {"dilate": _dilated(size, stride)}
        yield Row(f"max pool {size}x{size} stride {stride} {name}", image, ours, peers, listed=listed)
    for size, name, image, listed in ((2, "gray", gray, True), (4, "RGB", color, True), (2, "RGB", color, False)):
        ours = _pooled("avg", size, size, "clip")
        yield Row(f"avg pool {size}x{size} {name}", image, ours, {"resize": _shrunk(size)}, 1, listed)


def _small(rng: np.random.Generator) -> Iterator[Row]:
    for side in (32, 128, 512):
        image = rng.integers(0, 256, (side, side), np.uint8)
        name = f"{side}x{side} gray"
        yield Row(f"sobel abs {name}", image, _filtered("sobel-v", "abs"), {"Sobel": _sobel_abs}, listed=False)
        ours = _filtered("gaussian:9", "clip")
        yield Row(f"gaussian 9x9 {name}", image, ours, {"GaussianBlur": _gaussian(9)}, 1, listed=False)
        yield Row(f"max pool 2x2 {name}", image, _pooled("max", 2, 2), {"dilate": _dilated(2, 2)}, listed=False)


def _filtered(kernel: Any, mapping: str, **options: Any) -> Work:
    return lambda image: cnnfilter.convolve(image, kernel, mapping=mapping, **options)


def _pooled(kind: str, size: int, stride: int, mapping: str = "raw") -> Work:
    return lambda image: cnnfilter.pool(image, kind, size=size, stride=stride, mapping=mapping)


def _sobel_abs(image: Array) -> Array:
    result: Array = cv2.convertScaleAbs(cv2.Sobel(image, cv2.CV_16S, 1, 0))
    return result


def _prewitt_abs(image: Array) -> Array:
    taps = np.array([[-1, -1, -1], [0, 0, 0], [1, 1, 1]], np.float32)
    result: Array = cv2.convertScaleAbs(cv2.filter2D(image, cv2.CV_16S, taps))
    return result


def _filter2d(taps: Array) -> Work:
    taps = taps.astype(np.float32)
    return lambda image: cv2.filter2D(image, -1, taps)


def _gaussian(size: int) -> Work:
    """With the sigma of our family: for a size of 7 without one OpenCV takes a kernel from a table of its own."""
    return lambda image: cv2.GaussianBlur(image, (size, size), 0.3 * ((size - 1) / 2 - 1) + 0.8 if size > 5 else 0)


def _dilated(size: int, stride: int) -> Work:
    """Maximum pooling without padding: OpenCV's dilation, then every stride-th pixel."""

    def work(image: Array) -> Array:
        tall = cv2.dilate(image, np.ones((size, size), np.uint8), anchor=(0, 0))
        high, wide = image.shape[0] - size + 1, image.shape[1] - size + 1
        return np.ascontiguousarray(tall[:high:stride, :wide:stride])

    return work


def _shrunk(size: int) -> Work:
    return lambda image: cv2.resize(
        image, (image.shape[1] // size, image.shape[0] // size), interpolation=cv2.INTER_AREA
    )


def _sliced(work: Work, stride: int) -> Work:
    return lambda image: np.ascontiguousarray(work(image)[::stride, ::stride])
