"""The leaderboard as one page that works offline: tables, plots and heat maps."""

import os
import shlex
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from segbench.analysis.columns import COLUMNS, Column, filled
from segbench.analysis.fields import Row
from segbench.analysis.rank import score_name, tables_of
from segbench.analysis.select import select
from segbench.records.record import Record

from ..pages import render
from .layout import in_order, shared
from .plot import Key, pareto_plot
from .points import distinctions, plot_key, points

if TYPE_CHECKING:
    from pandas import DataFrame, Series

# A page with more rows is slow to open and to filter.
MOST_ROWS = 1000
# Columns that a row's provenance repeats.
UNFOLDED = ("commit",)
# The darkest tint of a heat map, in percent of the accent colour, with readable text.
DEEPEST = 45


@dataclass(frozen=True)
class HeatRow:
    """A network's name in two parts (the second is small print), and its IoU by class or None.

    ``rows`` are its row numbers in a table that may be filtered.
    """

    name: str
    note: str
    iou: Mapping[str, Any]
    rows: Sequence[int] = ()


def leaderboard_page(
    rows: "DataFrame", read: Callable[[str], Record | None], dates: "Series", results: str
) -> str:
    """An HTML document of ``rows``, which are those of ``rank.ranking``.

    ``read`` returns the record of a name, for the rows that are shown; ``dates`` are the start
    times of all records of the folder, and ``results`` is the URL of that folder relative to the
    page. If there are more than MOST_ROWS rows or tables, the page shows the best, and says so.
    """
    lengths = rows["table"].value_counts(sort=False)
    most = rows_a_table(list(lengths))
    tables = tables_of(best_rows(rows, most))
    # Tables with scores come first.
    titles = sorted(tables, key=lambda title: tables[title][0]["score"] is None)
    days = [day for day in dates.dropna().str[:10] if day]
    key = plot_key(tables)
    read = cache(read)
    return render(
        "leaderboard.html",
        title="segbench leaderboard",
        count=len(dates),
        days=[min(days), max(days)] if days else [],
        tables_left_out=max(0, len(titles) - MOST_ROWS),
        tables=[
            _table(title, tables[title], int(lengths[title]), key, read, results)
            for title in titles[:MOST_ROWS]
        ],
    )


def rows_a_table(lengths: Sequence[int]) -> int:
    """The limit of rows per table such that all show at most MOST_ROWS, but at least 1."""

    def shown(most: int) -> int:
        return sum(min(most, length) for length in lengths)

    longest = max(lengths, default=1)
    return max(1, bisect_right(range(longest + 1), MOST_ROWS, key=shown) - 1)


def page_columns(rows: Sequence[Row]) -> list[Column]:
    """The columns of a table in a page: important ones first, without those that all rows share."""
    left_out = {*shared(rows), *UNFOLDED}
    columns = [column for column in filled(COLUMNS, rows) if column.header not in left_out]
    return in_order(columns)


def tied(rows: Sequence[Row]) -> bool:
    """Whether networks of different scores share a rank."""
    scores = defaultdict(set)
    for row in rows:
        scores[row["rank"]].add(row["score"])
    return any(len(found) > 1 for rank, found in scores.items() if rank is not None)


def best_rows(rows: "DataFrame", most: int) -> "DataFrame":
    """The first ``most`` rows of each table, and up to as many later ones on a Pareto front."""
    first = rows.groupby("table", sort=False).cumcount() < most
    front = select(rows[rows["verdict"].eq("VALID")], pareto=True)
    fronts = front.groupby("table", sort=False)["table"]
    spread = fronts.cumcount(ascending=False) % -(-fronts.transform("size") // most)
    return rows[first | rows.index.isin(front.index[spread == 0])]


def heat_rows(rows: Sequence[Row], read: Callable[[str], Record | None]) -> list[HeatRow]:
    """The IoU of each class of each scored network, with what distinguishes the networks."""
    places = defaultdict(list)
    for place, row in enumerate(rows):
        places[row["record"]].append(place)
    notes = distinctions(rows)
    found = []
    for name, same in places.items():
        record = read(name) if name else None
        iou = record.per_class.get("iou") if record else None
        if isinstance(iou, dict) and iou:
            found.append(HeatRow(_network(rows[same[0]]), notes[same[0]], iou, same))
    return found


def heat_map(rows: Sequence[HeatRow]) -> dict[str, Any]:
    """The classes of all ``rows``, and for each row its cells: (text, tint in percent)."""
    classes = list(dict.fromkeys(name for row in rows for name in row.iou))
    return {
        "classes": classes,
        "rows": [(row, [_cell(row.iou.get(name)) for name in classes]) for row in rows],
    }


def _table(
    title: str,
    rows: Sequence[Row],
    length: int,
    key: Key,
    read: Callable[[str], Record | None],
    results: str,
) -> dict[str, Any]:
    name = score_name(rows[0])
    return {
        "title": title,
        "rows": [(row, _origins(row, read, results)) for row in rows],
        "left_out": length - len(rows),
        "tied": tied(rows),
        "columns": page_columns(rows),
        "shared": [f"{header} {text}" for header, text in shared(rows).items()],
        # A single point shows no more than its row.
        "plots": [
            (f"{name} against latency: {timed}".rstrip(": "), pareto_plot(drawn, key, name))
            for timed, drawn in points(rows).items()
            if len(drawn) > 1
        ],
        "heat": heat_map(heat_rows(rows, read)),
    }


def _network(row: Row) -> str:
    rank = "" if row["rank"] is None else f"{row['rank']}. "
    return f"{rank}{row['network']} {row['runtime']}"


def _cell(iou: Any) -> tuple[str, int | None]:
    if type(iou) not in (int, float):
        return "", None
    return f"{iou:.3f}", round(DEEPEST * min(max(iou, 0.0), 1.0))


def _origins(row: Row, read: Callable[[str], Record | None], results: str) -> list[dict[str, Any]]:
    found = [
        (title, read(row[name]))
        for title, name in (("score", "record"), ("latency", "latency_record"))
        if row[name]
    ]
    return [_origin(record, title, results) for title, record in found if record]


def _origin(record: Record, title: str, results: str) -> dict[str, Any]:
    """A record's provenance: its file, the file's URL, and facts from the record."""
    origin, config = record.provenance, record.config
    facts = {
        "date": origin.get("started_at"),
        "command": shlex.join(map(str, origin.get("argv") or ())),
        "commit": _commit(origin),
        "device": record.device_name,
        "engine": origin.get("engine"),
        "driver": origin.get("driver"),
        "CUDA": origin.get("cuda"),
        "system": origin.get("os"),
        "Python": origin.get("python"),
        "environment": _pairs(origin.get("environment")),
        "versions": _pairs(origin.get("versions")),
        "plugins": _pairs(origin.get("plugins")),
        "weights": config.get("weights"),
        "checkpoint": config.get("checkpoint_sha256"),
        "recipe": config.get("recipe"),
        "epochs": config.get("epochs"),
        "batch size": config.get("batch_size"),
        "crop": config.get("crop"),
        "precision": config.get("precision"),
        "seed": config.get("seed"),
        "data": config.get("data"),
    }
    file = record.name
    url = f"{results}/{quote(os.fsencode(file))}" if file else ""
    said = {name: str(fact) for name, fact in facts.items() if fact not in (None, "")}
    return {"title": title, "file": file, "url": url, "facts": said}


def _commit(origin: Mapping[str, Any]) -> str:
    dirty = ", dirty: source files differed from it" if origin.get("dirty") else ""
    return (origin.get("commit") or "unknown") + dirty


def _pairs(versions: Mapping[str, Any] | None) -> str:
    return ", ".join(f"{name} {version or 'unknown'}" for name, version in (versions or {}).items())
