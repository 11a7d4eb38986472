"""The rows of a leaderboard as points of a plot, and what distinguishes them."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain

from segbench.analysis.columns import query, score_interval
from segbench.analysis.fields import Row, Tables
from segbench.analysis.rank import score_name
from segbench.text import printable

from .front import Point
from .plot import Key

# Settings that may distinguish rows, with their display names.
DISTINCT = {
    "weights": "weights",
    "trained_on": "trained on",
    "train_splits": "train splits",
    "recipe": "recipe",
    "crop": "crop",
    "epochs": "epochs",
    "precision": "training precision",
    "seed": "seed",
    "keep_float": "kept in float",
    "limit": "limit",
}


def plot_key(tables: Tables) -> Key:
    """One colour per network and one mark per runtime, for all plots of ``tables``."""
    rows = list(chain(*tables.values()))
    return Key(
        sorted({row["network"] for row in rows}),
        sorted({row["runtime"] for row in rows}),
    )


def bare_points(rows: Sequence[Row]) -> dict[str, list[Point]]:
    """The points of a table, grouped by how they were timed, without details.

    They are the ranked rows with a latency; scores with a limit are not comparable.
    """
    found = defaultdict(list)
    for place, row in enumerate(rows):
        if row["rank"] is not None and (row["p50_ms"] or 0) > 0:
            point = Point(
                ms=row["p50_ms"],
                score=row["score"],
                network=row["network"],
                runtime=row["runtime"],
                verdict=row["verdict"],
                row=place,
            )
            found[query(row)].append(point)
    return dict(found)


def points(rows: Sequence[Row]) -> dict[str, list[Point]]:
    """The points of a table, grouped by how they were timed, with details."""
    notes = distinctions(rows)
    return {
        timed: [
            replace(point, details=_details(rows[point.row], notes[point.row])) for point in bare
        ]
        for timed, bare in bare_points(rows).items()
    }


def distinctions(rows: Sequence[Row]) -> list[str]:
    """For each row, what distinguishes it from others of its network and runtime, as text.

    If no setting does, it is the checkpoint.
    """
    alike = defaultdict(list)
    for row in rows:
        alike[row["network"], row["runtime"]].append(row)
    told = {id(row): text for group in alike.values() for row, text in _told_apart(group)}
    return [told[id(row)] for row in rows]


def _told_apart(rows: Sequence[Row]) -> list[tuple[Row, str]]:
    settings = [_settings(row) for row in rows]
    varying = [name for name in settings[0] if len({each[name] for each in settings}) > 1]
    texts = [
        ", ".join(f"{name} {each[name]}" for name in varying if each[name]) for each in settings
    ]
    networks = defaultdict(set)
    for row, text in zip(rows, texts, strict=True):
        networks[text].add(row["checkpoint_sha256"])
    return [
        (row, ", ".join(filter(None, (text, _checkpoint(row) if len(networks[text]) > 1 else ""))))
        for row, text in zip(rows, texts, strict=True)
    ]


def _settings(row: Row) -> dict[str, str]:
    size = {"size": f"{row['height']}x{row['width']}"}
    known = {name: row.get(field) for field, name in DISTINCT.items()}
    return size | {name: "" if value is None else str(value) for name, value in known.items()}


def _checkpoint(row: Row) -> str:
    return f"checkpoint {str(row['checkpoint_sha256'])[:7]}" if row["checkpoint_sha256"] else ""


def _details(row: Row, note: str) -> str:
    interval = score_interval(row)
    latency = ", ".join(
        f"{name} {row[f'{name}_ms']:.2f} ms"
        for name in ("p50", "p90", "p99")
        if row[f"{name}_ms"] is not None
    )
    reasons = "; ".join(map(str, row["reasons"] or ()))
    lines = (
        f"{row['network']} {row['runtime']}",
        note,
        f"{score_name(row)} {row['score']:.4f}" + (f" ({interval})" if interval else ""),
        latency,
        (row["verdict"] or "no verdict") + (f": {reasons}" if reasons else ""),
    )
    return "\n".join(printable(line) for line in lines if line)
