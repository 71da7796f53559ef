"""Faults provoked for real: full disks, folders that cannot be written, signals, bombs, hostile arrays and names."""

from __future__ import annotations

import csv
import ctypes
import io
import os
import random
import re
import resource
import shutil
import signal
import struct
import subprocess
import sys
import time
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import interrupt
import numpy as np
import PIL.Image
import pytest
from conftest import plain_environment
from outcomes import one_line, refused
from processes import marked, started

from cnnfilter.errors import FileError
from cnnfilter.images import files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conftest import Invoke, Run
    from numpy.typing import NDArray

NOISE = np.random.default_rng(31)
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, PR_CAPBSET_DROP = 1, 2, 24  # linux/capability.h, linux/prctl.h
PIXELS = NOISE.integers(0, 256, (200, 200)).astype(np.uint8)


def fill(folder: Path, count: int, pixels: Any = PIXELS) -> list[str]:
    folder.mkdir()
    names = [f"{number:03}.png" for number in range(count)]
    for name in names:
        PIL.Image.fromarray(pixels).save(folder / name)
    return names


def limited(*arguments: str, prepare: Callable[[], None] | None = None) -> tuple[int, str]:
    """(exit code, standard error) of a run in a process that is prepared first."""
    done = subprocess.run(
        [sys.executable, "-m", "cnnfilter", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        preexec_fn=prepare,
        env=plain_environment(PYTHONDONTWRITEBYTECODE="1"),
        timeout=20,
        check=False,
    )
    return done.returncode, done.stderr.decode()


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# ---------------------------------------------------------------------------------------------------------------------
# Nothing more can be written


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif", ".npy", ".bmp", ".ppm", ".tga", ".jp2", ".avif"])
def test_a_file_size_limit_leaves_the_old_output_in_every_format(folder: Path, suffix: str) -> None:
    PIL.Image.fromarray(PIXELS).save("in.png")
    (folder / "out").mkdir()
    (folder / "out" / f"a{suffix}").write_bytes(b"old")
    code, told = limited(
        *("convolve", "in.png", "-k", "identity", "-o", f"out/a{suffix}", "--report", "none"),
        prepare=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000)),
    )
    assert code == 1
    assert f"out/a{suffix}" in one_line(told)
    assert contents(folder / "out") == {f"a{suffix}": b"old"}


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_batch_ends_early_at_a_file_size_limit(folder: Path, jobs: str) -> None:
    names = fill(folder / "in", 60)
    (folder / "out").mkdir()
    old = {name: b"old " + name.encode() for name in names}
    for name, content in old.items():
        (folder / "out" / name).write_bytes(content)
    code, told = limited(
        *("convolve", "in", "-k", "identity", "-o", "out/", "-q", "-j", jobs),
        prepare=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000)),
    )
    assert code == 1
    lines = told.splitlines()
    assert names[0] in lines[0]
    assert 2 <= len(lines) < 15
    assert re.search(r"\d+ images? ", lines[-1])  # how many are left
    assert contents(folder / "out") == old


@contextmanager
def small_disk(place: Path, kilobytes: int, inodes: int = 0) -> Iterator[Path]:
    """A file system of that size in `place`."""
    place.mkdir()
    options = f"size={kilobytes}k" + (f",nr_inodes={inodes}" if inodes else "")
    tool = shutil.which("mount")
    if tool is None or os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    mounted = subprocess.run([tool, "-t", "tmpfs", "-o", options, "none", place], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no disk may be mounted here: {mounted.stderr.decode().strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_batch_ends_early_on_a_full_disk(folder: Path, jobs: str) -> None:
    names = fill(folder / "in", 80)
    with small_disk(folder / "disk", 600) as disk:
        (disk / names[2]).write_bytes(b"old")
        (disk / names[70]).write_bytes(b"old")
        code, told = limited("convolve", "in", "-k", "identity", "-o", "disk", "--report", "none", "-j", jobs)
        left = contents(disk)
    assert code == 1
    assert "space" in told
    assert len(told.splitlines()) < 15
    assert "left" in told.splitlines()[-1]
    assert [name for name in left if name not in names] == []
    assert left[names[70]] == b"old"
    assert len(left) > 5
    for name in set(left) - {names[70]}:
        with PIL.Image.open(io.BytesIO(left[name])) as picture:
            np.testing.assert_array_equal(np.asarray(picture), PIXELS)


def test_an_output_on_a_full_disk_stays_as_it_was(folder: Path) -> None:
    PIL.Image.fromarray(PIXELS).save("in.png")
    with small_disk(folder / "disk", 100) as disk:
        (disk / "a.png").write_bytes(b"old")
        (disk / "ballast").write_bytes(bytes(80_000))
        code, told = limited("convolve", "in.png", "-k", "identity", "-o", "disk/a.png", "--report", "none")
        assert contents(disk) == {"a.png": b"old", "ballast": bytes(80_000)}
    assert code == 1
    assert "disk/a.png" in one_line(told)
    assert "space" in told


def test_a_batch_ends_early_where_no_folder_can_be_made(folder: Path) -> None:
    """The disk has room for no more entries."""
    for number in range(40):
        (folder / "in" / f"{number:02}").mkdir(parents=True)
        PIL.Image.fromarray(PIXELS[:5, :5]).save(folder / "in" / f"{number:02}" / "a.png")
    with small_disk(folder / "disk", 1000, inodes=12) as disk:
        code, told = limited("convolve", "in", "-r", "-k", "blur", "-o", "disk", "--report", "none", "-j", "1")
        left = [path.name for path in disk.rglob("*") if path.is_file()]
    assert code == 1
    assert len(told.splitlines()) < 15
    assert set(left) == {"a.png"}


def test_a_report_file_on_a_full_disk(folder: Path) -> None:
    fill(folder / "in", 30, PIXELS[:9, :9])
    with small_disk(folder / "disk", 4) as disk:
        arguments = ["convolve", "in", "-k", "blur", "-o", "out/", "--report-file", f"{disk}/report.json", "-j", "2"]
        code, told = limited(*arguments)
        left = [path.name for path in disk.iterdir() if path.is_file()]
    assert code == 1
    assert "report" in one_line(told)
    assert left == []
    assert [path.name for path in (folder / "out").iterdir() if path.name.startswith(".")] == []


def test_a_report_file_on_a_disk_that_is_full_before(folder: Path) -> None:
    fill(folder / "in", 8, PIXELS[:9, :9])
    with small_disk(folder / "disk", 4) as disk:
        (disk / "old").write_bytes(bytes(4096))
        arguments = ["convolve", "in", "-k", "blur", "-o", "out/", "--report-file", f"{disk}/report.csv", "-j", "2"]
        code, told = limited(*arguments)
        left = [path.name for path in disk.iterdir()]
    assert code == 1
    assert "report.csv: the report cannot be written" in one_line(told)
    assert left == ["old"]


@pytest.mark.parametrize("jobs", ["1", "2"])
@pytest.mark.parametrize("report", ["json", "csv", "table"])
def test_a_batch_with_a_full_standard_output(folder: Path, report: str, jobs: str) -> None:
    fill(folder / "in", 8, PIXELS[:9, :9])
    arguments = ["convolve", "in", "-k", "blur", "-o", "out/", "--report", report, "-j", jobs]
    mark, environment = marked("full")
    with Path("/dev/full").open("wb") as full, started(*arguments, env=environment, stdout=full) as process:
        _, told = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "standard output" in one_line(told.decode())
    assert interrupt.wait_until_gone(mark) == []
    assert list(folder.glob("out/.*")) == []


# ---------------------------------------------------------------------------------------------------------------------
# What this user may not do


def like_any_user() -> None:
    """Root without the right to pass over the permissions of files; others have none."""
    libc = ctypes.CDLL(None)
    for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH) if os.geteuid() == 0 else ():
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)


@pytest.fixture(scope="module")
def permissions(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Skips where permissions do not bind even then."""
    place = tmp_path_factory.mktemp("permissions") / "unreadable"
    place.touch(0)
    done = subprocess.run(["cat", place], preexec_fn=like_any_user, stderr=subprocess.DEVNULL, check=False)
    if done.returncode == 0:
        pytest.skip("this user may read and write everything, and that cannot be taken away here")


@pytest.mark.usefixtures("permissions")
@pytest.mark.parametrize("output", ["locked", "locked/", "locked/new/", "locked/a.png"])
def test_a_folder_that_cannot_be_written_is_said_before_anything_is_decoded(folder: Path, output: str) -> None:
    (folder / "bad.png").write_bytes(b"no picture: whoever reads it complains")
    (folder / "locked").mkdir(mode=0o555)
    code, told = limited("convolve", "bad.png", "-k", "blur", "-o", output, prepare=like_any_user)
    assert code == 2
    assert "locked" in one_line(told)
    assert "bad.png" not in told
    assert contents(folder / "locked") == {}


@pytest.mark.usefixtures("permissions")
def test_results_beside_inputs_in_a_folder_that_cannot_be_written(folder: Path) -> None:
    fill(folder / "in", 2)
    (folder / "in").chmod(0o555)
    code, told = limited("convolve", "in/000.png", "in/001.png", "-k", "blur", prepare=like_any_user)
    assert code == 2
    assert "in" in one_line(told)
    assert sorted(contents(folder / "in")) == ["000.png", "001.png"]


@pytest.mark.usefixtures("permissions")
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_file_that_may_not_be_read_is_one_failure(folder: Path, jobs: str) -> None:
    names = fill(folder / "in", 5)
    (folder / "in" / names[1]).chmod(0)
    (folder / "out").mkdir()
    (folder / "out").chmod(0o777)
    code, told = limited("convolve", "in", "-k", "blur", "-o", "out/", "-q", "-j", jobs, prepare=like_any_user)
    assert code == 1
    assert f"in/{names[1]}" in one_line(told)
    assert "ermission" in told
    assert sorted(contents(folder / "out")) == [name for name in names if name != names[1]]


@pytest.mark.usefixtures("permissions")
def test_a_folder_within_a_tree_that_may_not_be_read_costs_only_its_own_images(folder: Path) -> None:
    names = fill(folder / "in", 3)
    fill(folder / "in" / "locked", 2)
    (folder / "in" / "locked").chmod(0)
    (folder / "out").mkdir()
    (folder / "out").chmod(0o777)
    code, told = limited("convolve", "in", "-r", "-k", "blur", "-o", "out/", "-q", prepare=like_any_user)
    assert code == 1
    assert "in/locked" in one_line(told)
    assert sorted(contents(folder / "out")) == names


@pytest.mark.usefixtures("permissions")
def test_a_named_folder_that_may_not_be_read_is_named(folder: Path) -> None:
    fill(folder / "locked", 2)
    (folder / "locked").chmod(0)
    (folder / "out").mkdir()
    (folder / "out").chmod(0o777)
    code, told = limited("convolve", "locked", "-k", "blur", "-o", "out/", prepare=like_any_user)
    assert code in (1, 2)
    assert "locked" in one_line(told)
    assert "standard output" not in told


# ---------------------------------------------------------------------------------------------------------------------
# Signals


BATCH = ("convolve", "in", "-k", "blur", "-o", "out/", "-q")


def noise(height: int, width: int) -> NDArray[np.uint8]:
    return NOISE.integers(0, 256, (height, width, 3)).astype(np.uint8)


def ignoring(number: signal.Signals) -> tuple[str, ...]:
    """A shell that ignores a signal and becomes the command after it, which ignores it, too."""
    return ("sh", "-c", f'trap "" {number.name[3:]}; exec "$@"', "sh")


def wait_for(file: Path) -> None:
    until = time.monotonic() + 20
    while not file.exists() and time.monotonic() < until:
        time.sleep(0.002)


def test_batches_interrupted_at_random_moments(tmp_path: Path) -> None:
    """A short form of tests/interrupt.py."""
    tally = interrupt.interrupt(tmp_path, 8, seed=random.randrange(2**32), images=12)
    assert tally.violations == []
    assert sum(tally.rounds.values()) == 8


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_in_the_middle_of_writing(folder: Path, number: signal.Signals, code: int) -> None:
    """It comes while a temporary file is there, without workers."""
    names = fill(folder / "in", 40, noise(500, 700))
    shutil.copytree(folder / "in", folder / "out")
    old = contents(folder / "out")
    with started(*BATCH, "-j", "1") as process:
        until = time.monotonic() + 20
        while not list(folder.glob("out/.*")) and time.monotonic() < until:
            time.sleep(0.001)
        process.send_signal(number)
        _, told = process.communicate(timeout=20)
    assert process.returncode == code
    one_line(told.decode())
    left = contents(folder / "out")
    assert sorted(left) == names
    assert left[names[-1]] == old[names[-1]]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_at_the_end_of_an_object_is_not_lost(number: signal.Signals, code: int) -> None:
    """There Python drops exceptions; the work has to end nevertheless, with the one line."""
    script = """if True:
        import os, sys, time
        from cnnfilter.cli import main

        class Ending:
            def __del__(self):
                os.kill(os.getpid(), int(sys.argv[1]))
                for _ in range(1000):  # here the handler runs
                    pass

        def work(*_):
            for _ in range(3):  # all of them come at such a moment
                Ending()
                time.sleep(0.01)
            time.sleep(30)

        main._invoke = work
        raise SystemExit(main.run([]))
    """
    before = time.monotonic()
    ended = subprocess.run(
        [sys.executable, "-c", script, str(int(number))], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == code
    one_line(ended.stderr)
    assert time.monotonic() - before < 10


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_an_impatient_user_gets_the_same_end(folder: Path, jobs: str) -> None:
    """Interrupts that come while the first is obeyed change nothing."""
    names = fill(folder / "in", 40, noise(300, 500))
    mark, environment = marked("impatient")
    with started(*BATCH, "-j", jobs, env=environment, start_new_session=True) as process:
        wait_for(folder / "out" / names[1])
        until = time.monotonic() + 20
        while process.poll() is None and time.monotonic() < until:
            os.killpg(process.pid, signal.SIGINT)
            time.sleep(0.01)
        _, told = process.communicate(timeout=20)
    assert process.returncode == 130
    assert re.fullmatch(
        r"cnnfilter: interrupted after \d+ of 40 images; -n goes on with the rest", one_line(told.decode())
    )
    assert interrupt.wait_until_gone(mark) == []
    assert sorted(set(contents(folder / "out")) - set(names)) == []


@pytest.mark.parametrize("jobs", ["1", "2"])
@pytest.mark.parametrize("ignored", [False, True], ids=["heeded", "nohup"])
def test_a_closed_terminal(folder: Path, jobs: str, ignored: bool) -> None:
    """All processes get a hang-up: it ends the run like a termination, unless `nohup` has them ignore it."""
    names = fill(folder / "in", 30, noise(300, 500))
    mark, environment = marked("closed")
    under = ["nohup"] if ignored else []
    with started(*BATCH, "-j", jobs, under=under, env=environment, start_new_session=True) as process:
        wait_for(folder / "out" / names[2])
        os.killpg(process.pid, signal.SIGHUP)
        _, told = process.communicate(timeout=60)
    assert process.returncode == (0 if ignored else 129)
    assert (told == b"") if ignored else one_line(told.decode()).startswith("cnnfilter: terminated after ")
    assert interrupt.wait_until_gone(mark) == []
    assert sorted(set(contents(folder / "out")) - set(names)) == []
    assert (len(contents(folder / "out")) == 30) == ignored


@pytest.mark.parametrize("jobs", ["1", "2"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_that_were_ignored_at_the_start_stay_so(folder: Path, jobs: str, number: signal.Signals) -> None:
    """A script says so by trap "" TERM, and of SIGINT by each command that it starts with &."""
    names = fill(folder / "in", 12, noise(300, 500))
    mark, environment = marked("ignored")
    with started(*BATCH, "-j", jobs, under=ignoring(number), env=environment, start_new_session=True) as process:
        wait_for(folder / "out" / names[1])
        os.killpg(process.pid, number)  # the workers get it, too
        _, told = process.communicate(timeout=60)
    assert (process.returncode, told) == (0, b"")
    assert sorted(contents(folder / "out")) == names
    assert interrupt.wait_until_gone(mark) == []


def test_workers_that_ignore_a_termination_end_with_an_interrupted_run(folder: Path) -> None:
    names = fill(folder / "in", 40, noise(300, 500))
    mark, environment = marked("stubborn")
    with started(*BATCH, "-j", "4", under=ignoring(signal.SIGTERM), env=environment) as process:
        wait_for(folder / "out" / names[1])
        process.send_signal(signal.SIGINT)
        before = time.monotonic()
        _, told = process.communicate(timeout=20)
        seconds = time.monotonic() - before
    assert process.returncode == 130
    assert seconds < 1.5  # half a second for all workers together, not for each
    one_line(told.decode())
    assert interrupt.wait_until_gone(mark) == []
    assert sorted(set(contents(folder / "out")) - set(names)) == []


# ---------------------------------------------------------------------------------------------------------------------
# Bombs


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_bomb(width: int, height: int) -> bytes:
    """A gray picture of zeros that really has so many rows, for as many as fit into a few megabytes of file."""
    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(bytes(width + 1)) for _ in range(min(height, 40)))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows + packer.flush()) + chunk(b"IEND", b"")


def gif_bomb(width: int, height: int) -> bytes:
    screen = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6)
    return screen + b"," + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x02\x02\x4c\x01\x00;"


def bmp_bomb(width: int, height: int) -> bytes:
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 1000, 0, 0, 54) + header + bytes(100)


def tiff_bomb(width: int, height: int) -> bytes:
    entries = [(256, 4, width), (257, 4, height), (258, 3, 8), (259, 3, 8), (262, 3, 1), (273, 4, 200)]
    entries += [(277, 3, 1), (278, 4, height), (279, 4, 300)]
    folder = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    content = b"II*\0" + struct.pack("<IH", 8, len(entries)) + folder + bytes(4)
    return content.ljust(200, b"\0") + zlib.compress(bytes(200_000), 9)[:300].ljust(300, b"\0")


def ppm_bomb(width: int, height: int) -> bytes:
    return b"P6 %d %d 255\n" % (width, height) + bytes(1000)


def tga_bomb(width: int, height: int) -> bytes:
    return struct.pack("<BBBHHBHHHHBB", 0, 0, 10, 0, 0, 0, 0, 0, width, height, 24, 0x20) + b"\xff\0\0\0" * 400


def webp_bomb(width: int, height: int) -> bytes:
    """An animation of two tiny frames on a large canvas."""
    file = io.BytesIO()
    frames = [PIL.Image.fromarray(PIXELS[n : n + 8, :8]) for n in (0, 8)]
    frames[0].save(file, "WEBP", save_all=True, append_images=frames[1:])
    content = bytearray(file.getvalue())
    canvas = content.index(b"VP8X") + 12
    content[canvas : canvas + 6] = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return bytes(content)


def qoi_bomb(width: int, height: int) -> bytes:
    return b"qoif" + struct.pack(">IIBB", width, height, 4, 0) + b"\xfd" * 500


def npy_bomb(width: int, height: int) -> bytes:
    text = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({height}, {width}, 3), }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + bytes(1000)


BOMBS: list[tuple[str, Callable[[int, int], bytes], int, int]] = [
    ("png", png_bomb, 60_000, 60_000),
    ("png", png_bomb, 2**31 - 1, 1),
    ("png", png_bomb, 20_000, 7_501),
    ("gif", gif_bomb, 65_535, 65_535),
    ("bmp", bmp_bomb, 100_000, 100_000),
    ("bmp", bmp_bomb, 100_000, -100_000),
    ("tif", tiff_bomb, 200_000, 200_000),
    ("tif", tiff_bomb, 2**32 - 1, 2**32 - 1),
    ("ppm", ppm_bomb, 10**6, 10**6),
    ("tga", tga_bomb, 65_535, 65_535),
    ("webp", webp_bomb, 20_000, 20_000),
    ("qoi", qoi_bomb, 2**31, 2**31),
    ("npy", npy_bomb, 10**6, 10**6),
]

# The peak of a child starts with that of the process that started it, so a small one does.
MEASURE = """
import resource, subprocess, sys
done = subprocess.run([sys.executable, "-m", "cnnfilter", *sys.argv[1:]], stdout=subprocess.DEVNULL)
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
print(done.returncode, usage.ru_maxrss // 1024, usage.ru_utime + usage.ru_stime)
"""


@pytest.mark.parametrize(
    ("suffix", "make", "width", "height"), BOMBS, ids=[f"{suffix} {w}x{h}" for suffix, _, w, h in BOMBS]
)
def test_a_bomb_is_refused_from_its_header(
    folder: Path, suffix: str, make: Callable[[int, int], bytes], width: int, height: int
) -> None:
    name = f"bomb.{suffix}"
    if make is png_bomb and width == 2**31 - 1:
        (folder / name).write_bytes(png_bomb(100, 1).replace(struct.pack(">II", 100, 1), struct.pack(">II", width, 1)))
        content = bytearray((folder / name).read_bytes())
        content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
        (folder / name).write_bytes(content)
    else:
        (folder / name).write_bytes(make(width, height))
    assert (folder / name).stat().st_size < 100_000
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, "convolve", name, "-k", "blur", "-o", "out.png"],
        capture_output=True,
        timeout=30,
        check=True,
        env=plain_environment(),
    )
    code, megabytes, seconds = done.stdout.split()
    line = one_line(done.stderr.decode())
    assert code == b"1"
    assert name in line
    assert "--max-pixels" in line
    assert str(width) in line or str(width * abs(height)) in line
    assert int(megabytes) < 150
    assert float(seconds) < 1
    assert not (folder / "out.png").exists()


def test_a_bomb_costs_a_batch_one_image(run: Run, folder: Path) -> None:
    names = fill(folder / "in", 4)
    (folder / "in" / "bomb.gif").write_bytes(gif_bomb(65_535, 65_535))
    result = run("convolve", "in", "-k", "blur", "-o", "out/", "-j", "2", "-q")
    assert result.code == 1
    assert "in/bomb.gif" in one_line(result.err.decode())
    assert sorted(contents(folder / "out")) == names


def test_text_of_a_png_that_unpacks_to_much_is_refused_or_left_out(folder: Path) -> None:
    """A small picture with megabytes of compressed comments."""
    text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(300_000_000), 9))
    image = io.BytesIO()
    PIL.Image.fromarray(PIXELS[:5, :5]).save(image, "PNG")
    content = image.getvalue()
    (folder / "in.png").write_bytes(content[:33] + text + content[33:])
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, "convolve", "in.png", "-k", "blur", "-o", "out.png", "--report", "none"],
        capture_output=True,
        timeout=30,
        check=True,
        env=plain_environment(),
    )
    code, megabytes, seconds = done.stdout.split()
    assert code in (b"0", b"1")
    assert int(megabytes) < 250
    assert float(seconds) < 2
    assert len(done.stderr.splitlines()) == int(code)


# ---------------------------------------------------------------------------------------------------------------------
# Arrays and numbers


def header(text: str) -> bytes:
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode("latin-1")


HOSTILE_ARRAYS = {
    "a shape with a huge product":
        header("{'descr': '<f8', 'fortran_order': False, 'shape': (1, 1, 9223372036854775807)}\n"),
    "a size of a thousand digits":
        header("{'descr': '|u1', 'fortran_order': False, 'shape': (" + "9" * 1000 + ", 1)}\n"),
    "a type of a thousand digits":
        header("{'descr': '|u" + "9" * 1000 + "', 'fortran_order': False, 'shape': (1, 1)}\n"),
    "a type with a shape":
        header("{'descr': ('<f4', (1000, 1000)), 'fortran_order': False, 'shape': (2, 2)}\n") + bytes(9),
    "an unknown order": header("{'descr': '|u1', 'fortran_order': 7, 'shape': (2, 2)}\n") + bytes(4),
    "a key too many": header("{'descr': '|u1', 'fortran_order': False, 'shape': (2, 2), 'x': 1}\n") + bytes(4),
    "a list for a shape": header("{'descr': '|u1', 'fortran_order': False, 'shape': [2, 2]}\n") + bytes(4),
    "no type": header("{'descr': 'V0', 'fortran_order': False, 'shape': (2, 2)}\n"),
    "unpickled objects":
        header("{'descr': '|O', 'fortran_order': False, 'shape': (2, 2)}\n") + b"cos\nsystem\n(S'x'\ntR.",
    "a null in the header": header("{'descr': '|u1\0', 'fortran_order': False, 'shape': (2, 2)}\n") + bytes(4),
    "brackets without end": header("(" * 9000),
    "minus without end": header("-" * 60000),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE_ARRAYS)
def test_hostile_arrays_are_one_line(invoke: Invoke, folder: Path, name: str) -> None:
    (folder / "in.npy").write_bytes(HOSTILE_ARRAYS[name])
    started = time.monotonic()
    result = invoke("convolve", "in.npy", "-k", "blur", "-o", "out.png", "--report", "none")
    assert time.monotonic() - started < 2
    assert result.code == 1
    line = one_line(result.err.decode())
    assert "in.npy" in line
    assert sorted(contents(folder)) == ["in.npy"]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("kind", ["npy", "tif"])
def test_what_is_not_finite_is_refused_for_integers_and_carried_through_for_floats(
    invoke: Invoke, folder: Path, kind: str, value: float
) -> None:
    pixels = np.arange(35, dtype=np.float32).reshape(5, 7)
    pixels[2, 3] = value
    if kind == "npy":
        np.save("in.npy", pixels)
    else:
        PIL.Image.fromarray(pixels).save("in.tif")
    result = invoke("convolve", f"in.{kind}", "-k", "blur", "-o", "out.png", "--report", "none")
    assert result.code == 1
    assert f"in.{kind}" in one_line(result.err.decode())
    assert not (folder / "out.png").exists()
    assert invoke("convolve", f"in.{kind}", "-k", "blur", "-p", "valid", "-o", "out.npy", "-q") == (0, b"", b"")
    out = np.load("out.npy")
    touched = np.zeros((3, 5), bool)
    touched[0:3, 1:4] = True
    np.testing.assert_array_equal(np.isfinite(out), ~touched)


# ---------------------------------------------------------------------------------------------------------------------
# Names


def test_a_path_of_a_thousand_bytes(run: Run, folder: Path) -> None:
    deep = folder / "in"
    for letter in "abcde":
        deep = deep / (letter * 200)
    deep.mkdir(parents=True)
    PIL.Image.fromarray(PIXELS[:9, :9]).save(deep / f"{'n' * 250}.png")
    (deep / "bad.png").write_bytes(b"no picture")
    result = run("convolve", "in", "-r", "-k", "blur", "-o", "out/", "--report", "json")
    assert result.code == 1
    assert "bad.png" in one_line(result.err.decode())
    found = list((folder / "out").rglob("*.png"))
    assert [path.name for path in found] == [f"{'n' * 250}.png"]
    assert len(found[0].parent.name) == 200


def test_a_path_beyond_the_systems_limit_is_an_error_line(run: Run, folder: Path) -> None:
    for name in ("n" * 300 + ".png", "d/" * 3000 + "a.png"):
        assert "--report" not in refused(run("convolve", name, "-k", "blur", "-o", "out/", "--report", "none"), 1)
        PIL.Image.fromarray(PIXELS[:9, :9]).save("in.png")
        result = run("convolve", "in.png", "-k", "blur", "-o", name, "--report", "none")
        assert result.code in (1, 2)
        one_line(result.err.decode())


def test_hostile_names_of_folders_are_mirrored_and_escaped(run: Run, folder: Path) -> None:
    names = ["new\nline", "esc\x1b[31m", "caf\udce9", "$(touch x)", "; rm -rf x", "[a-z]*", "-k", " ", "\u202egnp"]
    for name in names:
        (folder / "in" / name).mkdir(parents=True)
        PIL.Image.fromarray(PIXELS[:9, :9]).save(folder / "in" / name / "a.png")
        (folder / "in" / name / "b.png").write_bytes(b"no picture")
    result = run("convolve", "in", "-r", "-k", "blur", "-o", "out/", "-j", "2", "--report", "csv")
    assert result.code == 1
    assert sorted(path.name for path in (folder / "out").iterdir()) == sorted(names)
    assert [name for name in names if os.listdir(folder / "out" / name) != ["a.png"]] == []
    told = result.err.decode().split("\n")
    assert told.pop() == ""
    assert len(told) == len(names)
    assert all(line.isprintable() for line in told)
    rows = csv.DictReader(io.StringIO(result.out.decode(), newline=""))
    inputs = [name.encode("utf-8", "backslashreplace").decode() for name in names for _ in "ab"]
    assert sorted(row["input"].split("/")[1] for row in rows) == sorted(inputs)  # as they are: nobody looks at a pipe


def test_names_in_other_messages_are_escaped(run: Run, folder: Path) -> None:
    name = "esc\x1b[31m\nline"
    PIL.Image.fromarray(PIXELS[:9, :9]).save(f"{name}.png")
    (folder / f"{name}.jpg").write_bytes((folder / f"{name}.png").read_bytes())
    (folder / f"{name}.toml").write_text("no toml at all")
    for arguments in (
        ["convolve", f"{name}.png", f"{name}.jpg", "-k", "blur", "--format", "png", "-o", "out/"],
        ["convolve", f"{name}.png", "-k", "blur", "-o", f"./{name}.png"],
        ["convolve", f"{name}.png", "-k", "blur", "--report-file", f"{name}.xyz"],
        ["convolve", f"{name}.png", "-k", f"{name}.jpg"],
        ["pipeline", f"{name}.png", "--file", f"{name}.toml"],
        ["pipeline", f"{name}.png", "--steps", f"{name} | relu"],
        ["pipeline", f"{name}.png", "--steps", "relu", "--weights", f"{name}.npz"],
        ["pipeline", f"{name}.png", "--steps", "relu", "--tap", name],
    ):
        result = run(*arguments)
        assert refused(result, 1 if result.code == 1 else 2)


# ---------------------------------------------------------------------------------------------------------------------
# Content under a wrong name


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".gif", ".tif", ".npy", ".psd"])
def test_no_program_is_called_for_what_only_looks_like_a_picture(
    folder: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    """A program of each name that a reader might call leaves a trace."""
    (folder / "bin").mkdir()
    for program in ("gs", "gswin64c", "convert", "magick", "djpeg", "ppmtogif", "inkscape", "rsvg-convert"):
        (folder / "bin" / program).write_text(f"#!/bin/sh\ntouch {folder}/called\n")
        (folder / "bin" / program).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}/bin:{os.environ['PATH']}")
    place = folder / f"picture{suffix}"
    for content in (
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n%%EOF\n",
        b"%PDF-1.4\n1 0 obj <<>> endobj\n%%EOF",
        b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>',
        b"\xd7\xcd\xc6\x9a" + bytes(200),
        b"#!/bin/sh\ntouch called\n",
    ):
        place.write_bytes(content)
        with pytest.raises(FileError, match=r"none|cannot|no picture"):
            files.read(str(place))
    assert not (folder / "called").exists()
