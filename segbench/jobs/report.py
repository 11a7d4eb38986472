"""Draw a record, or a checkpoint that is scored for it, as one page and as pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

from segbench.errors import SegbenchError
from segbench.files import check_writable, draft_of
from segbench.inference.networks import LoadedNetwork
from segbench.inference.opened import Opened, check_runtime, load_network
from segbench.inference.sources import Source, source_file
from segbench.jobs.evaluate import EvaluateOptions, open_to_score, score
from segbench.pages.figures import View
from segbench.pages.report import (
    Section,
    frame_section,
    latency_section,
    report_page,
    score_sections,
)
from segbench.plugins import Registry
from segbench.progress import Reporter
from segbench.records.arrays import ScoredFrames, latency_samples, scored_frames
from segbench.records.record import Record, read_record
from segbench.scoring.score import best_and_worst, frame_miou
from segbench.types import Frame

FRAMES_DRAWN = 3


@dataclass(frozen=True)
class ReportOptions:
    """What ``segbench report`` was asked for.

    ``source`` is a record (``*.json``) or a checkpoint. ``checkpoint``, the source of a record's
    network, goes with a record, whose frames are then drawn; ``runtime``, ``split`` and ``limit``
    with a checkpoint.
    """

    source: Path
    output: Path
    data_root: Path
    png: Path | None = None
    checkpoint: Source | None = None
    runtime: str | None = None
    split: str | None = None
    limit: int | None = None
    device: str = "auto"
    argv: Sequence[str] = ()


def write_report(options: ReportOptions, registry: Registry, reporter: Reporter) -> None:
    """Write the page to ``output``, and each figure to the folder ``png`` where that is given."""
    check_writable(options.output.parent)
    if options.png is not None:
        check_writable(options.png, "--png")
    if options.source.suffix == ".json":
        record, sections = _of_record(options, registry, reporter)
    else:
        record, sections = _of_checkpoint(options, registry, reporter)
    if options.png is not None:
        for plate in chain.from_iterable(section.plates for section in sections):
            with draft_of(options.png / f"{plate.name}.png") as draft:
                draft.write_bytes(plate.png)
    page = report_page(record, sections)
    with draft_of(options.output) as draft:
        draft.write_text(page, encoding="utf-8")


def _of_record(
    options: ReportOptions, registry: Registry, reporter: Reporter
) -> tuple[Record, list[Section]]:
    if options.runtime or options.split or options.limit:
        raise SegbenchError(
            "--runtime, --split and --limit go with a checkpoint: a record has its own."
        )
    record = read_record(options.source)
    if record.kind == "latency":
        if options.checkpoint:
            raise SegbenchError("A latency has no frames to draw: leave --checkpoint out.")
        return record, [latency_section(latency_samples(record))]
    frames = scored_frames(record)
    sections = score_sections(record, frames)
    if options.checkpoint is None:
        return record, [*sections, frame_section(frames)]
    config = record.config
    asked = EvaluateOptions(
        checkpoint=options.checkpoint,
        dataset=registry.dataset(str(config.get("dataset"))),
        runtime=registry.runtime(config["runtime"]),
        data_root=options.data_root,
        split=config.get("split"),
        size=(config["height"], config["width"]),
        device=options.device,
        keep_float=record.kept_float if "quantization" in record.provenance else None,
    )
    network = load_network(asked, registry, reporter)
    _require_same_weights(network, record, options.checkpoint)
    opened, scored = open_to_score(network, asked, registry, reporter)
    return record, [*sections, _drawn(frames, opened, scored, reporter)]


def _of_checkpoint(
    options: ReportOptions, registry: Registry, reporter: Reporter
) -> tuple[Record, list[Section]]:
    from segbench.inference.checkpoint import load_checkpoint

    if options.checkpoint:
        raise SegbenchError("--checkpoint goes with a record; the source is a checkpoint already.")
    started = datetime.now(UTC)
    runtime = registry.runtime(options.runtime or "eager")
    network = load_checkpoint(options.source, registry)
    asked = EvaluateOptions(
        checkpoint=options.source,
        dataset=registry.dataset(network.config["dataset"]),
        runtime=runtime,
        data_root=options.data_root,
        split=options.split,
        device=options.device,
        limit=options.limit,
        argv=options.argv,
    )
    check_runtime(asked.runtime, asked.device, asked.size)
    opened, scored = open_to_score(network, asked, registry, reporter)
    record, arrays = score(opened, scored, asked, started, registry, reporter)
    ids = tuple(map(str, arrays["frames"]))
    frames = ScoredFrames(ids, asked.dataset.classes, arrays["confusion"])
    drawn = _drawn(frames, opened, scored, reporter)
    return record, [*score_sections(record, frames), drawn]


def _require_same_weights(network: LoadedNetwork, record: Record, source: Source) -> None:
    if network.sha256 != record.config.get("checkpoint_sha256"):
        file = source_file(source)
        raise SegbenchError(f"{file} is not the checkpoint that {record.path} was measured with.")


def _drawn(
    frames: ScoredFrames, opened: Opened, scored: Sequence[Frame], reporter: Reporter
) -> Section:
    """The section of the frames, the best and the worst of which are predicted again."""
    from segbench.data.frames import read_pair
    from segbench.inference.evaluate import predict_classes

    scores = frame_miou(frames.confusions)
    best, worst = best_and_worst(scores, FRAMES_DRAWN)
    places = {frame.id: frame for frame in scored}
    views = []
    for index in reporter.track((*worst, *best), len(worst) + len(best), "frames"):
        name = frames.ids[index]
        if name not in places:
            raise SegbenchError(f"The record's frame {name!r} is not in the data's split.")
        image, truth = read_pair(opened.dataset, places[name])
        predicted = predict_classes(opened.session, image, opened.size)
        views.append(View(name, float(scores[index]), image, truth, predicted))
    return frame_section(frames, views, opened.dataset.palette)
