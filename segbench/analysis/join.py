"""The scores of each network beside its latencies.

A *network* here is a checkpoint on one runtime at one size. Its FP32 score is the same on every
device, so it is joined with latencies from any device. A score in 16 bits or INT8 holds for one
kind of device; if only another device's score exists, the row names that device.
"""

from typing import TYPE_CHECKING

from segbench.analysis.fields import (
    LATENCY,
    OF_NETWORK,
    QUERY,
    REPEATED,
    SCORE,
    SCORED,
    STATED,
    TIMED,
    TRAIN,
    TRAINING,
)

if TYPE_CHECKING:
    from pandas import DataFrame, Series


def joined(records: "DataFrame") -> "DataFrame":
    """A row for each pair of a network's scores and latencies, and for each unpaired one.

    The newest record counts, but an INVALID latency never replaces a VALID one.
    """
    import pandas as pd

    # The key on which scores and latencies of a network are joined.
    network = ["checkpoint", "runtime", "height", "width", "keep_float"]
    of_checkpoint = records.groupby("checkpoint")
    records = records.assign(
        order=range(len(records)),
        group=records.groupby(network, dropna=False, sort=False).ngroup(),
        alike=_alike(records),
        train_splits=records["train_splits"].fillna(TRAIN),
        **{name: of_checkpoint[name].transform("last") for name in TRAINING},
    )
    scores, latencies = _scores(records), _latencies(records)
    pairs = scores.merge(latencies.drop(columns=list(OF_NETWORK)), on="group")
    fits = pairs["alike"].eq("") | pairs["alike"].eq(pairs["latency_alike"])
    pairs["score_from"] = pairs["scored_on"].mask(fits)
    pairs = pairs.assign(fits=fits).sort_values(["fits", "order"], kind="stable")
    pairs = pairs.drop_duplicates(["latency", "dataset", *SCORED], keep="last")
    pairs = pairs.sort_values(["order", "latency"])
    untimed = scores[~scores["order"].isin(pairs["order"])]
    unscored = latencies[~latencies["latency"].isin(pairs["latency"])]
    return pd.concat([part.astype(object) for part in (pairs, untimed, unscored)])


def _alike(records: "DataFrame") -> "Series":
    """Where a record's figures hold: "" for every device, else one kind of device."""
    known = records["device_kind"].fillna(records["device_name"])
    return known.mask(records["arithmetic"].eq("fp32"), "")


def _scores(records: "DataFrame") -> "DataFrame":
    scores = records[records["kind"].ne("latency")]
    scores = scores.assign(label_scale=scores["label_scale"].fillna(1))
    scores = scores.drop_duplicates(["group", "alike", "dataset", *SCORED], keep="last")
    scores = scores.join(_over_seeds(scores), on="order")
    kept = [*OF_NETWORK, *SCORED, *SCORE, *STATED]
    kept += ["seeds", "seeds_mean", "seeds_std", "record", "path"]
    return scores[[*kept, "order", "group", "alike", "device_name"]].rename(
        columns={"device_name": "scored_on"}
    )


def _latencies(records: "DataFrame") -> "DataFrame":
    latencies = records[records["kind"].eq("latency")]
    valid = latencies["verdict"].eq("VALID")
    latencies = latencies.assign(valid=valid).sort_values("valid", kind="stable")
    latencies = latencies.drop_duplicates(["group", "device_name", *QUERY], keep="last")
    kept = [*OF_NETWORK, *LATENCY, *QUERY, "order", "group", "device_name", "device_kind"]
    return (
        latencies[[*kept, "record"]]
        .sort_values("order")
        .rename(
            columns={
                **dict(zip(QUERY, TIMED, strict=True)),
                "order": "latency",
                "device_name": "device",
                "device_kind": "latency_alike",
                "record": "latency_record",
            }
        )
    )


def _over_seeds(scores: "DataFrame") -> "DataFrame":
    """Mean and deviation of the score over seeds, by the record's ``order``."""
    repeated = ["alike", *REPEATED]
    scores = scores[scores["score"].notna()]
    seeds = scores.assign(
        experiment=scores.groupby(repeated, dropna=False, sort=False).ngroup(),
        score=scores["score"].astype(float),
    )
    spread = (
        seeds.drop_duplicates(["experiment", "seed"], keep="last")
        .groupby("experiment")["score"]
        .agg(seeds="count", seeds_mean="mean", seeds_std="std")
        .query("seeds > 1")
        .astype(object)
    )
    return seeds.set_index("order")[["experiment"]].join(spread, on="experiment", how="inner")[
        ["seeds", "seeds_mean", "seeds_std"]
    ]
