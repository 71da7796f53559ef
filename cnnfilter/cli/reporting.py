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

if TYPE_CHECKING:
    from cnnfilter.cli.gallery import Gallery
    from cnnfilter.cli.progress import Progress

MOST_ROWS = 50
_BY_SUFFIX = {".json": "json", ".jsonl": "json", ".ndjson": "json", ".csv": "csv", ".txt": "table"}


class Reporter:
    """Receives the records of a run and reports them in one format to one stream.

    A table lists up to 50 rows; of longer runs the failures and the totals.
    """

    def __init__(self, form: str, stream: TextIO, *, is_batch: bool, quiet: bool, is_file: bool = False) -> None:
        self.form, self.stream, self.is_batch, self.quiet, self.is_file = form, stream, is_batch, quiet, is_file
        self.verbose = False
        self.progress: Progress | None = None
        self.gallery: Gallery | None = None
        self.rows: list[Record] = []
        self.failures: list[Record] = []
        self.count = 0
        if form == "csv":
            stream.write(csv_header())

    @classmethod
    def of(cls, shared: Shared, *, is_batch: bool, to_stderr: bool) -> "Reporter":
        """The reporter that the options ask for; `to_stderr` where images go to standard output."""
        if shared.report_file is None:
            stream: TextIO | None = sys.stderr if to_stderr else sys.stdout
            if stream is None:  # closed
                return cls("none", io.StringIO(), is_batch=is_batch, quiet=True)
            return cls(
                shared.report or ("none" if shared.quiet else "table"), stream, is_batch=is_batch, quiet=shared.quiet
            )
        by_suffix = _BY_SUFFIX.get(os.path.splitext(shared.report_file)[1].lower())
        form = by_suffix or shared.report
        if form is None or form == "none":
            raise ParameterError(
                "report_file", f"the suffix of {shared.report_file!r} names no report; .json .csv .txt do, or --report"
            )
        try:
            file = open(shared.report_file, "w", encoding="utf-8")  # noqa: SIM115 - closed by __exit__
        except OSError as error:
            raise ParameterError("report_file", f"{shared.report_file!r}: {error.strerror}") from error
        return cls(form, file, is_batch=is_batch, quiet=shared.quiet, is_file=True)

    def __enter__(self) -> "Reporter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.progress is not None:
            self.progress.stop()
        if self.is_file:
            with contextlib.suppress(OSError) if error else contextlib.nullcontext():
                self.stream.close()

    def receive(self, record: Record) -> None:
        """Report one record, or keep it for the table; say an error on standard error at once."""
        self.count += 1
        if self.progress is not None:
            self.progress.count(record)
        self._say(record)
        if self.gallery is not None:
            self.gallery.receive(record)
        if self.form == "json":
            self._write(json_line(record.as_dict()))
        elif self.form == "csv":
            self._write(csv_line(record))
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
                show.records(rows, totals if self.is_batch else None, self.stream)
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
            name = self.stream.name if self.is_file else "standard output"
            raise FileError(str(name), f"the report cannot be written: {error.strerror}") from error
