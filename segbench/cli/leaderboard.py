"""``segbench leaderboard``: rank what the records say."""

import os
from pathlib import Path
from typing import IO

import click

from segbench.cli import options
from segbench.errors import SegbenchError
from segbench.leaderboard import leaderboard as rank
from segbench.leaderboard_formats import FORMATS
from segbench.records import read_records


@click.command()
@options.results
@click.option(
    "--format",
    "form",
    type=click.Choice(list(FORMATS)),
    default="table",
    show_default=True,
    help="csv and json have every column.",
)
@click.option(
    "--output",
    type=click.File("w", encoding="utf-8", atomic=True),
    default="-",
    help="File to write instead of the terminal.",
)
def leaderboard(results: Path, form: str, output: IO[str]) -> None:
    """Rank the records of a results folder, best score first for each data set.

    Scores of another split or label scale, and latencies of another device, stand in tables of
    their own. Records made with --limit are shown without a rank.
    """
    records, problems = read_records(results)
    for problem in problems:
        click.echo(f"Warning: {problem}", err=True)
    if not records:
        raise SegbenchError(
            f"There is no record in {results}: make one with "
            "`segbench run --backbone mobilenet --dataset streets`, or name another --results."
        )
    colour = False if os.environ.get("NO_COLOR") else None
    click.echo(FORMATS[form](rank(records)), file=output, nl=False, color=colour)
