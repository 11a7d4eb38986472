"""The job that trains a network."""

from dataclasses import dataclass
from typing import Any

from segbench.errors import SegbenchError
from segbench.inference.checkpoint import BEST
from segbench.jobs.plan import RunOptions, configuration, default_output
from segbench.jobs.run import run
from segbench.records.record import Record, config_hash

from ..context import Context
from ..subject import NETWORK, Subject
from .text import score_text


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
        return score_text(record)

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
        return score_text(context.add(run(self.options, registry, context.reporter)))

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
