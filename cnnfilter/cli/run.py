"""From parsed options to a finished run: settings, jobs, report, exit code."""

import contextlib
import gc
import os
import sys
from typing import TYPE_CHECKING, cast

from cnnfilter.batch import paths, runner
from cnnfilter.batch.paths import Job, Source
from cnnfilter.batch.process import check
from cnnfilter.batch.settings import Maps, Settings, Step
from cnnfilter.cli.misplaced import misplaced_file, refuse_misplaced
from cnnfilter.cli.options import Shared, forks_workers
from cnnfilter.cli.reporting import Reporter
from cnnfilter.cli.stderr import complain
from cnnfilter.core.engine import threads
from cnnfilter.core.vocabulary import STANDARD_STREAM
from cnnfilter.core.words import printable
from cnnfilter.errors import ParameterError
from cnnfilter.images.encoding import WriteOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cnnfilter.batch.cluster import executor
    from cnnfilter.batch.montage import Montage
    from cnnfilter.batch.workers import Workers


def execute(steps: list[Step], shared: Shared, *, maps: Maps = "grid") -> int:
    """Do what the options ask for and return the exit code.

    Every wrong usage is found here, before anything is read or written.

    Raises:
        ParameterError: wrong usage.
    """
    _collect_garbage()
    threads.threads()  # a variable of the environment may be no number
    refuse_misplaced(steps[0].operation, shared.inputs, spared=len(shared.inputs) > 1)
    settings = settings_of(shared, maps)
    sources = paths.find_sources(shared.inputs, shared.output, recursive=shared.recursive)
    sources = [_told_misplaced(steps[0].operation, source) for source in sources]
    _name_missing(sources, shared.output)
    results = [result for step in steps for result in step.results]
    jobs = paths.plan_jobs(sources, results, shared.output, shared.format, resuming=shared.no_clobber)
    check(steps, settings, jobs)
    settings = settings._replace(inputs=_identities_of_inputs(jobs))
    to_stream = any(target.path == STANDARD_STREAM for job in jobs for target in job.targets)
    if to_stream and not settings.dry_run and sys.stdout is not None and sys.stdout.isatty():
        raise ParameterError("output", "image bytes are not written to a terminal; name a file or use a pipe")
    if shared.report_file is not None:
        _check_report_file(shared.report_file, jobs, shared.output)
    _spare_sources(steps, jobs, shared)
    montage = _montage(shared, settings, jobs)
    jobs = montage.jobs if montage else jobs
    with (
        _cluster(shared, jobs, steps, settings) as cluster,
        _workers(shared, jobs, steps, settings) as workers,
        Reporter.of(shared, steps[0].operation, is_batch=_is_batch(jobs), to_stderr=to_stream) as reporter,
    ):
        reporter.verbose, reporter.is_dry = shared.verbose, shared.dry_run
        reporter.total = 0 if shared.dry_run else len(jobs)
        if shared.preview and not shared.dry_run:
            from cnnfilter.cli.gallery import gallery

            reporter.gallery = gallery(shared, jobs, to_stderr=to_stream)
            jobs = reporter.gallery.framed(jobs) if reporter.gallery else jobs
        if len(jobs) > 1 and not (shared.quiet or shared.dry_run) and sys.stderr is not None and sys.stderr.isatty():
            from cnnfilter.cli.progress import Progress

            reporter.progress = Progress(len(jobs))
            reporter.progress.start()
            if reporter.gallery is not None:
                reporter.gallery.stand_above(reporter.progress)
        receive = montage.passing(reporter.receive) if montage else reporter.receive
        totals = runner.run(jobs, steps, settings, receive, workers, cluster)
        reporter.finish(totals)
    if montage:
        shown, count = montage.write(settings.encoding)
        if shown < count and not shared.quiet:
            complain(f"warning: {shared.montage} shows the first {shown} of {count} inputs")
    return totals.exit_code


def _told_misplaced(operation: str, source: Source) -> Source:
    """The source; a kernel or pipeline file fails with a word about the option that it is for."""
    told = misplaced_file(operation, source.path)
    return source if told is None else source._replace(error=told)


def _name_missing(sources: list[Source], output: str | None) -> None:
    """Refuse an input that is missing where one file cannot take the results of several.

    Raises:
        ParameterError: names the input.
    """
    if output is not None and not paths.is_folder(output) and len(sources) > 1:
        for source in sources:
            if source.path != STANDARD_STREAM and not os.path.lexists(source.path):
                raise ParameterError("input", f"{printable(source.path)}: no such file")


@contextlib.contextmanager
def _cluster(
    shared: Shared, jobs: list[Job], steps: list[Step], settings: Settings
) -> "Iterator[executor.Cluster | None]":
    """The cluster that the options ask for, or None; headers alone are read here."""
    if shared.cluster is None:
        yield None
        return
    if shared.jobs is not None:
        raise ParameterError("jobs", "is for this machine's own workers; with --cluster say how many as local:N")
    from cnnfilter.batch.cluster import connection, executor

    if settings.dry_run:
        connection.parse(shared.cluster)
        yield None
        return
    with executor.connected(shared.cluster, jobs, steps, settings) as cluster:
        yield cluster


def _workers(
    shared: Shared, jobs: list[Job], steps: list[Step], settings: Settings
) -> "contextlib.AbstractContextManager[Workers | None]":
    """The worker processes, which are started before the report's threads; none with a cluster."""
    if shared.cluster is not None:
        return contextlib.nullcontext()
    return runner.started(jobs, steps, settings, shared.jobs, fork=forks_workers())


def _montage(shared: Shared, settings: Settings, jobs: list[Job]) -> "Montage | None":
    """The montage that is asked for and will be made.

    Raises:
        ParameterError: it cannot be written where it is wanted.
    """
    if shared.montage is None:
        return None
    from cnnfilter.batch.montage import Montage

    montage = Montage(shared.montage, jobs, shared.report_file, shared.output, maps_apart=settings.maps == "files")
    stays = settings.no_clobber and os.path.lexists(shared.montage)
    return None if settings.dry_run or stays else montage


def _collect_garbage() -> None:
    """Start the collector, which the command keeps off while it loads; what is loaded by now stays, and is left out."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


def settings_of(shared: Shared, maps: Maps) -> Settings:
    """The options as the batch wants them."""
    level = "fast" if shared.png_level == "fast" else int(shared.png_level)
    return Settings(
        mapping=shared.mapping,  # type: ignore[arg-type]  # the choices of the options
        depth=shared.depth,  # type: ignore[arg-type]
        gray=shared.gray,  # type: ignore[arg-type]
        alpha=shared.alpha,  # type: ignore[arg-type]
        max_pixels=shared.max_pixels,
        no_clobber=shared.no_clobber,
        dry_run=shared.dry_run,
        maps=maps,
        encoding=WriteOptions(cast(int, level), shared.quality, shared.strip),
    )


def _identities_of_inputs(jobs: list[Job]) -> frozenset[tuple[int, int]]:
    """Those of all inputs but outputs of the run, which is resumed then and leaves what exists alone."""
    return frozenset(paths.identities(job.source.path for job in jobs if not job.source.skipped))


def _is_batch(jobs: list[Job]) -> bool:
    return len(jobs) > 1 or jobs[0].source.root is not None


def _spare_sources(steps: list[Step], jobs: list[Job], shared: Shared) -> None:
    """Refuse to write to a file that a kernel, a pipeline or its weights come from."""
    kinds = {path: kind for step in steps for path, kind in step.sources.items()}
    sources = paths.identities(kinds)
    if not sources:
        return
    written = [("output", target.path) for job in jobs for target in job.targets]
    for option, path in (*written, ("montage", shared.montage), ("report_file", shared.report_file)):
        place = None if path in (None, STANDARD_STREAM) else paths.identity(path)
        if path is not None and place in sources:
            told = f"{printable(path)} is also the {kinds[sources[place]]} of this run; choose another"
            raise ParameterError(option, told)


def _check_report_file(path: str, jobs: list[Job], output: str | None) -> None:
    place = os.path.realpath(path)
    used = [job.source.path for job in jobs] + [target.path or "-" for job in jobs for target in job.targets]
    if any(os.path.realpath(name) == place for name in used if name != STANDARD_STREAM):
        raise ParameterError("report_file", f"{path!r} is also an image of this run")
    if not os.path.isdir(os.path.dirname(place)) and not paths.is_made_for(output, place):
        raise ParameterError("report_file", f"there is no folder {os.path.dirname(path)!r}")
