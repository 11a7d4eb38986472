"""The compact leaderboard of the README: a line for each network, a column for each runtime."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from segbench.analysis.columns import epochs, over_seeds, query, score_interval, size, text
from segbench.analysis.fields import Row
from segbench.analysis.rank import score_name

REFERENCE = "eager"
SETTINGS: dict[str, Callable[[Row], str]] = {
    "trained on {}": text("train_splits"),
    "seed {}": text("seed"),
    "input {}": size,
    "timed as {}": query,
    "verdict {}": text("verdict"),
}
"""What stands above the table if all rows share it."""


def newest(rows: Sequence[Row]) -> list[Row]:
    """The scored and timed rows of each network's best checkpoint, one for each runtime, in order.

    They are timed as most rows are. The newest latency counts, but no INVALID one takes the place
    of a VALID one.
    """
    shown = [row for row in rows if row["rank"] is not None and row["p50_ms"] is not None]
    usual = Counter(map(query, shown)).most_common(1)
    shown = [row for row in shown if query(row) == usual[0][0]]
    best = {row["network"]: row["checkpoint_sha256"] for row in reversed(shown)}
    shown = [row for row in shown if row["checkpoint_sha256"] == best[row["network"]]]
    latest: dict[tuple[str, str], Row] = {}
    for row in sorted(shown, key=lambda row: (row["verdict"] == "VALID", row["latency_record"])):
        latest[row["network"], row["runtime"]] = row
    return [row for row in shown if row is latest[row["network"], row["runtime"]]]


def readme_table(rows: Sequence[Row]) -> str:
    """What all rows share, and a Markdown table of mIoU and of p50 on each runtime, in ms.

    A runtime whose score differs in the third digit from the one shown, that of eager, has its own
    in brackets. Networks without a row of eager are left out.
    """
    networks: dict[str, dict[str, Row]] = {}
    for row in rows:
        networks.setdefault(row["network"], {})[row["runtime"]] = row
    runtimes = sorted({row["runtime"] for row in rows}, key=lambda name: (name != REFERENCE, name))
    first = rows[0]
    lines = [
        ["network", "epochs", "crop", score_name(first), "over seeds", *runtimes],
        [":---", "---:", ":---", *["---:"] * (2 + len(runtimes))],
        *(
            [*_network(timed[REFERENCE]), *(_cell(timed, runtime) for runtime in runtimes)]
            for timed in networks.values()
            if REFERENCE in timed
        ),
    ]
    table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    shared = [
        form.format(*told)
        for form, setting in SETTINGS.items()
        if len(told := {setting(row) for row in rows}) == 1 and told != {""}
    ]
    title = f"**{first['dataset']} {first['split']}**, {first['frames']} frames"
    return f"{title}; {', '.join(shared)}; p50 in ms on\n{first['device']}\n\n{table}"


def _network(row: Row) -> list[str]:
    interval = score_interval(row)
    score = f"{row['score']:.4f}" + (f" ({interval})" if interval else "")
    return [row["network"], epochs(row), row["crop"] or "", score, over_seeds(row)]


def _cell(timed: Mapping[str, Row], runtime: str) -> str:
    row = timed.get(runtime)
    if row is None:
        return ""
    own, reference = (f"{each['score']:.3f}" for each in (row, timed[REFERENCE]))
    return f"{row['p50_ms']:.1f}" + (f" ({own})" if own != reference else "")
