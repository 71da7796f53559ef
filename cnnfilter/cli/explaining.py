"""What `inspect` is given, found out thing by thing: what it is, its explanation, how that is reported."""

import gc
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.text import Text

from cnnfilter.batch.reading import is_finite
from cnnfilter.batch.report import json_line
from cnnfilter.cli.drawing.canvas import Canvas
from cnnfilter.cli.inspecting import ONLY_POOL, PIPELINES, TENSORS, Inspection, is_named, is_picture
from cnnfilter.cli.stderr import complain
from cnnfilter.core import npy
from cnnfilter.core.catalogue import FAMILIES, KERNEL_FILES, LAYER_MEANINGS, kernel_names
from cnnfilter.core.convolution import Convolution
from cnnfilter.core.kernels import kernel
from cnnfilter.core.vocabulary import STANDARD_STREAM
from cnnfilter.core.words import by, printable
from cnnfilter.errors import CnnfilterError, FileError, ParameterError, UnfitError
from cnnfilter.images import files, formats
from cnnfilter.images.decoding import Header

if TYPE_CHECKING:
    from cnnfilter.model.pipeline import Pipeline

LISTED = ("kernels", "layers", "formats")
# An array of two axes up to this size, with floats or signed entries, is taken for a kernel.
LARGEST_KERNEL_ARRAY = 31
TAKEN = "Taken for a kernel, as a small array of floats or signed numbers is. As an image:"


@dataclass(frozen=True)
class Explained:
    """What is told of one thing: plain data for JSON, and how it is drawn."""

    data: dict[str, Any]
    draw: Callable[[Canvas], None]


@dataclass(frozen=True)
class Subject:
    """One thing to be explained, by its name."""

    name: str
    explain: Callable[[], Explained]


def explain(inspection: Inspection) -> int:
    """Explain all things and return the exit code; an error in one is told, the others are done.

    0: all done; 1: some could not be explained; 2: none could, for wrong usage.
    """
    gc.enable()
    codes: list[int] = []
    for subject in _subjects(inspection):
        if codes and inspection.report == "table":
            Canvas(sys.stdout).show(Text())
        codes.append(_told(subject, inspection))
        sys.stdout.flush()
    if not any(codes):
        return 0
    return 2 if all(code == 2 for code in codes) else 1


def _told(subject: Subject, inspection: Inspection) -> int:
    """Report one thing, or its error, and return an exit code."""
    name = subject.name
    try:
        explained = subject.explain()
    except CnnfilterError as error:
        is_others_file = isinstance(error, FileError) and error.path != name
        message = error.message if isinstance(error, ParameterError | FileError) and not is_others_file else str(error)
        option = f"--{error.parameter}: " if isinstance(error, ParameterError) and error.parameter == "input" else ""
        is_named = f"'{name}'" in message or f"{name}: " in message
        complain(option + message if is_named else f"{name}: {option}{message}")
        if inspection.report == "json":
            sys.stdout.write(json_line({"thing": name, "error": message}))
        return error.exit_code
    if inspection.report == "json":
        sys.stdout.write(json_line({"thing": name, **explained.data}))
    else:
        explained.draw(Canvas(sys.stdout))
    return 0


def _subjects(inspection: Inspection) -> Iterator[Subject]:
    """What is to be explained: things, kernels and pipelines from options; everything there is without any."""
    network = _network(inspection)
    if not (inspection.things or inspection.kernels or network):
        yield Subject("everything", _of_everything)
    for name in inspection.things:
        yield Subject(name, lambda name=name: _of_thing(name, inspection))  # type: ignore[misc]
    for text in inspection.kernels:
        yield Subject(text, lambda text=text: _of_kernel(text, inspection))  # type: ignore[misc]
    if network:
        yield Subject(network[0], lambda: _of_pipeline(network[1](), network[0], _input(inspection)))


def _network(inspection: Inspection) -> "tuple[str, Callable[[], Pipeline]] | None":
    """The pipeline that options describe, with its name: --steps, --file, or pooling."""
    from cnnfilter.model.filters import Pool
    from cnnfilter.model.pipeline import Pipeline
    from cnnfilter.model.syntax import load_pipeline, parse_pipeline

    given = dict(inspection.pipeline)
    steps, file = given.pop("steps", None), given.pop("file", None)
    if file is not None and (steps is not None or given):
        raise ParameterError("file", "is instead of --steps; weights, init and seed are keys at the top of the file")
    if file is not None:
        return file, lambda: load_pipeline(file)
    if steps is not None:
        return "steps", lambda: parse_pipeline(steps, **given)
    if given:
        raise ParameterError(next(iter(given)), "is for --steps, which is not there")
    if inspection.pool.keys() & set(ONLY_POOL):
        return "pool", lambda: Pipeline((Pool(**inspection.pool),), name="pool")
    return None


# ------------------------------------------------------------------------------------------------------------ things


def _of_thing(name: str, inspection: Inspection) -> Explained:
    """The explanation of a thing: an existing file first, then a kernel, a layer, an option."""
    if not os.path.lexists(name) and is_named(name, (*PIPELINES, *TENSORS, *KERNEL_FILES)):
        raise FileError(name, "no such file")
    if is_named(name, PIPELINES):
        from cnnfilter.model.syntax import load_pipeline

        return _of_pipeline(load_pipeline(name), name, _input(inspection))
    if is_named(name, TENSORS):
        return _of_tensors(name)
    if _is_kernel_array(name):
        return _noted(_of_kernel(name, inspection), f"{TAKEN} cnnfilter inspect - < {printable(name)}")
    if is_picture(name):
        return _of_image(name, inspection)
    return _of_word(name) or _of_kernel(name, inspection)


def _noted(explained: Explained, note: str) -> Explained:
    """The explanation with a sentence below it."""

    def draw(canvas: Canvas) -> None:
        explained.draw(canvas)
        canvas.show(Text(), Text(note, "dim"))

    return Explained(explained.data, draw)


def _of_word(name: str) -> Explained | None:
    """The explanation of a type of layer, or of an option or its value; None for other words."""
    word = name.strip().lower().replace("_", "-")
    if word in LISTED:
        return _of_everything(word)
    if word in LAYER_MEANINGS:
        from cnnfilter.cli.drawing.layers import draw_layer
        from cnnfilter.model.explain_layer import explain_layer

        layer = explain_layer(word)
        return Explained(layer.as_dict(), lambda canvas: draw_layer(canvas, layer))
    if word in (*kernel_names(), *FAMILIES) or not word.replace("-", "").isalpha():
        return None
    from cnnfilter.cli.terms import draw_term, terms

    term = terms().get(word)
    return None if term is None else Explained(term.as_dict(), lambda canvas: draw_term(canvas, term, word))


def _is_kernel_array(name: str) -> bool:
    """Whether a file is an npy array that is rather a kernel or a bank than a picture; none holds NaN."""
    if not is_named(name, (".npy",)) or not os.path.isfile(name):
        return False
    try:
        with open(name, "rb") as file:
            header = npy.read_header(file)
            if len(header.shape) != 2 or max(header.shape) > LARGEST_KERNEL_ARRAY or header.dtype.kind not in "if":
                return len(header.shape) == 4
            return is_finite(npy.read_data(file, header, os.path.getsize(name)))
    except (OSError, ValueError):
        return False


def _of_kernel(text: str, inspection: Inspection) -> Explained:
    from cnnfilter.cli.drawing.banks import draw_bank
    from cnnfilter.cli.drawing.kernels import draw_kernel
    from cnnfilter.model.banks import explain_bank
    from cnnfilter.model.explain import UINT8, USUAL_SHAPE, explain_kernel

    try:
        found = kernel(text)
    except ParameterError as error:
        told = error.message.removeprefix(f"{text} ").removeprefix(f"{text!r}: ")  # the subject is named before
        raise ParameterError(error.parameter, _unknown(text, told)) from error
    convolution = Convolution.of(found, **inspection.convolve)
    header = _input_header(inspection)
    shape, dtype = (None, UINT8) if header is None else (header.shape, header.dtype)
    if found.is_bank:
        bank = explain_bank(convolution, shape, dtype, inspection.mapping)
        return Explained(bank.as_dict(), lambda canvas: draw_bank(canvas, bank))
    report = explain_kernel(convolution, shape or USUAL_SHAPE, dtype, inspection.mapping)
    return Explained(report.as_dict(), lambda canvas: draw_kernel(canvas, report))


def _unknown(text: str, message: str) -> str:
    """What is said of a word that is no kernel; `message` is what the parser of kernels says."""
    head, _, tail = message.partition("; ")
    if not head.startswith("there is no kernel ") or (tail and not tail.startswith(("did you mean", "there are"))):
        return message
    from cnnfilter.cli.terms import terms
    from cnnfilter.core.slips import kernel_meant

    known = [*kernel_names(), *FAMILIES, *LAYER_MEANINGS, *terms()]
    meant = kernel_meant(text, text.partition(":")[0], known, KERNEL_FILES)
    meant = meant if "did you mean" in meant else "; `cnnfilter inspect` lists kernels, layers and formats"
    return head.replace("there is no kernel ", "there is neither a file nor a kernel ") + meant


def _of_image(name: str, inspection: Inspection) -> Explained:
    from cnnfilter.cli.drawing.images import draw_image
    from cnnfilter.images.report import image_report

    report, image = image_report(name, inspection.max_pixels)
    title = "standard input" if name == STANDARD_STREAM else name
    return Explained(report.as_dict(), lambda canvas: draw_image(canvas, report, image, title))


def _of_pipeline(pipeline: "Pipeline", name: str, shape: tuple[int, ...] | None) -> Explained:
    from cnnfilter.cli.drawing.pipelines import draw_pipeline
    from cnnfilter.model.overview import explain_pipeline

    try:
        report = explain_pipeline(pipeline, shape)
    except UnfitError as error:
        if shape is None or len(shape) != 3 or shape[0] not in (1, 3) or min(shape[1:]) <= 3:
            raise
        meant = by((*shape[1:], shape[0]))
        raise UnfitError(error.parameter, f"{error.message}; height x width x channels: {meant}?") from error
    return Explained(report.as_dict(), lambda canvas: draw_pipeline(canvas, report, name))


def _of_tensors(name: str) -> Explained:
    from cnnfilter.cli.drawing.banks import draw_tensors
    from cnnfilter.model.banks import tensors_as_dict
    from cnnfilter.model.weights import load

    data = tensors_as_dict(load(name))
    return Explained(data, lambda canvas: draw_tensors(canvas, data, name))


def _of_everything(part: str | None = None) -> Explained:
    from cnnfilter.cli.drawing.lists import PARTS, draw_everything, everything

    found = everything()
    if part is None:
        return Explained(found, draw_everything)
    parts = ("kernels", "families") if part == "kernels" else (part,)
    return Explained({"kind": "list"} | {name: found[name] for name in parts}, PARTS[part])


# ------------------------------------------------------------------------------------------------------- the input


def _input(inspection: Inspection) -> tuple[int, ...] | None:
    header = _input_header(inspection)
    return None if header is None else header.shape


def _input_header(inspection: Inspection) -> Header | None:
    """Shape and type that `--input` means, or the first image among the things; None where there is neither.

    Raises:
        ParameterError: neither a shape nor an image.
    """
    header = _named_input(inspection) if inspection.input is not None else _first_image(inspection)
    if header is not None and inspection.gray is not None:
        return Header(header.shape[:2], header.dtype, header.alpha, header.format)
    return header


def _named_input(inspection: Inspection) -> Header:
    from cnnfilter.model.explain import UINT8

    text = inspection.input or ""
    parts = text.lower().split("x")
    if len(parts) in (2, 3) and all(part.isdecimal() and int(part[:9]) > 0 for part in parts):
        return Header(tuple(map(int, parts)), UINT8, False, formats.PNG)
    try:
        return files.probe(text, inspection.max_pixels)
    except FileError as error:
        raise ParameterError("input", f"{error}; a shape such as 224x224x3 or an image is needed") from error


def _first_image(inspection: Inspection) -> Header | None:
    for name in inspection.things:
        if os.path.isfile(name) and formats.by_suffix(name) is not None and not _is_kernel_array(name):
            return files.probe(name, inspection.max_pixels)
    return None
