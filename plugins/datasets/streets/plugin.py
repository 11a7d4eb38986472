"""Streets: scenes drawn by segbench itself, with Cityscapes' 19 classes and layout.

They need no download: frames are drawn into the user's cache on first use. Unlike in a benchmark,
test frames have labels.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from segbench import MODERN, ORIGINAL, Augmentation, Dataset, Frame, Reporter, hookimpl
from segbench.cache import cache_dir
from segbench.data.layouts import known_split

from ..cityscapes.frames import CITYSCAPES_SPLITS, read_cityscapes_label
from ..cityscapes.labels import TRAIN_LABELS
from ..cityscapes.score import Cityscapes
from .places import cityscapes_files, split_of

SIZE = (128, 256)
FRAMES = 640
VERSION = 1
DRAWN_WITH = 0
"""The seed of the scenes."""


def locate(root: Path) -> Path:
    """The folder of drawn frames in the user's cache; the data root is ignored."""
    return cache_dir("streets", f"v{VERSION}-{FRAMES}x{SIZE[0]}x{SIZE[1]}")


def frames(folder: Path, split: str) -> tuple[Frame, ...]:
    """The frames of a split, drawn or not."""
    known_split(split, CITYSCAPES_SPLITS)
    return tuple(
        Frame(image.name.removesuffix("_leftImg8bit.png"), image, label, instances)
        for image, label, instances in (
            cityscapes_files(folder, DRAWN_WITH, number)
            for number in range(FRAMES)
            if split_of(number) == split
        )
    )


def prepare(folder: Path, frames: Sequence[Frame], reporter: Reporter) -> None:
    """Draw missing frames."""
    from .draw_missing import draw_missing

    numbers = [int(frame.id.rpartition("_")[2]) for frame in frames]
    draw_missing(folder, numbers, SIZE, DRAWN_WITH, reporter)


@hookimpl
def segbench_datasets() -> Iterator[Dataset]:
    """The dataset Streets."""
    yield Dataset(
        name="streets",
        summary="Streets drawn by segbench: 19 classes, 128x256, nothing to download",
        classes=tuple(label.name for label in TRAIN_LABELS),
        palette=tuple(label.color for label in TRAIN_LABELS),
        recipes={
            "modern": replace(
                MODERN,
                size=SIZE,
                crop=(96, 192),
                batch_size=4,
                epochs=8,
                lr=6e-3,
                encoder_lr_scale=1.0,
                class_weights=True,
                lovasz=0.0,
                augmentation=Augmentation(
                    scale=(0.9, 1.4), flip=True, brightness=(-15.0, 15.0), contrast=(0.9, 1.1)
                ),
                source="segbench's own, for small frames and a training of minutes",
            ),
            "original": replace(ORIGINAL, size=SIZE),
        },
        locate=locate,
        frames=frames,
        prepare=prepare,
        read_label=read_cityscapes_label,
        benchmark=Cityscapes(),
        sizes=(SIZE,),
    )
