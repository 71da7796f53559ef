"""One image, file to file: read, apply, map to samples, write, and records of it."""

import os
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from cnnfilter.batch.applying import Work, apply
from cnnfilter.batch.outputs import check_depth
from cnnfilter.batch.paths import Job, Target
from cnnfilter.batch.reading import read
from cnnfilter.batch.records import described, failed, trace_text
from cnnfilter.batch.report import Record
from cnnfilter.batch.settings import Settings, Step
from cnnfilter.core.vocabulary import STANDARD_STREAM
from cnnfilter.errors import CnnfilterError, FileError, ParameterError
from cnnfilter.images.image import Image
from cnnfilter.model.filters import Convolve

if TYPE_CHECKING:
    from cnnfilter.batch.gathering import Gathering


def check(steps: list[Step], settings: Settings, jobs: list[Job]) -> None:
    """Refuse what no image could make right.

    Raises:
        ParameterError: names the option.
    """
    if settings.alpha == "filter":
        for step in steps:
            layer = step.pipeline.layers[0]
            if len(step.pipeline.layers) > 1 or not isinstance(layer, Convolve):
                raise ParameterError("alpha", f"filter is for convolve; keep or drop fits {step.operation}")
            if layer.operation.scale == 0:
                raise ParameterError("scale", "0 leaves no opacity to filter; --alpha keep or drop fits")
            if layer.operation.kernel.sums_to_zero:
                raise ParameterError(
                    "alpha", f"{step.label} sums to zero, so that no opacity would be left; keep or drop fits"
                )
    for file_format in {target.format for job in jobs for target in job.targets if target.format is not None}:
        check_depth(settings, file_format)


class Done(NamedTuple):
    """What one step has come to: its records, and what becomes one of a failure, should a file not take its place."""

    records: list[Record]
    on_failure: Record


def process(job: Job, steps: list[Step], settings: Settings) -> list[Record]:
    """Do one job, a record an output; an image that cannot be read gives one record for all its outputs.

    An error becomes a failed record.
    """
    return [record for done in by_steps(job, steps, settings) for record in done.records]


def by_steps(job: Job, steps: list[Step], settings: Settings) -> Iterator[Done]:
    """Do one job, as `process` does, step by step."""
    try:
        yield from _by_steps(job, steps, settings)
    except BrokenPipeError:  # of standard output
        raise
    except Exception as error:  # a fault of ours costs one image, not the batch
        told = f"internal error, please report it with --verbose: {type(error).__name__}: {error}"
        record = Record(job.source.path, operation=steps[0].operation, status="failed", error=told)
        yield _alone(record._replace(exit_code=1, trace=trace_text(error)))


def _by_steps(job: Job, steps: list[Step], settings: Settings) -> Iterator[Done]:
    source, operation = job.source.path, steps[0].operation
    if job.source.skipped is not None:
        yield _alone(Record(source, status="skipped", operation=operation, warnings=(job.source.skipped,)))
        return
    if job.source.error is not None:
        yield _alone(failed(Record(source, operation=operation), FileError(source, job.source.error)))
        return
    waiting = []
    for step, targets in _shares(job, steps):
        if _all_stay(targets, settings) and not job.height:
            told = described(step, None)._replace(input=source, status="skipped")
            yield Done([told._replace(output=target.path) for target in targets], told)
        else:
            waiting.append((step, targets))
    if waiting:
        yield from _done(job, waiting, settings)


def _alone(record: Record) -> Done:
    return Done([record], record)


def _shares(job: Job, steps: list[Step]) -> Iterator[tuple[Step, list[Target]]]:
    """Each step with its targets."""
    targets = iter(job.targets)
    for step in steps:
        yield step, [next(targets) for _ in step.results]


def _all_stay(targets: list[Target], settings: Settings) -> bool:
    """Whether all of a step's files are there and are to be left alone."""
    paths = [target.path for target in targets if target.path is not None and target.path != STANDARD_STREAM]
    return settings.maps == "grid" and settings.no_clobber and bool(paths) and all(map(os.path.lexists, paths))


def _done(job: Job, waiting: list[tuple[Step, list[Target]]], settings: Settings) -> Iterator[Done]:
    """Read the image, and do every step that is waiting for it."""
    source = job.source.path
    started = time.perf_counter()
    try:
        image = read(source, settings)
        gathering = _gathering(job, image, [step for step, _ in waiting])
    except (CnnfilterError, MemoryError) as error:
        only = waiting[0][1][0].path if len(waiting) == 1 else None
        yield _alone(failed(Record(source, only, operation=waiting[0][0].operation), error))
        return
    preview = job.frames.show(image.pixels, image.alpha) if job.frames else None
    for step, targets in waiting:
        told = described(step, None)._replace(input=source, output=targets[0].path, input_bytes=image.nbytes)
        try:
            records = apply(Work(step, image, settings, job.frames, gathering), source, targets)
        except (CnnfilterError, MemoryError) as error:
            records = [failed(told, error)]
        seconds = None if settings.dry_run else time.perf_counter() - started
        besides: dict[str, Any] = {"seconds": seconds, "input_preview": preview}
        yield Done([record._replace(**besides) for record in records], told._replace(**besides))
        started = time.perf_counter()


def _gathering(job: Job, image: Image, steps: list[Step]) -> "Gathering | None":
    """What gathers the panels of the montage, if the image is to be on it."""
    if not job.height:
        return None
    from cnnfilter.batch.gathering import Gathering  # fonts take a while to load

    return Gathering(job.source.path, image, steps, job.height)
