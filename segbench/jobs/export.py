"""Export a network to a file that an engine loads: ONNX, quantised ONNX, an engine's own format."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import segbench
from segbench.errors import OptionError, SegbenchError, memory_may_be_short, unknown_name
from segbench.files import check_writable, draft_of
from segbench.inference.networks import LoadedNetwork
from segbench.inference.opened import (
    EngineOptions,
    calibration_for,
    check_classes,
    check_machine,
    load_to_export,
)
from segbench.inference.sources import source_file
from segbench.plugins import Registry
from segbench.progress import Reporter
from segbench.types import Dataset, Description, Setup

KINDS = ("logits", "labels")
"""Kinds of output."""


@dataclass(frozen=True, kw_only=True)
class ExportOptions(EngineOptions):
    """The options of ``segbench export``; ``device`` is the one that the file is for."""

    output: Path
    batch_size: int = 1
    output_kind: Literal["logits", "labels"] = "logits"
    dynamic: bool = False
    compute_capability: str | None = None


@dataclass(frozen=True)
class Exported:
    """Sizes of the written file and of the network's FP32 weights, in bytes.

    ``agreement`` is the share of pixels where an INT8 network matches eager, and ``interface``
    describes the file's input and output.
    """

    file: int
    weights: int
    agreement: float | None
    interface: str


def export(options: ExportOptions, registry: Registry, reporter: Reporter) -> Exported:
    """Write the file; INT8 runtimes are calibrated on training frames of the dataset."""
    runtime = options.runtime
    if runtime.export is None:
        able = ", ".join(each.name for each in registry.runtimes if each.export)
        raise SegbenchError(
            f"The runtime {runtime.name!r} cannot be exported; exportable runtimes: {able}."
        )
    if options.output_kind not in KINDS:
        raise OptionError(unknown_name("kind of output", options.output_kind, KINDS))
    if options.dynamic and "dynamic" not in runtime.export_options:
        raise SegbenchError(
            f"{runtime.name!r} files have a fixed size and batch; leave --dynamic out."
        )
    if options.compute_capability and "compute_capability" not in runtime.export_options:
        raise SegbenchError(
            f"{runtime.name!r} files are not built for one GPU; leave --compute-capability out."
        )
    if options.output.suffix not in runtime.export_suffixes:
        endings = " or ".join(runtime.export_suffixes)
        raise SegbenchError(
            f"--output {options.output}: a file of {runtime.name!r} ends in {endings}; name it "
            f"{options.output.with_suffix(runtime.export_suffixes[0])}."
        )
    if options.output.resolve() == source_file(options.checkpoint).resolve():
        raise SegbenchError(f"--output {options.output} is the network itself; name another file.")
    if "compute_capability" in runtime.export_options and not options.compute_capability:
        check_machine([runtime])  # the file is for this machine
    network = load_to_export(options, registry, reporter)
    calibration = calibration_for(options, network, registry, reporter)
    check_writable(options.output.parent, needed=4 * network.model.count_parameters())
    setup = Setup(
        network.size,
        options.batch_size,
        options.device,
        output=options.output_kind,
        calibration=calibration,
        keep_float=options.keep_float,
        dynamic=options.dynamic,
        compute_capability=options.compute_capability,
        reporter=reporter,
    )
    description = _description(network, registry, setup)
    exporting = reporter.working(f"export for {runtime.name}")
    short_memory = memory_may_be_short(options.batch_size, network.size)
    with exporting, draft_of(options.output) as draft, short_memory:
        told = runtime.export(network.model, replace(setup, description=description), draft)
    agreement = told.get("quantization", {}).get("agreement")
    return Exported(
        options.output.stat().st_size,
        4 * network.model.count_parameters(),
        agreement,
        f"input: {description.input}; output: {description.output}",
    )


def _description(network: LoadedNetwork, registry: Registry, setup: Setup) -> Description:
    takes, gives = _interface(setup, network.model.classes)
    known = _known(network.config["dataset"], registry)
    if known:
        check_classes(network, known)
    return Description(
        segbench_version=segbench.__version__,
        dataset=network.config["dataset"],
        classes=known.classes if known else (),
        palette=known.palette if known else (),
        checkpoint_sha256=network.sha256 or "",
        input=takes,
        output=gives,
    )


def _known(name: str, registry: Registry) -> Dataset | None:
    """The dataset of that name; None if it is not installed or not in the data root."""
    try:
        return registry.dataset(name)
    except SegbenchError:
        return None


def _interface(setup: Setup, classes: int) -> tuple[str, str]:
    """The file's input and output in words."""
    batch, (height, width) = str(setup.batch_size), map(str, setup.size)
    if setup.dynamic:
        batch, height, width = "batch", "height", "width"
    takes = f"images, float32 ({batch}, 3, {height}, {width}), RGB in 0..255"
    if setup.output == "labels":
        return takes, f"labels, uint8 ({batch}, {height}, {width}), class indices"
    shape = f"({batch}, {classes}, {height}, {width})"
    return takes, f"logits, float32 {shape}, class = argmax"
