"""A kernel in the terminal: heat map, frequency response, facts, and how it is executed."""

from collections.abc import Iterator, Sequence
from fractions import Fraction

from rich.console import Group, RenderableType
from rich.text import Text

from cnnfilter.cli.drawing.canvas import Canvas, beside, counted, listing
from cnnfilter.cli.show import short, windows
from cnnfilter.core.analysis import Array, Number, Part, strongest_of
from cnnfilter.core.spectrum import plane
from cnnfilter.core.words import by, printable
from cnnfilter.model.explain import Execution, KernelReport, MatrixReport

# Kernels up to this size are drawn in cells of several lines, as nearly squares.
SMALL = 3
WIDEST = 8
# Most rows and columns of a heat map with numbers.
MOST_NUMBERS = 11
# Most rows and columns of a heat map without numbers.
LARGEST_MAP = 31
LONGEST_PROGRAM = 24
LONGEST_PART = 9
INSIDE = "Inside cnnfilter, for the curious: how it gets the same numbers faster"
PROGRAM_NOTE = "(s1[+2, +0] is s1 read 2 rows below)"
PLANE = 9
# Fractions with these denominators are shown as decimals; larger ones than the next tell nobody anything.
DECIMAL = (2, 4, 5, 10)
MOST_DENOMINATOR = 9999
MOVEMENTS = {
    "left-right": "mirrored left-right",
    "up-down": "mirrored up-down",
    "half turn": "turned by 180 degrees",
    "quarter turn": "turned by 90 degrees",
    "transpose": "transposed",
}


def draw_kernel(canvas: Canvas, report: KernelReport) -> None:
    """Print all that is told of a kernel."""
    name = printable(report.name if len(report.name) <= 60 else report.name[:57] + "...")
    turned = ", turned by 180 degrees" if report.is_flipped else ""
    title = Text.assemble((name, "bold"), f"  {by(report.shape)} kernel{turned}: ", (report.filter, "bold"))
    canvas.show(title, Text())
    for each in report.matrices:
        heading = [Text(each.name, "cyan")] if report.is_gradient else []
        pictures = [Group(*heading, heat_map(canvas, each.matrix, each.divisor)), _plane(canvas, each)]
        canvas.show(*beside(canvas, pictures), Text())
    canvas.show(*(Text(sentence) for sentence in report.meaning), Text())
    for each in report.matrices:
        heading = [Text(each.name, "cyan")] if report.is_gradient else []
        canvas.show(*heading, listing(_facts(canvas, each)), *[Text()] * report.is_gradient)
    first = report.execution[0]
    programs = zip(report.matrices, report.execution, strict=True) if report.is_gradient else [(None, first)]
    steps = [row for each, used in programs for row in _program(each.name if each else "program", used)]
    canvas.show(*[Text()] * (not report.is_gradient), listing(list(cost_lines(report.execution))), Text())
    canvas.show(Text(INSIDE, "dim"))
    canvas.show(listing([done_by(first), *steps, *([("", PROGRAM_NOTE)] if steps else [])]))


# ----------------------------------------------------------------------------------------------------- heat map


def heat_map(canvas: Canvas, matrix: Array, divisor: int = 1) -> RenderableType:
    """The weights as cells of a diverging scale, with their numbers where these fit."""
    strongest = float(abs(matrix).max()) or 1.0
    if max(matrix.shape) > MOST_NUMBERS:
        return map_without_numbers(canvas, matrix / strongest)
    texts, note = entries(matrix.tolist(), divisor)
    longest, room = max(len(text) for line in texts for text in line), canvas.width // matrix.shape[1]
    width = max(longest + 4, WIDEST if max(matrix.shape) <= SMALL else 0)
    width = width if width <= room else longest + 2
    if width > room:
        return map_without_numbers(canvas, matrix / strongest)
    lines: list[RenderableType] = []
    blank = " " * width
    for row, line in zip(matrix / strongest, texts, strict=True):
        middle = Text().join(
            canvas.weight(share, text.center(width), framed=True) for share, text in zip(row, line, strict=True)
        )
        around = [Text().join(canvas.weight(share, blank) for share in row)] * (len(matrix) <= SMALL)
        lines += [*around, middle, *around]
    return Group(*lines, *([Text(note, "dim")] if note else []))


def entries(rows: Sequence[Sequence[float]], divisor: int = 1) -> tuple[list[list[str]], str]:
    """(the weights as texts, a note on what all of them are to be divided by, if so).

    >>> entries([[1, 2]], 9), entries([[1, 20]], 256), entries([[0.5, 1 / 3]])
    (([['1/9', '2/9']], ''), ([['1', '20']], 'each divided by 256'), ([['0.5', '0.333']], ''))
    """
    if isinstance(rows[0][0], float):
        return [[f"{value:.3g}" for value in row] for row in rows], ""
    fractions = [[_fraction(Fraction(value, divisor)) for value in row] for row in rows]
    if divisor == 1 or max(len(text) for row in fractions for text in row) <= 4:
        return fractions, ""
    return [[str(value) for value in row] for row in rows], f"each divided by {divisor}"


def map_without_numbers(canvas: Canvas, shares: Array) -> RenderableType:
    """The weights as cells of two characters; several of a large kernel share one, which shows the strongest."""
    cells, step = strongest_of(shares, LARGEST_MAP, min(LARGEST_MAP, canvas.width // 2))
    lines = [Text().join(canvas.weight(share, "  ") for share in row) for row in cells.tolist()]
    note = "" if step == 1 else f"a cell shows the strongest of {step} x {step} weights"
    return Group(*lines, *([Text(note, "dim")] if note else []))


# ------------------------------------------------------------------------------------------------------ frequencies


def _plane(canvas: Canvas, report: MatrixReport) -> RenderableType:
    """How much of each wave comes out: flat areas in the middle, the finest stripes at the rim."""
    found = plane(report.matrix, PLANE)
    shares = found / (found.max() or 1.0)
    lines = [Text().join(canvas.shade(float(share), 2) for share in row) for row in shares]
    notes = ("gain by frequency", "centre: flat areas", "left, right: |||", "top, bottom: =", "rim: the finest")
    told = {index: Text(f"  {note}", "cyan" if index == 2 else "") for index, note in enumerate(notes, 2)}
    return Group(*(line + told.get(index, Text()) for index, line in enumerate(lines)))


def _gains(canvas: Canvas, report: MatrixReport) -> Iterator[tuple[str, RenderableType]]:
    seen = report.spectrum
    for name, values in (("gain of |||", seen.across), ("gain of =", seen.down)):
        ends = f"flat areas {_number(values[0])}, finest stripes {_number(values[-1])}"
        yield name, f"{canvas.levels(values, seen.peak)}  {ends}"
    length = seen.wavelength
    where = "flat areas" if length is None else f"waves {length:.3g} pixels long"
    yield "most gain", f"{_number(seen.peak)}, for {where}"


# ------------------------------------------------------------------------------------------------------------ facts


def _facts(canvas: Canvas, report: MatrixReport) -> list[tuple[str, RenderableType]]:
    known, (low, high) = report.facts, report.reach
    scale, bias = (_number(number) for number in (report.scale, report.bias))
    scaled = f", x {scale} + {bias}" if report.scale != 1 or report.bias else ""
    return [
        ("sum", f"{_number(known.sum)}: what flat areas are multiplied by"),
        ("norms", f"L1 {_number(known.l1)}, L2 {_number(known.l2)}: what even noise is multiplied by"),
        ("answers", f"{_number(low)} to {_number(high)} for pixels of 0 to 255{scaled}"),
        ("rank", _rank(report)),
        ("symmetry", _symmetry(known.symmetry)),
        *_gains(canvas, report),
    ]


def _symmetry(found: Sequence[str]) -> str:
    same = [words for name, words in MOVEMENTS.items() if name in found]
    negated = [words for name, words in MOVEMENTS.items() if f"{name} negated" in found]
    if len(same) == len(MOVEMENTS):
        return "the same mirrored or turned whichever way"
    told = [f"the same {', '.join(same)}"] * bool(same) + [f"other signs {', '.join(negated)}"] * bool(negated)
    return "; ".join(told) or "none"


def _rank(report: MatrixReport) -> str:
    known = report.facts
    if known.rank is None:
        return "not told for a kernel of this size"
    count = f"{known.rank}" + (", separable" if known.rank == 1 and min(report.matrix.shape) > 1 else "")
    is_exact = report.matrix.dtype.kind == "i" or known.rank == 1
    if (
        is_exact
        and len(known.parts) in (1, 2)
        and max(report.matrix.shape) <= LONGEST_PART
        and min(report.matrix.shape) > 1
    ):
        divided = "" if report.divisor == 1 else f", divided by {report.divisor}"
        return f"{count}: {' + '.join(_part(part) for part in known.parts)}{divided}"
    if known.rank > 1:
        count += f"; one column x row would carry {known.energy:.1%} of it"
    return count


def _part(part: Part) -> str:
    return f"column {_vector(part.column)} x row {_vector(part.row)}"


def _vector(values: Sequence[Number]) -> str:
    return f"[{' '.join(_number(value) for value in values)}]"


def _number(value: Number) -> str:
    """A number as people write it: whole, a short decimal, a fraction, or four digits."""
    if isinstance(value, Fraction) and value.denominator <= MOST_DENOMINATOR:
        return _fraction(value)
    return f"{float(value):.4g}"


def _fraction(value: Fraction) -> str:
    return f"{float(value):g}" if value.denominator in DECIMAL and abs(value) < 10**5 else str(value)


# -------------------------------------------------------------------------------------------------------- execution


def cost_lines(executions: Sequence[Execution]) -> Iterator[tuple[str, RenderableType]]:
    """What an image costs, by one task or the two of a gradient, as names and what is told of each."""
    used, many = executions[0], len(executions)
    zero = f", {used.taps - used.nonzero} of them zero" if used.nonzero < used.taps else ""
    taps = f"{'two of ' * (many > 1)}{counted(used.taps, 'tap')}{zero}"
    yield "cost", f"{many * used.macs_per_value} multiply-accumulates a value ({taps})"
    shapes = f"{by(used.input_shape)} -> {by(used.output_shape)}"
    yield "an image", f"{shapes}, {used.mapping}: {short(many * used.macs)} of them (see --input)"
    yield "windows", windows(used.stride, used.padding, used.pad_mode, used.dilation)


def done_by(used: Execution) -> tuple[str, RenderableType]:
    """How an image is filtered."""
    return "done by", f"{used.strategy}: {used.why}; {used.band_rows} rows at a time"


def _program(name: str, execution: Execution) -> Iterator[tuple[str, RenderableType]]:
    """The steps of an execution, if it has some."""
    if execution.program:
        more = len(execution.program) - LONGEST_PROGRAM
        cut = [f"... {more} more lines (--report json)"] if more > 0 else []
        yield name, "\n".join([*execution.program[:LONGEST_PROGRAM], *cut])
