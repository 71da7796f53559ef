"""From inputs and output to jobs: what is found, in what order, where results go, and what is refused."""

from __future__ import annotations

import os
import socket
from pathlib import Path, PurePath

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from cnnfilter.batch.paths import Job, Result, Source, find_sources, plan_jobs
from cnnfilter.errors import ParameterError
from cnnfilter.images import formats

BLUR = Result("blur")
SOBEL = Result("sobel-v")


def touch(*names: str) -> None:
    """Empty files, with their folders: nothing here reads them."""
    for name in names:
        place = Path(name)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()


def found(*inputs: str, output: str | None = "out/", recursive: bool = False) -> list[str]:
    return [source.path for source in find_sources(inputs, output, recursive=recursive)]


def outputs(jobs: list[Job]) -> list[str | None]:
    return [target.path for job in jobs for target in job.targets]


def planned(
    *inputs: str,
    output: str | None = "out/",
    recursive: bool = False,
    results: tuple[Result, ...] = (BLUR,),
    format_name: str | None = None,
) -> list[str | None]:
    sources = find_sources(inputs, output, recursive=recursive)
    return outputs(plan_jobs(sources, results, output, format_name))


# ---------------------------------------------------------------------------------------------------------------------
# What is found


def test_the_order_is_that_of_the_bytes_of_names_whatever_the_folder_says(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["Z.png", "a.png", "a10.png", "a2.png", "b/c.png", "b.png", "é.png", "\udcff.png", "~.png"]
    touch(*(f"in/{name}" for name in reversed(names)))
    wanted = sorted((f"in/{name}" for name in names), key=os.fsencode)
    assert found("in", recursive=True) == sorted(wanted, key=lambda name: os.fsencode(PurePath(name).parts[1]))
    first = found("in", recursive=True)
    for name in names:  # other entries in another order
        Path(f"in/{name}").unlink()
    touch(*(f"in/{name}" for name in sorted(names)))
    assert found("in", recursive=True) == first


def test_inputs_come_in_the_order_in_which_they_are_named(folder: Path) -> None:
    touch("b/2.png", "b/1.png", "a/3.png", "z.png")
    assert found("z.png", "b", "a") == ["z.png", "b/1.png", "b/2.png", "a/3.png"]
    assert found("a", "z.png", "b") == ["a/3.png", "z.png", "b/1.png", "b/2.png"]


@pytest.mark.parametrize("suffix", sorted(formats.BY_SUFFIX))
def test_every_readable_suffix_is_found_in_a_folder_in_any_case(folder: Path, suffix: str) -> None:
    touch(f"in/a{suffix}", f"in/B{suffix.upper()}")
    assert found("in") == [f"in/B{suffix.upper()}", f"in/a{suffix}"]


@pytest.mark.parametrize(
    "name",
    [
        *("notes.txt", "noname", "a.png.bak", "a.png~", "drawing.eps", "drawing.svg", "paper.pdf", "a.npz", "a.toml"),
        *(".png", ".hidden.png", ".a.jpg", "a.", "png", "a.png ", "Thumbs.db", ".cnnfilter-12-abc", "a.tar.gz"),
    ],
)
def test_other_names_are_passed_over_in_a_folder(folder: Path, name: str) -> None:
    touch(f"in/{name}", "in/real.png", f"in/sub/{name}", f"in/.dot/{name}", "in/.dot/a.png")
    assert found("in", recursive=True) == ["in/real.png"]


def test_what_is_named_is_an_input_whatever_its_name(folder: Path) -> None:
    touch("noname", ".hidden.png", "a.txt")
    assert found("noname", ".hidden.png", "a.txt", "missing") == ["noname", ".hidden.png", "a.txt", "missing"]


def test_folders_below_need_the_option(folder: Path) -> None:
    touch("in/a.png", "in/x/b.png", "in/x/y/c.png", "in.png/d.png")
    assert found("in") == ["in/a.png"]
    assert found("in", recursive=True) == ["in/a.png", "in/x/b.png", "in/x/y/c.png"]
    assert found("in.png") == ["in.png/d.png"]


@pytest.mark.parametrize("spelling", ["in", "in/", "./in", "in/.", "in//", "../{here}/in", "in/x/.."])
def test_spellings_of_a_folder_give_the_same_outputs(folder: Path, spelling: str) -> None:
    touch("in/a.png", "in/x/b.png")
    spelling = spelling.format(here=folder.name)
    assert planned(spelling, recursive=True) == ["out/a.png", "out/x/b.png"]
    absolute = str(folder / spelling)
    assert planned(absolute, recursive=True) == ["out/a.png", "out/x/b.png"]


def test_patterns(folder: Path) -> None:
    touch("in/b.png", "in/a.png", "in/c.jpg", "in/x/d.png", "in/.e.png", "in/f.txt", "in/g.png/h.png")
    assert found("in/*.png") == ["in/a.png", "in/b.png"]
    assert found("in/**/*.png") == ["in/a.png", "in/b.png", "in/g.png/h.png", "in/x/d.png"]
    assert found("in/?.*") == ["in/a.png", "in/b.png", "in/c.jpg"]
    assert found("in/[!a].png") == ["in/b.png"]
    assert planned("in/**/*.png") == ["out/a.png", "out/b.png", "out/h.png", "out/d.png"]


def test_a_pattern_that_matches_nothing_is_a_missing_file_among_others(folder: Path) -> None:
    touch("a.png")
    assert sorted(found("*.jpg", "a.png")) == ["*.jpg", "a.png"]
    with pytest.raises(ParameterError, match=r"\*\.jpg"):
        find_sources(["*.jpg"], "out/")


@pytest.mark.parametrize("inputs", [["in"], ["in", "empty"], ["*.gif"], []])
def test_no_input_at_all_is_refused(folder: Path, inputs: list[str]) -> None:
    touch("in/notes.txt", "in/.a.png", "in/x/deep.png", "empty/.b.jpg")
    with pytest.raises(ParameterError) as caught:
        find_sources(inputs, "out/")
    assert caught.value.parameter == "input"
    assert [name for name in inputs if name not in str(caught.value)] == []


# ---------------------------------------------------------------------------------------------------------------------
# The output folder within the input folder, and links


@pytest.mark.parametrize("output", ["in/out", "in/out/", "./in/out", "in/x/../out/", "LINK", "ABSOLUTE", "LINK/"])
def test_the_output_folder_is_not_descended_into_however_it_is_spelt(folder: Path, output: str) -> None:
    touch("in/a.png", "in/x/b.png", "in/out/a.png", "in/out/x/b.png")
    Path("link").symlink_to("in/out")
    output = output.replace("LINK", "link").replace("ABSOLUTE", str(folder / "in/out"))
    assert found("in", output=output, recursive=True) == ["in/a.png", "in/x/b.png"]


def test_the_output_folder_deeper_down(folder: Path) -> None:
    touch("in/a.png", "in/x/y/out/a.png", "in/x/y/b.png", "in/out/c.png")
    wanted = ["in/a.png", "in/out/c.png", "in/x/y/b.png"]
    assert found("in", output="in/x/y/out", recursive=True) == wanted


def test_a_run_that_is_repeated_finds_the_same(folder: Path) -> None:
    touch("in/a.png", "in/x/b.png")
    first = planned("in", output="in/out/", recursive=True)
    touch(*(path for path in first if path is not None))
    assert planned("in", output="in/out/", recursive=True) == first == ["in/out/a.png", "in/out/x/b.png"]


def test_links_to_folders_are_not_followed_within_a_tree_but_where_named(folder: Path) -> None:
    touch("in/a.png", "elsewhere/b.png")
    Path("in/link").symlink_to("../elsewhere")
    Path("in/up").symlink_to("..")
    Path("in/itself").symlink_to(".")
    Path("named").symlink_to("elsewhere")
    assert found("in", recursive=True) == ["in/a.png"]
    assert found("named") == ["named/b.png"]
    assert planned("named") == ["out/b.png"]


def test_links_to_files_are_inputs(folder: Path) -> None:
    touch("elsewhere/b.png")
    Path("in").mkdir()
    Path("in/a.png").symlink_to("../elsewhere/b.png")
    assert found("in") == ["in/a.png"]


@pytest.mark.parametrize("target", ["nowhere.png", "lost.png", "deeper/x.png", "a.png/inside.png"])
def test_links_that_lead_nowhere_are_skipped_and_say_so(folder: Path, target: str) -> None:
    touch("in/a.png")
    Path("in/lost.png").symlink_to(target)
    Path("in/lost.txt").symlink_to(target)
    sources = find_sources(["in"], "out/")
    assert [(source.path, source.skipped is None) for source in sources] == [("in/a.png", True), ("in/lost.png", False)]
    assert "link" in (sources[1].skipped or "")


def test_a_loop_of_two_links(folder: Path) -> None:
    touch("in/a.png")
    Path("in/one.png").symlink_to("two.png")
    Path("in/two.png").symlink_to("one.png")
    assert [source.skipped is None for source in find_sources(["in"], "out/")] == [True, False, False]


def test_links_alone_are_no_input_at_all(folder: Path) -> None:
    Path("in").mkdir()
    Path("in/lost.png").symlink_to("nowhere.png")
    with pytest.raises(ParameterError):
        find_sources(["in"], "out/")


def test_pipes_and_sockets_in_a_folder_are_not_opened_here(folder: Path) -> None:
    touch("in/a.png")
    os.mkfifo("in/pipe.png")
    with socket.socket(socket.AF_UNIX) as listener:
        handle = os.open("in", os.O_RDONLY)  # the name of a socket has to be short
        listener.bind(f"/proc/self/fd/{handle}/s.png")
        os.close(handle)
        assert "in/a.png" in found("in")
        assert planned("in/a.png") == ["out/a.png"]


def test_a_folder_deeper_than_the_interpreter_nests_calls(folder: Path) -> None:
    """A path may have more levels than calls may nest."""
    depth = 1050
    Path("in").mkdir()
    handle = os.open("in", os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d", dir_fd=handle)
        deeper = os.open("d", os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = deeper
    os.close(os.open("x.png", os.O_CREAT | os.O_WRONLY, dir_fd=handle))
    os.close(handle)
    deep = f"in/{'d/' * depth}x.png"
    try:
        assert found("in", recursive=True) == [deep]
        assert planned("in", recursive=True) == [f"out/{'d/' * depth}x.png"]
    finally:
        os.unlink(deep)
        for level in range(depth, 0, -1):  # what would remove it later nests calls as well
            os.rmdir(f"in/{'d/' * level}")


# ---------------------------------------------------------------------------------------------------------------------
# Where results go


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        ({"output": None}, ["a.blur.png"]),
        ({"output": None, "format_name": "jpg"}, ["a.blur.jpg"]),
        ({"output": "out/"}, ["out/a.png"]),
        ({"output": "out/", "format_name": "NPY"}, ["out/a.npy"]),
        ({"output": "out/", "results": (BLUR, SOBEL)}, ["out/a.blur.png", "out/a.sobel-v.png"]),
        ({"output": None, "results": (BLUR, SOBEL)}, ["a.blur.png", "a.sobel-v.png"]),
        ({"output": "b.webp"}, ["b.webp"]),
        ({"output": "-"}, ["-"]),
    ],
)
def test_names(folder: Path, arguments: dict[str, object], wanted: list[str]) -> None:
    touch("a.png")
    assert planned("a.png", **arguments) == wanted  # type: ignore[arg-type]


def test_a_format_that_cannot_be_written_becomes_png(folder: Path) -> None:
    touch("in/a.gif", "in/b.ico", "in/c.psd", "in/d.png", "e", "f.v2")
    assert planned("in", "e", "f.v2") == [
        "out/a.png",
        "out/b.png",
        "out/c.png",
        "out/d.png",
        "out/e.png",
        "out/f.v2.png",
    ]


def test_folders_are_mirrored_each_from_its_own_root(folder: Path) -> None:
    touch("one/x/a.png", "two/y/b.png", "deep/in/z/c.png", "single.png", "far/d.png")
    assert planned("one", "two", "deep/in", "single.png", "far/d.png", recursive=True) == [
        *("out/x/a.png", "out/y/b.png", "out/z/c.png", "out/single.png", "out/d.png")
    ]


def test_roots_with_dots_and_absolute_ones_stay_inside_the_output_folder(folder: Path) -> None:
    touch("in/x/a.png", "side/b.png", "c.png")
    os.chdir("side")
    assert planned("../in", str(folder / "in" / "x" / ".." / "x"), recursive=True, results=(BLUR,)) == [
        *("out/x/a.png", "out/a.png")
    ]
    assert planned("../c.png", "../in/../in/x/a.png") == ["out/c.png", "out/a.png"]


def test_dots_in_names_are_no_folders(folder: Path) -> None:
    touch("in/...png", "in/..a.png", "in/a..png", "in/x/a.b.c.png")
    assert planned("in", recursive=True) == ["out/a..png", "out/x/a.b.c.png"]


@pytest.mark.parametrize(
    ("names", "inputs"),
    [
        (["in/a.png", "in/a.jpg"], ["in"]),
        (["one/a.png", "two/a.png"], ["one", "two"]),
        (["one/x/a.png", "two/x/a.png"], ["one", "two"]),
        (["in/x/a.png", "x/a.png"], ["in", "x/a.png", "./x/a.png"]),
        (["in/a.png"], ["in", "in/a.png"]),
        (["in/a.png"], ["in", "in/"]),
        (["in/a.png"], ["in/*.png", "in/?.png"]),
        (["in/a.png", "in/a.PNG"], ["in"]),
    ],
)
def test_two_results_with_one_name_are_refused_and_both_named(
    folder: Path, names: list[str], inputs: list[str]
) -> None:
    touch(*names)
    with pytest.raises(ParameterError) as caught:
        planned(*inputs, recursive=True, format_name="png")
    assert caught.value.parameter == "output"
    assert "a.png" in str(caught.value)


def test_outputs_that_meet_through_links_are_one(folder: Path) -> None:
    """Two names in the output folder that lead to one file."""
    touch("in/a.png", "in/b.png", "out/a.png")
    Path("out/b.png").symlink_to("a.png")
    with pytest.raises(ParameterError, match=r"in/a\.png and in/b\.png"):
        planned("in")


@pytest.mark.parametrize("link", ["symlink", "hard link", "folder link", "same folder"])
def test_an_output_that_is_an_input_is_refused(folder: Path, link: str) -> None:
    touch("in/a.png", "in/b.png")
    output = "out/"
    if link == "symlink":
        touch("out/b.png")
        Path("out/b.png").unlink()
        Path("out/b.png").symlink_to("../in/a.png")
    elif link == "hard link":
        Path("out").mkdir()
        Path("out/b.png").hardlink_to("in/a.png")
    elif link == "folder link":
        Path("out").symlink_to("in")
    else:
        output = "in"
    with pytest.raises(ParameterError, match="also an input"):
        planned("in", output=output)


def test_an_output_that_is_another_input_is_refused(folder: Path) -> None:
    """Not the input that it is made of: one of another folder."""
    touch("in/a.png", "in/x/b.png", "a.png")
    with pytest.raises(ParameterError, match="also an input"):
        planned("in/x/b.png", "in/a.png", "a.png", output="in/x/..", recursive=True)


def test_what_a_run_has_written_beside_its_inputs_is_passed_over_when_it_is_resumed(folder: Path) -> None:
    touch("res/a.png", "res/a.blur.png", "res/b.png", "b.blur.png")
    sources = find_sources(["res/*.png", "b.blur.png"])
    jobs = plan_jobs(sources, [BLUR], None, None, resuming=True)
    assert {job.source.path: job.source.skipped for job in jobs} == {
        "res/a.blur.png": "an output of res/a.png",
        "res/a.png": None,
        "res/b.png": None,
        "b.blur.png": None,
    }
    with pytest.raises(ParameterError, match=r"res/a\.blur\.png is an input and would be the output of") as caught:
        plan_jobs(sources, [BLUR], None, None)
    assert caught.value.parameter == "input"
    assert "-o FOLDER/" in str(caught.value)


def test_an_input_under_another_name_is_not_passed_over(folder: Path) -> None:
    touch("a.png", "b.png")
    Path("a.blur.png").symlink_to("b.png")
    Path("b.blur.png").hardlink_to("a.png")
    with pytest.raises(ParameterError):
        plan_jobs(find_sources(["a.png", "b.png"]), [BLUR], None, None, resuming=True)


def test_a_folder_needs_an_output_folder(folder: Path) -> None:
    touch("in/a.png", "one.png")
    for inputs, output in ((["in"], None), (["in"], "b.png"), (["in"], "-"), (["in", "one.png"], "b.png")):
        with pytest.raises(ParameterError) as caught:
            planned(*inputs, output=output)
        assert caught.value.parameter == "output"
        assert "out/" in str(caught.value)


def test_planning_writes_nothing(folder: Path) -> None:
    touch("in/a.png", "in/x/b.png")
    planned("in", output="new/deep/out/", recursive=True)
    assert sorted(path.name for path in folder.iterdir()) == ["in"]


# ---------------------------------------------------------------------------------------------------------------------
# Any tree

NAMES = st.sampled_from(["a", "b", "a.b", "a..b", "a..", "x", "~", "é", "a b", "%", "-", "\udcff"])
SUFFIXES = st.sampled_from([".png", ".jpg", ".PNG", ".gif", ".npy", ".tif", ".webp"])
TREES = st.lists(st.tuples(st.lists(NAMES, max_size=3), NAMES, SUFFIXES), min_size=1, max_size=6)
SPELLINGS = st.sampled_from(["{root}", "{root}/", "./{root}", "{root}/../{root}", "{here}/{root}", "{here}//{root}/."])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    trees=st.lists(TREES, min_size=1, max_size=3),
    spellings=st.lists(SPELLINGS, min_size=3, max_size=3),
    labels=st.sampled_from([("blur",), ("blur", "sobel-v"), ("gaussian-5-1.5", "a.b", "kernel")]),
    format_name=st.sampled_from([None, "png", "npy", "JPG"]),
)
def test_targets_are_all_different_and_inside_the_output_folder(
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    trees: list[list[tuple[list[str], str, str]]],
    spellings: list[str],
    labels: tuple[str, ...],
    format_name: str | None,
) -> None:
    """Or two of them clash, which is then said and true."""
    here = tmp_path_factory.mktemp("tree")
    monkeypatch.chdir(here)
    for number, tree in enumerate(trees):
        for folders, stem, suffix in tree:
            place = Path(f"root{number}", *(f"{name}." for name in folders), stem + suffix)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.touch()
    inputs = [spellings[n].format(root=f"root{n}", here=here) for n in range(len(trees))]
    sources = find_sources(inputs, "out/", recursive=True)
    assert len(sources) == len({(s.root, s.path) for s in sources})
    results = [Result(label) for label in labels]
    try:
        jobs = plan_jobs(sources, results, "out/", format_name)
    except ParameterError:
        assert clashes(sources, labels, format_name)
        return
    paths = [os.path.realpath(path) for path in outputs(jobs) if path is not None]
    assert len(paths) == len(sources) * len(labels) == len(set(paths))
    assert all(path.startswith(os.path.realpath("out") + os.sep) for path in paths)
    assert [job.source for job in jobs] == sources


def clashes(sources: list[Source], labels: tuple[str, ...], format_name: str | None) -> bool:
    """Whether two sources have one place below their roots, by the rule for names in an output folder."""
    places = []
    for source in sources:
        assert source.root is not None
        place = PurePath(os.path.relpath(source.path, source.root))
        can_be_written = place.suffix.lower() in (".png", ".jpg", ".npy", ".tif", ".webp")
        suffix = f".{format_name.lower()}" if format_name else place.suffix if can_be_written else ".png"
        places += [str(place.with_name(f"{place.stem}.{label * (len(labels) > 1)}{suffix}")) for label in labels]
    return len(set(places)) < len(places)
