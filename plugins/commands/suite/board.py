"""The jobs running in parallel on hosts: a live table, or lines without a terminal."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType

from rich.live import Live
from rich.table import Table
from rich.text import Text

from segbench.progress import Reporter
from segbench.text import lines

from .work import Row

WAITING, RUNNING = "waiting", "running"


@dataclass
class Line:
    """A job: "waiting" for a host, "running" on one, or the state of its ``row``."""

    entry: str
    job: str
    reporter: Reporter = field(repr=False)
    host: str = ""
    note: str = ""
    row: Row | None = None

    @property
    def state(self) -> str:
        """The state in a word."""
        return self.row.state if self.row else RUNNING if self.host else WAITING

    def say(self, text: str) -> None:
        """Print a line if there is no table, else show it in the table until the next."""
        self.note = text
        if not self.reporter.console.is_terminal:
            where = f" on {self.host}" if self.host else ""
            self.reporter.say(f"{self.entry}: {self.job}{where}: {text}")

    def end(self, state: str, detail: str) -> None:
        """End the job: done, exists, or failed."""
        self.row = Row(self.entry, self.job, state, detail)
        if state != "exists":
            self.reporter.say(f"{self.entry}: {self.job}: {state}, {detail}")


class Board:
    """Shown within ``with``; ``labels`` are those of the entries in order."""

    def __init__(self, labels: Sequence[str], reporter: Reporter) -> None:
        self.labels, self.reporter = list(labels), reporter
        self.lines: list[Line] = []
        self._live = Live(
            get_renderable=self._table,
            console=reporter.console,
            refresh_per_second=2,
            transient=True,
        )

    def line(self, entry: str, job: str) -> Line:
        """Add a line."""
        self.lines.append(Line(entry, job, self.reporter))
        return self.lines[-1]

    @property
    def rows(self) -> list[Row]:
        """The rows of ended jobs, in the order of the entries."""
        ended = [line.row for line in self.lines if line.row]
        return sorted(ended, key=lambda row: self.labels.index(row.entry))

    def __enter__(self) -> "Board":
        if self.reporter.console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def _table(self) -> Table:
        """The running jobs, and the numbers of waiting and ended ones."""
        states = [line.state for line in self.lines]
        counts = ", ".join(f"{states.count(each)} {each}" for each in dict.fromkeys(states))
        table = Table("entry", "job", "host", "", box=None, padding=(0, 2, 0, 0), caption=counts)
        for line in self.lines:
            if line.state == RUNNING:
                cells = (line.entry, line.job, line.host, line.note)
                table.add_row(*(Text(lines(cell)) for cell in cells))
        return table
