"""The slow, obvious definition of every operation, to compare the fast ones with.

Images are nested sequences ``image[y][x][channel]``, kernels ``kernel[y][x]`` and banks
``bank[y][x][channel][filter]``.
With ints and ``Fraction`` everything here is exact; floats are Python's (64 bits).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

Number = int | float | Fraction
Pair = tuple[int, int]
Padding = str | int | tuple[Pair, Pair]
Image = Sequence[Sequence[Sequence[Number]]]
Kernel = Sequence[Sequence[Number]]
Bank = Sequence[Sequence[Sequence[Sequence[Number]]]]


class Axis(NamedTuple):
    """How windows lie along one axis: output ``i`` starts at sample ``i * stride - before``."""

    outputs: int
    before: int
    after: int


def axis(samples: int, taps: int, stride: int, padding: str | int | Pair, dilation: int) -> Axis:
    """Count the windows of `taps` taps that fit into the padded samples; no window is 0 outputs."""
    effective = dilation * (taps - 1) + 1
    if padding == "same":
        before = (effective - 1) // 2
        after = effective - 1 - before
    elif padding == "valid":
        before = after = 0
    elif isinstance(padding, tuple):
        before, after = padding
    else:
        before = after = int(padding)
    outputs = 0
    while outputs * stride + effective <= before + samples + after:
        outputs += 1
    return Axis(outputs, before, after)


def axes(height: int, width: int, taps: Pair, stride: Pair, padding: Padding, dilation: Pair) -> tuple[Axis, Axis]:
    """Both axes of an image; a padding pair of pairs is ``((top, bottom), (left, right))``."""
    vertical, horizontal = padding if isinstance(padding, tuple) else (padding, padding)
    return (
        axis(height, taps[0], stride[0], vertical, dilation[0]),
        axis(width, taps[1], stride[1], horizontal, dilation[1]),
    )


def source(position: int, samples: int, pad_mode: str) -> int | None:
    """Find the index of the sample that stands at `position`, perhaps outside of 0..samples-1; None is a zero.

    Outside, walk there from the nearest end, one step at a time:

    >>> "".join("abcd"[source(i, 4, "reflect")] for i in range(-3, 7))
    'dcbabcdcba'
    """
    if 0 <= position < samples:
        return position
    if pad_mode == "zero":
        return None
    before = position < 0
    here, step = (0, -1) if before else (samples - 1, 1)
    for _ in range(-position if before else position - (samples - 1)):
        here, step = walk(here, step, samples, pad_mode)
    return here


def walk(here: int, step: int, samples: int, pad_mode: str) -> tuple[int, int]:
    """Take one step; at an end do what the pad mode does there. Gives the new place and the new direction."""
    if 0 <= here + step < samples:
        return here + step, step
    if pad_mode == "edge":
        return here, step
    if pad_mode == "wrap":
        return (samples - 1 if step < 0 else 0), step
    if pad_mode == "symmetric":  # turn round; the end sample comes twice
        return here, -step
    if pad_mode == "reflect":  # turn round; the end sample is not repeated, unless it is the only one
        return (here - step if samples > 1 else here), -step
    raise ValueError(pad_mode)


def turned(kernel: Kernel) -> Kernel:
    """The kernel turned by 180 degrees."""
    return [list(reversed(row)) for row in reversed(kernel)]


def convolve(
    image: Image,
    kernel: Kernel,
    *,
    stride: Pair = (1, 1),
    padding: Padding = "same",
    pad_mode: str = "reflect",
    dilation: Pair = (1, 1),
    channels: str = "each",
    scale: Number = 1,
    bias: Number = 0,
    flip: bool = False,
) -> list[list[list[Number]]]:
    """Filter every channel with one kernel; with ``channels="sum"`` add the channels up to one map."""
    count = len(image[0][0])
    used = turned(kernel) if flip else kernel
    if channels == "sum":
        weight = [[[[tap] for _ in range(count)] for tap in row] for row in used]
        sums = conv2d(image, weight, None, stride, padding, pad_mode, dilation, groups=1)
    else:
        weight = [[[[tap for _ in range(count)]] for tap in row] for row in used]
        sums = conv2d(image, weight, None, stride, padding, pad_mode, dilation, groups=count)
    return [[[value * scale + bias for value in pixel] for pixel in row] for row in sums]


def convolve_bank(
    image: Image,
    bank: Bank,
    *,
    stride: Pair = (1, 1),
    padding: Padding = "same",
    pad_mode: str = "reflect",
    dilation: Pair = (1, 1),
    scale: Number = 1,
    bias: Number = 0,
    flip: bool = False,
) -> list[list[list[Number]]]:
    """One map a filter, each out of all channels."""
    used = [list(reversed(row)) for row in reversed(bank)] if flip else bank
    sums = conv2d(image, used, None, stride, padding, pad_mode, dilation)
    return [[[value * scale + bias for value in pixel] for pixel in row] for row in sums]


def conv2d(
    x: Image,
    weight: Bank,
    bias: Sequence[Number] | None = None,
    stride: Pair = (1, 1),
    padding: Padding = 0,
    pad_mode: str = "zero",
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> list[list[list[Number]]]:
    """Sum tap times sample over each window, as a CNN layer: weight is height x width x in/groups x out.

    Channels and filters are split into `groups` runs of equal length; a filter sees the channels of its own run.
    """
    height, width = len(x), len(x[0])
    taps = len(weight), len(weight[0])
    depth, filters = len(weight[0][0]), len(weight[0][0][0])
    down, across = axes(height, width, taps, stride, padding, dilation)

    rows = [
        [source(oy * stride[0] - down.before + i * dilation[0], height, pad_mode) for i in range(taps[0])]
        for oy in range(down.outputs)
    ]
    columns = [
        [source(ox * stride[1] - across.before + j * dilation[1], width, pad_mode) for j in range(taps[1])]
        for ox in range(across.outputs)
    ]

    def response(oy: int, ox: int, f: int) -> Number:
        first_channel = f // (filters // groups) * depth
        total: Number = bias[f] if bias is not None else 0
        for i, sy in enumerate(rows[oy]):
            for j, sx in enumerate(columns[ox]):
                if sy is None or sx is None:
                    continue
                for c in range(depth):
                    total += weight[i][j][c][f] * x[sy][sx][first_channel + c]
        return total

    return [
        [[response(oy, ox, f) for f in range(filters)] for ox in range(across.outputs)] for oy in range(down.outputs)
    ]


def magnitude(vertical: Image, horizontal: Image, scale: Number = 1, bias: Number = 0) -> list[list[list[float]]]:
    """``scale * sqrt(v^2 + h^2) + bias`` of the responses to the two kernels of a gradient."""
    return [
        [
            [float(scale) * math.sqrt(v * v + h * h) + float(bias) for v, h in zip(vs, hs, strict=True)]
            for vs, hs in zip(v_row, h_row, strict=True)
        ]
        for v_row, h_row in zip(vertical, horizontal, strict=True)
    ]


def pooled_axis(
    samples: int, taps: int, stride: int, padding: str | int | Pair, dilation: int, ceil_mode: bool
) -> Axis:
    """Count pooling windows: those that fit and, in ceil mode, one that reaches beyond the padding at the end.

    That last one is there if cells are left that no window reaches, but not if it would start beyond the image.
    """
    effective = dilation * (taps - 1) + 1
    outputs, before, after = axis(samples, taps, stride, padding, dilation)
    padded = before + samples + after
    reached = (outputs - 1) * stride + effective  # of the padded samples
    if ceil_mode and reached < padded and outputs * stride < before + samples:
        outputs += 1
    return Axis(outputs, before, after)


def pool(
    image: Image,
    kind: str = "max",
    *,
    size: Pair,
    stride: Pair | None = None,
    padding: Padding = "valid",
    dilation: Pair = (1, 1),
    ceil_mode: bool = False,
    count_include_pad: bool = False,
) -> list[list[list[Number | None]]]:
    """Maximum, minimum or mean of each window's samples, channel by channel; None for a window that holds none.

    Means are fractions; they divide by the number of samples, with `count_include_pad` by that of padding cells, too.
    """
    steps = stride or size
    vertical, horizontal = padding if isinstance(padding, tuple) else (padding, padding)
    height, width, channels = len(image), len(image[0]), len(image[0][0])
    down = pooled_axis(height, size[0], steps[0], vertical, dilation[0], ceil_mode)
    across = pooled_axis(width, size[1], steps[1], horizontal, dilation[1], ceil_mode)

    def value(oy: int, ox: int, c: int) -> Number | None:
        found: list[Number] = []
        cells = 0
        for i in range(size[0]):
            for j in range(size[1]):
                y = oy * steps[0] - down.before + i * dilation[0]
                x = ox * steps[1] - across.before + j * dilation[1]
                cells += y < height + down.after and x < width + across.after
                if 0 <= y < height and 0 <= x < width:
                    found.append(image[y][x][c])
        if not found:
            return None
        if kind == "avg":
            return sum(Fraction(sample) for sample in found) / (cells if count_include_pad else len(found))
        return max(found) if kind == "max" else min(found)

    return [[[value(oy, ox, c) for c in range(channels)] for ox in range(across.outputs)] for oy in range(down.outputs)]


def round_half_up(value: Number) -> int:
    """The nearest integer, of two the larger: 2.5 -> 3, -2.5 -> -2."""
    return math.floor(Fraction(value) + Fraction(1, 2))


def to_samples(
    responses: Image, mapping: str, low: int, high: int, middle: int = 0
) -> tuple[list[list[list[int]]], int]:
    """Turn responses into integer samples low..high; also count the rounded values that had to be clipped.

    `middle` is what `shift` adds. `normalize` looks at all channels together; a constant image becomes 0.
    """
    values = [value for row in responses for pixel in row for value in pixel]
    span = min(values), max(values)
    rounded = [
        [[round_half_up(mapped(value, span, mapping, low, high, middle)) for value in pixel] for pixel in row]
        for row in responses
    ]
    clipped = sum(not low <= value <= high for row in rounded for pixel in row for value in pixel)
    return [[[min(max(value, low), high) for value in pixel] for pixel in row] for row in rounded], clipped


def mapped(value: Number, span: tuple[Number, Number], mapping: str, low: int, high: int, middle: int) -> Number:
    """Map one response, unrounded; `span` is the smallest and the largest response of the image."""
    if mapping == "clip":
        return value
    if mapping == "abs":
        return value if value >= 0 else -value
    if mapping == "shift":
        return value + middle
    if mapping == "normalize":
        smallest, largest = Fraction(span[0]), Fraction(span[1])
        if smallest == largest:
            return 0
        return (Fraction(value) - smallest) * (high - low) / (largest - smallest) + low
    raise ValueError(mapping)


def gray(image: Sequence[Sequence[Sequence[int]]], method: str = "luma") -> list[list[int]]:
    """One channel out of several, halves up: `luma` of R, G and B (ITU-R 601-2), or the `mean` of the channels."""
    if method == "luma":
        return [[(19595 * r + 38470 * g + 7471 * b + 32768) >> 16 for r, g, b in row] for row in image]
    return [[round_half_up(Fraction(sum(pixel), len(pixel))) for pixel in row] for row in image]
