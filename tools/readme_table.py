"""The compact leaderboard of the README: a line for each network, a column for each runtime."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from segbench.analysis.columns import over_seeds

Row = Mapping[str, Any]

REFERENCE = "eager"
SETTINGS: dict[str, Callable[[Row], str]] = {
    "trained on {}": lambda row: row["train_splits"] or "",
    "seed {}": lambda row: _text(row["seed"]),
    "input {}": lambda row: f"{row['height']}x{row['width']}",
    "scope {}": lambda row: row["query_scope"] or "",
    "batch {}": lambda row: _text(row["query_batch_size"]),
    "{} threads": lambda row: _text(row["query_threads"]),
    "verdict {}": lambda row: row["verdict"] or "",
}
"""What stands above the table if all rows share it."""


def newest(rows: Sequence[Row]) -> list[Row]:
    """The scored and timed rows of each network's best checkpoint, one for each runtime, in order.

    The newest counts, but no INVALID latency takes the place of a VALID one.
    """
    shown = [row for row in rows if row["rank"] is not None and row["p50_ms"] is not None]
    best = {row["network"]: row["checkpoint_sha256"] for row in reversed(shown)}
    shown = [row for row in shown if row["checkpoint_sha256"] == best[row["network"]]]
    latest: dict[tuple[str, str], Row] = {}
    for row in sorted(shown, key=lambda row: (row["verdict"] == "VALID", _written(row))):
        latest[row["network"], row["runtime"]] = row
    return [row for row in shown if row is latest[row["network"], row["runtime"]]]


def readme_table(rows: Sequence[Row]) -> str:
    """What all rows share, and a Markdown table of mIoU and of p50 on each runtime, in ms.

    A runtime whose score differs from that of eager in the third digit has its own in brackets.
    """
    networks: dict[str, dict[str, Row]] = {}
    for row in rows:
        networks.setdefault(row["network"], {})[row["runtime"]] = row
    runtimes = sorted({row["runtime"] for row in rows}, key=lambda name: (name != REFERENCE, name))
    score = "mIoU" if rows[0]["score_name"] == "miou" else rows[0]["score_name"]
    lines = [
        ["network", score, "over seeds", *runtimes],
        [":---", *["---:"] * (2 + len(runtimes))],
        *(
            [
                name,
                _score(timed[REFERENCE]),
                over_seeds(timed[REFERENCE]),
                *(_cell(timed, runtime) for runtime in runtimes),
            ]
            for name, timed in networks.items()
        ),
    ]
    table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    first = rows[0]
    shared = [
        form.format(*told)
        for form, text in SETTINGS.items()
        if len(told := {text(row) for row in rows}) == 1 and told != {""}
    ]
    title = f"**{first['dataset']} {first['split']}**, {first['frames']} frames"
    return f"{title}; {', '.join(shared)}; p50 in ms on\n{first['device']}\n\n{table}"


def _cell(timed: Mapping[str, Row], runtime: str) -> str:
    row = timed.get(runtime)
    if row is None:
        return ""
    own, reference = (f"{each['score']:.3f}" for each in (row, timed[REFERENCE]))
    return f"{row['p50_ms']:.1f}" + (f" ({own})" if own != reference else "")


def _score(row: Row) -> str:
    low, high = row["miou_low"], row["miou_high"]
    return f"{row['score']:.4f}" + ("" if None in (low, high) else f" [{low:.3f}, {high:.3f}]")


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _written(row: Row) -> str:
    """Records are named by the time they were written."""
    return str(row["record"]).rsplit("/", 1)[-1]
