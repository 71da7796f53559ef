"""Options of the operations, each written once: those of convolve, pool and pipeline."""

from collections.abc import Callable

import click
from click.core import ParameterSource

from cnnfilter.cli import completion
from cnnfilter.cli.help import under
from cnnfilter.cli.misplaced import KernelOption, KindChoice
from cnnfilter.cli.options import SHARED, Command, decorated
from cnnfilter.core.geometry import PAD_MODES
from cnnfilter.core.vocabulary import CHANNELS, KINDS
from cnnfilter.errors import ParameterError

# Options by the heading of the help under which they stand.
_kernel = under("Kernel")
_windows = under("Windows")
_layers = under("Layers")


class _KernelText(click.types.StringParamType):
    """Text that says what would be right where it is missing."""

    def get_missing_message(self, param: click.Parameter, ctx: click.Context | None) -> str:
        return "Name one, as --kernel sobel-v; `cnnfilter inspect` lists them."


_DILATION = _windows("--dilation", default="1", metavar="N|YxX", help="Distance between the cells of a window.")

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
            "my.npy": "a file, also .txt and .csv; a bank of filters as height x width x channels x filters",
            '"1 2 1; 2 4 2; 1 2 1"': "a matrix; also 1/9, 0.5",
        },
        help="What is filtered with. Repeatable: one output a kernel.",
    ),
    _windows("-s", "--stride", default="1", metavar="N|YxX", help="Step from one window to the next."),
    _windows(
        "-p",
        "--padding",
        default="same",
        metavar="same|valid|N|YxX",
        help="Cells around the image: same keeps its size at stride 1 (ceil(n/s), unlike TensorFlow always placed"
        " alike), valid adds none, a number adds that many a side.",
    ),
    _windows(
        "--pad-mode",
        default="reflect",
        metavar="MODE",
        meanings=PAD_MODES,
        help="What lies in the padding of a row abcd.",
    ),
    _DILATION,
    _kernel("--channels", choices=CHANNELS, default="each", metavar="each|sum", help="How channels are filtered."),
    _kernel("--scale", default="1", metavar="NUMBER", help="The response is multiplied by it; 1/9 is a number."),
    _kernel("--bias", default="0", metavar="NUMBER", help="Then added to the response."),
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
        metavar="max|avg|min",
        meanings=KINDS,
        help="What a window gives.",
    ),
    _windows("--size", default="2", metavar="N|YxX|all", help="Size of the windows; all is one over the whole image."),
    _windows("--global", "is_global", is_flag=True, help="Short for --size all."),
    _windows("-s", "--stride", metavar="N|YxX", help="Step from one window to the next.  [default: the size]"),
    _windows(
        "-p",
        "--padding",
        default="valid",
        metavar="same|valid|N|YxX",
        help="Cells around the image, less than a window; they never win, and are not counted.",
    ),
    _windows("--ceil-mode", is_flag=True, help="Round the output's size up: a last window may reach beyond the image."),
    _windows("--count-include-pad", is_flag=True, help="avg divides by cells of the padding, too (PyTorch's default)."),
    _DILATION,
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
        help="Feature maps as one labelled picture, or a file each.",
    ),
)


def pipeline_options(command: Command) -> Command:
    """Give a command the options of pipelines."""
    return decorated(command, _PIPELINE)


# The lists of options, by what they belong to.
GROUPS = {"shared": SHARED, "convolve": _CONVOLVE, "pool": _POOL, "pipeline": _PIPELINE}


def parameters(group: str) -> dict[str, click.Parameter]:
    """The parameters that a list of options makes, by name."""
    made = click.command(group)(decorated(lambda: None, GROUPS[group])).params
    return {str(parameter.name): parameter for parameter in made}


def refuse_two_sizes(context: click.Context) -> None:
    """Refuse --global beside another size.

    Raises:
        ParameterError: there are both.
    """
    is_given = context.get_parameter_source("size") is ParameterSource.COMMANDLINE
    if context.params["is_global"] and is_given and context.params["size"].lower() != "all":
        raise ParameterError("size", f"{context.params['size']} beside --global, which is short for --size all")
