"""One output value, step by step: the window, the kernel, the products, their sum."""

import os
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cnnfilter.batch.outputs import form_of
from cnnfilter.batch.reading import NOT_FINITE, is_finite, prepared
from cnnfilter.batch.report import json_line
from cnnfilter.batch.settings import Settings
from cnnfilter.cli.inspecting import ONLY_POOL, PIPELINES, Inspection, is_named, is_picture
from cnnfilter.cli.network import loaded
from cnnfilter.cli.stderr import complain
from cnnfilter.core.kernels import kernel
from cnnfilter.core.samples import scaled_levels
from cnnfilter.core.words import printable
from cnnfilter.errors import CnnfilterError, FileError, ParameterError, UnfitError
from cnnfilter.images import files, formats
from cnnfilter.model.filters import Convolve, Pool
from cnnfilter.model.layer import Array
from cnnfilter.model.pipeline import Pipeline
from cnnfilter.model.syntax import parse_pipeline
from cnnfilter.model.trace import Tracer, tracer
from cnnfilter.model.traced import Position

if TYPE_CHECKING:
    from cnnfilter.cli.drawing.canvas import Canvas
    from cnnfilter.images.image import Image


@dataclass(frozen=True, eq=False)
class Request:
    """A pipeline whose values are traced on the picture in a file."""

    pipeline: Pipeline
    source: str


@dataclass(frozen=True, eq=False)
class Run:
    """A layer that was run on a picture, and the transparency of its output, where it has one."""

    tracer: Tracer
    alpha: Array | None

    def alpha_at(self, at: Position) -> int | None:
        """The transparency at a position."""
        return None if self.alpha is None else int(self.alpha[at[:2]])


def trace(inspection: Inspection) -> int:
    """Trace the output values that `--at` or `--walk` names and return the exit code.

    0: all done; 1: a picture could not be read, the others are done; 2: wrong usage.

    Raises:
        ParameterError: wrong usage.
    """
    at = position(inspection.at) if inspection.at is not None else None
    requests = list(_requests(inspection))
    for request in requests:
        if inspection.layer is not None:
            _check_layer(request.pipeline, inspection.layer)
        request.pipeline.check_weights()
    codes = [_told(request, inspection, at, alone=len(requests) == 1) for request in requests]
    return max((code for code in codes if code == 1), default=max(codes))


def position(text: str) -> Position:
    """The position that `--at` gives.

    >>> position("3,4"), position("0, 1,2")
    ((3, 4), (0, 1, 2))

    Raises:
        ParameterError: anything but one to three whole numbers.
    """
    parts = text.split(",")
    if len(parts) > 3 or not all(re.fullmatch(r"\s*[-+]?\d{1,18}\s*", part) for part in parts):
        raise ParameterError("at", f"{text[:40]!r} is not Y,X or Y,X,C, as in 3,4 (one number for a vector)")
    return tuple(int(part) for part in parts)


# ------------------------------------------------------------------------------------------- what is traced on what


def _requests(inspection: Inspection) -> Iterator[Request]:
    """The pipelines and pictures that are meant: things, or what the options name."""
    operations, things = list(_operations(inspection)), inspection.things
    pictures = [thing for thing in things if operations or is_picture(thing)]
    if pictures and inspection.input is not None:
        raise ParameterError("", f"--input: is a second picture beside {printable(pictures[0])}; one is enough")
    if not things and inspection.input is None:
        raise ParameterError("", "THING: a picture is needed, as in: inspect img.png --kernel sobel-v --at 3,4")
    operations = operations or [_of_thing(thing, inspection) for thing in things if thing not in pictures]
    if not operations:
        option, ways = "at" if inspection.at is not None else "walk", "--kind or --size for pool, --steps or --file"
        raise ParameterError(option, f"the operation is missing: --kernel for convolve, {ways}")
    for picture in pictures or [_picture(inspection)]:
        yield from (Request(operation, picture) for operation in operations)


def _operations(inspection: Inspection) -> Iterator[Pipeline]:
    """What the options ask for: kernels, pooling or a pipeline; nothing where the things themselves tell."""
    pooling = [name for name in ONLY_POOL if name in inspection.pool]
    convolving = [name for name in inspection.convolve if name not in inspection.pool]
    network = {"steps", "file"} & inspection.pipeline.keys()
    asked = [*(["kernel"] if inspection.kernels else []), *pooling[:1], *sorted(network)]
    if len(asked) > 1:
        raise ParameterError(asked[1], f"cannot be traced together with --{asked[0].replace('_', '-')}; one is enough")
    if pooling and convolving:
        raise ParameterError(convolving[0], f"is no option of pool, which --{pooling[0].replace('_', '-')} asks for")
    if network:
        yield _network(inspection)
    elif pooling:
        yield Pipeline((Pool(**inspection.pool),), name="pool")
    for text in inspection.kernels:
        yield Pipeline((Convolve(kernel(text), **inspection.convolve),))


def _network(inspection: Inspection) -> Pipeline:
    options = dict(inspection.pipeline)
    _refuse_windows(inspection)
    steps, file = options.pop("steps", None), options.pop("file", None)
    if file is None:
        return parse_pipeline(steps, **options)
    return loaded(file, options)


def _refuse_windows(inspection: Inspection) -> None:
    for name in (*inspection.convolve, *inspection.pool):
        raise ParameterError(name, "belongs to convolve and pool; in a pipeline it is a key of a layer")


def _of_thing(thing: str, inspection: Inspection) -> Pipeline:
    """The pipeline that a thing is: a file, or a kernel."""
    if is_named(thing, PIPELINES):
        _refuse_windows(inspection)
        return loaded(thing, inspection.pipeline)
    return Pipeline((Convolve(kernel(thing), **inspection.convolve),))


def _picture(inspection: Inspection) -> str:
    if inspection.input is None:
        raise ParameterError("", "--input: the picture that the pipeline is applied to is missing")
    if re.fullmatch(r"\d+x\d+(x\d+)?", inspection.input) and not os.path.lexists(inspection.input):
        raise ParameterError("", f"--input: {inspection.input} is a shape; values come from a picture")
    return inspection.input


def _check_layer(pipeline: Pipeline, name: str) -> None:
    try:
        pipeline.node(name)
    except ParameterError as error:
        raise ParameterError("layer", error.message) from error


# ------------------------------------------------------------------------------------------------------ one picture


def _told(request: Request, inspection: Inspection, at: Position | None, *, alone: bool) -> int:
    """Trace what is asked for on one picture, and return the exit code."""
    try:
        found = _run(request, inspection)
        places = _places(found.tracer, inspection, at)
    except CnnfilterError as error:
        if isinstance(error, ParameterError) and alone:
            raise
        message = error.in_shell if isinstance(error, ParameterError) else str(error)
        complain(message if request.source in message else f"{request.source}: {message}")
        return error.exit_code
    if inspection.report == "json":
        for place in places:
            for each in found.tracer.positions(place):
                told = {"thing": request.source, **found.tracer.at(each).as_dict(), "alpha": found.alpha_at(each)}
                sys.stdout.write(json_line(told))
        return 0
    from cnnfilter.cli.drawing.canvas import Canvas

    _draw(Canvas(sys.stdout), found, request.source, places, inspection.walk)
    return 0


def _places(tracer: Tracer, inspection: Inspection, at: Position | None) -> list[Position]:
    """The positions to be traced: that of `--at`, or as many as `--walk` says from there on."""
    if at is not None:
        tracer.positions(at)
    if inspection.walk is None:
        return [at or ()]
    return tracer.walk(inspection.walk, at)


def _run(request: Request, inspection: Inspection) -> Run:
    """The layer that is traced, run on the picture as the commands that write files would."""
    settings = Settings(
        mapping=inspection.mapping,
        depth=inspection.depth,  # type: ignore[arg-type]
        gray=inspection.gray,  # type: ignore[arg-type]
        alpha=inspection.alpha,  # type: ignore[arg-type]
        max_pixels=inspection.max_pixels,
    )
    image = prepared(files.read(request.source, settings.max_pixels), settings)
    if image.alpha is not None and settings.alpha == "filter":
        raise UnfitError("alpha", "sums of premultiplied colours are not traced; keep or drop fits")
    mapping, samples, scale = _form(request, image, settings, inspection.layer)
    if samples is not None and samples.dtype.kind != "f" and not is_finite(image.pixels):
        raise FileError(request.source, NOT_FINITE)
    found = tracer(
        request.pipeline, image.pixels, inspection.layer, mapping=mapping, samples=samples, level_scale=scale
    )
    part = request.pipeline.upto(found.node.name)
    alpha = None if image.alpha is None else part.carried_alpha(image.alpha)
    return Run(found, alpha if alpha is None or samples is None else scaled_levels(alpha, samples, scale))


def _form(request: Request, image: "Image", settings: Settings, layer: str | None) -> tuple[Any, Any, Any]:
    """(mapping, samples, level scale) of what would be written in the format of the picture."""
    pipeline, shape = request.pipeline, image.pixels.shape
    name = layer or pipeline.last.name
    output = pipeline.shapes(shape)[name]
    if len(output) == 1 or settings.mapping == "raw":
        return "raw", None, 1
    file_format = image.format if image.format.writable else formats.PNG
    stack = pipeline.is_stack(name, shape)
    form = form_of(settings, file_format, image.pixels.dtype, pipeline.node(name).layer, output, is_stack=stack)
    return form.mapping, form.samples, form.level_scale


def _draw(canvas: "Canvas", found: Run, source: str, places: Sequence[Position], walk: int | None) -> None:
    from cnnfilter.cli.drawing import traces

    tracer = found.tracer
    if walk is not None:
        canvas.show(*traces.title(tracer, source, ()), "")
        traces.draw_walk(canvas, tracer, places, walk)
        return
    (place,) = places
    canvas.show(*traces.title(tracer, source, place), "")
    traces.draw_position(canvas, tracer, [tracer.at(each) for each in tracer.positions(place)], found.alpha_at(place))
