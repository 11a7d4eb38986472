"""A network opened on a runtime, as every command that runs one needs."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from segbench.errors import MissingDeviceError, SegbenchError, memory_may_be_short
from segbench.inference.calibration import gather
from segbench.inference.networks import LoadedNetwork
from segbench.inference.sources import Source, check_loads, load_source, source_file
from segbench.plugins import Registry
from segbench.progress import Reporter
from segbench.types import Calibration, Dataset, Frame, Runtime, Session, Setup, Size


@dataclass(frozen=True, kw_only=True)
class EngineOptions:
    """Which network to run and where.

    The network is that of a ``checkpoint``, a named one with a file of weights, or a model file.
    ``size`` None is the training size. ``data_root`` is the folder of the datasets;
    ``calibration_frames`` (None is 128) and ``keep_float`` are for INT8.
    """

    checkpoint: Source
    runtime: Runtime
    device: str = "auto"
    size: Size | None = None
    data_root: Path = Path("data")
    calibration_frames: int | None = None
    keep_float: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Opened:
    """A session of ``network``, and the dataset whose classes it predicts.

    ``calibration`` are the frames that INT8 was calibrated on.
    """

    session: Session
    network: LoadedNetwork
    dataset: Dataset
    calibration: Calibration | None = None

    @property
    def size(self) -> Size:
        """The size of the images that the session takes."""
        return self.network.size


def load_network(options: EngineOptions, registry: Registry, reporter: Reporter) -> LoadedNetwork:
    """The named network; raises SegbenchError first if its runtime cannot run here."""
    from segbench.device import resolve_device, slow_precision

    check_machine([options.runtime])
    source_file(options.checkpoint)
    with reporter.working("load the network"):
        check_runtime(options.runtime, options.device, options.size)
        device = resolve_device(options.device).type
        if warning := slow_precision(options.runtime.precision, device):
            reporter.say(f"Warning: {options.runtime.name}: {warning}")
    return load_to_export(options, registry, reporter)


def load_to_export(options: EngineOptions, registry: Registry, reporter: Reporter) -> LoadedNetwork:
    """The named network, even if this machine cannot run its runtime."""
    source_file(options.checkpoint)
    with reporter.working("load the network"):
        network = load_source(options.checkpoint, registry, options.size)
    check_loads(options.runtime, network, registry)
    for note in network.notes:
        reporter.say(note)
    return network


def open_network(
    network: LoadedNetwork,
    options: EngineOptions,
    registry: Registry,
    reporter: Reporter,
    dataset: Dataset | None = None,
    scored: Collection[Frame] = (),
) -> Opened:
    """The network on the runtime of the options; warns of the session's doubts.

    ``dataset`` defaults to the training dataset; another needs as many classes.
    Raises SegbenchError if INT8 would be calibrated on frames that are to be ``scored``.
    """
    dataset = dataset or registry.dataset(network.config["dataset"])
    check_classes(network, dataset)
    calibration = calibration_for(options, network, registry, reporter, scored)
    setup = Setup(
        network.size,
        device=options.device,
        calibration=calibration,
        keep_float=options.keep_float,
        reporter=reporter,
    )
    opening = reporter.working(f"open {options.runtime.name}")
    with opening, memory_may_be_short(setup.batch_size, network.size):
        session = options.runtime.open(network.model, setup)
    for doubt in session.details.get("doubts", ()):
        reporter.say(f"Warning: {options.runtime.name}: {doubt}")
    return Opened(session, network, dataset, calibration)


def load_and_open(options: EngineOptions, registry: Registry, reporter: Reporter) -> Opened:
    """``load_network`` and ``open_network`` in one."""
    return open_network(load_network(options, registry, reporter), options, registry, reporter)


def check_runtime(runtime: Runtime, device: str, size: Size | None = None) -> None:
    """Raise SegbenchError before any work if the runtime cannot run here.

    What the machine lacks is checked first, since that does not need torch.
    """
    check_machine([runtime])
    if runtime.check:
        runtime.check(Setup(size or (1, 1), device=device))


def check_classes(network: LoadedNetwork, dataset: Dataset) -> None:
    """Raise SegbenchError if a network does not have the dataset's classes."""
    if network.model.classes != len(dataset.classes):
        raise SegbenchError(
            f"The network was trained on {network.config['dataset']!r} with "
            f"{network.model.classes} classes, but {dataset.name!r} has "
            f"{len(dataset.classes)}; choose another --dataset."
        )


def check_machine(runtimes: Sequence[Runtime]) -> None:
    """Raise MissingDeviceError if the machine can run none of these; does not import torch."""
    lacking = [runtime.lacking() if runtime.lacking else None for runtime in runtimes]
    if all(lacking):
        raise MissingDeviceError(" ".join(dict.fromkeys(filter(None, lacking))))


def calibration_for(
    options: EngineOptions,
    network: LoadedNetwork,
    registry: Registry,
    reporter: Reporter,
    scored: Collection[Frame] = (),
) -> Calibration | None:
    """Training frames of the dataset, if the runtime calibrates.

    Raises SegbenchError if one is to be ``scored``, and for INT8 options with another runtime.
    """
    if options.runtime.calibrates:
        dataset, count = registry.dataset(network.config["dataset"]), options.calibration_frames
        check_classes(network, dataset)
        return gather(dataset, options.data_root, network.size, reporter, count, scored=scored)
    for option, given in {
        "--keep-float": options.keep_float,
        "--calibration-frames": options.calibration_frames,
    }.items():
        if given is not None:
            raise SegbenchError(
                f"{option} needs an INT8 runtime; {options.runtime.name!r} is not one."
            )
    return None
