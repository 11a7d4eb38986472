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
from segbench.types import ClassMap, Dataset, Image, TrackedRun, Tracker, Training

if TYPE_CHECKING:
    from segbench.model import SegmentationModel
    from segbench.training.state import Epoch

RUNS = "trackers.json"
"""In a run's folder: the id of its run in each tracker."""
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
    """Tells the trackers' runs of one training what happens.

    One that fails is warned of once and told all the same of what follows.
    """

    def __init__(self, runs: Mapping[str, TrackedRun], reporter: Reporter) -> None:
        self.runs = runs
        self.reporter = reporter
        self.failed: set[str] = set()

    def log_epoch(
        self,
        dataset: Dataset,
        images: NDArray[np.uint8],
        model: "SegmentationModel",
        entry: "Epoch",
    ) -> None:
        """The epoch's figures, and overlays of the first of ``images`` (N, H, W, 3)."""
        figures = asdict(entry)
        curves = {title: figures[name] for title, name in CURVES.items()}
        known = {title: value for title, value in curves.items() if value is not None}
        drawn = {
            f"validation/{number}": overlay(image, _predict(model, image), dataset.palette)
            for number, image in enumerate(map(np.array, images[:SAMPLES]))
        }
        self._tell(lambda run: run.log_epoch(entry.epoch, known, drawn))

    def log_result(self, record: Record, output: Path) -> None:
        """The record's scores, and the overlays and the checkpoint in ``output``."""
        files = sorted((output / "overlays").glob("*.png"))
        some = files[:: -(-len(files) // OVERLAYS) or 1]
        images = {f"overlays/{path.stem}": np.array(PIL.Image.open(path)) for path in some}
        self._tell(lambda run: run.log_result(scores(record), images, output / BEST))

    def close(self, finished: bool) -> None:
        """The end of every run, also of a training that was interrupted."""
        self._tell(lambda run: run.close(finished))

    def _tell(self, message: Callable[[TrackedRun], None]) -> None:
        for name, run in self.runs.items():
            try:
                with self.reporter.working(f"report to {name}"):
                    message(run)
            except Exception as error:  # a server may be gone in as many ways as there are
                if name not in self.failed:
                    self.reporter.say(
                        f"Warning: the tracker {name} fails ({first_line(error)}); the training "
                        "goes on, and what comes later is still offered to it."
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
    runs: dict[str, TrackedRun] = {}
    tracked, finished = Tracking(runs, reporter), False
    known = _known_runs(output) if resume else {}
    try:
        for tracker in trackers:
            training = Training(output.name, parameters(config), output, known.get(tracker.name))
            with _starting(tracker, reporter):
                runs[tracker.name] = run = tracker.start(training)
            reporter.say(f"{tracker.name}: {run.address}")
        ids = {name: run.id for name, run in runs.items()}
        if ids:
            with draft_of(output / RUNS) as draft:
                draft.write_text(json.dumps(known | ids), encoding="utf-8")
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


def _known_runs(output: Path) -> dict[str, str]:
    try:
        known: dict[str, str] = json.loads((output / RUNS).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise SegbenchError(
            f"{output / RUNS} cannot be read ({first_line(error)}); remove it, and the trackers "
            "get new runs."
        ) from error
    return known


def _predict(model: "SegmentationModel", image: Image) -> ClassMap:
    import torch

    from segbench.inference.tensors import class_map, to_device

    model.eval()
    device = next(model.parameters()).device
    with torch.inference_mode():
        return class_map(model(to_device(image[None], device, torch.float32))[0])
