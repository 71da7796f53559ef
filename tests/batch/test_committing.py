"""Files that workers leave to be committed: what is there, and what is told, when some cannot take their places."""

from __future__ import annotations

import errno
import json
import os
from typing import TYPE_CHECKING, Any

import numpy as np
import PIL.Image
import pytest

from cnnfilter.batch import committing
from cnnfilter.batch.process import Done
from cnnfilter.batch.report import Record
from cnnfilter.images import temporary

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Invoke

PIXELS = np.random.default_rng(5).integers(0, 256, (40, 60, 3)).astype(np.uint8)


def written(folder: Path, *names: str) -> list[temporary.Written]:
    """Whole files that have not taken their places."""
    with temporary.committed_later() as files:
        for name in names:
            with temporary.replacing(str(folder / name)) as file:
                file.write(name.encode())
    return files


def record(name: str | None, **others: Any) -> Record:
    return Record("in.png", name, operation="convolve", output_bytes=5)._replace(**others)


def without_times(told: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in told.items() if "second" not in name}


def done(*records: Record) -> Done:
    return Done(list(records), Record("in.png", records[0].output, operation="convolve"))


def test_records_are_as_they_were_when_their_files_have_taken_their_places(tmp_path: Path) -> None:
    records = [record("a.png"), record(None), record("b.png", status="skipped")]
    files = [written(tmp_path, "a.png"), written(tmp_path, "c.png", "d.png"), []]
    assert committing.commit(list(zip(map(done, records), files, strict=True))) == records
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {n: n for n in ("a.png", "c.png", "d.png")}


def test_files_of_a_step_after_one_that_cannot_take_its_place_are_removed(tmp_path: Path) -> None:
    """It has failed as a whole; the steps around it have not."""
    first, second, third = (written(tmp_path, *names) for names in (["a"], ["b.0", "b.1", "b.2"], ["c"]))
    os.unlink(second[1].unfinished)
    several = done(record("b.0"), record(second[2].path), record(None))
    parts = [(done(record("a")), first), (several, second), (done(record("old", status="skipped")), [])]
    told = committing.commit([*parts, (done(record("c")), third)])
    assert [one.status for one in told] == ["ok", "failed", "skipped", "ok"]
    failure = told[1]
    assert failure.error is not None
    assert failure.error.endswith("b.1: cannot be written: no such file or directory")
    assert (failure.output, failure.exit_code, failure.output_bytes, failure.is_final) == ("b.0", 1, None, False)
    assert failure.trace is not None
    assert "OutputError" in failure.trace
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b.0", "c"]


def test_files_that_cannot_even_be_removed_are_failures_only(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    files = written(tmp_path / "out", "a", "b")
    (tmp_path / "out").rename(tmp_path / "moved")
    (tmp_path / "out").write_text("a file in place of the folder")
    (failure,) = committing.commit([(done(record("a")), files)])
    assert failure.status == "failed"
    assert failure.error is not None
    assert failure.error.endswith("a: cannot be written: not a directory")


def test_a_worker_without_its_parent_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = written(tmp_path, "a", "b")
    monkeypatch.setattr(committing, "_uncommitted", [files, written(tmp_path, "c")])
    files[0].commit()
    committing.leave_nothing()
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize(
    ("arguments", "refused"),
    [
        (["convolve", "-k", "sobel", "-k", "blur", "--montage", "all.png"], "1.sobel.png"),
        (["convolve", "-k", "sobel", "-k", "blur", "--montage", "all.png"], "1.blur.png"),
        (["convolve", "-k", "sobel", "-k", "blur", "-n"], "1.sobel.png"),
        (["pool", "--size", "2"], "1.png"),
        (["pipeline", "--steps", "conv2d 2 size=3", "--init", "normal", "--maps", "files"], "1.1.png"),
        (["pipeline", "--steps", "gray | convolve sobel-v name=c | pool max size=2", "--tap", "c"], "1.png"),
        (["pipeline", "--steps", "gray | convolve sobel-v name=c | pool max size=2", "--tap", "c"], "1.c.png"),
    ],
)
@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC], ids=["this-file", "all-files"])
def test_workers_report_failures_as_one_process_does(
    invoke: Invoke, folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], refused: str, code: int
) -> None:
    (folder / "in").mkdir()
    for number in range(3):
        PIL.Image.fromarray(PIXELS).save(folder / "in" / f"{number}.png")
    replace = os.replace

    def refuse(old: str, new: str) -> None:
        if os.path.basename(new) == refused:
            raise OSError(code, os.strerror(code))
        replace(old, new)

    monkeypatch.setattr(os, "replace", refuse)
    told, left = {}, {}
    for jobs in "12":
        (folder / f"out{jobs}").mkdir()
        if "-n" in arguments:
            (folder / f"out{jobs}" / "1.blur.png").write_bytes(b"old")
        result = invoke(*arguments, "in", "-o", f"out{jobs}/", "-j", jobs, "--report", "json")
        lines = result.out.decode().replace(f"out{jobs}/", "out/").splitlines()
        told[jobs] = result.code, [json.loads(line, object_hook=without_times) for line in lines]
        left[jobs] = {path.name: path.read_bytes() for path in (folder / f"out{jobs}").iterdir()}
        montage = folder / "all.png"
        left[jobs]["montage"] = montage.read_bytes() if montage.exists() else b""
        montage.unlink(missing_ok=True)
    if code == errno.ENOSPC:  # whether another worker was at the last image is a matter of chance
        told = {
            jobs: (code, [line for line in lines if line.get("input") in ("in/0.png", "in/1.png")])
            for jobs, (code, lines) in told.items()
        }
        left = {jobs: {name: b for name, b in each.items() if name[:2] in ("0.", "1.")} for jobs, each in left.items()}
    assert told["1"][0] == 1
    assert [line["status"] for line in told["1"][1] if line.get("input") == "in/1.png"].count("failed") == 1
    assert told["1"] == told["2"]
    assert left["1"] == left["2"]


def test_a_full_disk_ends_the_batch_early(invoke: Invoke, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "in").mkdir()
    for number in range(40):
        PIL.Image.fromarray(PIXELS).save(folder / "in" / f"{number:02}.png")

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    result = invoke("convolve", "in", "-k", "blur", "-o", "out/", "-j", "2", "--report", "json")
    lines = [json.loads(line) for line in result.out.splitlines()]
    assert result.code == 1
    assert 0 < lines[-1]["failed"] < 20
    assert b"stopped, since nothing more can be written" in result.err
    assert not os.listdir("out")
