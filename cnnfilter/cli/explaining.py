"""What `inspect` is given, found out thing by thing: what it is, its explanation, how that is reported."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from cnnfilter.batch.report import json_line
from cnnfilter.cli.drawing.canvas import Canvas
from cnnfilter.cli.inspecting import Inspection
from cnnfilter.cli.reporting import complain
from cnnfilter.core.kernels import kernel
from cnnfilter.errors import CnnfilterError, FileError, ParameterError
from cnnfilter.images import files

STANDARD_STREAM = "-"


@dataclass(frozen=True)
class Explained:
    """What is told of one thing: plain data for JSON, and how it is drawn."""

    data: dict[str, Any]
    draw: Callable[[Canvas], None]


def explain(inspection: Inspection) -> int:
    """Explain all things and return the exit code; an error in one is told, the others are done.

    0: all done; 1: some could not be explained; 2: none could, for wrong usage.
    """
    codes = [_told(name, inspection) for name in inspection.things]
    if not any(codes):
        return 0
    return 2 if all(code == 2 for code in codes) else 1


def _told(name: str, inspection: Inspection) -> int:
    try:
        explained = _explained(name, inspection)
    except CnnfilterError as error:
        message = error.message if isinstance(error, ParameterError | FileError) else str(error)
        complain(message if name in message else f"{name}: {message}")
        if inspection.report == "json":
            sys.stdout.write(json_line({"thing": name, "error": message}))
        return error.exit_code
    if inspection.report == "json":
        sys.stdout.write(json_line({"thing": name, **explained.data}))
    else:
        explained.draw(Canvas(sys.stdout))
    return 0


def _explained(name: str, inspection: Inspection) -> Explained:
    """The explanation of a thing: an existing file first, then a kernel."""
    if name == STANDARD_STREAM or os.path.lexists(name):
        suffix = PurePath(name).suffix.lower()
        if suffix == ".toml":
            return _of_pipeline(name, inspection)
        if suffix not in (".txt", ".csv"):
            return _of_image(name, inspection)
    return _of_kernel(name, inspection)


def _of_kernel(name: str, inspection: Inspection) -> Explained:
    from cnnfilter.cli.drawing.kernels import draw_kernel
    from cnnfilter.core.convolution import Convolution
    from cnnfilter.model.explain import USUAL_SHAPE, explain_kernel

    convolution = Convolution.of(kernel(name), **inspection.convolve)
    shape = USUAL_SHAPE if inspection.input is None else input_shape(inspection)
    report = explain_kernel(convolution, shape)
    return Explained(report.as_dict(), lambda canvas: draw_kernel(canvas, report))


def _of_image(name: str, inspection: Inspection) -> Explained:
    from cnnfilter.cli.drawing.images import draw_image
    from cnnfilter.images.report import image_report

    report, _ = image_report(name, inspection.max_pixels)
    title = "standard input" if name == STANDARD_STREAM else name
    return Explained(report.as_dict(), lambda canvas: draw_image(canvas, report, title))


def _of_pipeline(name: str, inspection: Inspection) -> Explained:
    from cnnfilter.model.syntax import load_pipeline

    pipeline = load_pipeline(name)
    if inspection.input is None:
        raise ParameterError("input", "a pipeline needs an input, as in --input 224x224x3 or --input photo.jpg")
    summary = pipeline.summary(input_shape(inspection))
    data = {"kind": "pipeline", **summary.as_dict(), "layers": [row.as_dict() for row in summary.layers]}
    return Explained(data, _plain(data))


def input_shape(inspection: Inspection) -> tuple[int, ...]:
    """The shape that `--input` means: HxW, HxWxC, or that of an image.

    Raises:
        ParameterError: neither a shape nor an image.
    """
    text = inspection.input or ""
    parts = text.lower().split("x")
    if len(parts) in (2, 3) and all(part.isdecimal() and int(part) for part in parts):
        return tuple(map(int, parts))
    try:
        return files.probe(text, inspection.max_pixels).shape
    except FileError as error:
        raise ParameterError("input", f"{text!r} is neither a shape such as 224x224x3 nor an image: {error}") from error


def _plain(data: dict[str, Any]) -> Callable[[Canvas], None]:
    def draw(canvas: Canvas) -> None:
        for key, value in data.items():
            canvas.show(f"{key}: {value}")

    return draw
