"""Four folds of KITTI Road's labelled frames for cross-validation, since they are few.

A frame's fold follows from its number: 0 to 7 are fold 0, 8 to 15 fold 1, 16 to 23 fold 2, 24 to 31
fold 3, 32 to 39 fold 0 again, and so on, in each category. Frames with neighbouring numbers may
show the same street, so they are kept together in blocks; the ends of two blocks may still be
neighbours. Of the full 289 frames a fold has 71 to 74, about a quarter of each category, and a
frame's fold does not depend on other frames.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from segbench.data.layouts import known_split
from segbench.errors import DataError
from segbench.types import Dataset, Frame

FOLDS = range(4)
BLOCK = 8


def fold_of(frame: Frame) -> int:
    """The fold that a frame of KITTI Road belongs to."""
    return int(frame.id[-6:]) // BLOCK % len(FOLDS)


def held_out(dataset: Dataset, fold: int) -> Dataset:
    """KITTI Road, scored on one fold; of the three others the next is "val", two are "train".

    When training on "train" and "val" together, only the scored frames are unseen, and no epoch is
    chosen by them.
    """
    scored, val = f"fold{fold}", (fold + 1) % len(FOLDS)
    parts: Mapping[str, set[int]] = {
        "train": {*FOLDS} - {fold, val},
        "val": {val},
        scored: {fold},
    }

    def frames(folder: Path, split: str) -> tuple[Frame, ...]:
        known_split(split, parts)
        labelled = dataset.frames(folder, "labelled")
        found = tuple(frame for frame in labelled if fold_of(frame) in parts[split])
        if not found:
            raise DataError(
                f"None of the {len(labelled)} labelled frames in {folder} is in the split "
                f"{split!r} of fold {fold}; cross-validation needs frames of all four folds."
            )
        return found

    return replace(dataset, frames=frames, splits=tuple(parts), score_split=scored, published={})
