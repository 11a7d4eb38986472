"""Cityscapes: 5,000 finely labelled frames of 50 cities, 19 evaluated classes."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from segbench import MODERN, ORIGINAL, Dataset, Frame, hookimpl
from segbench.data.layouts import find_folder

from .frames import cityscapes_frames, read_cityscapes_label
from .score import TRAIN_LABELS, Cityscapes

URL = "https://www.cityscapes-dataset.com/downloads (leftImg8bit and gtFine)"


def locate(root: Path) -> Path:
    """The folder that holds ``leftImg8bit`` and ``gtFine``: ``root`` or ``root/cityscapes``."""
    return find_folder(
        root, "Cityscapes", ["cityscapes", "Cityscapes"], ["leftImg8bit", "gtFine"], URL
    )


def frames(folder: Path, split: str) -> tuple[Frame, ...]:
    """The frames of a split; those of test have no label, since the published ones are dummies."""
    return cityscapes_frames(folder, split, labelled=split != "test")


@hookimpl
def segbench_datasets() -> Iterator[Dataset]:
    """The dataset Cityscapes."""
    yield Dataset(
        name="cityscapes",
        summary="Cityscapes: 19 classes in 50 cities, 1024x2048",
        classes=tuple(label.name for label in TRAIN_LABELS),
        palette=tuple(label.color for label in TRAIN_LABELS),
        recipes={
            "modern": replace(MODERN, size=(512, 1024), batch_size=8, epochs=60),
            "original": ORIGINAL,
        },
        locate=locate,
        frames=frames,
        read_label=read_cityscapes_label,
        benchmark=Cityscapes(),
        published={"train": 2975, "val": 500, "test": 1525},
    )
