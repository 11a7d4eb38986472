"""The job that scores a checkpoint on one runtime."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from segbench.data.layouts import available
from segbench.inference.calibration import COUNT, HELD_BACK, SPLIT
from segbench.inference.sources import NetworkWeights
from segbench.jobs.evaluate import EvaluateOptions, evaluate_checkpoint
from segbench.records.record import Record
from segbench.types import Size

from ..context import Context
from ..subject import Subject
from .text import score_text


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
            "keep_float": sorted_layers(self.options.keep_float),
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
        return score_text(record) if record else None

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
        return score_text(context.add(evaluate_checkpoint(self.ready, registry, context.reporter)))


def sorted_layers(layers: Sequence[str] | None) -> list[str] | None:
    """As a record has them."""
    return None if layers is None else sorted(layers)
