"""A checkpoint opened on a runtime: what evaluate, predict and video begin with."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from segbench.errors import MissingDeviceError, SegbenchError, memory_may_be_short
from segbench.inference.calibration import gather
from segbench.plugins import Registry
from segbench.progress import Reporter
from segbench.types import Calibration, Dataset, Frame, Runtime, Session, Setup, Size


@dataclass(frozen=True, kw_only=True)
class EngineOptions:
    """Which network runs where; ``data_root`` and what follows it is for INT8.

    ``calibration_frames`` None are 128.
    """

    checkpoint: Path
    runtime: Runtime
    device: str = "auto"
    data_root: Path = Path("data")
    calibration_frames: int | None = None
    keep_float: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Predictor:
    """A session that takes images of ``size``, and the data set whose classes it knows."""

    session: Session
    dataset: Dataset
    size: Size


def open_predictor(options: EngineOptions, registry: Registry, reporter: Reporter) -> Predictor:
    """The checkpoint at the size it was trained at; SegbenchError where it cannot run."""
    from segbench.inference.networks import trained_network

    check_runtime(options.runtime, options.device)
    warn_if_slow(options, reporter)
    network = trained_network(options.checkpoint, None, registry)
    dataset = registry.dataset(network.config["dataset"])
    calibration = calibration_for(options, dataset.name, network.size, registry, reporter)
    setup = Setup(
        network.size,
        device=options.device,
        calibration=calibration,
        keep_float=options.keep_float,
    )
    with memory_may_be_short(setup.batch_size, network.size):
        session = options.runtime.open(network.model, setup)
    warn(session, options.runtime, reporter)
    return Predictor(session, dataset, network.size)


def warn(session: Session, runtime: Runtime, reporter: Reporter) -> None:
    """Say what the session doubts about itself."""
    for doubt in session.details.get("doubts", ()):
        reporter.say(f"Warning: {runtime.name}: {doubt}")


def warn_if_slow(options: EngineOptions, reporter: Reporter) -> None:
    """Say where the device only emulates the runtime's precision."""
    from segbench.device import resolve_device, slow_precision

    device = resolve_device(options.device).type
    if warning := slow_precision(options.runtime.precision, device):
        reporter.say(f"Warning: {options.runtime.name}: {warning}")


def check_runtime(runtime: Runtime, device: str, size: Size | None = None) -> None:
    """Raise SegbenchError before any work if the runtime cannot run here.

    What the machine lacks is known without torch, so it is said first.
    """
    check_machine([runtime])
    if runtime.check:
        runtime.check(Setup(size or (1, 1), device=device))


def check_machine(runtimes: Sequence[Runtime]) -> None:
    """Raise MissingDeviceError where the machine can run none of these; torch is not asked."""
    lacking = [runtime.lacking() if runtime.lacking else None for runtime in runtimes]
    if all(lacking):
        raise MissingDeviceError(" ".join(dict.fromkeys(filter(None, lacking))))


def calibration_for(
    options: EngineOptions,
    trained_on: str,
    size: Size,
    registry: Registry,
    reporter: Reporter,
    scored: Collection[Frame] = (),
) -> Calibration | None:
    """Frames of the data set that the network was trained on, where the runtime wants them.

    None of them may be among those ``scored``. Raises SegbenchError where one is, and for options
    of INT8 with a runtime that has nothing of it.
    """
    if options.runtime.calibrates:
        dataset, count = registry.dataset(trained_on), options.calibration_frames
        return gather(dataset, options.data_root, size, reporter, count, scored=scored)
    for option, given in {
        "--keep-float": options.keep_float,
        "--calibration-frames": options.calibration_frames,
    }.items():
        if given is not None:
            raise SegbenchError(
                f"The runtime {options.runtime.name!r} quantises nothing: leave {option} out."
            )
    return None
