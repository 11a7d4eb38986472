"""Score a folder of prediction files; with a system's name, write a record."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from segbench.data.frames import fingerprint
from segbench.data.layouts import provide
from segbench.errors import DataError, OptionError
from segbench.files import check_writable
from segbench.plugins import Registry
from segbench.progress import Reporter
from segbench.records.provenance import provenance
from segbench.records.record import Record, write_record
from segbench.records.schema import EXTERNAL
from segbench.scoring.score import Score, coverage, score_predictions
from segbench.types import Dataset, Frame


@dataclass(frozen=True, kw_only=True)
class ScoreOptions:
    """The options of ``segbench score``.

    With the ``name`` of the predicting system a record is written to ``results``, with the
    per-image latency in milliseconds that its authors report. ``stated_on`` says on what device,
    engine, size and batch that was measured.
    """

    dataset: Dataset
    predictions: Path
    data_root: Path = Path("data")
    split: str | None = None
    label_scale: int = 1
    workers: int | None = None
    results: Path | None = None
    name: str | None = None
    stated_ms: float | None = None
    stated_on: str | None = None
    argv: Sequence[str] = ()

    def check(self) -> None:
        """Raise OptionError if options for a record are incomplete."""
        if (self.name is None) != (self.results is None):
            raise OptionError("--name and --results go together.")
        if (self.stated_ms is None) != (self.stated_on is None):
            raise OptionError("--stated-ms and --stated-on go together.")
        if self.stated_ms is not None and self.name is None:
            raise OptionError("--stated-ms needs --name and --results.")
        if self.name is not None and not self.name.strip():
            raise OptionError("--name is empty; name the predicting system.")


def score_folder(options: ScoreOptions, registry: Registry, reporter: Reporter) -> Score:
    """The score of one prediction file for each frame of the split."""
    started = datetime.now(UTC)
    options.check()
    if options.results:
        check_writable(options.results / EXTERNAL, "--results")
    dataset = options.dataset
    split = options.split or dataset.predictions_split or dataset.score_split
    frames = _labelled_frames(dataset, dataset.locate(options.data_root), split, reporter)
    score = score_predictions(
        dataset, frames, options.predictions, options.label_scale, options.workers, reporter
    )
    score = replace(
        score, split=split, doubts=(*score.doubts, *coverage(dataset, split, score.frames))
    )
    if options.results is None:
        return score
    record = _record(options, score, frames, started, registry, reporter)
    return replace(score, record=write_record(record, options.results, score.arrays()))


def _labelled_frames(
    dataset: Dataset, folder: Path, split: str, reporter: Reporter
) -> Sequence[Frame]:
    """The frames of a split; DataError for none, or if their labels are not public."""
    frames = dataset.frames(folder, split)
    if not frames:
        raise DataError(f"The split {split!r} of {dataset.name} has no frames in {folder}.")
    if any(frame.label is None for frame in frames):
        raise DataError(
            f"The split {split!r} of {dataset.name} has no public labels; choose another."
        )
    provide(dataset, folder, frames, reporter)
    return frames


def _record(
    options: ScoreOptions,
    score: Score,
    frames: Sequence[Frame],
    started: datetime,
    registry: Registry,
    reporter: Reporter,
) -> Record:
    """In a leaderboard a later record of the same name replaces it."""
    # A score needs only the labels.
    with_images = all(frame.image.is_file() for frame in frames)
    return Record(
        kind=EXTERNAL,
        config={
            "dataset": options.dataset.name,
            "split": score.split,
            "network": (options.name or "").strip(),
            "runtime": EXTERNAL,
            "label_scale": options.label_scale,
        },
        metrics=score.metrics() | {"stated_ms": options.stated_ms, "stated_on": options.stated_on},
        per_class=score.summary["per_class"],
        official=score.official,
        provenance=provenance(
            started=started,
            argv=options.argv,
            registry=registry,
            plugins=[options.dataset],
            engine="prediction files",
            dataset_fingerprint=(
                fingerprint(options.dataset, frames, reporter) if with_images else None
            ),
        ),
    )
