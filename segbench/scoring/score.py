"""Official scores of a folder of prediction PNGs from any system.

Frames are counted in threads: PNG decoding, which is most of the work, and NumPy's sums run in
parallel. Counts are added in frame order, so the score does not depend on the number of workers.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segbench.data.skipped import skipped_sentence
from segbench.errors import DataError, SegbenchError, unknown_name
from segbench.progress import Reporter
from segbench.scoring.bootstrap import bootstrap_miou
from segbench.scoring.confusion import CONFUSION, add_counts, summary
from segbench.scoring.predictions import match_predictions, read_prediction
from segbench.types import Benchmark, Configurable, Counts, Dataset, Doubtful, Frame
from segbench.workers.threads import Threads


@dataclass(frozen=True)
class Score:
    """``official`` is the benchmark's own JSON, ``summary`` the usual figures of all classes.

    ``interval`` is the 95% bootstrap interval of mean IoU, None if no class occurs and for a single
    frame. ``doubts``, ``split`` and ``record`` (if any) are about prediction files. ``score`` is
    the headline figure, a fraction. ``confusions`` is int64 (frames, classes, classes + 1) in the
    order of ``frame_ids``: rows are truth, the last column counts predictions that are not a class.
    ``counts`` are the benchmark's, of all frames.
    """

    official: dict[str, Any]
    frames: int
    summary: dict[str, Any]
    interval: tuple[float, float] | None
    doubts: tuple[str, ...] = ()
    score: float | None = None
    score_name: str = ""
    frame_ids: tuple[str, ...] = ()
    split: str = ""
    record: Path | None = None
    confusions: NDArray[np.int64] | None = field(default=None, compare=False, repr=False)
    counts: Counts = field(default_factory=dict, compare=False, repr=False)

    @property
    def notes(self) -> list[str]:
        """Caveats on the score."""
        return [*self.official.get("segbench", {}).get("notes", []), *self.doubts]

    def metrics(self) -> dict[str, Any]:
        """The figures under the record's names."""
        low, high = self.interval or (None, None)
        names = ("miou", "pixel_accuracy", "mean_accuracy", "fw_iou")
        return {
            "score": self.score,
            "score_name": self.score_name,
            **{name: self.summary[name] for name in names},
            "miou_low": low,
            "miou_high": high,
            "frames": self.frames,
        }

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The arrays beside the record: each frame's confusion matrix and id."""
        return {"confusion": np.asarray(self.confusions), "frames": np.array(self.frame_ids)}


class Tally:
    """Adds up the counts of frames and computes the score."""

    def __init__(self, dataset: Dataset, label_scale: int) -> None:
        self.dataset = dataset
        self.label_scale = label_scale
        self.total: Counts = {}
        self.frame_ids: list[str] = []
        self.confusions: list[NDArray[np.int64]] = []

    def add(self, frame: Frame, counts: Counts) -> None:
        """Add one frame's counts."""
        self.total = add_counts(self.total, counts)
        self.frame_ids.append(frame.id)
        self.confusions.append(counts[CONFUSION])

    def score(self) -> Score:
        """The score of all frames added."""
        benchmark, confusions = self.dataset.benchmark, np.stack(self.confusions)
        official = benchmark.summarise(self.total)
        if self.label_scale > 1:
            official["label_scale"] = self.label_scale
        return Score(
            official,
            len(confusions),
            summary(self.total[CONFUSION], self.dataset.classes),
            bootstrap_miou(confusions),
            score=benchmark.score(official),
            score_name=benchmark.score_name,
            frame_ids=tuple(self.frame_ids),
            confusions=confusions,
            counts=self.total,
        )


def add_scores(dataset: Dataset, label_scale: int, parts: Sequence[Score]) -> Score:
    """The score of all frames from n ``parts``, where part i has every n-th frame from i on."""
    if len(parts) == 1:
        return parts[0]
    tally = Tally(dataset, label_scale)
    for part in parts:
        tally.total = add_counts(tally.total, part.counts)
    for number in range(sum(part.frames for part in parts)):
        part, index = parts[number % len(parts)], number // len(parts)
        tally.frame_ids.append(part.frame_ids[index])
        tally.confusions.append(np.asarray(part.confusions)[index])
    return tally.score()


def with_options(dataset: Dataset, chosen: Mapping[str, str]) -> Dataset:
    """The dataset with its benchmark's options set; SegbenchError for an unknown key or value."""
    if not chosen:
        return dataset
    benchmark = dataset.benchmark
    offered = benchmark.options if isinstance(benchmark, Configurable) else {}
    for key, value in chosen.items():
        if key not in offered:
            raise SegbenchError(unknown_name(f"option of {dataset.name}", key, offered))
        if value not in offered[key]:
            raise SegbenchError(unknown_name(f"{key} of {dataset.name}", value, offered[key]))
    assert isinstance(benchmark, Configurable)
    return replace(dataset, benchmark=benchmark.with_options(chosen))


def score_predictions(
    dataset: Dataset,
    frames: Sequence[Frame],
    predictions: Path,
    label_scale: int = 1,
    workers: int | None = None,
    reporter: Reporter | None = None,
) -> Score:
    """Score one PNG per frame; if any is invalid, a DataError lists them all."""
    reporter = reporter or Reporter(quiet=True)
    matched = match_predictions(frames, predictions)
    if matched.skipped:
        reporter.say(skipped_sentence(matched.skipped))
    faults = list(matched.faults)
    tally = Tally(dataset, label_scale)
    results = _count_all(dataset.benchmark, matched.pairs, label_scale, workers)
    results = reporter.track(results, len(matched.pairs), f"score {dataset.name}")
    for (frame, _), result in zip(matched.pairs, results, strict=True):
        if isinstance(result, str):
            faults.append(result)
        else:
            tally.add(frame, result)
    if faults:
        lines = "\n  ".join(faults)
        raise DataError(f"No score computed. {len(faults)} invalid predictions:\n  {lines}")
    benchmark = dataset.benchmark
    doubts = benchmark.doubts(tally.total) if isinstance(benchmark, Doubtful) else ()
    return replace(tally.score(), doubts=tuple(doubts))


def _count_all(
    benchmark: Benchmark, pairs: Sequence[tuple[Frame, Path]], label_scale: int, workers: int | None
) -> Iterator[Counts | str]:
    """A pair's counts, or what is wrong with it."""

    def count(pair: tuple[Frame, Path]) -> Counts | str:
        frame, path = pair
        try:
            prediction = read_prediction(path, palette=benchmark.output == "labels")
        except DataError as error:
            return error.message
        try:
            return benchmark.count(frame, prediction, label_scale)
        except DataError as error:
            return f"{path}: {error.message}"

    with Threads(workers) as threads:
        yield from threads.map(count, pairs)


def coverage(dataset: Dataset, split: str, frames: int) -> list[str]:
    """A doubt if fewer frames are scored than the benchmark publishes for the split."""
    published = dataset.published.get(split, 0)
    if frames >= published:
        return []
    return [
        f"{frames} of the benchmark's {published} frames: not comparable with published scores."
    ]
