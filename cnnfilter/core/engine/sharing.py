"""Common subexpressions of a sum of shifted signals, whatever their shift.

A pair `a + b shifted` that occurs more than once is computed once: [1 2 1] becomes [1 1] twice, box sums double,
binomials are found unaided. After Hartley, "Subexpression sharing in filters using canonic signed digit multipliers",
1996, in two dimensions; here a beam search chooses the pairs.
"""

from collections import Counter
from typing import NamedTuple

from cnnfilter.core.engine.program import Add, Ref, Step, Terms

# States of the search that are followed at a time, by the number of terms they have, and patterns tried for each.
BEAMS = ((16, 6), (30, 2), (10**9, 1))
PATTERNS = 12


class _Pattern(NamedTuple):
    """A pair of terms: signal `a`, and sign times signal `b` further down or right."""

    a: int
    b: int
    dy: int
    dx: int
    sign: int


def shortened(terms: Terms, first: int, effort: int) -> tuple[list[Step], Terms]:
    """(steps, terms that remain to be summed): a beam search for pairs whose sum is needed more than once.

    The steps make signals first, first + 1, ... `effort` bounds the work: pairs of terms
    looked at, and terms divided, some two million a second. It is counted, not timed, so that programs repeat.
    """
    best: tuple[list[Step], Terms] = ([], terms)
    front = [best]
    seen = {frozenset(terms.items())}
    while front and _length(front[0]) <= _length(best) + 2:
        found = []
        for steps, current in front:
            effort -= len(current) * (len(current) + 4 * PATTERNS)
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
