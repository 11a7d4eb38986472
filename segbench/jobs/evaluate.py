"""Score a network on any runtime and write a record, so that each engine has its own row."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from segbench.data.frames import fingerprint, labelled_frames
from segbench.errors import memory_may_be_short
from segbench.files import check_writable
from segbench.inference.calibration import summarise
from segbench.inference.networks import LoadedNetwork
from segbench.inference.opened import (
    EngineOptions,
    Opened,
    check_classes,
    load_network,
    open_network,
)
from segbench.inference.sources import load_model_file
from segbench.latency.checks import REFERENCE
from segbench.plugins import Registry
from segbench.progress import Reporter
from segbench.records.provenance import ARITHMETIC, provenance, session_details, source_state
from segbench.records.record import Record, write_record
from segbench.scoring.score import coverage
from segbench.text import counted
from segbench.types import Dataset, Frame, ModelFile, Setup, Size

LOW = 0.3
"""Below this mIoU a model file's options are checked on a few frames."""
FRAMES = 3


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions(EngineOptions):
    """The options of ``segbench evaluate``."""

    dataset: Dataset
    split: str | None = None
    label_scale: int = 1
    limit: int | None = None
    results: Path = Path("results")
    argv: Sequence[str] = ()


def evaluate_checkpoint(options: EvaluateOptions, registry: Registry, reporter: Reporter) -> Path:
    """Score and return the record's path."""
    started = datetime.now(UTC)
    source_state()
    check_writable(options.results / "evaluate", "--results")
    network = load_network(options, registry, reporter)
    opened, frames = open_to_score(network, options, registry, reporter)
    record, arrays = score(opened, frames, options, started, registry, reporter)
    path = write_record(record, options.results, arrays)
    for doubt in coverage(options.dataset, record.config["split"], len(frames)):
        reporter.say(f"Note: {doubt}")
    if isinstance(options.checkpoint, ModelFile) and (record.metrics["miou"] or 0) < LOW:
        _doubt(options.checkpoint, network.size, frames[:FRAMES], options, registry, reporter)
    return path


def _doubt(
    file: ModelFile,
    size: Size,
    frames: Sequence[Frame],
    options: EvaluateOptions,
    registry: Registry,
    reporter: Reporter,
) -> None:
    """Warn of other file options that score better on these few frames, in FP32."""
    from segbench.inference.evaluate import evaluate

    def miou(each: ModelFile) -> float:
        network = load_model_file(each, registry, size)
        setup = Setup(size, device=options.device)
        session = registry.runtime(REFERENCE).open(network.model, setup)
        few = evaluate(session, options.dataset, frames, size, options.label_scale)
        found: float = few.summary["miou"] or 0.0
        return found

    if mistakes := registry.model_format(file.path).mistakes:
        reporter.say(
            f"Warning: {file.path.name} scores low: on {counted(len(frames), 'frame')} its "
            f"mIoU is {mistakes(file, size, miou)}."
        )


def open_to_score(
    network: LoadedNetwork, options: EvaluateOptions, registry: Registry, reporter: Reporter
) -> tuple[Opened, Sequence[Frame]]:
    """The network on its runtime and the frames to score.

    Raises SegbenchError if it cannot run, or INT8 would be calibrated on these frames.
    """
    dataset = options.dataset
    check_classes(network, dataset)
    split = options.split or dataset.score_split
    folder = dataset.locate(options.data_root)
    frames = labelled_frames(dataset, folder, split, options.limit, reporter)
    return open_network(network, options, registry, reporter, dataset, frames), frames


def score(
    opened: Opened,
    frames: Sequence[Frame],
    options: EvaluateOptions,
    started: datetime,
    registry: Registry,
    reporter: Reporter,
) -> tuple[Record, dict[str, NDArray[Any]]]:
    """The unwritten record of the score, and its arrays."""
    from segbench.device import resolve_device
    from segbench.inference.evaluate import evaluate

    dataset, runtime = options.dataset, options.runtime
    network, session, size = opened.network, opened.session, opened.size
    trained = network.config
    content = fingerprint(dataset, frames, reporter)
    with memory_may_be_short(1, size):
        evaluation = evaluate(session, dataset, frames, size, options.label_scale, reporter)
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
            "checkpoint_sha256": network.sha256,
            "calibration": summarise(opened.calibration) if opened.calibration else None,
            "keep_float": options.keep_float and sorted(options.keep_float),
        },
        metrics=evaluation.metrics()
        | {"parameters": network.model.count_parameters()}
        | session_details(session, ["file_mb", *ARITHMETIC]),
        per_class=evaluation.summary["per_class"],
        official=evaluation.official,
        provenance=provenance(
            started=started,
            argv=options.argv,
            registry=registry,
            plugins=[network.plugin, dataset, runtime],
            engine=session.engine,
            dataset_fingerprint=content,
        )
        | session_details(session),
    )
    return record, evaluation.arrays()
