"""Reporting to experiment trackers: parameters, curves, overlays, score, checkpoint."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from segbench.data.draw import overlay
from segbench.errors import SegbenchError, first_line
from segbench.files import draft_of
from segbench.inference.checkpoint import BEST
from segbench.progress import Reporter
from segbench.records.record import Record
from segbench.types import ClassMap, Dataset, Image, TrackedRun, TrackedTraining, Tracker

if TYPE_CHECKING:
    from segbench.networks.model import SegmentationModel
    from segbench.training.state import Epoch

RUNS = "trackers.json"
"""In a run's folder: the run id in each tracker, and the epochs reported there."""
SAMPLES = 4
OVERLAYS = 20
CURVES = {
    "loss/train": "train_loss",
    "loss/val": "val_loss",
    "miou/train": "train_miou",
    "miou/val": "val_miou",
    "learning rate": "lr",
    "seconds": "seconds",
}


class Tracking:
    """Reports the training in ``output`` to the trackers' runs.

    A failing tracker causes one warning, and is sent what it missed later.
    """

    def __init__(self, output: Path, reporter: Reporter) -> None:
        self.output, self.reporter = output, reporter
        self.runs: dict[str, TrackedRun] = {}
        self.logged: dict[str, int] = {}
        """The epochs already reported to each tracker."""
        self.failed: set[str] = set()

    def start(self, tracker: Tracker, training: TrackedTraining, logged: int) -> None:
        """Open the tracker's run; SegbenchError if that fails."""
        with _starting(tracker, self.reporter):
            run = tracker.start(training)
        self.runs[tracker.name], self.logged[tracker.name] = run, logged
        self.reporter.say(f"{tracker.name}: {run.address}")

    def log_epoch(
        self,
        dataset: Dataset,
        images: NDArray[np.uint8],
        model: "SegmentationModel",
        curve: "Sequence[Epoch]",
    ) -> None:
        """Report the curve's last epoch, and overlays of the first ``images`` (N, H, W, 3)."""
        drawn = {
            f"validation/{number}": overlay(image, _predict(model, image), dataset.palette)
            for number, image in enumerate(map(np.array, images[:SAMPLES]))
        }
        entries = [asdict(entry) for entry in curve]
        self._tell(lambda name, run: self._log_missing(name, run, entries, drawn))
        self.remember()

    def log_result(self, record: Record) -> None:
        """Report the record's scores, with the overlays and the checkpoint in the output folder."""
        files = sorted((self.output / "overlays").glob("*.png"))
        some = files[:: -(-len(files) // OVERLAYS) or 1]

        def log(name: str, run: TrackedRun) -> None:
            images = {f"overlays/{path.stem}": np.array(PIL.Image.open(path)) for path in some}
            self._log_missing(name, run, record.curve, {})
            run.log_result(scores(record), images, self.output / BEST)

        self._tell(log)

    def close(self, finished: bool) -> None:
        """End every run, also after an interrupt."""
        self._tell(lambda name, run: run.close(finished))

    def remember(self) -> None:
        """Write the run ids, for a resumed training."""
        if self.runs:
            runs = {n: {"id": run.id, "epochs": self.logged[n]} for n, run in self.runs.items()}
            with draft_of(self.output / RUNS) as draft:
                draft.write_text(json.dumps(runs), encoding="utf-8")

    def _log_missing(
        self,
        name: str,
        run: TrackedRun,
        curve: Sequence[Mapping[str, Any]],
        images: Mapping[str, Image],
    ) -> None:
        for entry in curve[self.logged[name] :]:
            values = {title: entry[key] for title, key in CURVES.items()}
            known = {title: value for title, value in values.items() if value is not None}
            run.log_epoch(entry["epoch"], known, images if entry is curve[-1] else {})
            self.logged[name] = entry["epoch"]

    def _tell(self, message: Callable[[str, TrackedRun], None]) -> None:
        for name, run in self.runs.items():
            try:
                with self.reporter.working(f"report to {name}"):
                    message(name, run)
            except Exception as error:  # each tracker has its own errors
                if name not in self.failed:
                    self.reporter.say(
                        f"Warning: the tracker {name} failed ({first_line(error)}); the training "
                        "continues, and what it misses is sent once it answers again."
                    )
                self.failed.add(name)


def check_trackers(trackers: Sequence[Tracker], reporter: Reporter) -> None:
    """Raise SegbenchError if one cannot be reached; does not import torch."""
    for tracker in trackers:
        if tracker.check:
            with _starting(tracker, reporter):
                tracker.check()


@contextmanager
def tracking(
    trackers: Sequence[Tracker],
    config: Mapping[str, Any],
    output: Path,
    resume: bool,
    reporter: Reporter,
) -> Iterator[Tracking]:
    """A new run in each tracker, or with ``resume`` the run of the training in ``output``.

    SegbenchError if a tracker cannot start one.
    """
    tracked, finished = Tracking(output, reporter), False
    known = _known_runs(output) if resume else {}
    try:
        for tracker in trackers:
            earlier, logged = known.get(tracker.name, (None, 0))
            training = TrackedTraining(output.name, parameters(config), output, earlier)
            tracked.start(tracker, training, logged)
        tracked.remember()
        yield tracked
        finished = True
    finally:
        tracked.close(finished)


@contextmanager
def _starting(tracker: Tracker, reporter: Reporter) -> Iterator[None]:
    try:
        with reporter.working(f"connect to {tracker.name}"):
            yield
    except Exception as error:  # each tracker has its own errors
        raise SegbenchError(
            f"The tracker {tracker.name} cannot be used: {first_line(error)}. Leave --tracker "
            f"{tracker.name} out to train without it."
        ) from error


def parameters(config: Mapping[str, Any], prefix: str = "") -> dict[str, str | float]:
    """The settings of a configuration by dotted names, without unset ones."""
    flat: dict[str, str | float] = {}
    for name, value in config.items():
        if isinstance(value, Mapping):
            flat |= parameters(value, f"{prefix}{name}.")
        elif value is not None:
            flat[prefix + name] = value if isinstance(value, str | int | float) else str(value)
    return flat


def scores(record: Record) -> dict[str, float]:
    """The record's metrics, and those of each class as "iou/road"."""
    per_class = {
        f"{metric}/{name}": value
        for metric, values in record.per_class.items()
        for name, value in values.items()
    }
    everything = {**record.metrics, **per_class}
    return {k: float(v) for k, v in everything.items() if isinstance(v, int | float)}


def _known_runs(output: Path) -> dict[str, tuple[str, int]]:
    """The run id in each tracker, and the epochs reported there."""
    try:
        known = json.loads((output / RUNS).read_text(encoding="utf-8"))
        return {name: _known_run(**run) for name, run in known.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise SegbenchError(
            f"{output / RUNS} cannot be read ({first_line(error)}); remove it, and trackers "
            "start new runs."
        ) from error


def _known_run(id: Any, epochs: Any) -> tuple[str, int]:
    if not (isinstance(id, str) and id) or type(epochs) is not int or epochs < 0:
        raise ValueError(f"{id!r:.40} and {epochs!r:.40} are not a run and its epochs")
    return id, epochs


def _predict(model: "SegmentationModel", image: Image) -> ClassMap:
    import torch

    from segbench.inference.tensors import class_map, to_device

    model.eval()
    device = next(model.parameters()).device
    with torch.inference_mode():
        return class_map(model(to_device(image[None], device, torch.float32))[0])
