"""Experiment trackers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from segbench.types.basic import Image


@dataclass(frozen=True)
class TrackedTraining:
    """A training as a tracker learns of it when it starts or goes on.

    ``id`` is the tracker's own for the run that goes on, None for a new one. ``output`` is the
    folder of the checkpoints.
    """

    name: str
    parameters: Mapping[str, str | float]
    output: Path
    id: str | None = None


class TrackedRun(Protocol):
    """A training's run in a tracker.

    ``id`` finds it again when the training is resumed, and ``address`` tells the user where it
    is. Images are overlays by their titles. Any method may raise: the training goes on.
    """

    id: str
    address: str

    def log_epoch(
        self, epoch: int, curves: Mapping[str, float], images: Mapping[str, Image]
    ) -> None:
        """One point of each curve; ``epoch`` counts from 1."""
        ...

    def log_result(
        self, scores: Mapping[str, float], images: Mapping[str, Image], checkpoint: Path
    ) -> None:
        """What the best epoch scores, once, after the last epoch."""
        ...

    def close(self, finished: bool) -> None:
        """The end of the process's part; ``finished`` is False where it was interrupted."""
        ...


@dataclass(frozen=True)
class Tracker:
    """An experiment tracker; ``start`` opens a run, or goes on with the one that has an ``id``.

    ``check`` raises where it cannot be reached, and imports no torch; it is asked before anything
    takes time. An error of either, of any type, is shown as one sentence. ``extra`` names the
    extra of the plugin's distribution that installs what it ``requires``.
    """

    name: str
    summary: str
    start: Callable[[TrackedTraining], TrackedRun]
    check: Callable[[], object] | None = None
    requires: tuple[str, ...] = ()
    extra: str | None = None
