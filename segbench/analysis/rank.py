"""Records -> ranked rows: the official score of a network beside its latency.

A *network* here is a checkpoint on one runtime at one size. Its score is the same on every
device, so a latency joins it wherever each of them was measured. A table holds what may be
compared: one data set and split, as many frames, labels at one scale, latencies of one device.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from statistics import fmean, stdev
from typing import Any

from segbench.records.facts import device_name, kept_float, record_name
from segbench.records.record import Record, config_hash

Row = dict[str, Any]
Tables = dict[str, list[Row]]

TRAINED = (
    "dataset",
    "trained_on",
    "backbone",
    "decoder",
    "weights",
    "recipe",
    "precision",
    "epochs",
)
NETWORK = (*TRAINED, "seed")
# A latency has these from the score of its checkpoint, as it has the parameters.
TRAINING = ("epochs", "crop", "precision")
INPUT = ("height", "width", "runtime", "checkpoint_sha256")
SCORED = ("split", "label_scale", "limit")
SCORE = ("score_name", "score", "miou", "miou_low", "miou_high", "frames")
QUERY = ("scope", "scenario", "batch_size", "threads")
# Two scores that agree in these repeat one experiment, with another seed if not with the same.
REPEATED = (*TRAINED, "batch_size", "crop", "training", "height", "width", "runtime", *SCORED)
LATENCY = (
    "p50_ms",
    "p90_ms",
    "p99_ms",
    "fps",
    "baseline",
    "speedup",
    "speedup_low",
    "speedup_high",
    "file_mb",
    "verdict",
    "reasons",
)
COLUMNS = (
    "table",
    "rank",
    *NETWORK,
    "crop",
    *INPUT,
    "keep_float",
    "parameters",
    *SCORED,
    *SCORE,
    "seeds",
    "seeds_mean",
    "seeds_std",
    "device",
    *(f"query_{name}" for name in QUERY),
    *LATENCY,
    "commit",
    "dirty",
    "record",
    "latency_record",
)


def leaderboard(records: Iterable[Record]) -> Tables:
    """Tables by title, rows best score first, every row with all ``COLUMNS``.

    ``records`` come oldest first; of two that measure the same the newer counts. ``rank`` is a
    network's place by score: its rows share it, and a row without a score or with a ``limit``
    has none and stands last. A row without a latency has no device, and stands in the largest
    of the tables that differ in nothing but the device.
    """
    boards = defaultdict(list)
    for row in _join(records):
        names = (row["dataset"] or "", row["split"] or "", row["score_name"] or "")
        boards[(*names, row["label_scale"] or 0, row["frames"] or 0)].append(row)
    tables: Tables = {}
    for key in sorted(boards):
        for device, rows in _by_device(boards[key]):
            title = _title(rows[0], device)
            tables[title] = [row | {"table": title} for row in ranked(rows)]
    return tables


def score_name(row: Row) -> str:
    """The official score as people call it."""
    return "mIoU" if row["score_name"] == "miou" else row["score_name"] or "score"


def _join(records: Iterable[Record]) -> Iterator[Row]:
    """A row for each score with each latency of its network, and for what lacks the other.

    The newest record counts, but no INVALID latency takes the place of a VALID one.
    """
    scores: dict[Any, Record] = {}
    latencies: dict[Any, Record] = {}
    known: dict[str, Row] = defaultdict(dict)
    for record in records:
        network = _network(record)
        if record.kind == "latency":
            how = (device_name(record), *(record.config.get(name) for name in QUERY))
            if _valid(record) or not _valid(latencies.get((network, how))):
                latencies[network, how] = record
        else:
            what = tuple(record.config.get(name) for name in ("dataset", *SCORED))
            scores[network, what] = record
        said = {name: record.config.get(name) for name in TRAINING}
        said["parameters"] = record.metrics.get("parameters")
        known[_checkpoint(record)] |= {name: value for name, value in said.items() if value}

    timed = defaultdict(list)
    for (network, _), record in latencies.items():
        timed[network].append(record)
    spreads = _over_seeds(list(scores.values()))
    for ((network, _), record), spread in zip(scores.items(), spreads, strict=True):
        row = _of_network(record, known) | _of_score(record) | spread
        for latency in timed.get(network, ()):
            yield row | _of_latency(latency)
        if network not in timed:
            yield row
    scored = {network for network, _ in scores}
    for (network, _), latency in latencies.items():
        if network not in scored:
            yield _of_network(latency, known) | _of_latency(latency)


def _valid(latency: Record | None) -> bool:
    return latency is not None and latency.metrics.get("verdict") == "VALID"


def _network(record: Record) -> tuple[Any, ...]:
    """What a score and a latency of the same network have in common."""
    config = record.config
    runtime, size = config["runtime"], (config["height"], config["width"])
    return _checkpoint(record), runtime, size, kept_float(record)


def _checkpoint(record: Record) -> str:
    """Fresh weights have no checkpoint: then the configuration stands for it."""
    return record.config.get("checkpoint_sha256") or record.config_hash


def _of_network(record: Record, known: Mapping[str, Row]) -> Row:
    config = record.config
    return (
        dict.fromkeys(COLUMNS)
        | {name: config.get(name) for name in (*NETWORK, *INPUT)}
        | known[_checkpoint(record)]
        | {"keep_float": "; ".join(kept_float(record)) or None}
        | {name: record.provenance.get(name) for name in ("commit", "dirty")}
    )


def _of_score(record: Record) -> Row:
    row = {name: record.metrics.get(name) for name in SCORE}
    row |= {name: record.config.get(name) for name in SCORED}
    return row | {"label_scale": row["label_scale"] or 1, "record": record_name(record)}


def _of_latency(record: Record) -> Row:
    row = {name: record.metrics.get(name) for name in LATENCY}
    row |= {f"query_{name}": record.config.get(name) for name in QUERY}
    return row | {"device": device_name(record), "latency_record": record_name(record)}


def _over_seeds(records: Sequence[Record]) -> list[Row]:
    """For each record how the score spreads over the records that differ in the seed alone."""
    by_seed: dict[str, dict[Any, float]] = defaultdict(dict)
    keys = [config_hash({name: r.config.get(name) for name in REPEATED}) for r in records]
    for key, record in zip(keys, records, strict=True):
        if record.metrics.get("score") is not None:
            by_seed[key][record.config.get("seed")] = record.metrics["score"]
    spreads = {key: _spread(list(found.values())) for key, found in by_seed.items()}
    return [spreads.get(key, {}) for key in keys]


def _spread(scores: Sequence[float]) -> Row:
    if len(scores) < 2:
        return {}
    return {"seeds": len(scores), "seeds_mean": fmean(scores), "seeds_std": stdev(scores)}


def _by_device(rows: Sequence[Row]) -> list[tuple[str, list[Row]]]:
    """Rows by latency device, sorted; those without one join the device with the most rows."""
    sizes = Counter(row["device"] for row in rows if row["device"])
    largest = max(sorted(sizes), key=sizes.__getitem__, default="")
    groups = defaultdict(list)
    for row in rows:
        groups[row["device"] or largest].append(row)
    return sorted(groups.items())


def ranked(rows: Iterable[Row]) -> list[Row]:
    """The rows best score first; networks of equal score share a rank: 1, 1, 3."""
    found: list[Row] = []
    rank = 1
    for (unranked, _), tied in groupby(sorted(rows, key=_order), lambda row: _order(row)[:2]):
        group = list(tied)
        found += [row | {"rank": None if unranked else rank} for row in group]
        rank += len({tuple(row[name] for name in INPUT) for row in group})
    return found


def _order(row: Row) -> tuple[bool, float, float]:
    """Ranked rows first; then the best score, then the fastest."""
    score, latency = row["score"], row["p50_ms"]
    return (
        score is None or row["limit"] is not None,
        -(score or 0.0),
        float("inf") if latency is None else latency,
    )


def _title(row: Row, device: str) -> str:
    latency = f"latency on {device}" if device else ""
    scale = row["label_scale"]
    if scale is None:
        return f"{row['dataset'] or 'no data set'}: {latency}, not scored"
    labels = "at full label size" if scale == 1 else f"on labels [::{scale}, ::{scale}]"
    count = row["frames"]
    frames = "" if count is None else f", {count} frame{'' if count == 1 else 's'}"
    score = f"{row['dataset']} {row['split'] or 'frames'}: {score_name(row)} {labels}{frames}"
    return f"{score}, {latency}" if latency else score
