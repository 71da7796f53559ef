"""`cnnfilter convolve`."""

from typing import Any

import click

from cnnfilter.cli.help import Command
from cnnfilter.cli.operations import convolve_options
from cnnfilter.cli.options import Shared, shared_options

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
    from cnnfilter.batch.settings import Step
    from cnnfilter.cli.run import execute
    from cnnfilter.model.filters import Convolve
    from cnnfilter.model.pipeline import Pipeline

    layers = [Convolve(each, **options) for each in parsed]
    steps = [Step("convolve", each.label, Pipeline((layer,))) for each, layer in zip(parsed, layers, strict=True)]
    return execute(steps, shared)
