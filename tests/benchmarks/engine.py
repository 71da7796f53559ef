"""The speed of the engine next to its peers', row by row, after a check that both make the same.

    python tests/benchmarks/engine.py [--rounds N] [--json FILE] [--torch-python PYTHON] [WORD...]

runs the rows whose name holds all the words: filters and pooling against OpenCV, banks of filters against PyTorch
in a process of its own. Both sides use all processors; rounds are interleaved, and the table shows medians. Ratios are
worth more than times: the two sides of a row meet the same machine at the same moment. The rows marked with a star are
those whose geometric mean is printed at the end.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import platform
import sys
import tempfile
from pathlib import Path
from statistics import geometric_mean, median
from typing import TYPE_CHECKING, Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from benchmarks.banks import BANKS, Torch, timed
from benchmarks.rows import Row, cv2, rows

import cnnfilter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Timed = Callable[[int], float]

# A measurement takes at least so many milliseconds, by repetition.
LEAST = 25.0
# How far responses of banks may be apart, of the largest: PyTorch's way rounds, too.
BANKS_WITHIN = 2e-5


def medians(sides: dict[str, Timed], rounds: int) -> dict[str, float]:
    """Median milliseconds of each side, which take turns."""
    repeats = {name: max(1, min(1000, int(LEAST / side(3)) + 1)) for name, side in sides.items()}
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for warm in [True] * 2 + [False] * rounds:
        for name, side in sides.items():
            found = side(repeats[name])
            if not warm:
                taken[name].append(found)
    return {name: median(values) for name, values in taken.items()}


def record(name: str, listed: bool, found: dict[str, float], apart: float, within: float) -> dict[str, Any]:
    ours = found.pop("ours")
    peer = min(found, key=lambda name: found[name])
    ratio = ours / found[peer]
    return {"work": name, "listed": listed, "ours_ms": ours, "peer": peer, "peer_ms": found[peer], "ratio": ratio,
            "apart": apart, "within": within}  # fmt: skip


def of_images(row: Row, rounds: int) -> dict[str, Any]:
    works = {"ours": row.ours, **row.peers}
    sides: dict[str, Timed] = {
        name: functools.partial(timed, functools.partial(work, row.image)) for name, work in works.items()
    }
    return record(row.name, row.listed, medians(sides, rounds), row.difference(), row.within)


def of_bank(number: int, torch: Torch, rounds: int) -> dict[str, Any]:
    bank = BANKS[number]
    image, weight, bias = bank.arrays()
    ours = functools.partial(cnnfilter.conv2d, image, weight, bias, padding=1)
    with tempfile.TemporaryDirectory() as folder:
        expected = torch.result(number, Path(folder))
    apart = float(np.abs(ours() - expected).max() / np.abs(expected).max())
    sides: dict[str, Timed] = {
        "ours": functools.partial(timed, ours),
        "torch": functools.partial(torch.milliseconds, number),
    }
    return record(bank.name, bank.listed, medians(sides, rounds), apart, BANKS_WITHIN)


def measured(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    rounds = max(9, options.rounds)

    def wanted(name: str) -> bool:
        return all(word in name for word in options.words)

    if not options.only_banks:
        yield from (of_images(row, rounds) for row in rows() if wanted(row.name))
    numbers = [i for i, bank in enumerate(BANKS) if wanted(bank.name)]
    if numbers and options.torch_python:
        torch = Torch(options.torch_python)
        yield from (of_bank(i, torch, rounds) for i in numbers)
        torch.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", help="run the rows whose name holds all of these")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", type=Path, help="also write the measurements to this file")
    parser.add_argument("--torch-python", default=sys.executable, help="the Python that has torch; '' for no banks")
    parser.add_argument("--only-banks", action="store_true", help="leave out what is measured against OpenCV")
    options = parser.parse_args()
    records = []
    print(f"  {'work':32} {'ours ms':>8} {'peer ms':>8} {'ratio':>6}  peer")
    for found in measured(options):
        records.append(found)
        remark = f"  DIFFERS by {found['apart']:.3g}" if found["apart"] > found["within"] else ""
        print(f"{'*' if found['listed'] else ' '} {found['work']:32} {found['ours_ms']:8.3f} {found['peer_ms']:8.3f} "
              f"{found['ratio']:6.2f}  {found['peer']}{remark}", flush=True)  # fmt: skip
    listed = [found["ratio"] for found in records if found["listed"]]
    mean = geometric_mean(listed) if listed else None
    if mean:
        print(f"geometric mean of {len(listed)} rows: {mean:.3f}")
    if options.json:
        about = {"numpy": np.__version__, "opencv": cv2.__version__, "python": platform.python_version(),
                 "cores": os.cpu_count(), "machine": platform.processor() or platform.machine()}  # fmt: skip
        text = json.dumps({**about, "geometric_mean": mean, "rows": records}, indent=1)
        options.json.write_text(text + "\n", encoding="utf-8")
    return 1 if any(found["apart"] > found["within"] for found in records) else 0


if __name__ == "__main__":
    sys.exit(main())
