"""The montage of a run: which images it shows, what came of them, and its file."""

import os
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from cnnfilter.batch.outputs import write
from cnnfilter.batch.paths import Job, check_folder, identities, identity, is_made_for
from cnnfilter.batch.report import Record
from cnnfilter.core.vocabulary import STANDARD_STREAM
from cnnfilter.core.words import printable
from cnnfilter.errors import ParameterError
from cnnfilter.images import formats
from cnnfilter.images.encoding import WriteOptions
from cnnfilter.images.image import Image

if TYPE_CHECKING:
    from cnnfilter.images.montage import Exhibit

MOST_INPUTS = 12
# One input is shown about so high; several together so high, but each of them at least so.
ONE_HEIGHT, ALL_HEIGHT, LEAST_HEIGHT = 1450, 3000, 256


class Montage:
    """One picture of the first images of a run.

    `jobs` are those of the run with their share of its height. `report_file` is a file that is written besides,
    `output` where the results go; with `maps_apart` files of single maps are, too.

    Raises:
        ParameterError: no format, no folder, or a file that the run reads or writes.
    """

    def __init__(
        self,
        path: str,
        jobs: Sequence[Job],
        report_file: str | None = None,
        output: str | None = None,
        *,
        maps_apart: bool = False,
    ) -> None:
        self.path, self.count = path, len(jobs)
        self._format = _checked(path, jobs, report_file, maps_apart)
        place = os.path.realpath(path)
        check_folder(os.path.dirname(place), "montage", may_be_made=is_made_for(output, place))
        height = min(ONE_HEIGHT, max(LEAST_HEIGHT, ALL_HEIGHT // len(jobs)))
        self.jobs = [job._replace(height=height * (index < MOST_INPUTS)) for index, job in enumerate(jobs)]
        self._exhibits: list[Exhibit] = []

    def passing(self, receive: Callable[[Record], None]) -> Callable[[Record], None]:
        """A receiver of records that keeps what the montage shows of them, and hands on the rest."""

        def keep(record: Record) -> None:
            if record.exhibit is not None:
                self._exhibits.append(record.exhibit)
                record = record._replace(exhibit=None)
            receive(record)

        return keep

    def write(self, options: WriteOptions) -> tuple[int, int]:
        """Write the picture, if there is anything to show; returns (inputs that could be on it, all inputs).

        Raises:
            FileError: it cannot be written.
        """
        if not self._exhibits:
            return self.count, self.count
        from cnnfilter.images.montage import drawn, joined, layout

        sheet = layout(self._exhibits)
        write(self.path, Image(drawn(sheet)), self._format, options)
        left_out = len(joined(self._exhibits)) - sheet.rows
        return min(self.count, MOST_INPUTS) - left_out, self.count


def _checked(path: str, jobs: Sequence[Job], report_file: str | None, maps_apart: bool) -> formats.Format:
    """The format of the montage, when nothing is in its way."""
    if path == STANDARD_STREAM:
        raise ParameterError("montage", "is written to a file, not to standard output; name one, as in sheet.png")
    file_format, place, shown = formats.for_output(path, "montage"), os.path.realpath(path), printable(path)
    if os.path.isdir(path):
        raise ParameterError("montage", f"{shown} is a folder; name a file, as in sheet.png")
    if identity(path) in identities(job.source.path for job in jobs):
        raise ParameterError("montage", f"{shown} is also an input; choose another")
    named = {target.path for job in jobs for target in job.targets} | {report_file}
    written = {os.path.realpath(name) for name in named if name not in (None, STANDARD_STREAM)}
    map_of = _without_number(place) if maps_apart else place
    if place in written or map_of in written:
        raise ParameterError("montage", f"{shown} is also an output of this run; choose another")
    return file_format


def _without_number(path: str) -> str:
    """The output that a file of a single map belongs to.

    >>> _without_number("out/cat.07.png"), _without_number("cat.png")
    ('out/cat.png', 'cat.png')
    """
    return re.sub(r"\.\d+(\.[^./]*)$", r"\1", path)
