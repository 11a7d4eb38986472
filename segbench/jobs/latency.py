"""Time networks on runtimes and write a record for each."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from segbench.errors import SegbenchError, sentence
from segbench.files import check_writable
from segbench.inference.checkpoint import checkpoint_file
from segbench.inference.networks import (
    RANDOM_BACKBONE,
    LoadedNetwork,
    chosen_network,
    random_network,
)
from segbench.inference.onnx_file import OnnxFile, OnnxOptions, load_onnx
from segbench.inference.opened import check_machine, check_runtime
from segbench.inference.sources import check_loads
from segbench.jobs.latency_record import Baseline, latency_record
from segbench.latency.group import Measured, Protocol, measure_group
from segbench.plugins import Registry
from segbench.progress import Reporter
from segbench.records.provenance import provenance, source_state
from segbench.records.record import Record, write_record
from segbench.types import Runtime, Size


@dataclass(frozen=True)
class LatencyOptions:
    """What ``segbench latency`` was asked for, by name, so that another process can do it too.

    Networks are a ``checkpoint``, a network with ``weights`` or an ONNX file ``model`` (with its
    options ``onnx``) for a dataset, or ``networks`` and FCN8s on ``backbones`` with random
    weights. ``isolated`` says that each runtime has a process of its own; then ``baseline`` is
    the record of the first.
    """

    runtimes: tuple[str, ...]
    networks: tuple[str, ...] = ()
    backbones: tuple[str, ...] = ()
    decoder: str | None = None
    dataset: str | None = None
    checkpoint: Path | None = None
    weights: Path | None = None
    model: Path | None = None
    onnx: OnnxOptions = field(default_factory=OnnxOptions)
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
        return len(self.runtimes) * max(1, len(self.networks) + len(self.backbones))

    def one_by_one(self) -> "list[LatencyOptions]":
        """The same for each network alone."""
        alone = [replace(self, networks=(name,), backbones=()) for name in self.networks]
        alone += [replace(self, networks=(), backbones=(name,)) for name in self.backbones]
        return alone or [self]


@dataclass
class Outcome:
    """The records written, how many are missing, and whether the user stopped it."""

    records: list[Path] = field(default_factory=list)
    failed: int = 0
    interrupted: bool = False


def with_fp16(names: Sequence[str], device: str, registry: Registry) -> tuple[str, ...]:
    """``names`` and, after an INT8 runtime that runs here, the FP16 that it names."""
    wanted = []
    known = {each.name for each in registry.runtimes if not registry.problem(each)}
    for name in names:
        wanted.append(name)
        runtime = registry.runtime(name)
        half = runtime.fp16
        if half in known and runs_here(runtime, device, registry):
            wanted.append(half)
    return tuple(dict.fromkeys(wanted))


def check_keep_float(names: Sequence[str], protocol: Protocol, registry: Registry) -> None:
    """Raise SegbenchError where layers are named and no runtime quantises."""
    quantised = any(registry.runtime(name).calibrates for name in names)
    if protocol.keep_float is not None and not quantised:
        raise SegbenchError(f"--keep-float needs an INT8 runtime; {', '.join(names)} is not one.")


def runs_here(runtime: Runtime, device: str, registry: Registry) -> bool:
    """Whether its packages are installed and this machine can run it."""
    if registry.problem(runtime):
        return False
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
    check_writable(options.results / "latency", "--results")
    for runtime in runtimes:
        if warning := slow_precision(runtime.precision, device.type):
            reporter.say(f"Warning: {runtime.name}: {warning}")
    outcome = Outcome()
    try:
        for network in _networks(options, registry):
            for note in network.notes:
                reporter.say(note)
            for runtime in runtimes:
                check_loads(runtime, network, registry)
            group = measure_group(network, runtimes, options.protocol, registry, reporter)
            measured = {n: each for n, each in group.items() if isinstance(each, Measured)}
            for name, error in group.items():
                if isinstance(error, Exception):
                    outcome.failed += 1
                    _report(name, error, options.count, reporter)
            for record, arrays in _records(measured, network, options, registry, started):
                outcome.records.append(write_record(record, options.results, arrays))
            if not all(each.timings.complete for each in measured.values()):
                raise KeyboardInterrupt
    except KeyboardInterrupt:
        outcome.interrupted = True
    return outcome


def _report(runtime: str, error: Exception, count: int, reporter: Reporter) -> None:
    """Say why a runtime has no record; where it is the only one, raise the error."""
    if count == 1:
        raise error
    hint = "" if isinstance(error, SegbenchError) else " (measure it alone to see where)"
    reporter.say(f"{runtime} was not measured: {sentence(error)}{hint}")


def _networks(options: LatencyOptions, registry: Registry) -> Iterator[LoadedNetwork]:
    """One network at a time; a name that does not exist is refused before the first."""
    if options.checkpoint is not None:
        from segbench.inference.checkpoint import load_checkpoint

        yield load_checkpoint(options.checkpoint, registry, options.size)
        return
    if options.model is not None:
        file = OnnxFile(options.model, registry.dataset(options.dataset or ""), options.onnx)
        yield load_onnx(file, options.size)
        return
    backbones = options.backbones if options.networks else options.backbones or (RANDOM_BACKBONE,)
    chosen = [chosen_network(registry, name) for name in options.networks]
    chosen += [chosen_network(registry, None, name, options.decoder) for name in backbones]
    if options.weights is not None:
        from segbench.inference.checkpoint import load_weights

        dataset = registry.dataset(options.dataset or "")
        yield load_weights(chosen[0], options.weights, dataset, options.size)
        return
    for network in chosen:
        yield random_network(network, registry, options.dataset, options.size)


def _records(
    group: Mapping[str, Measured],
    network: LoadedNetwork,
    options: LatencyOptions,
    registry: Registry,
    started: datetime,
) -> Iterator[tuple[Record, Mapping[str, Any]]]:
    """A record with its arrays for each runtime; speed-ups are over the first one asked for."""
    first = group.get(options.runtimes[0])
    if options.baseline is not None:
        baseline: Baseline | None = Baseline.read(options.baseline)
    else:
        baseline = Baseline.of(first, network) if first else None
    for measured in group.values():
        own = measured is first and options.baseline is None
        origin = provenance(
            started,
            options.argv,
            registry,
            plugins=[*network.plugins, measured.warm.runtime],
            engine=measured.warm.session.engine,
        )
        record = latency_record(
            measured,
            None if own else baseline,
            network,
            options.protocol,
            {"isolated": options.isolated or None, "session": options.session},
            origin,
        )
        yield record, measured.timings.arrays()
