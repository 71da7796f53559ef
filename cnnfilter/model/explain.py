"""What `inspect` says of a kernel: records of numbers and words, with nothing computed on pixels.

Each record has `as_dict`, whose values are plain: numbers, text, None, lists and dictionaries of them.
"""

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnfilter.core.analysis import Facts, Number, Part, facts, over
from cnnfilter.core.character import Character, character
from cnnfilter.core.convolution import Convolution
from cnnfilter.core.geometry import Pair, Sides
from cnnfilter.core.prepared import prepare, stand_in
from cnnfilter.core.samples import Rendering
from cnnfilter.core.spectrum import STEPS, Spectrum, spectrum
from cnnfilter.core.vocabulary import Mapping

Shape = tuple[int, ...]
UINT8 = np.dtype(np.uint8)
# A picture of full HD, for which a kernel's cost is told unless another one is named.
USUAL_SHAPE = (1080, 1920, 3)


@dataclass(frozen=True)
class MatrixReport:
    """One matrix of a kernel: what it is, what it does, and what it does to waves."""

    name: str
    matrix: NDArray[Any]
    divisor: int
    facts: Facts
    character: Character
    spectrum: Spectrum
    scale: Fraction = Fraction(1)
    bias: Fraction = Fraction(0)

    @property
    def reach(self) -> tuple[Number, Number]:
        """The least and the greatest answer that samples of 0 to 255 can give, scale and bias included."""
        weights = self.matrix
        ends = [over(255 * weights[sign].sum(dtype=object), self.divisor) for sign in (weights < 0, weights > 0)]
        low, high = sorted(end * self.scale + self.bias for end in ends)
        return low, high

    def as_dict(self) -> dict[str, Any]:
        """The record as a dictionary.

        Keys: name, matrix, divisor (the weights are matrix / divisor), sum, l1, l2, minimum, maximum, zeros, rank,
        parts (column, row: products that add up to the matrix), energy (share of the best product), symmetry, filter,
        meaning, towards (degrees), reach (for samples of 0 to 255), frequency_response.
        """
        known, seen = self.facts, self.spectrum
        return {
            "name": self.name,
            "matrix": self.matrix.tolist(),
            "divisor": self.divisor,
            "sum": plain(known.sum),
            "l1": plain(known.l1),
            "l2": known.l2,
            "minimum": plain(known.low),
            "maximum": plain(known.high),
            "zeros": known.zeros,
            "rank": known.rank,
            "parts": [_part(part) for part in known.parts],
            "energy": known.energy,
            "symmetry": list(known.symmetry),
            "filter": self.character.kind,
            "meaning": list(self.character.meaning),
            "towards": self.character.towards,
            "reach": [plain(end) for end in self.reach],
            "frequency_response": {
                "frequencies": np.linspace(0, 0.5, STEPS).tolist(),
                "across": list(seen.across),
                "down": list(seen.down),
                "flat": seen.flat,
                "peak": seen.peak,
                "peak_frequency": list(seen.peak_frequency),
            },
        }


@dataclass(frozen=True)
class Execution:
    """How an image of 8 bits is filtered: `strategy` and `why` as the engine plans it, `program` its steps, if any.

    `taps` are those of the kernel (of a bank: of its first filter), `nonzero` those that count; `macs` is the number of
    multiply-accumulates for the whole image as they are defined, zero taps too, `macs_per_value` for one value of the
    output.
    """

    input_shape: Shape
    output_shape: Shape
    stride: Pair
    padding: Sides
    pad_mode: str
    dilation: Pair
    mapping: str
    strategy: str
    why: str
    samples: str
    band_rows: int
    program: tuple[str, ...]
    steps: int | None
    taps: int
    nonzero: int
    macs: int
    macs_per_value: int

    def as_dict(self) -> dict[str, Any]:
        """The fields by name, with tuples as lists."""
        values = {name: list(value) if isinstance(value, tuple) else value for name, value in vars(self).items()}
        return values | {"padding": [list(side) for side in self.padding]}


@dataclass(frozen=True)
class KernelReport:
    """A kernel: one matrix, or the two of a gradient magnitude, with its execution a matrix."""

    name: str
    shape: Shape
    params: int
    is_gradient: bool
    is_flipped: bool
    matrices: tuple[MatrixReport, ...]
    execution: tuple[Execution, ...]

    @property
    def filter(self) -> str:
        """What kind of filter it is."""
        return "edge detection (gradient magnitude)" if self.is_gradient else self.matrices[0].character.kind

    @property
    def meaning(self) -> tuple[str, ...]:
        """What it does, in sentences."""
        if not self.is_gradient:
            return self.matrices[0].character.meaning
        return (
            "Answers to edges of every direction: the length of the slope, sqrt(v^2 + h^2), of the two matrices.",
            "Never negative: the sides of an edge are not told apart. Flat areas give 0.",
        )

    def as_dict(self) -> dict[str, Any]:
        """Keys: kind, name, shape, params, flip, filter, meaning, matrices and execution (lists of dictionaries)."""
        return {
            "kind": "kernel",
            "name": self.name,
            "shape": list(self.shape),
            "params": self.params,
            "flip": self.is_flipped,
            "filter": self.filter,
            "meaning": list(self.meaning),
            "matrices": [each.as_dict() for each in self.matrices],
            "execution": [each.as_dict() for each in self.execution],
        }


def explain_kernel(
    convolution: Convolution,
    shape: Shape = USUAL_SHAPE,
    dtype: np.dtype[Any] = UINT8,
    mapping: Mapping = "auto",
) -> KernelReport:
    """What a kernel other than a bank is, and how an image of `shape` is filtered with it.

    >>> report = explain_kernel(Convolution.of("sobel-v"))
    >>> report.filter, report.execution[0].why
    ('edge detection (first derivative)', 'one kernel a channel; 3 steps instead of 6 taps, in int16')

    Raises:
        UnfitError: the output would be empty.
    """
    kernel = convolution.kernel.flipped() if convolution.flip else convolution.kernel
    names = [f"{kernel.name}-v", f"{kernel.name}-h"] if kernel.is_gradient else [kernel.name]
    matrices = kernel.matrix if kernel.is_gradient else kernel.matrix[None]
    return KernelReport(
        kernel.name,
        kernel.shape,
        kernel.params,
        kernel.is_gradient,
        convolution.flip,
        tuple(_matrix(name, each, convolution) for name, each in zip(names, matrices, strict=True)),
        executions(convolution, shape, dtype, mapping),
    )


def _matrix(name: str, matrix: NDArray[Any], convolution: Convolution) -> MatrixReport:
    divisor = convolution.kernel.divisor
    known, kind, seen = facts(matrix, divisor), character(matrix, divisor), spectrum(matrix, divisor)
    return MatrixReport(name, matrix, divisor, known, kind, seen, convolution.scale, convolution.bias)


def executions(
    convolution: Convolution, shape: Shape, dtype: np.dtype[Any] = UINT8, mapping: Mapping = "auto"
) -> tuple[Execution, ...]:
    """How an image of that shape and type would be filtered: one task, or the two of a gradient magnitude."""
    prepared = prepare(convolution, shape, stand_in(shape, dtype), Rendering(mapping), count=True)
    is_bank = convolution.kernel.is_bank
    windows, macs = convolution.windows, convolution.macs(shape) // len(prepared.tasks)
    found = []
    for index, (task, planned) in enumerate(zip(prepared.tasks, prepared.plans, strict=True)):
        band = planned.fused or (planned.stretched.sums if planned.stretched else None)
        strategy, why = planned.strategy, planned.why
        if prepared.magnitude:
            strategy, why, band = "bands", prepared.magnitude.why, prepared.magnitude.parts[index]
        weights = task.weights[..., 0] if is_bank else task.weights
        found.append(
            Execution(
                shape,
                prepared.shape,
                windows.stride,
                windows.padding,
                convolution.pad_mode,
                windows.dilation,
                prepared.rendering.mapping,
                strategy,
                why,
                str(band.finish.dtype if band else planned.accumulator),
                band.rows if band else planned.band_rows,
                tuple(str(band.program).splitlines()) if band else (),
                len(band.program.steps) if band else None,
                weights.size,
                int(np.count_nonzero(weights)),
                macs,
                macs // math.prod(prepared.shape),
            )
        )
    return tuple(found)


def plain(number: Number) -> int | float:
    """A number as JSON has it: whole ones whole."""
    if isinstance(number, Fraction) and number.denominator == 1:
        return int(number)
    return float(number)


def _part(part: Part) -> dict[str, list[int | float]]:
    return {"column": [plain(n) for n in part.column], "row": [plain(n) for n in part.row]}
