"""One network on several runtimes: open and warm up sessions, then measure in turns."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from segbench.device import resolve_device
from segbench.errors import explained, kept
from segbench.inference.networks import LoadedNetwork
from segbench.inference.opened import check_runtime
from segbench.latency.agreement import dataset_of
from segbench.latency.checks import Check, OpenRuntime, check_each
from segbench.latency.machine import (
    Watch,
    device_memory_mb,
    forget_peak_memory,
    peak_memory_mb,
)
from segbench.latency.protocol import Protocol
from segbench.latency.steady import Attempt, measure_until_steady
from segbench.latency.timing import GROUP_SECONDS, Query, Timings, WarmUp, query_of, warm_up
from segbench.plugins import Registry
from segbench.progress import Reporter
from segbench.types import Calibration, Runtime

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Warm(OpenRuntime):
    """A warmed-up session."""

    build_s: float
    query: Query
    warm_up: WarmUp


@dataclass(frozen=True)
class Measured:
    """The measurements of one runtime; the machine's part is shared by its group."""

    warm: Warm
    timings: Timings
    watch: Watch
    attempts: int
    peak_memory_mb: float
    device_memory_mb: float | None
    check: Check


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
    warm = {name: each for name, each in opened.items() if isinstance(each, Warm)}
    attempt, attempts = _measure(warm, protocol, device, reporter)
    peak, on_device = peak_memory_mb(), device_memory_mb(device)
    checks: Mapping[str, Check] = {}
    if attempt.timed and attempt.complete:
        timed = {name: warm[name] for name in attempt.timed}
        try:
            checks = check_each(network, timed, protocol, registry, reporter)
        except KeyboardInterrupt:
            attempt = attempt.interrupted()
    found: dict[str, Measured | Exception] = {}
    for name, each in {**opened, **attempt.timings}.items():
        if isinstance(each, Exception):
            found[name] = explained(each, protocol.batch_size, network.size)
        else:
            timings, check = attempt.timed[name], checks.get(name, Check())
            found[name] = Measured(
                warm[name], timings, attempt.watch, attempts, peak, on_device, check
            )
    return {runtime.name: found[runtime.name] for runtime in runtimes}


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
            setup = protocol.setup(network)
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
