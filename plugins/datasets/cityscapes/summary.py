"""From summed counts to the JSON of the official Cityscapes tool, with its keys and values.

Besides the official keys, ``segbench`` has frequency-weighted IoU, accuracies, the number of
frames, and notes on the score.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segbench.scoring.confusion import CONFUSION, summary
from segbench.types import Counts

from .labels import LABELS, TRAIN_LABELS

EVALUATED = np.array([label.id for label in TRAIN_LABELS])
CATEGORIES = tuple(dict.fromkeys(label.category for label in LABELS))
INSTANCE_CATEGORIES = ("human", "vehicle")
"""The categories whose labels all have instances."""

IDS_OF = {name: [label.id for label in LABELS if label.category == name] for name in CATEGORIES}
"""All ids of a category; its iIoU also counts predictions of the ignored ones."""

_EVALUATED_IDS_OF = {
    name: [label.id for label in TRAIN_LABELS if label.category == name] for name in CATEGORIES
}


def summarise(counts: Counts) -> dict[str, Any]:
    """The official result; iIoU is null if a frame has no instance ids."""
    matrix = counts["label_ids"]
    if counts["frames_without_instances"]:
        instance_classes: dict[str, float | None] = dict.fromkeys(label.name for label in LABELS)
        instance_categories: dict[str, float | None] = dict.fromkeys(CATEGORIES)
    else:
        instance_classes = {label.name: _class_iiou(counts, label.id) for label in LABELS}
        instance_categories = {name: _category_iiou(counts, name) for name in CATEGORIES}
    classes = {label.name: _class_iou(matrix, label.id) for label in LABELS}
    categories = {name: _iou(matrix, _EVALUATED_IDS_OF[name]) for name in CATEGORIES}
    return {
        "averageScoreClasses": _mean(classes),
        "averageScoreInstClasses": _mean(instance_classes),
        "averageScoreCategories": _mean(categories),
        "averageScoreInstCategories": _mean(instance_categories),
        "classScores": classes,
        "classInstScores": instance_classes,
        "categoryScores": categories,
        "categoryInstScores": instance_categories,
        "confMatrix": matrix.tolist(),
        "priors": {label.name: _ratio(matrix[label.id].sum(), matrix.sum()) for label in LABELS},
        "labels": {label.name: label.id for label in LABELS},
        "segbench": {
            **summary(counts[CONFUSION], [label.name for label in TRAIN_LABELS]),
            "frames": int(counts["frames"]),
            "notes": _notes(counts),
        },
    }


def _class_iou(matrix: NDArray[np.int64], label_id: int) -> float | None:
    return None if LABELS[label_id].ignored else _iou(matrix, [label_id])


def _class_iiou(counts: Counts, label_id: int) -> float | None:
    label = LABELS[label_id]
    if label.ignored or not label.has_instances:
        return None
    true_positives, misses = counts["instance_tp"][label_id], counts["instance_fn"][label_id]
    false_positives = _false_positives(counts["label_ids"], [label_id])
    return _ratio(true_positives, true_positives + false_positives + misses)


def _category_iiou(counts: Counts, name: str) -> float | None:
    if name not in INSTANCE_CATEGORIES:
        return None
    index = INSTANCE_CATEGORIES.index(name)
    true_positives, misses = counts["category_tp"][index], counts["category_fn"][index]
    false_positives = _false_positives(counts["label_ids"], IDS_OF[name])
    return _ratio(true_positives, true_positives + false_positives + misses)


def _iou(matrix: NDArray[np.int64], ids: Sequence[int]) -> float | None:
    """IoU of the evaluated labels ``ids`` merged into one."""
    true_positives = matrix[ids][:, ids].sum()
    misses = matrix[ids].sum() - true_positives
    return _ratio(true_positives, true_positives + _false_positives(matrix, ids) + misses)


def _false_positives(matrix: NDArray[np.int64], ids: Sequence[int]) -> int:
    """False positives: pixels predicted as one of ``ids`` with another evaluated label."""
    others = np.setdiff1d(EVALUATED, ids)
    return int(matrix[others][:, ids].sum())


def _notes(counts: Counts) -> list[str]:
    notes = []
    if missing := int(counts["frames_without_instances"]):
        notes.append(f"iIoU is undefined: {missing} frames have no instanceIds picture.")
    return notes


def _ratio(part: Any, whole: Any) -> float | None:
    return float(part) / float(whole) if whole else None


def _mean(scores: dict[str, float | None]) -> float | None:
    defined = [score for score in scores.values() if score is not None]
    return sum(defined) / len(defined) if defined else None
