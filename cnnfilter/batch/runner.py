"""The jobs of a run, one after the other, and their records as a stream."""

import time
from collections.abc import Callable, Sequence
from typing import IO

from cnnfilter.batch.paths import Job
from cnnfilter.batch.process import process
from cnnfilter.batch.report import Record, Totals
from cnnfilter.batch.settings import Settings, Step


def run(
    jobs: Sequence[Job],
    steps: list[Step],
    settings: Settings,
    receive: Callable[[Record], None],
    stream: IO[bytes] | None = None,
) -> Totals:
    """Do all jobs, hand every record to `receive` in the order of the inputs, and return the totals.

    A failure that would meet all that follow, as a full disk, ends the run.
    """
    started = time.perf_counter()
    totals = Totals()
    for number, job in enumerate(jobs, 1):
        is_final = False
        for index, record in enumerate(process(job, steps, settings, stream)):
            totals.add(record, first_of_input=index == 0)
            receive(record)
            is_final = is_final or record.is_final
        if is_final:
            totals.left = len(jobs) - number
            break
    totals.seconds = time.perf_counter() - started
    return totals
