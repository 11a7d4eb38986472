"""The Cityscapes score for pixel-level semantic labelling, equal to the official tool's.

Source: https://github.com/mcordts/cityscapesScripts, evalPixelLevelSemanticLabeling.py. One
histogram of (instance id, predicted label id) pairs has everything that the score needs: label ids
follow from instance ids, so the labelIds picture is read only if there are no instances.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, cast

import numpy as np
from numpy.typing import NDArray

from segbench.data import png
from segbench.data.layouts import (
    decode_picture,
    label_path,
    png_values,
    read_file,
    refuse_contradiction,
)
from segbench.errors import DataError
from segbench.scoring.confusion import CONFUSION, at_label_scale, pair_counts
from segbench.text import by
from segbench.types import IGNORED, Counts, Frame, ScoreTable

from .labels import (
    LABEL_COLORS,
    LABELS,
    TRAIN_LABELS,
)
from .summary import EVALUATED, IDS_OF, INSTANCE_CATEGORIES, summarise

SERVER_SIZE = (1024, 2048)
AVERAGE_SIZES = {
    "person": 3462.4756337644,
    "rider": 3930.4788056518,
    "car": 12794.0202738185,
    "truck": 27855.1264367816,
    "bus": 35732.1511111111,
    "train": 67583.7075812274,
    "motorcycle": 6298.7200839748,
    "bicycle": 4672.3249222261,
}
"""Pixels of an average instance at 1024x2048, published with the benchmark."""

Encoding = Literal["labelids", "trainids"]

# An instance id is label id * 1000 + number; a value below 1000 is a label id.
_PER_LABEL = 1000
_AVERAGE_SIZE = np.array([AVERAGE_SIZES.get(label.name, 0.0) for label in LABELS])
_IN_CATEGORY = np.array(
    [[label.id in IDS_OF[name] for label in LABELS] for name in INSTANCE_CATEGORIES]
)

_LABEL_IDS_FROM_TRAIN_IDS = np.full(256, 255, np.uint8)
_LABEL_IDS_FROM_TRAIN_IDS[: len(TRAIN_LABELS)] = EVALUATED
_LABEL_IDS_FROM_TRAIN_IDS[IGNORED] = 0


@dataclass(frozen=True)
class Cityscapes:
    """IoU and iIoU of classes and categories.

    Predictions are label ids, or with ``encoding`` "trainids" train ids, with 255 for none.
    """

    encoding: Encoding = "labelids"
    score_name: str = "miou"
    output: Literal["labels", "probability"] = "labels"
    ids: tuple[int, ...] = tuple(label.id for label in TRAIN_LABELS)
    upload: ClassVar[str] = "The server takes a .zip of these files."
    options: ClassVar[Mapping[str, tuple[str, ...]]] = {"encoding": ("labelids", "trainids")}

    def with_options(self, chosen: Mapping[str, str]) -> "Cityscapes":
        """The benchmark for predictions of this ``encoding``."""
        return replace(self, encoding=cast(Encoding, chosen["encoding"]))

    def count(self, frame: Frame, prediction: NDArray[np.uint8], label_scale: int = 1) -> Counts:
        """The frame's matrix of label ids and its weighted sums over instances.

        DataError for a wrong size or value.
        """
        has_instances = frame.instances is not None and frame.instances.is_file()
        path = frame.instances if frame.instances and has_instances else label_path(frame)
        truth, predicted = at_label_scale(_read(path), self._label_ids(prediction), label_scale)
        ids, pairs = _pairs(truth, predicted, path)
        labels = np.where(ids < _PER_LABEL, ids, ids // _PER_LABEL)
        matrix = np.zeros((len(LABELS), len(LABELS)), np.int64)
        np.add.at(matrix, labels, pairs)
        classes = matrix[np.ix_(EVALUATED, EVALUATED)]
        elsewhere = matrix[EVALUATED].sum(1) - classes.sum(1)
        return {
            "label_ids": matrix,
            CONFUSION: np.column_stack((classes, elsewhere)),
            "frames": np.array(1),
            "frames_without_instances": np.array(int(not has_instances)),
            **_instance_sums(ids, labels, pairs, label_scale),
        }

    def summarise(self, counts: Counts) -> dict[str, Any]:
        """The official tool's JSON, with further figures under ``segbench``."""
        return summarise(counts)

    def doubts(self, counts: Counts) -> list[str]:
        """Whether label ids look like train ids."""
        largest = len(TRAIN_LABELS) - 1
        if self.encoding == "trainids" or counts["label_ids"][:, largest + 1 :].any():
            return []
        return [
            f"All predicted values lie in 0-{largest}, the range of train ids; "
            "if they are train ids, score them with -o encoding=trainids."
        ]

    def score(self, summary: Mapping[str, Any]) -> float | None:
        """Mean IoU of the 19 classes."""
        miou: float | None = summary["averageScoreClasses"]
        return miou

    def tables(self, summary: Mapping[str, Any]) -> list[ScoreTable]:
        """iIoU of the classes, IoU and iIoU of the categories."""
        classes = {name: (iiou,) for name, iiou in summary["classInstScores"].items()}
        iou, iiou = summary["categoryScores"], summary["categoryInstScores"]
        categories = {name: (iou[name], iiou[name]) for name in iou if name != "void"}
        mean = (summary["averageScoreCategories"], summary["averageScoreInstCategories"])
        return [
            ScoreTable(
                "class", ("iIoU",), classes | {"mean": (summary["averageScoreInstClasses"],)}
            ),
            ScoreTable("category", ("IoU", "iIoU"), categories | {"mean": mean}),
        ]

    def submission(
        self, frame: Frame, prediction: NDArray[np.uint8]
    ) -> dict[str, NDArray[np.uint8]]:
        """One PNG of label ids at 1024x2048; DataError for another size."""
        if prediction.shape != SERVER_SIZE:
            raise DataError(
                f"The Cityscapes server takes {by(SERVER_SIZE)} (height x width), but the image "
                f"{frame.image} is {by(prediction.shape)}."
            )
        return {f"{frame.id}_pred_labelIds.png": prediction}

    def _label_ids(self, prediction: NDArray[np.uint8]) -> NDArray[np.uint8]:
        trained = self.encoding == "trainids"
        ids = _LABEL_IDS_FROM_TRAIN_IDS[prediction] if trained else prediction
        if ids.max() >= len(LABELS):
            value = prediction[ids >= len(LABELS)].max()
            legal = "train ids are 0 to 18 and 255" if trained else "label ids are 0 to 33"
            hint = "" if trained else " (for train ids pass -o encoding=trainids)"
            raise DataError(f"the prediction has the value {value}, but {legal}{hint}")
        return ids


def _read(path: Path) -> NDArray[Any]:
    """The ids as stored, including palette indices."""
    data = read_file(path)
    if data.startswith(png.SIGNATURE) and data[25:26] != bytes([png.PALETTE]):
        truth = png_values(data, path)
    else:
        picture = decode_picture(data, path)
        refuse_contradiction(picture, path, len(LABELS) - 1, LABEL_COLORS)
        truth = np.asarray(picture)
    if truth.ndim != 2:
        raise DataError(f"{path} has several channels, but ground truth has one.")
    if truth.max() >= len(LABELS) * _PER_LABEL:
        raise DataError(f"{path} has the value {truth.max()}, which is not a label or instance id.")
    return truth


def _pairs(
    truth: NDArray[Any], predicted: NDArray[np.uint8], path: Path
) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """The ids that occur in ``truth`` and, for each, the counts of predicted label ids."""
    ids, pairs = pair_counts(truth, predicted, len(LABELS))
    for value in ids[ids >= len(LABELS)]:
        label = LABELS[value // _PER_LABEL]
        if value < _PER_LABEL or not (label.has_instances or label.ignored):
            raise DataError(f"{path} has the value {value}, which is not a label or instance id.")
    return ids, pairs


def _instance_sums(
    ids: NDArray[np.intp], labels: NDArray[np.intp], pairs: NDArray[np.int64], label_scale: int
) -> Counts:
    """True positives and false negatives in pixels, with instances weighted to average size.

    By label id, (34,), and by category with instances, (2,).
    """
    weighed = (ids >= _PER_LABEL) & (_AVERAGE_SIZE[labels] > 0)
    labels, pairs = labels[weighed], pairs[weighed]
    sizes = pairs.sum(1)
    weights = _AVERAGE_SIZE[labels] / label_scale**2 / sizes
    hits = pairs[np.arange(len(labels)), labels]
    category_hits = _IN_CATEGORY @ pairs.T
    category_weights = _IN_CATEGORY[:, labels] * weights
    return {
        "instance_tp": np.bincount(labels, hits * weights, len(LABELS)),
        "instance_fn": np.bincount(labels, (sizes - hits) * weights, len(LABELS)),
        "category_tp": (category_hits * category_weights).sum(1),
        "category_fn": ((sizes - category_hits) * category_weights).sum(1),
    }
