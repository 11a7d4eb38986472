"""Measure the cost of every layer of a checkpoint in INT8, one at a time."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from segbench.errors import InterruptedRun, SegbenchError
from segbench.files import check_writable, scratch_folder
from segbench.inference.calibration import gather
from segbench.inference.sources import Source, load_source, source_file
from segbench.plugins import Registry
from segbench.progress import Reporter
from segbench.types import Calibration, Setup

if TYPE_CHECKING:
    from .layer_costs import Costing
    from .report import Report


@dataclass(frozen=True)
class ReportOptions:
    """The options of ``segbench quantize-report``.

    ``frames`` None is all held-back ones, ``calibration_frames`` None is 128; ``keep_float`` is the
    number of costliest layers to keep in float.
    """

    checkpoint: Source
    data_root: Path
    profile: Literal["unsigned", "unsaturated", "signed"] = "unsigned"
    frames: int | None = None
    calibration_frames: int | None = None
    keep_float: int = 0
    output: Path = Path("quantize-report")


def quantize_report(options: ReportOptions, registry: Registry, reporter: Reporter) -> "Report":
    """Measure and write ``report.json``, ``report.csv`` and ``report.png`` to ``options.output``.

    Layers already in the JSON file of an interrupted run are not measured again.
    """
    source_file(options.checkpoint)
    check_writable(options.output)
    from ..graph import export_onnx
    from .layer_costs import Costing
    from .network import cached_ranges, quantized
    from .report import Report, draw_chart, read_json, write_csv, write_json

    place = options.output / "report.json"
    checkpoint = load_source(options.checkpoint, registry)
    for note in checkpoint.notes:
        reporter.say(note)
    profile, size = options.profile, checkpoint.size
    dataset = registry.dataset(checkpoint.config["dataset"])
    calibration = gather(dataset, options.data_root, size, reporter, options.calibration_frames)
    scored = held_back(calibration, options.frames)
    setup = Setup(size, device="cpu", calibration=calibration, keep_float=(), reporter=reporter)
    try:
        network = quantized(checkpoint.model, setup, profile)
        with scratch_folder() as folder:
            source, classes = folder / "fp32.onnx", checkpoint.model.classes
            export_onnx(checkpoint.model, source, setup)
            ranges = cached_ranges(checkpoint.model, source, setup)[network.details["method"]]
            costing = Costing(source, ranges, profile, setup, scored, classes)
            key = f"{network.key}-{costing.frames}"
            report = read_json(place)
            if report is not None and report.key != key:
                raise SegbenchError(
                    f"{place} is a report on another network, --profile or --frames; give another "
                    "--output."
                )
            if report is None:
                report = Report(
                    key,
                    checkpoint.sha256,
                    profile,
                    costing.frames,
                    network.details,
                    fp32_miou=costing.miou([]),
                    int8_miou=costing.miou(network.details["layers"]),
                )
            report = _with_costs(report, costing, place, reporter)
            report = _with_kept(report, costing, options.keep_float)
    except KeyboardInterrupt:
        raise InterruptedRun(f"Interrupted; the same command continues from {place}.") from None
    write_json(report, place)
    write_csv(report, options.output / "report.csv")
    draw_chart(report, options.output / "report.png")
    return report


def held_back(calibration: Calibration, frames: int | None) -> Calibration:
    """The calibration with its first ``frames`` held-back frames; SegbenchError without any."""
    images, labels = calibration.held_back_images, calibration.held_back_labels
    if images is None or labels is None:
        raise SegbenchError(
            f"{calibration.source} has too few frames to hold some back for scoring layers: "
            "it needs at least five."
        )
    return replace(calibration, held_back_images=images[:frames], held_back_labels=labels[:frames])


def _with_costs(report: "Report", costing: "Costing", place: Path, reporter: Reporter) -> "Report":
    """The report with all layers, written after each."""
    from .report import worst_first, write_json

    measured = {cost.layer for cost in report.costs}
    missing = [name for name in report.quantization["layers"] if name not in measured]
    for layer in reporter.track(missing, len(missing), "layers"):
        cost = costing.cost(layer, report.fp32_miou)
        report = replace(report, costs=worst_first((*report.costs, cost)))
        write_json(report, place)
    return report


def _with_kept(report: "Report", costing: "Costing", count: int) -> "Report":
    """The report with the mIoU of INT8 with the ``count`` costliest layers in float."""
    if not count:
        return replace(report, kept_float=(), kept_miou=None)
    kept = tuple(cost.layer for cost in report.costs[:count])
    layers = [name for name in report.quantization["layers"] if name not in kept]
    return replace(report, kept_float=kept, kept_miou=costing.miou(layers))
