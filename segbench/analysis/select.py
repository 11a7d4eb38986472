"""Filter and sort the rows of a leaderboard."""

import operator
import re
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any

from segbench.analysis.columns import COLUMNS
from segbench.analysis.fields import FIELDS, TIMED
from segbench.analysis.pareto import pareto_front
from segbench.errors import SegbenchError, unknown_name

if TYPE_CHECKING:
    from pandas import DataFrame, Series

OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "!=": operator.ne,
    "=": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
}
CONDITION = re.compile(r"\s*(.+?)\s*(<=|>=|!=|=|<|>)\s*(.*?)\s*")
SHORT = {"p50": "p50_ms", "p90": "p90_ms", "p99": "p99_ms"}
NAMES = (
    {name: name for name in FIELDS}
    | {column.header: column.number for column in COLUMNS if column.number}
    | SHORT
)
"""A column's name on the command line -> the row's key."""
HIGHEST_FIRST = {"score", "miou", "miou_low", "miou_high", "seeds_mean", "fps", "speedup"}


def select(
    rows: "DataFrame",
    where: Sequence[str] = (),
    max_ms: float | None = None,
    min_score: float | None = None,
    sort: str | None = None,
    pareto: bool = False,
    best: bool = False,
    devices: Collection[str] | None = None,
) -> "DataFrame":
    """Some of ``rank.ranking``'s rows; SegbenchError for a column that does not exist.

    ``where`` are conditions such as "runtime=onnx-int8" or "height>=352"; all must hold. ``sort``
    names a column, best first. ``pareto`` keeps the rows of each table that no other row, timed
    alike, beats in both score and latency; ``best`` keeps the first row of each table. Both skip
    rows without a rank, and INVALID latencies unless the score alone decides. ``devices`` keeps
    latencies of these devices.
    """
    if devices is not None:
        rows = rows[rows["device"].isin(devices)]
    for condition in where:
        rows = rows[_holds(rows, condition)]
    if max_ms is not None:
        rows = rows[rows["p50_ms"].astype(float) <= max_ms]
    if min_score is not None:
        rows = rows[rows["score"].astype(float) >= min_score]
    if pareto or best:
        rows = rows[rows["rank"].notna()]
    if best and (max_ms, sort) != (None, None):
        rows = rows[rows["verdict"].ne("INVALID")]
    if pareto:
        rows = _front(rows[rows["verdict"].eq("VALID")])
    if sort is not None:
        rows = _sorted(rows, _column(sort))
    return rows.groupby("table", sort=False).head(1) if best else rows


def _column(name: str) -> str:
    if name not in NAMES:
        raise SegbenchError(unknown_name("column", name, (*FIELDS, *SHORT)))
    return NAMES[name]


def _holds(rows: "DataFrame", condition: str) -> "Series":
    """Numbers compare as numbers, everything else as text; a missing value is ""."""
    parsed = CONDITION.fullmatch(condition)
    if parsed is None:
        raise SegbenchError(
            f"--where {condition!r} is not COLUMN=VALUE; also: !=, <, <=, >, >=, "
            "as in 'runtime=onnx-int8'."
        )
    name, sign, text = parsed.groups()
    values, compare = rows[_column(name)], OPERATORS[sign]
    number = _number(text)
    if number is not None and (values.map(_is_number).any() or values.isna().all()):
        numbers = values.where(values.map(_is_number)).astype(float)
        return compare(numbers, number)
    if sign not in ("=", "!="):
        raise SegbenchError(f"--where {condition!r}: {sign} compares numbers; use = or !=.")
    return compare(values.fillna("").astype(str), text)


def _is_number(value: object) -> bool:
    return type(value) in (int, float)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _front(rows: "DataFrame") -> "DataFrame":
    """Rows that no other row of their table, timed alike, beats in both score and latency."""
    front: list[Any] = []
    for _, alike in rows.groupby(["table", *TIMED], dropna=False, sort=False):
        places = zip(alike["p50_ms"].astype(float), alike["score"].astype(float), strict=True)
        front += list(alike.index[pareto_front(list(places))])
    return rows[rows.index.isin(front)]


def _sorted(rows: "DataFrame", name: str) -> "DataFrame":
    """Each table's rows sorted by a column, best first and missing values last."""
    values = rows[name]
    numeric = values.dropna().map(_is_number).all()
    key = values.astype(float) if numeric else values.map(str, na_action="ignore")
    place = rows["table"].map({title: n for n, title in enumerate(rows["table"].unique())})
    return (
        rows.assign(by=key, place=place)
        .sort_values(["place", "by"], ascending=[True, name not in HIGHEST_FIRST], kind="stable")
        .drop(columns=["by", "place"])
    )
