"""Two records side by side: what differs, by how much, and whether that is more than noise.

Scores are compared over the same frames, which are resampled together; latencies over the blocks
that their queries were timed in. An interval says how much a figure depends on the frames or
blocks, and nothing about training with another seed.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from segbench.analysis.difference import Difference, mean_difference, paired_frames, require_same
from segbench.errors import SegbenchError
from segbench.latency.statistics import block_medians, percentile, speedup
from segbench.records.arrays import ScoredFrames, latency_samples, scored_frames
from segbench.records.record import Record
from segbench.scoring.bootstrap import Interval, bootstrap_iou
from segbench.scoring.confusion import iou, number


@dataclass(frozen=True)
class Scores:
    """Two scores over the same ``frames``; fractions.

    ``headline`` is the benchmark's own measure if that is not mean IoU; it has no interval.
    """

    frames: int
    miou: Difference
    classes: tuple[Difference, ...]
    notes: tuple[str, ...] = ()
    headline: Difference | None = None


@dataclass(frozen=True)
class Latencies:
    """Two latencies in milliseconds; ``ratio`` is the time of B over that of A."""

    a: float
    b: float
    ratio: float
    interval: Interval | None
    notes: tuple[str, ...]

    @property
    def within_noise(self) -> bool | None:
        """Whether the interval contains one; None without an interval."""
        return None if self.interval is None else self.interval[0] <= 1 <= self.interval[1]


def compare(a: Record, b: Record) -> Scores | Latencies:
    """Compare two scores or two latencies; SegbenchError if they cannot be compared."""
    if (a.kind == "latency") != (b.kind == "latency"):
        raise SegbenchError(
            f"A is of kind {a.kind!r} and B of kind {b.kind!r}: "
            "compare two scores (run, evaluate, external) or two latencies."
        )
    return compare_latencies(a, b) if a.kind == "latency" else compare_scores(a, b)


def compare_scores(a: Record, b: Record) -> Scores:
    """The differences over the frames in both records, which need the same labels."""
    for name, default in (("dataset", None), ("label_scale", 1)):
        require_same(name, a.config.get(name, default), b.config.get(name, default))
    found = compare_frames(scored_frames(a), scored_frames(b))
    return found if found.notes else replace(found, headline=_headline(a, b))


def compare_frames(a: ScoredFrames, b: ScoredFrames) -> Scores:
    """The same without records; SegbenchError if classes or labels differ."""
    before, after = paired_frames(a, b)
    total_a, total_b = before.sum(0), after.sum(0)
    gains = bootstrap_iou(after, before)
    figures = zip(a.classes, iou(total_a), iou(total_b), gains, strict=True)
    notes = []
    if not len(before) == len(a.ids) == len(b.ids):
        notes.append(
            f"Compared on the {len(before)} frames in both, of {len(a.ids)} in A and "
            f"{len(b.ids)} in B."
        )
    return Scores(
        frames=len(before),
        miou=mean_difference(before, after),
        classes=tuple(Difference(name, number(x), number(y), gain) for name, x, y, gain in figures),
        notes=tuple(notes),
    )


def compare_latencies(a: Record, b: Record) -> Latencies:
    """The ratio of two latencies of the same scope and scenario.

    Turns of one session are compared round by round, so machine drift cancels out.
    """
    for name in ("scope", "scenario"):
        require_same(name, a.config.get(name), b.config.get(name))
    samples_a, samples_b = latency_samples(a), latency_samples(b)
    session = a.config.get("session")
    paired = session is not None and session == b.config.get("session")
    paired = paired and not (a.config.get("isolated") or b.config.get("isolated"))
    found = speedup(
        baseline=block_medians(vars(samples_b)), other=block_medians(vars(samples_a)), paired=paired
    )
    low, high = found["speedup_low"], found["speedup_high"]
    assert found["speedup"] is not None
    notes = [] if paired else ["Measured separately: the interval does not cover machine drift."]
    for name, record in (("A", a), ("B", b)):
        if record.metrics.get("verdict") == "INVALID":
            reasons = "; ".join(map(str, record.metrics.get("reasons") or ["no reason given"]))
            notes.append(f"{name} is INVALID: {reasons}.")
    return Latencies(
        a=1e3 * percentile(samples_a.seconds, 50),
        b=1e3 * percentile(samples_b.seconds, 50),
        ratio=found["speedup"],
        interval=None if low is None or high is None else (low, high),
        notes=tuple(notes),
    )


def _headline(a: Record, b: Record) -> Difference | None:
    name = a.metrics.get("score_name")
    if name in (None, "miou") or name != b.metrics.get("score_name"):
        return None
    return Difference(str(name), a.metrics.get("score"), b.metrics.get("score"))


# The time and the command line are not settings; a session's name only groups records.
OCCASION = {"started_at", "duration_s", "argv", "session"}
# An evaluation copies these from the checkpoint; a run has them elsewhere or in another form.
OF_ONE_KIND = {"epoch", "val_miou", "classes", "convention", "weights", "dataset_fingerprint"}


@dataclass(frozen=True)
class Setting:
    """A field that differs, as a dotted name such as "versions.torch"; None if absent."""

    name: str
    a: Any
    b: Any


def differing_config(a: Record, b: Record) -> list[Setting]:
    """Fields of ``config`` that differ."""
    return _differing(a.config, b.config, () if a.kind == b.kind else OF_ONE_KIND - {"weights"})


def differing_provenance(a: Record, b: Record) -> list[Setting]:
    """Fields of ``provenance`` that differ: commit, hardware, versions, plugins, quantisation."""
    return _differing(a.provenance, b.provenance, () if a.kind == b.kind else OF_ONE_KIND)


def _differing(
    a: Mapping[str, Any], b: Mapping[str, Any], left_out: Collection[str]
) -> list[Setting]:
    flat_a, flat_b = dict(_flat(a)), dict(_flat(b))
    return [
        Setting(name, flat_a.get(name), flat_b.get(name))
        for name in dict.fromkeys((*flat_a, *flat_b))
        if flat_a.get(name) != flat_b.get(name) and name.partition(".")[0] not in left_out
    ]


def _flat(fields: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in fields.items():
        if prefix + name in OCCASION:
            continue
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value
