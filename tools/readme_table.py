"""The compact leaderboard of the README: what varies is a column, what is constant stands above."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from segbench_plugins.commands.leaderboard.pareto import Point, pareto_front

Row = Mapping[str, Any]
Cell = Callable[[Row], str]

SETTINGS: dict[str, Cell] = {
    "trained on": lambda row: row["train_splits"] or "",
    "seed": lambda row: _number(row, "seed", "{}"),
    "input": lambda row: f"{row['height']}x{row['width']}",
    "scope": lambda row: row["query_scope"] or "",
    "batch": lambda row: _number(row, "query_batch_size", "{}"),
    "threads": lambda row: _number(row, "query_threads", "{}"),
    "speed-up over": lambda row: row["baseline"] or "",
    "verdict": lambda row: row["verdict"] or "",
}
"""Columns where the rows differ, else said once above the table."""

COLUMNS: dict[str, Cell] = {
    "network": lambda row: row["network"],
    "runtime": lambda row: row["runtime"],
    "score": lambda row: _with_interval(row, "score", "miou", "{:.4f}", "{:.3f}"),
    "p50 ms": lambda row: _number(row, "p50_ms", "{:.2f}"),
    "speed-up": lambda row: _with_interval(row, "speedup", "speedup", "{:.2f}x", "{:.2f}"),
    "MB": lambda row: _number(row, "file_mb", "{:.1f}"),
}


def newest(rows: Sequence[Row]) -> list[Row]:
    """The scored and timed rows of each network's best checkpoint, one for each runtime, in order.

    The newest counts, but no INVALID latency takes the place of a VALID one.
    """
    shown = [row for row in rows if row["rank"] is not None and row["p50_ms"] is not None]
    best = {row["network"]: row["checkpoint_sha256"] for row in reversed(shown)}
    shown = [row for row in shown if row["checkpoint_sha256"] == best[row["network"]]]
    latest: dict[tuple[str, str], Row] = {}
    for row in sorted(shown, key=lambda row: (row["verdict"] == "VALID", _written(row))):
        latest[row["network"], row["runtime"]] = row
    return [row for row in shown if row is latest[row["network"], row["runtime"]]]


def unbeaten(rows: Sequence[Row]) -> list[Row]:
    """The rows on the Pareto front of their network."""
    networks = defaultdict(list)
    for place, row in enumerate(rows):
        point = Point(row["p50_ms"], row["score"], row=place)
        networks[row["network"]].append(point)
    kept = {point.row for points in networks.values() for point in pareto_front(points)}
    return [row for place, row in enumerate(rows) if place in kept]


def readme_table(rows: Sequence[Row]) -> str:
    """What all rows have in common, and a Markdown table of the rest."""
    varying = {name: cell for name, cell in SETTINGS.items() if len(_texts(cell, rows)) > 1}
    constant = [_said(name, cell, rows) for name, cell in SETTINGS.items() if name not in varying]
    columns = {_header(name, rows): cell for name, cell in (COLUMNS | varying).items()}
    lines = [
        list(columns),
        [":---" if name in ("network", "runtime", *SETTINGS) else "---:" for name in columns],
        *([cell(row) for cell in columns.values()] for row in rows),
    ]
    table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    first = rows[0]
    title = f"**{first['dataset']} {first['split']}**, {first['frames']} frames"
    return f"{title}; {', '.join(filter(None, constant))};\n{first['device']}\n\n{table}"


def _texts(cell: Cell, rows: Sequence[Row]) -> set[str]:
    return {text for row in rows if (text := cell(row))}


def _said(name: str, cell: Cell, rows: Sequence[Row]) -> str:
    texts = _texts(cell, rows)
    return f"{name} {texts.pop()}" if texts else ""


def _header(name: str, rows: Sequence[Row]) -> str:
    score = "mIoU" if rows[0]["score_name"] == "miou" else rows[0]["score_name"]
    return score if name == "score" else name


def _number(row: Row, name: str, form: str) -> str:
    return "" if row[name] is None else form.format(row[name])


def _with_interval(row: Row, name: str, interval: str, form: str, end: str) -> str:
    low, high = row[f"{interval}_low"], row[f"{interval}_high"]
    ends = "" if None in (low, high) else f" [{end.format(low)}, {end.format(high)}]"
    return _number(row, name, form) + ends


def _written(row: Row) -> str:
    """Records are named by the time they were written."""
    return str(row["record"]).rsplit("/", 1)[-1]
