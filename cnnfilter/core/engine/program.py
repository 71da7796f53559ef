"""A kernel of whole numbers as a short program: additions, subtractions and scalings of shifted signals.

A signal is an image of sums. Signals 0, 1, ... are the rows of the padded image that a stride needs, one signal a row
phase; every step makes one more. Three ideas shorten the sum of all taps:

- a kernel that is the outer product of a column and a row is applied as one after the other;
- a pair of terms `a + b shifted` that occurs more than once is computed once (common subexpressions, whatever the
  shift; [1 2 1] becomes [1 1] twice, box sums double), found by a beam search;
- terms with equal coefficients are added before they are multiplied.

Nothing here knows of arrays: programs are plain data, and small ones print in a line a step.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from math import gcd
from typing import NamedTuple

from cnnfilter.core.geometry import Pair

Weights = tuple[tuple[int, ...], ...]

# Costs of a step in nanoseconds a value, as measured for 16 bits with AVX-512; only their ratios matter.
ADD, SCALE, PICK, LOAD = 0.075, 0.055, 0.37, 0.045
# States of the search that are followed at a time, by the number of terms they have, and patterns tried for each.
BEAMS = ((16, 6), (30, 2), (10**9, 1))
PATTERNS = 12


class Ref(NamedTuple):
    """A signal, read `dy` rows below and `dx` columns to the right."""

    signal: int
    dy: int = 0
    dx: int = 0

    def __str__(self) -> str:
        return f"s{self.signal}" + (f"[{self.dy:+}, {self.dx:+}]" if self.dy or self.dx else "")


class Add(NamedTuple):
    """left + sign * right."""

    left: Ref
    right: Ref
    sign: int = 1

    def __str__(self) -> str:
        return f"{self.left} {'+' if self.sign > 0 else '-'} {self.right}"


class Scale(NamedTuple):
    """factor * operand."""

    operand: Ref
    factor: int

    def __str__(self) -> str:
        return f"{self.factor} * {self.operand}"


class Pick(NamedTuple):
    """The columns phase, phase + stride, ... of a signal; shifts of what comes out count such columns."""

    signal: int
    phase: int

    def __str__(self) -> str:
        return f"columns {self.phase} + stride * i of s{self.signal}"


Step = Add | Scale | Pick
Terms = dict[Ref, int]


@dataclass(frozen=True)
class Program:
    """Signal k for k < len(phases) holds the rows phases[k] + stride * i; step k makes signal len(phases) + k.

    >>> print(program(((-1, 0, 1), (-2, 0, 2), (-1, 0, 1))))
    s0 = rows 0 + stride * i
    s1 = s0 + s0[+1, +0]
    s2 = s1 + s1[+1, +0]
    s3 = s2[+0, +2] - s2
    result: s3
    """

    phases: tuple[int, ...]
    steps: tuple[Step, ...]
    result: Ref

    def __str__(self) -> str:
        loads = [f"s{k} = rows {phase} + stride * i" for k, phase in enumerate(self.phases)]
        steps = [f"s{k} = {step}" for k, step in enumerate(self.steps, len(self.phases))]
        return "\n".join([*loads, *steps, f"result: {self.result}"])

    def cost(self, stride: int = 1) -> float:
        """Nanoseconds a value of the result; before columns are picked, signals have `stride` times as many values."""
        picked = _picked(self)
        total = LOAD * stride * len(self.phases)
        for signal, step in enumerate(self.steps, len(self.phases)):
            if isinstance(step, Pick):
                total += PICK
            else:
                total += (ADD if isinstance(step, Add) else SCALE) * (1 if signal in picked else stride)
        return total


def _picked(program: Program) -> set[int]:
    """The signals that come after a pick."""
    found: set[int] = set()
    for signal, step in enumerate(program.steps, len(program.phases)):
        source = step.operand.signal if isinstance(step, Scale) else step.left.signal if isinstance(step, Add) else -1
        if isinstance(step, Pick) or source in found:
            found.add(signal)
    return found


@lru_cache(maxsize=64)
def program(weights: Weights, stride: Pair = (1, 1), dilation: Pair = (1, 1), effort: int = 100_000) -> Program:
    """A cheap program for the correlation with `weights`, which are not all zero.

    `effort` bounds the search: the number of pairs of terms that it may look at, some 10 million a second.
    """
    taps = [(y * dilation[0], x * dilation[1], k) for y, row in enumerate(weights) for x, k in enumerate(row) if k]
    factors = rank_one(weights)
    if factors and all(sum(map(bool, factor)) > 1 for factor in factors):
        column, row = ([(i * d, k) for i, k in enumerate(f) if k] for f, d in zip(factors, dilation, strict=True))
        found = [_separable(column, row, stride, effort)]
        if stride[1] > 1:
            found.append(_separable(column, row, stride, effort, pick_last=True))
    else:
        found = [_direct(taps, stride, effort)]
        if stride[1] > 1:
            found.append(_picked_first(taps, stride, effort))
    return min(found, key=lambda made: made.cost(stride[1]))


def rank_one(weights: Weights) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """Whole numbers (column, row) whose outer product the weights are, or None.

    >>> rank_one(((-1, 0, 1), (-2, 0, 2), (-1, 0, 1)))
    ((1, 2, 1), (-1, 0, 1))
    """
    base = next(row for row in weights if any(row))
    common = gcd(*base) * (-1 if sum(base) < 0 else 1)  # sums of positive terms need no negation
    base = tuple(k // common for k in base)
    pivot = next(x for x, k in enumerate(base) if k)
    column = tuple(row[pivot] // base[pivot] for row in weights)
    is_outer = all(row == tuple(c * k for k in base) for c, row in zip(column, weights, strict=True))
    return (column, base) if is_outer else None


class _Builder:
    """Steps as they come, numbered after the row phases that `rows` need."""

    def __init__(self, rows: Iterable[int], stride: int) -> None:
        self.stride = stride
        self.phases = tuple(sorted({y % stride for y in rows}))
        self.steps: list[Step] = []

    def row(self, y: int) -> tuple[int, int]:
        """(signal, shift) where row `y` of a window is found."""
        return self.phases.index(y % self.stride), y // self.stride

    def emit(self, step: Step) -> Ref:
        self.steps.append(step)
        return Ref(len(self.phases) + len(self.steps) - 1)

    def sum(self, terms: Terms, effort: int) -> Ref:
        """The steps that sum the terms."""
        steps, rest = _shortened(terms, len(self.phases) + len(self.steps), effort)
        self.steps += steps
        return self._total(rest)

    def _total(self, terms: Terms) -> Ref:
        groups: dict[int, list[Ref]] = {}
        positive = [k for k in terms.values() if k > 0]
        sign = 1 if positive else -1  # without any positive term the negative of the sum is negated at the end
        for ref, k in sorted(terms.items(), key=lambda term: (-term[1] * sign, term[0])):
            groups.setdefault(k * sign, []).append(ref)
        total: Ref | None = None
        for k in sorted({abs(k) for k in groups}, key=lambda k: (k not in groups, -k)):
            plus, minus = groups.get(k, []), groups.get(-k, [])
            total = self._with(total, k, plus, minus)
        assert total is not None
        return total if sign > 0 else self.emit(Scale(total, -1))

    def _with(self, total: Ref | None, factor: int, plus: list[Ref], minus: list[Ref]) -> Ref:
        """Total + factor * (sum of plus - sum of minus)."""
        if factor == 1 and total is not None:
            return self._added(total, plus, minus)
        if plus:
            part, sign = self._added(plus[0], plus[1:], minus), 1
        else:
            part, sign = self._added(minus[0], minus[1:], []), -1
        part = part if factor == 1 else self.emit(Scale(part, factor))
        return part if total is None else self.emit(Add(total, part, sign))

    def _added(self, first: Ref, plus: list[Ref], minus: list[Ref]) -> Ref:
        for ref in plus:
            first = self.emit(Add(first, ref))
        for ref in minus:
            first = self.emit(Add(first, ref, -1))
        return first

    def done(self, result: Ref) -> Program:
        return Program(self.phases, tuple(self.steps), result)


def _direct(taps: list[tuple[int, int, int]], stride: Pair, effort: int) -> Program:
    """All taps at full width; columns are picked at the end."""
    build = _Builder((y for y, _, _ in taps), stride[0])
    total = build.sum({Ref(*build.row(y), x): k for y, x, k in taps}, effort)
    if stride[1] > 1:
        if total.dy or total.dx or not build.steps:  # a pick reads whole signals: the only tap is shifted in rows
            return _picked_first(taps, stride, effort)
        total = build.emit(Pick(total.signal, 0))
    return build.done(total)


def _picked_first(taps: list[tuple[int, int, int]], stride: Pair, effort: int) -> Program:
    """The columns that a stride keeps are picked as they are loaded, one signal a phase of rows and columns."""
    build = _Builder((y for y, _, _ in taps), stride[0])
    picked: dict[tuple[int, int], int] = {}
    terms = {}
    for y, x, k in taps:
        source, shift = build.row(y)
        phase = (source, x % stride[1])
        if phase not in picked:
            picked[phase] = build.emit(Pick(*phase)).signal
        terms[Ref(picked[phase], shift, x // stride[1])] = k
    return build.done(build.sum(terms, effort))


def _separable(
    column: list[tuple[int, int]], row: list[tuple[int, int]], stride: Pair, effort: int, *, pick_last: bool = False
) -> Program:
    """The column factor on the rows that are kept, then the row factor on the columns that are kept."""
    build = _Builder((y for y, _ in column), stride[0])
    signal = build.sum({Ref(*build.row(y)): k for y, k in column}, effort).signal
    if stride[1] == 1 or pick_last:
        total = build.sum({Ref(signal, 0, x): k for x, k in row}, effort)
        return build.done(total if stride[1] == 1 else build.emit(Pick(total.signal, 0)))
    picked = {phase: build.emit(Pick(signal, phase)).signal for phase in sorted({x % stride[1] for x, _ in row})}
    return build.done(build.sum({Ref(picked[x % stride[1]], 0, x // stride[1]): k for x, k in row}, effort))


class _Pattern(NamedTuple):
    """A pair of terms: signal `a`, and sign times signal `b` further down or right."""

    a: int
    b: int
    dy: int
    dx: int
    sign: int


def _shortened(terms: Terms, first: int, effort: int) -> tuple[list[Step], Terms]:
    """(steps, terms that remain to be summed): a beam search for pairs whose sum is needed more than once.

    The steps make signals first, first + 1, ... After Hartley, "Subexpression sharing in filters using canonic signed
    digit multipliers", 1996, in two dimensions.
    """
    best: tuple[list[Step], Terms] = ([], terms)
    front = [best]
    seen = {frozenset(terms.items())}
    while front and _length(front[0]) <= _length(best) + 2:
        found = []
        for steps, current in front:
            effort -= len(current) ** 2
            if effort < 0:
                return best
            for pattern in _patterns(current):
                rest = _divided(current, pattern, first + len(steps))
                key = frozenset(rest.items())
                if len(rest) < len(current) and key not in seen:
                    seen.add(key)
                    found.append(([*steps, _step(pattern)], rest))
        found.sort(key=lambda state: (_length(state), sum(map(abs, state[1].values()))))
        front = found[: next(beam for most, beam in BEAMS if len(terms) <= most)]
        if front and _length(front[0]) < _length(best):
            best = front[0]
    return best


def _length(state: tuple[list[Step], Terms]) -> int:
    """Number of operations of a state; each size of coefficient but 1 needs one multiplication."""
    steps, terms = state
    return len(steps) + len(terms) - 1 + len({abs(k) for k in terms.values()} - {1})


def _patterns(terms: Terms) -> list[_Pattern]:
    """The pairs that occur at least twice, the most frequent first."""
    ordered = sorted((dy, dx, signal, k) for (signal, dy, dx), k in terms.items())
    count: Counter[_Pattern] = Counter()
    for i, (y, x, a, k) in enumerate(ordered):
        count.update(_Pattern(a, b, v - y, u - x, 1 if (k > 0) == (m > 0) else -1) for v, u, b, m in ordered[i + 1 :])
    return [pattern for pattern, times in count.most_common(PATTERNS) if times > 1]


def _divided(terms: Terms, pattern: _Pattern, signal: int) -> Terms:
    """The terms with as many pairs as there are replaced by terms of `signal`."""
    a, b, dy, dx, sign = pattern
    rest, pairs = dict(terms), {}
    for ref in sorted(ref for ref in terms if ref.signal == a):
        partner = Ref(b, ref.dy + dy, ref.dx + dx)
        k, other = rest.get(ref, 0), rest.get(partner, 0) * sign
        if k * other <= 0:
            continue
        common = min(abs(k), abs(other)) * (1 if k > 0 else -1)
        pairs[Ref(signal, ref.dy, ref.dx)] = common
        for key, taken in ((ref, common), (partner, sign * common)):
            rest[key] -= taken
            if not rest[key]:
                del rest[key]
    return rest | pairs


def _step(pattern: _Pattern) -> Add:
    return Add(Ref(pattern.a), Ref(pattern.b, pattern.dy, pattern.dx), pattern.sign)
