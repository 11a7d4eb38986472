"""Confusion matrices and the measures computed from them.

A confusion matrix here is int64 (C, C + 1) for C classes: rows are the ground truth, columns the
prediction, and the last column counts predictions that are not a class: false negatives of the true
class that are not counted as false positives. Functions that take a matrix accept any (..., C, K)
with K >= C, including square ones.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segbench.errors import DataError, OptionError
from segbench.text import by
from segbench.types import ClassMap, Counts

CONFUSION = "confusion"
"""The key of the confusion matrix in a benchmark's counts."""


def at_label_scale(
    truth: NDArray[Any], prediction: NDArray[np.uint8], label_scale: int
) -> tuple[NDArray[Any], NDArray[np.uint8]]:
    """Every ``label_scale``-th pixel of both; a prediction already of that size is unchanged.

    DataError for a prediction of any other size, OptionError for a scale below 1.
    """
    if label_scale < 1:
        raise OptionError(f"--label-scale {label_scale}: it must be at least 1.")
    sampled = truth[::label_scale, ::label_scale]
    if prediction.shape == truth.shape:
        return sampled, prediction[::label_scale, ::label_scale]
    if prediction.shape == sampled.shape:
        return sampled, prediction
    raise DataError(
        f"the prediction is {by(prediction.shape)} (height x width), but the label is "
        f"{by(truth.shape)}"
    )


def pair_counts(
    truth: NDArray[Any], prediction: NDArray[np.uint8], columns: int
) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """The n values that occur in ``truth`` and counts of their predictions, (n, columns).

    Both are unsigned; the caller ensures that predictions are in 0..columns-1. Label maps have long
    runs, so runs are counted instead of pixels unless there are too many.
    """
    truth, prediction = truth.ravel(), prediction.ravel()
    starts = np.ones(truth.size, bool)
    np.not_equal(truth[1:], truth[:-1], out=starts[1:])
    starts[1:] |= prediction[1:] != prediction[:-1]
    lengths = None
    if np.count_nonzero(starts) < truth.size // 5:
        first = np.flatnonzero(starts)
        lengths = np.diff(first, append=truth.size)
        truth, prediction = truth[first], prediction[first]
    values = np.flatnonzero(np.bincount(truth))
    row = np.zeros(values[-1] + 1, np.intp)
    row[values] = np.arange(values.size) * columns
    counts = np.bincount(row[truth] + prediction, lengths, values.size * columns)
    return values, counts.astype(np.int64).reshape(-1, columns)


def confusion_matrix(label: ClassMap, prediction: ClassMap, classes: int) -> NDArray[np.int64]:
    """The (classes, classes + 1) matrix of one frame.

    Labels outside the classes are ignored; such predictions count in the last column.
    """
    outside = np.uint8(classes)
    truth, predicted = np.minimum(label, outside), np.minimum(prediction, outside)
    values, counts = pair_counts(truth, predicted, classes + 1)
    matrix = np.zeros((classes + 1, classes + 1), np.int64)
    matrix[values] = counts
    return matrix[:classes]


def iou(matrix: NDArray[Any]) -> NDArray[np.float64]:
    """TP / (TP + FP + FN) of each class, float64 (..., C); NaN for a class that never occurs."""
    true_positives, truth, predicted = marginals(matrix)
    return ratio(true_positives, truth + predicted - true_positives)


def mean_iou(matrix: NDArray[Any]) -> float | None:
    """The mean over the classes that occur; None if none does."""
    return _mean(iou(matrix))


def summary(matrix: NDArray[Any], class_names: Sequence[str]) -> dict[str, Any]:
    """The usual measures of one matrix (C, K), as JSON values with None if undefined.

    ``fw_iou`` weights each class by its share of the ground truth; ``accuracy`` is recall.
    """
    true_positives, truth, _ = marginals(matrix)
    class_iou, accuracy = iou(matrix), ratio(true_positives, truth)
    pixel_accuracy = ratio(true_positives.sum(), truth.sum())
    weighted = float(np.nansum(truth * class_iou) / truth.sum()) if truth.any() else None
    return {
        "miou": _mean(class_iou),
        "pixel_accuracy": number(pixel_accuracy),
        "mean_accuracy": _mean(accuracy),
        "fw_iou": weighted,
        "per_class": {
            "iou": dict(zip(class_names, map(number, class_iou), strict=True)),
            "accuracy": dict(zip(class_names, map(number, accuracy), strict=True)),
        },
    }


def plain_summary(counts: Counts, class_names: Sequence[str]) -> dict[str, Any]:
    """The official result of a mean IoU benchmark for summed counts and a number of frames."""
    result = summary(counts[CONFUSION], class_names)
    return {
        "miou": result["miou"],
        "iou": result["per_class"]["iou"],
        "pixel_accuracy": result["pixel_accuracy"],
        "mean_accuracy": result["mean_accuracy"],
        "frames": int(counts["frames"]),
    }


def add_counts(one: Counts, other: Counts) -> Counts:
    """The sum by key; missing keys count as zero."""
    return one | {key: one[key] + value if key in one else value for key, value in other.items()}


def number(value: Any) -> float | None:
    """A JSON number; None for NaN."""
    return None if np.isnan(value) else float(value)


def marginals(matrix: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """True positives, ground truth and prediction of each class, (..., C) each."""
    classes = matrix.shape[-2]
    square = matrix[..., :classes]
    return square.diagonal(axis1=-2, axis2=-1), matrix.sum(-1), square.sum(-2)


def ratio(part: Any, whole: Any) -> NDArray[np.float64]:
    """``part / whole``, element by element; NaN where ``whole`` is zero."""
    part, whole = np.broadcast_arrays(np.asarray(part, float), np.asarray(whole, float))
    return np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole != 0)


def _mean(values: NDArray[np.float64]) -> float | None:
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else None
