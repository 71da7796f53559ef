"""Options that several commands share, each written once; they arrive as one value."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import click

from cnnfilter.core.geometry import PAD_MODES
from cnnfilter.core.kernels import FAMILIES, kernel_names
from cnnfilter.core.vocabulary import ALPHAS, CHANNELS, DEPTHS, GRAYS, KINDS, MAPPINGS
from cnnfilter.images import formats

Command = Callable[..., Any]


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


def _explained(table: dict[str, str]) -> str:
    """`name` (meaning) of every entry, for a help text."""
    return "; ".join(f"{name}: {meaning}" for name, meaning in table.items())


def _note_verbose(context: click.Context, parameter: click.Parameter, value: bool) -> bool:
    """Tell the handler of errors, which has no parsed options."""
    if isinstance(context.obj, dict):
        context.obj["verbose"] = value
    return value


def _formats(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    return [name for name in formats.WRITABLE if name.startswith(incomplete)]


_SHARED: tuple[Callable[[Command], Command], ...] = (
    click.argument("inputs", metavar="INPUT...", nargs=-1, required=True, type=str),
    click.option(
        "-o",
        "--output",
        metavar="PATH",
        help="A file for one result, a folder (existing, or with a trailing /) for many, - for standard output."
        "  [default: beside the input, as STEM.LABEL.EXT]",
    ),
    click.option(
        "--format",
        metavar="|".join((*formats.WRITABLE[:5], "...")),
        shell_complete=_formats,
        help="Format of the output.  [default: the output's suffix, then the input's format]",
    ),
    click.option(
        "--mapping",
        type=click.Choice(tuple(MAPPINGS)),
        default="auto",
        show_default=True,
        help=f"How responses become pixels: {_explained(MAPPINGS)}.",
    ),
    click.option(
        "--depth",
        type=click.Choice(tuple(DEPTHS)),
        default="auto",
        show_default=True,
        help=f"Sample type of the output: {_explained(DEPTHS)}.",
    ),
    click.option(
        "--gray",
        type=click.Choice(tuple(GRAYS)),
        help=f"Turn a colour image into one channel first: {_explained(GRAYS)}.",
    ),
    click.option(
        "--alpha",
        type=click.Choice(tuple(ALPHAS)),
        default="keep",
        show_default=True,
        help=f"Transparency: {_explained(ALPHAS)}.",
    ),
    click.option("-r", "--recursive", is_flag=True, help="Descend into folders; the output folder mirrors the tree."),
    click.option(
        "-j",
        "--jobs",
        type=click.IntRange(min=1),
        metavar="N",
        help="Images in flight at once, a process each.  [default: the processors available]",
    ),
    click.option(
        "--cluster",
        metavar="ADDRESS",
        help="Run on a Dask cluster (extra: cluster): tcp://HOST:PORT, a scheduler file, or local:N for N worker"
        " processes on this machine.",
    ),
    click.option("-n", "--no-clobber", is_flag=True, help="Leave an output that exists alone and say skipped."),
    click.option("--dry-run", is_flag=True, help="Say what would be done, with output shapes, from headers alone."),
    click.option(
        "--max-pixels",
        type=click.IntRange(min=1),
        default=formats.MAX_PIXELS,
        show_default=True,
        metavar="N",
        help="Refuse larger images before they are decoded.",
    ),
    click.option("--strip", is_flag=True, help="Write no metadata (ICC profile, DPI, EXIF)."),
    click.option(
        "--png-level",
        type=click.Choice(("fast", *"0123456789")),
        metavar="fast|0-9",
        default="fast",
        show_default=True,
        help="Compression of PNG.",
    ),
    click.option(
        "--quality",
        type=click.IntRange(1, 100),
        default=90,
        show_default=True,
        metavar="1-100",
        help="Quality of JPEG, WebP and AVIF.",
    ),
    click.option(
        "--report",
        type=click.Choice(("table", "json", "csv", "none")),
        help="What is reported; JSON is one object a line.  [default: table]",
    ),
    click.option(
        "--report-file",
        metavar="FILE",
        help="Write the report to a file, in the format of its suffix (.json, .csv, .txt).",
    ),
    click.option(
        "--montage",
        metavar="FILE",
        help="Lay inputs, kernels, layers and outputs out in one labelled picture: the first 12 inputs, up to 64 maps"
        " of an output; at most about 2000 x 12000 pixels.",
    ),
    click.option("--preview", is_flag=True, help="Show the result in the terminal, beside its input."),
    click.option("-q", "--quiet", is_flag=True, help="No table and no progress; errors stay."),
    click.option(
        "-v", "--verbose", is_flag=True, is_eager=True, callback=_note_verbose, help="Add the traceback to an error."
    ),
)


def shared_options(command: Command) -> Command:
    """Give a command the shared options; it is called with one `Shared` and its own options."""

    @functools.wraps(command)
    def with_shared(**values: Any) -> Any:
        return command(Shared(**{name: values.pop(name) for name in Shared._fields}), **values)

    return decorated(with_shared, _SHARED)


def decorated(command: Command, options: Sequence[Callable[[Command], Command]]) -> Command:
    """The command with the options, which its help lists in their order."""
    for option in reversed(options):
        command = option(command)
    return command


class _KernelText(click.types.StringParamType):
    """Text that says what would be right where it is missing."""

    def get_missing_message(self, param: click.Parameter, ctx: click.Context | None) -> str:
        return "Name one, as --kernel sobel-v; `cnnfilter inspect` lists them."


def complete_kernels(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """The names of kernels and families that begin with what was typed."""
    known = [*kernel_names(), *(f"{family}:" for family in FAMILIES)]
    return [name for name in known if name.startswith(incomplete)]


_CONVOLVE: tuple[Callable[[Command], Command], ...] = (
    click.option(
        "-k",
        "--kernel",
        "kernels",
        metavar="KERNEL",
        multiple=True,
        required=True,
        type=_KernelText(),
        shell_complete=complete_kernels,
        help="A name (sobel-v), a family (gaussian:7:1.5), a file (.npy .txt .csv) or a matrix"
        ' ("0 -1 0; -1 5 -1; 0 -1 0"). Repeatable: one output a kernel.',
    ),
    click.option(
        "-s", "--stride", default="1", show_default=True, metavar="N|YxX", help="Step from one window to the next."
    ),
    click.option(
        "-p",
        "--padding",
        default="same",
        show_default=True,
        metavar="same|valid|N|YxX",
        help="Cells around the image: same keeps its size at stride 1 (ceil(n/s), unlike TensorFlow always placed"
        " alike), valid adds none, a number adds that many a side.",
    ),
    click.option(
        "--pad-mode",
        default="reflect",
        show_default=True,
        metavar="|".join(PAD_MODES),
        shell_complete=lambda c, p, incomplete: [name for name in PAD_MODES if name.startswith(incomplete)],
        help="What lies in the padding of a row abcd: " + ", ".join(f"{n} {d}" for n, d in PAD_MODES.items()) + ".",
    ),
    click.option(
        "--dilation", default="1", show_default=True, metavar="N|YxX", help="Distance between the taps of a window."
    ),
    click.option(
        "--channels",
        type=click.Choice(tuple(CHANNELS)),
        default="each",
        show_default=True,
        help=f"How channels are filtered: {_explained(CHANNELS)}.",
    ),
    click.option(
        "--scale",
        default="1",
        show_default=True,
        metavar="NUMBER",
        help="The response is multiplied by it; 1/9 is a number.",
    ),
    click.option("--bias", default="0", show_default=True, metavar="NUMBER", help="Then added to the response."),
    click.option("--flip", is_flag=True, help="True convolution: the kernel is turned by 180 degrees."),
)


def convolve_options(command: Command) -> Command:
    """Give a command the options of a convolution."""
    return decorated(command, _CONVOLVE)


_POOL: tuple[Callable[[Command], Command], ...] = (
    click.option(
        "--kind",
        type=click.Choice(tuple(KINDS)),
        default="max",
        show_default=True,
        help=f"What a window gives: {_explained(KINDS)}.",
    ),
    click.option(
        "--size",
        default="2",
        show_default=True,
        metavar="N|YxX|all",
        help="Size of the windows; all is one over the whole image.",
    ),
    click.option("--global", "is_global", is_flag=True, help="Short for --size all."),
    click.option("-s", "--stride", metavar="N|YxX", help="Step from one window to the next.  [default: the size]"),
    click.option(
        "-p",
        "--padding",
        default="valid",
        show_default=True,
        metavar="same|valid|N|YxX",
        help="Cells around the image, less than a window; they never win, and are not counted.",
    ),
    click.option(
        "--ceil-mode", is_flag=True, help="Round the output's size up: a last window may reach beyond the image."
    ),
    click.option(
        "--count-include-pad", is_flag=True, help="avg divides by cells of the padding, too (PyTorch's default)."
    ),
    click.option(
        "--dilation", default="1", show_default=True, metavar="N|YxX", help="Distance between the cells of a window."
    ),
)


def pool_options(command: Command) -> Command:
    """Give a command the options of pooling."""
    return decorated(command, _POOL)


_PIPELINE: tuple[Callable[[Command], Command], ...] = (
    click.option("--steps", metavar="STEPS", help='Layers on one line: "TYPE [MAIN] [key=value ...] | ...".'),
    click.option("--file", metavar="FILE", help="A pipeline file (TOML)."),
    click.option("--weights", metavar="FILE", help="Tensors for --steps: .npz or .safetensors, PyTorch's names."),
    click.option("--init", type=click.Choice(("normal",)), help="Draw the weights for --steps instead (He, bias 0)."),
    click.option("--seed", type=click.IntRange(min=0), metavar="N", help="Seed of --init.  [default: 0]"),
    click.option("--tap", "taps", metavar="NAME", multiple=True, help="Write that layer's output, too; repeatable."),
    click.option(
        "--maps",
        type=click.Choice(("grid", "files")),
        default="grid",
        show_default=True,
        help="Feature maps as one labelled picture, or a file each.",
    ),
)


def pipeline_options(command: Command) -> Command:
    """Give a command the options of pipelines."""
    return decorated(command, _PIPELINE)


# The lists of options, by what they belong to.
GROUPS = {"shared": _SHARED, "convolve": _CONVOLVE, "pool": _POOL, "pipeline": _PIPELINE}


def parameters(group: str) -> dict[str, click.Parameter]:
    """The parameters that a list of options makes, by name."""
    made = click.command(group)(decorated(lambda: None, GROUPS[group])).params
    return {str(parameter.name): parameter for parameter in made}
