"""The jobs of a run, one after the other, and their records as a stream."""

import time
from collections.abc import Callable, Iterable
from typing import IO

from cnnfilter.batch.paths import Job
from cnnfilter.batch.process import process
from cnnfilter.batch.report import Record, Totals
from cnnfilter.batch.settings import Settings, Step


def run(
    jobs: Iterable[Job],
    steps: list[Step],
    settings: Settings,
    receive: Callable[[Record], None],
    stream: IO[bytes] | None = None,
) -> Totals:
    """Do all jobs, hand every record to `receive` in the order of the inputs, and return the totals."""
    started = time.perf_counter()
    totals = Totals()
    for job in jobs:
        for index, record in enumerate(process(job, steps, settings, stream)):
            totals.add(record, first_of_input=index == 0)
            receive(record)
    totals.seconds = time.perf_counter() - started
    return totals
