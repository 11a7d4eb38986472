"""The fields of a leaderboard's rows: the columns of its CSV."""

from typing import Any

Row = dict[str, Any]
Tables = dict[str, list[Row]]

TRAINED = (
    "dataset",
    "trained_on",
    "train_splits",
    "network",
    "backbone",
    "decoder",
    "weights",
    "recipe",
    "precision",
    "epochs",
)
NETWORK = (*TRAINED, "seed")
# A latency takes these from the score of its checkpoint.
TRAINING = ("epochs", "epoch", "crop", "precision", "training", "parameters")
INPUT = ("height", "width", "runtime", "checkpoint_sha256")
TRAIN = "train"
"""The training split, unless a record names others."""
SCORED = ("split", "label_scale", "limit", "score_name")
SCORE = ("score", "miou", "miou_low", "miou_high", "frames")
# A latency reported by another system's authors, not measured here.
STATED = ("stated_ms", "stated_on")
QUERY = ("scope", "scenario", "batch_size", "threads")
# The same in a row, where the training has a batch size too.
TIMED = tuple(f"query_{name}" for name in QUERY)
# Scores equal in these repeat one experiment, with the same or another seed.
REPEATED = (
    *TRAINED,
    *("batch_size", "crop", "training", "height", "width", "runtime", "keep_float"),
    *SCORED,
)
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
    "peak_memory_mb",
    "gflop",
    "roofline_multiple",
    "agreement",
    "verdict",
    "reasons",
    "note",
)
FIELDS = (
    "table",
    "rank",
    *NETWORK,
    "epoch",
    "crop",
    "training",
    *INPUT,
    "keep_float",
    "parameters",
    *SCORED,
    *SCORE,
    "score_holds_on",
    "score_from",
    "seeds",
    "seeds_mean",
    "seeds_std",
    "device",
    *TIMED,
    *LATENCY,
    *STATED,
    "commit",
    "dirty",
    "record",
    "latency_record",
)
# A score and a latency both have these; the joined row takes the score's.
OF_NETWORK = (
    *NETWORK,
    *("epoch", "crop", "training"),
    *INPUT,
    *("keep_float", "parameters", "commit", "dirty"),
)
