"""Banks of filters against PyTorch, which runs in a process of its own: its threads spin beside those of others.

The parent starts this file as a script; it answers a line `ROW REPEATS` of its input with the milliseconds of one
run, by the best of the memory formats and thread counts that it has tried for that row.
"""

from __future__ import annotations

import importlib
import itertools
import os
import subprocess
import sys
import time
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Bank(NamedTuple):
    """A bank of 3 x 3 with padding 1 over an image of `side` x `side`."""

    side: int
    inputs: int
    filters: int
    listed: bool = True

    @property
    def name(self) -> str:
        return f"conv2d {self.side}x{self.side}x{self.inputs} to {self.filters}"

    def arrays(self) -> tuple[Any, Any, Any]:
        """Image, weights and bias in our layout, the same in both processes."""
        rng = np.random.default_rng(1)
        shapes = (self.side, self.side, self.inputs), (3, 3, self.inputs, self.filters), (self.filters,)
        image, weight, bias = (rng.standard_normal(shape, np.float32) for shape in shapes)
        return image, weight, bias


BANKS = (
    Bank(224, 64, 64),
    Bank(56, 128, 128),
    Bank(512, 3, 16),
    Bank(32, 3, 16),
    Bank(28, 256, 256, listed=False),
    Bank(112, 32, 64, listed=False),
    Bank(128, 3, 32, listed=False),
)


# Seconds that are not counted: what the other side left in caches, and a processor that slept, are not ours to pay.
WARM = 0.01


def timed(work: Callable[[], object], repeats: int) -> float:
    """Milliseconds of one run, once it is warm."""
    start = time.perf_counter()
    work()
    while time.perf_counter() - start < WARM:
        work()
    start = time.perf_counter()
    for _ in range(repeats):
        work()
    return (time.perf_counter() - start) * 1000 / repeats


class Torch:
    """The process that PyTorch runs in."""

    def __init__(self, python: str) -> None:
        self.process = subprocess.Popen(
            [python, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        self.version = self._answer()

    def result(self, row: int, folder: Path) -> Any:
        """The responses in our layout, after the best way has been found."""
        self._ask(f"{row} {folder / 'responses.npy'}")
        return np.load(folder / "responses.npy")

    def milliseconds(self, row: int, repeats: int) -> float:
        return float(self._ask(f"{row} {repeats}"))

    def close(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()

    def _ask(self, line: str) -> str:
        assert self.process.stdin
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self._answer()

    def _answer(self) -> str:
        assert self.process.stdout
        line = self.process.stdout.readline().strip()
        if not line:
            raise SystemExit("the process of PyTorch has ended; --torch-python names a Python that has torch")
        return line


class _Ways:
    """A bank in both memory formats, with one thread and with all; `run` is the fastest."""

    def __init__(self, torch: Any, bank: Bank) -> None:
        self.torch = torch
        image, weight, bias = (torch.from_numpy(array) for array in bank.arrays())
        image, weight = image.permute(2, 0, 1)[None], weight.permute(3, 2, 0, 1)
        formats = torch.channels_last, torch.contiguous_format
        ways: list[tuple[float, int, int, tuple[Any, Any, Any]]] = []
        for form, threads in itertools.product(formats, sorted({1, os.cpu_count() or 1})):
            x, w = (array.contiguous(memory_format=form) for array in (image, weight))
            torch.set_num_threads(threads)
            taken = [self._timed(x, w, bias) for _ in range(8)]
            ways.append((median(taken[3:]), len(ways), threads, (x, w, bias)))
        _, _, self.threads, self.operands = min(ways)

    def run(self) -> Any:
        return self.torch.nn.functional.conv2d(*self.operands, padding=1)

    def timed(self, repeats: int) -> float:
        self.torch.set_num_threads(self.threads)
        return timed(self.run, repeats)

    def _timed(self, *operands: Any) -> float:
        start = time.perf_counter()
        self.torch.nn.functional.conv2d(*operands, padding=1)
        return time.perf_counter() - start


def serve() -> None:
    torch: Any = importlib.import_module("torch")
    print(torch.__version__, flush=True)
    prepared: dict[int, _Ways] = {}
    with torch.inference_mode():
        for line in sys.stdin:
            row, what = line.split(maxsplit=1)
            ways = prepared.get(int(row)) or prepared.setdefault(int(row), _Ways(torch, BANKS[int(row)]))
            if what.strip().isdigit():
                print(ways.timed(int(what)), flush=True)
            else:
                np.save(what.strip(), ways.run()[0].permute(1, 2, 0).contiguous().numpy())
                print("saved", flush=True)


if __name__ == "__main__":
    serve()
