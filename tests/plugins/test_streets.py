"""The dataset ``streets``: drawn once, and not to be solved by colour and row alone."""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from segbench.data.frames import labelled_frames
from segbench.errors import DataError
from segbench.progress import Reporter
from segbench.records.record import read_records
from segbench.scoring.confusion import confusion_matrix, mean_iou
from segbench.types import Dataset
from segbench_plugins.commands.data.check import check
from segbench_plugins.datasets.cityscapes.labels import train_ids_from_label_ids
from segbench_plugins.datasets.streets import draw_missing
from segbench_plugins.datasets.streets import plugin as streets
from segbench_plugins.datasets.streets.places import split_of
from segbench_plugins.datasets.streets.scene import draw_scene

RESULTS = Path(__file__).parents[2] / "results"


@pytest.fixture
def dataset(monkeypatch: pytest.MonkeyPatch) -> Dataset:
    monkeypatch.setattr(streets, "FRAMES", 8)
    (dataset,) = streets.segbench_datasets()
    return dataset


def draw(dataset: Dataset, split: str, limit: int | None = None) -> list[Path]:
    """Have the frames of a split drawn and list all files that the folder then has."""
    folder = dataset.locate(Path("nowhere"))
    labelled_frames(dataset, folder, split, limit)
    return sorted(folder.rglob("*.png"))


def test_what_is_asked_for_is_drawn_once_whatever_the_data_root(
    dataset: Dataset, own_cache: Path
) -> None:
    folder = dataset.locate(Path("nowhere"))
    assert own_cache in folder.parents
    assert dataset.locate(Path("elsewhere")) == folder
    assert len(dataset.frames(folder, "train")) == 6
    assert not list(folder.rglob("*.png"))
    drawn = {path: path.stat().st_mtime_ns for path in draw(dataset, "train", limit=2)}
    assert len(drawn) == 3 * 2
    assert len(draw(dataset, "train")) == 3 * 6
    assert {path: path.stat().st_mtime_ns for path in drawn} == drawn


def test_a_file_that_was_deleted_is_drawn_again(dataset: Dataset) -> None:
    before = {path: path.read_bytes() for path in draw(dataset, "train")}
    for path in list(before)[::4]:
        path.unlink()
    assert {path: path.read_bytes() for path in draw(dataset, "train")} == before


def test_a_file_that_was_damaged_or_exchanged_is_drawn_again_and_said(
    dataset: Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = dataset.locate(Path("anywhere"))
    frames = labelled_frames(dataset, folder, "train", 2)
    label, other = (Path(str(frame.label)) for frame in frames)
    whole = label.read_bytes()
    for damaged in (b"", whole[:100], other.read_bytes()):
        label.write_bytes(damaged)
        labelled_frames(dataset, folder, "train", 2, Reporter())
        assert label.read_bytes() == whole
        assert "1 frame in" in " ".join(capsys.readouterr().err.split())


def test_many_frames_are_drawn_by_several_processes_alike(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = {path: path.read_bytes() for path in draw(dataset, "train")}
    for path in alone:
        path.unlink()
    monkeypatch.setattr(draw_missing, "CHUNK", 3)
    assert {path: path.read_bytes() for path in draw(dataset, "train")} == alone


@pytest.mark.skipif(os.name != "posix", reason="orphans have another parent")
def test_a_process_that_draws_ends_with_its_parent(dataset: Dataset) -> None:
    folder = dataset.locate(Path("nowhere"))
    nobody = "1" if os.getppid() != 1 else "2"
    subprocess.run(
        [sys.executable, "-m", draw_missing.__name__, nobody, folder, "0", "64", "128", "0", "1"],
        check=True,
    )
    assert not list(folder.rglob("*.png"))


def test_two_runs_may_draw_it_at_once(dataset: Dataset) -> None:
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(draw, [dataset] * 2, ["train"] * 2)
    assert one == other
    assert len(one) == 3 * 6
    folder = dataset.locate(Path("nowhere"))
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_data_check_draws_it_and_finds_it_whole(dataset: Dataset) -> None:
    checked = check(dataset, dataset.locate(Path("nowhere")))
    assert checked.whole
    assert {split: len(found) for split, found in checked.splits.items()} == {
        "train": 6,
        "val": 1,
        "test": 1,
    }


def test_a_cache_that_cannot_be_written_is_named(dataset: Dataset) -> None:
    folder = dataset.locate(Path("nowhere"))
    (folder / "leftImg8bit").write_text("in the way")
    with pytest.raises(DataError, match="SEGBENCH_CACHE"):
        labelled_frames(dataset, folder, "train")


def test_every_split_has_images_labels_and_instances(dataset: Dataset) -> None:
    folder = dataset.locate(Path("nowhere"))
    for split in dataset.splits:
        for frame in labelled_frames(dataset, folder, split):
            assert frame.image.is_file()
            assert frame.instances is not None
            assert frame.instances.is_file()
            assert dataset.read_label(frame).shape == streets.SIZE


def frames(split: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The frames of a split of the whole dataset, as the plugin writes them."""
    for number in range(streets.FRAMES):
        if split_of(number) == split:
            scene = draw_scene(0, number, streets.SIZE)
            yield scene.image, train_ids_from_label_ids[scene.label_ids]


def features(image: np.ndarray, levels: int, rows: int) -> np.ndarray:
    """Each pixel's colour and row as one whole number."""
    height, width, _ = image.shape
    red, green, blue = np.moveaxis(image.astype(np.int64) * levels // 256, -1, 0)
    row = np.repeat(np.arange(height) * rows // height, width).reshape(height, width)
    return ((red * levels + green) * levels + blue) * rows + row


def test_colour_and_row_alone_give_less_than_half_of_what_fcn8s_reaches() -> None:
    """A histogram of classes for each colour (16 levels a channel) and row (16 bands).

    Classes are weighted by their rarity to several powers, and the best of the results counts.
    """
    records, _ = read_records(RESULTS)
    reached = [
        record.metrics["miou"]
        for record in records
        if record.kind == "run"
        and record.config["dataset"] == "streets"
        and record.config["backbone"] == "mobilenet"
        and record.config["limit"] is None
    ]
    if not reached:
        pytest.skip("needs the record of a run on streets in results/")
    levels, rows, classes = 16, 16, 19
    histogram = np.zeros((levels**3 * rows, classes))
    for image, label in frames("train"):
        counted = label < classes
        pairs = features(image, levels, rows)[counted] * classes + label[counted]
        histogram += np.bincount(pairs, minlength=histogram.size).reshape(histogram.shape)
    share = histogram.sum(0) / histogram.sum()
    tables = [(histogram / share**power).argmax(1).astype(np.uint8) for power in (0, 0.5, 1)]
    matrices = np.zeros((len(tables), classes, classes + 1), np.int64)
    for image, label in frames("val"):
        seen = features(image, levels, rows)
        for matrix, table in zip(matrices, tables, strict=True):
            matrix += confusion_matrix(label, table[seen], classes)
    assert max(mean_iou(matrix) or 0 for matrix in matrices) < min(reached) / 2
