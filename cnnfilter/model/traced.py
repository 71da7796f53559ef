"""Records of how one output value came about: the window, the products, what they became, and what was written."""

import math
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from cnnfilter.core.geometry import PadMode, Pair, Windows
from cnnfilter.model.layer import Array, Shape

Number = int | float
Position = tuple[int, ...]


@dataclass(frozen=True)
class Window:
    """The cells of one window: their rows and columns in the input, which lie beyond its border in the padding.

    `from_rows` and `from_columns` say whose samples they hold: in the padding those of other rows and columns, or of
    none, where the padding is zero.
    """

    rows: tuple[int, ...]
    columns: tuple[int, ...]
    from_rows: tuple[int | None, ...]
    from_columns: tuple[int | None, ...]

    @property
    def padding(self) -> Array:
        """Which cells lie in the padding, (height, width) of booleans."""
        rows = np.array([a != b for a, b in zip(self.rows, self.from_rows, strict=True)])
        columns = np.array([a != b for a, b in zip(self.columns, self.from_columns, strict=True)])
        return np.asarray(rows[:, None] | columns[None, :])

    def source(self, row: int, column: int) -> Pair | None:
        """The input's pixel that a cell of the window (row, column) holds; None for zero."""
        y, x = self.from_rows[row], self.from_columns[column]
        return None if y is None or x is None else (y, x)


@dataclass(frozen=True, eq=False)
class Term:
    """The samples of one channel under the window, times weights; `part` is v or h of a gradient's two kernels.

    Arrays are (height, width) of whole numbers where samples and weights are whole, else of floats.
    """

    channel: int
    samples: Array
    weights: Array
    products: Array
    sum: Number
    part: str = ""


@dataclass(frozen=True, eq=False)
class Weighted:
    """A weighted sum: result = sum / divisor x scale + bias.

    `sum` is that of all terms; of a gradient sqrt(v^2 + h^2), from the sums of the parts. `kernel` is what the weights
    are called. A vector has no window. `reach` is the most that a sum of the kernel can be on such samples, where it is
    known, and `levels` the least and the greatest of these.
    """

    kernel: str
    windows: Windows | None
    window: Window | None
    pad_mode: PadMode
    terms: tuple[Term, ...]
    sum: Number
    divisor: int = 1
    scale: Fraction = Fraction(1)
    bias: Fraction | float = Fraction(0)
    levels: tuple[Number, Number] | None = None

    @property
    def parts(self) -> dict[str, Number]:
        """The sum of each part."""
        return {part: added([t.sum for t in self.terms if t.part == part]) for part in {t.part: 0 for t in self.terms}}

    @property
    def result(self) -> Fraction | float:
        """The result, exact where the sum is a whole number."""
        total = Fraction(self.sum) if isinstance(self.sum, int) else self.sum
        return total / self.divisor * self.scale + self.bias


@dataclass(frozen=True, eq=False)
class Pooled:
    """The cells of a window in one channel; `counted` are those that take part.

    `winners` are the pixels that hold the result of max or min; `sum` and `count` give that of avg.
    """

    kind: str
    windows: Windows
    window: Window
    channel: int
    samples: Array
    counted: Array
    sum: Number
    count: int
    winners: tuple[Pair, ...] = ()


@dataclass(frozen=True)
class Source:
    """A value that a layer took: of which layer (or the input), at which position."""

    layer: str
    position: Position
    value: Number


@dataclass(frozen=True)
class Combined:
    """A value that comes from single values of the inputs: `formula` in general, `worked` with the numbers in it."""

    sources: tuple[Source, ...]
    formula: str
    worked: str
    numbers: dict[str, Number] = field(default_factory=dict)


@dataclass(frozen=True)
class Written:
    """What becomes of a response in a file: `level` is the mapped response before rounding and clipping.

    `low` and `high` are the levels of the samples; `extremes` the responses that `normalize` stretches over them.
    """

    mapping: str
    dtype: str
    low: int
    high: int
    level: Number
    pixel: Number
    level_scale: Fraction = Fraction(1)
    extremes: tuple[Number, Number] | None = None

    @property
    def clipped(self) -> bool:
        """Whether the level lay beyond those of the samples."""
        return not self.low - 0.5 <= self.level < self.high + 0.5


@dataclass(frozen=True, eq=False)
class Trace:
    """One output value of a layer: where it is, how it came about, what is written of it, and what it means.

    `inputs` are the names and shapes of what the layer took.
    """

    layer: str
    type: str
    position: Position
    output_shape: Shape
    inputs: tuple[tuple[str, Shape], ...]
    how: Weighted | Pooled | Combined
    response: Number
    written: Written | None = None
    meaning: tuple[str, ...] = ()

    @property
    def pixel(self) -> Number:
        """The number in the file: a sample, or the response itself."""
        return self.response if self.written is None else self.written.pixel

    def as_dict(self) -> dict[str, Any]:
        """All of it in plain types; keys that do not apply are None, numbers that are not finite are text.

        Always: layer, type, position, output_shape, inputs (name and shape each), response, pixel, meaning. What is
        written: mapping, depth, level (mapped, before rounding), clipped, extremes. Windows: rows, columns, from_rows,
        from_columns (whose samples the cells hold; None is zero), size, stride, padding, dilation, pad_mode. Weighted
        sums: kernel, terms (channel, part, samples, weights, products, sum), sum, divisor, scale, bias. Pooling: kind,
        samples, counted, sum, count, winners. Other layers: sources (layer, position, value), formula, worked, numbers.
        """
        own = {
            "layer": self.layer,
            "type": self.type,
            "position": self.position,
            "output_shape": self.output_shape,
            "inputs": [{"name": name, "shape": shape} for name, shape in self.inputs],
            "response": self.response,
            "pixel": self.pixel,
            "meaning": self.meaning,
        }
        return {key: plain(value) for key, value in {**dict.fromkeys(_KEYS), **own, **self._of_how()}.items()}

    def _of_how(self) -> dict[str, Any]:
        how, written = self.how, self.written
        found = {key: getattr(how, key) for key in _KEYS if hasattr(how, key)}
        if isinstance(how, Weighted):
            found["terms"] = [{name: getattr(term, name) for name in _TERM} for term in how.terms]
        if isinstance(how, Combined):
            found["sources"] = [vars(source) for source in how.sources]
        elif how.window is not None:
            found |= vars(how.window)
        if not isinstance(how, Combined) and how.windows is not None:
            found |= {key: getattr(how.windows, key) for key in ("size", "stride", "padding", "dilation")}
        if written is not None:
            found |= {key: getattr(written, key) for key in ("mapping", "level", "clipped", "extremes")}
            found["depth"] = written.dtype
        return found


_TERM = ("channel", "part", "samples", "weights", "products", "sum")
# All keys of a trace as a dictionary, in their order.
_KEYS = (
    *("layer", "type", "position", "output_shape", "inputs", "response", "pixel"),
    *("mapping", "depth", "level", "clipped", "extremes", "meaning", "kernel", "kind"),
    *("size", "stride", "padding", "dilation", "pad_mode", "rows", "columns", "from_rows", "from_columns"),
    *("terms", "samples", "counted", "sum", "count", "divisor", "scale", "bias", "winners"),
    *("sources", "formula", "worked", "numbers"),
)


def plain(value: Any) -> Any:
    """Numbers, text, lists and dictionaries in the place of arrays, tuples and fractions.

    >>> plain({"scale": Fraction(1, 4), "at": (0, 1)}), plain(math.nan)
    ({'scale': 0.25, 'at': [0, 1]}, 'nan')
    """
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, Fraction):
        return int(value) if value.denominator == 1 else float(value)
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def added(values: list[Number]) -> Number:
    """The sum: exact for whole numbers, correctly rounded for floats.

    >>> added([0.1] * 10)
    1.0
    """
    if all(isinstance(value, int) for value in values):
        return sum(values)
    floats = np.array(values, np.float64)
    if np.isfinite(floats).all():
        return math.fsum(values)
    with np.errstate(invalid="ignore"):
        return float(floats.sum())
