"""From `--cluster ADDRESS` to a connected Dask client: a scheduler elsewhere, or workers started on this machine."""

import json
import logging
import multiprocessing
import re
import shutil
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

from cnnfilter import signals
from cnnfilter.errors import ParameterError

Value = TypeVar("Value")

# Seconds until a scheduler that does not answer is given up, with loading Dask, and a cluster that has no workers.
PATIENCE = 8.0
# Seconds that taking leave may last.
GRACE = 1.0
# What has to be the same everywhere, and how much of its version: results and what is sent depend on them.
ALIKE = {"cnnfilter": None, "python": 2, "numpy": 2, "pillow": 2, "distributed": 2}

_FITTING = "tcp://HOST:PORT, a scheduler file, or local:N fits"


def parse(address: str) -> int | str:
    """The number of workers to start for `local:N`, otherwise where the scheduler is.

    >>> parse("local:4"), parse("tcp://10.0.0.1:8786")
    (4, 'tcp://10.0.0.1:8786')

    Raises:
        ParameterError: neither, and no scheduler file.
    """
    if address.startswith("local:"):
        count = address.removeprefix("local:")
        if not re.fullmatch("0*[1-9][0-9]{0,5}", count):
            raise ParameterError("cluster", f"{address!r} starts no worker; local:4 starts four on this machine")
        return int(count)
    if "://" in address:
        port = re.fullmatch(r"(?:tcp|tls|ws|wss)://[^/\s]+:(\d{1,5})", address)
        if port is None or not 0 < int(port[1]) < 65536:
            raise ParameterError("cluster", f"{address!r} is no address; {_FITTING}")
        return address
    try:
        return parse_told(Path(address).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        why = "is no scheduler file" if Path(address).is_file() else "does not exist"
        raise ParameterError("cluster", f"{address!r} {why}; {_FITTING}") from error


def parse_told(content: str) -> str:
    """The address in a scheduler file.

    >>> parse_told('{"type": "Scheduler", "address": "tcp://10.0.0.1:8786"}')
    'tcp://10.0.0.1:8786'

    Raises:
        ValueError: there is none.
    """
    told = json.loads(content)
    address = told.get("address") if isinstance(told, dict) else None
    if not isinstance(address, str) or "://" not in address:
        raise ValueError("no address")
    return address


@contextmanager
def connection(place: int | str, most: int) -> Iterator[tuple[Any, Callable[[], bool]]]:
    """(a Dask client, what kills the workers that were started for it and says whether there are any).

    Workers that are started here are no more than `most`, and end with the connection.

    Raises:
        ParameterError: Dask is missing, or no scheduler or worker answers.
    """
    until = time.monotonic() + PATIENCE
    try:
        distributed: Any = import_module("distributed")
    except ImportError as error:
        raise ParameterError("cluster", "needs an extra: pip install 'cnnfilter[cluster]'") from error
    logging.disable(logging.CRITICAL)  # Dask tells standard error much, some of it after the end; we tell what matters
    warnings.simplefilter("ignore")
    sys.warnoptions[:] = ["ignore"]  # of processes that are started
    if isinstance(place, int):
        with _started(distributed, min(place, most)) as (client, kill):
            yield client, kill
        return
    client = _connected(distributed, place, until)
    try:
        yield client, lambda: False
    finally:
        with suppress(Exception):  # with it go the tasks that were not begun
            aside(client.close, GRACE)


def _connected(distributed: Any, address: str, until: float) -> Any:
    """A client of the scheduler at an address, which has workers."""
    seconds = max(1.0, until - time.monotonic())
    try:
        client = aside(lambda: distributed.Client(address, timeout=seconds, set_as_default=False), seconds + 0.5)
    except Exception as error:
        raise ParameterError("cluster", f"no scheduler answers at {address} (within {PATIENCE:.0f} seconds)") from error
    try:
        aside(lambda: client.wait_for_workers(1, timeout=PATIENCE), PATIENCE + 1)
    except Exception as error:
        with suppress(Exception):
            aside(client.close, GRACE)
        raise ParameterError("cluster", f"{address} has no workers; `dask worker {address}` starts one") from error
    return client


@contextmanager
def _started(distributed: Any, count: int) -> Iterator[tuple[Any, Callable[[], bool]]]:
    """A client of `count` worker processes of our own; nothing of them is left behind."""
    folder = tempfile.mkdtemp(prefix="cnnfilter-")
    cluster: Any = None

    def kill() -> bool:
        for nanny in cluster.workers.values() if cluster is not None else ():
            nanny.close_gracefully()  # it starts no new worker
        processes = multiprocessing.active_children()
        for process in processes:
            process.kill()
        until = time.monotonic() + GRACE
        while any(process.is_alive() for process in processes) and time.monotonic() < until:
            time.sleep(0.005)
        return True

    signals.start_tracker()
    try:
        cluster = aside(lambda: _local(distributed, folder))
        client = aside(lambda: distributed.Client(cluster, set_as_default=False))
        aside(lambda: (cluster.scale(count), client.wait_for_workers(count)))
        yield client, kill
        aside(client.close, 10 * GRACE)
        aside(cluster.close, 10 * GRACE)
    finally:
        kill()
        shutil.rmtree(folder, ignore_errors=True)


def _local(distributed: Any, folder: str) -> Any:
    import_module("dask").config.set({"temporary-directory": folder, "distributed.worker.profile.enabled": False})
    return distributed.LocalCluster(
        n_workers=0,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        memory_limit=0,
        local_directory=folder,
        silence_logs=logging.CRITICAL + 1,
        preload=["cnnfilter.batch.cluster.chunks"],
    )


def check_versions(client: Any) -> None:
    """Refuse a scheduler or workers that are not what this process is.

    Raises:
        ParameterError: names the first that differs, and both versions.
    """
    told = client.get_versions(check=False, packages=[*ALIKE])
    ours = told["client"]["packages"]
    everyone = {"the scheduler": told["scheduler"]} | {f"the worker {at}": it for at, it in told["workers"].items()}
    for who, versions in everyone.items():
        theirs = (versions or {}).get("packages") or {}
        for package, parts in ALIKE.items():
            if _cut(theirs.get(package), parts) != _cut(ours.get(package), parts):
                has = f"{package} {theirs[package]}" if theirs.get(package) else f"no {package}"
                here = ours.get(package) or "none"
                raise ParameterError("cluster", f"{who} has {has}, this command {here}; install the same everywhere")


def _cut(version: str | None, parts: int | None) -> list[str]:
    return (version or "").split(".")[:parts]


def aside(function: Callable[[], Value], seconds: float | None = None) -> Value:
    """Call a function in a thread of its own, where signals are blocked, and in all that it starts.

    So they reach this thread at once, and a Ctrl-C in the terminal does not reach workers that we start.

    Raises:
        TimeoutError: it takes longer than `seconds`; it goes on.
    """
    results: list[Value] = []
    errors: list[BaseException] = []

    def call() -> None:
        signals.block()
        try:
            results.append(function())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise TimeoutError
    if errors:
        raise errors[0]
    return results[0]
