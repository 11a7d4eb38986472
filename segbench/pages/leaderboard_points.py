"""The rows of a leaderboard as points of a plot."""

import re
from collections import defaultdict
from collections.abc import Sequence
from itertools import chain

from segbench.analysis.columns import COLUMNS, query
from segbench.analysis.rank import Row, Tables, score_name
from segbench.pages.pareto import Key, Point, pareto_plot
from segbench.pages.shell import asset
from segbench.text import printable

TEXT = {column.header: column.text for column in COLUMNS}
NOTE = {column.header: column.note for column in COLUMNS}
NAMING = ("decoder", "size", "crop", "epochs", "trained in", "kept in float")


def plot_key(tables: Tables) -> Key:
    """One colour a backbone and one mark a runtime, for all plots of ``tables``."""
    rows = list(chain(*tables.values()))
    return Key(
        sorted({row["backbone"] for row in rows}),
        sorted({row["runtime"] for row in rows}),
    )


def points(rows: Sequence[Row]) -> dict[str, list[Point]]:
    """The points of a table by how they were timed, since only those compare.

    They are the ranked rows with a latency: a score with a limit proves nothing.
    """
    found = defaultdict(list)
    for place, (row, note) in enumerate(zip(rows, distinctions(rows), strict=True)):
        if row["rank"] is not None and (row["p50_ms"] or 0) > 0:
            found[query(row)].append(_point(place, row, note))
    return dict(found)


def distinctions(rows: Sequence[Row]) -> list[str]:
    """For each row what tells it from the others of its backbone and runtime, as text."""
    alike = defaultdict(list)
    for row in rows:
        alike[row["backbone"], row["runtime"]].append(row)
    varying = {
        network: [name for name in NAMING if len({TEXT[name](row) for row in group}) > 1]
        for network, group in alike.items()
    }
    return [_distinction(row, varying[row["backbone"], row["runtime"]]) for row in rows]


def pareto_picture(rows: Sequence[Row]) -> str:
    """A light SVG file, for a README, of a table's plot of most points; it must have one."""
    light = dict(re.findall(r"--([\w-]+): light-dark\((.+?),", asset("page.css")))
    style = re.sub(r"var\(--([\w-]+)\)", lambda name: light[name[1]], asset("plot.css"))
    most = max(points(rows).values(), key=len)
    return pareto_plot(most, plot_key({"": list(rows)}), score_name(rows[0]), style)


def _distinction(row: Row, varying: Sequence[str]) -> str:
    return ", ".join(f"{name} {TEXT[name](row)}" for name in varying if TEXT[name](row))


def _point(place: int, row: Row, note: str) -> Point:
    interval = NOTE["score"](row)
    score = f"{score_name(row)} {TEXT['score'](row)}" + (f" ({interval})" if interval else "")
    latency = ", ".join(
        f"{header[:3]} {TEXT[header](row)} ms"
        for header in ("p50 ms", "p90 ms", "p99 ms")
        if TEXT[header](row)
    )
    reasons = "; ".join(map(str, row["reasons"] or ()))
    verdict = (row["verdict"] or "no verdict") + (f": {reasons}" if reasons else "")
    lines = [f"{row['backbone']} {row['runtime']}", note, score, latency, verdict]
    lines = [printable(line) for line in lines if line]
    return Point(
        ms=row["p50_ms"],
        score=row["score"],
        backbone=row["backbone"],
        runtime=row["runtime"],
        verdict=row["verdict"],
        details="\n".join(lines),
        row=place,
    )
