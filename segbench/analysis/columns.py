"""The leaderboard's columns for people: a header, and what stands under it in each row."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from segbench.analysis.rank import Row
from segbench.text import counted


@dataclass(frozen=True)
class Column:
    """A header, the text in a row, and the field that the column sorts by if it is a number.

    ``note`` is small print that a page has room for, and ``style`` the column's class there. A
    column that is ``telling`` is shown only where it tells rows apart.
    """

    header: str
    text: Callable[[Row], str]
    number: str | None = None
    note: Callable[[Row], str] = lambda row: ""
    style: str = ""
    telling: bool = False


def filled(columns: Sequence[Column], rows: Sequence[Row]) -> list[Column]:
    """The columns with a text in some row, and if they have to tell rows apart, with several."""
    found = []
    for column in columns:
        texts = {column.text(row) for row in rows}
        if len(texts) > 1 or (texts != {""} and not column.telling):
            found.append(column)
    return found


def query(row: Row) -> str:
    """How a latency was timed, such as "model, batch 1, 2 threads"."""
    scenario = row["query_scenario"]
    parts = [
        row["query_scope"],
        scenario if scenario != "single-stream" else None,
        _number("query_batch_size", "batch {}")(row),
        "" if row["query_threads"] is None else counted(int(row["query_threads"]), "thread"),
    ]
    return ", ".join(part for part in parts if part)


def _text(name: str) -> Callable[[Row], str]:
    return lambda row: row[name] or ""


def _number(name: str, form: str) -> Callable[[Row], str]:
    return lambda row: "" if row[name] is None else form.format(row[name])


def _interval(low: str, high: str, form: str) -> Callable[[Row], str]:
    return lambda row: "" if None in (row[low], row[high]) else form.format(row[low], row[high])


def _score(row: Row) -> str:
    limit = f" (limit {row['limit']})" if row["limit"] is not None else ""
    return _number("score", "{:.4f}")(row) + limit


def _score_interval(row: Row) -> str:
    """Records have the interval of the mIoU, whatever the official score is.

    Older ones have that of a single frame too, which says nothing.
    """
    named = row["score_name"] == "miou" and row["frames"] != 1
    return _interval("miou_low", "miou_high", "{:.4f} to {:.4f}")(row) if named else ""


def _parameters(row: Row) -> str:
    return "" if row["parameters"] is None else f"{row['parameters'] / 1e6:.2f} M"


def _seeds(row: Row) -> str:
    if row["seeds"] is None:
        return ""
    return f"{row['seeds_mean']:.4f} ± {row['seeds_std']:.4f} ({row['seeds']})"


def _commit(row: Row) -> str:
    return (row["commit"] or "")[:7] + (" dirty" if row["dirty"] else "")


COLUMNS = (
    Column("rank", _number("rank", "{}"), "rank"),
    Column("network", _text("network"), style="network"),
    Column("decoder", _text("decoder")),
    Column("weights", _text("weights"), style="weights"),
    Column("trained on", _text("trained_on")),
    Column("train splits", _text("train_splits")),
    Column("size", lambda row: f"{row['height']}x{row['width']}"),
    Column("crop", _text("crop"), telling=True),
    Column("epochs", _number("epochs", "{}"), "epochs", telling=True),
    Column("trained in", _text("precision"), telling=True),
    Column("score", _score, "score", _score_interval),
    Column("score from", _text("score_from"), style="from"),
    Column("over seeds", _seeds),
    Column("parameters", _parameters, "parameters"),
    Column("runtime", _text("runtime"), style="runtime"),
    Column("kept in float", _text("keep_float"), style="kept"),
    Column("timed", query, style="timed"),
    Column("p50 ms", _number("p50_ms", "{:.2f}"), "p50_ms"),
    Column("p90 ms", _number("p90_ms", "{:.2f}"), "p90_ms"),
    Column("p99 ms", _number("p99_ms", "{:.2f}"), "p99_ms"),
    Column("fps", _number("fps", "{:.1f}"), "fps"),
    Column(
        "speed-up",
        _number("speedup", "{:.2f}x"),
        "speedup",
        _interval("speedup_low", "speedup_high", "{:.2f} to {:.2f}"),
    ),
    Column("file MB", _number("file_mb", "{:.1f}"), "file_mb"),
    Column("verdict", _text("verdict")),
    Column("note", _text("note")),
    Column("commit", _commit),
)
# A terminal and a README are narrow: there the median speaks for the latency.
NARROW = tuple(column for column in COLUMNS if column.header not in ("p90 ms", "p99 ms"))
