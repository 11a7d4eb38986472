"""Records -> ranked rows: the official score of a network beside its latency.

Rows of one table are comparable: same dataset and split, number of frames, label scale, training
dataset and splits, and device of the latencies.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segbench.analysis.difference import miou_difference
from segbench.analysis.fields import FIELDS, INPUT, TRAIN, Row, Tables
from segbench.analysis.join import joined
from segbench.errors import SegbenchError
from segbench.records.arrays import ScoredFrames, scored_frames
from segbench.records.frame import frame_of
from segbench.records.record import Record, read_record
from segbench.text import counted

if TYPE_CHECKING:
    from pandas import DataFrame

# Rows equal in these are in one table.
BOARD = ("dataset", "split", "score_name", "label_scale", "frames", "trained_on", "train_splits")
WORDS = ("dataset", "split", "score_name", "trained_on", "train_splits")
# Rows equal in these are one network timed in several ways, and share its rank.
RANKED = (*INPUT, "keep_float", "score", "score_from")
COMPARED = 100
"""Only this many top networks of a table are compared frame by frame, which is slow."""


def leaderboard(records: Iterable[Record]) -> Tables:
    """Tables by title, best row first; each row has all ``FIELDS``, None for missing values.

    ``records`` are ordered oldest first; the newest of the same measurement counts.
    """
    return tables_of(ranking(frame_of(records)))


def tables_of(rows: "DataFrame") -> Tables:
    """Rows of ``ranking`` grouped by the title of their table."""
    tables: Tables = {}
    for values in zip(*(rows[name] for name in FIELDS), strict=True):
        row = dict(zip(FIELDS, values, strict=True))
        tables.setdefault(row["table"], []).append(row)
    return tables


def ranking(records: "DataFrame") -> "DataFrame":
    """The rows of all tables, table by table, with all ``FIELDS``.

    ``records`` are those of ``frame_of``. ``rank`` is a network's place by score: networks whose
    scores differ only by noise share a rank, VALID latencies first. A row without a score or with a
    ``limit`` has no rank and comes last. A row without a latency has no device, and goes into the
    largest of the tables that differ only in the device; a score that holds for one kind of device
    goes into that device's table.
    """
    import pandas as pd

    if records.empty:
        return pd.DataFrame(columns=list(FIELDS), dtype=object)
    tables = _in_tables(joined(records)).groupby("table", sort=False)
    return pd.concat([_ranked(table) for _, table in tables], ignore_index=True)[list(FIELDS)]


def score_name(row: Row) -> str:
    """The display name of the official score."""
    return "mIoU" if row["score_name"] == "miou" else row["score_name"] or "score"


def _in_tables(rows: "DataFrame") -> "DataFrame":
    """The rows with the title of their ``table``, in table order."""
    import pandas as pd

    rows = _plain(rows.reindex(columns=[*FIELDS, "path", "scored_on", "alike"]))
    rows = rows.reset_index(drop=True)
    rows["score_holds_on"] = rows["alike"].map(lambda kind: kind or None)
    device = rows["device"].fillna(rows["scored_on"].mask(rows["alike"].eq("")))
    rows = rows.assign(
        board=rows.groupby(list(BOARD), dropna=False, sort=False).ngroup(), home=device
    )
    sizes = rows.groupby(["board", "home"], as_index=False).size()
    sizes = sizes.sort_values(["size", "home"], ascending=[False, True], kind="stable")
    largest = sizes.drop_duplicates("board").set_index("board")["home"]
    rows["home"] = device.fillna(rows["board"].map(largest)).fillna("")
    tables = {}
    for (_, home), table in rows.groupby(["board", "home"], sort=False):
        row = table.iloc[0]
        words = [row[name] or "" for name in WORDS]
        title = _title(row, str(home), timed=bool(table["device"].notna().any()))
        tables[(*words, row["label_scale"] or 0, row["frames"] or 0, home)] = table.assign(
            table=title
        )
    return pd.concat([tables[key] for key in sorted(tables)])


def _ranked(table: "DataFrame") -> "DataFrame":
    """A table's rows in order, with their ranks: networks of equal score share one, as 1, 1, 3."""
    import pandas as pd

    score = table["score"].astype(float)
    network = table.groupby(list(RANKED), dropna=False, sort=False).ngroup()
    table = table.assign(
        group=network,
        by_score=-score,
        lower=-score,
        by_time=table["p50_ms"].astype(float),
        doubted=table["verdict"].ne("VALID"),
    )
    competing = table[score.notna() & table["limit"].isna()]
    networks = competing.sort_values("by_score", kind="stable").drop_duplicates("group")
    ranks = dict(zip(networks["group"], _shared_ranks(networks), strict=True))
    ranked = table["group"].isin(competing["group"]) & table["limit"].isna()
    shown = [ranks[group] if ok else None for group, ok in zip(table["group"], ranked, strict=True)]
    table["rank"] = pd.Series(shown, table.index, dtype=object)
    table["by_score"] = table["rank"].where(ranked, table["by_score"]).astype(float)
    order = ["unranked", "by_score", "doubted", "by_time", "lower"]
    return table.assign(unranked=~ranked).sort_values(order, kind="stable")


def _shared_ranks(networks: "DataFrame") -> list[int]:
    """The ranks of ``networks``, best score first: 1, 1, 3.

    A network ties with the best one of a rank if they differ only by noise: the 95% interval of
    their paired difference in mean IoU contains zero, or no digit shown differs. Without the arrays
    beside a record, or if the score is not mean IoU, only equal scores tie.
    """
    ranks: list[int] = []
    best: ScoredFrames | None = None
    previous: float | None = None
    rows = zip(networks["score"], networks["score_name"], networks["path"], strict=True)
    for place, (score, name, path) in enumerate(rows):
        frames = _frames(path) if place < COMPARED and name == "miou" else None
        if ranks and (score == previous or _within_noise(best, frames)):
            ranks.append(ranks[-1])
        else:
            ranks.append(place + 1)
            best = frames
        previous = score
    return ranks


def _frames(path: str | None) -> ScoredFrames | None:
    if path is None or not Path(path).with_suffix(".npz").exists():
        return None
    try:
        return scored_frames(read_record(Path(path)))
    except SegbenchError:
        return None


def _within_noise(a: ScoredFrames | None, b: ScoredFrames | None) -> bool:
    if a is None or b is None:
        return False
    try:
        return bool(miou_difference(a, b).within_noise)
    except SegbenchError:
        return False


def _plain(frame: "DataFrame") -> "DataFrame":
    """The frame with None for missing values, so that integers stay integers."""
    return frame.astype(object).where(frame.notna(), None)


def _title(row: Any, device: str, timed: bool) -> str:
    where = f"{'latency' if timed else 'scored'} on {device}"
    scale = row["label_scale"]
    if scale is None:
        return f"{row['dataset'] or 'no dataset'}: {where}, not scored"
    labels = "at full label size" if scale == 1 else f"on labels [::{scale}, ::{scale}]"
    count = row["frames"]
    parts = [
        f"{row['dataset']} {row['split'] or 'frames'}: {score_name(row)} {labels}",
        "" if count is None else counted(count, "frame"),
        f"trained on {row['trained_on']}" if row["trained_on"] else "",
        "" if row["train_splits"] == TRAIN else f"trained on {row['train_splits']}",
        where if device else "",
    ]
    return ", ".join(filter(None, parts))
