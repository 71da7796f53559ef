"""A kernel of whole numbers becomes a short program.

Four ideas shorten the sum of all taps:

- a kernel that is the outer product of a column and a row is applied as one after the other;
- equal taps evenly apart are added up along an addition chain: the sum of a few, and that sum further on;
- a pair of terms that occurs more than once is computed once (see sharing.py);
- terms with equal coefficients are added before they are multiplied.
"""

from collections.abc import Iterable
from functools import lru_cache
from itertools import pairwise
from math import gcd
from typing import NamedTuple

from cnnfilter.core.engine.program import Add, Pick, Program, Ref, Scale, Step, Terms
from cnnfilter.core.engine.sharing import shortened
from cnnfilter.core.geometry import Pair

Weights = tuple[tuple[int, ...], ...]


@lru_cache(maxsize=64)
def compiled(weights: Weights, stride: Pair = (1, 1), dilation: Pair = (1, 1), effort: int = 100_000) -> Program:
    """A cheap program for the correlation with `weights`, which are not all zero.

    >>> print(compiled(((-1, 0, 1), (-2, 0, 2), (-1, 0, 1))))
    s0 = rows 0 + stride * i
    s1 = s0 + s0[+1, +0]
    s2 = s1 + s1[+1, +0]
    s3 = s2[+0, +2] - s2
    result: s3

    `effort` bounds the search, see `shortened`. Programs are remembered.
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


@lru_cache(maxsize=64)
def addition_chain(number: int) -> tuple[int, ...]:
    """1, ..., number, each the sum of the one before and an earlier one, or twice the one before; few of them.

    A path of the power tree (D. E. Knuth, "The Art of Computer Programming", volume 2, section 4.6.3), which is
    shortest for most numbers, all below 77 among them.

    >>> addition_chain(15)
    (1, 2, 3, 5, 10, 15)
    """
    seen = {1}
    level: list[tuple[int, ...]] = [(1,)]
    while number not in seen:
        grown = []
        for path in level:
            for k in path:
                longer = path[-1] + k
                if longer <= number and longer not in seen:
                    seen.add(longer)
                    grown.append((*path, longer))
        level = grown
    return next(path for path in level if path[-1] == number)


class _Run(NamedTuple):
    """`length` terms of one signal and one factor, each (dy, dx) further on than the one before."""

    first: Ref
    dy: int
    dx: int
    length: int
    factor: int


def _as_run(terms: Terms) -> _Run | None:
    """The terms, if they are more than two, equal, and evenly apart."""
    refs, factors = sorted(terms), set(terms.values())
    if len(refs) < 3 or len(factors) > 1:
        return None
    run = _Run(refs[0], refs[1].dy - refs[0].dy, refs[1].dx - refs[0].dx, len(refs), factors.pop())
    return run if refs == [run.first.shifted(i * run.dy, i * run.dx) for i in range(run.length)] else None


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
        if run := _as_run(terms):
            total = self._along(run)
            return total if run.factor == 1 else self.emit(Scale(total, run.factor))
        steps, rest = shortened(terms, len(self.phases) + len(self.steps), effort)
        self.steps += steps
        return self._total(rest)

    def _along(self, run: _Run) -> Ref:
        """The sum of the run's terms, without the factor."""
        sums = {1: run.first}
        for some, more in pairwise(addition_chain(run.length)):
            further = sums[more - some].shifted(some * run.dy, some * run.dx)
            sums[more] = self.emit(Add(sums[some], further))
        return sums[run.length]

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
