"""The progress bar of a batch, on standard error while that is a terminal."""

import signal

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress as RichProgress, TextColumn, TimeRemainingColumn

from cnnfilter import signals
from cnnfilter.batch.report import Record


class Progress:
    """Files done and failed, images a second, and the time that is left."""

    def __init__(self, total: int) -> None:
        self._bar = RichProgress(
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("[red]{task.fields[failed]}"),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
            redirect_stdout=False,  # a report may stream there
        )
        self._task = self._bar.add_task("", total=total, failed="", rate="")
        self._last_input: str | None = None
        self._failed = 0

    @property
    def console(self) -> Console:
        """Where to print what is to stand above the bar."""
        return self._bar.console

    def start(self) -> None:
        """Show the bar; a signal meanwhile waits, for half a bar could not be taken away again."""
        late: list[int] = []
        before = {n: signal.signal(n, lambda number, _: late.append(number)) for n in signals.heeded()}
        self._bar.start()
        for number, handler in before.items():
            signal.signal(number, handler)
        if late:
            signal.raise_signal(late[0])

    def count(self, record: Record) -> None:
        """Note one record; those of one input count once."""
        self._failed += record.status == "failed"
        task = self._bar.tasks[0]
        advance = int(record.input != self._last_input)
        self._last_input = record.input
        rate = f"{task.speed:.1f} images/s" if task.speed else ""
        failed = f"{self._failed} failed" if self._failed else ""
        self._bar.update(self._task, advance=advance, failed=failed, rate=rate)

    def stop(self) -> None:
        """Take the bar away."""
        self._bar.stop()
