"""A small dataset with one fault after another: is each one found and named?"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from segbench.data.frames import read_pair
from segbench.errors import DataError
from segbench.types import Dataset
from segbench_plugins.commands.data.check import Checked, check
from segbench_plugins.datasets.camvid import plugin as camvid
from segbench_plugins.datasets.cityscapes import plugin as cityscapes
from segbench_plugins.datasets.kitti import plugin as kitti
from tests.pngs import without_rows

(CAMVID,) = camvid.segbench_datasets()
(CITYSCAPES,) = cityscapes.segbench_datasets()
(KITTI,) = kitti.segbench_datasets()


def write_png(path: Path, shape: tuple[int, ...], value: int = 0, dtype: type = np.uint8) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(np.full(shape, value, dtype)).save(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """CamVid's layout with three good frames a split, 6x8."""
    for split in ("train", "val", "test"):
        for name in "abc":
            write_png(tmp_path / split / f"{name}.png", (6, 8, 3))
            write_png(tmp_path / f"{split}annot" / f"{name}.png", (6, 8))
    return tmp_path


def faults(checked: Checked) -> dict[str, str]:
    return {frame.id: " ".join(messages) for frame, messages in checked.faults.items()}


def test_a_good_data_set_is_whole(folder: Path) -> None:
    checked = check(CAMVID, folder)
    assert checked.whole
    assert {split: len(frames) for split, frames in checked.splits.items()} == {
        "train": 3,
        "val": 3,
        "test": 3,
    }
    assert checked.sizes == {(6, 8): 9}


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:45])


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda f: (f / "val/b.png").unlink(), "val/b.png"),
        (lambda f: (f / "valannot/b.png").unlink(), "valannot/b.png is missing."),
        (lambda f: cut(f / "val/b.png"), "val/b.png cannot be decoded"),
        (lambda f: cut(f / "valannot/b.png"), "valannot/b.png cannot be decoded"),
        (lambda f: write_png(f / "valannot/b.png", (6, 7)), "is 6x7, but its image is 6x8."),
        (
            lambda f: write_png(f / "valannot/b.png", (6, 8), 12),
            "has the label 12, but legal labels are 0 to 11.",
        ),
        (
            lambda f: (
                write_png(f / "val/b.png", (4, 8, 3)),
                write_png(f / "valannot/b.png", (4, 8)),
            ),
            "val/b.png is 4x8, but this dataset's images are 6x8.",
        ),
    ],
    ids=["image", "label", "cut image", "cut label", "label size", "label value", "image size"],
)
def test_each_fault_is_named(folder: Path, spoil: Callable[[Path], object], expected: str) -> None:
    spoil(folder)
    found = faults(check(CAMVID, folder))
    assert list(found) == ["b"]
    assert expected in found["b"]


def test_every_faulty_file_is_named_not_just_the_first(folder: Path) -> None:
    cut(folder / "train/a.png")
    (folder / "testannot/c.png").unlink()
    assert set(faults(check(CAMVID, folder))) == {"a", "c"}


def test_a_split_that_is_needed_and_absent_is_named(folder: Path) -> None:
    for path in [*(folder / "val").iterdir(), *(folder / "valannot").iterdir()]:
        path.unlink()
    (message,) = check(CAMVID, folder).absent
    assert "No frames of the split 'val'" in message
    assert check(CAMVID, folder, ["train"]).whole


def test_a_split_nobody_needs_may_be_absent(tmp_path: Path) -> None:
    for split in ("train", "val"):
        stem = f"{split}/ulm/ulm_000000_000019"
        write_png(tmp_path / f"leftImg8bit/{stem}_leftImg8bit.png", (4, 8, 3))
        write_png(tmp_path / f"gtFine/{stem}_gtFine_labelIds.png", (4, 8), 7)
        write_png(tmp_path / f"gtFine/{stem}_gtFine_instanceIds.png", (4, 8), 7, np.uint16)
    assert check(CITYSCAPES, tmp_path).whole
    assert check(CITYSCAPES, tmp_path, ["test"]).absent


def test_a_missing_instance_picture_is_named(tmp_path: Path) -> None:
    stem = "val/ulm/ulm_000000_000019"
    write_png(tmp_path / f"leftImg8bit/{stem}_leftImg8bit.png", (4, 8, 3))
    write_png(tmp_path / f"gtFine/{stem}_gtFine_labelIds.png", (4, 8), 7)
    found = faults(check(CITYSCAPES, tmp_path, ["val"]))
    assert "_gtFine_instanceIds.png is missing." in found["ulm_000000_000019"]


def test_instances_of_another_label_are_named(tmp_path: Path) -> None:
    stem = "val/ulm/ulm_000000_000019"
    write_png(tmp_path / f"leftImg8bit/{stem}_leftImg8bit.png", (4, 8, 3))
    write_png(tmp_path / f"gtFine/{stem}_gtFine_labelIds.png", (4, 8), 26)
    instances = tmp_path / f"gtFine/{stem}_gtFine_instanceIds.png"
    write_png(instances, (4, 8), 26004, np.uint16)
    assert check(CITYSCAPES, tmp_path, ["val"]).whole
    write_png(instances, (4, 8), 24004, np.uint16)
    found = faults(check(CITYSCAPES, tmp_path, ["val"]))
    assert "disagrees with" in found["ulm_000000_000019"]
    assert "at 32 pixels" in found["ulm_000000_000019"]
    write_png(instances, (4, 8, 3), 26)
    found = faults(check(CITYSCAPES, tmp_path, ["val"]))
    assert "has several channels" in found["ulm_000000_000019"]


@pytest.mark.parametrize("dataset", [CAMVID, CITYSCAPES, KITTI], ids=lambda dataset: dataset.name)
def test_the_real_data_is_whole(data_root: Path, dataset: Dataset) -> None:
    splits = ["val"] if dataset is CAMVID else []
    checked = check(dataset, dataset.locate(data_root), splits)
    assert checked.whole, (checked.absent, faults(checked))


def test_kitti_may_mix_its_official_sizes_and_nothing_else(data_root: Path) -> None:
    folder = kitti.locate(data_root / "kitti_road_b")
    checked = check(KITTI, folder, ["labelled"])
    assert set(checked.sizes) == {(375, 1242), (376, 1241), (370, 1226)}
    assert checked.whole


def test_labels_without_images_are_named_one_by_one(data_root: Path) -> None:
    folder = cityscapes.locate(data_root / "cityscapes_labels")
    found = faults(check(CITYSCAPES, folder, ["val"]))
    assert len(found) == 15
    assert all("_leftImg8bit.png" in message for message in found.values())


def test_a_split_of_ignored_pixels_alone_is_named(folder: Path) -> None:
    for name in "ab":
        write_png(folder / "valannot" / f"{name}.png", (6, 8), 11)
    assert check(CAMVID, folder).whole
    write_png(folder / "valannot" / "c.png", (6, 8), 11)
    (message,) = check(CAMVID, folder).absent
    assert "'val' of camvid are ignored pixels" in message


def test_an_unknown_split_is_refused_with_the_nearest_name(folder: Path) -> None:
    with pytest.raises(DataError, match="Did you mean 'test'"):
        check(CAMVID, folder, ["tesst"])


def test_skipped_files_are_named_and_are_no_frames(folder: Path) -> None:
    for name in ("train/._a.png", "trainannot/._a.png", "val/d.avif"):
        (folder / name).touch()
    checked = check(CAMVID, folder)
    assert checked.whole
    assert {path.name for path in checked.skipped} == {"._a.png", "d.avif"}


@pytest.mark.parametrize("missing", [1, 6])
def test_rows_that_are_missing_are_a_fault(folder: Path, missing: int) -> None:
    for place in ("val", "valannot"):
        path = folder / place / "b.png"
        path.write_bytes(without_rows(path.read_bytes(), missing))
    assert faults(check(CAMVID, folder))["b"].count(f"{6 - missing} of 6 rows") == 2


@pytest.mark.parametrize(
    ("label", "message"),
    [
        (np.full((6, 8), 11, np.uint8), "has the class 11, but camvid has the classes 0 to 10"),
        (np.zeros((6, 8), np.float32), "reads labels as float32"),
    ],
)
def test_labels_that_a_plugin_reads_wrongly_are_faults(
    folder: Path, label: np.ndarray, message: str
) -> None:
    broken = replace(CAMVID, read_label=lambda frame: label)
    found = faults(check(broken, folder, ("train",)))
    assert message in found["a"]
    frame = broken.frames(folder, "train")[0]
    with pytest.raises(DataError, match=message):
        read_pair(broken, frame)
