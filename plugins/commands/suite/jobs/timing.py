"""The job that times a checkpoint on runtimes in turns."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from segbench.errors import InterruptedRun, SegbenchError
from segbench.inference.sources import NetworkWeights
from segbench.jobs.latency import Outcome, latency
from segbench.jobs.latency_options import LatencyOptions
from segbench.plugins import Registry
from segbench.progress import Reporter
from segbench.records.record import Record
from segbench.workers.own_process import in_own_process

from ..context import Context
from ..subject import Subject
from .evaluation import sorted_layers
from .text import medians_text


@dataclass(frozen=True)
class Timing:
    """``segbench latency`` for one size and batch size, on runtimes in turns."""

    options: LatencyOptions
    subject: Subject
    swept: str = ""

    @property
    def name(self) -> str:
        """Its name in the summary."""
        return f"latency {self.swept}".strip()

    def with_threads(self, threads: int) -> "Timing":
        """The same with a number of threads."""
        protocol = replace(self.options.protocol, threads=threads)
        return replace(self, options=replace(self.options, protocol=protocol))

    def _asked(self, runtime: str) -> dict[str, Any]:
        height, width = self.options.sizes[0] or self.subject.size
        return {
            "runtime": runtime,
            "height": height,
            "width": width,
            "batch_size": self.options.protocol.batch_size,
            "scenario": self.options.protocol.scenario,
        }

    def records(self, context: Context) -> dict[str, Record]:
        """The newest VALID latency on this device, by runtime."""
        protocol = self.options.protocol
        wanted = {
            "checkpoint_sha256": self.subject.sha256,
            "scope": protocol.scope,
            "threads": protocol.threads,
            "device": context.device(protocol.device),
            "isolated": None,
        }

        def valid(record: Record) -> bool:
            return record.metrics.get("verdict") == "VALID" and context.measured_here(record)

        found = {}
        for name in self.options.runtimes if self.subject.sha256 else ():
            quantises = context.registry.runtime(name).calibrates
            layers = sorted_layers(protocol.keep_float) if quantises else None
            asked = wanted | self._asked(name) | {"keep_float": layers}
            if record := context.newest(["latency"], asked, valid):
                found[name] = record
        return found

    def missing(self, context: Context) -> tuple[str, ...]:
        """Runtimes without a VALID latency."""
        there = self.records(context)
        return tuple(name for name in self.options.runtimes if name not in there)

    def found(self, context: Context) -> str | None:
        """The median of each runtime."""
        return None if self.missing(context) else medians_text(self.records(context))

    def seconds(self, context: Context) -> float | None:
        """The expected time, from each runtime's share of a similar measurement."""
        total = 0.0
        for name in self.missing(context):
            asked = {**self.subject.network, **self._asked(name)}
            like = context.newest(["latency"], asked, context.measured_here)
            if like is None or like.provenance.get("duration_s") is None:
                return None
            session = like.config.get("session")
            group = [each for each in context.records if each.config.get("session") == session]
            total += like.provenance["duration_s"] / len(group)
        return total

    def ready(self, missing: Sequence[str]) -> LatencyOptions:
        """Options for missing runtimes plus the first one, the baseline of speed-ups."""
        runtimes = tuple(dict.fromkeys((self.options.runtimes[0], *missing)))
        options, source = replace(self.options, runtimes=runtimes), self.subject.trained
        if not isinstance(source, NetworkWeights):
            argv = (*options.argv, "--checkpoint", str(source))
            return replace(options, checkpoint=source, argv=argv)
        network, dataset = source.network.name, source.dataset.name
        words = ("--network", network, "--weights", str(source.weights), "--dataset", dataset)
        return replace(
            options,
            networks=(network,),
            weights=source.weights,
            dataset=dataset,
            argv=(*options.argv, *words),
        )

    def do(self, context: Context) -> str:
        """Measure what is missing.

        It runs in its own process, so that a training does not affect it.
        """
        missing, there = self.missing(context), self.records(context)
        options = self.ready(missing)
        measure = partial(_measure, context.unset)
        outcome = in_own_process(measure, options, f"The process of {self.name}", options.shape)
        measured = [context.add(path) for path in outcome.records]
        if outcome.interrupted:
            raise InterruptedRun("Interrupted.")
        return self.summary(there, measured)

    def summary(self, there: Mapping[str, Record], measured: Sequence[Record]) -> str:
        """The median of each runtime; SegbenchError if one was not measured."""
        found = {**there, **{record.config["runtime"]: record for record in measured}}
        if failed := [name for name in self.options.runtimes if name not in found]:
            raise SegbenchError(f"{', '.join(failed)} was not measured (see above).")
        return medians_text({name: found[name] for name in self.options.runtimes})


def _measure(unset: tuple[str, ...], options: LatencyOptions) -> Outcome:
    for name in unset:
        os.environ.pop(name, None)
    return latency(options, Registry.load().at(options.protocol.data_root), Reporter())
