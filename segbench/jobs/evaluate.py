"""Score a checkpoint on any runtime and write a record, so that every engine has its own row."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from segbench.data.frames import fingerprint, labelled_frames
from segbench.data.skipped import skipped_beside, skipped_sentence
from segbench.errors import SegbenchError, memory_may_be_short
from segbench.files import check_writable
from segbench.inference.calibration import summarise
from segbench.inference.opened import (
    EngineOptions,
    calibration_for,
    check_runtime,
    warn,
    warn_if_slow,
)
from segbench.plugins import Registry
from segbench.progress import Reporter
from segbench.records.provenance import ARITHMETIC, provenance, session_details, source_state
from segbench.records.record import Record, write_record
from segbench.types import Calibration, Dataset, Frame, Session, Setup, Size

if TYPE_CHECKING:
    from segbench.inference.checkpoint import Checkpoint


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions(EngineOptions):
    """What ``segbench evaluate`` was asked for; ``size`` None is the checkpoint's own."""

    dataset: Dataset
    split: str | None = None
    size: Size | None = None
    label_scale: int = 1
    limit: int | None = None
    results: Path = Path("results")
    argv: Sequence[str] = ()


@dataclass(frozen=True)
class Opened:
    """A checkpoint on a runtime, ready for the frames that it is scored on."""

    checkpoint: "Checkpoint"
    session: Session
    frames: Sequence[Frame]
    size: Size
    calibration: Calibration | None


def evaluate_checkpoint(options: EvaluateOptions, registry: Registry, reporter: Reporter) -> Path:
    """Score and give the record's path."""
    from segbench.inference.checkpoint import load_checkpoint

    started = datetime.now(UTC)
    source_state()
    check_writable(options.results / "evaluate", "--results")
    check_runtime(options.runtime, options.device, options.size)
    warn_if_slow(options, reporter)
    checkpoint = load_checkpoint(options.checkpoint, registry)
    opened = open_checkpoint(checkpoint, options, registry, reporter)
    record, arrays = score(opened, options, started, registry, reporter)
    return write_record(record, options.results, arrays)


def open_checkpoint(
    checkpoint: "Checkpoint", options: EvaluateOptions, registry: Registry, reporter: Reporter
) -> Opened:
    """Open a session for the frames that the options name.

    Raises SegbenchError where it cannot run, or INT8 would be calibrated on these frames.
    """
    dataset, trained = options.dataset, checkpoint.config
    check_classes(checkpoint, dataset, options.checkpoint)
    split = options.split or dataset.score_split
    folder = dataset.locate(options.data_root)
    frames = labelled_frames(dataset, folder, split, options.limit, reporter)
    if skipped := skipped_beside(frames):
        reporter.say(skipped_sentence(skipped))
    size = options.size or (trained["height"], trained["width"])
    calibration = calibration_for(options, trained["dataset"], size, registry, reporter, frames)
    setup = Setup(
        size, device=options.device, calibration=calibration, keep_float=options.keep_float
    )
    with memory_may_be_short(setup.batch_size, size):
        session = options.runtime.open(checkpoint.model, setup)
    warn(session, options.runtime, reporter)
    return Opened(checkpoint, session, frames, size, calibration)


def score(
    opened: Opened,
    options: EvaluateOptions,
    started: datetime,
    registry: Registry,
    reporter: Reporter,
) -> tuple[Record, dict[str, NDArray[Any]]]:
    """The record of the frames' score, not yet written, and its arrays."""
    from segbench.device import resolve_device
    from segbench.inference.evaluate import evaluate

    dataset, runtime = options.dataset, options.runtime
    checkpoint, session, size = opened.checkpoint, opened.session, opened.size
    trained = checkpoint.config
    with memory_may_be_short(1, size):
        evaluation = evaluate(session, dataset, opened.frames, size, options.label_scale, reporter)
    record = Record(
        kind="evaluate",
        config=trained
        | {
            "dataset": dataset.name,
            "split": options.split or dataset.score_split,
            "runtime": runtime.name,
            "height": size[0],
            "width": size[1],
            "label_scale": options.label_scale,
            "limit": options.limit or trained.get("limit"),
            "trained_on": trained["dataset"] if trained["dataset"] != dataset.name else None,
            "device": resolve_device(options.device).type,
            "checkpoint_sha256": checkpoint.sha256,
            "calibration": summarise(opened.calibration) if opened.calibration else None,
            "keep_float": options.keep_float and sorted(options.keep_float),
        },
        metrics=evaluation.metrics()
        | {"parameters": checkpoint.parameters}
        | session_details(session, ["file_mb", *ARITHMETIC]),
        per_class=evaluation.summary["per_class"],
        official=evaluation.official,
        provenance=provenance(
            started=started,
            argv=options.argv,
            registry=registry,
            plugins=[registry.backbone(trained["backbone"]), dataset, runtime],
            engine=session.engine,
            dataset_fingerprint=fingerprint(opened.frames, reporter),
        )
        | session_details(session),
    )
    return record, evaluation.arrays()


def check_classes(checkpoint: "Checkpoint", dataset: Dataset, path: Path) -> None:
    """Raise SegbenchError when a checkpoint cannot have been trained for the data set."""
    if checkpoint.model.classes != len(dataset.classes):
        raise SegbenchError(
            f"{path} was trained on {checkpoint.config['dataset']!r} with "
            f"{checkpoint.model.classes} classes, but {dataset.name!r} has "
            f"{len(dataset.classes)}; choose another --dataset."
        )
