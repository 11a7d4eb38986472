"""KITTI Road's measure: by hand, at every threshold's edge, and against a slow re-statement."""

import itertools
import struct
from collections import Counter
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image

from segbench.errors import DataError
from segbench.scoring.confusion import iou
from segbench.scoring.predictions import to_uint8_probability
from segbench.types import Benchmark, Counts, Frame
from segbench_plugins.datasets.kitti.score import (
    KittiRoad,
    errors_by_threshold,
    read_ground_truth,
)

PERSPECTIVE = KittiRoad(spaces=("perspective",))
RATIOS = ("PRE", "REC", "FPR", "FNR")
Array = NDArray[Any]
Pixels = Counter[tuple[bool, int]]


def make_frame(folder: Path, name: str, road: Any, valid: Any = True) -> Frame:
    road = np.atleast_2d(road).astype(bool)
    colours = np.zeros((*road.shape, 3), np.uint8)
    colours[..., 0] = 255 * np.broadcast_to(valid, road.shape)
    colours[..., 2] = 255 * road
    path = folder / f"{name}.png"
    Image.fromarray(colours).save(path)
    return Frame(id=name, image=path, label=path)


def levels(*values: int) -> NDArray[np.uint8]:
    return np.array([values], np.uint8)


def add(counts: list[Counts]) -> Counts:
    return reduce(lambda a, b: {key: a.get(key, 0) + b.get(key, 0) for key in a | b}, counts)


# --- by hand ---------------------------------------------------------------------------------


def test_a_score_seen_from_above_has_a_name_of_its_own() -> None:
    names = {
        space: KittiRoad().with_options({"space": space}).score_name
        for space in KittiRoad.options["space"]
    }
    assert names["both"] == names["perspective"] != names["bev"]


def test_a_frame_worked_by_hand(tmp_path: Path) -> None:
    """Two road pixels, one other, one invalid.

    Up to 100/255 three pixels are taken for road, two rightly: F = 2 * 2/3 * 1 / (5/3) = 0.8.
    From there to 200/255 one is, rightly: F = 2/3. Precision 1 reaches recall 0.5, so it counts
    for six of the eleven recalls and 2/3 for five.
    """
    frame = make_frame(tmp_path, "um_road_000000", [1, 1, 0, 1], [1, 1, 1, 0])
    summary = PERSPECTIVE.summarise(PERSPECTIVE.count(frame, levels(200, 100, 100, 255)))
    expected = {
        "MaxF": pytest.approx(0.8, abs=1e-9),
        "MaxF_low": None,
        "MaxF_high": None,
        "AvgPrec": pytest.approx((6 * 1 + 5 * 2 / 3) / 11, abs=1e-9),
        "PRE": pytest.approx(2 / 3, abs=1e-6),
        "REC": 1.0,
        "FPR": 1.0,
        "FNR": 0.0,
        "IoU": 0.5,
        "frames": 1,
    }
    assert summary == {"perspective": {"um": expected, "urban": expected}}
    assert PERSPECTIVE.score(summary) == summary["perspective"]["urban"]["MaxF"]


def test_pixels_are_summed_over_a_category_before_any_ratio(tmp_path: Path) -> None:
    """One frame alone has F 1 and the other 2/3; together TP 4, FP 1: F = 8/9, not the mean."""
    good = make_frame(tmp_path, "uu_road_000000", [1, 1, 1, 0])
    poor = make_frame(tmp_path, "uu_road_000001", [1, 0, 0, 0])
    counts = add(
        [
            PERSPECTIVE.count(good, levels(255, 255, 255, 0)),
            PERSPECTIVE.count(poor, levels(255, 255, 0, 0)),
        ]
    )
    uu = PERSPECTIVE.summarise(counts)["perspective"]["uu"]
    assert uu["MaxF"] == pytest.approx(8 / 9, abs=1e-9)
    assert uu["IoU"] == 4 / 5
    assert uu["FPR"] == pytest.approx(1 / 4, abs=1e-6)
    assert uu["frames"] == 2


def test_urban_is_all_frames_and_absent_categories_are_left_out(tmp_path: Path) -> None:
    counts = [
        PERSPECTIVE.count(make_frame(tmp_path, name, [1, 0]), levels(9, 0))
        for name in ("um_000001", "uu_road_000002", "uu_000003")
    ]
    summary = PERSPECTIVE.summarise(add(counts))["perspective"]
    assert {name: row["frames"] for name, row in summary.items()} == {"um": 1, "uu": 2, "urban": 3}


def test_without_frames_there_is_no_score() -> None:
    summary = KittiRoad().summarise({})
    assert summary == {"perspective": {}, "bev": {}}
    assert KittiRoad().score(summary) is None


def test_without_road_the_figures_are_null_and_without_anything_else_fpr_is(
    tmp_path: Path,
) -> None:
    counts = PERSPECTIVE.count(make_frame(tmp_path, "um_0", [0, 0]), levels(1, 2))
    bare = PERSPECTIVE.summarise(counts)["perspective"]["um"]
    assert bare.pop("frames") == 1
    assert set(bare.values()) == {None}
    counts = PERSPECTIVE.count(make_frame(tmp_path, "um_1", [1, 1]), levels(1, 2))
    assert PERSPECTIVE.summarise(counts)["perspective"]["um"]["FPR"] is None


def test_it_is_a_benchmark() -> None:
    benchmark: Benchmark = KittiRoad()
    assert (benchmark.score_name, benchmark.output) == ("MaxF", "probability")


# --- the interval of MaxF ----------------------------------------------------------------------


def test_the_interval_is_that_of_the_resampled_frames_one_by_one(counted: list[Counts]) -> None:
    """The same draws of frames as for mean IoU, each scored as if it were the split."""
    by_id = {key: one[key] for one in counted for key in one if "/" in key}
    histograms = [by_id[key] for key in sorted(by_id)]
    draws = np.random.default_rng(0).multinomial(9, np.full(9, 1 / 9), 1000)
    scores = []
    for draw in draws:
        summed = sum(times * one for times, one in zip(draw, histograms, strict=True))
        summary = PERSPECTIVE.summarise({"perspective/um_0": summed})
        scores.append(summary["perspective"]["um"]["MaxF"])
    urban = PERSPECTIVE.summarise(add(counted))["perspective"]["urban"]
    expected = np.quantile(scores, (0.025, 0.975))
    assert (urban["MaxF_low"], urban["MaxF_high"]) == pytest.approx(tuple(expected), abs=1e-12)
    assert urban["MaxF_low"] < urban["MaxF"] < urban["MaxF_high"]


def test_frames_that_are_all_alike_leave_no_doubt(tmp_path: Path) -> None:
    frames = [make_frame(tmp_path, f"um_{number}", [1, 1, 0]) for number in range(3)]
    counts = add([PERSPECTIVE.count(frame, levels(9, 0, 0)) for frame in frames])
    um = PERSPECTIVE.summarise(counts)["perspective"]["um"]
    assert um["MaxF_low"] == um["MaxF_high"] == um["MaxF"]


def test_the_intervals_have_a_table_of_their_own(counted: list[Counts]) -> None:
    summary = PERSPECTIVE.summarise(add(counted))
    urban = summary["perspective"]["urban"]
    measures, intervals = PERSPECTIVE.tables(summary)
    assert measures.rows["urban"][:2] == (urban["MaxF"], urban["AvgPrec"])
    assert intervals.rows == {"perspective": (urban["MaxF_low"], urban["MaxF_high"])}


def test_records_from_before_there_were_intervals_have_their_table() -> None:
    (table,) = PERSPECTIVE.tables({"perspective": {"um": {"MaxF": 0.5}, "urban": {"MaxF": 0.5}}})
    assert (table.columns, table.rows["um"]) == (("MaxF",), (0.5,))


# --- threshold edges -------------------------------------------------------------------------


def float32(value: float) -> float:
    return float(struct.unpack("f", struct.pack("f", value))[0])


def test_a_float32_probability_is_below_exactly_the_thresholds_above_its_level() -> None:
    """What lets integers stand for the devkit's float32 against float64 comparison."""
    for level, threshold in itertools.product(range(256), repeat=2):
        below = float(np.float32(level) / np.float32(255)) < threshold / 255
        assert below == (level < threshold)


def test_a_pixel_is_road_up_to_its_own_threshold() -> None:
    for level in range(256):
        histogram = np.zeros((2, 256), np.int64)
        histogram[:, level] = (7, 5)
        misses, false_alarms = errors_by_threshold(histogram)
        assert misses.tolist() == [0] * (level + 1) + [5] * (255 - level)
        assert false_alarms.tolist() == [7] * (level + 1) + [0] * (255 - level)


@pytest.mark.parametrize(
    ("road", "other", "max_f"),
    [(1, 0, 1), (128, 127, 1), (255, 254, 1), (7, 7, 2 / 3), (0, 1, 2 / 3)],
)
def test_one_level_of_difference_separates(
    tmp_path: Path, road: int, other: int, max_f: float
) -> None:
    frame = make_frame(tmp_path, "um_0", [1, 0])
    summary = PERSPECTIVE.summarise(PERSPECTIVE.count(frame, levels(road, other)))
    assert summary["perspective"]["um"]["MaxF"] == pytest.approx(max_f, abs=1e-9)


@pytest.mark.parametrize(("level", "expected"), [(127, 0.0), (128, 1.0)])
def test_iou_takes_road_from_128_on(tmp_path: Path, level: int, expected: float) -> None:
    counts = PERSPECTIVE.count(make_frame(tmp_path, "um_0", [1, 0]), levels(level, 0))
    assert PERSPECTIVE.summarise(counts)["perspective"]["um"]["IoU"] == expected


def test_the_confusion_matrix_takes_road_from_128_on(tmp_path: Path) -> None:
    frame = make_frame(tmp_path, "um_0", [1, 1, 1, 0, 0, 1], [1, 1, 1, 1, 1, 0])
    counts = PERSPECTIVE.count(frame, levels(128, 255, 127, 127, 200, 255))
    assert counts["confusion"].tolist() == [[1, 1, 0], [1, 2, 0]]
    road = PERSPECTIVE.summarise(counts)["perspective"]["urban"]
    assert road["IoU"] == iou(counts["confusion"])[1]


# --- an independent, slow re-statement of the definition ---------------------------------------


def slow_measures(pixels: Pixels) -> dict[str, float]:
    """Loops over thresholds in float64, from how many pixels are (road?, level)."""
    points = []
    for threshold in (k / 255 for k in range(256)):
        tp = fp = fn = tn = 0
        for (is_road, level), number in pixels.items():
            taken = float32(level / 255) >= threshold
            tp += number * (is_road and taken)
            fn += number * (is_road and not taken)
            fp += number * (not is_road and taken)
            tn += number * (not is_road and not taken)
        precision, recall = tp / (tp + fp + 1e-10), tp / (tp + fn)
        f1 = 2 * precision * recall / (precision + recall + 1e-10)
        points.append((f1, precision, recall, tp, fp, fn, tn))
    best = max(points, key=lambda point: point[0])
    f1, _, recall, tp, fp, fn, tn = best
    tp_128, fp_128, fn_128 = points[128][3:6]
    average = 0.0
    for step in range(11):
        average += max(point[1] for point in points if point[2] >= step * 0.1) / 11
    return {
        "MaxF": f1,
        "AvgPrec": average,
        "PRE": tp / (tp + fp),
        "REC": recall,
        "FPR": fp / (fp + tn),
        "FNR": fn / (tp + fn),
        "IoU": tp_128 / (tp_128 + fp_128 + fn_128),
    }


def slow_pixels(colours: Array, prediction: Array) -> Pixels:
    rows = zip(colours.reshape(-1, 3).tolist(), prediction.ravel().tolist(), strict=True)
    return Counter((blue > 0, level) for (red, _, blue), level in rows if red > 0)


def slow_birds_eye(colours: Array, prediction: Array, calibration: Path) -> Pixels:
    """Projects cell after cell; the matrices are multiplied out point by point."""
    lines = (line.split(":") for line in calibration.read_text().splitlines() if line.strip())
    entries = {name: [float(word) for word in words.split()] for name, words in lines}
    camera = np.vstack([np.reshape(entries["Tr_cam_to_road"], (3, 4)), [0, 0, 0, 1]])
    to_camera = np.linalg.inv(camera).tolist()
    rectify, project = np.reshape(entries["R0_rect"], (3, 3)), np.reshape(entries["P2"], (3, 4))
    to_image = np.hstack([project[:, :3] @ rectify, project[:, 3:]]).tolist()
    height, width = prediction.shape
    truth, probability = colours.tolist(), prediction.tolist()
    pixels: Pixels = Counter()
    for i in range(800):
        z = float32(46 - 0.05 * i - 0.025)
        for j in range(400):
            x = float32(-10 + 0.05 * j + 0.025)
            a, b, c = (row[0] * x + row[2] * z + row[3] for row in to_camera[:3])
            u, v, w = (row[0] * a + row[1] * b + row[2] * c + row[3] for row in to_image)
            if 1 <= u / w <= width and 1 <= v / w <= height:
                column, row_ = int(u / w) - 1, int(v / w) - 1
                red, _, blue = truth[row_][column]
                if red > 0:
                    pixels[blue > 0, probability[row_][column]] += 1
    return pixels


def assert_same(fast: dict[str, Any], slow: dict[str, float]) -> None:
    for name, value in slow.items():
        assert fast[name] == pytest.approx(value, abs=1e-6 if name in RATIOS else 1e-12), name


@settings(max_examples=40, deadline=None)
@given(
    colours=arrays(np.bool_, (2, 5, 6)),
    prediction=arrays(np.uint8, (5, 6)),
)
def test_small_frames_score_as_the_slow_re_statement(
    tmp_path_factory: pytest.TempPathFactory, colours: Array, prediction: Array
) -> None:
    road, valid = colours
    road[0, :2] = (True, False)
    valid[0, :2] = True
    frame = make_frame(tmp_path_factory.getbasetemp(), "um_road_000000", road, valid)
    summary = PERSPECTIVE.summarise(PERSPECTIVE.count(frame, prediction))
    pixels = slow_pixels(np.dstack([valid, road, road]), prediction)
    assert_same(summary["perspective"]["um"], slow_measures(pixels))


OFFICIAL = {
    "kitti_road": ("um_000000", "umm_000000", "uu_000000"),
    "kitti_road_b": ("um_000001", "uu_000093"),
}


@pytest.fixture(scope="module")
def real_frames(data_root: Path) -> list[Frame]:
    """The frames with the official ground truth; two of them have ignored pixels."""
    frames = []
    for folder, names in OFFICIAL.items():
        training = data_root / folder / "training"
        if not training.is_dir():
            pytest.skip(f"needs real data: {folder}/ under SEGBENCH_DATA")
        for name in names:
            full_name = name.replace("_", "_road_")
            frames.append(
                Frame(
                    id=full_name,
                    image=training / "image_2" / f"{name}.png",
                    label=training / "gt_image_2" / f"{full_name}.png",
                    calibration=training / "calib" / f"{name}.txt",
                )
            )
    return frames


def noisy_prediction(frame: Frame) -> NDArray[np.uint8]:
    assert frame.label is not None
    road, _ = read_ground_truth(frame.label)
    noise = np.random.default_rng(int(frame.id[-6:])).normal(0, 60, road.shape)
    return np.clip(90 + 80 * road + noise, 0, 255).astype(np.uint8)


def test_real_frames_score_as_the_slow_re_statement(real_frames: list[Frame]) -> None:
    benchmark = KittiRoad()
    counts: list[Counts] = []
    slow: dict[str, dict[str, Pixels]] = {"perspective": {}, "bev": {}}
    for frame in real_frames:
        assert frame.label is not None
        assert frame.calibration is not None
        prediction = noisy_prediction(frame)
        counts.append(benchmark.count(frame, prediction))
        colours = np.array(Image.open(frame.label))
        pixels = {
            "perspective": slow_pixels(colours, prediction),
            "bev": slow_birds_eye(colours, prediction, frame.calibration),
        }
        for space, category in itertools.product(pixels, (frame.id.split("_")[0], "urban")):
            slow[space].setdefault(category, Counter()).update(pixels[space])
    summary = benchmark.summarise(add(counts))
    assert benchmark.score(summary) == summary["perspective"]["urban"]["MaxF"]
    for space, categories in slow.items():
        assert set(summary[space]) == {"um", "umm", "uu", "urban"} == set(categories)
        for category, pixels_of_category in categories.items():
            assert_same(summary[space][category], slow_measures(pixels_of_category))


def test_a_perfect_prediction_scores_one_in_both_spaces(real_frames: list[Frame]) -> None:
    counts = []
    for frame in real_frames:
        assert frame.label is not None
        road, _ = read_ground_truth(frame.label)
        counts.append(KittiRoad().count(frame, 255 * road.astype(np.uint8)))
    for space in KittiRoad().summarise(add(counts)).values():
        for row in space.values():
            assert row["MaxF"] == pytest.approx(1, abs=1e-9)
            assert row["AvgPrec"] == pytest.approx(1, abs=1e-9)
            assert (row["IoU"], row["FPR"], row["FNR"]) == (1, 0, 0)


# --- order and grouping ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> list[Counts]:
    folder, random = tmp_path_factory.mktemp("frames"), np.random.default_rng(0)
    counts = []
    for number, category in enumerate(["um", "umm", "uu"] * 3):
        road, valid = random.random((2, 8, 9)) < [[[0.4]], [[0.9]]]
        frame = make_frame(folder, f"{category}_road_{number:06d}", road, valid)
        counts.append(PERSPECTIVE.count(frame, random.integers(0, 256, (8, 9), np.uint8)))
    return counts


@settings(max_examples=40, deadline=None)
@given(order=st.permutations(range(9)), cut=st.integers(1, 8))
def test_neither_order_nor_grouping_changes_the_result(
    counted: list[Counts], order: list[int], cut: int
) -> None:
    shuffled = [counted[index] for index in order]
    regrouped = add([add(shuffled[:cut]), add(shuffled[cut:])])
    assert PERSPECTIVE.summarise(regrouped) == PERSPECTIVE.summarise(add(counted))


# --- label scale -------------------------------------------------------------------------------


def test_label_scale_takes_every_nth_pixel(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    road, valid = random.random((2, 9, 11)) < [[[0.4]], [[0.9]]]
    prediction = random.integers(0, 256, (9, 11), np.uint8)
    frame = make_frame(tmp_path, "um_0", road, valid)
    (tmp_path / "small").mkdir()
    small = make_frame(tmp_path / "small", "um_0", road[::4, ::4], valid[::4, ::4])
    expected = PERSPECTIVE.count(small, prediction[::4, ::4])
    for given_ in (prediction, prediction[::4, ::4]):
        counts = PERSPECTIVE.count(frame, given_, label_scale=4)
        assert all((counts[key] == expected[key]).all() for key in expected | counts)


def test_from_above_a_taken_pixel_covers_those_it_stands_for(real_frames: list[Frame]) -> None:
    frame = real_frames[0]
    prediction = noisy_prediction(frame)
    assert frame.label is not None
    bev = KittiRoad(spaces=("bev",))
    full, scaled, small = (
        bev.count(frame, prediction),
        bev.count(frame, prediction, label_scale=4),
        bev.count(frame, prediction[::4, ::4], label_scale=4),
    )
    assert all((scaled[key] == small[key]).all() for key in full)
    road = [int(counts[f"bev/{frame.id}"][1].sum()) for counts in (full, scaled)]
    assert road[0] != road[1]
    assert road[0] == pytest.approx(road[1], rel=0.05)


# --- bad input ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prediction", "message"),
    [
        (np.zeros((3, 4), np.uint8), r"um_0 is uint8 of size 3x4, .* size 2x3 .*um_0\.png"),
        (np.zeros((2, 3), np.float32), "um_0 is float32 of size 2x3, but it must be uint8"),
        (np.zeros((2, 3, 3), np.uint8), "uint8 of size 2x3x3"),
    ],
)
def test_a_prediction_that_does_not_fit_is_named(
    tmp_path: Path, prediction: Array, message: str
) -> None:
    frame = make_frame(tmp_path, "um_0", np.ones((2, 3)))
    with pytest.raises(DataError, match=message):
        PERSPECTIVE.count(frame, prediction)


def test_a_frame_of_no_category_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Frame aachen_0 is not in a category of KITTI Road"):
        PERSPECTIVE.count(make_frame(tmp_path, "aachen_0", [1]), levels(1))


def test_the_birds_eye_view_asks_for_calibration(tmp_path: Path) -> None:
    frame = make_frame(tmp_path, "um_0", [1])
    with pytest.raises(DataError, match="Frame um_0 has no calibration file"):
        KittiRoad().count(frame, levels(1))


@pytest.mark.parametrize(("mode", "suffix"), [("L", "png"), ("RGBA", "png"), ("RGB", "bmp")])
def test_ground_truth_of_another_kind_is_refused(tmp_path: Path, mode: str, suffix: str) -> None:
    path = tmp_path / f"um_road_000000.{suffix}"
    Image.new(mode, (4, 3)).save(path)
    with pytest.raises(DataError, match=r"um_road_000000.*ground truth is an 8-bit RGB PNG"):
        read_ground_truth(path)


def test_ground_truth_is_red_for_valid_and_blue_for_road(tmp_path: Path) -> None:
    path = tmp_path / "gt.png"
    Image.fromarray(np.array([[(0, 0, 9), (1, 9, 0), (255, 0, 1)]], np.uint8)).save(path)
    road, valid = read_ground_truth(path)
    assert road.tolist() == [[True, False, True]]
    assert valid.tolist() == [[False, True, True]]


# --- probabilities to levels -------------------------------------------------------------------


def test_probabilities_round_half_up_to_levels() -> None:
    values = np.array([0, 0.49, 0.5, 1.49, 1.5, 127.5, 254.49, 254.5, 255]) / 255
    assert to_uint8_probability(values).tolist() == [0, 0, 1, 1, 2, 128, 254, 255, 255]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_levels_survive_the_way_through_probabilities(dtype: type[np.floating]) -> None:
    every_level = np.arange(256, dtype=np.uint8)
    probabilities = (every_level / 255).astype(dtype)
    assert (to_uint8_probability(probabilities) == every_level).all()


@given(st.floats(0, 1, width=32))
def test_a_level_is_within_half_a_step_of_its_probability(probability: float) -> None:
    level = int(to_uint8_probability(np.array([probability], np.float32))[0])
    assert abs(level / 255 - probability) <= 0.5 / 255 + 1e-7


def test_the_rounding_of_a_softmax_is_no_fault() -> None:
    assert to_uint8_probability(np.float32([1 + 2e-7, -1e-9])).tolist() == [255, 0]


@pytest.mark.parametrize("value", [np.nan, -0.1, 1.1, np.inf])
def test_what_is_no_probability_is_refused(value: float) -> None:
    with pytest.raises(DataError, match=r"must lie in 0\.\.1"):
        to_uint8_probability(np.array([0.5, value]))
