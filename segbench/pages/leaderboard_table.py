"""A table of the leaderboard in a page: it sorts, and each row unfolds its provenance."""

from collections.abc import Mapping, Sequence

from segbench.analysis.columns import WIDE, Column, filled
from segbench.analysis.rank import Row
from segbench.pages.provenance import provenance_list
from segbench.records.record import Record
from segbench.text import safe

SHAREABLE = ("decoder", "weights", "size", "timed")
VERDICTS = {"VALID": "good", "INVALID": "bad"}


def shared(rows: Sequence[Row]) -> dict[str, str]:
    """By header what is the same in all of several rows, and so is better said once above them.

    How they were timed counts if it is the same for all that have a latency.
    """
    found = {}
    for column in WIDE:
        texts = {column.text(row) for row in rows}
        if column.header == "timed":
            texts.discard("")
        if column.header in SHAREABLE and len(rows) > 1 and len(texts) == 1 and texts != {""}:
            found[column.header] = texts.pop()
    return found


def leaderboard_table(rows: Sequence[Row], records: Mapping[str, Record], results: str) -> str:
    """A ``<table>`` with a ``<tbody>`` for each row, without what the rows share.

    Its ``data-row`` is the row's place, which its point and its line of the heat map name too.
    ``records`` are by name, and ``results`` is the URL of their folder.
    """
    known = shared(rows)
    columns = [column for column in filled(WIDE, rows) if column.header not in known]
    heads = "".join(_head(column) for column in columns)
    bodies = "\n".join(
        f'<tbody data-row="{number}">{_lines(row, columns, records, results)}</tbody>'
        for number, row in enumerate(rows)
    )
    unfold = '<th scope="col"><span class="unseen">provenance</span></th>'
    return f'<table class="board"><thead><tr>{unfold}{heads}</tr></thead>\n{bodies}</table>'


def _head(column: Column) -> str:
    sort = ' aria-sort="ascending"' if column.header == "rank" else ""
    return (
        f'<th scope="col"{_class(column)}{sort}><button type="button">{column.header}</button></th>'
    )


def _lines(row: Row, columns: Sequence[Column], records: Mapping[str, Record], results: str) -> str:
    cells = "".join(_cell(column, row) for column in columns)
    label = safe(f"provenance of {row['backbone']} {row['runtime']}")
    unfold = (
        '<td><button type="button" class="unfold" aria-expanded="false"'
        f' aria-label="{label}"></button></td>'
    )
    span = len(columns) + 1
    lists = [
        provenance_list(records[row[name]], title, results)
        for title, name in (("score", "record"), ("latency", "latency_record"))
        if row[name] in records
    ]
    return (
        f"<tr>{unfold}{cells}</tr>{_reasons(row, span)}"
        f'<tr class="provenance" hidden><td colspan="{span}">'
        f"<div>{''.join(lists)}</div></td></tr>"
    )


def _cell(column: Column, row: Row) -> str:
    value = row[column.number] if column.number else None
    key = "" if value is None else f' data-key="{value}"'
    text = safe(column.text(row))
    note = safe(column.note(row))
    if text in VERDICTS:
        text = f'<span class="{VERDICTS[text]}">{text}</span>'
    small = f"<small>{note}</small>" if note else ""
    return f"<td{_class(column)}{key}>{text}{small}</td>"


def _class(column: Column) -> str:
    style = "number" if column.number else column.style
    return f' class="{style}"' if style else ""


def _reasons(row: Row, span: int) -> str:
    """Why a figure is INVALID, in a line below it."""
    if not row["reasons"]:
        return ""
    reasons = safe(f"{row['verdict']}: {'; '.join(map(str, row['reasons']))}")
    return f'<tr class="reasons"><td colspan="{span}"><div>{reasons}</div></td></tr>'
