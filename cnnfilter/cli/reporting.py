"""Where records go while a run lasts: a table at the end, JSON Lines or CSV at once, errors to standard error."""

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

from cnnfilter.batch.report import Record, Totals, csv_header, csv_line, json_line
from cnnfilter.cli.options import Shared
from cnnfilter.cli.stderr import complain
from cnnfilter.errors import FileError, ParameterError
from cnnfilter.images import temporary

if TYPE_CHECKING:
    from cnnfilter.cli.gallery import Gallery
    from cnnfilter.cli.progress import Progress

MOST_ROWS = 50
_BY_SUFFIX = {".json": "json", ".jsonl": "json", ".ndjson": "json", ".csv": "csv", ".txt": "table"}


class Reporter:
    """Receives the records of a run and reports them in one format to one stream.

    A table lists up to 50 rows; of longer runs the failures and the totals.
    """

    def __init__(
        self, form: str, stream: TextIO, operation: str, *, is_batch: bool, quiet: bool, file: str | None = None
    ) -> None:
        self.form, self.stream, self.operation = form, stream, operation
        self.is_batch, self.quiet, self.file = is_batch, quiet, file
        self.is_broken = False
        self.verbose = self.is_dry = False
        self.progress: Progress | None = None
        self.gallery: Gallery | None = None
        self.rows: list[Record] = []
        self.failures: list[Record] = []
        self.count = 0
        self.total = self.inputs = 0  # images of the run, and those that were told of
        self._last_input: str | None = None

    @classmethod
    def of(cls, shared: Shared, operation: str, *, is_batch: bool, to_stderr: bool) -> "Reporter":
        """The reporter that the options ask for; `to_stderr` where images go to standard output.

        Raises:
            ParameterError: the file of the report names no format, another one than `--report`, or cannot be opened.
        """
        if shared.report_file is None:
            stream: TextIO | None = sys.stderr if to_stderr else sys.stdout
            if stream is None:  # closed
                if shared.report not in (None, "none"):
                    raise FileError("standard output", "is closed, there is no room for the report; --report-file has")
                return cls("none", io.StringIO(), operation, is_batch=is_batch, quiet=True)
            form = shared.report or ("none" if shared.quiet else "table")
            return cls(form, stream, operation, is_batch=is_batch, quiet=shared.quiet)
        by_suffix = _BY_SUFFIX.get(os.path.splitext(shared.report_file)[1].lower())
        named = by_suffix or shared.report
        if by_suffix and shared.report not in (None, "none", by_suffix):
            raise ParameterError(
                "report", f"{shared.report}, but the suffix of --report-file {shared.report_file!r} says {by_suffix}"
            )
        if named is None or named == "none":
            raise ParameterError(
                "report_file",
                f"the suffix of {shared.report_file!r} names no report; {' '.join(_BY_SUFFIX)} do, or --report",
            )
        try:
            os.makedirs(os.path.dirname(os.path.realpath(shared.report_file)), exist_ok=True)
            file = open(_unfinished(shared.report_file), "w", encoding="utf-8")  # noqa: SIM115 - closed by __exit__
        except OSError as error:
            raise ParameterError("report_file", f"{shared.report_file!r}: {error.strerror}") from error
        return cls(named, file, operation, is_batch=is_batch, quiet=shared.quiet, file=shared.report_file)

    def __enter__(self) -> "Reporter":
        with contextlib.ExitStack() as stack:
            stack.push(self)  # tidies up where not even the header can be written
            if self.form == "csv":
                self._write(csv_header(self.operation))
            stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.progress is not None:
            self.progress.stop()
        if isinstance(error, BaseException) and not isinstance(error, Exception) and self.total > 1:
            error.add_note(f"after {self.inputs} of {self.total} images; -n goes on with the rest")
        if self.file is not None:
            with contextlib.suppress(FileError) if error else contextlib.nullcontext():
                self._close(self.file, keep=not (self.is_broken or isinstance(error, ParameterError)))

    def _close(self, file: str, *, keep: bool) -> None:
        """Put the report in the place of the file before, also that of a run which was interrupted; else remove it."""
        unfinished, target = self.stream.name, os.path.realpath(file)
        try:
            with self._telling():
                self.stream.close()
                if keep and unfinished != target:
                    if os.path.exists(target):
                        import shutil

                        shutil.copymode(target, unfinished)
                    os.replace(unfinished, target)
        finally:
            if unfinished != target:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(unfinished)

    def receive(self, record: Record) -> None:
        """Report one record, or keep it for the table; say an error on standard error at once."""
        self.count += 1
        self.inputs += record.input != self._last_input
        self._last_input = record.input
        if self.progress is not None:
            self.progress.count(record)
        self._say(record)
        if self.gallery is not None:
            self.gallery.receive(record)
        if self.form == "json":
            self._write(json_line(record.as_dict()))
        elif self.form == "csv":
            self._write(csv_line(record, self.operation, is_shown=self.file is None and self.stream.isatty()))
        elif self.form == "table":
            if len(self.rows) <= MOST_ROWS:
                self.rows.append(record)
            if record.status == "failed" and len(self.failures) < MOST_ROWS:
                self.failures.append(record)

    def _say(self, record: Record) -> None:
        """What standard error tells of a record: its error, or warnings that no report shows."""
        if record.status == "failed":
            complain(f"{record.input}: {record.error}")
            if self.verbose and record.trace:
                sys.stderr.write(record.trace)
        elif self.form == "none" and not self.quiet:
            for warning in record.warnings:
                complain(f"{record.input}: warning: {warning}")

    def finish(self, totals: Totals) -> None:
        """Report the totals of a batch, and the table."""
        if self.progress is not None:
            self.progress.stop()
        if self.gallery is not None:
            self.gallery.finish()
        if totals.left:
            complain(f"stopped, since nothing more can be written: {totals.left} images are left")
        if self.form == "json" and self.is_batch:
            self._write(json_line(totals.as_dict()))
        elif self.form == "table":
            from cnnfilter.cli import show

            rows = self.rows if self.count <= MOST_ROWS else self.failures
            with self._telling():
                show.records(rows, totals if self.is_batch else None, self.stream, is_dry=self.is_dry)
                self.stream.flush()

    def _write(self, line: str) -> None:
        with self._telling():
            self.stream.write(line)
            self.stream.flush()

    @contextlib.contextmanager
    def _telling(self) -> Iterator[None]:
        """An error of writing names the stream."""
        try:
            yield
        except BrokenPipeError:
            raise
        except OSError as error:
            self.is_broken = True
            raise FileError(
                self.file or "standard output", f"the report cannot be written: {error.strerror}"
            ) from error


def _unfinished(file: str) -> str:
    """Where a report is written until it is complete; a device or pipe cannot be replaced."""
    target = os.path.realpath(file)
    return target if os.path.exists(target) and not os.path.isfile(target) else temporary.beside(target)
