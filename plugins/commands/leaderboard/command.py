"""``segbench leaderboard``: rank records."""

import os
import shutil
import sys
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from segbench import api
from segbench.analysis.rank import tables_of
from segbench.cli import options
from segbench.cli.terminal import echo
from segbench.errors import RecordError, SegbenchError
from segbench.files import draft_of
from segbench.plugins import Registry
from segbench.records.frame import read_frame
from segbench.records.provenance import devices_here
from segbench.records.record import Record, read_record, without_collector
from segbench.text import printable

from .formats import FORMATS, as_table
from .page import leaderboard_page

ENDINGS = {".csv": "csv", ".json": "json", ".md": "markdown", ".html": "html"}


@click.command()
@options.results
@click.option(
    "--format",
    "form",
    type=click.Choice([*FORMATS, "html"]),
    help="csv and json have every column; html is a page with plots that works offline. By "
    "default a table, or what the ending of --output says.",
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write instead of the terminal, such as board.csv, .json, .md or .html.",
)
@click.option(
    "--where",
    multiple=True,
    metavar="CONDITION",
    help="Show only rows where a column has a value, such as 'runtime=onnx-int8'; "
    "also !=, <, <=, >, >=. Repeatable: all must hold.",
)
@click.option("--here", is_flag=True, help="Show only latencies of this machine's devices.")
@click.option("--max-ms", type=options.FiniteRange(min=0), help="Show rows with p50 up to this.")
@click.option(
    "--min-score", type=options.FiniteRange(0, 1), help="Show rows with at least this score."
)
@click.option(
    "--pareto",
    is_flag=True,
    help="Show rows that no other row beats in both score and latency; INVALID ones do not count.",
)
@click.option(
    "--best",
    is_flag=True,
    help="Show the first row of each table only: the best score, or the first by --sort. With "
    "--sort or --max-ms, INVALID latencies do not count.",
)
@click.option("--sort", metavar="COLUMN", help="Sort each table by a column, best first.")
@click.pass_obj
@without_collector()
def leaderboard(
    registry: Registry,
    results: Path,
    form: str | None,
    output: Path | None,
    here: bool,
    **selection: Any,
) -> None:
    """Rank the records of a results folder, best score first for each dataset.

    Networks whose scores differ only by noise share a rank, the fastest of those with a VALID
    latency first. Scores of another split or label scale, networks trained on another dataset, and
    latencies of another device have separate tables. Records made with --limit are shown without a
    rank. Files that are not records are reported and skipped, and the exit code is then 1.

    The fastest of the most accurate networks within 20 ms on this machine, for each dataset:

    \b
        segbench leaderboard --here --where runtime=onnx-int8 --max-ms 20 --best

    Columns for --where and --sort are those of the CSV, or the headers of numbers.
    """
    form = form or _format_of(output)
    if results.is_file():
        raise SegbenchError(f"--results {results} is a file; name the folder of the records.")
    frame, problems = read_frame(results)
    for problem in problems:
        click.echo(f"Warning: {printable(problem)}", err=True)
    if frame.empty:
        raise SegbenchError(
            f"There is no record in {results}: make one with `segbench run --backbone "
            f"{registry.default_backbone().name} --dataset {registry.self_made_dataset().name} "
            f"--weights none --results {results}`, or name another --results."
        )
    rows = api.leaderboard(frame, devices=devices_here() if here else None, **selection)
    dates = frame["started_at"]
    del frame  # large for many records
    if rows.empty:
        raise SegbenchError(
            "No row fits these conditions; see all rows without them. With --pareto, and with "
            "--best by latency, INVALID latencies do not count."
        )
    if form == "html":
        text = leaderboard_page(rows, partial(_record, results), dates, _url(results, output))
    elif form == "table" and output is None and sys.stdout.isatty():
        text = as_table(tables_of(rows), shutil.get_terminal_size().columns)
    else:
        text = FORMATS[form](rows)
    if output is None:
        click.echo(text, nl=False, color=False if os.environ.get("NO_COLOR") else None)
    else:
        with draft_of(output) as draft:
            draft.write_text(click.unstyle(text), encoding="utf-8")
        echo(output)
    if problems:
        raise click.exceptions.Exit(1)


def _format_of(output: Path | None) -> str:
    """What the ending of ``output`` says; a table for the terminal."""
    if output is None:
        return "table"
    if output.suffix.lower() not in ENDINGS:
        raise SegbenchError(
            f"--output {output} ends in none of {', '.join(ENDINGS)}; choose one, or a --format."
        )
    return ENDINGS[output.suffix.lower()]


def _record(results: Path, name: str) -> Record | None:
    try:
        return read_record(results / name)
    except RecordError:
        return None


def _url(results: Path, output: Path | None) -> str:
    """The results folder relative to the page, which without ``output`` is assumed to be here."""
    try:
        seen = os.path.relpath(results, output.parent if output else ".")
    except ValueError:  # another drive
        return results.absolute().as_uri()
    return quote(os.fsencode(Path(seen).as_posix()))
