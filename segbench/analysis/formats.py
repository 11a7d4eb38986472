"""The leaderboard as text: for a terminal, a README, a spreadsheet or a program."""

import csv
import io
import json
from collections.abc import Sequence
from itertools import chain

import click
from rich.cells import cell_len, set_cell_size

from segbench.analysis.columns import NARROW, Column, filled
from segbench.analysis.rank import COLUMNS, Row, Tables
from segbench.text import csv_cell, markdown, printable

LONGEST = 32
STYLES = {"VALID": "green", "INVALID": "red"}


def as_csv(tables: Tables) -> str:
    """Every column of every row, reasons joined by "; "."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in chain(*tables.values()):
        said = row | {"reasons": "; ".join(map(str, row["reasons"] or ()))}
        writer.writerow(map(csv_cell, said.values()))
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
            *([markdown(cell) for cell in line] for line in cells),
        ]
        table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
        blocks.append(f"### {markdown(title)}\n\n{table}")
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
        block = [click.style(printable(title), bold=True)]
        for line in [lines[0], rule, *cells]:
            padded = (_pad(*cell) for cell in zip(line, widths, columns, strict=True))
            block.append("  ".join(padded).rstrip())
        blocks.append("\n".join(block) + "\n")
    return "\n".join(blocks)


FORMATS = {"table": as_table, "markdown": as_markdown, "csv": as_csv, "json": as_json}


def _filled(rows: Sequence[Row]) -> tuple[list[Column], list[list[str]]]:
    """The columns with a value in some row, and their cells row by row."""
    columns = filled(NARROW, rows)
    return columns, [[printable(column.text(row)) for column in columns] for row in rows]


def _cut(text: str) -> str:
    return text if cell_len(text) <= LONGEST else set_cell_size(text, LONGEST - 1) + "…"


def _pad(text: str, width: int, column: Column) -> str:
    space = " " * (width - cell_len(text))
    styled = click.style(text, fg=STYLES[text]) if text in STYLES else text
    return space + styled if column.number else styled + space
