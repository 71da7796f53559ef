"""Files as workers on other machines see them."""

import os
import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from cnnfilter.batch.cluster import chunks
from cnnfilter.batch.paths import Job
from cnnfilter.batch.settings import Settings, Step
from cnnfilter.core.words import printable
from cnnfilter.errors import ParameterError
from cnnfilter.images.temporary import PREFIX

# Output folders in which workers are asked for a file of ours.
PROBES = 8


def unseen_by(host: str) -> str:
    """What is said of a file that this machine sees and a worker does not."""
    return f"the worker on {host} does not see it; files must lie on a file system shared by all workers"


def folder_here() -> str:
    """The current folder by the name that the shell has for it, which is more often the same everywhere."""
    named = os.environ.get("PWD", "")
    with suppress(OSError):
        if os.path.isabs(named) and os.path.samefile(named, "."):
            return named
    return os.getcwd()


def told(jobs: Sequence[Job], steps: Sequence[Step], settings: Settings) -> bytes:
    """Steps and settings for workers.

    Where names of outputs are only known when they are written, they are told which files are inputs. All others were
    compared when the jobs were planned.
    """
    places: dict[int, str] = {}
    if settings.maps == "grid":
        settings = settings._replace(inputs=frozenset())
    else:
        for job in jobs:
            with suppress(OSError):
                places[os.stat(job.source.path).st_dev] = os.path.abspath(job.source.path)
    return chunks.tell([_absolute(step) for step in steps], settings, places)


def _absolute(step: Step) -> Step:
    """The step with its weights wherever the current folder is."""
    pipeline = step.pipeline
    if pipeline.weights is None:
        return step
    return step._replace(pipeline=replace(pipeline, folder=os.path.join(folder_here(), pipeline.folder)))


def check_places(client: Any, jobs: Sequence[Job], steps: Sequence[Step]) -> None:
    """Refuse workers that do not see the first input, the folders for outputs, or the weights.

    Raises:
        ParameterError: names the file and the worker.
    """
    base = folder_here()
    inputs = (job.source.path for job in jobs)
    files = [*islice((path for path in inputs if os.path.exists(path)), 1)]
    for step in map(_absolute, steps):
        if step.pipeline.weights is not None:
            files.append(os.path.join(step.pipeline.folder, step.pipeline.weights))
    with _probes(target.path for job in jobs for target in job.targets) as probes:
        asked = [os.path.join(base, file) for file in [*files, *probes]]
        for host, unseen in client.run(chunks.unseen_of, asked).values():
            for path in unseen:
                name = os.path.dirname(path) if Path(path).name.startswith(PREFIX) else path
                raise ParameterError("cluster", f"{printable(name)}: {unseen_by(host)}")


@contextmanager
def _probes(outputs: Iterable[str | None]) -> Iterator[list[str]]:
    """New files in the folders of outputs, which exist on no other file system; they are gone afterwards."""
    folders = {os.path.dirname(path) or "." for path in outputs if path is not None}
    existing = list(dict.fromkeys(map(_existing, islice(sorted(folders), PROBES))))
    probes = [os.path.join(folder, f"{PREFIX}{secrets.token_hex(8)}") for folder in existing]
    made = []
    try:
        for probe in probes:
            with suppress(OSError):
                Path(probe).touch(exist_ok=False)
                made.append(probe)
        yield made
    finally:
        for probe in probes:
            Path(probe).unlink(missing_ok=True)


def _existing(folder: str) -> str:
    """The folder, or the nearest above it that exists."""
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder) or "."
    return folder
