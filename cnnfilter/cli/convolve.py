"""`cnnfilter convolve`."""

from typing import TYPE_CHECKING, Any

import click

from cnnfilter.cli.help import Command
from cnnfilter.cli.operations import convolve_options
from cnnfilter.cli.options import Shared, shared_options
from cnnfilter.core.words import printable
from cnnfilter.errors import ParameterError

if TYPE_CHECKING:
    from cnnfilter.core.kernels import Kernel

EXAMPLES = """\b
Examples:
  cnnfilter convolve img.png --kernel sobel-v --stride 2
  cnnfilter convolve img.png -k blur -k sharpen -k emboss -o filtered/
  cat img.png | cnnfilter convolve - -k gaussian:9:2 -o - > soft.png"""


@click.command(cls=Command, epilog=EXAMPLES)
@convolve_options
@shared_options
def convolve(shared: Shared, kernels: tuple[str, ...], **options: Any) -> int:
    """Filter images with kernels: edges, blur, sharpening, or a matrix of your own.

    INPUT is image files, folders, quoted patterns such as "*.png", or - for standard input.
    """
    from cnnfilter.core.kernels import kernel

    parsed = [kernel(text) for text in kernels]  # before the rest is loaded: most slips are here
    _refuse_one_name(parsed)
    from cnnfilter.batch.settings import Step
    from cnnfilter.cli.run import execute
    from cnnfilter.model.filters import Convolve
    from cnnfilter.model.pipeline import Pipeline

    layers = [Convolve(each, **options) for each in parsed]
    steps = [Step("convolve", each.label, Pipeline((layer,))) for each, layer in zip(parsed, layers, strict=True)]
    return execute(steps, shared)


def _refuse_one_name(kernels: "list[Kernel]") -> None:
    """Refuse kernels whose results would have the same name.

    Raises:
        ParameterError: names two of them.
    """
    named: dict[str, str] = {}
    for each in kernels:
        other = named.get(each.label)
        named[each.label] = each.name
        if other == each.name:
            raise ParameterError("kernel", f"{printable(other)} is given twice")
        if other is not None:
            both = f"{printable(other)!r} and {printable(each.name)!r} are both called {each.label} in names of outputs"
            raise ParameterError("kernel", f"{both}; files with names of their own (edge.txt) tell them apart")
