"""A training as experiment trackers show it: parameters, curves, overlays, score, checkpoint."""

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
"""In a run's folder: the id of its run in each tracker, and how many epochs that has."""
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
    """Tells the trackers' runs of the training in ``output`` what happens.

    One that fails is warned of once, and gets what it missed with what follows.
    """

    def __init__(self, output: Path, reporter: Reporter) -> None:
        self.output, self.reporter = output, reporter
        self.runs: dict[str, TrackedRun] = {}
        self.logged: dict[str, int] = {}
        """The epochs that each tracker has."""
        self.failed: set[str] = set()

    def start(self, tracker: Tracker, training: TrackedTraining, logged: int) -> None:
        """Open the tracker's run; SegbenchError where that fails."""
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
        """The curve's last epoch, and overlays of the first of ``images`` (N, H, W, 3)."""
        drawn = {
            f"validation/{number}": overlay(image, _predict(model, image), dataset.palette)
            for number, image in enumerate(map(np.array, images[:SAMPLES]))
        }
        entries = [asdict(entry) for entry in curve]
        self._tell(lambda name, run: self._log_missing(name, run, entries, drawn))
        self.remember()

    def log_result(self, record: Record) -> None:
        """The record's scores, with the overlays and the checkpoint in the output folder."""
        files = sorted((self.output / "overlays").glob("*.png"))
        some = files[:: -(-len(files) // OVERLAYS) or 1]
        images = {f"overlays/{path.stem}": np.array(PIL.Image.open(path)) for path in some}

        def log(name: str, run: TrackedRun) -> None:
            self._log_missing(name, run, record.curve, {})
            run.log_result(scores(record), images, self.output / BEST)

        self._tell(log)

    def close(self, finished: bool) -> None:
        """The end of every run, also of a training that was interrupted."""
        self._tell(lambda name, run: run.close(finished))

    def remember(self) -> None:
        """Write which runs these are, for a resumed training."""
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
            except Exception as error:  # a server may be gone in as many ways as there are
                if name not in self.failed:
                    self.reporter.say(
                        f"Warning: the tracker {name} fails ({first_line(error)}); the training "
                        "goes on, and what it misses is sent when it answers again."
                    )
                self.failed.add(name)


def check_trackers(trackers: Sequence[Tracker], reporter: Reporter) -> None:
    """Raise SegbenchError where one cannot be reached; imports no torch."""
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
    """A run in each tracker, or with ``resume`` the one that the training in ``output`` began.

    SegbenchError where a tracker cannot start one.
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
    except Exception as error:  # each tracker has errors of its own
        raise SegbenchError(
            f"The tracker {tracker.name} cannot be used: {first_line(error)}. Leave --tracker "
            f"{tracker.name} out to train without it."
        ) from error


def parameters(config: Mapping[str, Any], prefix: str = "") -> dict[str, str | float]:
    """The settings of a configuration by dotted names; what is not set is left out."""
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
    """The id of each tracker's run, and how many epochs it has."""
    try:
        known = json.loads((output / RUNS).read_text(encoding="utf-8"))
        return {name: _known_run(**run) for name, run in known.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise SegbenchError(
            f"{output / RUNS} cannot be read ({first_line(error)}); remove it, and the trackers "
            "get new runs."
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
