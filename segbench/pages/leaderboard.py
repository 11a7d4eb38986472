"""The leaderboard as one page that needs no network: tables, plots and heat maps."""

import os
import shlex
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from segbench.analysis.columns import COLUMNS, Column, filled
from segbench.analysis.rank import Row, Tables, score_name
from segbench.pages.pareto import Key, pareto_plot, valid_front
from segbench.pages.points import bare_points, distinctions, plot_key, points
from segbench.pages.shell import render
from segbench.records.record import Record

# A page with more rows is slow to open and to filter.
MOST_ROWS = 1000
# The columns that decide; the others follow in their order.
FIRST = (
    *("rank", "network", "runtime", "score", "p50 ms", "speed-up", "verdict"),
    *(
        "stated by its owner",
        "note",
        "score from",
        "trained on",
        "p90 ms",
        "p99 ms",
        "fps",
        "over seeds",
    ),
)
SHAREABLE = ("network", "decoder", "weights", "trained on", "size", "timed")
# What a row's provenance says too.
UNFOLDED = ("commit",)
# The deepest tint of a heat map, in percent of the accent colour, that text can be read on.
DEEPEST = 45


@dataclass(frozen=True)
class HeatRow:
    """A network's name in two parts (the second is small print), and its IoU by class or None.

    ``rows`` are its places in a table that may be filtered.
    """

    name: str
    note: str
    iou: Mapping[str, Any]
    rows: Sequence[int] = ()


def leaderboard_page(tables: Tables, records: Collection[Record], results: str) -> str:
    """A whole HTML document of ``tables``, which were made of ``records``.

    ``results`` is the URL of the records' folder as seen from the page. Of more than MOST_ROWS
    rows the page shows the first of each table and those on a Pareto front, and says so.
    """
    key = plot_key(tables)
    named = {record.name or "": record for record in records}
    # What has a score is what people come for.
    titles = sorted(tables, key=lambda title: tables[title][0]["score"] is None)
    most = rows_a_table([len(rows) for rows in tables.values()])
    days = [str(record.provenance.get("started_at") or "")[:10] for record in records]
    return render(
        "leaderboard.html",
        title="segbench leaderboard",
        count=len(records),
        days=sorted(filter(None, days)),
        tables=[_table(title, tables[title], most, key, named, results) for title in titles],
    )


def rows_a_table(lengths: Sequence[int]) -> int:
    """The most rows that each table may show so that all show at most MOST_ROWS, but at least 1."""

    def shown(most: int) -> int:
        return sum(min(most, length) for length in lengths)

    longest = max(lengths, default=1)
    return max(1, bisect_right(range(longest + 1), MOST_ROWS, key=shown) - 1)


def shared(rows: Sequence[Row]) -> dict[str, str]:
    """By header what is the same in all of several rows, and so is better said once above them.

    How they were timed counts if it is the same for all that have a latency.
    """
    found = {}
    for column in COLUMNS:
        texts = {column.text(row) for row in rows}
        if column.header == "timed":
            texts.discard("")
        if column.header in SHAREABLE and len(rows) > 1 and len(texts) == 1 and texts != {""}:
            found[column.header] = texts.pop()
    return found


def page_columns(rows: Sequence[Row]) -> list[Column]:
    """The columns of a table in a page: those that decide first, without what all rows share."""
    left_out = {*shared(rows), *UNFOLDED}
    columns = [column for column in filled(COLUMNS, rows) if column.header not in left_out]
    places = {header: place for place, header in enumerate(FIRST)}
    return sorted(columns, key=lambda column: places.get(column.header, len(FIRST)))


def tied(rows: Sequence[Row]) -> bool:
    """Whether networks of different scores share a rank."""
    scores = defaultdict(set)
    for row in rows:
        scores[row["rank"]].add(row["score"])
    return any(len(found) > 1 for rank, found in scores.items() if rank is not None)


def best_rows(rows: Sequence[Row], most: int) -> list[Row]:
    """The first ``most`` rows, and the later ones that are on a Pareto front."""
    fronts = {point.row for timed in bare_points(rows).values() for point in valid_front(timed)}
    return [row for place, row in enumerate(rows) if place < most or place in fronts]


def heat_rows(rows: Sequence[Row], records: Mapping[str, Record]) -> list[HeatRow]:
    """The IoU of each class of each scored network, with what tells the networks apart."""
    places = defaultdict(list)
    for place, row in enumerate(rows):
        places[row["record"]].append(place)
    notes = distinctions(rows)
    found = []
    for name, same in places.items():
        iou = records[name].per_class.get("iou") if name in records else None
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
    most: int,
    key: Key,
    records: Mapping[str, Record],
    results: str,
) -> dict[str, Any]:
    shown = rows if len(rows) <= most else best_rows(rows, most)
    name = score_name(rows[0])
    return {
        "title": title,
        "rows": [(row, _origins(row, records, results)) for row in shown],
        "left_out": len(rows) - len(shown),
        "tied": tied(shown),
        "columns": page_columns(shown),
        "shared": [f"{header} {text}" for header, text in shared(shown).items()],
        # One point alone says no more than its row.
        "plots": [
            (f"{name} against latency: {timed}", pareto_plot(drawn, key, name))
            for timed, drawn in points(shown).items()
            if len(drawn) > 1
        ],
        "heat": heat_map(heat_rows(shown, records)),
    }


def _network(row: Row) -> str:
    rank = "" if row["rank"] is None else f"{row['rank']}. "
    return f"{rank}{row['network']} {row['runtime']}"


def _cell(iou: Any) -> tuple[str, int | None]:
    if type(iou) not in (int, float):
        return "", None
    return f"{iou:.3f}", round(DEEPEST * min(max(iou, 0.0), 1.0))


def _origins(row: Row, records: Mapping[str, Record], results: str) -> list[dict[str, Any]]:
    return [
        _origin(records[row[name]], title, results)
        for title, name in (("score", "record"), ("latency", "latency_record"))
        if row[name] in records
    ]


def _origin(record: Record, title: str, results: str) -> dict[str, Any]:
    """Where a record comes from: its file, the URL of it, and what it says of itself."""
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
