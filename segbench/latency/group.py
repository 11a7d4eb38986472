"""One network on several runtimes: sessions opened and warmed, then measured in turns."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path

import numpy as np

from segbench.device import cpu_threads, resolve_device, set_threads
from segbench.errors import Failed, out_of_memory, sentence, too_large
from segbench.inference.networks import FRESH_DATASET, Network
from segbench.inference.opened import check_runtime
from segbench.latency.agreement import NOISE, Agreement, compare, samples_to_compare
from segbench.latency.machine import Watch, device_memory_mb, peak_memory_mb
from segbench.latency.peaks import torch_peak
from segbench.latency.queries import (
    GROUP_SECONDS,
    Scenario,
    Scope,
    query_of,
    session_output,
)
from segbench.latency.roofline import Roofline, copy_rate, work_of
from segbench.latency.timing import (
    Query,
    Timings,
    WarmUp,
    expected_rounds,
    measure_in_turns,
    warm_up,
)
from segbench.plugins import Registry
from segbench.progress import Reporter
from segbench.types import Calibration, Runtime, Session, Setup

REFERENCE = "eager"


@dataclass(frozen=True)
class Protocol:
    """How a network is timed, whatever the network and the runtime.

    All engines get the same ``threads`` of the CPU.
    """

    batch_size: int = 1
    device: str = "auto"
    scope: Scope = "model"
    scenario: Scenario = "single-stream"
    min_seconds: float = 10.0
    threads: int = field(default_factory=cpu_threads)
    data_root: Path = Path("data")
    keep_float: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Warm:
    """A runtime that is ready to be timed."""

    runtime: Runtime
    session: Session
    build_s: float
    query: Query
    warm_up: WarmUp


@dataclass(frozen=True)
class Measured:
    """What was learned about one runtime; the machine's part is shared by its group.

    ``agreement`` is None where there was nothing to compare with, and ``doubts`` says why.
    """

    warm: Warm
    timings: Timings
    watch: Watch
    peak_memory_mb: float
    device_memory_mb: float | None
    agreement: Agreement | None
    compared_on: str | None
    roofline: Roofline | None
    doubts: tuple[str, ...]


def measure_group(
    network: Network,
    runtimes: Sequence[Runtime],
    protocol: Protocol,
    registry: Registry,
    reporter: Reporter,
    failed: Failed,
) -> list[Measured]:
    """Measure the network on each runtime that can; ``failed`` is told of each that cannot.

    Memory is read before the reference is opened, so that the reference is no part of it. After
    an interrupt there is neither agreement nor roofline.
    """
    device = resolve_device(protocol.device)
    set_threads(protocol.threads)

    def named(error: Exception) -> Exception:
        short = out_of_memory(error)
        return too_large(protocol.batch_size, network.size) if short else error

    def lost(name: str, error: Exception) -> None:
        failed(name, named(error))

    warm = _warm_up(network, runtimes, protocol, registry, reporter, lost)
    if not warm:
        return []
    timings, watch = _measure(warm, protocol, Watch(device), reporter, lost)
    warm = {name: warm[name] for name in timings}
    if not warm:
        return []
    peak, on_device = peak_memory_mb(), device_memory_mb(device)
    agreements: Mapping[str, Agreement] = {}
    rooflines: Mapping[str, Roofline] = {}
    source = None
    doubts: dict[str, list[str]] = {name: [] for name in warm}

    def no_roofline(name: str, error: Exception) -> None:
        doubts[name].append(f"its roofline could not be measured: {sentence(named(error))}")

    def not_compared(name: str, error: Exception) -> None:
        doubts[name].append(f"not compared with eager FP32: {sentence(named(error))}")

    if all(each.complete for each in timings.values()):
        dataset = network.config["dataset"] or FRESH_DATASET
        samples = samples_to_compare(registry, dataset, protocol.data_root, network.size)
        try:
            agreements = _compare(network, warm, samples.images, protocol, registry, not_compared)
            source = samples.source
        except Exception as error:  # the reference's own; what was measured is kept
            for name in warm:
                not_compared(name, error)
        if source == NOISE and network.trained:
            for name in warm:
                doubts[name].append(f"compared on noise: no frames of {dataset} under --data-root")
        rooflines = _rooflines(network, warm, protocol, reporter, no_roofline)
    return [
        Measured(
            each,
            timings[name],
            watch,
            peak,
            on_device,
            agreements.get(name),
            source,
            rooflines.get(name),
            tuple(doubts[name]),
        )
        for name, each in warm.items()
    ]


def _warm_up(
    network: Network,
    runtimes: Sequence[Runtime],
    protocol: Protocol,
    registry: Registry,
    reporter: Reporter,
    failed: Failed,
) -> dict[str, Warm]:
    """Open and warm up each runtime; an engine short of memory may say so in its first query."""

    @cache
    def calibration() -> Calibration:
        from segbench.inference.calibration import gather

        dataset = registry.dataset(network.config["dataset"] or FRESH_DATASET)
        return gather(dataset, protocol.data_root, network.size, reporter, trained=network.trained)

    shape = (protocol.batch_size, *network.size, 3)
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    warm = {}
    for runtime in reporter.track(runtimes, len(runtimes), "open and warm up"):
        try:
            setup = _setup(network, protocol)
            check_runtime(runtime, protocol.device, network.size)
            if runtime.calibrates:
                setup = replace(setup, calibration=calibration(), keep_float=protocol.keep_float)
            started = time.perf_counter()
            session = runtime.open(network.model, setup)
            build_s = time.perf_counter() - started
            query = query_of(session, images, protocol.scope, protocol.scenario)
            warmed = warm_up(query, protocol.min_seconds)
        except Exception as error:
            failed(runtime.name, error)
        else:
            warm[runtime.name] = Warm(runtime, session, build_s, query, warmed)
    return warm


def _setup(network: Network, protocol: Protocol) -> Setup:
    return Setup(
        network.size,
        protocol.batch_size,
        protocol.device,
        session_output(protocol.scope),
        protocol.threads,
    )


def _measure(
    warm: Mapping[str, Warm],
    protocol: Protocol,
    watch: Watch,
    reporter: Reporter,
    failed: Failed,
) -> tuple[dict[str, Timings], Watch]:
    queries = {name: each.query for name, each in warm.items()}
    warmed = {name: each.warm_up for name, each in warm.items()}
    rounds = expected_rounds(warmed, protocol.min_seconds)
    with reporter.steps(rounds, f"measure {', '.join(warm)}", idle=True) as step, watch:
        timings = measure_in_turns(
            queries,
            warmed,
            protocol.min_seconds,
            GROUP_SECONDS[protocol.scenario],
            step=lambda: step(""),
            failed=failed,
        )
    return timings, watch


def _compare(
    network: Network,
    warm: Mapping[str, Warm],
    images: np.ndarray,
    protocol: Protocol,
    registry: Registry,
    failed: Failed,
) -> Mapping[str, Agreement]:
    sessions = {name: each.session for name, each in warm.items()}
    setup = Setup(network.size, protocol.batch_size, protocol.device, threads=protocol.threads)
    reference = registry.runtime(REFERENCE).open(network.model, setup)
    return compare(sessions, reference, images, protocol.batch_size, failed)


def _rooflines(
    network: Network,
    warm: Mapping[str, Warm],
    protocol: Protocol,
    reporter: Reporter,
    failed: Failed,
) -> dict[str, Roofline]:
    work = work_of(network.model, network.size, protocol.batch_size)
    bytes_per_s = copy_rate(resolve_device(protocol.device))
    setup = _setup(network, protocol)
    rooflines = {}
    with reporter.steps(len(warm), "measure rooflines", idle=True) as step:
        for name, each in warm.items():
            try:
                peak = (each.runtime.peak or partial(torch_peak, "float32"))(setup)
            except Exception as error:
                failed(name, error)
            else:
                rooflines[name] = Roofline(work, peak, bytes_per_s)
            step("")
    return rooflines
