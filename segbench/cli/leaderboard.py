"""``segbench leaderboard``: rank what the records say."""

import os
from pathlib import Path
from urllib.parse import quote

import click

from segbench.analysis.formats import FORMATS
from segbench.analysis.rank import leaderboard as rank
from segbench.cli import options
from segbench.errors import SegbenchError
from segbench.files import draft_of
from segbench.pages.leaderboard import leaderboard_page
from segbench.records.record import read_records


@click.command()
@options.results
@click.option(
    "--format",
    "form",
    type=click.Choice([*FORMATS, "html"]),
    default="table",
    show_default=True,
    help="csv and json have every column; html is a page with plots that works offline.",
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write instead of the terminal.",
)
def leaderboard(results: Path, form: str, output: Path | None) -> None:
    """Rank the records of a results folder, best score first for each data set.

    Scores of another split or label scale, and latencies of another device, stand in tables of
    their own. Records made with --limit are shown without a rank. A file that is no record is
    named and left out, and the exit code is 1 then.
    """
    records, problems = read_records(results)
    for problem in problems:
        click.echo(f"Warning: {problem}", err=True)
    if not records:
        raise SegbenchError(
            f"There is no record in {results}: make one with "
            "`segbench run --backbone mobilenet --dataset streets`, or name another --results."
        )
    tables = rank(records)
    if form == "html":
        text = leaderboard_page(tables, records, _url(results, output))
    else:
        text = FORMATS[form](tables)
    if output is None:
        click.echo(text, nl=False, color=False if os.environ.get("NO_COLOR") else None)
    else:
        with draft_of(output) as draft:
            draft.write_text(click.unstyle(text), encoding="utf-8")
    if problems:
        raise click.exceptions.Exit(1)


def _url(results: Path, output: Path | None) -> str:
    """The results folder as seen from the page, which without ``output`` is taken to lie here."""
    try:
        seen = os.path.relpath(results, output.parent if output else ".")
    except ValueError:  # another drive
        return results.absolute().as_uri()
    return quote(os.fsencode(Path(seen).as_posix()))
