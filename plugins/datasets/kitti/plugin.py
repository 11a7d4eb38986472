"""KITTI Road: 289 labelled and 290 unlabelled frames, road or not road.

KITTI has no official validation split. Here every labelled frame whose number is a multiple of 5 is
validation ("val") and the others are training ("train"): 59 and 230 of the full 289, near a fifth
of each category, and a frame's split does not depend on other frames. Frames with neighbouring
numbers may show the same street, so validation scores are optimistic.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from segbench import IGNORED, MODERN, ORIGINAL, Augmentation, ClassMap, Dataset, Frame, hookimpl
from segbench.data.layouts import (
    find_folder,
    known_split,
    label_path,
    no_frames,
    pngs_in,
    read_colors,
)

from .score import KittiRoad

URL = "https://www.cvlibs.net/datasets/kitti/eval_road.php (data_road.zip)"
SPLITS = ("train", "val", "labelled", "test")
SIZES = ((375, 1242), (376, 1241), (370, 1226), (374, 1238), (370, 1224))
LABEL_COLORS = {(255, 0, 0): 0, (255, 0, 255): 1, (0, 0, 0): IGNORED}
FRAME_NAME = re.compile(r"(um|umm|uu)_(?:road_)?(\d{6})")


def locate(root: Path) -> Path:
    """The folder that holds ``training``: ``root``, ``root/kitti_road`` or ``root/data_road``."""
    return find_folder(root, "KITTI Road", ["kitti_road", "data_road"], ["training"], URL)


def frames(folder: Path, split: str) -> tuple[Frame, ...]:
    """The frames of a split by category and number; see the module for "train" and "val".

    "labelled" is both together. "test" is the benchmark's own test set, which has no labels.
    """
    known_split(split, SPLITS)
    part = folder / ("testing" if split == "test" else "training")
    images, labels = pngs_in(part / "image_2"), pngs_in(part / "gt_image_2")
    matches = map(FRAME_NAME.fullmatch, images.keys() | labels.keys())
    numbers = {match.groups() for match in matches if match}
    if split in ("train", "val"):
        numbers = {(c, n) for c, n in numbers if (int(n) % 5 == 0) == (split == "val")}
    if not numbers:
        raise no_frames(split, part / "image_2", part / "gt_image_2")

    def frame(category: str, number: str) -> Frame:
        name, stem = f"{category}_road_{number}", f"{category}_{number}"
        label = labels.get(name, part / "gt_image_2" / f"{name}.png")
        return Frame(
            id=name,
            image=images.get(stem, part / "image_2" / f"{stem}.png"),
            label=None if split == "test" else label,
            calibration=part / "calib" / f"{stem}.txt",
        )

    return tuple(frame(category, number) for category, number in sorted(numbers))


def read_label(frame: Frame) -> ClassMap:
    """The class map: 1 on the road, 0 off it, IGNORED outside the valid area."""
    return read_colors(label_path(frame), LABEL_COLORS)


@hookimpl
def segbench_datasets() -> Iterator[Dataset]:
    """The dataset KITTI Road."""
    jitter = Augmentation(brightness=(-40.0, 40.0), contrast=(0.8, 1.2))
    original = replace(
        ORIGINAL,
        size=(160, 576),
        epochs=300,
        batch_size=1,
        lr=1e-4,
        schedule="constant",
        patience=None,
        source="the original project's training on KITTI Road",
    )
    yield Dataset(
        name="kitti",
        summary="KITTI Road: road or not, about 375x1242",
        classes=("background", "road"),
        palette=((0, 0, 0), (0, 255, 0)),
        recipes={
            "modern": replace(MODERN, size=(384, 1248), batch_size=4, epochs=60),
            "original": replace(original, augmentation=jitter),
        },
        locate=locate,
        frames=frames,
        read_label=read_label,
        benchmark=KittiRoad(),
        splits=SPLITS,
        predictions_split="labelled",
        sizes=SIZES,
        published={"labelled": 289, "test": 290},
    )
