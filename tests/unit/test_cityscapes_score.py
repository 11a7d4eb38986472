"""The Cityscapes score equals the official tool's on every number."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from segbench.data.layouts import read_picture
from segbench.errors import DataError
from segbench.scoring.confusion import add_counts, iou
from segbench.types import Counts, Frame
from segbench_plugins.datasets.cityscapes.frames import cityscapes_frames
from segbench_plugins.datasets.cityscapes.labels import (
    LABELS,
    TRAIN_LABELS,
    train_ids_from_label_ids,
)
from segbench_plugins.datasets.cityscapes.score import Cityscapes
from tests.official_cityscapes import official_score, official_tool

SIZE = (40, 60)
INSTANCED = [label.id for label in LABELS if label.has_instances]


def write_frame(folder: Path, name: str, instances: np.ndarray) -> Frame:
    """Label PNGs of one frame, from instance ids."""
    labels = np.where(instances >= 1000, instances // 1000, instances).astype(np.uint8)
    label_path = folder / f"{name}_gtFine_labelIds.png"
    instance_path = folder / f"{name}_gtFine_instanceIds.png"
    Image.fromarray(labels).save(label_path)
    Image.fromarray(instances.astype(np.uint16)).save(instance_path)
    return Frame(name, folder / f"{name}.png", label_path, instance_path)


def random_scene(rng: np.random.Generator, ids: list[int]) -> np.ndarray:
    """Instance ids: a background of ``ids``, some instances and a group region."""
    instances = np.repeat(np.repeat(rng.choice(ids, (8, 12)), 5, 0), 5, 1).astype(np.int64)
    for number in range(12):
        top, left = rng.integers(0, 30, 2)
        height, width = rng.integers(1, 12, 2)
        label = int(rng.choice(INSTANCED))
        value = label if number == 0 else label * 1000 + number % 3
        instances[top : top + height, left : left + width] = value
    return instances


def disturbed(rng: np.random.Generator, labels: np.ndarray, share: float) -> np.ndarray:
    noise = rng.integers(0, 34, labels.shape)
    return np.where(rng.random(labels.shape) < share, noise, labels).astype(np.uint8)


def count_all(frames: list[Frame], predictions: list[np.ndarray], label_scale: int = 1) -> Counts:
    total: Counts = {}
    for frame, prediction in zip(frames, predictions, strict=True):
        total = add_counts(total, Cityscapes().count(frame, prediction, label_scale))
    return total


def assert_same(ours: Any, official: Any) -> None:
    """Equal within 1e-12, None for NaN, through nested dicts."""
    if isinstance(official, dict):
        assert ours.keys() == official.keys()
        for key, value in official.items():
            assert_same(ours[key], value)
    elif isinstance(official, float) and math.isnan(official):
        assert ours is None
    else:
        assert ours == pytest.approx(official, abs=1e-12, rel=0)


def assert_official(ours: dict[str, Any], predictions: list[Path], frames: list[Frame]) -> None:
    official = official_score(predictions, [Path(str(frame.label)) for frame in frames])
    rows, official_rows = ours.pop("confMatrix"), official.pop("confMatrix")
    assert rows == official_rows
    ours.pop("segbench")
    assert_same(ours, official)


def test_label_table_is_the_official_one() -> None:
    official = [label for label in official_tool().labels if label.id >= 0]
    for ours, theirs in zip(LABELS, official, strict=True):
        assert (ours.name, ours.id, ours.train_id, ours.category) == theirs[:4]
        assert (ours.has_instances, ours.ignored, ours.color) == theirs[5:8]
    assert [label.train_id for label in TRAIN_LABELS] == list(range(19))
    assert (train_ids_from_label_ids[[0, 7, 33, 34, 255]] == [255, 0, 18, 255, 255]).all()


@pytest.mark.parametrize(
    ("seed", "ids", "share"),
    [
        (0, list(range(34)), 0.2),
        (1, [7, 8, 11, 21, 23, 4], 0.05),
        (2, [7], 1.0),
        (3, [0, 3, 10], 0.5),
    ],
    ids=["every id", "absent classes", "wrong predictions", "mostly ignored"],
)
def test_equals_the_official_tool(tmp_path: Path, seed: int, ids: list[int], share: float) -> None:
    rng = np.random.default_rng(seed)
    frames, predictions, files = [], [], []
    for number in range(3):
        instances = random_scene(rng, ids)
        frames.append(write_frame(tmp_path, f"city_000000_00000{number}", instances))
        labels = np.where(instances >= 1000, instances // 1000, instances)
        predictions.append(disturbed(rng, labels, share))
        files.append(tmp_path / f"city_000000_00000{number}_pred.png")
        Image.fromarray(predictions[-1]).save(files[-1])
    summary = Cityscapes().summarise(count_all(frames, predictions))
    json.dumps(summary, allow_nan=False)
    assert_official(summary, files, frames)


def test_equals_the_official_tool_on_real_labels(data_root: Path, tmp_path: Path) -> None:
    frames = list(cityscapes_frames(data_root / "cityscapes_labels", "val"))
    rng, predictions, files = np.random.default_rng(0), [], []
    for frame in frames:
        labels = np.asarray(read_picture(Path(str(frame.label))))
        predictions.append(disturbed(rng, np.roll(labels, 9, axis=1), 0.01))
        files.append(tmp_path / f"{frame.id}_pred.png")
        Image.fromarray(predictions[-1]).save(files[-1])
    summary = Cityscapes().summarise(count_all(frames, predictions))
    assert_official(summary, files, frames)


def test_real_labels_follow_from_instance_ids(data_root: Path) -> None:
    for frame in cityscapes_frames(data_root / "cityscapes_labels", "val")[:4]:
        labels = np.asarray(read_picture(Path(str(frame.label))))
        with_instances = Cityscapes().count(frame, labels)
        without = Cityscapes().count(Frame(frame.id, frame.image, frame.label), labels)
        assert np.array_equal(with_instances["label_ids"], without["label_ids"])


def test_iiou_by_hand(tmp_path: Path) -> None:
    instances = np.array([[26000, 26000, 26000, 26000], [26001, 7, 7, 26]])
    prediction = np.array([[26, 26, 26, 7], [29, 26, 7, 7]], np.uint8)
    frame = write_frame(tmp_path, "a_000000_000000", instances)
    counts = Cityscapes().count(frame, prediction)
    average = 12794.0202738185
    assert counts["instance_tp"][26] == pytest.approx(0.75 * average)
    assert counts["instance_fn"][26] == pytest.approx(1.25 * average)
    summary = Cityscapes().summarise(counts)
    expected = 0.75 * average / (2 * average + 1)
    assert summary["classInstScores"]["car"] == pytest.approx(expected)
    assert summary["classScores"]["car"] == 3 / 7
    expected = 1.75 * average / (2 * average + 1)
    assert summary["categoryInstScores"]["vehicle"] == pytest.approx(expected)


def test_perfect_predictions_score_one(tmp_path: Path) -> None:
    instances = random_scene(np.random.default_rng(5), list(range(34)))
    frame = write_frame(tmp_path, "a_000000_000000", instances)
    labels = np.where(instances >= 1000, instances // 1000, instances).astype(np.uint8)
    summary = Cityscapes().summarise(Cityscapes().count(frame, labels))
    averages = [summary[key] for key in summary if key.startswith("averageScore")]
    assert averages == [1.0] * 4
    assert Cityscapes().score(summary) == 1.0


def test_own_matrix_gives_the_official_iou(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    frame = write_frame(tmp_path, "a_000000_000000", random_scene(rng, list(range(34))))
    counts = Cityscapes().count(frame, rng.integers(0, 34, SIZE).astype(np.uint8))
    scores = Cityscapes().summarise(counts)["classScores"]
    official = [scores[label.name] for label in TRAIN_LABELS]
    assert iou(counts["confusion"]).tolist() == pytest.approx(official, abs=1e-15)


def test_label_scale_equals_scoring_small_pictures(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    instances = random_scene(rng, [7, 8, 11])
    prediction = rng.choice([7, 26, 33], SIZE).astype(np.uint8)
    frame = write_frame(tmp_path, "a_000000_000000", instances)
    small = write_frame(tmp_path, "a_000000_000001", instances[::4, ::4])
    scaled = Cityscapes().count(frame, prediction, 4)
    assert scaled.keys() == Cityscapes().count(frame, prediction[::4, ::4], 4).keys()
    plain = Cityscapes().count(small, prediction[::4, ::4])
    assert np.array_equal(scaled["label_ids"], plain["label_ids"])
    assert scaled["instance_tp"] == pytest.approx(plain["instance_tp"] / 16)
    assert scaled["category_fn"] == pytest.approx(plain["category_fn"] / 16)


def test_label_scale_equals_the_official_tool_with_smaller_averages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scale, rng = 4, np.random.default_rng(8)
    args = official_tool().args
    sizes = {name: size / scale**2 for name, size in args.avgClassSize.items()}
    monkeypatch.setattr(args, "avgClassSize", sizes)
    total: Counts = {}
    small, files = [], []
    for number in range(3):
        instances = random_scene(rng, list(range(34)))
        labels = np.where(instances >= 1000, instances // 1000, instances)
        prediction = disturbed(rng, labels, 0.2)
        frame = write_frame(tmp_path, f"a_000000_00000{number}", instances)
        total = add_counts(total, Cityscapes().count(frame, prediction, scale))
        small.append(write_frame(tmp_path, f"b_000000_00000{number}", instances[::scale, ::scale]))
        files.append(tmp_path / f"b_000000_00000{number}_pred.png")
        Image.fromarray(prediction[::scale, ::scale].copy()).save(files[-1])
    assert_official(Cityscapes().summarise(total), files, small)


def test_without_instance_ids_iiou_is_null_and_said_so(tmp_path: Path) -> None:
    instances = np.array([[26000, 7], [7, 23]])
    frame = write_frame(tmp_path, "a_000000_000000", instances)
    Path(str(frame.instances)).unlink()
    prediction = np.array([[26, 7], [7, 23]], np.uint8)
    summary = Cityscapes().summarise(Cityscapes().count(frame, prediction))
    assert summary["averageScoreClasses"] == 1.0
    assert summary["averageScoreInstClasses"] is summary["classInstScores"]["car"] is None
    assert any("instanceIds" in note for note in summary["segbench"]["notes"])


def test_a_frame_may_have_instance_ids_alone(tmp_path: Path) -> None:
    city = tmp_path / "gtFine" / "val" / "ulm"
    city.mkdir(parents=True)
    instances = np.array([[26000, 7], [7, 23]])
    written = write_frame(city, "ulm_000000_000001", instances)
    Path(str(written.label)).unlink()
    (frame,) = cityscapes_frames(tmp_path, "val")
    assert frame.id == written.id
    counts = Cityscapes().count(frame, np.array([[26, 7], [7, 23]], np.uint8))
    assert Cityscapes().summarise(counts)["averageScoreInstClasses"] == 1.0


def test_train_ids_only_where_they_are_stated(tmp_path: Path) -> None:
    instances = np.array([[26000, 7], [7, 23]])
    frame = write_frame(tmp_path, "a_000000_000000", instances)
    train_ids = np.array([[13, 0], [255, 10]], np.uint8)
    scored = Cityscapes(encoding="trainids").count(frame, train_ids)
    as_label_ids = np.array([[26, 7], [0, 23]], np.uint8)
    expected = Cityscapes().count(frame, as_label_ids)
    assert all(np.array_equal(scored[key], expected[key]) for key in expected)


def test_doubtful_are_only_unstated_train_ids(tmp_path: Path) -> None:
    frame = write_frame(tmp_path, "a_000000_000000", np.array([[26000, 7], [7, 23]]))
    zeros, roads = np.zeros((2, 2), np.uint8), np.full((2, 2), 26, np.uint8)
    (doubt,) = Cityscapes().doubts(Cityscapes().count(frame, zeros))
    assert "0-18" in doubt
    assert "-o encoding=trainids" in doubt
    assert not Cityscapes().doubts(Cityscapes().count(frame, roads))
    stated = Cityscapes(encoding="trainids")
    counts = stated.count(frame, zeros)
    assert not stated.doubts(counts)
    assert not stated.summarise(counts)["segbench"]["notes"]


@pytest.mark.parametrize(
    ("value", "encoding", "message"),
    [
        (34, "labelids", "value 34, but label ids are 0 to 33"),
        (255, "labelids", "-o encoding=trainids"),
        (19, "trainids", "value 19, but train ids are 0 to 18 and 255"),
    ],
)
def test_illegal_predictions(tmp_path: Path, value: int, encoding: Any, message: str) -> None:
    frame = write_frame(tmp_path, "a_000000_000000", np.array([[7, 7]]))
    with pytest.raises(DataError, match=message):
        Cityscapes(encoding=encoding).count(frame, np.array([[7, value]], np.uint8))


@pytest.mark.parametrize("value", [34, 999, 7001, 40000])
def test_illegal_ground_truth_names_the_file(tmp_path: Path, value: int) -> None:
    frame = write_frame(tmp_path, "a_000000_000000", np.array([[7, value]]))
    with pytest.raises(DataError, match=rf"instanceIds.png has the value {value}"):
        Cityscapes().count(frame, np.array([[7, 7]], np.uint8))
