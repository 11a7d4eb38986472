"""The columns that a leaderboard shows: a header and the text of each row."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from segbench.analysis.fields import TRAIN, Row
from segbench.text import counted

DIGITS = 4
"""Digits of a score after the point, as it is shown; further ones differ between engines."""
TOLD = {
    "lr": "lr",
    "encoder_lr_scale": "encoder",
    "class_weights": "class weights",
    "lovasz": "lovasz",
    "ema": "ema",
}


@dataclass(frozen=True)
class Column:
    """A header, the text in a row, and the field that the column sorts by if it is a number.

    ``note`` is small print on the HTML page, and ``style`` the column's CSS class there. A
    ``telling`` column is shown only if its values differ.
    """

    header: str
    text: Callable[[Row], str]
    number: str | None = None
    note: Callable[[Row], str] = lambda row: ""
    style: str = ""
    telling: bool = False


def filled(columns: Sequence[Column], rows: Sequence[Row]) -> list[Column]:
    """The columns with text in some row; ``telling`` ones only if their values differ."""
    found = []
    for column in columns:
        texts = {column.text(row) for row in rows}
        if len(texts) > 1 or (texts != {""} and not column.telling):
            found.append(column)
    return found


def text(name: str, form: str = "{}") -> Callable[[Row], str]:
    """A field of a row in ``form``; "" where it is absent."""
    return lambda row: "" if row[name] is None else form.format(row[name])


def query(row: Row) -> str:
    """How a latency was timed, such as "model, batch 1, 2 threads"."""
    scenario = row["query_scenario"]
    parts = [
        row["query_scope"],
        scenario if scenario != "single-stream" else None,
        text("query_batch_size", "batch {}")(row),
        "" if row["query_threads"] is None else counted(int(row["query_threads"]), "thread"),
    ]
    return ", ".join(part for part in parts if part)


def size(row: Row) -> str:
    """Height and width of the input in pixels, such as "360x480"."""
    return "" if row["height"] is None else f"{row['height']}x{row['width']}"


def epochs(row: Row) -> str:
    """The planned epochs, such as "60"; "53 of 60" if an earlier epoch is scored."""
    planned, scored = row["epochs"], row["epoch"]
    return text("epochs")(row) if scored in (None, planned) else f"{scored} of {planned}"


def score_interval(row: Row) -> str:
    """The 95% interval of mean IoU, such as "0.6558 to 0.6810", if that is the official score.

    Older records have one for a single frame too, which is meaningless.
    """
    named = row["score_name"] == "miou" and row["frames"] != 1
    return _interval("miou_low", "miou_high", "{:.4f} to {:.4f}")(row) if named else ""


def over_seeds(row: Row) -> str:
    """Mean and standard deviation of the score over seeds, and their number."""
    if row["seeds"] is None:
        return ""
    return f"{row['seeds_mean']:.4f} ± {row['seeds_std']:.4f} ({row['seeds']})"


def _interval(low: str, high: str, form: str) -> Callable[[Row], str]:
    return lambda row: "" if None in (row[low], row[high]) else form.format(row[low], row[high])


def _score(row: Row) -> str:
    limit = f" (limit {row['limit']})" if row["limit"] is not None else ""
    return text("score", "{:.4f}")(row) + limit


def _parameters(row: Row) -> str:
    return "" if row["parameters"] is None else f"{row['parameters'] / 1e6:.2f} M"


def _train_splits(row: Row) -> str:
    return "" if row["train_splits"] == TRAIN else row["train_splits"] or ""


def _training(row: Row) -> str:
    """The settings of a training that are often changed."""
    if row["training"] is None:
        return ""
    settings = json.loads(row["training"])
    return ", ".join(
        f"{name} {settings[field]:g}"
        for field, name in TOLD.items()
        if isinstance(settings.get(field), (int, float))
    )


def _stated(row: Row) -> str:
    return "" if row["stated_ms"] is None else f"{row['stated_ms']:g} ms on {row['stated_on']}"


def _speedup(row: Row) -> str:
    over = "" if row["baseline"] == "eager" else f" over {row['baseline']}"
    return "" if row["speedup"] is None else f"{row['speedup']:.2f}x{over}"


def _commit(row: Row) -> str:
    return (row["commit"] or "")[:7] + (" dirty" if row["dirty"] else "")


COLUMNS = (
    Column("rank", text("rank"), "rank"),
    Column("network", text("network"), style="network"),
    Column("weights", text("weights"), style="weights"),
    Column("trained on", text("trained_on")),
    Column("train splits", _train_splits),
    Column("size", size),
    Column("recipe", text("recipe"), telling=True),
    Column("crop", text("crop"), telling=True),
    Column("settings", _training, telling=True),
    Column("epochs", epochs, "epochs", telling=True),
    Column("seed", text("seed"), "seed", telling=True),
    Column("training precision", text("precision"), telling=True),
    Column("score", _score, "score", score_interval),
    Column("score from", text("score_from"), style="from"),
    Column("over seeds", over_seeds),
    Column("parameters", _parameters, "parameters"),
    Column("runtime", text("runtime"), style="runtime"),
    Column("kept in float", text("keep_float"), style="kept"),
    Column("timed", query, style="timed"),
    Column("p50 ms", text("p50_ms", "{:.2f}"), "p50_ms"),
    Column("p90 ms", text("p90_ms", "{:.2f}"), "p90_ms"),
    Column("p99 ms", text("p99_ms", "{:.2f}"), "p99_ms"),
    Column("fps", text("fps", "{:.1f}"), "fps"),
    Column(
        "speed-up",
        _speedup,
        "speedup",
        _interval("speedup_low", "speedup_high", "{:.2f} to {:.2f}"),
    ),
    Column("reported latency", _stated, "stated_ms", style="stated"),
    Column("file MB", text("file_mb", "{:.1f}"), "file_mb"),
    Column("verdict", text("verdict")),
    Column("note", text("note")),
    Column("commit", _commit),
)
# A terminal and a README are narrow, so they show only the median latency.
NARROW = tuple(column for column in COLUMNS if column.header not in ("p90 ms", "p99 ms"))
