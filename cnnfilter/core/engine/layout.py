"""A program laid out for one size of image: every step a call on slices of one flat scratch array.

A band of rows of an interleaved image is one flat array, so that a shift is an offset: dy * pitch + dx * channels.
What is computed between the end of a row's result and the next row is garbage that is never copied out.
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from cnnfilter.core.engine.finish import Finish
from cnnfilter.core.engine.program import Add, Pick, Program, Ref, Scale, Step
from cnnfilter.core.engine.scratch import LINE
from cnnfilter.core.engine.task import Shape3
from cnnfilter.core.geometry import PadMode, Windows

# Values of a band in 16 bits, half a megabyte a signal; twice as many for programs that hold one signal at a time, half
# as many where they hold MANY or more. So they stay in the second-level cache or near it; smaller bands do not repay
# what a call costs on a cold cache and what threads wait for the interpreter's lock.
BAND, MANY = 1 << 18, 8


class Span(NamedTuple):
    """Part of the scratch array, in values."""

    start: int
    length: int


class Call(NamedTuple):
    """function(*operands, out=out); operands are spans and single numbers. `np.greater` compares without sign."""

    function: Any
    operands: tuple[Any, ...]
    out: Span


class Picking(NamedTuple):
    """Every stride-th column of `rows` rows of `source`, from `phase` on."""

    source: Span
    phase: int
    rows: int
    out: Span


class Load(NamedTuple):
    """The rows phase, phase + stride, ... of a band of the padded image."""

    phase: int
    rows: int
    out: Span


@dataclass(frozen=True, eq=False)
class BandPlan:
    """How a band of `rows` rows of the output is made; the same for every band of the image."""

    program: Program
    finish: Finish
    windows: Windows
    pad_mode: PadMode
    sum_channels: bool
    shape: Shape3  # of the image
    output: Shape3
    rows: int
    taps: int  # of the kernel that are not zero
    count: bool = True
    threads: int = 1
    _layout: "Layout | None" = field(default=None, init=False, repr=False)

    @property
    def why(self) -> str:
        """What makes this plan fast."""
        steps, taps = len(self.program.steps), self.taps
        return f"{steps} {'step' if steps == 1 else 'steps'} instead of {taps} taps, in {self.finish.dtype}"

    @property
    def channels(self) -> int:
        """Channels of the band, as of the output."""
        return self.output[2]

    @property
    def pitch(self) -> int:
        """Values from one padded row to the next; a multiple of the stride, so that phases of a gray image stay put."""
        width = self.shape[1] + sum(self.windows.padding[1])
        stride = self.windows.stride[1]
        return -(-width // stride) * stride * self.channels

    @property
    def narrow(self) -> int:
        """The pitch after columns have been picked."""
        return (self.output[1] + (self.windows.extent[1] - 1) // self.windows.stride[1]) * self.channels

    @property
    def layout(self) -> "Layout":
        """Where everything lies, and the calls; made once.

        Not by `functools.cached_property`: its lock (until Python 3.12) could be taken when another thread forks.
        """
        if self._layout is None:
            object.__setattr__(self, "_layout", Layout(self))
        assert self._layout
        return self._layout


class Layout:
    """Loads, calls and the result of a plan; `size` values of scratch."""

    def __init__(self, plan: BandPlan) -> None:
        self.plan, program = plan, plan.program
        self.size = 0
        self._free: list[Span] = []
        self._pitch = [plan.pitch] * len(program.phases)
        for step in program.steps:
            self._pitch.append(plan.narrow if isinstance(step, Pick) else self._pitch[_operands(step)[0].signal])
        self.result_pitch = self._pitch[program.result.signal]
        self._last = _last_uses(program)
        needs = self._needs(program)
        self.loads = [self._load(phase, need) for phase, need in zip(program.phases, needs, strict=False)]
        self._spans = [load.out for load in self.loads]
        self._blocks = list(self._spans)  # what a signal's span was allocated as
        self.calls: list[Call | Picking] = []
        for signal, step in enumerate(program.steps, len(program.phases)):
            self._lay(signal, step, needs[signal])
        self.result = self._read(program.result, plan.rows * self.result_pitch)
        self.flags: Span | None = None
        self._lay_finish()

    def _needs(self, program: Program) -> list[int]:
        """How many values of each signal are read, from the result backwards."""
        plan = self.plan
        needs = [0] * (len(program.phases) + len(program.steps))

        def need(ref: Ref, length: int) -> None:
            needs[ref.signal] = max(needs[ref.signal], length + self._offset(ref))

        need(program.result, plan.rows * self.result_pitch)
        for k in reversed(range(len(program.steps))):
            signal, step = k + len(program.phases), program.steps[k]
            if isinstance(step, Pick):
                rows = -(-needs[signal] // plan.narrow)
                needs[signal] = rows * plan.narrow
                need(Ref(step.signal), rows * plan.pitch)
            else:
                for ref in _operands(step):
                    need(ref, needs[signal])
        return needs

    def _load(self, phase: int, need: int) -> Load:
        """The rows that are needed of those that are there; beyond the last one lies what no result comes from."""
        windows, pitch = self.plan.windows, self.plan.pitch
        there = self.plan.rows + (windows.extent[0] - 1 - phase) // windows.stride[0]
        rows = min(there, -(-need // pitch))
        return Load(phase, rows, self._allocate(max(need, rows * pitch)))

    def _offset(self, ref: Ref) -> int:
        return ref.dy * self._pitch[ref.signal] + ref.dx * self.plan.channels

    def _read(self, ref: Ref, length: int) -> Span:
        return Span(self._spans[ref.signal].start + self._offset(ref), length)

    def _allocate(self, length: int) -> Span:
        for i in reversed(range(len(self._free))):  # what was used last is still in the cache
            if self._free[i].length >= length:
                return self._free.pop(i)
        line = LINE // self.plan.finish.dtype.itemsize
        block = Span(self.size, -(-length // line) * line)
        self.size += block.length + 2 * line  # apart, so that blocks do not fall on the same lines of the cache
        return block

    def _lay(self, signal: int, step: Step, length: int) -> None:
        """Append a step's call; its span is that of an operand that is read for the last time, or a new one.

        Where both operands are one signal at two shifts it takes the place of the first: the other lies ahead, so that
        nothing is overwritten before it has been read.
        """
        refs = _operands(step)
        dying = {ref.signal for ref in refs if self._last[ref.signal] == signal}
        if isinstance(step, Pick):
            out = block = self._allocate(length)
            rows = length // self.plan.narrow
            self.calls.append(Picking(self._read(refs[0], rows * self.plan.pitch), step.phase, rows, out))
        else:
            spans = [self._read(ref, length) for ref in refs]
            free = [i for i, ref in enumerate(refs) if ref.signal in dying]
            place = min(free, key=lambda i: spans[i].start, default=None)
            if place is None:
                block = self._allocate(length)
                out = Span(block.start, length)
            else:
                out, block = spans[place], self._blocks[refs[place].signal]
                dying.discard(refs[place].signal)
            if isinstance(step, Add):
                self.calls.append(Call(np.add if step.sign > 0 else np.subtract, tuple(spans), out))
            else:
                self.calls.append(Call(np.multiply, (spans[0], self._scalar(step.factor)), out))
        self._free += [self._blocks[gone] for gone in sorted(dying)]
        self._spans.append(out)
        self._blocks.append(block)

    def _scalar(self, number: int) -> Any:
        """A number of the type of the signals, wrapped as they are; as an array, which NumPy takes up faster."""
        dtype = self.plan.finish.dtype
        return np.array(number % (1 << 8 * dtype.itemsize), np.uint64).astype(dtype)

    def _lay_finish(self) -> None:
        """Append what makes samples out of the sums, in place."""
        finish, result = self.plan.finish, self.result

        def then(function: Any, *numbers: int) -> None:
            self.calls.append(Call(function, (result, *map(self._scalar, numbers)), result))

        if finish.factor != 1:
            then(np.multiply, finish.factor)
        if finish.offset:
            then(np.add, finish.offset)
        if finish.absolute:
            then(np.absolute)
        if finish.rounding:
            then(np.add, finish.rounding)
        if finish.limits:
            if self.plan.count:
                self._lay_count(finish.limits)
            then(np.ndarray.clip, *finish.limits)  # np.clip, which checks more
        if finish.lift and not finish.cast_drops_lift:
            then(np.subtract, finish.lift)
        if finish.divisor > 1 and finish.output.kind != "f":
            is_power = finish.divisor & (finish.divisor - 1) == 0
            then(np.right_shift, finish.divisor.bit_length() - 1) if is_power else then(np.floor_divide, finish.divisor)

    def _lay_count(self, limits: tuple[int, int]) -> None:
        """Append what tells values that will be clipped: less the lower limit, they are too large or wrap."""
        low, high = limits
        self.flags = self._allocate(self.result.length)._replace(length=self.result.length)
        above = self.result
        if low:
            above = self._allocate(self.result.length)._replace(length=self.result.length)
            self.calls.append(Call(np.subtract, (self.result, self._scalar(low)), above))
        unsigned = np.dtype(f"u{self.plan.finish.dtype.itemsize}")
        self.calls.append(Call(np.greater, (above, np.array(high - low, unsigned)), self.flags))


def _operands(step: Step) -> tuple[Ref, ...]:
    if isinstance(step, Add):
        return step.left, step.right
    return (step.operand,) if isinstance(step, Scale) else (Ref(step.signal),)


def _last_uses(program: Program) -> dict[int, int]:
    """The signal that reads each signal last; the result is read beyond the end."""
    last: dict[int, int] = {}
    for signal, step in enumerate(program.steps, len(program.phases)):
        last |= {ref.signal: signal for ref in _operands(step)}
    return last | {program.result.signal: len(program.phases) + len(program.steps)}


def held(program: Program) -> int:
    """The most signals that have to be kept at a time.

    >>> from cnnfilter.core.engine.compiler import compiled
    >>> held(compiled(((-1, 0, 1),))), held(compiled(((0, 1, 0), (1, -4, 1), (0, 1, 0))))
    (1, 2)
    """
    last, alive = _last_uses(program), set(range(len(program.phases)))
    most = len(alive)
    for signal in range(len(alive), len(alive) + len(program.steps)):
        alive = {k for k in alive if last.get(k, -1) > signal} | {signal}
        most = max(most, len(alive))
    return most


def band_rows(program: Program, finish: Finish, windows: Windows, shape: Shape3, output: Shape3, threads: int) -> int:
    """Rows of a band: as BAND says, but no fewer than repay the rows that neighbours both load; equal shares.

    Results do not depend on it.
    """
    signals = held(program)
    band = 2 * BAND if signals == 1 else BAND if signals < MANY else BAND // 2
    values = band * 2 // finish.dtype.itemsize
    row = (shape[1] + sum(windows.padding[1])) * output[2]
    most = max(1, values // row, min(windows.extent[0] // windows.stride[0], 64))
    bands = -(-output[0] // most)
    if threads > 1:
        bands = -(-bands // threads) * threads
    return -(-output[0] // bands)
