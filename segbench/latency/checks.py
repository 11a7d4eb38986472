"""What is checked after the timing: does the output agree with eager FP32, is the time possible."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from segbench.device import resolve_device
from segbench.errors import explained, kept, sentence
from segbench.inference.networks import LoadedNetwork
from segbench.latency.agreement import NOISE, Agreement, compare, samples_to_compare
from segbench.latency.protocol import Protocol
from segbench.latency.roofline import Roofline, copy_rate, work_of
from segbench.plugins import Registry
from segbench.progress import Reporter
from segbench.types import Peak, Runtime, Session, Setup

REFERENCE = "eager"


@dataclass(frozen=True)
class OpenRuntime:
    """A runtime with its session."""

    runtime: Runtime
    session: Session


@dataclass(frozen=True)
class Check:
    """A runtime's agreement with eager FP32 on frames of ``compared_on``, and its roofline.

    They are None if they could not be measured; ``doubts`` say why.
    """

    agreement: Agreement | None = None
    compared_on: str | None = None
    roofline: Roofline | None = None
    doubts: tuple[str, ...] = ()


def check_each(
    network: LoadedNetwork,
    opened: Mapping[str, OpenRuntime],
    protocol: Protocol,
    registry: Registry,
    reporter: Reporter,
) -> dict[str, Check]:
    """The check of each runtime; what fails is one of its doubts."""
    with reporter.working("compare with eager FP32"):
        agreements, source = _agreements(network, opened, protocol, registry)
    rooflines = _rooflines(network, opened, protocol, registry, reporter)

    def doubts(name: str) -> Iterator[str]:
        for what, found in (
            ("not compared with eager FP32", agreements[name]),
            ("its roofline could not be measured", rooflines.get(name)),
        ):
            if isinstance(found, Exception):
                error = explained(found, protocol.batch_size, network.size)
                yield f"{what}: {sentence(error)}"
        if source == NOISE and network.trained:
            dataset = network.config["dataset"]
            yield f"compared on noise: no frames of {dataset} under --data-root"

    checks = {}
    for name in opened:
        agreement, roofline = agreements[name], rooflines.get(name)
        checks[name] = Check(
            agreement if isinstance(agreement, Agreement) else None,
            source,
            roofline if isinstance(roofline, Roofline) else None,
            tuple(doubts(name)),
        )
    return checks


def _agreements(
    network: LoadedNetwork,
    opened: Mapping[str, OpenRuntime],
    protocol: Protocol,
    registry: Registry,
) -> tuple[Mapping[str, Agreement | Exception], str | None]:
    """Each runtime's agreement with eager FP32, and the samples they were compared on."""
    dataset = network.config["dataset"]
    sessions = {name: each.session for name, each in opened.items()}
    setup = Setup(network.size, protocol.batch_size, protocol.device, threads=protocol.threads)
    try:
        samples = samples_to_compare(registry, dataset, protocol.data_root, network.size)
        reference = registry.runtime(REFERENCE).open(network.model, setup)
        found = compare(sessions, reference, samples.images, protocol.batch_size)
    except Exception as error:  # keep the measurements
        return dict.fromkeys(opened, kept(error)), None
    return found, samples.source


def _rooflines(
    network: LoadedNetwork,
    opened: Mapping[str, OpenRuntime],
    protocol: Protocol,
    registry: Registry,
    reporter: Reporter,
) -> dict[str, Roofline | Exception]:
    """Each runtime's roofline; none for one in 16 bits or INT8 without a peak of its own."""
    try:
        work = work_of(network.model, network.size, protocol.batch_size)
        bytes_per_s = copy_rate(resolve_device(protocol.device))
    except Exception as error:  # keep the measurements
        return dict.fromkeys(opened, kept(error))
    setup = protocol.setup(network)
    rooflines: dict[str, Roofline | Exception] = {}
    with reporter.steps(len(opened), "measure rooflines", idle=True) as step:
        for name, each in opened.items():
            try:
                if measure_peak := _peak_of(each.runtime, registry):
                    rooflines[name] = Roofline(work, measure_peak(setup), bytes_per_s)
            except Exception as error:
                rooflines[name] = kept(error)
            step("")
    return rooflines


def _peak_of(runtime: Runtime, registry: Registry) -> Callable[[Setup], Peak] | None:
    """The runtime's own peak, in FP32 else that of eager."""
    if runtime.peak or runtime.precision != "fp32":
        return runtime.peak
    return registry.runtime(REFERENCE).peak
