"""The leaderboard as one page that needs no network: tables, plots and heat maps."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from segbench.analysis.rank import Row, Tables, score_name
from segbench.pages.heat_map import HeatRow, heat_map
from segbench.pages.leaderboard_points import distinctions, plot_key, points
from segbench.pages.leaderboard_table import leaderboard_table, shared
from segbench.pages.pareto import Key, pareto_plot
from segbench.pages.shell import asset, page
from segbench.records.facts import record_name
from segbench.records.record import Record
from segbench.text import safe

INTRODUCTION = """
Networks are ranked by the benchmark's own score. Small print under a figure is its 95% interval:
of a score over frames, of a speed-up over rounds. A latency that cannot be trusted is INVALID and
says why; it is hollow in a plot, and no Pareto front passes through it. The triangle before a
row shows where its figures come from.
"""
FILTER = """
<p class="controls"><label>Filter rows <input id="filter" type="search"
placeholder="such as: vgg16 int8" autocomplete="off"></label> <output class="faint"></output></p>
"""


def leaderboard_page(tables: Tables, records: Collection[Record], results: str) -> str:
    """A whole HTML document of ``tables``, which were made of ``records``.

    ``results`` is the URL of the records' folder as seen from the page.
    """
    key = plot_key(tables)
    named = {record_name(record) or "": record for record in records}
    # What has a score is what people come for.
    titles = sorted(tables, key=lambda title: tables[title][0]["score"] is None)
    sections = [
        f'<section id="table-{number}"><h2>{safe(title)}</h2>\n'
        f"{_shared(tables[title])}"
        f'<div class="scroll">{leaderboard_table(tables[title], named, results)}</div>\n'
        f"{_plots(tables[title], key)}{_heat_map(tables[title], named)}</section>\n"
        for number, title in enumerate(titles, 1)
    ]
    style = asset("plot.css") + asset("leaderboard.css")
    body = "".join([_about(records), _contents(titles), FILTER, *sections])
    return page("segbench leaderboard", body, asset("leaderboard.js"), style)


def _about(records: Collection[Record]) -> str:
    days = sorted(str(record.provenance.get("started_at") or "")[:10] for record in records)
    days = [day for day in days if day]
    when = f", {days[0]} to {days[-1]}" if days else ""
    return (
        f"<p>{INTRODUCTION.strip()}</p>\n"
        f'<p class="faint">Made from {len(records)} records{safe(when)}.</p>\n'
    )


def _contents(titles: Sequence[str]) -> str:
    items = "".join(
        f'<li><a href="#table-{number}">{safe(title)}</a></li>'
        for number, title in enumerate(titles, 1)
    )
    return f'<nav aria-label="tables"><ol>{items}</ol></nav>\n' if len(titles) > 1 else ""


def _shared(rows: Sequence[Row]) -> str:
    parts = [f"{header} {text}" for header, text in shared(rows).items()]
    if not parts:
        return ""
    return f'<p class="shared faint">In all rows: {safe("; ".join(parts))}.</p>\n'


def _plots(rows: Sequence[Row], key: Key) -> str:
    """A plot for each way of timing; one point alone says no more than its row."""
    name = score_name(rows[0])
    return "".join(
        f"<figure><figcaption>{safe(f'{name} against latency: {timed}')}</figcaption>"
        f'<div class="scroll"><div class="canvas">{pareto_plot(drawn, key, name)}'
        '<div class="tip" aria-hidden="true" hidden></div></div></div></figure>\n'
        for timed, drawn in points(rows).items()
        if len(drawn) > 1
    )


def _heat_map(rows: Sequence[Row], records: Mapping[str, Record]) -> str:
    places = defaultdict(list)
    for place, row in enumerate(rows):
        places[row["record"]].append(place)
    notes = distinctions(rows)
    found = []
    for name, same in places.items():
        iou = records[name].per_class.get("iou") if name in records else None
        if isinstance(iou, dict) and iou:
            found.append(HeatRow(_network(rows[same[0]]), notes[same[0]], iou, same))
    if not found:
        return ""
    return (
        "<figure><figcaption>IoU of each class</figcaption>"
        '<div class="scroll" tabindex="0" role="region" aria-label="IoU of each class">'
        f"{heat_map(found)}</div></figure>\n"
    )


def _network(row: Row) -> str:
    rank = "" if row["rank"] is None else f"{row['rank']}. "
    return f"{rank}{row['backbone']} {row['runtime']}"
