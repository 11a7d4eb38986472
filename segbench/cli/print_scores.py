"""How scores appear on a terminal, whichever command they come from."""

from collections.abc import Iterable

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from segbench.cli.score_tables import means, score_tables, show
from segbench.records.facts import network_name
from segbench.records.record import Record
from segbench.scoring.score import Score


def print_record(record: Record) -> None:
    """The score of a run or an evaluation, class by class."""
    metrics, config = record.metrics, record.config
    summary = metrics | {"per_class": record.per_class}
    low, high = metrics["miou_low"], metrics["miou_high"]
    interval = None if low is None else (low, high)
    scale = config["label_scale"]
    title = f"{network_name(config)} on {config['dataset']} {config['split']}"
    if scale > 1:
        title += f", labels at 1/{scale}: no official score"
    print_score(Score(record.official or {}, metrics["frames"], summary, interval), title)


def print_score(result: Score, title: str, notes: Iterable[str] = ()) -> None:
    """Tables of classes, categories and spaces, the means, and what a reader should know."""
    console = Console(highlight=False)
    console.print(escape(title), style="bold", soft_wrap=True)
    for table in score_tables(result):
        shown = Table(table.title, box=None, padding=(0, 2, 0, 0))
        for column in table.columns:
            shown.add_column(column, justify="right")
        for row, figures in table.rows.items():
            shown.add_row(escape(row), *map(show, figures))
        console.print(shown)
        console.print()
    console.print(means(result), soft_wrap=True)
    for note in (*result.notes, *notes):
        console.print(f"Note: {note}", style="yellow", markup=False, soft_wrap=True)
