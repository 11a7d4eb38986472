"""mIoU of single frames worked by hand, and which frames are best and worst."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from segbench_plugins.commands.report.frames import best_and_worst, frame_miou


def test_miou_of_a_frame_is_over_the_classes_in_its_ground_truth() -> None:
    perfect = [[4, 0, 0], [0, 4, 0]]
    one_class = [[3, 1, 0], [0, 0, 0]]
    missed = [[3, 0, 1], [0, 4, 0]]
    empty = [[0, 0, 0], [0, 0, 0]]
    scores = frame_miou(np.array([perfect, one_class, missed, empty]))
    assert scores[:3].tolist() == [1.0, 0.75, 0.875]
    assert np.isnan(scores[3])


def test_best_and_worst_frames_in_their_order() -> None:
    scores = np.array([0.5, np.nan, 0.9, 0.1, 0.7, 0.3])
    assert best_and_worst(scores, 2) == ([2, 4], [3, 5])
    assert best_and_worst(scores, 9) == ([2, 4], [3, 5, 0])
    assert best_and_worst(scores[:1], 3) == ([], [0])
    assert best_and_worst(scores[1:2], 3) == ([], [])


@given(st.lists(st.floats(0, 1)), st.integers(1, 5))
def test_no_frame_is_in_both_and_none_between_is_worse_or_better(
    values: list[float], count: int
) -> None:
    scores = np.array(values)
    best, worst = best_and_worst(scores, count)
    assert not set(best) & set(worst)
    between = [value for index, value in enumerate(values) if index not in {*best, *worst}]
    if between:
        assert len(worst) == len(best) == count
        assert max(scores[worst]) <= min(between)
        assert min(scores[best]) >= max(between)
