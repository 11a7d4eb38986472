"""``segbench suite``: everything defined in a file, from trainings to the leaderboard page."""

import os
import sys
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.table import Table

from segbench.cli.terminal import Console, echo
from segbench.errors import InterruptedRun, SegbenchError
from segbench.files import check_writable, draft_of
from segbench.plugins import Registry
from segbench.progress import Reporter
from segbench.text import counted

from ..evaluate import evaluate
from ..latency import latency
from ..leaderboard.command import leaderboard
from ..run import HUGE_PAGES, run
from .cluster import check_address

if TYPE_CHECKING:
    from .work import Row


@click.command()
@click.argument("file", default="suite.toml", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Show done and missing jobs, and how long.")
@click.option("--init", is_flag=True, help="Write a commented example to a new FILE.")
@click.option(
    "--on",
    "address",
    metavar="ray|ray://HOST:PORT",
    help="Run jobs on the hosts of a Ray cluster; ray: the one of $RAY_ADDRESS or this machine.",
)
@click.pass_context
def suite(ctx: click.Context, file: Path, dry_run: bool, init: bool, address: str | None) -> None:
    """Train, score, export, time and rank everything in a TOML FILE (default: suite.toml).

    Each network is trained as by segbench run, or is an existing checkpoint; each checkpoint is
    scored and timed on the runtimes in the file, one job after the other. Jobs with a record are
    skipped, so the same command continues after an interrupt; INVALID latencies are measured again.
    Failures are rows of the summary, and the exit code is then 1.
    """
    if init:
        _write_example(file)
        return
    if address is not None and not dry_run:
        check_address(address)
    unset = () if HUGE_PAGES in os.environ or "torch" in sys.modules else (HUGE_PAGES,)
    for name in unset:
        os.environ[name] = "1"
    from .context import Context
    from .file import read_suite
    from .work import work

    registry: Registry = ctx.obj
    commands = {"run": run, "evaluate": evaluate, "latency": latency}
    asked = read_suite(file, commands, registry)
    if not dry_run:
        check_writable(asked.results, "results")
        for name, folder in asked.written().items():
            check_writable(folder, name)
    reporter = Reporter()
    context = Context(asked.results, registry, reporter, unset)
    rows: list[Row] = []
    try:
        if address is not None and not dry_run:
            from .board import Board
            from .on_ray import work_on_ray

            board = Board([entry.label for entry in asked.entries], reporter)
            try:
                work_on_ray(asked, context, address, board)
            finally:
                rows = board.rows
        else:
            for row in work(asked, context, dry_run):
                rows.append(row)
                if row.state in ("done", "failed"):
                    reporter.say(f"{row.entry}: {row.job}: {row.state}, {row.detail}")
    except (InterruptedRun, KeyboardInterrupt):
        _print_rows(rows)
        raise InterruptedRun("Interrupted; run the same command to continue.") from None
    _print_rows(rows)
    if dry_run:
        _print_plan(rows)
    elif asked.page is not None and any(row.state != "failed" for row in rows):
        ctx.invoke(leaderboard, results=asked.results, form="html", output=asked.page)
        echo(asked.page)
    if failed := sum(row.state == "failed" for row in rows):
        raise SegbenchError(f"{failed} of {counted(len(rows), 'job')} failed (see above).")


def _write_example(file: Path) -> None:
    if file.exists():
        raise SegbenchError(f"{file} exists; name another FILE.")
    example = files(__package__).joinpath("example.toml").read_text(encoding="utf-8")
    with draft_of(file) as draft:
        draft.write_text(example, encoding="utf-8")
    echo(f"{file}: try segbench suite {file} --dry-run")


def _print_rows(rows: Sequence["Row"]) -> None:
    table = Table("entry", "job", "state", box=None, padding=(0, 2, 0, 0))
    table.add_column(overflow="fold")
    for row in rows:
        table.add_row(row.entry, row.job, row.state, ", ".join(filter(None, _details(row))))
    Console().print(table)


def _details(row: "Row") -> Sequence[str]:
    if row.state != "missing":
        return [row.detail]
    return [row.detail, "unknown time" if row.seconds is None else f"about {_time(row.seconds)}"]


def _print_plan(rows: Sequence["Row"]) -> None:
    missing = [row for row in rows if row.state == "missing"]
    known = [row.seconds for row in missing if row.seconds is not None]
    exist = sum(row.state == "exists" for row in rows)
    echo(f"{counted(exist, 'job')} done, {len(missing)} missing.")
    if known:
        echo(f"{counted(len(known), 'job')} of these take about {_time(sum(known))}, by records.")


def _time(seconds: float) -> str:
    """ "1 h 05 min", "3 min" or "40 s"."""
    minutes = round(seconds / 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60:02} min"
    return f"{minutes} min" if seconds >= 90 else f"{seconds:.0f} s"
