"""The leaderboard as text: for a terminal, a README, a spreadsheet or a program."""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import click
import orjson
from rich.cells import cell_len, set_cell_size

from segbench.analysis.columns import NARROW, Column, filled
from segbench.analysis.fields import FIELDS, Row, Tables
from segbench.analysis.rank import tables_of
from segbench.text import counted, csv_cell, markdown, printable, unicode

from .layout import in_order, shared

if TYPE_CHECKING:
    from pandas import DataFrame

LONGEST = 32
FILES = ("record", "latency_record")
"""Columns with file names, which may not be valid Unicode."""
STYLES = {"VALID": "green", "INVALID": "red"}


def as_csv(rows: "DataFrame") -> str:
    """Every column of every row, reasons joined by "; "."""
    said = rows.assign(reasons=["; ".join(map(str, why or ())) for why in rows["reasons"]])
    columns = [_csv_cells(said[name].tolist()) for name in FIELDS]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(FIELDS)
    writer.writerows(zip(*columns, strict=True))
    return out.getvalue()


def as_json(rows: "DataFrame") -> str:
    """A list of rows, one per line, each an object with every column; text is not escaped."""
    rows = rows.assign(**{name: rows[name].map(unicode, na_action="ignore") for name in FILES})
    columns = [rows[name].tolist() for name in FIELDS]
    values = (dict(zip(FIELDS, row, strict=True)) for row in zip(*columns, strict=True))
    lines = ",\n".join(orjson.dumps(row).decode() for row in values)
    return f"[\n{lines}\n]\n"


def as_markdown(tables: Tables) -> str:
    """A heading and a pipe table for each table, important columns first, notes in brackets.

    What all rows share stands above the table, and empty columns are left out.
    """
    blocks = []
    for title, rows in tables.items():
        above, columns = _above_and_columns(rows)
        lines = [
            [column.header for column in columns],
            ["---:" if column.number else ":---" for column in columns],
            *([markdown(_with_note(column, row)) for column in columns] for row in rows),
        ]
        table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
        said = f"{markdown(above)}\n\n" if above else ""
        blocks.append(f"### {markdown(title)}\n\n{said}{table}")
    return "\n".join(blocks)


def as_table(tables: Tables, width: int | None = None) -> str:
    """Aligned, coloured columns; what all rows share stands above, and long cells are cut.

    Columns that do not fit in ``width`` characters are left out, the least important first.
    Not ``rich.table``, which takes ten seconds for ten thousand rows.
    """
    blocks = []
    for title, rows in tables.items():
        above, columns = _above_and_columns(rows)
        cells = [[_cut(printable(column.text(row))) for column in columns] for row in rows]
        lines = [[column.header for column in columns], *cells]
        widths = [max(map(cell_len, column)) for column in zip(*lines, strict=True)]
        fitting = len(widths) if width is None else _fitting(widths, width)
        left_out = len(widths) - fitting
        columns, widths = columns[:fitting], widths[:fitting]
        rule = ["─" * width for width in widths]
        block = [click.style(printable(title), bold=True)]
        if above:
            block.append(above)
        for line in [lines[0], rule, *cells]:
            padded = (_pad(*cell) for cell in zip(line[:fitting], widths, columns, strict=True))
            block.append("  ".join(padded).rstrip())
        if left_out:
            block.append(f"{counted(left_out, 'more column')} in a wider terminal or --format csv")
        blocks.append("\n".join(block) + "\n")
    return "\n".join(blocks)


FORMATS: dict[str, Callable[["DataFrame"], str]] = {
    "table": lambda rows: as_table(tables_of(rows)),
    "markdown": lambda rows: as_markdown(tables_of(rows)),
    "csv": as_csv,
    "json": as_json,
}
"""A format: rows of ``rank.ranking`` as text."""


def _above_and_columns(rows: Sequence[Row]) -> tuple[str, list[Column]]:
    """What all rows share as text, and the columns of the rest."""
    above = shared(rows)
    columns = in_order([each for each in filled(NARROW, rows) if each.header not in above])
    return printable("; ".join(f"{header} {said}" for header, said in above.items())), columns


def _csv_cells(values: list[Any]) -> Iterable[object]:
    """The values by ``csv_cell``, called once for each distinct text."""
    texts = {value: csv_cell(value) for value in dict.fromkeys(values) if isinstance(value, str)}
    return map(texts.get, values, values) if texts else values


def _with_note(column: Column, row: Row) -> str:
    text, note = column.text(row), column.note(row)
    return printable(f"{text} ({note})" if note and text else text)


def _fitting(widths: Sequence[int], width: int) -> int:
    """How many columns fit side by side, two characters apart; at least one."""
    ends = accumulate(widths, lambda end, column: end + 2 + column)
    return max(1, sum(end <= width for end in ends))


def _cut(text: str) -> str:
    return text if cell_len(text) <= LONGEST else set_cell_size(text, LONGEST - 1) + "…"


def _pad(text: str, width: int, column: Column) -> str:
    space = " " * (width - cell_len(text))
    styled = click.style(text, fg=STYLES[text]) if text in STYLES else text
    return space + styled if column.number else styled + space
