"""One image, file to file: read, apply, map to samples, write, and a record of it."""

import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import IO, Any

import numpy as np

from cnnfilter.batch.paths import STANDARD_STREAM, Job, Target
from cnnfilter.batch.report import Record, shape_fields
from cnnfilter.core.samples import UINT8, UINT16, SampleType, scaled_levels, to_gray
from cnnfilter.core.vocabulary import Alpha, Depth, Gray, Mapping
from cnnfilter.errors import CnnfilterError, FileError, OutputError, ParameterError, UnfitError
from cnnfilter.images import files, formats
from cnnfilter.images.drawing import grid
from cnnfilter.images.files import WriteOptions
from cnnfilter.images.formats import MAX_PIXELS, Format
from cnnfilter.images.image import Image, Metadata
from cnnfilter.model.layers import Convolve


@dataclass(frozen=True)
class Settings:
    """What a run does to every image besides its operation; the fields are the options of the same names."""

    mapping: Mapping = "auto"
    depth: Depth = "auto"
    gray: Gray | None = None
    alpha: Alpha = "keep"
    max_pixels: int = MAX_PIXELS
    no_clobber: bool = False
    dry_run: bool = False
    encoding: WriteOptions = field(default_factory=WriteOptions)


@dataclass(frozen=True, eq=False)
class Step:
    """One operation of a run and what the report calls it."""

    operation: str
    name: str
    label: str
    layer: Convolve


@dataclass(frozen=True)
class Plan:
    """How the response to one image becomes the samples of one output; no `samples` for a raw response."""

    mapping: Mapping
    samples: SampleType | None
    depth: Depth
    level_scale: Fraction = Fraction(1)

    @property
    def target(self) -> SampleType:
        """The samples; those of float responses for raw ones."""
        return self.samples or SampleType.of(np.dtype(np.float32))


def check(steps: list[Step], settings: Settings, jobs: list[Job]) -> None:
    """Refuse what no image could make right.

    Raises:
        ParameterError: names the option.
    """
    if settings.alpha == "filter":
        for step in steps:
            if step.layer.operation.kernel.sums_to_zero:
                raise ParameterError(
                    "alpha", f"{step.name} sums to zero, so that no opacity would be left; keep or drop fits"
                )
    for job in jobs:
        for target in job.targets:
            if target.format is not None:
                _check_depth(settings, target.format, target.path)


def _check_depth(settings: Settings, file_format: Format, path: str) -> None:
    depth = settings.depth
    if depth != "auto" and not file_format.holds(depth, colour=False):
        raise ParameterError("depth", _refusal(depth, file_format, colour=False))
    to_float = depth in ("auto", "float") and file_format.holds("float", colour=False)
    if settings.mapping == "raw" and not to_float:
        raise ParameterError(
            "mapping", f"raw needs a float depth, for which {file_format.name} has no room; -o x.npy or x.tiff has"
        )


def _refusal(depth: str, file_format: Format, *, colour: bool) -> str:
    kind = ("floats" if depth == "float" else f"{depth} bits") + (" in colour" if colour else "")
    if colour:
        return f"{file_format.name} cannot hold {kind}; npy can, and --depth 8 or --gray luma would fit"
    can = "npy and tiff can" if depth == "float" else "png, tiff and npy can"
    return f"{file_format.name} cannot hold {kind}; {can}, and --depth 8 would fit"


def process(job: Job, steps: list[Step], settings: Settings, stream: IO[bytes] | None = None) -> Iterator[Record]:
    """Do one job, a record an output; an image that cannot be read gives one record for all its outputs.

    `stream` takes what goes to standard output. An exception of ours becomes a failed record.
    """
    source = job.source.path
    if job.source.skipped is not None:
        yield Record(source, status="skipped", operation=steps[0].operation, warnings=(job.source.skipped,))
        return
    waiting = []
    for step, target in zip(steps, job.targets, strict=True):
        if settings.no_clobber and target.path != STANDARD_STREAM and os.path.lexists(target.path):
            yield _described(step, Record(source, target.path, "skipped"))
        else:
            waiting.append((step, target))
    if not waiting:
        return
    only = waiting[0][1].path if len(waiting) == 1 else None
    started = time.perf_counter()
    try:
        image = _header_image(source, settings) if settings.dry_run else files.read(source, settings.max_pixels)
        notes = image.warnings
        image = prepared(image, settings)
    except (CnnfilterError, MemoryError) as error:
        yield _failed(Record(source, only, operation=steps[0].operation), error)
        return
    for step, target in waiting:
        record = _described(step, Record(source, target.path, input_bytes=image.nbytes, warnings=notes))
        try:
            record = _apply(record, image, step.layer, target, settings, stream)
        except (CnnfilterError, MemoryError) as error:
            record = _failed(record, error)
        finished = time.perf_counter()
        yield replace(record, seconds=None if settings.dry_run else finished - started)
        started = time.perf_counter()


def _header_image(source: str, settings: Settings) -> Image:
    """An image with the shape and type that the header of a file tells, and no memory behind its pixels."""
    header = files.probe(source, settings.max_pixels)
    pixels = np.broadcast_to(np.zeros((), header.dtype), header.shape)
    alpha = np.broadcast_to(np.zeros((), header.dtype), header.shape[:2]) if header.alpha else None
    return Image(pixels, alpha, header.format)


def prepared(image: Image, settings: Settings) -> Image:
    """The image as the operation gets it: gray and without alpha where that is asked for."""
    if settings.alpha == "drop":
        image = replace(image, alpha=None)
    if settings.gray and image.pixels.ndim == 3:
        kept = replace(image.metadata, icc_profile=None)
        image = replace(image, pixels=to_gray(image.pixels, settings.gray), metadata=kept)
    return image


def _apply(
    record: Record, image: Image, layer: Convolve, target: Target, settings: Settings, stream: IO[bytes] | None
) -> Record:
    """Apply one layer, write the result, and complete the record."""
    operation, pixels = layer.operation, image.pixels
    output_shape = layer.output_shape(pixels.shape)
    if output_shape[0] * output_shape[1] > settings.max_pixels:
        raise UnfitError(
            "padding",
            f"{output_shape[0]} x {output_shape[1]} pixels would come out; --max-pixels {settings.max_pixels}",
        )
    file_format = target.format or (image.format if image.format.writable else formats.PNG)
    plan = _plan(settings, file_format, image, layer, output_shape)
    record = replace(
        record,
        mapping=plan.mapping,
        params=layer.params(pixels.shape),
        macs=layer.macs(pixels.shape),
        **shape_fields(pixels.shape, output_shape),
    )
    if settings.dry_run:
        return record
    if plan.samples is not None and plan.samples.dtype.kind != "f" and not _finite(pixels):
        raise FileError(record.input, "holds NaN or infinity, which no integer sample can; --depth float or npy can")
    alpha = image.alpha
    if operation.kernel.is_bank or operation.channels == "sum":
        alpha = None
    if alpha is not None and settings.alpha == "filter":
        result, alpha, clipped = operation.respond_premultiplied(
            pixels, alpha, plan.mapping, plan.target, plan.level_scale
        )
    else:
        result, clipped = operation.respond(pixels, plan.mapping, plan.samples, plan.level_scale)
        if alpha is not None:
            alpha = scaled_levels(operation.kept_alpha(alpha), plan.target, plan.level_scale)
    notes = list(record.warnings)
    if alpha is not None and not (file_format.alpha and result.dtype == np.uint8):
        notes.append(f"{file_format.name} holds no transparency here; it is dropped")
        alpha = None
    is_stack = operation.kernel.is_bank or output_shape[2:] not in ((), (3,))
    written = Image(
        _as_picture(result, plan, file_format, is_stack=is_stack), alpha, file_format, _kept_metadata(image, result)
    )
    nbytes = _write(target, written, file_format, settings.encoding, stream)
    return replace(record, clipped=clipped, output_bytes=nbytes, warnings=tuple(notes))


def _plan(
    settings: Settings, file_format: Format, image: Image, layer: Convolve, output_shape: tuple[int, ...]
) -> Plan:
    """Mapping and sample type of one output.

    Raises:
        UnfitError: the format cannot hold what would come out of this image.
    """
    dtype = image.pixels.dtype
    deep = dtype.kind in "iu" and dtype.itemsize == 2
    depth, level_scale = settings.depth, Fraction(1)
    colour = len(output_shape) == 3 and output_shape[2] == 3 and not layer.operation.kernel.is_bank
    if depth == "auto" and file_format.is_array:
        mapping = layer.operation.resolve(settings.mapping, to_float=True)
        return Plan(mapping, None if mapping == "raw" else SampleType.of(dtype), depth)
    if depth == "auto":
        stays_float = dtype.kind == "f" and file_format.holds("float", colour=colour) and len(output_shape) == 2
        depth = "float" if stays_float else "16" if deep else "8"
    elif depth != "float" and (depth == "16") != deep:
        level_scale = Fraction(257) if depth == "16" else Fraction(1, 257)
    mapping = layer.operation.resolve(settings.mapping, to_float=depth == "float")
    if not file_format.holds(depth, colour=colour or (depth == "float" and len(output_shape) == 3)):
        raise UnfitError("depth", _refusal(depth, file_format, colour=colour))
    if depth == "float":
        floats = SampleType(np.dtype(np.float32), 0, 65535 if deep else 255)
        return Plan(mapping, None if mapping == "raw" else floats, depth)
    if mapping == "raw":
        raise UnfitError("mapping", f"raw needs a float depth: --depth float, or npy (this is {depth}-bit)")
    return Plan(mapping, UINT16 if depth == "16" else UINT8, depth, level_scale)


def _as_picture(result: Any, plan: Plan, file_format: Format, *, is_stack: bool) -> Any:
    """The array to be written: as it is for npy, a grid of maps for a stack of them."""
    if plan.samples is None and not (file_format.is_array and plan.depth == "auto"):
        result = result.astype(np.float32, copy=False)
    if is_stack and not file_format.is_array:
        return grid(result, plan.target.high)
    return result


def _kept_metadata(image: Image, result: Any) -> Metadata:
    """All metadata, but no colour profile where the colour type has changed."""
    same = (result.ndim == 3 and result.shape[2] == 3) == image.is_colour
    return image.metadata if same else replace(image.metadata, icc_profile=None)


def _write(target: Target, image: Image, file_format: Format, options: WriteOptions, stream: IO[bytes] | None) -> int:
    if target.path != STANDARD_STREAM:
        folder = os.path.dirname(target.path)
        try:
            os.makedirs(folder or ".", exist_ok=True)
        except OSError as error:
            raise OutputError(folder, f"the folder cannot be made: {error.strerror}") from error
        return files.write(target.path, image, file_format, options)
    content = files.encoded(image, file_format, options)
    out = stream or sys.stdout.buffer
    out.write(content)
    out.flush()
    return len(content)


def _finite(pixels: Any) -> bool:
    if pixels.dtype.kind != "f":
        return True
    return all(np.isfinite(pixels[start : start + 256]).all() for start in range(0, pixels.shape[0], 256))


def _described(step: Step, record: Record) -> Record:
    """The record with what is known of the operation before any image is."""
    operation = step.layer.operation
    return replace(
        record,
        operation=step.operation,
        kernel=step.name,
        kernel_shape=operation.kernel.shape,
        stride=operation.windows.stride,
        padding=operation.windows.padding,
        pad_mode=operation.pad_mode,
        dilation=operation.windows.dilation,
    )


def _failed(record: Record, error: CnnfilterError | MemoryError) -> Record:
    """The record of a failure; a message about the input does not repeat its name."""
    code = error.exit_code if isinstance(error, CnnfilterError) else 1
    message = str(error) if isinstance(error, CnnfilterError) else "not enough memory"
    if isinstance(error, FileError) and error.path == record.input:
        message = error.message
    return replace(record, status="failed", error=message, exit_code=code)
