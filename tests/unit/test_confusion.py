import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from segbench.errors import DataError
from segbench.scoring.bootstrap import bootstrap_miou
from segbench.scoring.confusion import (
    add_counts,
    at_label_scale,
    confusion_matrix,
    iou,
    mean_iou,
    summary,
)

CLASSES = 4
NAMES = ("road", "car", "tree", "sky")


def maps(values: st.SearchStrategy[int]) -> st.SearchStrategy[np.ndarray]:
    return arrays(np.uint8, (5, 7), elements=values)


def test_matrix_by_hand() -> None:
    label = np.array([[0, 0, 1], [1, 2, 255]], np.uint8)
    prediction = np.array([[0, 1, 1], [1, 9, 0]], np.uint8)
    matrix = confusion_matrix(label, prediction, 3)
    assert matrix.tolist() == [[1, 1, 0, 0], [0, 2, 0, 0], [0, 0, 0, 1]]
    assert matrix.dtype == np.int64


def test_figures_by_hand() -> None:
    matrix = np.array([[6, 2, 0, 0], [0, 1, 0, 1], [0, 0, 0, 0], [0, 0, 0, 0]])
    matrix = np.column_stack((matrix, [0, 0, 0, 0]))
    figures = summary(matrix, NAMES)
    assert figures["per_class"]["iou"] == {"road": 0.75, "car": 0.25, "tree": None, "sky": 0.0}
    assert figures["per_class"]["accuracy"] == {"road": 0.75, "car": 0.5, "tree": None, "sky": None}
    assert figures["miou"] == pytest.approx((0.75 + 0.25 + 0.0) / 3)
    assert figures["pixel_accuracy"] == 0.7
    assert figures["mean_accuracy"] == 0.625
    assert figures["fw_iou"] == pytest.approx(0.8 * 0.75 + 0.2 * 0.25)


def test_a_prediction_of_no_class_is_a_miss_and_nobodys_false_positive() -> None:
    assert iou(np.array([[3, 0, 1], [0, 2, 0]])).tolist() == [0.75, 1.0]


def test_nothing_labelled_is_undefined() -> None:
    figures = summary(np.zeros((4, 5), np.int64), NAMES)
    assert figures["miou"] is figures["pixel_accuracy"] is figures["fw_iou"] is None
    assert mean_iou(np.zeros((4, 4), np.int64)) is None
    assert bootstrap_miou(np.zeros((3, 4, 5), np.int64)) is None
    assert bootstrap_miou(np.zeros((0, 4, 5), np.int64)) is None


def test_a_single_frame_has_no_interval() -> None:
    frame = np.eye(2, dtype=np.int64)
    assert bootstrap_miou(frame[None]) is None
    assert bootstrap_miou(np.stack([frame, frame])) == (1.0, 1.0)


def test_sums_keep_every_count() -> None:
    matrix = np.array([[2**53, 1], [0, 1]], np.int64)
    assert add_counts({"m": matrix}, {"m": matrix})["m"].tolist() == [[2**54, 2], [0, 2]]


def test_counts_with_other_keys_are_kept() -> None:
    one, other = {"um": np.array(1), "both": np.array(2)}, {"uu": np.array(3), "both": np.array(4)}
    assert add_counts(one, other) == {"um": 1, "both": 6, "uu": 3}
    assert add_counts({}, one) == one


@settings(deadline=None)
@given(maps(st.integers(0, 255)), maps(st.integers(0, 255)))
def test_values_out_of_range_never_spill(label: np.ndarray, prediction: np.ndarray) -> None:
    matrix = confusion_matrix(label, prediction, CLASSES)
    for truth in range(CLASSES):
        predicted = prediction[label == truth]
        expected = [int((predicted == value).sum()) for value in range(CLASSES)]
        assert matrix[truth].tolist() == [*expected, int((predicted >= CLASSES).sum())]


@settings(deadline=None)
@given(maps(st.integers(0, 255)), maps(st.integers(0, 255)))
def test_runs_of_pixels_count_as_pixels(label: np.ndarray, prediction: np.ndarray) -> None:
    block = np.ones((12, 12), np.uint8)
    large = confusion_matrix(np.kron(label, block), np.kron(prediction, block), CLASSES)
    assert np.array_equal(large, 144 * confusion_matrix(label, prediction, CLASSES))


@settings(deadline=None)
@given(maps(st.integers(0, CLASSES - 1)))
def test_a_perfect_prediction_scores_one(label: np.ndarray) -> None:
    figures = summary(confusion_matrix(label, label, CLASSES), NAMES)
    assert figures["miou"] == figures["fw_iou"] == figures["mean_accuracy"] == 1.0


@settings(deadline=None)
@given(maps(st.integers(0, 5)), maps(st.integers(0, 5)), st.integers(1, 4))
def test_parts_of_a_frame_add_up(label: np.ndarray, prediction: np.ndarray, row: int) -> None:
    whole = confusion_matrix(label, prediction, CLASSES)
    upper = confusion_matrix(label[:row], prediction[:row], CLASSES)
    lower = confusion_matrix(label[row:], prediction[row:], CLASSES)
    assert np.array_equal(whole, upper + lower)


@settings(deadline=None)
@given(arrays(np.int64, (6, 3, 4), elements=st.integers(0, 99)), st.permutations(range(6)))
def test_the_order_of_frames_changes_nothing(matrices: np.ndarray, order: list[int]) -> None:
    assert mean_iou(matrices.sum(0)) == mean_iou(matrices[order].sum(0))


def test_label_scale_takes_every_nth_pixel() -> None:
    truth = np.arange(35).reshape(5, 7)
    prediction = truth.astype(np.uint8)
    sampled, taken = at_label_scale(truth, prediction, 2)
    assert sampled.tolist() == taken.tolist() == truth[::2, ::2].tolist()
    assert at_label_scale(truth, prediction[::2, ::2], 2)[1].tolist() == taken.tolist()
    with pytest.raises(DataError, match=r"is 3x4 .*5x7"):
        at_label_scale(truth, prediction[::2, ::2], 3)


def test_bootstrap_equals_resampling_frame_by_frame() -> None:
    rng = np.random.default_rng(3)
    matrices = rng.integers(0, 50, (8, 3, 4))
    low, high = bootstrap_miou(matrices, seed=7, samples=200)
    draws = np.random.default_rng(7).multinomial(8, np.full(8, 1 / 8), 200)
    scores = [mean_iou(np.repeat(matrices, draw, axis=0).sum(0)) for draw in draws]
    assert (low, high) == pytest.approx(tuple(np.quantile(scores, (0.025, 0.975))), abs=1e-12)


def test_bootstrap_is_seeded_and_holds_the_score() -> None:
    matrices = np.random.default_rng(0).integers(0, 50, (40, 5, 6))
    low, high = bootstrap_miou(matrices)
    assert (low, high) == bootstrap_miou(matrices) != bootstrap_miou(matrices, seed=1)
    assert low < mean_iou(matrices.sum(0)) < high


def test_bootstrap_with_classes_that_some_samples_lack() -> None:
    matrices = np.zeros((3, 2, 2), np.int64)
    matrices[0, 0, 0], matrices[1, 1, 1] = 5, 5
    assert bootstrap_miou(matrices) == (1.0, 1.0)


def test_perfect_is_exactly_one_whatever_the_frequencies() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        matrix = np.diag(rng.integers(1, 10**9, 19))
        assert summary(matrix, [str(n) for n in range(19)])["fw_iou"] == 1.0
