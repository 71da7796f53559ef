"""The report: its keys and numbers as table, JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from expectations import BLUR, GRAY, RGB, expected, same
from outcomes import KEYS, entries, lines, load, ok, one_line, record, refused, save

import cnnfilter

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Invoke, Run
    from numpy.typing import NDArray

    Array = NDArray[Any]


def test_json_has_the_keys_of_the_contract_in_their_order(invoke: Invoke, folder: Path) -> None:
    save("img.png", RGB)
    result = ok(invoke("convolve", "img.png", "-k", "sobel-v", "-s", "2x1", "--dilation", "2", "--report", "json"))
    assert [pair[0] for pair in json.loads(result.out, object_pairs_hook=list)] == KEYS
    got = record(result)
    seconds = got.pop("seconds")
    assert 0 < seconds < 10
    assert got == {
        "input": "img.png",
        "output": "img.sobel-v.png",
        "status": "ok",
        "operation": "convolve",
        "kernel": "sobel-v",
        "kernel_shape": [3, 3],
        "stride": [2, 1],
        "padding": [[2, 2], [2, 2]],
        "pad_mode": "reflect",
        "dilation": [2, 2],
        "mapping": "abs",
        "input_shape": [7, 8, 3],
        "output_shape": [4, 8, 3],
        "input_values": 168,
        "output_values": 96,
        "compression": pytest.approx(96 / 168, abs=5e-5),
        "clipped": got["clipped"],
        "input_bytes": (folder / "img.png").stat().st_size,
        "output_bytes": (folder / "img.sobel-v.png").stat().st_size,
        "params": 9,
        "macs": 96 * 9,
        "warnings": [],
        "error": None,
    }


@pytest.mark.parametrize(
    ("options", "padding", "shape"),
    [
        (["-p", "valid"], [[0, 0], [0, 0]], [6, 10]),
        (["-p", "same"], [[1, 2], [0, 1]], [9, 11]),
        (["-p", "2x3"], [[2, 2], [3, 3]], [10, 16]),
        (["-s", "4"], [[1, 2], [0, 1]], [3, 3]),
    ],
)
def test_padding_is_told_a_side(
    invoke: Invoke, folder: Path, options: list[str], padding: list[list[int]], shape: list[int]
) -> None:
    save("img.png", GRAY)
    got = record(invoke("convolve", "img.png", "-k", "box:4x2", *options, "--report", "json"))
    assert got["padding"] == padding
    assert got["output_shape"] == shape
    assert load("img.box-4x2.png").shape == tuple(shape)
    assert got["params"] == 8
    assert got["macs"] == shape[0] * shape[1] * 8


@pytest.mark.parametrize("kernel", ["sobel", "scharr"])
def test_a_magnitude_costs_both_of_its_kernels(invoke: Invoke, folder: Path, kernel: str) -> None:
    save("img.png", GRAY)
    got = record(invoke("convolve", "img.png", "-k", kernel, "--report", "json"))
    assert got["params"] == 18
    assert got["macs"] == 9 * 11 * 18


def test_zero_taps_count(invoke: Invoke, folder: Path) -> None:
    save("img.png", GRAY)
    got = record(invoke("convolve", "img.png", "-k", "identity", "--bias", "3", "--report", "json"))
    assert (got["params"], got["macs"]) == (9, 9 * 11 * 9)


def test_a_batch_ends_with_totals(invoke: Invoke, folder: Path) -> None:
    for name in "cab":
        save(f"{name}.png", GRAY)
    (folder / "bad.png").write_bytes(b"no picture")
    result = invoke("convolve", "c.png", "bad.png", "a.png", "b.png", "-k", "blur", "-o", "out/", "--report", "json")
    assert result.code == 1
    assert "bad.png" in one_line(result.err)
    *rows, totals = lines(result)
    assert [row["input"] for row in rows] == ["c.png", "bad.png", "a.png", "b.png"]
    assert [row["status"] for row in rows] == ["ok", "failed", "ok", "ok"]
    assert all(list(row) == KEYS for row in rows)
    assert rows[1]["error"]
    assert rows[1]["output_shape"] is None
    assert [row["error"] for row in rows].count(None) == 3
    assert "input" not in totals
    assert (totals["done"], totals["skipped"], totals["failed"]) == (3, 0, 1)
    assert entries(folder / "out") == ["a.png", "b.png", "c.png"]


@pytest.mark.parametrize(("words", "told"), [
    (["-s", "2", "-s", "3"], ["--stride is given 2 times; the last one counts"]),
    (["-s2", "--stride=2", "-s", "3"], ["--stride is given 3 times; the last one counts"]),
    (["-s", "3", "--mapping", "abs", "--mapping", "clip"], ["--mapping is given 2 times; the last one counts"]),
    (["-s", "2", "-s", "3", "-q"], []),
    (["-s", "3", "--strip", "--strip"], []),
])  # fmt: skip
def test_of_a_repeated_option_the_last_one_counts_and_that_is_told(
    invoke: Invoke, folder: Path, words: list[str], told: list[str]
) -> None:
    save("img.png", RGB)
    done = invoke("convolve", "img.png", "-k", "blur", "-o", "x.png", *words)
    assert done.code == 0
    assert done.err.decode().splitlines() == [f"cnnfilter: warning: {line}" for line in told]
    assert np.array_equal(load("x.png"), cnnfilter.convolve(RGB, "blur", stride=3, mapping="clip"))


def test_csv(invoke: Invoke, folder: Path) -> None:
    save("img, 1.png", RGB)
    (folder / "bad.png").write_bytes(b"no picture")
    result = invoke("convolve", "img, 1.png", "bad.png", "-k", "blur", "-o", "out/", "--report", "csv")
    assert result.code == 1
    rows = list(csv.DictReader(io.StringIO(result.out.decode())))
    assert list(rows[0]) == KEYS
    assert [row["input"] for row in rows] == ["img, 1.png", "bad.png"]
    assert [row["status"] for row in rows] == ["ok", "failed"]
    assert rows[0]["output_values"] == "168"
    assert rows[0]["macs"] == str(168 * 9)
    assert rows[0]["error"] == ""
    assert rows[1]["error"] != ""


@pytest.mark.parametrize("kernel", ["sobel-v", "box:31x33", "0.123456789 0.123456789 0.123456789 0.1234 0.12345678"])
def test_the_table_tells_shapes_compression_and_mapping(invoke: Invoke, folder: Path, kernel: str) -> None:
    save("img.png", np.zeros((427, 640), np.uint8))
    text = ok(invoke("convolve", "img.png", "-k", kernel, "-s", "4", "-o", "out.png")).out.decode()
    assert max(map(len, text.splitlines())) <= 80
    for word in ("427x640", "107x160", "6.26%", "273280", "17120", "abs" if kernel == "sobel-v" else "clip", "out.png"):
        assert word in text


def test_the_table_of_a_batch_tells_them_too(invoke: Invoke, folder: Path) -> None:
    for name in ("a", "b"):
        save(f"{name}.png", np.zeros((427, 640, 3), np.uint8))
    text = ok(invoke("convolve", "a.png", "b.png", "-k", "sobel-v", "-s", "4", "-o", "out/")).out.decode()
    assert max(map(len, text.splitlines())) <= 80
    for word in ("427x640x3", "107x160x3", "6.26%", "abs", "out/a.png", "out/b.png", "2 done", "0 skipped", "0 failed"):
        assert word in text


def test_tables_list_up_to_50_rows_and_then_failures_and_totals(invoke: Invoke, folder: Path) -> None:
    (folder / "in").mkdir()
    for number in range(50):
        save(f"in/n{number:02}.png", GRAY[:1, :1])
    text = ok(invoke("convolve", "in", "-k", "identity", "-o", "out/")).out.decode()
    assert [number for number in range(50) if f"out/n{number:02}.png" not in text] == []
    (folder / "in" / "worst.png").write_bytes(b"")
    result = invoke("convolve", "in", "-k", "identity", "-o", "out/")
    assert result.code == 1
    text = result.out.decode()
    assert "n00.png" not in text
    assert "worst" in text
    assert "50 done" in text
    assert "1 failed" in text


@pytest.mark.parametrize("options", [["--report", "none"], ["-q"], ["--quiet"]])
def test_silence(invoke: Invoke, folder: Path, options: list[str]) -> None:
    save("img.png", GRAY)
    assert ok(invoke("convolve", "img.png", "-k", "blur", *options)).out == b""
    assert (folder / "img.blur.png").exists()


def test_quiet_keeps_errors(invoke: Invoke, folder: Path) -> None:
    assert "missing.png" in refused(invoke("convolve", "missing.png", "-k", "blur", "-q"), 1)


@pytest.mark.parametrize("name", ["report.json", "report.csv", "report.txt"])
def test_a_report_file_has_the_format_of_its_suffix(invoke: Invoke, folder: Path, name: str) -> None:
    save("img.png", GRAY)
    ok(invoke("convolve", "img.png", "-k", "blur", "--report-file", name))
    text = (folder / name).read_text()
    if name.endswith("json"):
        assert list(json.loads(text)) == KEYS
    elif name.endswith("csv"):
        assert text.splitlines()[0] == ",".join(KEYS)
        assert len(text.splitlines()) == 2
    else:
        assert "9x11" in text


@pytest.mark.parametrize(
    "name", ["report", "report.png", "report.xyz", "missing/report.json", "img.png", "img.blur.png"]
)
def test_report_files_that_are_refused(invoke: Invoke, folder: Path, name: str) -> None:
    save("img.png", GRAY)
    assert "--report-file" in refused(invoke("convolve", "img.png", "-k", "blur", "--report-file", name))
    assert entries(folder) == ["img.png"]
    same("img.png", GRAY)


def test_what_tells_of_a_run_may_lie_in_the_folder_that_it_makes(invoke: Invoke, folder: Path) -> None:
    save("img.png", GRAY)
    command = ("convolve", "img.png", "-k", "blur", "-o", "out/")
    for place in ("other/r.json", "out/deeper/r.json"):
        assert "--report-file: there is no folder" in refused(invoke(*command, "--report-file", place))
    assert "--montage: there is no folder" in refused(invoke(*command, "--montage", "other/m.png"))
    assert entries(folder) == ["img.png"]
    ok(invoke(*command, "--report-file", "out/r.json", "--montage", "out/m.png"))
    assert entries(folder) == ["img.png", "out", "out/img.png", "out/m.png", "out/r.json"]
    assert json.loads((folder / "out" / "r.json").read_text())["output"] == "out/img.png"


@pytest.mark.parametrize("options", [["--report", "none"], ["-q"], ["--report", "none", "--dry-run"]])
def test_a_report_file_of_no_format_is_refused_where_none_is_shown(
    invoke: Invoke, folder: Path, options: list[str]
) -> None:
    save("img.png", GRAY)
    told = refused(invoke("convolve", "img.png", "-k", "blur", "--report-file", "x.unknown", *options))
    assert told.endswith("'x.unknown' names no report; .json .jsonl .ndjson .csv .txt do, or --report")
    assert entries(folder) == ["img.png"]
    for name in ("r.jsonl", "r.ndjson"):
        ok(invoke("convolve", "img.png", "-k", "blur", "--report-file", name, *options))
        assert json.loads((folder / name).read_text())["input"] == "img.png"


def test_two_formats_of_a_report_are_refused(invoke: Invoke, folder: Path) -> None:
    save("img.png", GRAY)
    told = refused(invoke("convolve", "img.png", "-k", "blur", "--report", "json", "--report-file", "y.csv"))
    assert "--report: json" in told
    assert "'y.csv' says csv" in told
    ok(invoke("convolve", "img.png", "-k", "blur", "--report", "csv", "--report-file", "y.csv"))
    assert entries(folder) == ["img.blur.png", "img.png", "y.csv"]


def test_names_in_a_csv_file_are_as_they_are(invoke: Invoke, folder: Path) -> None:
    names = ["new\nline.png", "new\\nline.png", "re\rturn.png", "tab\t.png", 'quo"te, comma.png']
    for name in names:
        save(folder / name, GRAY)
    ok(invoke("convolve", "-k", "blur", "-o", "out/", "--report-file", "r.csv", "--", *names))
    with (folder / "r.csv").open(newline="") as file:
        assert [row["input"] for row in csv.DictReader(file)] == names


def test_names_in_a_csv_report_are_as_they_are_but_in_a_terminal(
    invoke: Invoke, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "tab\t, esc\x1b[31m.png"
    save(name, GRAY)
    command = ("convolve", name, "-k", "blur", "-o", "x.png", "--report", "csv")
    (row,) = csv.DictReader(io.StringIO(ok(invoke(*command)).out.decode()))
    assert row["input"] == name == record(invoke(*command[:-1], "json"))["input"]
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    (row,) = csv.DictReader(io.StringIO(ok(invoke(*command)).out.decode()))
    assert row["input"] == "tab\\t, esc\\x1b[31m.png"


@pytest.mark.parametrize(("options", "code"), [(["--report", "json"], 1), (["--report", "none"], 0), ([], 0)])
def test_a_report_that_is_asked_for_needs_a_stream(folder: Path, options: list[str], code: int) -> None:
    save("img.png", GRAY)
    command = ["sh", "-c", 'exec "$@" >&-', "sh", sys.executable, "-m", "cnnfilter", "convolve", "img.png", "-kblur"]
    done = subprocess.run([*command, *options], stderr=subprocess.PIPE, check=False, timeout=30)
    assert done.returncode == code
    assert entries(folder) == (["img.png"] if code else ["img.blur.png", "img.png"])
    assert not code or one_line(done.stderr).startswith("cnnfilter: standard output: is closed")


def test_a_report_file_is_replaced_when_it_is_complete(invoke: Invoke, folder: Path) -> None:
    save("img.png", GRAY)
    (folder / "r.json").write_text("before")
    (folder / "r.json").chmod(0o640)
    refused(invoke("convolve", "img.png", "-k", "blur", "--report-file", "r.json", "--depth", "float", "-o", "a.jpg"))
    assert (folder / "r.json").read_text() == "before"
    ok(invoke("convolve", "img.png", "-k", "blur", "--report-file", "r.json"))
    assert json.loads((folder / "r.json").read_text())["input"] == "img.png"
    assert (folder / "r.json").stat().st_mode & 0o777 == 0o640
    assert entries(folder) == ["img.blur.png", "img.png", "r.json"]


@pytest.mark.parametrize("name", ["report.json", "report.csv", "report.txt"])
def test_a_report_that_cannot_be_written_is_named(invoke: Invoke, folder: Path, name: str) -> None:
    save("img.png", GRAY)
    (folder / name).symlink_to("/dev/full")
    assert name in refused(invoke("convolve", "img.png", "-k", "blur", "--report-file", name), 1)


def test_input_without_a_suffix(invoke: Invoke, folder: Path) -> None:
    save("img.png", GRAY)
    (folder / "img.png").rename(folder / "picture")
    ok(invoke("convolve", "picture", "-k", "blur", "-o", "out/"))
    files = entries(folder / "out")
    assert len(files) == 1
    same(folder / "out" / files[0], expected(GRAY, BLUR, "clip"))


def test_what_a_dry_run_says_is_told_from_what_was_done(invoke: Invoke, folder: Path) -> None:
    save("a.png", GRAY)
    save("b.png", GRAY)
    one = ok(invoke("convolve", "a.png", "-k", "blur", "--dry-run")).out.decode().splitlines()
    assert one[1].split(maxsplit=1) == ["status", "would be done"]
    both = ok(invoke("convolve", "a.png", "b.png", "-k", "blur", "--dry-run")).out.decode().splitlines()
    assert both[-1].startswith("2 would be done, 0 skipped, 0 failed in ")
    assert entries(folder) == ["a.png", "b.png"]


def test_names_stay_in_one_piece_where_no_terminal_shows_them(run: Run, folder: Path) -> None:
    name = f"{'long' * 30}.png"
    for each in (name, "b.png"):
        save(each, GRAY)
    table = ok(run("convolve", name, "b.png", "-k", "blur", "-o", "out/")).out.decode()
    assert f"out/{name} " in table
    assert len(table.splitlines()) == 5
    assert f"{name} -> x.png\n" in ok(run("convolve", name, "-k", "blur", "-o", "x.png")).out.decode()
    ok(run("convolve", name, "b.png", "-k", "blur", "-o", "out/", "--report-file", "r.txt"))
    assert f"out/{name} " in (folder / "r.txt").read_text()


def test_a_bank_in_the_order_of_pytorch_is_told_of(invoke: Invoke, folder: Path) -> None:
    save("img.png", RGB)
    save("gray.png", GRAY)
    weight = np.ones((16, 3, 3, 3), np.float32)
    save("torch.npy", weight)
    save("ours.npy", weight.transpose(2, 3, 1, 0))
    command = ("convolve", "img.png", "-o", "x.npy", "--report", "json", "-k")
    (warning,) = record(invoke(*command, "torch.npy"))["warnings"]
    assert ".transpose(2, 3, 1, 0)" in warning
    got = record(invoke(*command, "ours.npy"))
    assert (got["warnings"], got["kernel_shape"], got["output_shape"][2]) == ([], [3, 3, 3, 16], 16)
    assert ".transpose(2, 3, 1, 0)" in refused(invoke("convolve", "gray.png", "-k", "torch.npy", "-o", "x.png"))
