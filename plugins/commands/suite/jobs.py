"""The jobs of a suite: how to run one, how to see that it is done, and how long it takes."""

import hashlib
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

from segbench.analysis.rank import score_name
from segbench.data.layouts import available
from segbench.errors import InterruptedRun, SegbenchError
from segbench.inference.calibration import COUNT, HELD_BACK, SPLIT
from segbench.inference.checkpoint import BEST
from segbench.inference.opened import EngineOptions
from segbench.inference.sources import NetworkWeights
from segbench.jobs.evaluate import EvaluateOptions, evaluate_checkpoint
from segbench.jobs.export import ExportOptions, export
from segbench.jobs.latency import Outcome, latency
from segbench.jobs.latency_options import LatencyOptions
from segbench.jobs.plan import RunOptions, configuration, default_output
from segbench.jobs.run import run
from segbench.plugins import Registry
from segbench.progress import Reporter
from segbench.records.record import Record, config_hash
from segbench.types import Size
from segbench.workers.own_process import in_own_process

from .context import Context
from .subject import NETWORK, Subject

NOT_IN_NAMES = re.compile(r"[^\w.-]+")


@dataclass(frozen=True)
class Training:
    """``segbench run`` for one network, dataset, size and seed."""

    options: RunOptions

    name = "train"

    @property
    def config(self) -> dict[str, Any]:
        """Its configuration without the fingerprint of the data, which is slow."""
        return {**configuration(self.options, {}), "data": None}

    def record(self, context: Context) -> Record | None:
        """Its record; ``run`` checks whether it is of the same data."""
        wanted = config_hash(self.config)

        def same(record: Record) -> bool:
            return config_hash({**record.config, "data": None}) == wanted

        return context.newest(["run"], {"dataset": self.options.dataset.name}, same)

    def found(self, context: Context) -> str | None:
        """Its score."""
        record = self.record(context)
        return self.found_in(record) if record else None

    def found_in(self, record: Record) -> str:
        """The score in its record."""
        return _score(record)

    def seconds(self, context: Context) -> float | None:
        """The expected time, from the epochs of a similar training."""
        config = self.config
        keys = (*NETWORK, "dataset", "height", "width", "crop", "limit")
        like = context.newest(["run"], {k: config.get(k) for k in keys}, context.measured_here)
        if like is None or not like.curve:
            return None
        epoch = sum(epoch["seconds"] for epoch in like.curve) / len(like.curve)
        return float(epoch * config["epochs"])

    def do(self, context: Context) -> str:
        """Train and score, or resume; nothing is done if there is a record."""
        registry = context.registry.at(self.options.data_root)
        return _score(context.add(run(self.options, registry, context.reporter)))

    def subject(self, context: Context) -> Subject:
        """The trained network; SegbenchError if there is a record but no checkpoint."""
        record = self.record(context)
        return self.subject_of(record) if record else Subject(self.config)

    def subject_of(self, record: Record) -> Subject:
        """The checkpoint of its record; SegbenchError if it is not in its place."""
        path = (self.options.output or default_output(record.config)) / BEST
        subject = Subject.read(path) if path.is_file() else None
        if subject is None or subject.sha256 != record.config.get("checkpoint_sha256"):
            raise SegbenchError(
                f"{path} is not the checkpoint of {record.path}; put that there, or name it in a "
                "[[checkpoint]]."
            )
        return subject


@dataclass(frozen=True)
class Evaluation:
    """``segbench evaluate`` on one runtime."""

    options: EvaluateOptions
    subject: Subject
    swept: str = ""

    @property
    def name(self) -> str:
        """Its name in the summary."""
        return f"evaluate {self.swept or self.options.runtime.name}"

    @property
    def size(self) -> Size:
        """The input size of the network."""
        return self.options.size or self.subject.size

    @property
    def _asked(self) -> dict[str, Any]:
        return {
            "dataset": self.options.dataset.name,
            "split": self.options.split or self.options.dataset.score_split,
            "limit": self.options.limit or self.subject.config.get("limit"),
            "runtime": self.options.runtime.name,
            "height": self.size[0],
            "width": self.size[1],
        }

    def record(self, context: Context) -> Record | None:
        """The newest record of this score; in 16 bits or INT8, from this kind of device."""
        wanted = {
            **self._asked,
            "checkpoint_sha256": self.subject.sha256,
            "label_scale": self.options.label_scale,
            "keep_float": _sorted(self.options.keep_float),
        }

        def fits(record: Record) -> bool:
            exact = self.options.runtime.precision == "fp32"
            return (exact or context.computed_alike(record)) and self._calibrated_alike(
                record, context
            )

        if self.subject.sha256 is None:
            return None
        return context.newest(["run", "evaluate"], wanted, fits)

    def _calibrated_alike(self, record: Record, context: Context) -> bool:
        """Whether it was calibrated on as many frames as now."""
        if not self.options.runtime.calibrates:
            return True
        dataset = context.registry.at(self.options.data_root).dataset(
            self.subject.config["dataset"]
        )
        there = len(available(dataset, dataset.locate(self.options.data_root), SPLIT))
        frames = min(self.options.calibration_frames or COUNT, there - min(HELD_BACK, there // 5))
        return str(record.config.get("calibration")).startswith(f"{frames}@")

    def found(self, context: Context) -> str | None:
        """Its score."""
        record = self.record(context)
        return _score(record) if record else None

    def seconds(self, context: Context) -> float | None:
        """The expected time, from a similar evaluation."""
        asked = {**self.subject.network, **self._asked}
        like = context.newest(["evaluate"], asked, context.measured_here)
        return like.provenance.get("duration_s") if like else None

    @property
    def ready(self) -> EvaluateOptions:
        """Its options, if there is a checkpoint."""
        source = self.subject.trained
        words = ["--checkpoint", str(source)]
        if isinstance(source, NetworkWeights):
            words = ["--network", source.network.name, "--weights", str(source.weights)]
        return replace(self.options, checkpoint=source, argv=(*self.options.argv, *words))

    def do(self, context: Context) -> str:
        """Score the checkpoint."""
        registry = context.registry.at(self.options.data_root)
        return _score(context.add(evaluate_checkpoint(self.ready, registry, context.reporter)))


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
            return record.metrics["verdict"] == "VALID" and context.measured_here(record)

        found = {}
        for name in self.options.runtimes if self.subject.sha256 else ():
            quantises = context.registry.runtime(name).calibrates
            layers = _sorted(protocol.keep_float) if quantises else None
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
        return None if self.missing(context) else _medians(self.records(context))

    def seconds(self, context: Context) -> float | None:
        """The expected time, from each runtime's share of a similar measurement."""
        total = 0.0
        for name in self.missing(context):
            asked = {**self.subject.network, **self._asked(name)}
            like = context.newest(["latency"], asked, context.measured_here)
            if like is None:
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
        return _medians({name: found[name] for name in self.options.runtimes})


@dataclass(frozen=True)
class Writing:
    """A file, an export (with ``options``) or a report, that is done if it exists."""

    name: str
    path: Path
    write: Callable[[], object]
    options: ExportOptions | None = None

    def found(self, context: Context) -> str | None:
        """The file."""
        return str(self.path) if self.path.is_file() else None

    def seconds(self, context: Context) -> float | None:
        """The expected time, which is unknown."""
        return None

    def do(self, context: Context) -> str:
        """Write the file."""
        self.write()
        return str(self.path)


def exporting(evaluation: Evaluation, label: str, folder: Path, context: Context) -> Writing:
    """``segbench export`` for an evaluation's runtime, to a file named by all its settings."""
    subject, runtime = evaluation.subject, evaluation.options.runtime
    height, width = evaluation.size
    name = f"{label} {(subject.sha256 or '')[:8]} {height}x{width} {runtime.name}"
    asked = (evaluation.options.calibration_frames, evaluation.options.keep_float)
    if asked != (None, None):
        name += f" {hashlib.sha256(repr(asked).encode()).hexdigest()[:8]}"
    path = folder / (NOT_IN_NAMES.sub("-", name) + runtime.export_suffixes[0])
    given = {each.name: getattr(evaluation.options, each.name) for each in fields(EngineOptions)}
    given |= {"checkpoint": subject.source or Path(), "output": path}
    options = ExportOptions(**given)
    registry = context.registry.at(options.data_root)
    return Writing(
        f"export {runtime.name}",
        path,
        lambda: export(options, registry, context.reporter),
        options,
    )


def reporting(evaluation: Evaluation, folder: Path, context: Context) -> Writing:
    """``segbench report`` of an evaluation's record, with its best and worst frames."""
    from ..report.command import ReportOptions, write_report

    record = evaluation.record(context)
    source = record.path if record else None
    if source is None:
        return Writing("report", folder / "report", _no_score)
    path = folder / f"{source.stem}.html"
    options = ReportOptions(
        source,
        path,
        evaluation.options.data_root,
        checkpoint=evaluation.subject.source,
        device=evaluation.options.device,
    )
    registry = context.registry.at(options.data_root)
    return Writing("report", path, lambda: write_report(options, registry, context.reporter))


def _no_score() -> None:
    raise SegbenchError("There is no score to report.")


def _measure(unset: tuple[str, ...], options: LatencyOptions) -> Outcome:
    for name in unset:
        os.environ.pop(name, None)
    return latency(options, Registry.load().at(options.protocol.data_root), Reporter())


def _score(record: Record) -> str:
    score = record.metrics["score"]
    return f"{score_name(record.metrics)} {'-' if score is None else f'{score:.4f}'}"


def _medians(records: Mapping[str, Record]) -> str:
    """Such as "p50 in ms: eager 20.1, onnx 8.0 (INVALID)"."""
    figures = [
        f"{name} {record.metrics['p50_ms']:.2f}"
        + (" (INVALID)" if record.metrics["verdict"] == "INVALID" else "")
        for name, record in records.items()
    ]
    return f"p50 in ms: {', '.join(figures)}"


def _sorted(layers: Sequence[str] | None) -> list[str] | None:
    return None if layers is None else sorted(layers)
