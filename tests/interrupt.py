"""Batches interrupted at random moments: `python tests/interrupt.py [COUNT] [--seed N]`.

A round starts a batch over a folder whose outputs exist in part, sends SIGINT, SIGTERM, SIGHUP or SIGKILL later on,
and looks at what is left: every output has to be as it was, as it will be, or missing if it did not exist; no worker
may outlive the command by two seconds, and there is no temporary file, unless whoever wrote it was killed; after the
first three the exit code is 130, 143 or 129, and comes within two seconds with one line. A second run with `-n` then
has to complete the set.
"""

from __future__ import annotations

import argparse
import io
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import PIL.Image

PATIENCE = 2.0  # seconds to the end of the command, and then to that of its workers
CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129, signal.SIGKILL: -signal.SIGKILL}
OLD_VALUE = 7  # what an old output is filled with; no new one looks like that
COMMAND = [sys.executable, "-m", "cnnfilter", "convolve", "in", "-k", "blur", "-o", "out/", "-q"]
HERE = Path(__file__).parent
# With this in the environment workers are forked from a server.
SERVED = {"PYTHONPATH": os.pathsep.join([str(HERE / "served"), os.environ.get("PYTHONPATH") or str(HERE.parent)])}
MARK = "CNNFILTER_INTERRUPTED"  # in the environment of a run, by which its processes are found


@dataclass
class Tally:
    """What came of all rounds."""

    rounds: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    outputs: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0


def make_inputs(folder: Path, count: int = 40) -> dict[str, bytes]:
    """Pictures in `folder`/in; returns the outputs that an undisturbed run makes of them."""
    (folder / "in").mkdir()
    noise = np.random.default_rng(5)
    for number in range(count):
        pixels = noise.integers(0, 256, (60 + 8 * number, 240, 3)).astype(np.uint8)
        PIL.Image.fromarray(pixels).save(folder / "in" / f"{number:03}.png", compress_level=1)
    subprocess.run([*COMMAND, "-j", "1"], cwd=folder, check=True, timeout=120)
    whole = {path.name: path.read_bytes() for path in sorted((folder / "out").iterdir())}
    empty_out(folder)
    return whole


def empty_out(folder: Path) -> None:
    """No output is left."""
    for path in (folder / "out").iterdir():
        path.unlink()


def old_output(number: int) -> bytes:
    """A whole picture that no run writes."""
    file = io.BytesIO()
    PIL.Image.fromarray(np.full((20, 20 + number), OLD_VALUE, np.uint8)).save(file, "PNG")
    return file.getvalue()


def descendants(mark: str) -> list[int]:
    """The processes that are alive and have the mark in their environment."""
    wanted = f"{MARK}={mark}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                has_mark = wanted in (entry / "environ").read_bytes().split(b"\0")
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
            except OSError:  # it has ended, or is another user's
                continue
            if has_mark and state != "Z":
                found.append(int(entry.name))
    return found


def wait_until_gone(mark: str, seconds: float = PATIENCE) -> list[int]:
    """The processes of a run that are still there after some seconds."""
    until = time.monotonic() + seconds
    while (left := descendants(mark)) and time.monotonic() < until:
        time.sleep(0.02)
    return left


def is_picture(content: bytes) -> bool:
    """Whether all pixels can be decoded."""
    try:
        with PIL.Image.open(io.BytesIO(content)) as picture:
            picture.load()
    except Exception:
        return False
    return True


class Round:
    """One batch that is interrupted, and what it leaves."""

    def __init__(self, folder: Path, whole: dict[str, bytes], tally: Tally, chance: random.Random) -> None:
        self.folder, self.whole, self.tally, self.chance = folder, whole, tally, chance
        self.number = chance.choice(list(CODES))
        self.jobs = chance.choice(("1", "2", "4"))
        self.twice = self.number != signal.SIGKILL and chance.random() < 0.25
        self.to_group = chance.random() < 0.4  # as a terminal does, and `timeout`
        self.mark = f"{os.getpid()}-{chance.getrandbits(40)}"
        self.before = {name: old_output(n) for n, name in enumerate(whole) if chance.random() < 0.5}
        self.words = f"{self.number.name} -j {self.jobs}{' twice' * self.twice}{' to the group' * self.to_group}"

    def run(self, longest: float) -> None:
        """Do it; `longest` is about how long the batch takes."""
        for name, content in self.before.items():
            (self.folder / "out" / name).write_bytes(content)
        delay = self.chance.uniform(0.0, longest)
        with subprocess.Popen(
            [*COMMAND, "-j", self.jobs],
            cwd=self.folder,
            env={**os.environ, MARK: self.mark},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        ) as process:
            try:
                self._wait_for_the_command(process)
                time.sleep(delay)
                ended = process.poll() is not None
                self._send(process)
                started = time.monotonic()
                out, err = process.communicate(timeout=30)
                seconds = time.monotonic() - started
            finally:
                process.kill()
        self.tally.rounds["ended before the signal" if ended else self.number.name] += 1
        if not ended and process.returncode != 0:  # it may just have ended
            self._judge_the_end(process.returncode, out + err, seconds)
        self._judge_what_is_left()
        self._complete()
        empty_out(self.folder)

    def _wait_for_the_command(self, process: subprocess.Popen[bytes]) -> None:
        """Until it handles signals; before that the interpreter itself ends, with a traceback of its own."""
        until = time.monotonic() + 20
        handled = 0
        while not handled & (1 << (signal.SIGTERM - 1)) and process.poll() is None and time.monotonic() < until:
            status = Path(f"/proc/{process.pid}/status").read_text()
            handled = int(status.partition("SigCgt:")[2].split()[0], 16)
            time.sleep(0.002)

    def _send(self, process: subprocess.Popen[bytes]) -> None:
        send = os.killpg if self.to_group else os.kill
        try:
            send(process.pid, self.number)
            if self.twice:
                time.sleep(self.chance.uniform(0, 0.1))
                send(process.pid, self.number)
        except ProcessLookupError:
            pass

    def _violation(self, words: str) -> None:
        self.tally.violations.append(f"{self.words}: {words}")

    def _judge_the_end(self, code: int, told: bytes, seconds: float) -> None:
        if code != CODES[self.number]:
            self._violation(f"exit code {code}: {told[-300:]!r}")
        if self.number == signal.SIGKILL:
            return
        self.tally.slowest = max(self.tally.slowest, seconds)
        if seconds > PATIENCE:
            self._violation(f"took {seconds:.1f} s to end")
        if told.count(b"\n") != 1:
            self._violation(f"told {told[-300:]!r}")

    def _judge_what_is_left(self) -> None:
        left = wait_until_gone(self.mark)
        if left:
            self._violation(f"{len(left)} processes were left")
            for pid in left:
                os.kill(pid, signal.SIGKILL)
        found = {path.name: path.read_bytes() for path in (self.folder / "out").iterdir()}
        temporary = [name for name in found if name not in self.whole]
        writers_were_killed = self.number == signal.SIGKILL and (self.to_group or self.jobs == "1")
        if temporary and not writers_were_killed:
            self._violation(f"left {temporary}")
        for name in temporary:
            (self.folder / "out" / name).unlink()
        for name, new in self.whole.items():
            content, old = found.get(name), self.before.get(name)
            kind = "new" if content == new else "old" if content == old else "wrong"
            self.tally.outputs["missing" if content is None and old is None else kind] += 1
            if content is None and old is not None:
                self._violation(f"{name} was destroyed")
            elif content is not None and kind == "wrong":
                self._violation(f"{name} is neither old nor new, {'a' if is_picture(content) else 'no'} picture")

    def _complete(self) -> None:
        done = subprocess.run(
            [*COMMAND, "-n", "-j", self.jobs], cwd=self.folder, capture_output=True, timeout=120, check=False
        )
        if done.returncode or done.stderr:
            self._violation(f"the second run ended with {done.returncode}: {done.stderr[-300:]!r}")
        for name, new in self.whole.items():
            content = (self.folder / "out" / name).read_bytes()
            if content != new and content != self.before.get(name):
                self._violation(f"{name} was not completed")


def interrupt(folder: Path, count: int, seed: int, *, images: int = 40) -> Tally:
    """`count` rounds in an empty folder."""
    tally, chance = Tally(), random.Random(seed)
    whole = make_inputs(folder, images)
    started = time.monotonic()
    subprocess.run([*COMMAND, "-j", "2"], cwd=folder, check=True, timeout=120)
    longest = time.monotonic() - started
    empty_out(folder)
    for _ in range(count):
        Round(folder, whole, tally, chance).run(longest)
    return tally


def main() -> int:
    """Run the rounds and print what came of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("count", nargs="?", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--server", action="store_true", help="have workers forked from a server")
    chosen = parser.parse_args()
    os.environ.update(SERVED if chosen.server else {})
    signal.signal(signal.SIGINT, signal.default_int_handler)  # started with &, its runs would ignore it, too
    with tempfile.TemporaryDirectory() as folder:
        tally = interrupt(Path(folder), chosen.count, chosen.seed)
    print(", ".join(f"{count} {name}" for name, count in sorted(tally.rounds.items())))
    print("outputs:", ", ".join(f"{count} {name}" for name, count in sorted(tally.outputs.items())))
    print(f"slowest end after a signal: {tally.slowest:.2f} s")
    for violation in tally.violations:
        print("VIOLATION", violation)
    print(f"{len(tally.violations)} violations")
    return 1 if tally.violations else 0


if __name__ == "__main__":
    sys.exit(main())
