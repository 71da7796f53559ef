"""Options that several commands share, each written once; they arrive as one value."""

import contextlib
import functools
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import click

from cnnfilter.batch import LEAST_FOR_WORKERS, worth_workers
from cnnfilter.cli import completion
from cnnfilter.cli.help import OTHERS, under
from cnnfilter.core.vocabulary import ALPHAS, DEPTHS, GRAYS, MAPPINGS
from cnnfilter.images import formats

Command = Callable[..., Any]

# Options by the heading of the help under which they stand.
_files = under("Input and output")
_values = under("Values")
_batch = under("Batch")
_report = under("Report")
_others = under(OTHERS)


class Shared(NamedTuple):
    """The values of the options that every command which writes images has."""

    inputs: tuple[str, ...]
    output: str | None
    format: str | None
    mapping: str
    depth: str
    gray: str | None
    alpha: str
    recursive: bool
    jobs: int | None
    cluster: str | None
    no_clobber: bool
    dry_run: bool
    max_pixels: int
    strip: bool
    png_level: str
    quality: int
    report: str | None
    report_file: str | None
    montage: str | None
    preview: bool
    quiet: bool
    verbose: bool


def _note_verbose(context: click.Context, parameter: click.Parameter, value: bool) -> bool:
    """Tell the handler of errors, which has no parsed options."""
    if isinstance(context.obj, dict):
        context.obj["verbose"] = value
    return value


SHARED: tuple[Callable[[Command], Command], ...] = (
    click.argument("inputs", metavar="INPUT...", nargs=-1, required=True, type=str, shell_complete=completion.any_file),
    _files(
        "-o",
        "--output",
        metavar="PATH",
        shell_complete=completion.any_file,
        help="A file for one result, a folder (existing, or with a trailing /) for many, - for standard output."
        "  [default: beside the input, as STEM.LABEL.EXT; of standard input: standard output]",
    ),
    _files(
        "--format",
        metavar="FORMAT",
        shell_complete=completion.words(dict.fromkeys(formats.WRITABLE, "")),
        help=f"Format of the output: {', '.join(formats.WRITABLE)}."
        "  [default: the output's suffix, then the input's format]",
    ),
    _values("--mapping", choices=MAPPINGS, default="auto", metavar="MAPPING", help="How responses become pixels."),
    _values("--depth", choices=DEPTHS, default="auto", metavar="DEPTH", help="Sample type of the output."),
    _values("--gray", choices=GRAYS, metavar="luma|mean", help="Turn a colour image into one channel first."),
    _values("--alpha", choices=ALPHAS, default="keep", metavar="ALPHA", help="What happens to transparency."),
    _files("-r", "--recursive", is_flag=True, help="Descend into folders; the output folder mirrors the tree."),
    _batch(
        "-j",
        "--jobs",
        type=click.IntRange(min=1),
        metavar="N",
        help="Images in flight at once, a process each.  [default: the processors available]",
    ),
    _batch(
        "--cluster",
        metavar="ADDRESS",
        shell_complete=completion.cluster,
        help="Run on a Dask cluster (extra: cluster): tcp://HOST:PORT, a scheduler file, or local:N for N worker"
        " processes on this machine.",
    ),
    _batch(
        "-n",
        "--no-clobber",
        is_flag=True,
        help="Leave an output that exists alone and say skipped; outputs among inputs are passed over.",
    ),
    _batch(
        "--dry-run",
        is_flag=True,
        help="Say what would be done, with output shapes, from headers alone; ok is what would be.",
    ),
    _files(
        "--max-pixels",
        type=click.IntRange(min=1),
        default=formats.MAX_PIXELS,
        metavar="N",
        help="Refuse larger images before they are decoded.",
    ),
    _files("--strip", is_flag=True, help="Write no metadata (ICC profile, DPI, EXIF)."),
    _files(
        "--png-level",
        type=click.Choice(("fast", *"0123456789")),
        metavar="fast|0-9",
        default="fast",
        help="Compression of PNG.",
    ),
    _files(
        "--quality", type=click.IntRange(1, 100), default=90, metavar="1-100", help="Quality of JPEG, WebP and AVIF."
    ),
    _report(
        "--report",
        type=click.Choice(("table", "json", "csv", "none")),
        help="What is reported; JSON is one object a line, and one with the totals after several inputs. Pipelines add"
        " classes: to JSON all of them, as label and probability, to CSV the likeliest ten.  [default: table]",
    ),
    _report(
        "--report-file",
        metavar="FILE",
        shell_complete=completion.any_file,
        help="Write the report to a file, in the format of its suffix: .json, .jsonl or .ndjson (one object a line in"
        " each), .csv, .txt.",
    ),
    _report(
        "--montage",
        metavar="FILE",
        shell_complete=completion.any_file,
        help="Lay inputs, kernels, layers and outputs out in one labelled picture: the first 12 inputs, up to 64 maps"
        " of an output; at most about 2000 x 12000 pixels.",
    ),
    _report("--preview", is_flag=True, help="Show the result in the terminal, beside its input."),
    _others("-q", "--quiet", is_flag=True, help="No table and no progress; errors stay."),
    _others(
        "-v", "--verbose", is_flag=True, is_eager=True, callback=_note_verbose, help="Add the traceback to an error."
    ),
)


def shared_options(command: Command) -> Command:
    """Give a command the shared options; it is called with one `Shared` and its own options."""

    @functools.wraps(command)
    def with_shared(**values: Any) -> Any:
        shared = Shared(**{name: values.pop(name) for name in Shared._fields})
        if not forks_workers() and _will_want_workers(shared):
            from cnnfilter.batch.workers import start_server

            with contextlib.suppress(OSError):  # workers will tell
                start_server()  # it loads NumPy and Pillow while this process does
        return command(shared, **values)

    return decorated(with_shared, SHARED)


def forks_workers() -> bool:
    """Whether workers are forked from this process: on Linux, where it is there for the command alone."""
    state = click.get_current_context().obj
    return sys.platform == "linux" and isinstance(state, dict) and state.get("owns_process", False)


def _will_want_workers(shared: Shared) -> bool:
    """Whether this looks like a batch for workers; a wrong guess costs a process that ends with this one."""
    images = LEAST_FOR_WORKERS if any(map(os.path.isdir, shared.inputs)) else len(shared.inputs)
    spared = shared.dry_run or shared.cluster is not None
    return not spared and worth_workers(images, shared.jobs, os.cpu_count() or 1)


def decorated(command: Command, options: Sequence[Callable[[Command], Command]]) -> Command:
    """The command with the options, which its help lists in their order."""
    for option in reversed(options):
        command = option(command)
    return command
