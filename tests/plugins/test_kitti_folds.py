"""KITTI Road's folds for cross-validation, and the tool that trains and scores them."""

from collections import Counter
from pathlib import Path

import pytest

from segbench.analysis.rank import leaderboard
from segbench.errors import DataError
from segbench.plugins import Registry
from segbench.progress import Reporter
from segbench.records.record import read_record, read_records
from segbench.types import Frame
from segbench_plugins.commands.plugin import segbench_commands
from segbench_plugins.datasets.kitti import plugin as kitti
from segbench_plugins.datasets.kitti.folds import FOLDS, fold_of, held_out
from segbench_plugins.datasets.streets.scene import draw_scene
from segbench_plugins.datasets.streets.write import write_kitti
from segbench_plugins.runtimes.pytorch.eager import segbench_runtimes
from tests.tiny import tiny_backbone
from tools.kitti_folds import cross_validate

(KITTI,) = kitti.segbench_datasets()
COUNTS = {"um": 95, "umm": 96, "uu": 98}
NUMBERS = (0, 1, 8, 16, 24)
"""Frames of all four folds that are drawn with labels."""


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """The names of all 289 labelled frames."""
    place = tmp_path / "training/gt_image_2"
    place.mkdir(parents=True)
    for category, count in COUNTS.items():
        for number in range(count):
            (place / f"{category}_road_{number:06d}.png").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("number", "fold"), [(0, 0), (7, 0), (8, 1), (16, 2), (24, 3), (31, 3), (32, 0), (94, 3)]
)
def test_a_frames_number_says_its_fold(number: int, fold: int) -> None:
    for category in COUNTS:
        assert fold_of(Frame(f"{category}_road_{number:06d}", Path())) == fold


def test_each_fold_has_a_quarter_of_each_category(whole: Path) -> None:
    frames = Counter(
        (frame.id.split("_")[0], fold_of(frame)) for frame in KITTI.frames(whole, "labelled")
    )
    assert len(frames) == 3 * len(FOLDS)
    assert all(23 <= count <= 26 for count in frames.values())


def test_every_frame_is_scored_once_by_a_network_that_has_not_seen_it(whole: Path) -> None:
    labelled = KITTI.frames(whole, "labelled")
    scored = Counter[Frame]()
    for fold in FOLDS:
        dataset = held_out(KITTI, fold)
        parts = [set(dataset.frames(whole, split)) for split in dataset.splits]
        assert sum(map(len, parts)) == len(set.union(*parts)) == len(labelled)
        scored.update(dataset.frames(whole, dataset.score_split))
    assert scored == Counter(labelled)


def test_a_fold_without_frames_is_said(tmp_path: Path) -> None:
    place = tmp_path / "training/gt_image_2"
    place.mkdir(parents=True)
    (place / "um_road_000003.png").touch()
    dataset = held_out(KITTI, 1)
    with pytest.raises(DataError, match=r"None of the 1 labelled frames .* 'fold1' of fold 1"):
        dataset.frames(tmp_path, "fold1")
    with pytest.raises(DataError, match="No split named 'fold2'"):
        dataset.frames(tmp_path, "fold2")


def test_the_real_frames_have_all_four_folds(data_root: Path) -> None:
    frames = KITTI.frames(KITTI.locate(data_root), "labelled")
    assert set(map(fold_of, frames)) == set(FOLDS)


def test_cross_validation_trains_four_networks_and_scores_all_frames_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for number in NUMBERS:
        write_kitti(Path("data/kitti_road"), draw_scene(0, number, (64, 128)), 0, number)
    registry = Registry.of(
        [tiny_backbone()], [KITTI], segbench_runtimes(), commands=segbench_commands()
    )
    said: list[str] = []
    reporter = Reporter(quiet=True)
    monkeypatch.setattr(reporter, "say", said.append)
    folders = {"data_root": Path("data"), "output": Path("out"), "results": Path("results")}
    changes = {"epochs": 1, "size": (64, 128), "crop": (64, 64)}

    def validate() -> dict[str, float | None]:
        made = cross_validate("tiny", registry, reporter, "none", changes, "cpu", **folders)
        assert {score.frames for score in made.values()} == {len(NUMBERS)}
        records = {space: read_record(score.record or Path()) for space, score in made.items()}
        for space, record in records.items():
            assert record.config["network"] == "tiny, four folds"
            assert record.official is not None
            assert list(record.official) == [space]
            urban = record.official[space]["urban"]
            assert urban["MaxF_low"] <= urban["MaxF"] <= urban["MaxF_high"]
        return {space: record.metrics["score"] for space, record in records.items()}

    scores = validate()
    tables = leaderboard(read_records(Path("results"))[0])
    assert [row["score"] for rows in tables.values() for row in rows] == list(scores.values())
    trainings = [read_record(path) for path in Path("out/results/run").glob("*.json")]
    assert {each.config["split"] for each in trainings} == {f"fold{fold}" for fold in FOLDS}
    assert {each.config["train_splits"] for each in trainings} == {"train+val"}
    assert sum(each.metrics["frames"] for each in trainings) == len(NUMBERS)
    said.clear()
    assert validate() == scores
    assert sum(line.startswith("skipped:") for line in said) == len(FOLDS)
