"""Drawings of one frame of ``streets`` look as they did when somebody looked at them.

``python -m tests.unit.test_golden_pictures`` writes them anew; look at them before a commit.
"""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from segbench.data.draw import DRAWINGS, drawing
from segbench.types import Image
from segbench_plugins.datasets.cityscapes.labels import train_ids_from_label_ids
from segbench_plugins.datasets.streets import plugin as streets
from segbench_plugins.datasets.streets.scene import draw_scene

GOLDEN = Path(__file__).parents[1] / "golden"
NUMBER = 2


def drawn(kind: str) -> Image:
    """The frame and its ground truth."""
    (dataset,) = streets.segbench_datasets()
    scene = draw_scene(0, NUMBER, streets.SIZE)
    return drawing(kind, scene.image, train_ids_from_label_ids[scene.label_ids], dataset)


@pytest.mark.parametrize("kind", DRAWINGS)
def test_the_drawing_is_the_golden_one(kind: str) -> None:
    golden = np.array(PIL.Image.open(GOLDEN / f"{kind}.png"))
    new = drawn(kind)
    assert new.shape == golden.shape
    difference = np.abs(new.astype(int) - golden)
    height = streets.SIZE[0]
    assert difference[:height].max() <= 2
    assert difference.mean() <= 1, "letters may be drawn a little differently"


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for kind in DRAWINGS:
        PIL.Image.fromarray(drawn(kind)).save(GOLDEN / f"{kind}.png", optimize=True)
