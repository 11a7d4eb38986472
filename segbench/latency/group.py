"""One network on several runtimes: open and warm up sessions, then measure in turns."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from segbench.device import cpu_threads, resolve_device
from segbench.errors import kept, out_of_memory, sentence, too_large
from segbench.inference.networks import LoadedNetwork
from segbench.inference.opened import check_runtime
from segbench.latency.agreement import (
    NOISE,
    Agreement,
    compare,
    dataset_of,
    samples_to_compare,
)
from segbench.latency.machine import (
    Watch,
    device_memory_mb,
    forget_peak_memory,
    peak_memory_mb,
)
from segbench.latency.roofline import Roofline, copy_rate, work_of
from segbench.latency.steady import Attempt, measure_until_steady
from segbench.latency.timing import (
    GROUP_SECONDS,
    Query,
    Scenario,
    Scope,
    Timings,
    WarmUp,
    query_of,
    session_output,
    warm_up,
)
from segbench.plugins import Registry
from segbench.progress import Reporter
from segbench.types import Calibration, Peak, Runtime, Session, Setup

if TYPE_CHECKING:
    import torch

REFERENCE = "eager"
T = TypeVar("T")


@dataclass(frozen=True)
class Protocol:
    """How a network is timed, whatever the network and the runtime.

    All engines get the same number of CPU ``threads``. On a machine that is not steady, up to
    ``attempts`` measurements are made.
    """

    batch_size: int = 1
    device: str = "auto"
    scope: Scope = "model"
    scenario: Scenario = "single-stream"
    min_seconds: float = 10.0
    attempts: int = 1
    threads: int = field(default_factory=cpu_threads)
    data_root: Path = Path("data")
    keep_float: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Warm:
    """A warmed-up session."""

    runtime: Runtime
    session: Session
    build_s: float
    query: Query
    warm_up: WarmUp


@dataclass(frozen=True)
class Measured:
    """The measurements of one runtime; the machine's part is shared by its group.

    ``agreement`` is None if nothing could be compared; ``doubts`` says why.
    """

    warm: Warm
    timings: Timings
    watch: Watch
    attempts: int
    peak_memory_mb: float
    device_memory_mb: float | None
    agreement: Agreement | None
    compared_on: str | None
    roofline: Roofline | None
    doubts: tuple[str, ...]


def measure_group(
    network: LoadedNetwork,
    runtimes: Sequence[Runtime],
    protocol: Protocol,
    registry: Registry,
    reporter: Reporter,
) -> dict[str, Measured | Exception]:
    """Measure the network: by runtime the measurement, or the error that prevented it.

    Memory is read before the reference is opened, so that it does not count. An interrupt while
    comparing leaves the timings.
    """
    device = resolve_device(protocol.device)
    forget_peak_memory(device)
    opened = _warm_up(network, runtimes, protocol, registry, reporter)
    attempt, attempts = _measure(_whole(opened), protocol, device, reporter)
    warm = {name: each for name, each in _whole(opened).items() if name in attempt.timed}
    peak, on_device = peak_memory_mb(), device_memory_mb(device)
    agreements: Mapping[str, Agreement | Exception] = {}
    rooflines: Mapping[str, Roofline | Exception] = {}
    source = None
    if warm and attempt.complete:
        try:
            with reporter.working("compare with eager FP32"):
                agreements, source = _compare(network, warm, protocol, registry)
            rooflines = _rooflines(network, warm, protocol, registry, reporter)
        except KeyboardInterrupt:
            attempt = attempt.interrupted()

    def explained(error: Exception) -> Exception:
        return too_large(protocol.batch_size, network.size) if out_of_memory(error) else error

    def doubts(name: str) -> Iterator[str]:
        agreement, roofline = agreements.get(name), rooflines.get(name)
        if isinstance(agreement, Exception):
            yield f"not compared with eager FP32: {sentence(explained(agreement))}"
        if source == NOISE and network.trained:
            dataset = network.config["dataset"]
            yield f"compared on noise: no frames of {dataset} under --data-root"
        if isinstance(roofline, Exception):
            yield f"its roofline could not be measured: {sentence(explained(roofline))}"

    measured = {
        name: Measured(
            each,
            attempt.timed[name],
            attempt.watch,
            attempts,
            peak,
            on_device,
            _whole(agreements).get(name),
            source,
            _whole(rooflines).get(name),
            tuple(doubts(name)),
        )
        for name, each in warm.items()
    }
    failed = {
        name: explained(each)
        for name, each in {**opened, **attempt.timings}.items()
        if isinstance(each, Exception)
    }
    return {runtime.name: (measured | failed)[runtime.name] for runtime in runtimes}


def _whole(found: Mapping[str, T | Exception]) -> dict[str, T]:
    """The values that are not errors."""
    return {name: each for name, each in found.items() if not isinstance(each, Exception)}


def _warm_up(
    network: LoadedNetwork,
    runtimes: Sequence[Runtime],
    protocol: Protocol,
    registry: Registry,
    reporter: Reporter,
) -> dict[str, Warm | Exception]:
    """Open and warm up each runtime; some engines run out of memory only in the first query."""

    @cache
    def calibration() -> Calibration:
        from segbench.inference.calibration import gather

        dataset = dataset_of(registry, network.config["dataset"])
        return gather(dataset, protocol.data_root, network.size, reporter, trained=network.trained)

    shape = (protocol.batch_size, *network.size, 3)
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    warm: dict[str, Warm | Exception] = {}
    for runtime in reporter.track(runtimes, len(runtimes), "open and warm up"):
        try:
            setup = _setup(network, protocol)
            check_runtime(runtime, protocol.device, network.size)
            if runtime.calibrates:
                setup = replace(
                    setup,
                    calibration=calibration(),
                    keep_float=protocol.keep_float,
                    reporter=reporter,
                )
            started = time.perf_counter()
            session = runtime.open(network.model, setup)
            build_s = time.perf_counter() - started
            query = query_of(session, images, protocol.scope, protocol.scenario)
            warmed = warm_up(query, protocol.min_seconds)
        except Exception as error:
            warm[runtime.name] = kept(error)
        else:
            warm[runtime.name] = Warm(runtime, session, build_s, query, warmed)
    return warm


def _setup(network: LoadedNetwork, protocol: Protocol) -> Setup:
    return Setup(
        network.size,
        protocol.batch_size,
        protocol.device,
        session_output(protocol.scope),
        protocol.threads,
    )


def _measure(
    warm: Mapping[str, Warm], protocol: Protocol, device: "torch.device", reporter: Reporter
) -> tuple[Attempt, int]:
    if not warm:
        return Attempt({}, Watch(device)), 0
    return measure_until_steady(
        {name: each.query for name, each in warm.items()},
        {name: each.warm_up for name, each in warm.items()},
        device,
        protocol.min_seconds,
        GROUP_SECONDS[protocol.scenario],
        protocol.attempts,
        reporter,
    )


def _compare(
    network: LoadedNetwork, warm: Mapping[str, Warm], protocol: Protocol, registry: Registry
) -> tuple[Mapping[str, Agreement | Exception], str | None]:
    """Each runtime's agreement with eager FP32, and the samples they were compared on."""
    dataset = network.config["dataset"]
    sessions = {name: each.session for name, each in warm.items()}
    setup = Setup(network.size, protocol.batch_size, protocol.device, threads=protocol.threads)
    try:
        samples = samples_to_compare(registry, dataset, protocol.data_root, network.size)
        reference = registry.runtime(REFERENCE).open(network.model, setup)
        found = compare(sessions, reference, samples.images, protocol.batch_size)
    except Exception as error:  # keep the measurements
        return dict.fromkeys(warm, kept(error)), None
    return found, samples.source


def _rooflines(
    network: LoadedNetwork,
    warm: Mapping[str, Warm],
    protocol: Protocol,
    registry: Registry,
    reporter: Reporter,
) -> dict[str, Roofline | Exception]:
    """Each runtime's roofline; none for one in 16 bits or INT8 without a peak of its own."""
    try:
        work = work_of(network.model, network.size, protocol.batch_size)
        bytes_per_s = copy_rate(resolve_device(protocol.device))
    except Exception as error:  # keep the measurements
        return dict.fromkeys(warm, kept(error))
    setup = _setup(network, protocol)
    rooflines: dict[str, Roofline | Exception] = {}
    with reporter.steps(len(warm), "measure rooflines", idle=True) as step:
        for name, each in warm.items():
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
