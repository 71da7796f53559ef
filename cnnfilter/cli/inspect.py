"""`cnnfilter inspect`."""

import click

from cnnfilter.cli.help import Command
from cnnfilter.cli.inspecting import Inspection, inspected_parameters

EXAMPLES = """\b
Examples:
  cnnfilter inspect sobel-v photo.jpg
  cnnfilter inspect samples/vgg16.toml --input 224x224x3
  cnnfilter inspect img.png --kernel sobel-v --at 3,4"""


@click.command(cls=Command, params=inspected_parameters(), epilog=EXAMPLES)
@click.pass_context
def inspect(context: click.Context, /, **_: object) -> int:
    """Explain images, kernels and pipelines; without a THING, list what there is.

    THING is an existing file (an image or array, a pipeline, a kernel, weights), or else a kernel as for --kernel, a
    type of layer (relu), or a word of the options (stride). A small npy array with floats or signs is taken for a
    kernel; as - from standard input it is an image.

    --at and --walk trace output values step by step: of convolve with --kernel, of pool with --kind, --size or
    --global, of a pipeline with --steps or --file. There THING is the image, or --input; a pipeline or a kernel can be
    a THING, too. An edge is called weak from 5%, clear from 25%, strong from 60% of the largest possible answer.
    """
    inspection = Inspection.of(context)
    if inspection.at is not None or inspection.walk is not None:
        from cnnfilter.cli.trace import trace

        return trace(inspection)
    from cnnfilter.cli.explaining import explain

    return explain(inspection)
