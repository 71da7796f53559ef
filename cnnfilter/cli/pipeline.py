"""`cnnfilter pipeline`."""

from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import click

from cnnfilter.cli.help import Command
from cnnfilter.cli.misplaced import refuse_misplaced
from cnnfilter.cli.operations import pipeline_options
from cnnfilter.cli.options import Shared, shared_options
from cnnfilter.errors import ParameterError

if TYPE_CHECKING:
    from cnnfilter.model.pipeline import Pipeline

EXAMPLES = """\b
Examples:
  cnnfilter pipeline img.png --steps "gray | convolve sobel-v | relu | pool"
  cnnfilter pipeline digit.png --file samples/digits.toml --tap conv1 -o maps/
  cnnfilter pipeline "photos/*.jpg" --file samples/edges.toml -o edges/"""


@click.command(cls=Command, epilog=EXAMPLES)
@pipeline_options
@shared_options
def pipeline(
    shared: Shared, steps: str | None, file: str | None, taps: tuple[str, ...], maps: str, **options: Any
) -> int:
    """Run images through a pipeline of CNN layers, written on one line or in a TOML file.

    INPUT is image files, folders, quoted patterns such as "*.png", or - for standard input.
    """
    from cnnfilter.batch.settings import Step
    from cnnfilter.cli.network import loaded
    from cnnfilter.cli.run import execute
    from cnnfilter.model.syntax import parse_pipeline

    given = {name: value for name, value in options.items() if value is not None}  # weights, init and seed
    if steps is None:
        refuse_misplaced("pipeline", shared.inputs)
    if steps is not None and steps.lower().endswith(".toml"):
        raise ParameterError("steps", f"{steps} is a pipeline file; --file {steps}?")
    if (steps is None) == (file is None):
        raise ParameterError("steps", 'either --steps "gray | relu | ..." or --file PIPELINE.toml is needed')
    parsed = parse_pipeline(steps or "", **given) if file is None else loaded(file, given)
    for tap in taps:
        if parsed.node(tap).name == parsed.last.name:
            raise ParameterError("tap", f"{tap!r} is the last layer, whose output is the result")
    parsed.check_weights()
    if maps == "files" and shared.output == "-":
        raise ParameterError("maps", "files need a folder or names, not standard output")
    step = Step("pipeline", _label(parsed), parsed, tuple(dict.fromkeys(taps)))
    return execute([step], shared, maps="files" if maps == "files" else "grid")


def _label(pipeline: "Pipeline") -> str:
    """The pipeline's name, where it can be a part of a file's."""
    name = pipeline.name
    return name if name.isprintable() and name and PurePath(name).name == name else "pipeline"
