"""The Cityscapes label table, as published by its authors.

The loader, the scene generator and the official score all read it. Source:
https://github.com/mcordts/cityscapesScripts, helpers/labels.py.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segbench.types import IGNORED, Color


@dataclass(frozen=True)
class Label:
    """One row: ``id`` is the value in label PNGs, ``train_id`` the class index or IGNORED."""

    id: int
    train_id: int
    name: str
    category: str
    has_instances: bool
    color: Color

    @property
    def ignored(self) -> bool:
        """Whether ground truth with this label is never scored."""
        return self.train_id == IGNORED


LABELS = (
    Label(0, IGNORED, "unlabeled", "void", False, (0, 0, 0)),
    Label(1, IGNORED, "ego vehicle", "void", False, (0, 0, 0)),
    Label(2, IGNORED, "rectification border", "void", False, (0, 0, 0)),
    Label(3, IGNORED, "out of roi", "void", False, (0, 0, 0)),
    Label(4, IGNORED, "static", "void", False, (0, 0, 0)),
    Label(5, IGNORED, "dynamic", "void", False, (111, 74, 0)),
    Label(6, IGNORED, "ground", "void", False, (81, 0, 81)),
    Label(7, 0, "road", "flat", False, (128, 64, 128)),
    Label(8, 1, "sidewalk", "flat", False, (244, 35, 232)),
    Label(9, IGNORED, "parking", "flat", False, (250, 170, 160)),
    Label(10, IGNORED, "rail track", "flat", False, (230, 150, 140)),
    Label(11, 2, "building", "construction", False, (70, 70, 70)),
    Label(12, 3, "wall", "construction", False, (102, 102, 156)),
    Label(13, 4, "fence", "construction", False, (190, 153, 153)),
    Label(14, IGNORED, "guard rail", "construction", False, (180, 165, 180)),
    Label(15, IGNORED, "bridge", "construction", False, (150, 100, 100)),
    Label(16, IGNORED, "tunnel", "construction", False, (150, 120, 90)),
    Label(17, 5, "pole", "object", False, (153, 153, 153)),
    Label(18, IGNORED, "polegroup", "object", False, (153, 153, 153)),
    Label(19, 6, "traffic light", "object", False, (250, 170, 30)),
    Label(20, 7, "traffic sign", "object", False, (220, 220, 0)),
    Label(21, 8, "vegetation", "nature", False, (107, 142, 35)),
    Label(22, 9, "terrain", "nature", False, (152, 251, 152)),
    Label(23, 10, "sky", "sky", False, (70, 130, 180)),
    Label(24, 11, "person", "human", True, (220, 20, 60)),
    Label(25, 12, "rider", "human", True, (255, 0, 0)),
    Label(26, 13, "car", "vehicle", True, (0, 0, 142)),
    Label(27, 14, "truck", "vehicle", True, (0, 0, 70)),
    Label(28, 15, "bus", "vehicle", True, (0, 60, 100)),
    Label(29, IGNORED, "caravan", "vehicle", True, (0, 0, 90)),
    Label(30, IGNORED, "trailer", "vehicle", True, (0, 0, 110)),
    Label(31, 16, "train", "vehicle", True, (0, 80, 100)),
    Label(32, 17, "motorcycle", "vehicle", True, (0, 0, 230)),
    Label(33, 18, "bicycle", "vehicle", True, (119, 11, 32)),
)
"""Label ids 0-33, each at the index of its id; the licence plate (-1) is in no label PNG."""

LABEL_COLORS = tuple(label.color for label in LABELS)
"""The colour of each label id."""

TRAIN_LABELS = tuple(label for label in LABELS if not label.ignored)
"""The 19 evaluated classes, in train-id order."""

train_ids_from_label_ids: NDArray[np.uint8] = np.full(256, IGNORED, np.uint8)
"""A look-up table (256,) from label id to train id or IGNORED."""
for _label in TRAIN_LABELS:
    train_ids_from_label_ids[_label.id] = _label.train_id
