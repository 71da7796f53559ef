"""What a task on a Dask cluster costs, and the command's memory: `python tests/benchmarks/cluster_tasks.py [IMAGES]`.

A scheduler and two workers are started on this machine. A stand-in takes the place of reading, filtering and writing,
so that what is left is the way there and back: of tasks of one image, and of a million names in tasks of many, which
are made up as they are needed. At the end it says what the measured costs mean for 10, 100 and 1,000 workers.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from cnnfilter.batch import runner
from cnnfilter.batch.cluster import executor
from cnnfilter.batch.cluster.connection import connection
from cnnfilter.batch.cluster.places import told
from cnnfilter.batch.paths import Job, Source, Target
from cnnfilter.batch.settings import Settings, Step
from cnnfilter.images.formats import PNG
from cnnfilter.model.activations import Relu
from cnnfilter.model.pipeline import Pipeline

if TYPE_CHECKING:
    from cnnfilter.batch.report import Record

SMALL_TASKS = 2000
STEPS = [Step("pipeline", "pipeline", Pipeline((Relu(),)))]
SECONDS_AN_IMAGE = 0.02  # of a photograph of a megapixel


class Names(Sequence[Job]):
    """So many jobs, which take no memory."""

    def __init__(self, count: int) -> None:
        self.length = count

    def __len__(self) -> int:
        return self.length

    @overload
    def __getitem__(self, index: int) -> Job: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Job]: ...
    def __getitem__(self, index: int | slice) -> Job | Sequence[Job]:
        if isinstance(index, slice) or index >= self.length:
            raise IndexError(index)
        name = f"{index // 1000:05}/{index:08}.png"
        return Job(Source(f"in/{name}", "in"), (Target(f"out/{name}", PNG),))


def stand_in() -> None:
    """Called in every worker: images are neither read nor written."""
    import cnnfilter.batch.process as module
    from cnnfilter.batch.report import Record, shape_fields

    def process(job: Job, steps: list[Step], settings: Settings) -> list[Record]:
        shapes = shape_fields((768, 1024, 3), (768, 1024, 3))
        kept: dict[str, Any] = {"kernel": "sobel-v", "kernel_shape": (3, 3), "output_bytes": 123456, "seconds": 0.001}
        return [Record(job.source.path, job.targets[0].path, "ok", "convolve", **kept, **shapes)]

    module.process = process
    import os

    os.path.lexists = lambda path: True


@contextlib.contextmanager
def cluster_by_hand() -> Iterator[str]:
    """A scheduler and two workers, each a process; gives the address."""
    tool = [sys.executable, "-m", "dask"]
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": "/"}
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        file = Path(folder) / "scheduler.json"
        common = ["--scheduler-file", str(file), "--no-dashboard"]
        scheduler = [*tool, "scheduler", "--host", "127.0.0.1", "--port", "0", *common]
        worker = [*tool, "worker", "--nthreads", "1", "--no-nanny", "--local-directory", folder, *common]
        for command in (scheduler, worker, worker):
            process = stack.enter_context(subprocess.Popen(command, **quiet))
            stack.callback(process.kill)
            while not file.exists():
                time.sleep(0.05)
        yield json.loads(file.read_text())["address"]


def resident() -> float:
    """Megabytes of memory that this process has now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6


def measure(client: Any, count: int, most: int, *, show: bool = False) -> tuple[float, float, float, int]:
    """Seconds, processor seconds of scheduler and command, and tasks, for `count` images, `most` in a task."""
    executor.MOST = most
    settings = Settings()
    cluster = executor.Cluster(client, "benchmark", STEPS, settings, told([], STEPS, settings))
    done = 0

    def receive(record: Record) -> None:
        nonlocal done
        done += 1
        if show and done % (count // 10) == 0:
            print(f"  {done:>9} images {time.perf_counter() - started:7.1f} s {resident():7.1f} MB", flush=True)

    before, ours = client.run_on_scheduler(time.process_time), time.process_time()
    started = time.perf_counter()
    totals = runner.run(Names(count), STEPS, settings, receive, cluster=cluster)
    seconds = time.perf_counter() - started
    assert (totals.done, totals.failed, done) == (count, 0, count)
    spent = client.run_on_scheduler(time.process_time) - before
    return seconds, spent, time.process_time() - ours, next(cluster._count)


def main() -> None:
    """Measure, and print what came."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("images", nargs="?", type=int, default=1_000_000)
    images = parser.parse_args().images
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the cluster ends with this
    with cluster_by_hand() as address, connection(address, 2) as (client, _):
        client.wait_for_workers(2)
        client.run(stand_in)
        measure(client, 200, 1)  # warm up
        seconds, scheduler, ours, tasks = measure(client, SMALL_TASKS, 1)
        task = (scheduler / tasks, ours / tasks)
        print(f"{tasks} tasks of an image: {seconds / tasks * 1e3:.2f} ms each; processor time of the scheduler")
        print(f"{task[0] * 1e3:.2f} ms, of the command {task[1] * 1e3:.2f} ms", flush=True)
        print(f"{images} names, {resident():.1f} MB before:")
        seconds, _, ours, tasks = measure(client, images, 1000, show=True)
        image = (ours - tasks * task[1]) / images
        print(
            f"{tasks} tasks, {images / seconds:.0f} images/s; processor time of the command {image * 1e6:.0f} us each"
        )
    print(f"images a second at {SECONDS_AN_IMAGE * 1e3:.0f} ms an image, and what leaves scheduler and command busy:")
    for workers in (10, 100, 1000):
        span = max(executor.SPAN, workers * executor.TURN)
        chunk = min(1000, span / SECONDS_AN_IMAGE)
        rate = workers / SECONDS_AN_IMAGE
        busy = (rate / chunk * task[0], rate / chunk * task[1] + rate * image)
        print(f"  {workers:>5} workers {rate:>7.0f}/s: scheduler {busy[0]:.0%}, command {busy[1]:.0%}")


if __name__ == "__main__":
    main()
