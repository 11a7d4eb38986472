"""Jobs that write a file: an export or a report."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

from segbench.errors import SegbenchError
from segbench.inference.opened import EngineOptions
from segbench.jobs.export import ExportOptions, export

from ..context import Context
from .evaluation import Evaluation

NOT_IN_NAMES = re.compile(r"[^\w.-]+")


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
    if evaluation.options.device != "auto":
        name += f" {evaluation.options.device}"
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
    from ...report.command import ReportOptions, write_report

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
