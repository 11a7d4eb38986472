from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segbench.errors import DataError
from segbench.scoring.confusion import add_counts
from segbench.types import Counts, Frame
from segbench_plugins.datasets.camvid.score import CLASSES, CamVid


def write_frame(folder: Path, label: list[list[int]]) -> Frame:
    path = folder / "0001TP_000000.png"
    Image.fromarray(np.array(label, np.uint8)).save(path)
    return Frame(path.stem, path, path)


def test_by_hand(tmp_path: Path) -> None:
    frame = write_frame(tmp_path, [[0, 0, 0, 0], [3, 3, 11, 11]])
    prediction = np.array([[0, 0, 0, 11], [3, 0, 3, 11]], np.uint8)
    counts = CamVid().count(frame, prediction)
    summary = CamVid().summarise(add_counts(counts, counts))
    assert summary["iou"] == dict.fromkeys(CLASSES) | {"Sky": 3 / 5, "Road": 1 / 2}
    assert summary["miou"] == CamVid().score(summary) == pytest.approx(0.55)
    assert summary["pixel_accuracy"] == pytest.approx(4 / 6)
    assert summary["mean_accuracy"] == pytest.approx((3 / 4 + 1 / 2) / 2)
    assert summary["frames"] == 2
    assert list(summary) == ["miou", "iou", "pixel_accuracy", "mean_accuracy", "frames"]


def test_a_void_prediction_is_a_miss(tmp_path: Path) -> None:
    frame = write_frame(tmp_path, [[0, 0]])
    counts = CamVid().count(frame, np.array([[0, 11]], np.uint8))
    assert CamVid().summarise(counts)["iou"]["Sky"] == 0.5


@pytest.mark.parametrize(
    ("prediction", "message"),
    [([[0, 12]], "value 12, but CamVid's are 0 to 11"), ([[0]], "is 1x1 .*the label is 1x2")],
)
def test_illegal_predictions(tmp_path: Path, prediction: list[list[int]], message: str) -> None:
    frame = write_frame(tmp_path, [[0, 0]])
    with pytest.raises(DataError, match=message):
        CamVid().count(frame, np.array(prediction, np.uint8))


def test_real_labels_score_one_against_themselves(data_root: Path) -> None:
    total: Counts = {}
    for path in sorted((data_root / "camvid" / "testannot").glob("*.png"))[::40]:
        frame = Frame(path.stem, path, path)
        total = add_counts(total, CamVid().count(frame, np.asarray(Image.open(path))))
    assert CamVid().summarise(total)["miou"] == 1.0
