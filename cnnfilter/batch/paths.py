"""From what users name as inputs and output to jobs; whatever can clash is found here, before anything is read."""

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from cnnfilter.core.vocabulary import STANDARD_STREAM
from cnnfilter.core.words import printable
from cnnfilter.errors import ParameterError
from cnnfilter.images import formats
from cnnfilter.images.formats import Format

if TYPE_CHECKING:
    from cnnfilter.images.thumbnail import Frames


class Source(NamedTuple):
    """One input: its path, the folder it was found in (None if it was named), why it is passed over, or cannot be."""

    path: str
    root: str | None = None
    skipped: str | None = None
    error: str | None = None


class Result(NamedTuple):
    """One output of every image: its label in file names, the tapped layer it may come from, whether it is a vector."""

    label: str
    tap: str | None = None
    is_vector: bool = False


class Target(NamedTuple):
    """One output: its path and format.

    The path is `-` for standard output and None for a vector that is only reported; the format is None where it is the
    input's, which is known when that is read.
    """

    path: str | None
    format: Format | None


class Job(NamedTuple):
    """One input and where its results go, one target a result.

    `frames` are for its preview, `height` is its share of the montage; None and 0 if there is to be none.
    """

    source: Source
    targets: tuple[Target, ...]
    frames: "Frames | None" = None
    height: int = 0


def find_sources(inputs: Sequence[str], output: str | None = None, *, recursive: bool = False) -> list[Source]:
    """The images that `inputs` name: files, folders, glob patterns, or `-`, in a stable order.

    In a folder files with the suffix of a readable format are inputs; others and dot-files are passed over, and the
    output folder is not descended into.

    Raises:
        ParameterError: there is nothing at all, or standard input is named twice.
    """
    kept_out = os.path.realpath(output) if output not in (None, STANDARD_STREAM) else None
    expanded = {name: list(_expand(name, recursive, kept_out)) for name in inputs}
    sources = [source for name in inputs for source in expanded[name]]
    if not any(source.skipped is None for source in sources):
        named = ", ".join(printable(name) for name in inputs[:3])
        raise ParameterError("input", f"no image in {named}" if inputs else "no image is named")
    if sum(source.path == STANDARD_STREAM for source in sources) > 1:
        raise ParameterError("input", "standard input (-) can be read only once")
    missing = [Source(name) for name in inputs if not expanded[name] and not os.path.isdir(name)]
    return sources + missing  # a pattern without a match among others is reported as a missing file


def _expand(name: str, recursive: bool, kept_out: str | None) -> Iterator[Source]:
    if name == STANDARD_STREAM:
        yield Source(name)
    elif os.path.isdir(name):
        yield from _in_folder(name, name, recursive, kept_out)
    elif any(sign in name for sign in "*?[") and not os.path.lexists(name):
        import glob

        for match in sorted(glob.glob(name, recursive=True)):
            inside = kept_out is not None and f"{os.path.realpath(match)}{os.sep}".startswith(f"{kept_out}{os.sep}")
            if not inside and not os.path.isdir(match) and _is_input(match):
                yield Source(match)
    else:
        yield Source(name)


def _in_folder(folder: str, root: str, recursive: bool, kept_out: str | None) -> Iterator[Source]:
    waiting = [iter(_entries(folder))]  # no recursion: folders may be deeper than calls
    while waiting:
        entry = next(waiting[-1], None)
        if entry is None:
            waiting.pop()
        elif isinstance(entry, Source):
            yield Source(entry.path, root, error=entry.error)
        elif entry.name.startswith("."):
            continue
        elif entry.is_symlink() and not os.path.exists(entry.path):
            if _is_input(entry.name):
                yield Source(entry.path, root, "a symbolic link that leads nowhere")
        elif entry.is_dir():
            if recursive and not entry.is_symlink() and not _same(entry.path, kept_out):
                waiting.append(iter(_entries(entry.path)))
        elif _is_input(entry.name):
            yield Source(entry.path, root)


def _entries(folder: str) -> "list[os.DirEntry[str] | Source]":
    """What is in a folder, sorted by name; if that cannot be told, a source that says so."""
    try:
        with os.scandir(folder) as entries:
            return [*sorted(entries, key=lambda entry: os.fsencode(entry.name))]
    except OSError as error:
        return [Source(folder, error=f"the folder cannot be listed: {error.strerror}")]


def _same(folder: str, other: str | None) -> bool:
    """Whether two folders are one; realpath follows symbolic links, which `folder` is none of."""
    try:
        return other is not None and os.path.samefile(folder, other)
    except OSError:
        return False


def _is_input(name: str) -> bool:
    return formats.by_suffix(name) is not None and not os.path.basename(name).startswith(".")


def plan_jobs(
    sources: Sequence[Source],
    results: Sequence[Result],
    output: str | None,
    format_name: str | None,
    *,
    resuming: bool = False,
) -> list[Job]:
    """Where the results of each source go.

    Without `output` beside the input as STEM.LABEL.EXT, or to standard output for standard input; in a folder as
    STEM.EXT, or STEM.LABEL.EXT where there are several labels. The output of a tapped layer has the layer's name before
    its suffix. A vector is written to npy only, and nowhere unless that is asked for. When a run is resumed, what
    it has written beside its inputs, which a pattern finds too, is passed over.

    Raises:
        ParameterError: two results with one name, an output that is an input, several results for one file, a suffix
            that names no format, a folder that is missing or cannot be written to.
    """
    wanted = formats.by_name(format_name) if format_name else None
    to_folder = is_folder(output)
    to_array = wanted == formats.NPY or (
        wanted is None and not to_folder and formats.by_suffix(output or "") == formats.NPY
    )
    written = [result for result in results if to_array or not result.is_vector]
    many = len(sources) * len(written) > 1 or any(source.root is not None for source in sources)
    _check_output(sources, written, output, many=many, to_folder=to_folder)
    several = len({result.label for result in results}) > 1
    jobs = []
    for source in sources:
        targets = []
        for result in results:
            if result not in written:
                targets.append(Target(None, formats.PNG))
            elif output is not None and not to_folder:
                file_format = wanted or (None if output == STANDARD_STREAM else formats.for_output(output))
                targets.append(Target(output, file_format))
            elif output is None and source.path == STANDARD_STREAM:
                targets.append(Target(STANDARD_STREAM, wanted))
            else:
                targets.append(_named(source, result, several=several, folder=output, format_name=format_name))
        jobs.append(Job(source, tuple(targets)))
    jobs = _without_products(jobs) if resuming and output is None else jobs
    _check_clashes(jobs, is_beside=output is None)
    for folder in dict.fromkeys(os.path.dirname(os.path.realpath(path)) for _, path in _files(jobs)):
        if output is not None or os.path.isdir(folder):  # beside an input that is missing there may be no folder
            check_folder(folder, may_be_made=to_folder)
    return jobs


def _check_output(
    sources: Sequence[Source], written: Sequence[Result], output: str | None, *, many: bool, to_folder: bool
) -> None:
    """Refuse an output that cannot take the results."""
    if output is None and written:
        if any(source.root is not None for source in sources):
            raise ParameterError("output", "a folder as input needs a folder for the results, as in -o out/")
        if many and any(source.path == STANDARD_STREAM for source in sources):
            raise ParameterError("output", "results of standard input among others need a folder, as in -o out/")
    if output is None or to_folder:
        return
    where = "standard output" if output == STANDARD_STREAM else repr(output)
    if many:
        is_file = output == STANDARD_STREAM or os.path.splitext(output)[1]
        right = "name a folder, as in -o out/" if is_file else f"-o {printable(output)}/ makes a folder"
        raise ParameterError("output", f"several results do not fit into {where}; {right}")
    if not written:
        raise ParameterError("output", f"the result is a vector, no picture for {where}; -o x.npy takes it")


def _files(jobs: Sequence[Job]) -> Iterator[tuple[Job, str]]:
    """The files that will be written, with their jobs."""
    for job in jobs:
        for target in () if job.source.skipped else job.targets:
            if target.path is not None and target.path != STANDARD_STREAM:
                yield job, target.path


def _named(source: Source, result: Result, *, several: bool, folder: str | None, format_name: str | None) -> Target:
    name = "stdin" if source.path == STANDARD_STREAM else os.path.basename(source.path)
    stem, own_suffix = os.path.splitext(name)
    given = formats.by_suffix(name)
    if format_name:
        file_format, suffix = formats.by_name(format_name), f".{format_name.lower()}"
    elif given is not None and given.writable:
        file_format, suffix = given, own_suffix
    else:
        file_format, suffix = formats.PNG, ".png"
    label = f".{result.label}" if several or folder is None else ""
    tap = f".{result.tap}" if result.tap else ""
    file_name = f"{stem if given is not None else name}{label}{tap}{suffix}"
    if folder is None:
        return Target(os.path.join(os.path.dirname(source.path), file_name), file_format)
    parent = os.path.dirname(source.path) or "."
    inside = "." if source.root is None else os.path.relpath(parent, source.root)
    return Target(os.path.normpath(os.path.join(folder, inside, file_name)), file_format)


def _without_products(jobs: Sequence[Job]) -> list[Job]:
    """The jobs; those are passed over whose input has the name of an output of another one."""
    makers = {os.path.abspath(path): job.source.path for job, path in _files(jobs)}
    made_by = ((job, makers.get(os.path.abspath(job.source.path))) for job in jobs)
    return [job if maker is None else _passed_over(job, maker) for job, maker in made_by]


def _passed_over(job: Job, maker: str) -> Job:
    return job._replace(source=job.source._replace(skipped=f"an output of {printable(maker)}"))


def _check_clashes(jobs: Sequence[Job], *, is_beside: bool) -> None:
    inputs = identities(job.source.path for job in jobs if not job.source.skipped)
    taken: dict[str, str] = {}
    for job, path in _files(jobs):
        place, source = os.path.realpath(path), job.source.path
        if place in taken:
            both = f"{printable(taken[place])} and {printable(source)}"
            both = both if taken[place] != source else f"two results of {printable(source)}"
            raise ParameterError("output", f"{both} would both be written to {printable(path)}")
        taken[place] = source
        number = identity(path)
        clash = inputs.get(number) if number else None
        if clash is not None and is_beside:
            told = f"{printable(path)} is an input and would be the output of {printable(source)}"
            raise ParameterError("input", f"{told}; -o FOLDER/ keeps them apart, -n passes it over")
        if clash is not None:
            raise ParameterError("output", f"{printable(path)} is also an input ({printable(clash)}); choose another")


def identities(paths: Iterable[str]) -> dict[tuple[int, int], str]:
    """Device and inode of every regular file among `paths`, with the path."""
    found = ((identity(path), path) for path in paths if path != STANDARD_STREAM)
    return {place: path for place, path in found if place is not None}


def identity(path: str) -> tuple[int, int] | None:
    """Device and inode, the same for hard links, symbolic links and other spellings of one file."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return (status.st_dev, status.st_ino) if stat.S_ISREG(status.st_mode) else None


def is_folder(output: str | None) -> bool:
    """Whether the results go into a folder: one that is there, or one that is meant, by a slash at its end."""
    return output is not None and (output.endswith(("/", os.sep)) or os.path.isdir(output))


def is_made_for(output: str | None, path: str) -> bool:
    """Whether `path` is in the folder for the results, which is made where it is missing."""
    return is_folder(output) and os.path.dirname(os.path.realpath(path)) == os.path.realpath(output or "")


def check_folder(folder: str, parameter: str = "output", *, may_be_made: bool = False) -> None:
    """Refuse a folder that is missing or cannot be written to; `parameter` is where it was named.

    Raises:
        ParameterError: says which folder.
    """
    existing = folder
    while not os.path.exists(existing) and existing != os.path.dirname(existing):
        existing = os.path.dirname(existing)
    if not os.path.isdir(existing):
        raise ParameterError(parameter, f"{printable(existing)} is no folder")
    if existing != folder and not may_be_made:
        raise ParameterError(parameter, f"there is no folder {printable(folder)}")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise ParameterError(parameter, f"the folder {printable(existing)} cannot be written to")
