"""One step on one image: compute it, map it to samples, write its results, and tell of each."""

import math
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from cnnfilter.batch.outputs import Form, as_picture, form_of, map_paths, write
from cnnfilter.batch.paths import Target, identity
from cnnfilter.batch.reading import NOT_FINITE, is_finite
from cnnfilter.batch.records import described
from cnnfilter.batch.report import Record, shape_fields
from cnnfilter.batch.settings import Settings, Step
from cnnfilter.core.kernels import TRANSPOSED
from cnnfilter.core.samples import rendered, scaled_levels
from cnnfilter.core.transparency import premultiplied
from cnnfilter.core.vocabulary import STANDARD_STREAM
from cnnfilter.core.words import by
from cnnfilter.errors import FileError, UnfitError
from cnnfilter.images import formats
from cnnfilter.images.encoding import transparency_lost
from cnnfilter.images.formats import Format
from cnnfilter.images.image import Image, Metadata
from cnnfilter.model.filters import Convolve

if TYPE_CHECKING:
    from cnnfilter.batch.gathering import Gathering
    from cnnfilter.images.thumbnail import Frames

DRAWN = "the weights are random (init = normal): the probabilities mean nothing"
# What --max-pixels leaves to a stack of feature maps.
VALUES_A_PIXEL = 4


@dataclass
class Work:
    """One step on one image while it is done; `rows` are the layers' for the report."""

    step: Step
    image: Image
    settings: Settings
    frames: "Frames | None" = None  # for the preview
    gathering: "Gathering | None" = None  # for the montage
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)

    def observe(self, name: str, output: NDArray[Any], seconds: float) -> None:
        """Note what a layer's output took, where the report tells of layers, and what the montage shows of it."""
        if self.rows:
            self.rows[name] |= {"bytes": output.nbytes, "seconds": seconds}
        if self.gathering is not None:
            self.gathering.observe(name, output)


class _Output(NamedTuple):
    """One output of a step on an image: the layer it comes from, where it goes and how; no form for mere vectors."""

    layer: str
    target: Target
    format: Format
    form: Form | None
    record: Record


def apply(work: Work, source: str, targets: list[Target]) -> list[Record]:
    """Apply one step, write its results, and tell of each.

    Raises:
        UnfitError: the image does not fit a layer, an output is too large, or its format cannot hold it.
        FileError: a result cannot be written, or samples have no level.
    """
    pipeline, image, settings, gathering = work.step.pipeline, work.image, work.settings, work.gathering
    if gathering is not None:
        gathering.begin(work.step)
    shapes = pipeline.shapes(image.pixels.shape)
    for shape in shapes.values():
        if math.prod(shape[:2]) > settings.max_pixels or math.prod(shape) > VALUES_A_PIXEL * settings.max_pixels:
            raise UnfitError("max_pixels", f"an output of {by(shape)} is larger than {settings.max_pixels} allows")
    params, macs = pipeline.cost(image.pixels.shape)
    if work.step.operation == "pipeline":
        work.rows |= {row.name: row.as_dict() for row in pipeline.summary(image.pixels.shape).layers}
    common = described(work.step, image.pixels.shape)._replace(
        input=source,
        input_bytes=image.nbytes,
        warnings=(*image.warnings, *_doubts(work.step)),
        params=params,
        macs=macs,
    )
    names = [pipeline.last.name, *work.step.taps]
    outputs = [_output(work, common, name, target, shapes[name]) for name, target in zip(names, targets, strict=True)]
    records = [output.record for output in outputs] if settings.dry_run else _results(work, outputs)
    if work.step.operation == "pipeline":
        records[0] = records[0]._replace(layers=tuple(work.rows[node.name] for node in pipeline.nodes))
    if gathering is not None:
        records[0] = records[0]._replace(exhibit=gathering.taken())
    return records


def _doubts(step: Step) -> list[str]:
    """What may not be as it was meant: a bank of filters in another order of axes."""
    layers = [layer for layer in step.pipeline.layers if isinstance(layer, Convolve)]
    return [f"--kernel: {TRANSPOSED}" for layer in layers[:1] if layer.operation.kernel.seems_transposed]


def _output(work: Work, record: Record, name: str, target: Target, shape: tuple[int, ...]) -> _Output:
    """How the output of a layer is written.

    Raises:
        UnfitError: its format cannot hold it.
    """
    pipeline, pixels = work.step.pipeline, work.image.pixels
    file_format = target.format or (work.image.format if work.image.format.writable else formats.PNG)
    record = record._replace(output=target.path, **shape_fields(pixels.shape, shape))
    if len(shape) == 1 and not file_format.is_array:
        if name == pipeline.last.name:
            return _Output(name, target, file_format, None, record)
        told = f"--tap: {name} gives a vector, which is written as npy only (--format npy)"
        record = record._replace(output=None, warnings=(*record.warnings, told))
        return _Output(name, target, file_format, None, record)
    form = form_of(
        work.settings,
        file_format,
        pixels.dtype,
        pipeline.node(name).layer,
        shape,
        is_stack=pipeline.is_stack(name, pixels.shape),
    )
    if _apart(work, form, file_format, target.path):
        record = record._replace(output=map_paths(target.path or "", shape[2])[0])
    if _narrows(work.settings, form, pixels.dtype):
        fits = "--mapping normalize or --scale" if work.step.operation == "convolve" else "--mapping normalize"
        note = f"whole numbers of more than 16 bits are written as levels 0 to 255; {fits} fits them in, npy keeps them"
        record = record._replace(warnings=(*record.warnings, note))
    return _Output(name, target, file_format, form, record._replace(mapping=form.mapping))


def _narrows(settings: Settings, form: Form, dtype: np.dtype[Any]) -> bool:
    """Whether whole numbers of more than 16 bits become bytes unasked, and are not stretched to fit."""
    wide = dtype.kind in "iu" and dtype.itemsize > 2 and form.samples is not None and form.target.high == 255
    return wide and form.depth != "auto" and settings.depth == "auto" and form.mapping != "normalize"


def _apart(work: Work, form: Form, file_format: Format, path: str | None) -> bool:
    """Whether the maps of a stack are written to a file each."""
    return work.settings.maps == "files" and form.is_stack and not file_format.is_array and path != STANDARD_STREAM


def _results(work: Work, outputs: list[_Output]) -> list[Record]:
    """Compute the results, write them, and complete their records."""
    image, pipeline, (main, *tapped) = work.image, work.step.pipeline, outputs
    forms = [output.form for output in outputs if output.form]
    if any(form.target.dtype.kind != "f" for form in forms) and not is_finite(image.pixels):
        raise FileError(main.record.input, NOT_FINITE)
    if pipeline.gives_vector:
        others = pipeline.outputs(image.pixels, work.step.taps, work.observe)
        vector = others[pipeline.last.name]
        classes = _ranked(work, main, vector)
        notes = (DRAWN,) * (classes is not None and pipeline.draws_weights)
        record = main.record._replace(classes=classes, warnings=(*main.record.warnings, *notes))
        main = main._replace(record=record)
        result, clipped, alpha = *_mapped(vector, main.form), None
    else:
        assert main.form is not None
        result, alpha, clipped, others = _computed(work, main.form)
    if work.gathering is not None:
        work.gathering.result(result, alpha, main.form, main.record.classes)
    records = [_written(work, main, result, alpha, clipped)]
    for output in tapped:
        result, clipped = _mapped(others[output.layer], output.form)
        records.append(_written(work, output, result, None, clipped))
    return records


def _ranked(work: Work, output: _Output, vector: NDArray[Any]) -> tuple[dict[str, Any], ...] | None:
    """The classes for the report, where the result is probabilities of some."""
    classes = work.step.pipeline.classes(vector)
    if classes is None:
        return None
    if not np.isfinite(vector).all():
        raise FileError(output.record.input, "gives probabilities of NaN; the picture or the weights hold NaN")
    return tuple({"label": label, "probability": probability} for label, probability in classes)


def _mapped(response: NDArray[Any], form: Form | None) -> tuple[NDArray[Any], int]:
    """(samples, number of values clipped) of a response that is there as a whole."""
    return (response, 0) if form is None else rendered(response, form.rendering)


def _computed(work: Work, form: Form) -> tuple[NDArray[Any], NDArray[Any] | None, int, dict[str, NDArray[Any]]]:
    """(result, its alpha, number of values clipped, outputs of the taps)."""
    pipeline, pixels, alpha = work.step.pipeline, work.image.pixels, work.image.alpha
    layer = pipeline.layers[0]
    filtered = work.settings.alpha == "filter" and isinstance(layer, Convolve)
    if alpha is not None and filtered and layer.carried_alpha(alpha) is not None:
        operation = cast("Convolve", layer).operation
        return *premultiplied(operation, pixels, alpha, form.rendering), {}
    result, clipped, tapped = pipeline.respond(pixels, form.rendering, work.observe, work.step.taps)
    alpha = None if alpha is None else pipeline.carried_alpha(alpha)
    if alpha is not None and form.samples is not None:
        alpha = scaled_levels(alpha, form.target, form.level_scale)
    return result, alpha, clipped, tapped


def _written(work: Work, output: _Output, result: NDArray[Any], alpha: NDArray[Any] | None, clipped: int) -> Record:
    """Write one result and complete its record; a vector without a file is only told of."""
    form, file_format, path = output.form, output.format, output.target.path
    if form is None or path is None:
        return output.record
    notes = list(output.record.warnings)
    if alpha is not None and (lost := transparency_lost(file_format, result.dtype)):
        notes.append(lost)
        alpha = None
    preview = None
    if work.frames is not None:
        preview = work.frames.show(result, alpha, is_stack=form.is_stack, beside=work.image.pixels.shape)
    if 2 * clipped > result.size:
        notes.append(f"{clipped} of {result.size} values clipped")
    record = output.record._replace(clipped=clipped, warnings=tuple(notes), output_preview=preview)
    metadata, options = _kept_metadata(work.image, result, form), work.settings.encoding
    if _apart(work, form, file_format, path):
        paths = map_paths(path, result.shape[2])
        wanted = [index for index, single in enumerate(paths) if not _stays(work, single)]
        if not wanted:
            return record._replace(status="skipped")
        nbytes = sum(
            write(paths[index], Image(result[:, :, index], None, file_format, metadata), file_format, options)
            for index in wanted
        )
        return record._replace(output_bytes=nbytes)
    if _stays(work, path):
        return record._replace(status="skipped")
    drawn = as_picture(result, form, file_format, record.kernel or output.layer)
    nbytes = write(path, Image(drawn, alpha, file_format, metadata), file_format, options)
    return record._replace(output_bytes=nbytes)


def _stays(work: Work, path: str) -> bool:
    """Whether the file at `path` is to be left alone because it exists.

    Raises:
        FileError: it is an input of the run.
    """
    if path == STANDARD_STREAM or not os.path.lexists(path):
        return False
    if identity(path) in work.settings.inputs:
        raise FileError(path, "is also an input, and no input is written to")
    return work.settings.no_clobber


def _kept_metadata(image: Image, result: NDArray[Any], form: Form) -> Metadata:
    """All metadata, but no colour profile where the colour type has changed."""
    colour = result.ndim == 3 and result.shape[2] == 3 and not form.is_stack
    return image.metadata if colour == image.is_colour else image.metadata._replace(icc_profile=None)
