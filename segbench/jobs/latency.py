"""Time networks on runtimes and write a record for each."""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segbench.errors import SegbenchError, sentence
from segbench.inference.checkpoint import checkpoint_file
from segbench.inference.networks import FRESH_BACKBONE, Network, fresh_network, trained_network
from segbench.inference.opened import check_machine, check_runtime
from segbench.latency.group import Measured, Protocol, measure_group
from segbench.latency.statistics import (
    block_medians,
    figures,
    percentile,
    speedup,
    timing_doubts,
)
from segbench.plugins import Registry
from segbench.progress import Reporter
from segbench.records.arrays import latency_samples
from segbench.records.provenance import ARITHMETIC, provenance, session_details, source_state
from segbench.records.record import Record, make_folder, read_record, write_record
from segbench.types import Runtime, Size


@dataclass(frozen=True)
class LatencyOptions:
    """What ``segbench latency`` was asked for, by name, so that another process can do it too.

    Networks are a ``checkpoint`` or ``backbones`` with fresh weights. ``isolated`` says that each
    runtime has a process of its own; then ``baseline`` is the record of the first.
    """

    runtimes: tuple[str, ...]
    backbones: tuple[str, ...] = ()
    decoder: str | None = None
    dataset: str | None = None
    checkpoint: Path | None = None
    size: Size | None = None
    protocol: Protocol = field(default_factory=Protocol)
    results: Path = Path("results")
    argv: Sequence[str] = ()
    isolated: bool = False
    baseline: Path | None = None
    session: str = field(default_factory=lambda: uuid.uuid4().hex[:12])

    @property
    def count(self) -> int:
        """How many records it is to give."""
        return len(self.runtimes) * max(1, len(self.backbones))


@dataclass
class Outcome:
    """The records written, how many are missing, and whether the user stopped it."""

    records: list[Path] = field(default_factory=list)
    failed: int = 0
    interrupted: bool = False


@dataclass(frozen=True)
class Baseline:
    """What a speed-up is over; ``paired`` says that it took turns with what is compared."""

    runtime: str
    medians: NDArray[np.float64]
    valid: bool
    paired: bool


def with_fp16(names: Sequence[str], device: str, registry: Registry) -> tuple[str, ...]:
    """``names`` and, after an INT8 runtime that runs here, the FP16 that it names."""
    wanted = []
    known = {each.name for each in registry.runtimes if not registry.problem(each)}
    for name in names:
        wanted.append(name)
        runtime = registry.runtime(name)
        half = runtime.fp16
        if half in known and _runs_here(runtime, device):
            wanted.append(half)
    return tuple(dict.fromkeys(wanted))


def check_keep_float(names: Sequence[str], protocol: Protocol, registry: Registry) -> None:
    """Raise SegbenchError where layers are named and no runtime quantises."""
    quantised = any(registry.runtime(name).calibrates for name in names)
    if protocol.keep_float is not None and not quantised:
        raise SegbenchError(f"Of {', '.join(names)} none quantises: leave --keep-float out.")


def _runs_here(runtime: Runtime, device: str) -> bool:
    try:
        check_runtime(runtime, device)
    except SegbenchError:
        return False
    return True


def latency(options: LatencyOptions, registry: Registry, reporter: Reporter) -> Outcome:
    """Measure each network on all runtimes in turns; a record for each that could be measured.

    A single measurement that fails raises its error; of several, the others go on.
    """
    from segbench.device import resolve_device, slow_precision

    started = datetime.now(UTC)
    source_state()
    runtimes = [registry.runtime(name) for name in options.runtimes]
    check_machine(runtimes)
    if options.checkpoint is not None:
        checkpoint_file(options.checkpoint)
    device = resolve_device(options.protocol.device)
    make_folder(options.results / "latency")
    for runtime in runtimes:
        if warning := slow_precision(runtime.precision, device.type):
            reporter.say(f"Warning: {runtime.name}: {warning}")
    outcome = Outcome()

    def failed(runtime: str, error: Exception) -> None:
        if options.count == 1:
            raise error
        outcome.failed += 1
        bug = not isinstance(error, SegbenchError)
        hint = " (measure it alone to see where)" if bug else ""
        reporter.say(f"{runtime} was not measured: {sentence(error)}{hint}")

    try:
        for network in _networks(options, registry):
            group = measure_group(network, runtimes, options.protocol, registry, reporter, failed)
            for measured in group:
                record = _record(measured, group, network, options, registry, started)
                arrays = measured.timings.arrays()
                outcome.records.append(write_record(record, options.results, arrays))
            if not all(measured.timings.complete for measured in group):
                raise KeyboardInterrupt
    except KeyboardInterrupt:
        outcome.interrupted = True
    return outcome


def _networks(options: LatencyOptions, registry: Registry) -> Iterator[Network]:
    """One network at a time; a name that does not exist is refused before the first."""
    if options.checkpoint is not None:
        yield trained_network(options.checkpoint, options.size, registry)
        return
    names = options.backbones or (FRESH_BACKBONE,)
    for name in names:
        registry.backbone(name)
    for name in names:
        yield fresh_network(registry, name, options.decoder, options.dataset, options.size)


def _record(
    measured: Measured,
    group: Sequence[Measured],
    network: Network,
    options: LatencyOptions,
    registry: Registry,
    started: datetime,
) -> Record:
    runtime, session = measured.warm.runtime, measured.warm.session
    origin = provenance(
        started,
        options.argv,
        registry,
        plugins=[registry.backbone(network.config["backbone"]), runtime],
        engine=session.engine,
    )
    return Record(
        kind="latency",
        config=_config(network, options) | _runtime_config(runtime, options.protocol),
        metrics=_metrics(measured, _baseline(measured, group, network, options), network, options),
        provenance=origin | session_details(session),
    )


def _config(network: Network, options: LatencyOptions) -> dict[str, Any]:
    from segbench.device import resolve_device

    protocol = options.protocol
    return network.config | {
        "height": network.size[0],
        "width": network.size[1],
        "batch_size": protocol.batch_size,
        "device": resolve_device(protocol.device).type,
        "scope": protocol.scope,
        "scenario": protocol.scenario,
        "threads": protocol.threads,
        "isolated": options.isolated or None,
        "session": options.session,
    }


def _runtime_config(runtime: Runtime, protocol: Protocol) -> dict[str, Any]:
    """What of the configuration is the runtime's own."""
    if protocol.keep_float is None or not runtime.calibrates:
        return {"runtime": runtime.name}
    return {"runtime": runtime.name, "keep_float": sorted(protocol.keep_float)}


def _metrics(
    measured: Measured, baseline: Baseline | None, network: Network, options: LatencyOptions
) -> dict[str, Any]:
    timed = figures(measured.timings, options.protocol.batch_size)
    agreement, roofline = measured.agreement, measured.roofline
    reasons = _doubts(measured, network)
    if baseline and not baseline.valid:
        reasons.append(f"its baseline {baseline.runtime} is INVALID")
    return {
        **timed,
        **(_speedup(measured, baseline) if baseline else {}),
        "build_s": measured.warm.build_s,
        "parameters": network.parameters,
        "file_mb": measured.warm.session.details.get("file_mb"),
        "peak_memory_mb": measured.peak_memory_mb,
        "device_memory_mb": measured.device_memory_mb,
        "other_cpu": measured.watch.other_cpu,
        **session_details(measured.warm.session, ARITHMETIC),
        **(agreement.metrics() if agreement else {}),
        "compared_on": measured.compared_on,
        **(roofline.metrics(timed["p50_ms"]) if roofline else {}),
        "verdict": "INVALID" if reasons else "VALID",
        "reasons": reasons,
    }


def _doubts(measured: Measured, network: Network) -> list[str]:
    """What speaks against the runtime's own figures."""
    agreement, roofline = measured.agreement, measured.roofline
    p50_ms = 1e3 * percentile(measured.timings.seconds, 50)
    return [
        *timing_doubts(measured.timings),
        *measured.watch.doubts(),
        *(agreement.doubts(network.trained) if agreement else ()),
        *(roofline.doubts(p50_ms) if roofline else ()),
        *measured.warm.session.details.get("doubts", ()),
        *measured.doubts,
    ]


def _baseline(
    measured: Measured, group: Sequence[Measured], network: Network, options: LatencyOptions
) -> Baseline | None:
    """The first runtime asked for; None for that one itself, or where it failed."""
    if options.baseline is not None:
        record = read_record(options.baseline)
        samples = latency_samples(record)
        medians = block_medians({"seconds": samples.seconds, "block": samples.block})
        valid = record.metrics["verdict"] == "VALID"
        return Baseline(record.config["runtime"], medians, valid, paired=False)
    first = group[0]
    name = first.warm.runtime.name
    if measured is first or name != options.runtimes[0]:
        return None
    medians = block_medians(first.timings.arrays())
    return Baseline(name, medians, not _doubts(first, network), paired=True)


def _speedup(measured: Measured, baseline: Baseline) -> dict[str, Any]:
    mine = block_medians(measured.timings.arrays())
    over = speedup(baseline.medians, mine, paired=baseline.paired)
    return {"baseline": baseline.runtime, **over}
