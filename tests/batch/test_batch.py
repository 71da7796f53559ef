"""Batches through the command: the same from every number of workers, records as a stream, memory, workers' ends.

CNNFILTER_FULL=1 in the environment takes a thousand files where otherwise 150 do, and two thousand small ones where
otherwise a few hundred do.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import re
import shlex
import signal
import subprocess
import sys
import termios
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import interrupt
import numpy as np
import PIL.Image
import pytest
from conftest import plain_environment
from processes import marked, started

from cnnfilter.batch import paths, runner, workers
from cnnfilter.batch.settings import Settings
from cnnfilter.images import temporary

if TYPE_CHECKING:
    from conftest import Invoke, Run

FULL = os.environ.get("CNNFILTER_FULL", "") not in ("", "0")
CROWD = 1000 if FULL else 150
BAD = CROWD // 20
NOISE = np.random.default_rng(11)


def picture(height: int, width: int, channels: int = 3) -> PIL.Image.Image:
    return PIL.Image.fromarray(NOISE.integers(0, 256, (height, width, channels)).astype(np.uint8).squeeze())


def fill(folder: Path, count: int, height: int = 20, width: int = 24) -> list[str]:
    """`count` pictures in a new folder."""
    folder.mkdir()
    names = [f"{number:04}.png" for number in range(count)]
    for name in names:
        picture(height, width).save(folder / name, compress_level=1)
    return names


def lines(content: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in content.splitlines()]


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def status(pid: int, key: str) -> int:
    """A number of what the system tells of a process; 0 for one that has gone."""
    with contextlib.suppress(OSError):
        found = re.search(rf"^{key}:\s*(\d+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
        return int(found[1]) if found else 0
    return 0


def workers_of(command: int, mark: str) -> list[int]:
    """The workers of a run: its forks, or those of its server. Its other children are helpers."""
    found = []
    for pid in interrupt.descendants(mark):
        parent = status(pid, "PPid")
        is_fork = parent == command and words_of(pid) == words_of(command)
        if pid != command and (is_fork or parent not in (command, 0, 1)):
            found.append(pid)
    return found


def words_of(pid: int) -> bytes:
    """The command line of a process; empty for one that has gone."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def eventually(found: Any, seconds: float = 20.0) -> Any:
    """What `found()` gives as soon as it gives anything."""
    until = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < until
        time.sleep(0.005)
    return value


# ---------------------------------------------------------------------------------------------------------------------
# Many files, some of them bad


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str], list[str]]:
    """(folder, its files in order, the bad ones among them)."""
    folder = tmp_path_factory.mktemp("crowd") / "in"
    folder.mkdir()
    suffixes = [".png", ".jpg", ".npy", ".tif", ".gif", ".bmp"]
    names, bad = [], []
    for number in range(CROWD):
        name = f"{number:04}{suffixes[number % len(suffixes)]}"
        place = folder / name
        names.append(name)
        small = picture(3 + number % 23, 4 + number % 17, 1 if number % 3 else 3)
        if name.endswith(".npy"):
            np.save(place, np.asarray(small))
        else:
            small.save(place)
        if number % 20 == 7:
            bad.append(name)
            content = place.read_bytes()
            kinds = [b"", b"no picture\n", content[: len(content) // 2], b"%!PS-Adobe-3.0 EPSF-3.0\n", bytes(200)]
            place.write_bytes(kinds[len(bad) % len(kinds)])
    return folder, names, bad


def test_every_number_of_workers_gives_the_same(crowd: tuple[Path, list[str], list[str]], tmp_path: Path) -> None:
    folder, names, bad = crowd
    assert len(bad) == BAD + (CROWD % 20 > 7)
    written = []
    for jobs in ("1", "2", "8"):
        arguments = [str(folder), "-k", "sobel-v", "-k", "blur", "-o", f"{tmp_path / jobs}/", "-j", jobs]
        with started("convolve", *arguments, "--report", "json") as process:
            out, err = process.communicate(timeout=300)
        assert process.returncode == 1
        *records, totals = lines(out)
        told = err.decode().splitlines()
        assert [sum(f"/{name}: " in line for line in told) for name in bad] == [1] * len(bad)
        assert len(told) == len(bad)
        inputs = [Path(record["input"]).name for record in records]
        assert list(dict.fromkeys(inputs)) == names
        assert [name for name in names if inputs.count(name) != (1 if name in bad else 2)] == []
        failed = {Path(record["input"]).name for record in records if record["status"] == "failed"}
        assert failed == set(bad)
        assert all(record["error"] for record in records if record["status"] == "failed")
        done = 2 * (len(names) - len(bad))
        assert (totals["done"], totals["skipped"], totals["failed"]) == (done, 0, len(bad))
        assert totals["images"] == len(names)
        assert totals["images_per_second"] > 0
        written.append({path.name: path.read_bytes() for path in sorted((tmp_path / jobs).iterdir())})
        assert len(written[-1]) == done
    assert written[0] == written[1] == written[2]


def test_the_table_of_a_large_batch_names_failures_and_totals(
    crowd: tuple[Path, list[str], list[str]], run: Run, tmp_path: Path
) -> None:
    folder, names, bad = crowd
    result = run("convolve", str(folder), "-k", "blur", "-o", f"{tmp_path}/out/", "-j", "2", env={"COLUMNS": "200"})
    assert result.code == 1
    table = result.out.decode()
    assert [name for name in bad if name not in table] == []
    assert names[0] not in table
    assert f"{len(names) - len(bad)} done" in table
    assert f"{len(bad)} failed" in table


def test_results_are_those_of_a_run_without_workers(invoke: Invoke, run: Run, folder: Path) -> None:
    names = fill(folder / "in", 5)
    assert invoke("convolve", "in", "-k", "gaussian", "-o", "alone/", "-j", "1", "-q").code == 0
    assert run("convolve", "in", "-k", "gaussian", "-o", "many/", "-j", "3", "-q") == (0, b"", b"")
    for name in names:
        assert (folder / "alone" / name).read_bytes() == (folder / "many" / name).read_bytes()


def test_workers_leave_no_folder_behind(run: Run, folder: Path) -> None:
    fill(folder / "in", 5)
    (folder / "scratch").mkdir()
    environment = {"TMPDIR": str(folder / "scratch")}
    assert run("pool", "in", "-o", "out/", "-j", "2", "-q", env=environment) == (0, b"", b"")
    assert names_in(folder / "scratch") == []


def test_workers_where_the_folder_for_temporary_files_has_a_long_name(run: Run, folder: Path) -> None:
    """No socket has a path that long."""
    names = fill(folder / "in", 5)
    scratch = folder / ("t" * 120)
    scratch.mkdir()
    assert run("pool", "in", "-o", "out/", "-j", "2", "-q", env={"TMPDIR": str(scratch)}) == (0, b"", b"")
    assert names_in(folder / "out") == names
    assert names_in(scratch) == []


def test_pool_and_pipelines_have_workers_too(run: Run, folder: Path) -> None:
    names = fill(folder / "in", 5)
    for number, words in enumerate((["pool"], ["pipeline", "--steps", "gray | convolve sobel-v | relu | pool"])):
        for jobs in ("1", "2"):
            result = run(*words, "in", "-o", f"{number}-{jobs}/", "-j", jobs, "-q")
            assert result == (0, b"", b"")
        for name in names:
            assert (folder / f"{number}-1" / name).read_bytes() == (folder / f"{number}-2" / name).read_bytes()


# ---------------------------------------------------------------------------------------------------------------------
# Records as a stream


def test_the_first_record_comes_before_the_last_image_is_done(folder: Path) -> None:
    names = fill(folder / "in", 40, 300, 400)
    with started("convolve", "in", "-k", "blur", "-o", "out/", "-j", "2", "--report", "json") as process:
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        assert not (folder / "out" / names[-1]).exists()
        rest, _ = process.communicate(timeout=60)
    assert first["input"] == f"in/{names[0]}"
    assert [record.get("input") for record in lines(rest)] == [*(f"in/{name}" for name in names[1:]), None]


def test_no_more_images_are_in_flight_than_workers_and_a_few(folder: Path) -> None:
    """The reader of the report stops reading; so does the batch, soon."""
    names = fill(folder / "in", 80)
    reader, writer = os.pipe()
    size = fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    with started("convolve", "in", "-k", "blur", "-o", "out/", "-j", "2", "--report", "json", stdout=writer) as process:
        os.close(writer)
        count, before = 0, -1
        while count != before or not count:  # until nothing more comes
            before = count
            time.sleep(1)
            count = len(names_in(folder / "out")) if (folder / "out").exists() else 0
        with open(reader, "rb") as stream:
            first = stream.readline()
            assert count <= size // len(first) + 1 + 2 + 2 * runner.AHEAD
            records = [json.loads(first), *lines(stream.read())]
        assert process.wait(30) == 0
    assert [record.get("input") for record in records] == [*(f"in/{name}" for name in names), None]


@pytest.mark.parametrize("report", ["json", "csv"])
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_reader_that_takes_one_line_ends_the_batch_quietly(folder: Path, jobs: str, report: str) -> None:
    fill(folder / "in", 60, 60, 80)
    mark, environment = marked("head")
    command = '"$0" -m cnnfilter convolve in -k blur -o out/ --report "$1" -j "$2" | head -n 1; echo "${PIPESTATUS[0]}"'
    done = subprocess.run(
        ["bash", "-c", command, sys.executable, report, jobs],
        capture_output=True,
        env=environment,
        timeout=60,
        check=False,
    )
    assert done.stderr == b""
    first, code = done.stdout.decode().splitlines()
    assert code == "141"
    assert first.startswith('{"input": "in/0000.png"' if report == "json" else "input,output,status")
    assert interrupt.wait_until_gone(mark) == []
    assert [name for name in names_in(folder / "out") if name.startswith(".")] == []


# ---------------------------------------------------------------------------------------------------------------------
# Resuming, few files, standard input among others


@pytest.mark.parametrize("jobs", ["1", "3"])
def test_a_batch_is_resumed(run: Run, folder: Path, jobs: str) -> None:
    names = fill(folder / "in", 9)
    (folder / "in" / names[5]).write_bytes(b"no picture")
    (folder / "out").mkdir()
    for name in names[2:5]:
        (folder / "out" / name).write_bytes(b"old")
    arguments = ["convolve", "in", "-k", "blur", "-o", "out/", "-n", "-j", jobs, "--report", "json"]
    result = run(*arguments)
    *records, totals = lines(result.out)
    assert result.code == 1
    assert [r["status"] for r in records] == ["ok"] * 2 + ["skipped"] * 3 + ["failed"] + ["ok"] * 3
    assert (totals["done"], totals["skipped"], totals["failed"]) == (5, 3, 1)
    assert [(folder / "out" / name).read_bytes() for name in names[2:5]] == [b"old"] * 3
    stamps = {name: (folder / "out" / name).stat().st_mtime_ns for name in names if name != names[5]}
    picture(5, 5).save(folder / "in" / names[5])
    again = run(*arguments)
    assert again.code == 0
    assert [r["status"] for r in lines(again.out)[:-1]] == ["skipped"] * 5 + ["ok"] + ["skipped"] * 3
    assert {name: (folder / "out" / name).stat().st_mtime_ns for name in stamps} == stamps


def test_an_image_with_one_of_two_outputs_is_resumed(run: Run, folder: Path) -> None:
    fill(folder / "in", 5)
    (folder / "out").mkdir()
    (folder / "out" / "0003.blur.png").write_bytes(b"old")
    result = run("convolve", "in", "-k", "blur", "-k", "sobel-v", "-o", "out/", "-n", "-j", "2", "--report", "json")
    assert result.code == 0
    assert [r["output"] for r in lines(result.out) if r.get("status") == "skipped"] == ["out/0003.blur.png"]
    assert len(names_in(folder / "out")) == 10
    assert (folder / "out" / "0003.blur.png").read_bytes() == b"old"


@pytest.mark.parametrize(
    ("count", "options", "pool"),
    [
        (3, [], False),
        (4, [], True),
        (40, ["-j", "1"], False),
        (2, ["-j", "2"], True),
        (1, ["-j", "8"], False),
        (40, ["--dry-run"], False),
        (40, ["--dry-run", "-j", "4"], False),
    ],
)
def test_a_few_files_need_no_workers(
    invoke: Invoke,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    count: int,
    options: list[str],
    pool: bool,
) -> None:
    class WorkersAsked(BaseException):
        pass

    def refuse(*arguments: Any, **options: Any) -> None:
        raise WorkersAsked

    monkeypatch.setattr(workers, "Workers", refuse)
    monkeypatch.setattr(runner, "processors", lambda: 2)
    fill(folder / "in", count)
    arguments = ["convolve", "in", "-k", "blur", "-o", "out/", "-q", *options]
    if pool:
        with pytest.raises(WorkersAsked):
            invoke(*arguments)
    else:
        assert invoke(*arguments) == (0, b"", b"")


def test_where_no_thread_can_be_started_there_are_no_workers(
    invoke: Invoke, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    names = fill(folder / "in", 6)
    assert invoke("convolve", "in", "-k", "blur", "-o", "out/", "-q", "-j", "2") == (0, b"", b"")
    assert sorted(os.listdir("out")) == names


def test_files_of_workers_that_were_started_last_are_removed_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Late:
        pids: ClassVar[list[int]] = []

        def __init__(self, *arguments: Any, **options: Any) -> None:
            pass

        def shutdown(self, *, cancel_futures: bool) -> None:
            assert cancel_futures
            self.pids.append(12345)

    monkeypatch.setattr(workers, "Workers", Late)
    left = folder / f"{temporary.PREFIX}12345-0"
    left.write_bytes(b"half")
    fill(folder / "in", 4)
    jobs = paths.plan_jobs(paths.find_sources(["in"], "./"), [paths.Result("blur")], "./", None)
    with pytest.raises(KeyboardInterrupt), runner.started(jobs, [], Settings(), 2):
        raise KeyboardInterrupt
    assert not left.exists()


def test_no_more_workers_than_images(folder: Path) -> None:
    fill(folder / "in", 3, 500, 500)
    mark, environment = marked("few")
    with started("convolve", "in", "-k", "blur", "-o", "out/", "-j", "50", "-q", env=environment) as process:
        seen: set[int] = set()
        while process.poll() is None:
            seen |= set(workers_of(process.pid, mark))
            time.sleep(0.02)
        assert process.returncode == 0
    assert 1 <= len(seen) <= 3


@pytest.mark.parametrize("position", [0, 1, 2, 3, 6])
def test_standard_input_among_many_files(run: Run, folder: Path, position: int) -> None:
    names = fill(folder / "in", 7)
    inputs = [f"in/{name}" for name in names]
    content = (folder / inputs[position]).read_bytes()
    inputs[position] = "-"
    result = run("convolve", *inputs, "-k", "blur", "-o", "out/", "-j", "2", "--report", "json", stdin=content)
    assert (result.code, result.err) == (0, b"")
    assert [record.get("input") for record in lines(result.out)] == [*inputs, None]
    assert "stdin.png" in names_in(folder / "out")


@pytest.mark.parametrize("closed", ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"])
def test_closed_streams_do_not_stop_workers(folder: Path, closed: str) -> None:
    names = fill(folder / "in", 8)
    command = f'"$0" -m cnnfilter convolve in -k blur -o out/ -q -j 2 {closed}'
    done = subprocess.run(["sh", "-c", command, sys.executable], capture_output=True, timeout=30, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert names_in(folder / "out") == names
    for name in names:
        with PIL.Image.open(folder / "out" / name) as result:
            result.load()


@pytest.mark.parametrize(
    "environment",
    [{"PYTHONWARNINGS": "error"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, {"HOME": "/none"}],
    ids=str,
)
def test_odd_environments_and_names_reach_workers(run: Run, folder: Path, environment: dict[str, str]) -> None:
    names = fill(folder / "in", 4)
    hostile = ["é.png", "new\nline.png", "esc\x1b[31m.png", "caf\udce9.png"]
    for old, new in zip(names, hostile, strict=True):
        (folder / "in" / old).rename(folder / "in" / new)
    (folder / "in" / "z\x1b[2J.png").write_bytes(b"no picture")
    result = run("convolve", "in", "-k", "blur", "-o", "out/", "-j", "2", env=environment)
    assert result.code == 1
    assert result.err.count(b"\n") == 1
    assert b"\x1b" not in result.out + result.err
    assert names_in(folder / "out") == sorted(hostile)


@pytest.mark.parametrize("command", [["convolve", "-k", "blur", "-o", "out/"], ["inspect"]], ids=lambda c: c[0])
def test_json_of_stray_bytes_is_unicode(run: Run, folder: Path, command: list[str]) -> None:
    names = ["é.png", "caf\udce9.png", "\U0001f600.png"]
    for old, new in zip(fill(folder / "in", 3), names, strict=True):
        (folder / "in" / old).rename(folder / "in" / new)
    inputs = [f"in/{name}" for name in names]
    for environment in ({}, {"LC_ALL": "C"}):
        result = run(*command, "--report", "json", *inputs, env=environment)
        assert result.code == 0
        records = lines(result.out)[:3]
        told = [record.get("input") or record["thing"] for record in records]
        assert told == ["in/é.png", "in/caf\\udce9.png", "in/\U0001f600.png"]
        json.dumps(records, ensure_ascii=False).encode("utf-8")  # no lone surrogate is left


# ---------------------------------------------------------------------------------------------------------------------
# Workers that are killed, and how workers end

from_both = pytest.mark.parametrize("variables", [{}, interrupt.SERVED], ids=["forks", "server"])


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is a server in any case")
@from_both
def test_where_workers_come_from(folder: Path, variables: dict[str, str]) -> None:
    fill(folder / "in", 40, 200, 300)
    mark, environment = marked("whence", **variables)
    arguments = ["in", "-k", "blur", "-o", "out/", "-j", "2", "--report", "json"]
    with started("convolve", *arguments, env=environment) as process:
        assert process.stdout is not None
        process.stdout.readline()
        parents = {status(pid, "PPid") for pid in workers_of(process.pid, mark)}
        children = [pid for pid in interrupt.descendants(mark) if status(pid, "PPid") == process.pid]
        process.communicate(timeout=60)
    assert len(parents) == 1
    assert (parents == {process.pid}) == (not variables)
    assert len(children) == 2  # the workers, or the server and what watches over it


@from_both
def test_a_killed_worker_costs_one_image(folder: Path, variables: dict[str, str]) -> None:
    names = fill(folder / "in", 40, 200, 300)
    mark, environment = marked("killed", **variables)
    arguments = ["in", "-k", "blur", "-o", "out/", "-j", "2", "--report", "json"]
    with started("convolve", *arguments, env=environment) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        os.kill(eventually(lambda: workers_of(process.pid, mark))[0], signal.SIGKILL)
        out, err = process.communicate(timeout=60)
    *records, totals = lines(first + out)
    assert process.returncode == 1
    assert (totals["done"], totals["skipped"], totals["failed"]) == (39, 0, 1)
    assert [record["input"] for record in records] == [f"in/{name}" for name in names]
    (failed,) = [record for record in records if record["status"] == "failed"]
    told = err.decode()
    assert told.count("\n") == 1
    assert failed["input"] in told
    assert "killed" in failed["error"]
    assert len([name for name in names_in(folder / "out") if not name.startswith(".")]) >= 39
    assert interrupt.wait_until_gone(mark) == []


@from_both
def test_a_worker_killed_while_it_writes_leaves_no_temporary_file(folder: Path, variables: dict[str, str]) -> None:
    fill(folder / "in", 30, 500, 700)
    arguments = ["in", "-k", "blur", "-o", "out/", "-j", "2", "--report", "none"]
    with started("convolve", *arguments, env=plain_environment(**variables)) as process:
        temporary = eventually(lambda: [p for p in folder.glob("out/.*") if re.search(r"-\d+-", p.name)])[0]
        found = re.search(r"-(\d+)-", temporary.name)
        assert found is not None
        os.kill(int(found[1]), signal.SIGKILL)
        process.communicate(timeout=60)
    assert process.returncode in (0, 1)  # it may just have finished that file
    left = names_in(folder / "out")
    assert [name for name in left if name.startswith(".")] == []
    assert len(left) in (29, 30)


@from_both
def test_each_of_many_killed_workers_costs_one_image(folder: Path, variables: dict[str, str]) -> None:
    fill(folder / "in", 60, 200, 300)
    mark, environment = marked("many killed", **variables)
    killed: set[int] = set()
    with started(
        "convolve", "in", "-k", "blur", "-o", "out/", "-j", "3", "--report", "json", env=environment
    ) as process:
        assert process.stdout is not None
        kept = [process.stdout.readline()]
        for _ in range(4):
            kept += [process.stdout.readline() for _ in range(6)]
            victim = eventually(lambda: [pid for pid in workers_of(process.pid, mark) if pid not in killed])[0]
            os.kill(victim, signal.SIGKILL)
            killed.add(victim)
        out, _ = process.communicate(timeout=60)
    totals = lines(b"".join(kept) + out)[-1]
    assert totals["done"] == 60 - totals["failed"]
    assert 1 <= totals["failed"] <= 4
    assert process.returncode == 1


def test_a_killed_fork_server_costs_little(folder: Path) -> None:
    """It goes with a worker, so that another server is needed."""
    fill(folder / "in", 40, 200, 300)
    mark, environment = marked("server", **interrupt.SERVED)
    with started(
        "convolve", "in", "-k", "blur", "-o", "out/", "-j", "2", "--report", "json", env=environment
    ) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        worker = eventually(lambda: workers_of(process.pid, mark))[0]
        server = status(worker, "PPid")
        os.kill(server, signal.SIGKILL)
        os.kill(worker, signal.SIGKILL)
        out, _ = process.communicate(timeout=60)
    totals = lines(first + out)[-1]
    assert totals["done"] + totals["failed"] == 40
    assert totals["failed"] <= 4  # the worker, and starts that the dead server could not make
    assert interrupt.wait_until_gone(mark) == []


def test_the_threads_of_blas_change_no_bit(run: Run, folder: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (353, 339, 3)).astype(np.uint8)
    PIL.Image.fromarray(pixels).save("in.png")
    arguments = ["convolve", "in.png", "-k", "motion:15:30", "-o", "-", "--format", "npy", "-q"]
    first, second = (run(*arguments, env={"OPENBLAS_NUM_THREADS": count}) for count in "13")
    assert first.code == second.code == 0
    assert first.out == second.out


IN_A_PROGRAM = "import sys; from cnnfilter.cli.main import run; sys.exit(run(sys.argv[1:]))"


def test_a_slip_leaves_no_fork_server(folder: Path) -> None:
    """In a program, which is not forked, the server starts before all is known to be right."""
    fill(folder / "in", 4)
    mark, environment = marked("slip")
    arguments = ["convolve", "in", "-k", "sobl-v", "-o", "out/", "-j", "2"]
    command = [sys.executable, "-c", IN_A_PROGRAM, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr.count(b"\n") == 1
    assert interrupt.wait_until_gone(mark) == []


# Without -P Python 3.13 itself looks for modules in the folder that is gone, and stumbles.
@pytest.mark.parametrize("command", [["-m", "cnnfilter"], ["-P", "-c", IN_A_PROGRAM]], ids=["command", "program"])
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a current folder is not removed")
def test_a_current_folder_that_is_gone_is_no_matter(folder: Path, command: list[str]) -> None:
    names = fill(folder / "in", 6)
    (folder / "gone").mkdir()
    arguments = ["convolve", str(folder / "in"), "-k", "blur", "-o", f"{folder}/out/", "-j", "2", "--report", "none"]
    words = shlex.join([sys.executable, *command, *arguments])
    done = subprocess.run(
        ["sh", "-c", f"cd {shlex.quote(str(folder / 'gone'))} && rmdir ../gone && exec {words}"],
        env=plain_environment(PYTHONPATH=str(Path(__file__).parents[2])),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert sorted(path.name for path in (folder / "out").iterdir()) == names


@pytest.mark.parametrize("jobs", ["1", "2"])
@pytest.mark.parametrize("number", [None, signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@from_both
def test_nothing_runs_on_after_the_end(
    folder: Path, variables: dict[str, str], number: signal.Signals | None, jobs: str
) -> None:
    fill(folder / "in", 12 if number is None else 60, 150, 200)
    mark, environment = marked("end", **variables)
    arguments = ["in", "-k", "blur", "-o", "out/", "-j", jobs, "--report", "none"]
    with started("convolve", *arguments, env=environment) as process:
        if number is not None:
            eventually(lambda: (folder / "out" / "0001.png").exists())
            process.send_signal(number)
        before = time.monotonic()
        out, err = process.communicate(timeout=60)
        seconds = time.monotonic() - before
    assert process.returncode == (0 if number is None else interrupt.CODES[number])
    assert interrupt.wait_until_gone(mark) == []
    after = names_in(folder / "out")
    assert number is None or len(after) < 60
    if number in (signal.SIGINT, signal.SIGTERM):
        assert seconds < 2
        assert (out, err.count(b"\n")) == (b"", 1)
    if number != signal.SIGKILL or jobs == "2":  # what was killed while it wrote leaves its file
        assert [name for name in after if name.startswith(".")] == []
    time.sleep(0.3)
    assert names_in(folder / "out") == after


def test_workers_have_one_thread_each(folder: Path) -> None:
    fill(folder / "in", 30, 200, 300)
    mark, environment = marked("threads")
    with started(
        "convolve", "in", "-k", "gaussian:15:4", "-o", "out/", "-j", "2", "--report", "json", env=environment
    ) as process:
        assert process.stdout is not None
        kept = process.stdout.readline() + process.stdout.readline()
        threads = [status(pid, "Threads") for pid in workers_of(process.pid, mark)]
        process.communicate(timeout=60)
    assert kept.count(b"\n") == 2
    assert len(threads) == 2
    assert set(threads) <= {0, 1}  # none for one that ended meanwhile


# ---------------------------------------------------------------------------------------------------------------------
# Memory


# The peak of a child starts with that of the process that started it, so a small one does.
MEASURE = """
import resource, subprocess, sys
command = [sys.executable, "-m", "cnnfilter", "convolve", *sys.argv[1:]]
code = subprocess.run(command, stdout=subprocess.DEVNULL).returncode
print(code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def peak_of(*arguments: str) -> tuple[int, int]:
    """(exit code, megabytes that the largest process of a run had at its peak)."""
    mark, environment = marked("memory")
    peaks = {0: 0}
    with subprocess.Popen(
        [sys.executable, "-c", MEASURE, *arguments], env=environment, stdout=subprocess.PIPE
    ) as process:
        while process.poll() is None:  # workers are not children of the command
            for pid in interrupt.descendants(mark):
                peaks[pid] = max(peaks.get(pid, 0), status(pid, "VmHWM"))
            time.sleep(0.05)
        assert process.stdout is not None
        code, peak = map(int, process.stdout.read().split())
    return code, max(peak, *peaks.values()) // 1024


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_many_images_take_no_more_memory_than_few(folder: Path, jobs: str) -> None:
    few, many = 50, 2000 if FULL else 300
    names = fill(folder / "in", few)
    content = [(folder / "in" / name).read_bytes() for name in names]
    (folder / "many").mkdir()
    for number in range(many):
        (folder / "many" / f"{number:04}.png").write_bytes(content[number % few])
    small = peak_of("in", "-k", "blur", "-o", "small/", "-j", jobs)
    large = peak_of("many", "-k", "blur", "-o", "large/", "-j", jobs)
    assert (small[0], large[0]) == (0, 0)
    assert large[1] < small[1] + 5


@pytest.fixture(scope="module")
def photograph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 megapixels of colour as JPEG and PNG."""
    folder = tmp_path_factory.mktemp("large")
    y, x = np.ogrid[:4000, :6000]
    pixels = np.empty((4000, 6000, 3), np.uint8)
    for channel in range(3):
        pixels[:, :, channel] = (x // (20 + channel) + y // 30) % 256
    pixels[::7, ::5] ^= 60
    large = PIL.Image.fromarray(pixels)
    large.save(folder / "large.jpg", quality=85)
    large.save(folder / "large.png", compress_level=1)
    return folder


@pytest.mark.parametrize(("name", "options"), [("large.jpg", ["-k", "sobel-v"]), ("large.png", ["-k", "blur"])])
def test_a_photograph_of_24_megapixels_takes_less_than_400_mb(
    photograph: Path, folder: Path, name: str, options: list[str]
) -> None:
    code, megabytes = peak_of(str(photograph / name), "-o", name, "-q", *options)
    assert code == 0
    assert megabytes < 400
    with PIL.Image.open(name) as result:
        assert result.size == (6000, 4000)


# ---------------------------------------------------------------------------------------------------------------------
# Progress


def seen_on_a_terminal(*arguments: str, number: signal.Signals | None = None, when: bytes = b"") -> tuple[int, bytes]:
    """(exit code, what a terminal gets that is the standard error of a run); a signal is sent when `when` is shown."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, b"\x18\0\x64\0\0\0\0\0")  # 24 x 100
    environment = plain_environment(TERM="xterm")
    shown = b""
    with started("convolve", *arguments, stdout=subprocess.DEVNULL, stderr=theirs, env=environment) as process:
        os.close(theirs)
        try:
            while part := os.read(ours, 65536):
                shown += part
                if number is not None and when in shown:
                    process.send_signal(number)
                    number = None
        except OSError:  # the end of a terminal
            pass
        finally:
            os.close(ours)
        return process.wait(30), shown


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_terminal_gets_a_progress_bar(folder: Path, jobs: str) -> None:
    fill(folder / "in", 24, 150, 200)
    (folder / "in" / "0003.png").write_bytes(b"no picture")
    code, shown = seen_on_a_terminal("in", "-k", "blur", "-o", "out/", "-j", jobs)
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.decode())
    assert code == 1
    assert re.search(r"\b\d+/24\b", text)
    assert "1 failed" in text
    assert "images/s" in text
    assert shown.count(b"0003.png") == 1
    assert shown.rindex(b"\x1b[?25h") > shown.rindex(b"\x1b[?25l")  # the cursor is there again


@pytest.mark.parametrize(("count", "options"), [(1, []), (6, ["-q"]), (6, ["-j", "2", "-q"]), (6, ["--dry-run"])])
def test_a_terminal_gets_none_where_it_is_not_wanted(folder: Path, count: int, options: list[str]) -> None:
    fill(folder / "in", count)
    assert seen_on_a_terminal("in", "-k", "blur", "-o", "out/", *options) == (0, b"")


@pytest.mark.parametrize("when", [b"\x1b[?25l", b" 0/60", b"images/s"])
def test_an_interrupted_bar_gives_the_cursor_back(folder: Path, when: bytes) -> None:
    fill(folder / "in", 60, 200, 300)
    arguments = ["in", "-k", "blur", "-o", "out/", "-j", "2"]
    code, shown = seen_on_a_terminal(*arguments, number=signal.SIGINT, when=when)
    assert code == 130
    assert shown.rindex(b"\x1b[?25h") > shown.rindex(b"\x1b[?25l")
    assert b"interrupted" in shown
    assert b"Traceback" not in shown


def test_without_a_terminal_there_is_none(run: Run, folder: Path) -> None:
    fill(folder / "in", 6)
    for report in ("table", "json", "none"):
        result = run("convolve", "in", "-k", "blur", "-o", "out/", "-j", "2", "--report", report)
        assert (result.code, result.err) == (0, b"")
        assert b"\x1b" not in result.out
