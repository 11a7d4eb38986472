"""``segbench report``: a record or a checkpoint as one page of figures."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any

import click

from segbench.cli import options as shared
from segbench.cli.terminal import echo
from segbench.errors import SegbenchError
from segbench.files import check_writable, draft_of
from segbench.inference.checkpoint import BEST
from segbench.inference.networks import LoadedNetwork
from segbench.inference.opened import Opened, check_runtime, load_network
from segbench.inference.sources import Source, source_file
from segbench.jobs.evaluate import EvaluateOptions, open_to_score, score
from segbench.plugins import Registry
from segbench.progress import Reporter
from segbench.records.arrays import ScoredFrames, latency_samples, scored_frames
from segbench.records.record import Record, read_record
from segbench.types import Frame

from .figures import View
from .frames import best_and_worst, frame_miou
from .page import report_page
from .sections import Section, frame_section, latency_section, score_sections

FRAMES_DRAWN = 3


@click.command()
@click.argument(
    "source",
    metavar="RECORD|CHECKPOINT",
    type=click.Path(exists=True, path_type=Path),
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="HTML file to write.",
)
@click.option("--png", type=click.Path(path_type=Path), help="Folder for the figures as PNGs.")
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path),
    help="With a record: its checkpoint, to draw frames.",
)
@click.option("--runtime", help="With a checkpoint: runtime to score it on.  [default: eager]")
@click.option("--split", help="With a checkpoint. Default: the dataset's scoring split.")
@click.option("--limit", type=shared.COUNT, help="With a checkpoint: number of frames.")
@shared.data_root
@shared.device
@click.pass_obj
def report(registry: Registry, **given: Any) -> None:
    """Draw a record or a checkpoint as one HTML page that works offline.

    For a RECORD (the JSON file) of a run or an evaluation the page has learning curves, classes
    with 95% bootstrap intervals over frames, the confusion matrix, and the names of the best and
    worst frames; with --checkpoint and --data-root these frames are predicted again on the record's
    runtime and drawn. For a latency record it has a histogram and percentiles over time.

    A CHECKPOINT is first scored on its own dataset, without writing a record, and its frames are
    drawn. Learning curves are only in the record of its run.

    The mIoU of a frame is the mean over the classes in its ground truth.
    """
    asked = ReportOptions(argv=sys.argv, **given)
    reporter = Reporter()
    with reporter.working("draw the report"):
        write_report(asked, registry, reporter)
    echo(asked.output)


@dataclass(frozen=True)
class ReportOptions:
    """The options of ``segbench report``.

    ``source`` is a record (``*.json``), or a checkpoint or its folder. ``checkpoint`` is for a
    record, whose frames are then drawn; ``runtime``, ``split`` and ``limit`` are for a checkpoint.
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
    """Write the page to ``output``, and each figure to the folder ``png`` if given.

    SegbenchError if the page would replace what it shows.
    """
    if options.source.is_dir():
        best = options.source / BEST
        if not best.is_file():
            raise SegbenchError(
                f"{options.source} has no {BEST}; name a record, a checkpoint or a run's folder."
            )
        options = replace(options, source=best)
    shown = [options.source, *([source_file(options.checkpoint)] if options.checkpoint else [])]
    if options.output.resolve() in {path.resolve() for path in shown}:
        raise SegbenchError(f"--output {options.output} is what the report shows; name a new file.")
    if options.output.suffix.lower() not in (".html", ".htm"):
        raise SegbenchError(f"--output {options.output}: a report is a page; end it with .html.")
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
            "--runtime, --split and --limit are for checkpoints: a record has its own."
        )
    record = read_record(options.source)
    if record.kind == "latency":
        if options.checkpoint:
            raise SegbenchError("A latency record has no frames to draw: leave --checkpoint out.")
        group = record.metrics.get("group") or 1
        return record, [latency_section(latency_samples(record), group)]
    frames = scored_frames(record)
    sections = score_sections(record, frames)
    if options.checkpoint is None:
        return record, [*sections, frame_section(frames)]
    config = record.config
    if record.kind == "external":
        raise SegbenchError("An external record has no network: leave --checkpoint out.")
    asked = EvaluateOptions(
        checkpoint=options.checkpoint,
        dataset=registry.dataset(str(config.get("dataset"))),
        runtime=registry.runtime(config["runtime"]),
        data_root=options.data_root,
        split=config.get("split"),
        size=(config["height"], config["width"]),
        device=options.device,
        calibration_frames=_calibrated_on(record),
        keep_float=record.kept_float if "quantization" in record.provenance else None,
    )
    network = load_network(asked, registry, reporter)
    _require_same_weights(network, record, options.checkpoint)
    opened, scored = open_to_score(network, asked, registry, reporter)
    return record, [*sections, _drawn(frames, opened, scored, reporter)]


def _calibrated_on(record: Record) -> int | None:
    """The number of frames in its configuration, as ``calibration.summarise`` writes it."""
    calibration = record.config.get("calibration")
    if not calibration:
        return None
    count: str = calibration.split("@")[0]
    if not count.isdecimal():
        raise SegbenchError(f"{record.name} has the calibration {calibration!r:.40}: not a number.")
    return int(count)


def _of_checkpoint(
    options: ReportOptions, registry: Registry, reporter: Reporter
) -> tuple[Record, list[Section]]:
    from segbench.inference.checkpoint import load_checkpoint

    if options.checkpoint:
        raise SegbenchError("--checkpoint is for records; the source is already a checkpoint.")
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
    """The section of frames; the best and worst ones are predicted again."""
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
