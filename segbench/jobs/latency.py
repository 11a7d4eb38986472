"""Time networks on runtimes and write a record for each."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from segbench.device import torch_threads
from segbench.errors import SegbenchError, sentence
from segbench.files import check_writable
from segbench.inference.networks import LoadedNetwork, chosen_network, random_network
from segbench.inference.opened import check_machine
from segbench.inference.sources import check_loads, load_source, source_file
from segbench.jobs.latency_options import LatencyOptions, resolved, source_of
from segbench.jobs.latency_record import Baseline, latency_record
from segbench.latency.group import Measured, measure_group
from segbench.plugins import Registry
from segbench.progress import Reporter
from segbench.records.provenance import provenance, source_state
from segbench.records.record import write_record
from segbench.workers.own_process import in_own_process


@dataclass
class Outcome:
    """The records of ``count`` measurements, what failed, and whether the user interrupted."""

    count: int
    records: list[Path] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    interrupted: bool = False

    def fail(self, what: str, error: Exception, reporter: Reporter) -> None:
        """Report an error; raise it if this was the only measurement."""
        if self.count == 1:
            raise error
        self.failures.append(f"{what} was not measured: {sentence(error)}")
        hint = "" if isinstance(error, SegbenchError) else " (measure only this one to see where)"
        reporter.say(self.failures[-1] + hint)


def latency(options: LatencyOptions, registry: Registry, reporter: Reporter) -> Outcome:
    """Measure everything that was requested; write a record for each success.

    A single failing measurement raises its error; among several, the others go on. Invalid options
    are rejected before the first.
    """
    options = resolved(options, registry)
    _check(options, registry)
    if not options.isolate:
        _prepare(options, registry, reporter)
    parts = options.one_by_one()
    outcome = Outcome(len(parts) * len(options.runtimes))
    try:
        for part in parts:
            try:
                if options.isolate:
                    _measure_isolated(part, outcome, reporter)
                else:
                    _measure(part, outcome, registry, reporter)
            except SegbenchError as error:
                if len(parts) == 1:
                    raise
                outcome.fail(", ".join(part.runtimes) + part.title, error, reporter)
    except KeyboardInterrupt:
        outcome.interrupted = True
    return outcome


def _check(options: LatencyOptions, registry: Registry) -> None:
    """Reject invalid options as far as torch is not needed for it."""
    source_state()
    check_machine([registry.runtime(name) for name in options.runtimes])
    if source := source_of(options, registry):
        source_file(source)
    check_writable(options.results / "latency", "--results")


def _prepare(options: LatencyOptions, registry: Registry, reporter: Reporter) -> None:
    """Reject a device that is not there, and warn of slow ones, in the process that measures."""
    from segbench.device import resolve_device, slow_precision

    with reporter.working("load torch"):
        device = resolve_device(options.protocol.device)
    for runtime in [registry.runtime(name) for name in options.runtimes]:
        if warning := slow_precision(runtime.precision, device.type):
            reporter.say(f"Warning: {runtime.name}: {warning}")


def _measure(
    options: LatencyOptions, outcome: Outcome, registry: Registry, reporter: Reporter
) -> None:
    """One network on all runtimes in turns; speed-ups are relative to the first one."""
    started = datetime.now(UTC)
    runtimes = [registry.runtime(name) for name in options.runtimes]
    with reporter.working("load the network"):
        network = _load(options, registry)
    for note in network.notes:
        reporter.say(note)
    for runtime in runtimes:
        check_loads(runtime, network, registry)
    with torch_threads(options.protocol.threads):
        group = measure_group(network, runtimes, options.protocol, registry, reporter)
    for name, each in group.items():
        if isinstance(each, Exception):
            outcome.fail(name + options.title, each, reporter)
    measured = [each for each in group.values() if isinstance(each, Measured)]
    baseline = None if options.baseline is None else Baseline.read(options.baseline)
    for each in measured:
        first = baseline is None and each.warm.runtime.name == options.runtimes[0]
        record = latency_record(
            each,
            baseline,
            network,
            options.protocol,
            {"isolated": options.isolate or None, "session": options.session},
            provenance(
                started,
                options.argv,
                registry,
                plugins=[network.plugin, each.warm.runtime],
                engine=each.warm.session.engine,
            ),
        )
        if first:
            baseline = Baseline.of(each, network)
        outcome.records.append(write_record(record, options.results, each.timings.arrays()))
    if not all(each.timings.complete for each in measured):
        raise KeyboardInterrupt


def _load(options: LatencyOptions, registry: Registry) -> LoadedNetwork:
    """The single network of ``options``."""
    (size,) = options.sizes
    if source := source_of(options, registry):
        return load_source(source, registry, size)
    if options.networks:
        network = chosen_network(registry, options.networks[0])
    else:
        network = chosen_network(registry, None, options.backbones[0], options.decoder)
    return random_network(network, registry, options.dataset, size)


def _measure_isolated(options: LatencyOptions, outcome: Outcome, reporter: Reporter) -> None:
    """The same, each runtime in a new process with the installed plugins."""
    for runtime in options.runtimes:
        alone = replace(options, runtimes=(runtime,))
        try:
            name = f"The process of {runtime}"
            measure = partial(_measure_alone, quiet=reporter.console.quiet)
            part = in_own_process(measure, alone, name, options.shape)
        except SegbenchError as error:
            outcome.fail(runtime + options.title, error, reporter)
            continue
        outcome.records += part.records
        if part.interrupted:
            raise KeyboardInterrupt
        if runtime == options.runtimes[0]:
            options = replace(options, baseline=part.records[0])


def _measure_alone(options: LatencyOptions, quiet: bool) -> Outcome:
    registry = Registry.load().at(options.protocol.data_root)
    reporter, outcome = Reporter(quiet), Outcome(1)
    _prepare(options, registry, reporter)
    try:
        _measure(options, outcome, registry, reporter)
    except KeyboardInterrupt:
        outcome.interrupted = True
    return outcome
