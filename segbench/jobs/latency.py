"""Time networks on runtimes and write a record for each."""

import math
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from segbench.device import cpu_threads, torch_threads
from segbench.errors import OptionError, SegbenchError, sentence, unknown_name
from segbench.files import check_writable
from segbench.inference.networks import LoadedNetwork, chosen_network, random_network
from segbench.inference.opened import check_machine, check_runtime
from segbench.inference.sources import (
    Source,
    check_loads,
    check_options,
    chosen_source,
    default_runtime,
    load_source,
    source_file,
)
from segbench.jobs.latency_record import Baseline, latency_record
from segbench.latency.checks import REFERENCE
from segbench.latency.group import Measured, measure_group
from segbench.latency.protocol import Protocol
from segbench.latency.timing import SCENARIOS, SCOPES
from segbench.plugins import Registry
from segbench.progress import Reporter
from segbench.records.provenance import provenance, source_state
from segbench.records.record import write_record
from segbench.text import by
from segbench.types import ModelFormat, ModelOptions, Runtime, Size
from segbench.workers.own_process import in_own_process

ALL = "all"
PROTOCOL = {each.name for each in fields(Protocol)}


@dataclass(frozen=True)
class LatencyOptions:
    """The options of ``segbench latency``, by name, so that they can be sent to another process.

    Networks are a ``checkpoint``, a network with ``weights`` or a file ``model`` (with its
    ``model_options``) for a dataset, or ``networks`` and FCN8s on ``backbones`` with random
    weights. ``runtimes`` default to eager, or to that of the model file's format. Each network is
    measured at each of ``sizes`` (None is its own) and ``batch_sizes``. With ``isolate`` each
    runtime has its own process; there ``baseline`` is the record of the first. ``title`` tells
    one network, size and batch size from others of the call.
    """

    runtimes: tuple[str, ...]
    networks: tuple[str, ...] = ()
    backbones: tuple[str, ...] = ()
    decoder: str | None = None
    dataset: str | None = None
    checkpoint: Path | None = None
    weights: Path | None = None
    model: Path | None = None
    model_options: ModelOptions = field(default_factory=ModelOptions)
    sizes: tuple[Size | None, ...] = (None,)
    batch_sizes: tuple[int, ...] = (1,)
    protocol: Protocol = field(default_factory=Protocol)
    results: Path = Path("results")
    argv: Sequence[str] = ()
    isolate: bool = False
    baseline: Path | None = None
    session: str = ""
    title: str = ""

    @property
    def shape(self) -> str:
        """The batch and size of a single measurement, as command-line options."""
        (size,) = self.sizes
        return (
            f"--batch-size {self.protocol.batch_size} at --size {by(size) if size else 'its own'}"
        )

    def one_by_one(self) -> "list[LatencyOptions]":
        """Options for each single network, size and batch size."""
        networks = [replace(self, networks=(name,), backbones=()) for name in self.networks]
        networks += [replace(self, networks=(), backbones=(name,)) for name in self.backbones]
        single = [
            replace(
                network,
                sizes=(size,),
                batch_sizes=(batch_size,),
                protocol=replace(self.protocol, batch_size=batch_size),
                session=uuid.uuid4().hex[:12],
            )
            for size in self.sizes
            for batch_size in self.batch_sizes
            for network in networks or [self]
        ]
        if len(single) == 1:
            return single
        return [replace(each, title=f" ({each._words})") for each in single]

    @property
    def _words(self) -> str:
        return " ".join([*self.networks, *self.backbones, self.shape])


def latency_options(runtimes: Sequence[str], **given: Any) -> LatencyOptions:
    """Build the options from names; some of them belong to the protocol.

    SegbenchError for an unknown scope or scenario, and for numbers that must be larger.
    """
    for name, known in (("scope", SCOPES), ("scenario", SCENARIOS)):
        if name in given and given[name] not in known:
            raise OptionError(unknown_name(name, given[name], known))
    if min(given["batch_sizes"], default=0) < 1:
        raise OptionError("batch_sizes are one or more numbers of at least 1.")
    if not 0 < given.get("min_seconds", 1) < math.inf:
        raise OptionError("min_seconds must be a number larger than 0.")
    if given.get("attempts", 1) < 1:
        raise OptionError("attempts must be at least 1.")
    given["threads"] = cpu_threads(given.get("threads"))
    given["batch_size"] = given["batch_sizes"][0]
    protocol = Protocol(**{each: given.pop(each) for each in PROTOCOL & given.keys()})
    return LatencyOptions(tuple(runtimes), protocol=protocol, **given)


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
    options = _resolved(options, registry)
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


def named_runtimes(
    names: Sequence[str],
    device: str,
    registry: Registry,
    model_format: ModelFormat | None = None,
) -> tuple[str, ...]:
    """Each name once; "all" means every runtime that runs here, eager first.

    With a ``model_format``, only those that load it.
    """
    chosen: list[str] = []
    for name in names:
        if name == ALL:
            able = [r for r in registry.runtimes if not model_format or model_format.runs_on(r)]
            usable = [each.name for each in able if runs_here(each, device, registry)]
            chosen += sorted(usable, key=lambda each: each != REFERENCE)
        else:
            chosen.append(registry.runtime(name).name)
    return tuple(dict.fromkeys(chosen))


def with_fp16(names: Sequence[str], device: str, registry: Registry) -> tuple[str, ...]:
    """``names``, with its FP16 counterpart after each INT8 runtime that runs here."""
    wanted = []
    known = {each.name for each in registry.runtimes if not registry.problem(each)}
    for name in names:
        wanted.append(name)
        runtime = registry.runtime(name)
        if runtime.fp16 in known and runs_here(runtime, device, registry):
            wanted.append(runtime.fp16)
    return tuple(dict.fromkeys(wanted))


def check_keep_float(
    names: Sequence[str], keep_float: Sequence[str] | None, registry: Registry
) -> None:
    """Raise SegbenchError if layers are named without an INT8 runtime."""
    if keep_float is not None and not any(registry.runtime(name).calibrates for name in names):
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


def _resolved(options: LatencyOptions, registry: Registry) -> LatencyOptions:
    """The options with all runtimes and networks resolved to names; SegbenchError if invalid."""
    others = (options.backbones, options.networks, options.weights, options.decoder)
    check_options(options.model, options.model_options)
    if options.model and (options.checkpoint or any(others)):
        raise OptionError("--model is a network of its own; do not name another.")
    if options.checkpoint and (any(others) or options.dataset):
        raise OptionError(
            "A checkpoint has its own network and classes; "
            "leave --backbone, --network, --weights, --decoder and --dataset out."
        )
    if options.weights and not (
        len(options.networks) == 1 and options.dataset and not options.backbones
    ):
        raise OptionError("--weights needs exactly one --network, and --dataset.")
    if options.decoder and (options.networks or options.model) and not options.backbones:
        raise OptionError("--decoder is for FCN8s on a --backbone; leave it out.")
    _source(options, registry)
    if not (options.checkpoint or options.model or options.networks or options.backbones):
        options = replace(options, backbones=(registry.default_backbone().name,))
    for name in options.networks:
        registry.network(name)
    for name in options.backbones:
        registry.backbone(name)
    device, keep_float = options.protocol.device, options.protocol.keep_float
    wanted = options.runtimes or (default_runtime(registry, options.model),)
    model_format = registry.model_format(options.model) if options.model else None
    named = named_runtimes(wanted, device, registry, model_format)
    names = with_fp16(named, device, registry)
    if not names:
        raise SegbenchError(
            f"No runtime runs this network here on --device {device}; `segbench plugins` says why."
        )
    check_keep_float(names, keep_float, registry)
    return replace(options, runtimes=names)


def _prepare(options: LatencyOptions, registry: Registry, reporter: Reporter) -> None:
    """Reject invalid options, in the process that measures, before measuring."""
    from segbench.device import resolve_device, slow_precision

    source_state()
    runtimes = [registry.runtime(name) for name in options.runtimes]
    check_machine(runtimes)
    if source := _source(options, registry):
        source_file(source)
    with reporter.working("load torch"):
        device = resolve_device(options.protocol.device)
    check_writable(options.results / "latency", "--results")
    for runtime in runtimes:
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


def _source(options: LatencyOptions, registry: Registry) -> Source | None:
    """The network with trained weights; None if they are random."""
    if not (options.checkpoint or options.weights or options.model):
        return None
    return chosen_source(
        registry,
        options.dataset,
        options.checkpoint,
        options.networks[0] if options.networks else None,
        options.weights,
        options.model,
        options.model_options,
    )


def _load(options: LatencyOptions, registry: Registry) -> LoadedNetwork:
    """The single network of ``options``."""
    (size,) = options.sizes
    if source := _source(options, registry):
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
