"""A record of prediction files, so that any other system has its row in the leaderboard."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from segbench.data.frames import fingerprint
from segbench.plugins import Registry
from segbench.progress import Reporter
from segbench.records.provenance import provenance
from segbench.records.record import Record
from segbench.records.schema import EXTERNAL
from segbench.scoring.score import Score
from segbench.types import Dataset, Frame


@dataclass(frozen=True)
class External:
    """Another system: its ``name``, and a latency in milliseconds that its owner states.

    ``stated_on`` says on what device, engine, size and batch that latency was measured.
    """

    name: str
    stated_ms: float | None = None
    stated_on: str | None = None


@dataclass(frozen=True, kw_only=True)
class Occasion:
    """What the predictions were scored on, and how segbench was called."""

    dataset: Dataset
    split: str
    frames: Sequence[Frame]
    label_scale: int
    started: datetime
    argv: Sequence[str]


def external_record(
    system: External, score: Score, occasion: Occasion, registry: Registry, reporter: Reporter
) -> Record:
    """The record of a score; a later one of the same name takes its place in a leaderboard."""
    dataset, frames = occasion.dataset, occasion.frames
    # Labels alone are enough for a score.
    with_images = all(frame.image.is_file() for frame in frames)
    return Record(
        kind=EXTERNAL,
        config={
            "dataset": dataset.name,
            "split": occasion.split,
            "network": system.name,
            "runtime": EXTERNAL,
            "label_scale": occasion.label_scale,
        },
        metrics=score.metrics() | {"stated_ms": system.stated_ms, "stated_on": system.stated_on},
        per_class=score.summary["per_class"],
        official=score.official,
        provenance=provenance(
            started=occasion.started,
            argv=occasion.argv,
            registry=registry,
            plugins=[dataset],
            engine="prediction files",
            dataset_fingerprint=fingerprint(frames, reporter) if with_images else None,
        ),
    )
