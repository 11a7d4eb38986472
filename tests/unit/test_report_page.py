"""What a report's sections say of data worked by hand, and figures of odd data."""

import struct
from typing import Any

import numpy as np
import pytest

from segbench.records.arrays import Samples, ScoredFrames
from segbench.records.record import Record
from segbench.scoring.bootstrap import bootstrap_iou
from segbench.types import IGNORED
from segbench_plugins.commands.report import figures
from segbench_plugins.commands.report.figures import View, frame_rows
from segbench_plugins.commands.report.page import facts, report_page
from segbench_plugins.commands.report.sections import (
    class_section,
    confusion_section,
    frame_section,
    latency_section,
    learning_section,
)

ODD = "<script>alert(1)</script> $x_ \\frac 日本\n"
FRAMES = ScoredFrames(
    ("f0", "f1"),
    ("road", ODD, "never"),
    np.array(
        [
            [[3, 1, 0, 0], [1, 3, 0, 0], [0, 0, 0, 0]],
            [[4, 0, 0, 0], [0, 3, 0, 1], [0, 0, 0, 0]],
        ]
    ),
)


def size(png: bytes) -> tuple[int, int]:
    assert png.startswith(b"\x89PNG")
    return struct.unpack(">II", png[16:24])


def test_classes_have_iou_interval_accuracy_and_share() -> None:
    (table,) = class_section(FRAMES).tables
    assert table.rows[0] == ("road", "0.7778", "0.6000 to 1.0000", "0.8750", "50.00%")
    assert table.rows[2] == ("never", "-", "-", "-", "0.00%")


def test_the_interval_of_a_class_is_that_of_its_frames() -> None:
    low, high = bootstrap_iou(FRAMES.confusions)[0] or (0, 0)
    assert (low, high) == pytest.approx((3 / 5, 1))
    same = bootstrap_iou(np.repeat(FRAMES.confusions[:1], 5, axis=0))
    assert same == [pytest.approx((0.6, 0.6)), pytest.approx((0.6, 0.6)), None]


def test_one_frame_has_no_interval() -> None:
    lone = ScoredFrames(("f0",), FRAMES.classes, FRAMES.confusions[:1])
    section = class_section(lone)
    assert [row[2] for row in section.tables[0].rows] == ["-", "-", "-"]
    assert "without an interval" in section.plates[0].caption
    record = Record("run", {}, {"miou": 0.5, "miou_low": 0.5, "miou_high": 0.5, "frames": 1}, {})
    record.config.update(runtime="eager", height=2, width=2, backbone="vgg16")
    assert facts(record)["mIoU (95% interval)"] == "0.5000 (no interval: one frame)"


def test_facts_tell_on_what_it_was_trained() -> None:
    config = {
        "runtime": "eager",
        "backbone": "vgg16",
        "crop": "240x320",
        "train_splits": "train+val",
        "label_scale": 4,
        "keep_float": ["encoder.stem"],
    }
    said = facts(Record("run", config, {"miou": 0.5, "frames": 1}, {}))
    assert (said["trained on"], said["crop"]) == ("train+val", "240x320")
    assert said["labels scored"] == "every 4th pixel each way"
    assert said["kept in float"] == "encoder.stem"


def test_confusion_is_in_percent_of_the_ground_truth_and_has_a_column_for_no_class() -> None:
    (table,) = confusion_section(FRAMES).folded
    assert table.headers == ("ground truth \\ predicted", "road", ODD, "never", "no class")
    assert table.rows[1] == (ODD, "12.5%", "75.0%", "0.0%", "12.5%")
    assert table.rows[2] == ("never", "-", "-", "-", "-")
    square = ScoredFrames(FRAMES.ids, FRAMES.classes, FRAMES.confusions[..., :3])
    assert confusion_section(square).folded[0].headers[-1] == "never"


def test_the_learning_curve_names_its_best_epoch() -> None:
    curve: list[dict[str, Any]] = [
        {"epoch": 1, "train_loss": 2.0, "val_loss": 1.5, "val_miou": 0.25},
        {"epoch": 2, "train_loss": 1.0, "val_loss": "none", "val_miou": 0.5},
        {"epoch": 3, "train_loss": 0.5, "val_miou": 0.5},
    ]
    section = learning_section(curve)
    assert "highest after epoch 2, 0.5000" in section.plates[0].caption
    assert section.folded[0].rows[1] == ("2", "1.0000", "-", "-", "0.5000")
    unknown = learning_section([{"epoch": 1, "train_loss": 1.0}])
    assert "highest" not in unknown.plates[0].caption


def test_a_drift_of_latency_is_said_and_drawn() -> None:
    seconds = np.array([0.010] * 50 + [0.012] * 50)
    section = latency_section(Samples(seconds, np.zeros(100)))
    assert [plate.name for plate in section.plates] == ["latency-histogram", "latency-over-time"]
    assert "changed by +20.0%" in section.plates[1].description
    assert "p90 12 ms" in section.plates[0].description
    assert "p99" not in section.plates[0].description


def test_outliers_leave_the_histogram_its_width_and_are_counted() -> None:
    seconds = np.array([0.010, 0.011] * 99 + [0.011, 0.050])
    (axes,) = figures.latency_histogram(seconds).axes
    assert axes.get_xlim()[1] < 20
    histogram = latency_section(Samples(seconds, np.zeros(200))).plates[0]
    assert "the axis ends at p99, with 1 beyond it, up to 50 ms" in histogram.caption
    even = latency_section(Samples(np.full(200, 0.01), np.zeros(200))).plates[0]
    assert even.caption == "All 200 timed queries; none are left out."


def test_a_sample_of_several_queries_is_not_called_a_query() -> None:
    section = latency_section(Samples(np.full(100, 0.01), np.zeros(100)), group=7)
    histogram, over_time = section.plates
    assert histogram.caption.startswith("All 100 samples, each the mean of 7 queries; ")
    assert histogram.figure.axes[0].get_ylabel() == "samples"
    assert over_time.description.startswith("Latency of each sample in order.")
    assert over_time.caption.startswith("Samples in order (points)")
    assert "queries" not in over_time.caption
    assert over_time.figure.axes[0].get_xlabel() == "sample"


def test_views_are_drawn_in_the_order_of_their_list() -> None:
    truth = np.array([[0, 1], [1, IGNORED]], np.uint8)
    image = np.full((2, 2, 3), 90, np.uint8)
    views = [View(name, 0.5, image, truth, np.zeros_like(truth)) for name in FRAMES.ids]
    assert views[0].wrong == pytest.approx(2 / 3)
    section = frame_section(FRAMES, views, ((0, 0, 255), (0, 255, 0), (9, 9, 9)))
    assert [plate.name for plate in section.plates] == ["worst-frames", "best-frames"]
    assert "f0 (mIoU 0.500)" in section.plates[0].description
    assert [table.rows for table in section.tables] == [[("f0", "0.6000")], [("f1", "0.8750")]]


def test_figures_bear_any_name_and_data() -> None:
    nothing = np.zeros((3, 3), np.int64)
    blank = np.full((1, 1), IGNORED, np.uint8)
    lone = View(ODD, 0.0, np.zeros((1, 1, 3), np.uint8), blank, blank)
    for figure in (
        figures.class_bars(FRAMES.classes, np.full(3, np.nan), [None] * 3),
        figures.confusion(FRAMES.classes, FRAMES.classes, nothing),
        figures.learning_curves([{}]),
        figures.latency_histogram(np.array([0.5])),
        figures.latency_over_time(np.array([0.5])),
        frame_rows([lone], FRAMES.classes, ((1, 2, 3),) * 3),
    ):
        width, height = size(figures.as_png(figure))
        assert width == pytest.approx(figures.DPI * figure.get_figwidth(), abs=1)
        assert height > 100


def record(**metrics: Any) -> Record:
    config = {"runtime": ODD, "backbone": ODD, "height": 2, "width": 2}
    return Record("run", config, metrics, {"cpu": ODD})


def test_everything_on_the_page_is_escaped() -> None:
    sections = [class_section(FRAMES), confusion_section(FRAMES), frame_section(FRAMES)]
    page = report_page(record(verdict="INVALID", reasons=[ODD]), sections)
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert page.count("<img alt=") == 2


def test_frames_are_small_pictures_with_a_legend() -> None:
    truth = np.zeros((360, 480), np.uint8)
    image = np.random.default_rng(0).integers(0, 256, (360, 480, 3), np.uint8)
    views = [View(name, 0.5, image, truth, truth) for name in FRAMES.ids]
    section = frame_section(FRAMES, views, ((0, 0, 255), (0, 255, 0), (9, 9, 9)))
    assert [len(plate.pictures) for plate in section.plates] == [3, 3]
    page = report_page(record(), [section])
    assert page.count('src="data:image/webp;base64,') == 6
    assert '<li style="--color: #0000ff">road</li>' in page
    assert "never</li>" not in page
    plain_png = image.size  # noise cannot be packed without loss
    assert len(page) < 6 * plain_png / 3
