"""``segbench score`` on real ground truth, and on folders with everything wrong at once."""

import json
import subprocess
import sys
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from segbench.analysis.rank import leaderboard
from segbench.cli import main
from segbench.records.arrays import scored_frames
from segbench.records.record import read_record, read_records
from segbench.scoring.score import Score as Scored
from segbench_plugins.commands.print_scores import means
from tests.pngs import without_rows

NAMES = ("frankfurt_000000_000001", "frankfurt_000000_000002", "munster_000003_000019")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with ``gtFine`` alone: three frames of road, car and sky."""
    for name in NAMES:
        folder = tmp_path / "root" / "gtFine" / "val" / name.split("_")[0]
        folder.mkdir(parents=True, exist_ok=True)
        instances = np.full((16, 32), 7, np.uint16)
        instances[:4], instances[8:12, 8:16] = 23, 26000
        Image.fromarray(instances).save(folder / f"{name}_gtFine_instanceIds.png")
        labels = np.where(instances > 999, 26, instances).astype(np.uint8)
        Image.fromarray(labels).save(folder / f"{name}_gtFine_labelIds.png")
    return tmp_path / "root"


@pytest.fixture
def predictions(root: Path) -> Path:
    """The ground truth itself, under the names of a submission."""
    folder = root.parent / "predictions"
    folder.mkdir()
    for path in root.rglob("*_labelIds.png"):
        name = path.name.replace("_gtFine_labelIds", "_pred")
        (folder / name).write_bytes(path.read_bytes())
    return folder


Score = Callable[..., Result]


@pytest.fixture
def score(root: Path, predictions: Path) -> Score:
    def run(*options: str, dataset: str = "cityscapes") -> Result:
        paths = ["--predictions", str(predictions), "--data-root", str(root)]
        return CliRunner().invoke(main, ["score", "--dataset", dataset, *paths, *options])

    return run


def assert_clear(result: Result, *words: str) -> None:
    assert result.exit_code in (1, 2), result.output
    assert isinstance(result.exception, SystemExit)
    for word in words:
        assert word in result.output


def test_perfect_predictions(score: Score, tmp_path: Path) -> None:
    result = score("--json", str(tmp_path / "score.json"))
    assert result.exit_code == 0, result.output
    assert "cityscapes val, 3 frames" in result.output
    assert "traffic light" in result.output
    assert "mIoU 1.0000 (95% interval over frames 1.0000 to 1.0000)" in result.output
    official = json.loads((tmp_path / "score.json").read_text())
    assert official["averageScoreClasses"] == official["averageScoreInstClasses"] == 1.0
    assert official["classScores"]["bus"] is None
    assert official["segbench"]["frames"] == 3
    assert "label_scale" not in official


def test_a_json_path_that_cannot_be_written_is_refused_before_scoring(
    score: Score, tmp_path: Path
) -> None:
    assert_clear(score("--json", str(tmp_path)), "--json", "is a directory")
    absent = score("--json", str(tmp_path / "absent" / "score.json"))
    assert_clear(absent, "--json", "absent")
    assert "mIoU" not in absent.output


def test_the_json_is_replaced_whole(score: Score, tmp_path: Path) -> None:
    output = tmp_path / "score.json"
    output.write_text("old")
    assert score("--json", str(output)).exit_code == 0
    assert json.loads(output.read_text())["averageScoreClasses"] == 1.0
    assert not list(tmp_path.glob("*.tmp"))


def test_fewer_frames_than_published_are_told(score: Score) -> None:
    assert "3 of the benchmark's 500 frames: not comparable with published" in score().output


def test_workers_change_nothing(score: Score, predictions: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for path in predictions.iterdir():
        Image.fromarray(rng.integers(0, 34, (16, 32)).astype(np.uint8)).save(path)
    for workers in "13":
        assert score("--workers", workers, "--json", str(tmp_path / workers)).exit_code == 0
    assert (tmp_path / "1").read_bytes() == (tmp_path / "3").read_bytes()


def test_label_scale_is_marked(score: Score, predictions: Path, tmp_path: Path) -> None:
    result = score("--label-scale", "2", "--json", str(tmp_path / "score.json"))
    assert "labels at 1/2: not comparable with official scores" in result.output
    assert json.loads((tmp_path / "score.json").read_text())["label_scale"] == 2
    for path in predictions.iterdir():
        Image.fromarray(np.asarray(Image.open(path))[::2, ::2].copy()).save(path)
    small = score("--label-scale", "2")
    assert small.output == result.output
    assert_clear(score(), "is 8x16 (height x width), but the label is 16x32")


def test_another_system_has_a_row_of_its_own(score: Score, tmp_path: Path) -> None:
    results = tmp_path / "results"
    stated = ("--stated-ms", "12.5", "--stated-on", "Jetson Orin, FP16")
    for _ in range(2):
        result = score("--results", str(results), "--name", "Theirs", *stated)
        assert result.exit_code == 0, result.output
    record = read_record(Path(result.output.splitlines()[-1]))
    assert schema_errors(record.path) == []
    assert record.metrics["score"] == 1.0
    assert scored_frames(record).ids == NAMES

    (rows,) = leaderboard(read_records(results)[0]).values()
    (row,) = rows  # the newer of two records of one name
    assert (row["rank"], row["network"], row["runtime"]) == (1, "Theirs", "external")
    assert (row["stated_ms"], row["stated_on"]) == (12.5, "Jetson Orin, FP16")
    assert row["p50_ms"] is row["device"] is row["latency_record"] is None
    for form in ("table", "markdown", "csv", "json", "html"):
        shown = CliRunner().invoke(
            main, ["leaderboard", "--results", str(results), "--format", form]
        )
        assert "external" in shown.output
        assert "12.5" in shown.output
        assert "Jetson Orin, FP16" in shown.output


@pytest.mark.parametrize(
    "options",
    [
        ("--name", "Theirs"),
        ("--results", "results"),
        ("--name", "Theirs", "--results", "results", "--stated-ms", "3"),
        ("--name", "Theirs", "--results", "results", "--stated-on", "a GPU"),
        ("--stated-ms", "3", "--stated-on", "a GPU"),
        ("--name", " ", "--results", "results"),
    ],
)
def test_options_of_another_system_that_miss_each_other(
    score: Score, options: tuple[str, ...]
) -> None:
    result = score(*options)
    assert result.exit_code == 2
    assert "mIoU" not in result.output


def schema_errors(path: Path | None) -> list[str]:
    schema = files("segbench.records").joinpath("record.schema.json").read_text("utf-8")
    validator = jsonschema.Draft202012Validator(json.loads(schema))
    return [error.message for error in validator.iter_errors(json.loads(path.read_text()))]


def test_every_fault_is_listed_at_once_and_nothing_is_scored(
    score: Score, predictions: Path, tmp_path: Path
) -> None:
    first, second, third = (predictions / f"{name}_pred.png" for name in NAMES)
    Image.fromarray(np.full((16, 32), 34, np.uint8)).save(first)
    Image.fromarray(np.zeros((16, 32, 3), np.uint8)).save(second)
    third.unlink()
    Image.fromarray(np.zeros((16, 32), np.uint8)).save(predictions / "bonn_000000_000001.png")
    result = score("--json", str(tmp_path / "score.json"))
    assert_clear(
        result,
        "4 invalid predictions",
        f"{first}: the prediction has the value 34",
        f"{second}: is 8-bit RGB",
        f"{NAMES[2]}: no prediction",
        "bonn_000000_000001.png: does not match a frame",
    )
    assert not (tmp_path / "score.json").exists()


def test_train_ids_as_label_ids_are_warned_of(score: Score, predictions: Path) -> None:
    train_ids = np.full(256, 255, np.uint8)
    train_ids[[7, 23, 26]] = 0, 10, 13
    for path in predictions.iterdir():
        Image.fromarray(train_ids[np.asarray(Image.open(path))]).save(path)
    warned = score()
    assert warned.exit_code == 0
    assert "Note: All predicted values lie in 0-18" in warned.output
    stated = score("-o", "encoding=trainids")
    assert "mIoU 1.0000" in stated.output
    assert "train ids" not in stated.output


def test_options_of_another_data_set(score: Score) -> None:
    assert_clear(score("-o", "space=bev"), "No option of cityscapes named 'space'", "encoding")
    assert_clear(score("-o", "encoding=trainid"), "Did you mean 'trainids'?")
    assert_clear(score("-o", "encoding"), "KEY=VALUE")
    assert_clear(score("--encoding", "trainids"), "-o KEY=VALUE", "segbench plugins")
    assert_clear(score("--split", "test"), "test")
    assert_clear(score("--label-scale", "0"), "--label-scale")
    assert_clear(score(dataset="cityscape"), "Did you mean 'cityscapes'?")
    assert_clear(score(dataset="camvid"), "No CamVid data")


def real_score(data_root: Path, dataset: str, predictions: Path, *options: str) -> Result:
    paths = ["--predictions", str(predictions), "--data-root", str(data_root)]
    return CliRunner().invoke(main, ["score", "--dataset", dataset, *paths, *options])


def test_real_camvid(data_root: Path, tmp_path: Path) -> None:
    labels = data_root / "camvid" / "valannot"
    output = tmp_path / "score.json"
    result = real_score(data_root, "camvid", labels, "--split", "val", "--json", str(output))
    assert result.exit_code == 0, result.output
    summary = json.loads(output.read_text())
    assert summary["miou"] == 1.0
    assert summary["frames"] == 101


def test_real_kitti_scores_all_labelled_frames(data_root: Path, tmp_path: Path) -> None:
    for path in (data_root / "kitti_road" / "training" / "gt_image_2").glob("*_road_*.png"):
        Image.fromarray(np.asarray(Image.open(path))[..., 2].copy()).save(tmp_path / path.name)
    output = tmp_path / "score.json"
    result = real_score(data_root, "kitti", tmp_path, "--json", str(output))
    assert result.exit_code == 0, result.output
    summary = json.loads(output.read_text())
    assert summary.keys() == {"perspective", "bev"}
    assert summary["bev"]["urban"]["frames"] == 21
    assert summary["perspective"]["um"]["MaxF"] == pytest.approx(1.0)
    single = real_score(data_root, "kitti", tmp_path, "-o", "space=bev")
    assert "bev" in single.output
    assert "background" in single.output
    assert "mIoU 1.0000 (95% interval over frames 1.0000 to 1.0000)" in single.output
    assert "21 of the benchmark's 289 frames" in single.output
    assert "perspective" not in single.output


def test_imports_no_torch(root: Path, predictions: Path) -> None:
    options = ["--dataset", "cityscapes", "--data-root", root, "--predictions", predictions]
    code = (
        "import sys; from segbench.cli import main; main(sys.argv[1:], standalone_mode=False); "
        "sys.exit(str({'torch', 'pandas', 'timm'} & sys.modules.keys() or ''))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "score", *map(str, options)], capture_output=True, text=True
    )
    assert "mIoU 1.0000" in done.stdout
    assert done.stderr.strip() == ""


def test_a_single_frame_has_no_interval() -> None:
    figures = dict.fromkeys(("miou", "fw_iou", "pixel_accuracy", "mean_accuracy"), 0.5)
    assert "mIoU 0.5000 (no interval: one frame), " in means(Scored({}, 1, figures, None))


def test_palette_predictions_are_read_as_indices(score: Score, predictions: Path) -> None:
    plain = score()
    for path in predictions.iterdir():
        picture = Image.open(path).convert("P")
        picture.putpalette([0, 90, 200] * 256)
        picture.save(path)
    assert score().output == plain.output


def test_predictions_in_a_linked_folder_are_found(score: Score, predictions: Path) -> None:
    plain = score()
    elsewhere = predictions.rename(predictions.with_name("elsewhere"))
    predictions.mkdir()
    (predictions / "linked").symlink_to(elsewhere)
    (elsewhere / "cycle").symlink_to(predictions)
    assert score().output == plain.output


def test_a_prediction_or_a_label_without_its_last_rows_is_not_scored(
    score: Score, root: Path, predictions: Path
) -> None:
    instances = next(root.rglob(f"{NAMES[0]}*_instanceIds.png"))
    prediction = predictions / f"{NAMES[1]}_pred.png"
    for path in (instances, prediction):
        path.write_bytes(without_rows(path.read_bytes(), 2))
    assert_clear(score(), "2 invalid predictions", str(instances), str(prediction), "14 of 16 rows")
