"""Batches on a Dask cluster: the same as on this machine's workers, faults, interruption, and what users are told."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import resource
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import interrupt
import numpy as np
import PIL.Image
import pytest
from processes import marked, started

import cnnfilter
from cnnfilter.batch.cluster import chunks, connection, places
from cnnfilter.batch.paths import Job, Source, Target
from cnnfilter.batch.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Invoke, Run

NOISE = np.random.default_rng(3)

# Loaded by every Python of a run; in workers it kills the one that looks at a file named poison, and hides others.
SITE = """
import errno, os, sys
real = os.stat
def stat(path, *rest, **options):
    name = os.path.basename(path) if isinstance(path, str) else ""
    if "distributed.worker" in sys.modules and "distributed.client" in sys.modules and "PIL" in sys.modules:
        import multiprocessing
        if multiprocessing.parent_process() is not None:
            if name.startswith("poison"):
                os.kill(os.getpid(), 9)
            if name.startswith("hidden"):
                raise FileNotFoundError(errno.ENOENT, "No such file or directory")
    return real(path, *rest, **options)
os.stat = stat
real_lexists = os.path.lexists
def lexists(path):
    import multiprocessing
    hidden = isinstance(path, str) and os.path.basename(path).startswith("hidden")
    return real_lexists(path) and not (hidden and multiprocessing.parent_process() is not None)
os.path.lexists = lexists
"""


@pytest.fixture
def dask() -> Any:
    """The library; a run without the extra has no use for these tests."""
    return pytest.importorskip("distributed", reason="the extra `cluster` is not installed")


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for temporary files."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


def fill(folder: Path, count: int, height: int = 20, width: int = 24) -> list[str]:
    """`count` pictures in several formats in a new folder."""
    folder.mkdir()
    suffixes = [".png", ".npy", ".jpg", ".bmp"]
    names = [f"{number:04}{suffixes[number % 4]}" for number in range(count)]
    for number, name in enumerate(names):
        pixels = NOISE.integers(0, 256, (height + number % 7, width, 3)).astype(np.uint8)
        if name.endswith(".npy"):
            np.save(folder / name, pixels)
        else:
            PIL.Image.fromarray(pixels).save(folder / name)
    return names


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def told(report: bytes) -> list[dict[str, Any]]:
    """The lines of a JSON report without times; a record's output without its first folder."""
    found = [json.loads(line) for line in report.splitlines()]
    for line in found:
        for key in [key for key in line if "second" in key]:
            del line[key]
        for layer in line.get("layers") or ():
            del layer["seconds"]
        if line.get("output"):
            line["output"] = line["output"].partition("/")[2]
    return found


def workers_of(mark: str) -> list[int]:
    """The worker processes of a run on local:N."""
    found = []
    for pid in interrupt.descendants(mark):
        with contextlib.suppress(OSError):
            if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(pid)
    return found


# ---------------------------------------------------------------------------------------------------------------------
# What is wrong with an address, and with what is there


@pytest.mark.parametrize(
    "address",
    ["local:0", "local:x", "local:", "local:-1", "local:1.5", "tcp://host", "tcp://:1", "tcp://h:70000", "x.json", ""],
)
@pytest.mark.parametrize("more", [[], ["--dry-run"]])
def test_a_wrong_address_is_wrong_usage(invoke: Invoke, folder: Path, address: str, more: list[str]) -> None:
    fill(folder / "in", 1)
    result = invoke("pool", "in/0000.png", "-o", "x.png", "--cluster", address, *more)
    assert (result.code, result.out) == (2, b"")
    assert result.err.startswith(b"cnnfilter: --cluster: ")
    assert result.err.count(b"\n") == 1
    assert not (folder / "x.png").exists()


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"address": 1}', '{"address": "x"}', "\0"])
def test_a_scheduler_file_without_an_address_is_refused(folder: Path, content: str) -> None:
    (folder / "s.json").write_text(content)
    with pytest.raises(cnnfilter.ParameterError, match=r"'s\.json' is no scheduler file"):
        connection.parse("s.json")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["in/0000.png", "-o", "x.png", "-j", "2"], "--jobs: "),
        (["-", "-o", "x.png"], "--cluster: standard input"),
        (["in/0000.png", "-o", "-"], "--cluster: standard input"),
    ],
)
def test_what_does_not_go_with_a_cluster(invoke: Invoke, folder: Path, arguments: list[str], message: str) -> None:
    fill(folder / "in", 1)
    result = invoke("pool", *arguments, "--cluster", "local:2")
    assert (result.code, result.out) == (2, b"")
    assert result.err.decode().startswith(f"cnnfilter: {message}")


def test_without_the_library_the_extra_is_named(folder: Path) -> None:
    fill(folder / "in", 1)
    blocked = "import sys; sys.modules['distributed'] = None; from cnnfilter.__main__ import main; main()"
    arguments = ["pool", "in/0000.png", "-o", "x.png", "--cluster", "local:2"]
    done = subprocess.run([sys.executable, "-c", blocked, *arguments], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "cnnfilter: --cluster: needs an extra: pip install 'cnnfilter[cluster]'\n"
    assert not (folder / "x.png").exists()


def test_a_scheduler_that_does_not_answer_is_told_in_time(dask: Any, run: Run, folder: Path) -> None:
    fill(folder / "in", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # it accepts, and says nothing
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        before = time.monotonic()
        result = run("pool", "in/0000.png", "-o", "x.png", "--cluster", address)
        assert time.monotonic() - before < 10
    assert (result.code, result.out) == (2, b"")
    assert result.err.startswith(f"cnnfilter: --cluster: no scheduler answers at {address}".encode())
    assert result.err.count(b"\n") == 1


class Everyone:
    """What a Dask client tells of a cluster with two workers."""

    def __init__(self, **worker: str | None) -> None:
        self.packages: dict[str, str | None] = {
            "cnnfilter": "1.2.3",
            "python": "3.11.7.final.0",
            "numpy": "2.1.0",
            "pillow": "12.0.0",
        }
        self.worker = self.packages | worker

    def get_versions(self, **options: Any) -> dict[str, Any]:
        same = {"packages": self.packages}
        return {"client": same, "scheduler": same, "workers": {"tcp://a": same, "tcp://b": {"packages": self.worker}}}


@pytest.mark.parametrize(
    ("worker", "words"),
    [
        ({"cnnfilter": "1.2.4"}, r"the worker tcp://b has cnnfilter 1\.2\.4, this command 1\.2\.3"),
        ({"cnnfilter": None}, r"the worker tcp://b has no cnnfilter, this command 1\.2\.3"),
        ({"python": "3.12.7.final.0"}, r"has python 3\.12\.7\.final\.0, this command 3\.11\.7"),
        ({"numpy": "2.2.0"}, r"has numpy 2\.2\.0, this command 2\.1\.0"),
        ({"python": "3.11.9.final.0", "numpy": "2.1.3"}, None),
    ],
)
def test_other_versions_are_refused(worker: dict[str, str | None], words: str | None) -> None:
    with pytest.raises(cnnfilter.ParameterError, match=words) if words else contextlib.nullcontext():
        connection.check_versions(Everyone(**worker))


@pytest.mark.parametrize("unseen", ["in/a.png", "out/.cnnfilter-12ab"])
def test_workers_that_do_not_see_the_files_are_refused(folder: Path, unseen: str) -> None:
    """The name of a file of ours in the output folder stands for the folder."""
    fill(folder / "in", 1)

    class Far:
        def run(self, function: Any, paths: list[str]) -> dict[str, tuple[str, list[str]]]:
            assert function(paths) == (socket.gethostname(), [])
            return {"tcp://a": ("here", []), "tcp://b": ("node7", [str(folder / unseen)])}

    job = Job(Source("in/0000.png"), (Target("out/0000.png", None),))
    with pytest.raises(cnnfilter.ParameterError, match=r"the worker on node7 does not see it.*shared") as caught:
        places.check_places(Far(), [job], [])
    assert str(folder / unseen if unseen.startswith("in") else folder / "out") in str(caught.value)
    assert sorted(os.listdir()) == ["in"]


# ---------------------------------------------------------------------------------------------------------------------
# The same as on this machine's workers


@pytest.fixture
def crowd(folder: Path, scratch: Path) -> Path:
    """A folder with one of pictures and bad files in it."""
    names = fill(folder / "in", 60)
    for name in names[7::20]:
        (folder / "in" / name).write_bytes(b"no picture")
    return folder


def compare(run: Run, words: list[str], address: str, code: int = 1) -> list[dict[str, Any]]:
    """Run with workers of this machine and on a cluster; both have to do the same. Returns the records."""
    for name in ("ours", "theirs"):
        Path(name).mkdir()
    arguments = [words[0], "in", *words[1:], "--report", "json", "-o"]
    ours = run(*arguments, "ours/", "-j", "2")
    theirs = run(*arguments, "theirs/", "--cluster", address)
    assert (ours.code, theirs.code) == (code, code)
    assert told(ours.out) == told(theirs.out)
    assert ours.err == theirs.err
    assert contents(Path("ours")) == contents(Path("theirs"))
    return told(theirs.out)


def test_workers_of_dask_do_the_same_as_ours(dask: Any, run: Run, crowd: Path, scratch: Path) -> None:
    *records, totals = compare(run, ["convolve", "-k", "sobel-v", "-k", "gaussian:5:1"], "local:2")
    assert (totals["done"], totals["failed"], totals["images"]) == (114, 3, 60)
    assert len(records) == 117
    assert list(scratch.iterdir()) == []


@pytest.fixture(scope="module")
def by_hand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """(address, scheduler file) of a cluster started in the shell: two workers, one without a nanny."""
    pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
    folder = tmp_path_factory.mktemp("dask")
    file = folder / "scheduler.json"
    tool = [sys.executable, "-m", "dask"]
    scheduler = [*tool, "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
    worker = [*tool, "worker", "--nthreads", "1", "--no-dashboard", "--local-directory", str(folder)]
    quiet: dict[str, Any] = {"cwd": "/", "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with contextlib.ExitStack() as stack:
        for command in (scheduler, worker, [*worker, "--no-nanny"]):
            process = stack.enter_context(
                subprocess.Popen([*command, "--scheduler-file", str(file)], start_new_session=True, **quiet)
            )
            stack.callback(os.killpg, process.pid, signal.SIGKILL)
            while not file.exists():
                assert process.poll() is None
                time.sleep(0.02)
        yield json.loads(file.read_text())["address"], file


def test_workers_started_by_hand_do_the_same(by_hand: tuple[str, Path], run: Run, crowd: Path) -> None:
    compare(run, ["pool", "--kind", "avg", "--size", "3"], by_hand[0])


def test_a_scheduler_file_does_too(by_hand: tuple[str, Path], run: Run, crowd: Path) -> None:
    """With weights that lie beside the pipeline, named from this folder."""
    weights = {"c.weight": np.ones((2, 3, 3, 3), np.float32), "c.bias": np.zeros(2, np.float32)}
    np.savez("weights.npz", **weights)  # type: ignore[arg-type]
    Path("net.toml").write_text('weights = "weights.npz"\n[[layer]]\ntype = "conv2d"\nparams = "c"\n')
    words = ["pipeline", "--file", "net.toml", "--format", "png"]
    *records, _ = compare(run, [*words, "--maps", "files"], str(by_hand[1]))
    assert records[0]["output"] == "0000.0.png"
    assert records[0]["layers"][0]["type"] == "conv2d"


def test_a_batch_is_resumed(by_hand: tuple[str, Path], run: Run, crowd: Path) -> None:
    os.mkdir("out")
    Path("out/0004.png").write_bytes(b"old")
    result = run("pool", "in", "-o", "out/", "-n", "--cluster", by_hand[0], "--report", "json")
    assert [record["input"] for record in told(result.out) if record.get("status") == "skipped"] == ["in/0004.png"]
    assert Path("out/0004.png").read_bytes() == b"old"


def test_a_montage_is_the_same(by_hand: tuple[str, Path], run: Run, folder: Path) -> None:
    fill(folder / "in", 5)
    for name, words in (("ours", ["-j", "2"]), ("theirs", ["--cluster", by_hand[0]])):
        result = run("pool", "in", "-o", f"{name}/", "--montage", f"{name}.png", "-q", *words)
        assert result == (0, b"", b"")
    assert Path("ours.png").read_bytes() == Path("theirs.png").read_bytes()


def test_names_stay_as_they_were_written(by_hand: tuple[str, Path], run: Run, folder: Path) -> None:
    fill(folder / "in", 2)
    inputs = [str(folder / "in/0000.png"), "./in/../in/0001.npy", "missing.png", "caf\udce9\x1b[31m.png"]
    for words in (["--cluster", by_hand[0]], ["-j", "2"]):
        result = run("pool", *map(os.fsencode, inputs), "--report", "json", *words)
        records = told(result.out)
        told_names = [*inputs[:3], "caf\\udce9\x1b[31m.png", None]  # the stray byte escaped: reports are Unicode
        assert [record.get("input") for record in records] == told_names
        assert [record.get("output") for record in records[1:2]] == ["in/../in/0001.max2x2.npy"]
        assert result.err.decode().splitlines() == [
            "cnnfilter: missing.png: no such file or directory",
            "cnnfilter: caf\\udce9\\x1b[31m.png: no such file or directory",
        ]


# ---------------------------------------------------------------------------------------------------------------------
# Faults


def test_a_killed_worker_costs_nothing(dask: Any, folder: Path, scratch: Path) -> None:
    names = fill(folder / "in", 120, 150, 200)
    mark, environment = marked("killed")
    arguments = ["convolve", "in", "-k", "blur", "-o", "out/", "--cluster", "local:2", "--report", "json"]
    with started(*arguments, env=environment) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        os.kill(workers_of(mark)[0], signal.SIGKILL)
        out, err = process.communicate(timeout=60)
    *records, totals = told(first + out)
    assert (process.returncode, err) == (0, b"")
    assert [record["input"] for record in records] == [f"in/{name}" for name in names]
    assert (totals["done"], totals["failed"]) == (120, 0)
    assert sorted(contents(folder / "out")) == names
    assert interrupt.wait_until_gone(mark) == []
    assert list(scratch.iterdir()) == []


def test_a_file_that_kills_its_workers_fails_alone(dask: Any, run: Run, folder: Path, scratch: Path) -> None:
    """It is tried once more on its own; one that a worker does not see is told in words that help."""
    names = fill(folder / "in", 12)
    (folder / "in" / names[4]).rename(folder / "in" / "poison.png")
    (folder / "in" / names[8]).rename(folder / "in" / "hidden.png")
    (folder / "site").mkdir()
    (folder / "site" / "sitecustomize.py").write_text(SITE)
    path = os.pathsep.join([str(folder / "site"), *filter(None, [os.environ.get("PYTHONPATH")])])
    arguments = ["pool", "in", "-o", "out/", "--cluster", "local:2", "--report", "json"]
    result = run(*arguments, env={"PYTHONPATH": path})
    *records, totals = told(result.out)
    failed = {record["input"]: record["error"] for record in records if record["status"] == "failed"}
    assert (result.code, totals["done"], totals["failed"]) == (1, 10, 2)
    assert failed["in/poison.png"].startswith("its worker was killed, and the one that tried it again")
    assert failed["in/hidden.png"] == places.unseen_by(socket.gethostname())
    assert result.err.count(b"\n") == 2
    assert [name for name in contents(folder / "out") if name.startswith(".")] == []


def test_a_full_disk_ends_the_run(dask: Any, folder: Path, scratch: Path) -> None:
    fill(folder / "in", 80, 200, 200)

    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    arguments = ["convolve", "in", "-k", "blur", "-o", "out/", "--format", "png", "--cluster", "local:2", "-q"]
    with started(*arguments, preexec_fn=small_files) as process:
        _, err = process.communicate(timeout=60)
    told_lines = err.decode().splitlines()
    assert process.returncode == 1
    assert 1 <= len(told_lines) - 1 <= 10
    assert all("cannot be written: file too large" in line for line in told_lines[:-1])
    assert told_lines[-1].startswith("cnnfilter: stopped, since nothing more can be written: ")
    assert list((folder / "out").iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_run_leaves_nothing_half(dask: Any, folder: Path, scratch: Path, number: signal.Signals) -> None:
    names = fill(folder / "in", 200, 150, 200)
    mark, environment = marked("end")
    arguments = ["convolve", "in", "-k", "blur", "-o", "out/", "--cluster", "local:2", "--report", "json"]
    with started(*arguments, env=environment, start_new_session=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        os.killpg(process.pid, number) if number == signal.SIGINT else process.send_signal(number)
        before = time.monotonic()
        _, err = process.communicate(timeout=60)
        seconds = time.monotonic() - before
    assert process.returncode == interrupt.CODES[number]
    assert interrupt.wait_until_gone(mark) == []
    if number != signal.SIGKILL:
        assert seconds < 2
        assert err.count(b"\n") == 1
        assert list(scratch.iterdir()) == []
        assert [name for name in contents(folder / "out") if name.startswith(".")] == []
    assert 0 < len(contents(folder / "out")) < len(names)
    for path in folder.glob("out/[0-9]*"):
        assert cnnfilter.read_image(path).shape[1] == 200


def test_the_workers_of_others_stop_after_the_image_that_they_are_at(by_hand: tuple[str, Path], folder: Path) -> None:
    names = fill(folder / "in", 150, 300, 400)
    arguments = ["convolve", "in", "-k", "gaussian:9:2", "-o", "out/", "--cluster", by_hand[0], "--report", "json"]
    with started(*arguments) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        before = time.monotonic()
        _, err = process.communicate(timeout=60)
        assert time.monotonic() - before < 2
    assert process.returncode == 143
    assert err.startswith(b"cnnfilter: terminated after ")
    assert err.endswith(b" of 150 images; -n goes on with the rest\n")
    time.sleep(1)
    left = sorted(contents(folder / "out"))
    assert 0 < len(left) < len(names)
    assert [name for name in left if name.startswith(".")] == []
    time.sleep(0.5)
    assert sorted(contents(folder / "out")) == left


# ---------------------------------------------------------------------------------------------------------------------
# What goes to workers


def test_devices_get_the_numbers_of_the_worker(folder: Path) -> None:
    fill(folder / "in", 1)
    here = os.stat("in/0000.png")
    settings = Settings(maps="files", inputs=frozenset({(77, here.st_ino), (78, 5)}))
    sent = chunks.Told(chunks.tell([], settings, {77: str(folder / "in/0000.png"), 78: "nowhere"}))
    steps, own = pickle.loads(pickle.dumps(sent)).work
    assert steps == []
    assert own.inputs == {(here.st_dev, here.st_ino), (78, 5)}
