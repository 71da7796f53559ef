"""The whole command next to libvips and ImageMagick: start-up, large pictures, a folder, growth, memory.

    python tests/benchmarks/whole_command.py [--rounds N] [--json FILE] [WORD...]

runs the rows whose name holds all the words. Every side is a process of its own from start to end; rounds are
interleaved and the table shows medians. All write JPEG of quality 90, and peers PNG of level 1; it is checked that both
sides of a row made the same picture. Peers that are not installed are named (Debian: libvips-tools, imagemagick).
OPENBLAS_NUM_THREADS=1 is set for all, as the command sets it for itself, and our modules are compiled, as pip does it.
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np

import cnnfilter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

MEGA = 1_000_000
PYTHON = shlex.quote(sys.executable)
OURS = f"{PYTHON} -c 'from cnnfilter.__main__ import main; main()'"  # as the installed script does
# The same filter for all: whole numbers, clipped, the border repeated.
SHARPEN = "-k sharpen --pad-mode edge --report none"
MASK = "3 3 1 0\n0 -1 0\n-1 5 -1\n0 -1 0\n"
MAGICK = "-morphology Convolve '3x3: 0,-1,0 -1,5,-1 0,-1,0' -quality 90"
# Runs a command with less memory of its own than any that is measured, and tells (seconds, peak of its kilobytes).
WATCH = """
import resource, subprocess, sys, time
start = time.perf_counter()
code = subprocess.call(["/bin/sh", "-c", sys.argv[1]])
print(time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, code)
"""
# Runs the command in its own process and tells when reading, filtering and writing began and ended.
PROFILE = """
import sys, time
from cnnfilter.__main__ import main
import cnnfilter.batch.applying as applying, cnnfilter.images.files as files, cnnfilter.model.pipeline as pipeline
def told(name, function):
    def timed(*arguments, **named):
        start = time.time()
        try:
            return function(*arguments, **named)
        finally:
            print(name, start, time.time(), file=sys.stderr)
    return timed
files.read = told("decode", files.read)
pipeline.Pipeline.respond = told("filter", pipeline.Pipeline.respond)
applying.write = told("encode", applying.write)
main()
"""


@dataclass(frozen=True)
class Row:
    """One work: our command, the peer's, and the ratio of times that is aimed at."""

    name: str
    ours: str
    peer: str
    command: str
    target: float | None  # None where nothing is promised
    outputs: tuple[str, str] | None = None  # two pictures that must be alike
    rounds: int = 9


@dataclass
class Bench:
    """A folder with pictures, and what was measured there."""

    folder: Path
    words: list[str]
    rounds: int
    records: list[dict[str, Any]] = field(default_factory=list)
    wrong: int = 0

    def wants(self, name: str) -> bool:
        return all(word in name for word in self.words)

    def picture(self, name: str, megapixels: float) -> str:
        """The path of a picture like a photograph: clouds of all sizes, and noise."""
        path = self.folder / name
        if not path.exists():
            cnnfilter.write_image(path, photograph(megapixels))
        return str(path)

    def run(self, command: str) -> tuple[float, int]:
        """(seconds, peak of memory in bytes) of a command in the shell."""
        done = subprocess.run(
            [sys.executable, "-S", "-c", WATCH, command], cwd=self.folder, capture_output=True, text=True, check=True
        )
        seconds, kilobytes, code = done.stdout.split()[-3:]
        if code != "0":
            raise RuntimeError(f"{command}: exit code {code}: {done.stderr}")
        return float(seconds), int(kilobytes) * 1024

    def compare(self, row: Row) -> None:
        ours: list[float] = []
        peer: list[float] = []
        for warm in [True] + [False] * min(self.rounds, row.rounds):
            for command, taken in ((row.ours, ours), (row.command, peer)):
                seconds = self.run(command)[0]
                if not warm:
                    taken.append(seconds)
        remark = self.difference(row)
        self.wrong += bool(remark)
        first, second = median(ours), median(peer)
        ratio = first / second
        aim = "" if row.target is None else f"{row.target:.2f}"
        verdict = "  missed" if row.target is not None and ratio > row.target else ""
        print(f"{row.name:27} {row.peer:29} {1000 * first:8.0f} {1000 * second:8.0f} {ratio:6.2f} {aim:>6}"
              f"{verdict}{remark}", flush=True)  # fmt: skip
        record = {"work": row.name, "peer": row.peer, "ours_s": first, "peer_s": second}
        self.records.append(record | {"ratio": ratio, "target": row.target})

    def difference(self, row: Row) -> str:
        if row.outputs is None:
            return ""
        ours, theirs = (cnnfilter.read_image(self.folder / name).astype(np.int32) for name in row.outputs)
        mean = float(np.abs(ours - theirs).mean())
        within = 0.0 if row.outputs[0].endswith(".png") else 2.0  # encoders of JPEG differ
        return "" if mean <= within else f"  DIFFERS by {mean:.2f} levels on the average"


def photograph(megapixels: float) -> NDArray[np.uint8]:
    """Three channels, 4:3."""
    height = round((megapixels * MEGA * 3 / 4) ** 0.5)
    width = height * 4 // 3
    rng = np.random.default_rng(0)
    total = np.full((height, width, 3), 100, np.int16)
    for cell in (512, 128, 32, 8):
        small = rng.integers(0, 8 + cell // 8, (height // cell + 1, width // cell + 1, 3), np.int16)
        total += small.repeat(cell, 0).repeat(cell, 1)[:height, :width]
    total += rng.integers(-4, 5, total.shape, np.int16)
    return np.asarray(np.clip(total, 0, 255).astype(np.uint8))


def rows(bench: Bench) -> Iterator[Row]:
    """The rows that have a peer here."""
    yield Row("start-up: --help", f"{OURS} --help > help.txt", "import click", f"{PYTHON} -c 'import click'", 1.25)
    small = bench.picture("small.png", 0.004)
    convolve = f"{OURS} convolve {small} -k sobel-v --report none -o small-out.png"
    bare = f"{PYTHON} -c 'import numpy, PIL.Image, click'"
    yield Row("start-up: a small picture", convolve, "import numpy, PIL.Image, click", bare, 1.2)
    (bench.folder / "mask.mat").write_text(MASK, encoding="ascii")
    vips, mogrify = shutil.which("vips"), shutil.which("mogrify")
    for format_name, option in (("png", "[compression=1]"), ("jpg", "[Q=90]")):
        name = f"12 megapixels, {format_name}"
        if bench.wants(name):
            picture = bench.picture(f"large.{format_name}", 12)
            ours = f"{OURS} convolve {picture} {SHARPEN} -o ours.{format_name}"
            if vips:
                command = f"vips conv {picture} vips.{format_name}{option} mask.mat --precision integer"
                both = (f"ours.{format_name}", f"vips.{format_name}")
                yield Row(name, ours, "vips conv", command, 1 if format_name == "png" else None, both, rounds=5)
            if mogrify:
                level = "-define png:compression-level=1" if format_name == "png" else ""
                (bench.folder / "magick").mkdir(exist_ok=True)
                command = f"mogrify -path magick {MAGICK} {level} {picture}"
                both = (f"ours.{format_name}", f"magick/large.{format_name}")
                yield Row(name, ours, "mogrify -morphology", command, None, both, rounds=3)
    yield from folder_rows(bench, vips, mogrify)


def folder_rows(bench: Bench, vips: str | None, mogrify: str | None) -> Iterator[Row]:
    """A hundred JPEGs of 1024 x 768."""
    name = "100 JPEGs of 1024x768"
    if not bench.wants(name):
        return
    photographs = bench.folder / "photographs"
    photographs.mkdir()
    first = bench.picture("photographs/0.jpg", 0.786432)
    for number in range(1, 100):
        shutil.copyfile(first, photographs / f"{number}.jpg")
    for folder in ("ours", "vips", "mogrified"):
        (bench.folder / folder).mkdir()
    ours = f"{OURS} convolve photographs {SHARPEN} -o ours/"
    if mogrify:
        command = f"mogrify -path mogrified {MAGICK} photographs/*.jpg"
        yield Row(name, ours, "mogrify -morphology", command, 1 / 5, ("ours/7.jpg", "mogrified/7.jpg"), rounds=3)
    if vips:
        each = "vips conv photographs/{} vips/{}[Q=90] mask.mat --precision integer"
        command = f"ls photographs | xargs -P 2 -I{{}} {each}"
        yield Row(name, ours, "vips conv a file, two at a time", command, 1 / 3, ("ours/7.jpg", "vips/7.jpg"), rounds=3)


def growth(bench: Bench) -> None:
    """Time a pixel of 1, 4, 16 and 64 megapixels, which is to stay within 1.3 of each other."""
    if not bench.wants("growth"):
        return
    print("\ngrowth: nanoseconds a pixel (the command's without its start-up)")
    print(f"{'megapixels':>10} {'core':>8} {'command':>8}")
    start_up = bench.run(f"{OURS} convolve {bench.picture('small.png', 0.004)} {SHARPEN} -o small-out.png")[0]
    found: dict[str, list[float]] = {"core": [], "command": []}
    for megapixels in (1, 4, 16, 64):
        image = photograph(megapixels)
        pixels = image.shape[0] * image.shape[1]
        core = seconds_of(image, bench.rounds)
        cnnfilter.write_image(bench.folder / "grown.png", image)
        del image
        command = f"{OURS} convolve grown.png {SHARPEN} -o grown-out.png"
        whole = median(bench.run(command)[0] for _ in range(3)) - start_up
        found["core"].append(core / pixels * 1e9)
        found["command"].append(whole / pixels * 1e9)
        print(f"{megapixels:10} {found['core'][-1]:8.2f} {found['command'][-1]:8.2f}", flush=True)
    for name, values in found.items():
        spread = max(values) / min(values)
        print(f"{name}: the slowest is {spread:.2f} times the fastest{'' if spread <= 1.3 else '  missed: 1.30'}")
        bench.records.append({"work": f"growth: {name}", "ns_a_pixel": values, "ratio": spread, "target": 1.3})


def seconds_of(image: NDArray[np.uint8], rounds: int) -> float:
    """Median seconds of a filter, warmed up."""
    taken = []
    for _ in range(rounds + 2):
        start = time.perf_counter()
        cnnfilter.convolve(image, "sobel-v", mapping="abs")
        taken.append(time.perf_counter() - start)
    return median(taken[2:])


def memory(bench: Bench) -> None:
    """The peak of 24 megapixels in colour through the command, which is to stay below 400 MB."""
    for format_name in ("png", "jpg"):
        name = f"memory: 24 megapixels, {format_name}"
        if bench.wants(name):
            picture = bench.picture(f"memory.{format_name}", 24)
            peak = bench.run(f"{OURS} convolve {picture} {SHARPEN} -o memory-out.{format_name}")[1] / MEGA
            print(f"{name}: a peak of {peak:.0f} MB{'' if peak < 400 else '  missed: 400'}", flush=True)
            bench.records.append({"work": name, "megabytes": peak, "target": 400})


def profile(bench: Bench) -> None:
    """Where the time of one 12-megapixel PNG goes."""
    if not bench.wants("profile"):
        return
    picture = bench.picture("large.png", 12)
    words = ["convolve", picture, *SHARPEN.split(), "-o", str(bench.folder / "profile.png")]
    found: dict[str, list[float]] = {}
    for _ in range(max(3, bench.rounds // 2)):
        start = time.time()
        done = subprocess.run([sys.executable, "-c", PROFILE, *words], capture_output=True, text=True, check=True)
        end = time.time()
        told = {name: (float(a), float(b)) for name, a, b in (line.split() for line in done.stderr.splitlines())}
        parts = {"start-up": told["decode"][0] - start} | {name: b - a for name, (a, b) in told.items()}
        parts["rest"] = end - start - sum(parts.values())
        for name, seconds in parts.items():
            found.setdefault(name, []).append(seconds)
    medians = {name: median(values) for name, values in found.items()}
    total = sum(medians.values())
    print("\nprofile of one 12-megapixel PNG")
    for name, seconds in medians.items():
        print(f"{name:10} {1000 * seconds:6.0f} ms {seconds / total:6.1%}")
    bench.records.append({"work": "profile: 12 megapixels, png", "seconds": medians})


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", help="run the rows whose name holds all of these")
    parser.add_argument("--rounds", type=int, default=9, help="at most; heavy rows have fewer")
    parser.add_argument("--json", type=Path, help="also write the measurements to this file")
    options = parser.parse_args()
    for peer, package in (("vips", "libvips-tools"), ("mogrify", "imagemagick")):
        if shutil.which(peer) is None:
            print(f"{peer} is not installed (Debian: {package}); its rows are left out")
    compileall.compile_dir(Path(cnnfilter.__file__).parent, quiet=2)
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), options.words, options.rounds)
        print(f"{'work':27} {'peer':29} {'ours ms':>8} {'peer ms':>8} {'ratio':>6} {'target':>6}")
        for row in rows(bench):
            if bench.wants(row.name):
                bench.compare(row)
        memory(bench)
        profile(bench)
        growth(bench)
    if options.json:
        about = {"python": sys.version.split()[0], "numpy": np.__version__, "cores": os.cpu_count()}
        options.json.write_text(json.dumps({**about, "rows": bench.records}, indent=1) + "\n", encoding="utf-8")
    return 1 if bench.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
