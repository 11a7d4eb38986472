"""Write what an engine loads to a file: ONNX, quantised ONNX, an engine's own format."""

from dataclasses import dataclass
from pathlib import Path

from segbench.errors import SegbenchError, memory_may_be_short
from segbench.inference.opened import EngineOptions, calibration_for, load_network
from segbench.plugins import Registry
from segbench.progress import Reporter
from segbench.types import Setup


@dataclass(frozen=True, kw_only=True)
class ExportOptions(EngineOptions):
    """What ``segbench export`` was asked for; a file is not made for a ``device``."""

    output: Path
    batch_size: int = 1
    output_kind: str = "logits"
    dynamic: bool = False
    compute_capability: str | None = None


@dataclass(frozen=True)
class Exported:
    """The written file's size and that of the network's weights in FP32, in bytes.

    ``agreement`` is the share of pixels to which an INT8 network gives eager's class.
    """

    file: int
    weights: int
    agreement: float | None


def export(options: ExportOptions, registry: Registry, reporter: Reporter) -> Exported:
    """Write the file; an INT8 runtime is calibrated on the training frames of its data set."""
    runtime = options.runtime
    if runtime.export is None:
        able = ", ".join(each.name for each in registry.runtimes if each.export)
        raise SegbenchError(
            f"The runtime {runtime.name!r} loads no file that could be exported; these do: {able}."
        )
    if options.dynamic and "dynamic" not in runtime.export_options:
        raise SegbenchError(
            f"{runtime.name!r} is exported for one size and batch; leave --dynamic out."
        )
    if options.compute_capability and "compute_capability" not in runtime.export_options:
        raise SegbenchError(
            f"What {runtime.name!r} loads is not built for a card; leave --compute-capability out."
        )
    network = load_network(options, registry, reporter)
    calibration = calibration_for(options, network, registry, reporter)
    setup = Setup(
        network.size,
        options.batch_size,
        output="labels" if options.output_kind == "labels" else "logits",
        calibration=calibration,
        keep_float=options.keep_float,
        dynamic=options.dynamic,
        compute_capability=options.compute_capability,
    )
    with memory_may_be_short(options.batch_size, network.size):
        told = runtime.export(network.model, setup, options.output)
    agreement = told.get("quantization", {}).get("agreement")
    weights = 4 * network.model.count_parameters()
    return Exported(options.output.stat().st_size, weights, agreement)
