"""What an overlay does to each pixel, and whether its legend names what is there."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from segbench.data.draw import legend, overlay
from segbench.types import IGNORED
from segbench_plugins.commands.report.figures import ERROR, mark_errors
from segbench_plugins.datasets.cityscapes.labels import TRAIN_LABELS

PALETTE = ((255, 0, 0), (0, 0, 255))
GREY = np.full((1, 3, 3), 100, np.uint8)
CLASS_MAP = np.array([[0, 1, IGNORED]], np.uint8)


@pytest.mark.parametrize(
    ("opacity", "expected"),
    [
        (0.0, [[100, 100, 100], [100, 100, 100], [100, 100, 100]]),
        (0.5, [[178, 50, 50], [50, 50, 178], [100, 100, 100]]),
        (1.0, [[255, 0, 0], [0, 0, 255], [100, 100, 100]]),
    ],
)
def test_overlay_mixes_image_and_colour(opacity: float, expected: list[list[int]]) -> None:
    drawn = overlay(GREY, CLASS_MAP, PALETTE, opacity)
    assert drawn.dtype == np.uint8
    assert drawn.tolist() == [expected]


@given(
    image=arrays.arrays(np.uint8, (4, 5, 3)),
    class_map=arrays.arrays(np.uint8, (4, 5), elements=st.sampled_from([*range(19), IGNORED])),
    opacity=st.floats(0, 1),
)
def test_overlay_lies_between_image_and_colour(
    image: np.ndarray, class_map: np.ndarray, opacity: float
) -> None:
    palette = tuple(label.color for label in TRAIN_LABELS)
    drawn = overlay(image, class_map, palette, opacity)
    assert (drawn[class_map == IGNORED] == image[class_map == IGNORED]).all()
    known = class_map != IGNORED
    colours = np.array(palette, np.uint8)[class_map[known]]
    assert (drawn[known] >= np.minimum(image[known], colours)).all()
    assert (drawn[known] <= np.maximum(image[known], colours)).all()


def test_errors_are_red_on_a_grey_picture_and_unlabelled_pixels_are_white() -> None:
    image = np.array([[[90, 100, 110], [255, 255, 255], [0, 0, 0], [9, 9, 9]]], np.uint8)
    truth = np.array([[0, 1, 1, IGNORED]], np.uint8)
    predicted = np.array([[0, 1, 0, 0]], np.uint8)
    drawn = mark_errors(image, truth, predicted)
    assert drawn.dtype == np.uint8
    assert drawn.tolist() == [[[146] * 3, [223] * 3, list(ERROR), [255] * 3]]


def test_legend_keeps_the_image_and_adds_a_strip_with_the_classes_present() -> None:
    image = np.zeros((60, 200, 3), np.uint8)
    class_map = np.full((60, 200), IGNORED, np.uint8)
    class_map[:30] = 1
    drawn = legend(image, class_map, ("red thing", "blue thing"), PALETTE)
    assert (drawn[:60] == image).all()
    strip = drawn[60:].reshape(-1, 3)
    assert 10 < drawn.shape[0] - 60 < 40
    assert (strip == PALETTE[1]).all(axis=1).any()
    assert not (strip == PALETTE[0]).all(axis=1).any()


def test_legend_breaks_into_rows_on_a_narrow_picture() -> None:
    names, palette = zip(*((label.name, label.color) for label in TRAIN_LABELS), strict=True)
    class_map = np.tile(np.arange(19, dtype=np.uint8), 20).reshape(1, 380)
    heights = [
        legend(np.zeros((1, width, 3), np.uint8), class_map[:, :width], names, palette).shape[0]
        for width in (380, 190)
    ]
    assert heights[1] > heights[0]


def test_legend_of_ignored_pixels_alone_is_the_image() -> None:
    nothing = np.full((1, 3), IGNORED, np.uint8)
    assert legend(GREY, nothing, ("a", "b"), PALETTE) is GREY
