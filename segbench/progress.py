"""Progress output: a bar or a spinner on a terminal, plain lines elsewhere."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)
from rich.status import Status

from segbench.errors import SegbenchError
from segbench.text import lines

T = TypeVar("T")
Step = Callable[[str], None]

SECONDS_BETWEEN_LINES = 30.0


class Reporter:
    """Prints progress and messages; ``Reporter(quiet=True)`` prints nothing."""

    def __init__(self, quiet: bool = False, log: Path | None = None) -> None:
        self.console = Console(stderr=True, quiet=quiet)
        self.log = log
        self._shown: Status | Progress | None = None

    def say(self, message: str) -> None:
        """Print a line that stays, and append it to ``log``."""
        message = lines(message)
        self.console.print(message, highlight=False, markup=False, soft_wrap=True)
        if self.log is not None:
            try:
                with self.log.open("a", encoding="utf-8") as file:
                    file.write(message + "\n")
            except OSError as error:
                raise SegbenchError(f"{self.log} cannot be written ({error.strerror}).") from error

    def logging_to(self, log: Path) -> "Reporter":
        """The same reporter, with lines also appended to ``log``."""
        return Reporter(self.console.quiet, log)

    def track(self, items: Iterable[T], total: int, what: str) -> Iterator[T]:
        """Yield ``items`` while a bar, or an occasional line, shows the progress."""
        with self.steps(total, what) as step:
            for item in items:
                yield item
                step("")

    @contextmanager
    def working(self, what: str) -> Iterator[None]:
        """A spinner with the text ``what`` until the block ends, on a terminal.

        A nested spinner replaces the text meanwhile; a bar inside replaces the spinner.
        """
        if isinstance(self._shown, Status):
            before = self._shown.status
            self._shown.update(what)
            try:
                yield
            finally:
                self._shown.update(before)
        elif self._shown is None and self._draws():
            with self.console.status(what) as status, self._showing(status):
                yield
        else:
            yield

    @contextmanager
    def steps(self, total: int, what: str, idle: bool = False) -> Iterator[Step]:
        """A function to call after each of ``total`` steps, with a note such as the loss.

        More steps than expected raise the total. ``idle`` draws only at the steps, so that no
        thread disturbs a measurement.
        """
        if not self._draws():
            yield _Lines(self, total, what)
            return
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
        )
        progress = Progress(*columns, console=self.console, transient=True, auto_refresh=not idle)
        bar = progress.add_task(what, total=total, note="")
        done = count(1)

        def step(note: str) -> None:
            now = next(done)
            progress.update(bar, completed=now, total=max(now, total), note=note, refresh=idle)

        with self._showing(progress), progress:
            yield step

    def _draws(self) -> bool:
        return self.console.is_terminal and not self.console.quiet

    @contextmanager
    def _showing(self, shown: Status | Progress) -> Iterator[None]:
        """Show ``shown``; the current spinner, if any, continues afterwards."""
        before, self._shown = self._shown, shown
        if isinstance(before, Status):
            before.stop()
        try:
            yield
        finally:
            self._shown = before
            if isinstance(before, Status):
                before.start()


class _Lines:
    """A line at most every half minute, for logs."""

    def __init__(self, reporter: Reporter, total: int, what: str) -> None:
        self.reporter, self.total, self.what = reporter, total, what
        self.done, self.last = 0, time.monotonic()

    def __call__(self, note: str) -> None:
        self.done += 1
        if time.monotonic() - self.last > SECONDS_BETWEEN_LINES:
            self.last = time.monotonic()
            total = max(self.done, self.total)
            self.reporter.say(f"{self.what}: {self.done}/{total} {note}".rstrip())
