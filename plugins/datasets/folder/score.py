"""Mean IoU over a folder's classes, without pixels with an ignored label."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from segbench import IGNORED, ClassMap, Counts, DataError, Frame
from segbench.data.layouts import label_path, read_indices
from segbench.scoring.confusion import CONFUSION, at_label_scale, confusion_matrix, plain_summary

from .description import Description


@dataclass(frozen=True)
class FolderScore:
    """Mean IoU of ``description``'s classes; predictions are its label ids."""

    description: Description
    score_name: str = "miou"
    output: Literal["labels", "probability"] = "labels"

    @property
    def ids(self) -> tuple[int, ...]:
        """The label ids."""
        return self.description.ids

    def read_label(self, frame: Frame) -> ClassMap:
        """The class map; DataError for a value that is neither a class nor ignored."""
        path = label_path(frame)
        values = read_indices(path, IGNORED)
        known = np.isin(values, (*self.description.ids, *self.description.ignored))
        if not known.all():
            raise DataError(
                f"{path} has the value {values[~known][0]}, which classes.json lists neither in "
                "ids nor in ignored."
            )
        return self._classes()[values]

    def count(self, frame: Frame, prediction: NDArray[np.uint8], label_scale: int = 1) -> Counts:
        """The frame's confusion matrix; DataError for a prediction of another size."""
        label, prediction = at_label_scale(self.read_label(frame), prediction, label_scale)
        predicted = self._classes()[prediction]
        matrix = confusion_matrix(label, predicted, len(self.description.classes))
        return {CONFUSION: matrix, "frames": np.array(1)}

    def summarise(self, counts: Counts) -> dict[str, Any]:
        """Mean and per-class IoU, pixel and mean accuracy, and the number of frames."""
        return plain_summary(counts, self.description.classes)

    def score(self, summary: Mapping[str, Any]) -> float | None:
        """Mean IoU."""
        miou: float | None = summary["miou"]
        return miou

    def _classes(self) -> ClassMap:
        """The class of each label value, else IGNORED."""
        classes = np.full(256, IGNORED, np.uint8)
        classes[list(self.description.ids)] = range(len(self.description.ids))
        return classes
