"""`cnnfilter pipeline`."""

from pathlib import PurePath

import click

from cnnfilter.cli.help import Command
from cnnfilter.cli.options import Shared, pipeline_options, shared_options
from cnnfilter.errors import FileError, ParameterError

EXAMPLES = """\b
Examples:
  cnnfilter pipeline img.png --steps "gray | convolve sobel-v | relu | pool"
  cnnfilter pipeline digit.png --file samples/digits.toml --tap conv1 -o maps/
  cnnfilter pipeline "photos/*.jpg" --file samples/edges.toml -o edges/"""


@click.command(cls=Command, epilog=EXAMPLES)
@pipeline_options
@shared_options
def pipeline(
    shared: Shared,
    steps: str | None,
    file: str | None,
    weights: str | None,
    init: str | None,
    seed: int | None,
    taps: tuple[str, ...],
    maps: str,
) -> int:
    """Run images through a pipeline of CNN layers, written on one line or in a TOML file.

    INPUT is image files, folders, quoted patterns such as "*.png", or - for standard input.
    """
    from cnnfilter.batch.settings import Step
    from cnnfilter.cli.run import execute
    from cnnfilter.model.syntax import load_pipeline, parse_pipeline

    if (steps is None) == (file is None):
        raise ParameterError("steps", 'either --steps "gray | relu | ..." or --file PIPELINE.toml is needed')
    if file is not None:
        if weights is not None or init is not None or seed is not None:
            raise ParameterError("file", "weights, init and seed are keys of the file")
        try:
            parsed = load_pipeline(file)
        except FileError as error:
            raise ParameterError("file", str(error)) from error
        label = (
            parsed.name
            if parsed.name and parsed.name.isprintable() and PurePath(parsed.name).name == parsed.name
            else "pipeline"
        )
    else:
        parsed, label = parse_pipeline(steps or "", weights=weights, init=init, seed=seed or 0), "pipeline"
    for tap in taps:
        if parsed.node(tap).name == parsed.last.name:
            raise ParameterError("tap", f"{tap!r} is the last layer, whose output is the result")
    parsed.check_weights()
    if maps == "files" and shared.output == "-":
        raise ParameterError("maps", "files need a folder or names, not standard output")
    step = Step("pipeline", label, parsed, tuple(dict.fromkeys(taps)))
    return execute([step], shared, maps="files" if maps == "files" else "grid")
