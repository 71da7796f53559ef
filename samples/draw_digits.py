"""Draw the handwritten digits ``digit-0.png`` ... ``digit-9.png`` for the network of ``digits.toml``.

Run ``python samples/draw_digits.py [FOLDER]``; the pictures, 64 x 64 in 8-bit gray, bright on dark, are written next
to this script unless a folder is named.

Each digit is a few strokes, each stroke a smooth curve through points set by eye: ``x`` to the right and ``y`` down,
the digit about 1 high and centred in the unit square.  A pen with a round tip follows the curve and is pressed less
where a stroke ends.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Points = NDArray[np.float64]
Stroke = list[tuple[float, float]]

SIDE = 64
PEN = 2.9
"""Radius of the pen in pixels, where it is pressed most."""
SMOOTH = 24
"""Points of the drawn curve between two given ones."""

STROKES: dict[int, list[Stroke]] = {
    0: [
        [(0.56, 0.11), (0.38, 0.17), (0.28, 0.42), (0.30, 0.70), (0.44, 0.89), (0.62, 0.83), (0.73, 0.58),
         (0.69, 0.27), (0.56, 0.12), (0.47, 0.14)],
    ],
    1: [
        [(0.31, 0.35), (0.43, 0.25), (0.56, 0.10)],
        [(0.56, 0.10), (0.54, 0.36), (0.52, 0.62), (0.51, 0.90)],
    ],
    2: [
        [(0.27, 0.30), (0.36, 0.14), (0.55, 0.10), (0.67, 0.24), (0.62, 0.43), (0.46, 0.64), (0.27, 0.85)],
        [(0.27, 0.85), (0.42, 0.82), (0.57, 0.86), (0.75, 0.83)],
    ],
    3: [
        [(0.29, 0.19), (0.45, 0.10), (0.64, 0.17), (0.65, 0.34), (0.45, 0.47)],
        [(0.45, 0.47), (0.65, 0.53), (0.71, 0.71), (0.57, 0.88), (0.37, 0.89), (0.26, 0.79)],
    ],
    4: [
        [(0.50, 0.10), (0.41, 0.31), (0.25, 0.60)],
        [(0.25, 0.60), (0.48, 0.59), (0.78, 0.56)],
        [(0.61, 0.36), (0.59, 0.62), (0.56, 0.91)],
    ],
    5: [
        [(0.35, 0.13), (0.33, 0.28), (0.31, 0.46)],
        [(0.31, 0.46), (0.47, 0.40), (0.66, 0.49), (0.70, 0.68), (0.57, 0.87), (0.38, 0.90), (0.26, 0.80)],
        [(0.35, 0.13), (0.50, 0.14), (0.70, 0.11)],
    ],
    6: [
        [(0.60, 0.10), (0.43, 0.25), (0.32, 0.49), (0.30, 0.72), (0.41, 0.89), (0.59, 0.87), (0.69, 0.71),
         (0.60, 0.55), (0.44, 0.56), (0.32, 0.70)],
    ],
    7: [
        [(0.25, 0.15), (0.45, 0.17), (0.73, 0.12)],
        [(0.73, 0.12), (0.61, 0.34), (0.51, 0.60), (0.43, 0.91)],
        [(0.36, 0.53), (0.51, 0.51), (0.68, 0.48)],
    ],
    8: [
        [(0.66, 0.21), (0.50, 0.10), (0.34, 0.21), (0.40, 0.38), (0.56, 0.50), (0.69, 0.68), (0.60, 0.87),
         (0.42, 0.89), (0.31, 0.74), (0.42, 0.55), (0.59, 0.42), (0.67, 0.26), (0.63, 0.17)],
    ],
    9: [
        [(0.67, 0.25), (0.54, 0.11), (0.37, 0.17), (0.31, 0.34), (0.42, 0.48), (0.59, 0.42), (0.68, 0.24)],
        [(0.68, 0.24), (0.66, 0.48), (0.60, 0.72), (0.45, 0.90), (0.31, 0.87)],
    ],
}  # fmt: skip


def spline(points: Points) -> Points:
    """Return a smooth curve through n x 2 points (a Catmull-Rom spline), the first and the last included."""
    ends = np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
    p0, p1, p2, p3 = ends[:-3, None], ends[1:-2, None], ends[2:-1, None], ends[3:, None]
    t = np.linspace(0, 1, SMOOTH, endpoint=False)[:, None]
    curve = p1 + t / 2 * (p2 - p0 + t * (2 * p0 - 5 * p1 + 4 * p2 - p3 + t * (3 * (p1 - p2) + p3 - p0)))
    return np.concatenate([curve.reshape(-1, 2), points[-1:]])


def draw(stroke: Stroke) -> NDArray[np.float64]:
    """Return the ink of one stroke in 0..1, 64 x 64: how much of each pixel the pen covers."""
    curve = spline(np.array(stroke)) * SIDE
    along = np.linspace(0, 1, len(curve))
    radius = PEN * (0.72 + 0.28 * np.sin(np.pi * along) ** 0.5)
    centre = np.arange(SIDE) + 0.5
    distance = np.hypot(centre[:, None, None] - curve[:, 1], centre[None, :, None] - curve[:, 0])
    return np.asarray(np.clip((radius - distance).max(axis=2) + 0.5, 0, 1))


def digit(number: int) -> Image.Image:
    """Return the picture of one digit."""
    covered = np.maximum.reduce([draw(stroke) for stroke in STROKES[number]])
    return Image.fromarray(np.rint(covered * 255).astype(np.uint8))


def main() -> None:
    """Write the ten pictures into a folder."""
    parser = argparse.ArgumentParser(description="Draw the handwritten digits.")
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).resolve().parent)
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for number in STROKES:
        path = folder / f"digit-{number}.png"
        digit(number).save(path, optimize=True)
        print(path)


if __name__ == "__main__":
    main()
