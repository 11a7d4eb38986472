"""The leaderboard as text: for a terminal, a README, a spreadsheet or a program."""

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain

import click
from rich.cells import cell_len, set_cell_size

from segbench.leaderboard import COLUMNS, Row, Tables

LONGEST = 32
STYLES = {"VALID": "green", "INVALID": "red"}


@dataclass(frozen=True)
class Column:
    """A column for human readers: its header, its text in a row, and whether it is a number."""

    header: str
    text: Callable[[Row], str]
    number: bool = False


def as_csv(tables: Tables) -> str:
    """Every column of every row, reasons joined by "; "."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in chain(*tables.values()):
        writer.writerow(row | {"reasons": "; ".join(map(str, row["reasons"] or ()))})
    return out.getvalue()


def as_json(tables: Tables) -> str:
    """A list of rows, each an object with every column."""
    return json.dumps(list(chain(*tables.values())), indent=1, allow_nan=False) + "\n"


def as_markdown(tables: Tables) -> str:
    """A heading and a pipe table for each table; columns without a value are left out."""
    blocks = []
    for title, rows in tables.items():
        columns, cells = _filled(rows)
        lines = [
            [column.header for column in columns],
            ["---:" if column.number else ":---" for column in columns],
            *([_escaped(cell) for cell in line] for line in cells),
        ]
        table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
        blocks.append(f"### {_escaped(_printable(title))}\n\n{table}")
    return "\n".join(blocks)


def as_table(tables: Tables) -> str:
    """Aligned, coloured columns; those without a value are left out and long cells are cut.

    Written here because ``rich.table`` takes ten seconds for ten thousand rows.
    """
    blocks = []
    for title, rows in tables.items():
        columns, cells = _filled(rows)
        cells = [[_cut(cell) for cell in line] for line in cells]
        lines = [[column.header for column in columns], *cells]
        widths = [max(map(cell_len, column)) for column in zip(*lines, strict=True)]
        rule = ["─" * width for width in widths]
        block = [click.style(_printable(title), bold=True)]
        for line in [lines[0], rule, *cells]:
            padded = (_pad(*cell) for cell in zip(line, widths, columns, strict=True))
            block.append("  ".join(padded).rstrip())
        blocks.append("\n".join(block) + "\n")
    return "\n".join(blocks)


FORMATS = {"table": as_table, "markdown": as_markdown, "csv": as_csv, "json": as_json}


def _number(name: str, form: str) -> Callable[[Row], str]:
    return lambda row: "" if row[name] is None else form.format(row[name])


def _score(row: Row) -> str:
    limit = f" (limit {row['limit']})" if row["limit"] is not None else ""
    return _number("score", "{:.4f}")(row) + limit


def _parameters(row: Row) -> str:
    return "" if row["parameters"] is None else f"{row['parameters'] / 1e6:.2f} M"


def _query(row: Row) -> str:
    scenario = row["query_scenario"]
    parts = [
        row["query_scope"],
        scenario if scenario != "single-stream" else None,
        _number("query_batch_size", "batch {}")(row),
        _number("query_threads", "{} threads")(row),
    ]
    return ", ".join(part for part in parts if part)


def _seeds(row: Row) -> str:
    if row["seeds"] is None:
        return ""
    return f"{row['seeds_mean']:.4f} ± {row['seeds_std']:.4f} ({row['seeds']})"


def _commit(row: Row) -> str:
    return (row["commit"] or "")[:7] + (" dirty" if row["dirty"] else "")


READABLE = (
    Column("rank", _number("rank", "{}"), number=True),
    Column("backbone", lambda row: row["backbone"]),
    Column("decoder", lambda row: row["decoder"] or ""),
    Column("weights", lambda row: row["weights"] or ""),
    Column("size", lambda row: f"{row['height']}x{row['width']}"),
    Column("score", _score, number=True),
    Column("over seeds", _seeds),
    Column("parameters", _parameters, number=True),
    Column("runtime", lambda row: row["runtime"]),
    Column("kept in float", lambda row: row["keep_float"] or ""),
    Column("timed", _query),
    Column("p50 ms", _number("p50_ms", "{:.2f}"), number=True),
    Column("fps", _number("fps", "{:.1f}"), number=True),
    Column("speed-up", _number("speedup", "{:.2f}x"), number=True),
    Column("file MB", _number("file_mb", "{:.1f}"), number=True),
    Column("verdict", lambda row: row["verdict"] or ""),
    Column("commit", _commit),
)


def _filled(rows: Sequence[Row]) -> tuple[list[Column], list[list[str]]]:
    """The columns with a value in some row, and their cells row by row."""
    columns = [column for column in READABLE if any(column.text(row) for row in rows)]
    return columns, [[_printable(column.text(row)) for column in columns] for row in rows]


def _printable(text: str) -> str:
    """Text from a record without what could break a line or steer a terminal."""
    return "".join(character if character.isprintable() else " " for character in text)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")


def _cut(text: str) -> str:
    return text if cell_len(text) <= LONGEST else set_cell_size(text, LONGEST - 1) + "…"


def _pad(text: str, width: int, column: Column) -> str:
    space = " " * (width - cell_len(text))
    styled = click.style(text, fg=STYLES[text]) if text in STYLES else text
    return space + styled if column.number else styled + space
