"""Programs: additions, subtractions and scalings of shifted signals, as plain data.

A signal is an image of sums. Signals 0, 1, ... are the rows of the padded image that a stride needs, one signal a row
phase; every step makes one more. Nothing here knows of arrays, and programs print in a line a step.
"""

from typing import NamedTuple

# Costs of a step in nanoseconds a value, as measured for 16 bits with AVX-512; only their ratios matter.
ADD, SCALE, PICK, LOAD = 0.075, 0.055, 0.37, 0.045


class Ref(NamedTuple):
    """A signal, read `dy` rows below and `dx` columns to the right."""

    signal: int
    dy: int = 0
    dx: int = 0

    def shifted(self, dy: int, dx: int) -> "Ref":
        """The same signal, read so much further on."""
        return self._replace(dy=self.dy + dy, dx=self.dx + dx)

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


class Program(NamedTuple):
    """Signal k for k < len(phases) holds the rows phases[k] + stride * i; step k makes signal len(phases) + k.

    >>> print(Program((0,), (Add(Ref(0), Ref(0, 1, 0)), Scale(Ref(1), 3)), Ref(2)))
    s0 = rows 0 + stride * i
    s1 = s0 + s0[+1, +0]
    s2 = 3 * s1
    result: s2
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
