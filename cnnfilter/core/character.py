"""What kind of filter a matrix is and what it answers to, told from its numbers and never from its name.

Moments tell: the sum is what flat areas give, first moments are the slope that it measures, second moments the
curvature; for a mean they are its centre and its width. Source: Forsyth and Ponce, "Computer Vision", 2012, chapter 4.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnfilter.core.families import grid
from cnnfilter.core.spectrum import gains, spectrum

Array = NDArray[Any]
# Below this share of the L1 norm a sum or a moment counts as zero.
ZERO = 1e-6
# Directions in which it can get brighter, counter-clockwise from the right in steps of 45 degrees.
DIRECTIONS = (
    "to the right",
    "towards the upper right",
    "above",
    "towards the upper left",
    "to the left",
    "towards the lower left",
    "below",
    "towards the lower right",
)
# Edges, lines and stripes that lie at these angles, counter-clockwise from the x axis in steps of 45 degrees.
LINES = ("horizontal", "rising (/)", "vertical", "falling (\\)")


@dataclass(frozen=True)
class Character:
    """The `kind` of a filter in a few words, and what it does in sentences.

    `towards` is for slopes: the direction in which it gets brighter where the answer is positive, in degrees
    counter-clockwise from the right.
    """

    kind: str
    meaning: tuple[str, ...]
    towards: float | None = None


def character(matrix: Array, divisor: int = 1) -> Character:
    """What `matrix` / `divisor`, (height, width), does to a picture.

    >>> found = character(np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]))
    >>> found.kind, found.towards
    ('edge detection (first derivative)', 0.0)
    """
    weights = matrix / divisor
    size = float(abs(weights).sum())
    if not size:
        return Character("nothing", ("All entries are zero, and so is every answer.",))
    weights = np.where(abs(weights) < 1e-12 * size, 0.0, weights)
    if np.count_nonzero(weights) == 1:
        return _of_one_tap(weights)
    if abs(float(weights.sum())) <= ZERO * size:
        return _of_differences(weights / size)
    if (weights >= 0).all() or (weights <= 0).all():
        return _of_means(weights)
    return _of_mixtures(weights)


def slope(weights: Array) -> complex:
    """First moments of a matrix, (height, width), about its middle: the slope that it measures.

    The real part is to the right, the imaginary part upwards.

    >>> slope(np.array([[0, 1, 2], [-1, 0, 1], [-2, -1, 0]]))
    (6+6j)
    """
    y, x = grid(weights.shape)
    return complex((weights * x).sum(), (weights * y).sum())


def degrees_of(slope: complex) -> float:
    """The direction of a slope in degrees counter-clockwise from the right, 0 to less than 360."""
    degrees = math.degrees(math.atan2(slope.imag, slope.real)) % 360
    return 0.0 if degrees > 360 - 1e-6 else round(degrees, 6)


def _of_one_tap(weights: Array) -> Character:
    y, x = (int(n[0]) for n in np.nonzero(weights))
    value = float(weights[y, x])
    dy, dx = y - (weights.shape[0] - 1) // 2, x - (weights.shape[1] - 1) // 2
    if dy or dx:
        ways = ((dy, "upwards" if dy > 0 else "downwards"), (dx, "to the left" if dx > 0 else "to the right"))
        moved = " and ".join(f"{abs(n)} {'pixel' if abs(n) == 1 else 'pixels'} {way}" for n, way in ways if n)
        return Character("shift", (f"It moves the picture {moved}{_times(value)}.",))
    if abs(value - 1) < ZERO:
        return Character("identity", ("It gives the picture as it is.",))
    return Character("scaling", (f"It multiplies every pixel by {value:g}.",))


def _times(value: float) -> str:
    return "" if abs(value - 1) < ZERO else f" and multiplies it by {value:g}"


# ---------------------------------------------------------------------------------------------------- sums to zero


def _of_differences(weights: Array) -> Character:
    """A matrix that sums to zero, scaled to an L1 norm of 1."""
    towards = slope(weights)
    if abs(towards) > 0.05:
        return _of_slope(degrees_of(towards))
    y, x = grid(weights.shape)
    curvature = np.array([[(weights * x * x).sum(), (weights * x * y).sum()], [0, (weights * y * y).sum()]])
    curvature[1, 0] = curvature[0, 1]
    values, vectors = np.linalg.eigh(curvature)
    strongest = int(np.argmax(abs(values)))
    length = spectrum(weights).wavelength or math.inf
    if _is_oriented(weights):
        across = spectrum(weights).peak_frequency
        return _of_stripes(length, math.degrees(math.atan2(-across[0], across[1])))
    if abs(values[strongest]) <= ZERO or min(abs(values)) < 0.05 * max(abs(values)):
        if abs(values[strongest]) > 0.05:
            vx, vy = vectors[:, strongest]
            return _of_lines(float(values[strongest]), math.degrees(math.atan2(vy, vx)))
        told = "It compares pixels so that neither flat areas nor even slopes answer: what is left is fine texture."
        return Character("high-pass (texture)", (told,))
    if values[0] * values[1] < 0:
        return Character("saddle (mixed second derivative)", ("It answers to corners and crossings, not to edges.",))
    return _of_spots(float(values.sum()), length)


def _is_oriented(weights: Array) -> bool:
    """Whether waves of one direction come out much higher than those across it, and coarser ones than of pixels."""
    found = spectrum(weights)
    fy, fx = found.peak_frequency
    if not 0 < math.hypot(fy, fx) < 0.4:
        return False
    crossing = gains(weights, np.array([fx]), np.array([-fy]))[0, 0]
    return float(crossing) < 0.5 * found.peak


def _of_slope(degrees: float) -> Character:
    return Character(
        "edge detection (first derivative)",
        (
            f"Answers to {_line(degrees + 90)} edges: positive where it is brighter {_direction(degrees)}, "
            "negative the other way round.",
            "Flat areas give 0; the higher and the sharper the edge, the larger the answer.",
        ),
        degrees,
    )


def _of_lines(curvature: float, degrees: float) -> Character:
    bright = "dark" if curvature > 0 else "bright"
    return Character(
        "line detection (second derivative)",
        (
            f"Answers to {_line(degrees + 90)} lines: positive on {bright} ones, negative on either side of them.",
            "Flat areas and even slopes give 0.",
        ),
    )


def _of_stripes(length: float, degrees: float) -> Character:
    return Character(
        "oriented band-pass (stripes)",
        (
            f"Answers to {_line(degrees + 90)} stripes that are about {length:.2g} pixels apart: positive where they "
            "lie as the kernel's own, negative where they lie between.",
            "Flat areas, other directions, finer and coarser stripes give little.",
        ),
    )


def _of_spots(curvature: float, length: float) -> Character:
    bright, dark = ("dark", "bright") if curvature > 0 else ("bright", "dark")
    fine = length < 1 / 0.4
    size = "single pixels" if fine else f"spots about {length / 2:.2g} pixels wide"
    return Character(
        "edge detection (second derivative)" if fine else "band-pass (Laplacian of Gaussian)",
        (
            f"Answers to detail of every direction: positive on {bright} {size} and on the {bright} side of an edge, "
            f"negative on {dark} ones; the edge itself is where the sign changes.",
            "Flat areas and even slopes give 0." + (" Noise answers most of all." if fine else ""),
        ),
    )


# -------------------------------------------------------------------------------------------------------- means


def _of_means(weights: Array) -> Character:
    total = float(weights.sum())
    shares = weights / total
    y, x = grid(weights.shape)
    cy, cx = float((shares * y).sum()), float((shares * x).sum())
    spread = np.array([[(shares * (x - cx) ** 2).sum(), (shares * (x - cx) * (y - cy)).sum()], [0, 0]])
    spread[1] = spread[0, 1], (shares * (y - cy) ** 2).sum()
    values, vectors = np.linalg.eigh(spread)
    used = shares[shares > 0]
    if used.max() - used.min() < 1e-9:
        told = f"Each pixel becomes the mean of {used.size} pixels."
    else:
        told = f"Each pixel becomes a weighted mean of {used.size} pixels."
    kind = "smoothing (low-pass)"
    if values[0] < 0.1 * values[1]:
        degrees = math.degrees(math.atan2(vectors[1, 1], vectors[0, 1]))
        kind, told = "smoothing along a line (motion blur)", f"{told[:-1]}, along {_line(degrees)} lines."
    notes = [told, "Noise and fine detail fade, edges become soft.", _brightness(total)]
    off = math.hypot(cx + (weights.shape[1] - 1) % 2 / 2, cy - (weights.shape[0] - 1) % 2 / 2)
    if off > 0.01:
        notes.append(f"Its weights lie off the pixel that they replace: the picture moves by {off:.2g} pixels.")
    return Character(kind, tuple(notes))


def _brightness(total: float) -> str:
    if abs(total - 1) <= ZERO:
        return "The weights sum to 1: brightness stays."
    return f"The weights sum to {total:.4g}: brightness is multiplied by it."


# ------------------------------------------------------------------------------------------------ both signs, a sum


def _of_mixtures(weights: Array) -> Character:
    total = float(weights.sum())
    turned = weights[::-1, ::-1]
    even, odd = (weights + turned) / 2, (weights - turned) / 2
    share = float((odd**2).sum() / (weights**2).sum())
    if share > 0.5 and _is_bump(even * total) and _is_ramp(odd):
        degrees = degrees_of(slope(weights))
        told = f"The picture plus its slope: brighter than it was where it gets brighter {_direction(degrees)}, "
        seen = "darker the other way round; this looks like a relief lit from one side."
        return Character("emboss (picture + first derivative)", (told + seen, _brightness(total)), degrees)
    if share < ZERO:
        found = spectrum(weights)
        if found.peak > 1.1 * abs(total):
            told = "The picture plus its own detail: edges and texture become stronger, and so does noise."
            times = f"Flat areas are multiplied by {total:.4g}, the finest detail by up to {found.peak:.3g}."
            return Character("sharpening (picture + detail)", (told, times))
        return Character("smoothing (low-pass)", ("Smooths, with a slight overshoot at edges.", _brightness(total)))
    told = "Weights of both signs without symmetry, as random and learned filters have."
    return Character("mixed", (told, f"Flat areas are multiplied by {total:.4g}."))


def _is_bump(even: Array) -> bool:
    """Whether weights are a mean that counts the middle most, or the middle alone."""
    middle = even[(even.shape[0] - 1) // 2, (even.shape[1] - 1) // 2]
    return bool((even >= -1e-9).all() and middle >= even.max() - 1e-9)


def _is_ramp(odd: Array) -> bool:
    """Whether weights rise about evenly in one direction: a plane explains four fifths of their squares."""
    y, x = grid(odd.shape)
    explained = sum(float((odd * axis).sum()) ** 2 / (float((axis**2).sum()) or 1.0) for axis in (y, x))
    return explained > 0.8 * float((odd**2).sum())


# -------------------------------------------------------------------------------------------------------- words


def _direction(degrees: float) -> str:
    return f"{DIRECTIONS[round(degrees / 45) % 8]}{_angle(degrees % 360)}"


def _line(degrees: float) -> str:
    """The nearest of LINES for something that lies at that angle."""
    return f"{LINES[round(degrees / 45) % 4]}{_angle(degrees % 180)}"


def _angle(degrees: float) -> str:
    off = abs(degrees - 45 * round(degrees / 45))
    return "" if off < 1 else f" ({degrees:.0f} degrees)"
