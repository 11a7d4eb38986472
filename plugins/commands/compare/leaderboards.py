"""Two leaderboards side by side: the same network on the same runtime, before and after.

A leaderboard is a results folder, or a file from ``segbench leaderboard --format csv`` or ``json``.
Rows of a folder have records, which are compared like any two records; rows of a file have only
figures.
"""

import csv
import io
import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

from segbench.analysis.fields import NETWORK, TIMED, Row
from segbench.analysis.rank import leaderboard
from segbench.errors import SegbenchError
from segbench.files import read_text
from segbench.records.record import Record, network_title

from .records import (
    Latencies,
    Scores,
    Setting,
    compare,
    differing_config,
    differing_provenance,
)

RUNS_AS = (*NETWORK, "height", "width", "runtime", "keep_float")
SAME_SCORE = (*RUNS_AS, "split", "label_scale", "limit", "frames", "score_name")
SAME_LATENCY = (*RUNS_AS, "device", *TIMED)
INTEGERS = {"epochs", "seed", "height", "width", "label_scale", "limit", "frames"} | {
    "query_batch_size",
    "query_threads",
}
FLOATS = {"score", "p50_ms"}
SHA = "checkpoint_sha256"
HOLDS_ON = "score_holds_on"
SHOWN = ("crop", "record", "latency_record")
NEEDED = (*dict.fromkeys((*SAME_SCORE, *SAME_LATENCY)), SHA, *SHOWN, *sorted(FLOATS))


@dataclass(frozen=True)
class Leaderboard:
    """Rows, and their records by name; a file has only rows."""

    rows: Sequence[Row]
    records: Mapping[str | None, Record] = field(default_factory=dict)


@dataclass(frozen=True)
class Pair:
    """Two matched rows, and the comparison of their records if both have one.

    ``problem`` says why two existing records cannot be compared.
    """

    a: Row
    b: Row
    found: Scores | Latencies | None = None
    settings: tuple[Setting, ...] = ()
    problem: str | None = None


@dataclass(frozen=True)
class Matched:
    """Matched rows of both leaderboards, and rows that only one has."""

    pairs: tuple[tuple[Row, Row], ...]
    only_a: tuple[Row, ...]
    only_b: tuple[Row, ...]


def leaderboard_of(records: Sequence[Record]) -> Leaderboard:
    """The leaderboard of ``records``, which are ordered oldest first."""
    rows = [row for rows in leaderboard(records).values() for row in rows]
    return Leaderboard(rows, {record.name: record for record in records})


def compare_pairs(
    pairs: Sequence[tuple[Row, Row]], a: Leaderboard, b: Leaderboard, column: str
) -> list[Pair]:
    """The pairs with their records compared; ``column`` is "record" or "latency_record"."""
    return [_compared(x, y, a.records.get(x[column]), b.records.get(y[column])) for x, y in pairs]


def match_scores(a: Sequence[Row], b: Sequence[Row]) -> Matched:
    """Scores of the same network, runtime, size and split."""
    return _match(a, b, SAME_SCORE, "score")


def match_latencies(a: Sequence[Row], b: Sequence[Row]) -> Matched:
    """Latencies of the same network, runtime, size, query and device."""
    return _match(a, b, SAME_LATENCY, "p50_ms")


def read_leaderboard(path: Path) -> list[Row]:
    """The rows of a CSV or JSON leaderboard; SegbenchError for any other file."""
    try:
        text = read_text(path)
        if path.suffix == ".csv":
            rows = [_typed(row) for row in csv.DictReader(io.StringIO(text, newline=""))]
        else:
            rows = json.loads(text)
        if not rows:
            raise ValueError("it has no row")
        return [_checked(row) for row in rows]
    except (OSError, ValueError, TypeError, KeyError, RecursionError, csv.Error) as error:
        raise SegbenchError(
            f"{path} is not a leaderboard ({error}); write one with "
            "`segbench leaderboard --format csv` or `--format json`."
        ) from error


def _compared(row_a: Row, row_b: Row, a: Record | None, b: Record | None) -> Pair:
    if a is None or b is None:
        return Pair(row_a, row_b)
    settings = (*differing_config(a, b), *differing_provenance(a, b))
    try:
        return Pair(row_a, row_b, compare(a, b), settings)
    except SegbenchError as error:
        return Pair(row_a, row_b, None, settings, error.message)


def _match(a: Sequence[Row], b: Sequence[Row], names: tuple[str, ...], figure: str) -> Matched:
    """Pairs of the same checkpoint first, then of the same training settings, best with best.

    Of each, first those on the same kind of device.
    """
    pairs: list[tuple[Row, Row]] = []
    a, b = _unique(a, names, figure), _unique(b, names, figure)
    for alike in ((SHA, HOLDS_ON), (SHA,), (HOLDS_ON,), ()):
        found = _pair(a, b, (*names, *alike))
        pairs += found.pairs
        a, b = found.only_a, found.only_b
    return Matched(tuple(pairs), tuple(a), tuple(b))


def _pair(a: Sequence[Row], b: Sequence[Row], names: tuple[str, ...]) -> Matched:
    groups: dict[Any, tuple[list[Row], list[Row]]] = defaultdict(lambda: ([], []))
    for side, rows in enumerate((a, b)):
        for row in rows:
            groups[_key(row, names)][side].append(row)
    couples = list(chain.from_iterable(zip_longest(*group) for group in groups.values()))
    return Matched(
        tuple((x, y) for x, y in couples if x and y),
        tuple(x for x, y in couples if x and not y),
        tuple(y for x, y in couples if y and not x),
    )


def _unique(rows: Sequence[Row], names: tuple[str, ...], figure: str) -> list[Row]:
    """One row per score or latency, since a score is repeated for every latency of its network."""
    found = {_key(row, (*names, SHA, HOLDS_ON)): row for row in rows if row[figure] is not None}
    return list(found.values())


def _key(row: Row, names: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(row[name] for name in names)


def _typed(row: dict[str, str]) -> Row:
    kinds: dict[str, Callable[[str], Any]] = dict.fromkeys(INTEGERS, int)
    kinds |= dict.fromkeys(FLOATS, float)
    return {name: kinds.get(name, str)(text) if text else None for name, text in row.items()}


def _checked(row: Any) -> Row:
    if not isinstance(row, dict):
        raise ValueError("a row is not an object")
    row = {"network": network_title(row), HOLDS_ON: None, **row}
    for name in NEEDED:
        if name not in row:
            raise ValueError(f"column {name!r} is missing")
        kinds = (int, float) if name in INTEGERS | FLOATS else (str,)
        if row[name] is not None and not isinstance(row[name], kinds):
            raise ValueError(f"{name} is {row[name]!r:.40}")
    return row
