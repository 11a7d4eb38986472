"""Two leaderboards as people read them: a table for each score and each kind of query."""

from collections.abc import Callable, Sequence

from rich.console import Console

from segbench.cli.compare_tables import cells, new_console, new_table
from segbench.compare.leaderboards import Matched, match_latencies, match_scores
from segbench.compare.records import Difference
from segbench.leaderboard.rank import Row
from segbench.text import printable


def print_leaderboards(a: Sequence[Row], b: Sequence[Row]) -> None:
    """Scores and latencies of the rows that A and B share, then the rows of one alone."""
    console = new_console()
    scores, latencies = match_scores(a, b), match_latencies(a, b)
    _print_matched(console, scores, _scored, _score_cells, ("A", "B", "B - A"))
    _print_matched(console, latencies, _timed, _latency_cells, ("A, ms", "B, ms", "B / A"))
    if scores.pairs or latencies.pairs:
        console.print("For intervals compare two records.", soft_wrap=True)
    else:
        console.print("A and B have no row in common.")


def _print_matched(
    console: Console,
    found: Matched,
    title: Callable[[Row], str],
    figures: Callable[[Row, Row], tuple[str, ...]],
    headers: tuple[str, ...],
) -> None:
    """A table for each title, then a line for each row that is in one leaderboard only."""
    titles = dict.fromkeys(title(a) for a, _ in found.pairs)
    for name in titles:
        table = new_table("network", *headers)
        for a, b in found.pairs:
            if title(a) == name:
                table.add_row(printable(_network(a)), *figures(a, b))
        console.print(printable(name), style="bold", soft_wrap=True)
        console.print(table)
        console.print()
    for side, rows in (("A", found.only_a), ("B", found.only_b)):
        for row in rows:
            console.print(
                printable(f"In {side} alone: {_network(row)}; {title(row)}"), soft_wrap=True
            )
        if rows:
            console.print()


def _scored(row: Row) -> str:
    return " ".join(
        str(part)
        for part in (
            row["score_name"],
            "of",
            row["dataset"],
            row["split"],
            _if(row["limit"], "limit {}"),
        )
        if part
    )


def _timed(row: Row) -> str:
    parts = (
        _if(row["query_scope"], "p50 of {}"),
        _if(row["query_scenario"], "{}"),
        _if(row["query_batch_size"], "batch {}"),
        _if(row["query_threads"], "{} threads"),
        _if(row["device"], "on {}"),
    )
    return ", ".join(part for part in parts if part)


def _score_cells(a: Row, b: Row) -> tuple[str, ...]:
    return cells(Difference("", a["score"], b["score"]))[:3]


def _latency_cells(a: Row, b: Row) -> tuple[str, ...]:
    ratio = f"{b['p50_ms'] / a['p50_ms']:.3f}" if a["p50_ms"] else "-"
    return f"{a['p50_ms']:.2f}", f"{b['p50_ms']:.2f}", ratio


def _network(row: Row) -> str:
    """What tells a row from the others under its title."""
    parts = (
        f"{row['backbone']} {row['runtime']} {row['height']}x{row['width']}",
        _if(row["trained_on"], "trained on {}"),
        _if(row["epochs"], "{} epochs"),
        _if(row["seed"], "seed {}"),
        _if(row["keep_float"], "{} in float"),
    )
    return ", ".join(part for part in parts if part)


def _if(value: object, form: str) -> str:
    return "" if value is None else form.format(value)
