"""Experiment trackers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from segbench.types.basic import Image


@dataclass(frozen=True)
class TrackedTraining:
    """A training that starts or resumes, as passed to a tracker.

    ``id`` is the tracker's id of a resumed run, None for a new one. ``output`` is the
    folder of the checkpoints.
    """

    name: str
    parameters: Mapping[str, str | float]
    output: Path
    id: str | None = None


class TrackedRun(Protocol):
    """A training's run in a tracker.

    ``id`` identifies it when the training is resumed, and ``address`` tells the user where it is.
    Images are overlays by title. Methods may raise: the training continues.
    """

    id: str
    address: str

    def log_epoch(
        self, epoch: int, curves: Mapping[str, float], images: Mapping[str, Image]
    ) -> None:
        """Log one point of each curve; ``epoch`` counts from 1."""
        ...

    def log_result(
        self, scores: Mapping[str, float], images: Mapping[str, Image], checkpoint: Path
    ) -> None:
        """Log the best epoch's scores, once, after the last epoch."""
        ...

    def close(self, finished: bool) -> None:
        """End the run; ``finished`` is False if it was interrupted."""
        ...


@dataclass(frozen=True)
class Tracker:
    """An experiment tracker; ``start`` opens a run, or resumes the one with the ``id``.

    ``check`` raises if it cannot be reached, without importing torch; it is called before any slow
    work. Any error of either is shown as one sentence. ``extra`` names the extra of the plugin's
    distribution that installs what it ``requires``.
    """

    name: str
    summary: str
    start: Callable[[TrackedTraining], TrackedRun]
    check: Callable[[], object] | None = None
    requires: tuple[str, ...] = ()
    extra: str | None = None
