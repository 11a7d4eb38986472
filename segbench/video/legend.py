"""The names of classes in a video, along the lower edge of its frames."""

import numpy as np

from segbench.data.draw import legend
from segbench.types import ClassMap, Dataset, Image

LARGEST_SHARE = 1 / 4
"""Of a frame's height; a frame that is too small for the names has none."""


class Legend:
    """Names the classes seen so far, so that it changes only where a class appears."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self._seen: set[int] = set()
        self._strips: dict[int, Image] = {}

    def over(self, image: Image, class_map: ClassMap) -> Image:
        """A copy of the image (H, W, 3) with the names; ``class_map`` (H, W) is what it shows."""
        present = set(np.flatnonzero(np.bincount(class_map.ravel())).tolist())
        if not present <= self._seen:
            self._seen |= present
            self._strips.clear()
        height, width = image.shape[:2]
        if width not in self._strips:
            self._strips[width] = self._strip(width)
        strip = self._strips[width]
        drawn = image.copy()
        if len(strip) <= LARGEST_SHARE * height:
            drawn[height - len(strip) :] = strip
        return drawn

    def _strip(self, width: int) -> Image:
        seen = np.array([sorted(self._seen)], np.uint8)
        nothing = np.zeros((0, width, 3), np.uint8)
        return legend(nothing, seen, self.dataset.classes, self.dataset.palette)
