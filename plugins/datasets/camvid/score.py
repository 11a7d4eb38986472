"""The CamVid score: 11 classes, void ground truth ignored, over the whole split."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from segbench.data.layouts import label_path, read_indices
from segbench.errors import DataError
from segbench.scoring.confusion import CONFUSION, at_label_scale, confusion_matrix, plain_summary
from segbench.types import Counts, Frame

CLASSES = (
    "Sky",
    "Building",
    "Pole",
    "Road",
    "Pavement",
    "Tree",
    "SignSymbol",
    "Fence",
    "Car",
    "Pedestrian",
    "Bicyclist",
)
COLORS = (
    (128, 128, 128),
    (128, 0, 0),
    (192, 192, 128),
    (128, 64, 128),
    (60, 40, 222),
    (128, 128, 0),
    (192, 128, 128),
    (64, 64, 128),
    (64, 0, 128),
    (64, 64, 0),
    (0, 128, 192),
)
VOID = len(CLASSES)
LABEL_COLORS = (*COLORS, (0, 0, 0))
"""Colours of the label values: the classes, then void."""


@dataclass(frozen=True)
class CamVid:
    """Mean IoU over the 11 classes; predicting void on a labelled pixel is a false negative."""

    score_name: str = "miou"
    output: Literal["labels", "probability"] = "labels"
    ids: tuple[int, ...] = tuple(range(len(CLASSES)))

    def count(self, frame: Frame, prediction: NDArray[np.uint8], label_scale: int = 1) -> Counts:
        """The frame's confusion matrix; DataError for a wrong size or a value above 11."""
        label = read_indices(label_path(frame), VOID, LABEL_COLORS)
        label, prediction = at_label_scale(label, prediction, label_scale)
        if (largest := prediction.max()) > VOID:
            raise DataError(f"the prediction has the value {largest}, but CamVid's are 0 to {VOID}")
        matrix = confusion_matrix(label, prediction, len(CLASSES))
        return {CONFUSION: matrix, "frames": np.array(1)}

    def summarise(self, counts: Counts) -> dict[str, Any]:
        """Mean and per-class IoU, pixel and mean accuracy, and the number of frames."""
        return plain_summary(counts, CLASSES)

    def score(self, summary: Mapping[str, Any]) -> float | None:
        """Mean IoU."""
        miou: float | None = summary["miou"]
        return miou
