"""A training with its data: what the steps of a run share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from segbench.data.frames import labelled_frames
from segbench.errors import SegbenchError
from segbench.jobs.plan import RunOptions
from segbench.progress import Reporter
from segbench.training.world import ALONE, World
from segbench.types import Frame

Splits = Mapping[str, tuple[Frame, ...]]
"""Frames by use: "train", "val" (chooses the best epoch, optional), and the scored split."""


@dataclass(frozen=True)
class Experiment:
    """The options of a run, its frames with the fingerprint of each split, and its folder.

    ``config`` is the record's.
    """

    options: RunOptions
    splits: Splits
    prints: Mapping[str, str]
    config: Mapping[str, Any]
    output: Path
    world: World = ALONE


def read_splits(options: RunOptions, folder: Path, reporter: Reporter) -> Splits:
    """The frames for training, validation and scoring; training frames are never validated on."""
    dataset, splits = options.dataset, options.train_splits
    used = dict.fromkeys((*splits, *({"val"} - set(splits)), dataset.score_split))
    frames = {
        split: labelled_frames(dataset, folder, split, options.limit, reporter) for split in used
    }
    together = tuple(chain.from_iterable(frames.pop(split) for split in splits))
    _check_unseen(together, frames)
    return {"train": together, **frames}


def _check_unseen(trained: Sequence[Frame], others: Mapping[str, Sequence[Frame]]) -> None:
    """Splits may overlap: a name that is not the scored split's is not enough."""
    images = {frame.image for frame in trained}
    for split, frames in others.items():
        if seen := next((frame.image for frame in frames if frame.image in images), None):
            raise SegbenchError(
                f"--train-splits has frames of {split!r}, which the network is validated or scored "
                f"on, such as {seen}; leave out the split that has them."
            )
