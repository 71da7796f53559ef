"""Banks of 3 x 3 over many channels by Winograd's F(4 x 4, 3 x 3): 36 products a tile of 16 outputs instead of 144.

A tile of 6 x 6 samples d becomes B d B', is multiplied by the transformed filters G g G', channel by channel summed up
by BLAS, and A m A' are 4 x 4 outputs. The transforms are products with these small matrices over whole rows of tiles.
It wins from some 45 channels and filters on; a multiply-accumulate costs about 0.012 ns in float32, a third of the
direct one. The matrices are those of the points 0, 1, -1, 1/2, -2 and infinity: with the usual 2 instead of 1/2 the
error is three times as large. As measured it is 2e-6 of the largest response for 64 channels of noise and grows with
the root of the channels that are added up in a row, at most CHUNK: below 3.5e-6 (allowed above 400 taps are 5e-6).
Source: Lavin and Gray, "Fast algorithms for convolutional neural networks", 2016; points: Barabasz et al., "Error
analysis and improving the accuracy of Winograd convolution for deep neural networks", 2020.
"""

import functools
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from cnnfilter.core.engine import outputs
from cnnfilter.core.engine.floats import FLOAT32, balanced, in_own_memory
from cnnfilter.core.engine.scratch import Pieces
from cnnfilter.core.engine.task import Correlation
from cnnfilter.core.engine.weights import OfWeights, copied

Array = NDArray[Any]

POINTS = (Fraction(0), Fraction(1), Fraction(-1), Fraction(1, 2), Fraction(-2))
OUT, TAPS = 4, 3
IN = OUT + TAPS - 1
# Channels added up by one product.
CHUNK = 64
# Values across all channels of a band's tiles (half a megabyte a transform), and tiles that a product has in any case:
# one of fewer rows is slower, more do not stay in the cache. Up to MORE times as many where two threads end sooner so.
VALUES, TILES, MORE = 28 * 128, 28, 4
# Pairs of a channel and a filter that are transformed at a time, so that what lies between stays in the cache.
PAIRS = 1 << 13


@functools.cache
def transforms() -> tuple[Array, Array, Array]:
    """A (4, 6), G (6, 3), B (6, 6) with A ((G g) * (B d)) the 4 outputs of taps g over samples d, in float64."""
    a, g, b = np.zeros((OUT, IN)), np.zeros((IN, TAPS)), np.zeros((IN, IN))
    for i, point in enumerate(POINTS):
        others = POINTS[:i] + POINTS[i + 1 :]
        scale = math.prod((point - other for other in others), start=Fraction(1))
        a[:, i] = [float(point**k) for k in range(OUT)]
        g[i] = [float(point**k / scale) for k in range(TAPS)]
        b[i, : IN - 1] = np.poly(np.array(others, float))[::-1]
    a[-1, -1] = g[-1, -1] = 1
    b[-1] = np.poly(np.array(POINTS, float))[::-1]
    for matrix in (a, g, b):
        matrix.flags.writeable = False
    return a, g, b


def _transformed(weights: Array, g: Array, both: Array) -> Array:
    """G g G' for every filter and channel, put into `both` (across, down, inputs, filters), as the tiles are."""
    pairs = weights.shape[2] * weights.shape[3]
    plain, made = weights.reshape(TAPS, TAPS, pairs), both.reshape(IN, IN, pairs)
    for start in range(0, pairs, PAIRS):
        some = slice(start, start + PAIRS)
        down = np.matmul(g, plain[:, :, some].astype(FLOAT32, copy=False).swapaxes(0, 1))
        np.matmul(g, down.swapaxes(0, 1), out=made[:, :, some].swapaxes(0, 1))
    return both


_known: OfWeights[Array] = OfWeights()


def _remembered(weights: Array, g: Array) -> Array:
    """The transformed weights, from the last time if they are the same to the bit."""
    shape = IN, IN, *weights.shape[2:]
    if not _known.takes(weights):
        return _transformed(weights, g, outputs.empty(shape, FLOAT32))
    transformed = _known.get(weights)
    if transformed is None:
        transformed = _transformed(weights, g, np.empty(shape, FLOAT32))
        _known.keep(weights, copied(weights), transformed)
    return transformed


class Winograd:
    """F(4 x 4, 3 x 3) for a bank with stride 1 and dilation 1."""

    name = "winograd"
    planar = False
    dtype = FLOAT32

    def __init__(self, task: Correlation, shape: tuple[int, ...]) -> None:
        outputs, self.columns, self.filters = task.output_shape((shape[0], shape[1], shape[2]))
        self.inputs = shape[2]
        a, g, b = transforms()
        self.a, self.b = a.astype(FLOAT32), b.astype(FLOAT32)
        self.weights = _remembered(task.weights, g.astype(FLOAT32))
        self.wide = -(-self.columns // OUT)
        tiles = (max(TILES, values // self.inputs) for values in (VALUES, MORE * VALUES))
        self.high = balanced(-(-outputs // OUT), *(max(1, many // self.wide) for many in tiles))
        self.rows = self.high * OUT
        self.pitch = (self.wide * OUT + TAPS - 1) * self.inputs
        self.workload = outputs * self.columns * self.filters * self.inputs * IN**2 // OUT**2
        self.why = f"a bank of 3 x 3 over {self.inputs} channels; 36 products for 16 outputs instead of 144, in float32"

    def bind(self, samples: Array, memory: Pieces) -> Callable[[], Array]:
        """Sums of what is in `samples`."""
        return in_own_memory(self, samples, memory, self.filters)

    def hold(self, weights: Array) -> None:
        """Nothing: the transform has all."""

    def bind_to(self, samples: Array, memory: Pieces, bias: Array) -> Callable[[Array], None]:
        """Sums plus `bias`; the axes of what lies between are tiles' across, down, tiles, channels.

        What stands for the point 1 in both directions is part of all outputs of a tile as it is: it takes the bias.
        """
        rows, wide, high = self.rows + TAPS - 1, self.wide, self.high
        line = wide * self.inputs
        phases = memory.empty((IN, rows, wide, self.inputs), FLOAT32)
        across = memory.empty((IN, rows, line), FLOAT32)
        s_a, s_r, s_l = across.strides
        tall = as_strided(across, (IN, high, IN, line), (s_a, OUT * s_r, s_r, s_l))
        both = memory.empty((IN, IN, high * wide, self.inputs), FLOAT32)
        products = memory.empty((IN, IN, high * wide, self.filters), FLOAT32)
        part = memory.empty(products.shape, FLOAT32) if self.inputs > CHUNK else products
        down = memory.empty((IN, high, OUT, wide * self.filters), FLOAT32)
        done = memory.empty((OUT, self.rows, wide, self.filters), FLOAT32)
        some_bias, ones = bool(bias.any()), products[POINTS.index(Fraction(1)), POINTS.index(Fraction(1))]

        s_y, s_c = samples.strides
        split = as_strided(samples, phases.shape, (self.inputs * s_c, s_y, OUT * self.inputs * s_c, s_c))

        chunks = [slice(first, first + CHUNK) for first in range(0, self.inputs, CHUNK)]
        first, *others = [(both[..., chunk], self.weights[..., chunk, :]) for chunk in chunks]
        flat_phases, flat_across = phases.reshape(IN, -1), across.reshape(IN, -1)
        rows_of_both = both.reshape(IN, IN, high, line).swapaxes(1, 2)
        rows_of_products = products.reshape(IN, IN, high, -1).swapaxes(1, 2)
        flat_down, flat_done, in_order = down.reshape(IN, -1), done.reshape(OUT, -1), done.transpose(1, 2, 0, 3)

        def compute(out: Array) -> None:
            phases[...] = split
            np.matmul(self.b, flat_phases, out=flat_across)
            np.matmul(self.b, tall, out=rows_of_both)
            np.matmul(*first, out=products)
            for more in others:
                np.add(products, np.matmul(*more, out=part), out=products)
            if some_bias:
                np.add(ones, bias, out=ones)
            np.matmul(self.a, rows_of_products, out=down)
            np.matmul(self.a, flat_down, out=flat_done)
            if out.shape[1] == wide * OUT:
                out.reshape(self.rows, wide, OUT, self.filters)[...] = in_order
                return
            for column in range(OUT):
                some = out[:, column::OUT]
                some[...] = done[column, :, : some.shape[1]]

        return compute
