"""Which columns come first, and what is said once above a table."""

from collections.abc import Sequence

from segbench.analysis.columns import COLUMNS, Column
from segbench.analysis.fields import Row

# The most important columns; the others follow in their order.
FIRST = (
    *("rank", "network", "runtime", "score", "p50 ms", "speed-up", "verdict"),
    *("reported latency", "note", "score from", "trained on", "p90 ms", "p99 ms", "fps"),
    "over seeds",
)
SHAREABLE = ("network", "weights", "trained on", "train splits", "size", "timed")


def shared(rows: Sequence[Row]) -> dict[str, str]:
    """By header, the values shared by all of several rows, to be shown once above them.

    How they were timed is shared if it is the same for all with a latency.
    """
    found = {}
    for column in COLUMNS:
        texts = {column.text(row) for row in rows}
        if column.header == "timed":
            texts.discard("")
        if column.header in SHAREABLE and len(rows) > 1 and len(texts) == 1 and texts != {""}:
            found[column.header] = texts.pop()
    return found


def in_order(columns: Sequence[Column]) -> list[Column]:
    """The columns, the most important ones first."""
    places = {header: place for place, header in enumerate(FIRST)}
    return sorted(columns, key=lambda column: places.get(column.header, len(FIRST)))
