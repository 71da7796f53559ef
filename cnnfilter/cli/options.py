"""Options that several commands share, each written once; they arrive as one value."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import click

from cnnfilter.cli import completion
from cnnfilter.cli.help import OTHERS, under
from cnnfilter.cli.misplaced import KernelOption, KindChoice
from cnnfilter.core.geometry import PAD_MODES
from cnnfilter.core.vocabulary import ALPHAS, CHANNELS, DEPTHS, GRAYS, KINDS, MAPPINGS
from cnnfilter.images import formats

Command = Callable[..., Any]

# Options by the heading of the help under which they stand.
_kernel = under("Kernel")
_windows = under("Windows")
_layers = under("Layers")
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


_SHARED: tuple[Callable[[Command], Command], ...] = (
    click.argument("inputs", metavar="INPUT...", nargs=-1, required=True, type=str, shell_complete=completion.any_file),
    _files(
        "-o",
        "--output",
        metavar="PATH",
        shell_complete=completion.any_file,
        help="A file for one result, a folder (existing, or with a trailing /) for many, - for standard output."
        "  [default: beside the input, as STEM.LABEL.EXT]",
    ),
    _files(
        "--format",
        metavar="FORMAT",
        shell_complete=completion.words(dict.fromkeys(formats.WRITABLE, "")),
        help=f"Format of the output: {', '.join(formats.WRITABLE)}."
        "  [default: the output's suffix, then the input's format]",
    ),
    _values(
        "--mapping",
        type=click.Choice(tuple(MAPPINGS)),
        default="auto",
        show_default=True,
        metavar="MAPPING",
        meanings=MAPPINGS,
        help="How responses become pixels.",
    ),
    _values(
        "--depth",
        type=click.Choice(tuple(DEPTHS)),
        default="auto",
        show_default=True,
        metavar="DEPTH",
        meanings=DEPTHS,
        help="Sample type of the output.",
    ),
    _values(
        "--gray",
        type=click.Choice(tuple(GRAYS)),
        metavar="luma|mean",
        meanings=GRAYS,
        help="Turn a colour image into one channel first.",
    ),
    _values(
        "--alpha",
        type=click.Choice(tuple(ALPHAS)),
        default="keep",
        show_default=True,
        metavar="ALPHA",
        meanings=ALPHAS,
        help="What happens to transparency.",
    ),
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
    _batch("-n", "--no-clobber", is_flag=True, help="Leave an output that exists alone and say skipped."),
    _batch("--dry-run", is_flag=True, help="Say what would be done, with output shapes, from headers alone."),
    _files(
        "--max-pixels",
        type=click.IntRange(min=1),
        default=formats.MAX_PIXELS,
        show_default=True,
        metavar="N",
        help="Refuse larger images before they are decoded.",
    ),
    _files("--strip", is_flag=True, help="Write no metadata (ICC profile, DPI, EXIF)."),
    _files(
        "--png-level",
        type=click.Choice(("fast", *"0123456789")),
        metavar="fast|0-9",
        default="fast",
        show_default=True,
        help="Compression of PNG.",
    ),
    _files(
        "--quality",
        type=click.IntRange(1, 100),
        default=90,
        show_default=True,
        metavar="1-100",
        help="Quality of JPEG, WebP and AVIF.",
    ),
    _report(
        "--report",
        type=click.Choice(("table", "json", "csv", "none")),
        help="What is reported; JSON is one object a line. Pipelines add classes: to JSON all of them, as label and"
        " probability, to CSV the likeliest ten.  [default: table]",
    ),
    _report(
        "--report-file",
        metavar="FILE",
        shell_complete=completion.any_file,
        help="Write the report to a file, in the format of its suffix (.json, .csv, .txt).",
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


_CONVOLVE: tuple[Callable[[Command], Command], ...] = (
    _kernel(
        "-k",
        "--kernel",
        "kernels",
        cls=KernelOption,
        metavar="KERNEL",
        multiple=True,
        required=True,
        type=_KernelText(),
        shell_complete=completion.kernels,
        meanings={
            "sobel-v": "a name (inspect lists them)",
            "gaussian:7:1.5": "a family, its parameters",
            "my.npy": "a file, also .txt and .csv",
            '"1 2 1; 2 4 2; 1 2 1"': "a matrix; also 1/9, 0.5",
        },
        help="What is filtered with. Repeatable: one output a kernel.",
    ),
    _windows(
        "-s", "--stride", default="1", show_default=True, metavar="N|YxX", help="Step from one window to the next."
    ),
    _windows(
        "-p",
        "--padding",
        default="same",
        show_default=True,
        metavar="same|valid|N|YxX",
        help="Cells around the image: same keeps its size at stride 1 (ceil(n/s), unlike TensorFlow always placed"
        " alike), valid adds none, a number adds that many a side.",
    ),
    _windows(
        "--pad-mode",
        default="reflect",
        show_default=True,
        metavar="MODE",
        meanings=PAD_MODES,
        help="What lies in the padding of a row abcd.",
    ),
    _windows(
        "--dilation", default="1", show_default=True, metavar="N|YxX", help="Distance between the taps of a window."
    ),
    _kernel(
        "--channels",
        type=click.Choice(tuple(CHANNELS)),
        default="each",
        show_default=True,
        metavar="each|sum",
        meanings=CHANNELS,
        help="How channels are filtered.",
    ),
    _kernel(
        "--scale",
        default="1",
        show_default=True,
        metavar="NUMBER",
        help="The response is multiplied by it; 1/9 is a number.",
    ),
    _kernel("--bias", default="0", show_default=True, metavar="NUMBER", help="Then added to the response."),
    _kernel("--flip", is_flag=True, help="True convolution: the kernel is turned by 180 degrees."),
)


def convolve_options(command: Command) -> Command:
    """Give a command the options of a convolution."""
    return decorated(command, _CONVOLVE)


_POOL: tuple[Callable[[Command], Command], ...] = (
    _windows(
        "--kind",
        type=KindChoice(tuple(KINDS)),
        default="max",
        show_default=True,
        metavar="max|avg|min",
        meanings=KINDS,
        help="What a window gives.",
    ),
    _windows(
        "--size",
        default="2",
        show_default=True,
        metavar="N|YxX|all",
        help="Size of the windows; all is one over the whole image.",
    ),
    _windows("--global", "is_global", is_flag=True, help="Short for --size all."),
    _windows("-s", "--stride", metavar="N|YxX", help="Step from one window to the next.  [default: the size]"),
    _windows(
        "-p",
        "--padding",
        default="valid",
        show_default=True,
        metavar="same|valid|N|YxX",
        help="Cells around the image, less than a window; they never win, and are not counted.",
    ),
    _windows("--ceil-mode", is_flag=True, help="Round the output's size up: a last window may reach beyond the image."),
    _windows("--count-include-pad", is_flag=True, help="avg divides by cells of the padding, too (PyTorch's default)."),
    _windows(
        "--dilation", default="1", show_default=True, metavar="N|YxX", help="Distance between the cells of a window."
    ),
)


def pool_options(command: Command) -> Command:
    """Give a command the options of pooling."""
    return decorated(command, _POOL)


_PIPELINE: tuple[Callable[[Command], Command], ...] = (
    _layers(
        "--steps",
        metavar="STEPS",
        shell_complete=completion.steps,
        help='Layers on one line: "TYPE [MAIN] [key=value ...] | ...".',
    ),
    _layers("--file", metavar="FILE", shell_complete=completion.files(".toml"), help="A pipeline file (TOML)."),
    _layers(
        "--weights",
        metavar="FILE",
        shell_complete=completion.files(".npz", ".safetensors"),
        help="Tensors for --steps: .npz or .safetensors, PyTorch's names.",
    ),
    _layers("--init", type=click.Choice(("normal",)), help="Draw the weights for --steps instead (He, bias 0)."),
    _layers("--seed", type=click.IntRange(min=0), metavar="N", help="Seed of --init.  [default: 0]"),
    _layers(
        "--tap",
        "taps",
        metavar="NAME",
        multiple=True,
        shell_complete=completion.layer_names,
        help="Write that layer's output, too; repeatable.",
    ),
    _layers(
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
