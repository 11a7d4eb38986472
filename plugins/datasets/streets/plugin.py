"""Streets: scenes drawn by segbench itself, with Cityscapes' 19 classes and layout.

They need no download: the frames are drawn once into the user's cache. Unlike a benchmark's, the
labels of test are there too.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from segbench.cache import cache_dir
from segbench.errors import DataError
from segbench.hookspecs import hookimpl
from segbench.progress import Reporter
from segbench.recipes import MODERN, SEED
from segbench.types import Augmentation, Dataset

from ..cityscapes.frames import cityscapes_frames, read_cityscapes_label
from ..cityscapes.score import TRAIN_LABELS, Cityscapes

SIZE = (128, 256)
FRAMES = 640
VERSION = 1


def locate(root: Path) -> Path:
    """The drawn frames in the user's cache, whatever the data root; they are drawn when missing."""
    folder = cache_dir("streets") / f"v{VERSION}-{FRAMES}x{SIZE[0]}x{SIZE[1]}"
    if not folder.is_dir():
        from .write import write_streets

        try:
            write_streets(folder, FRAMES, SIZE, 0, "cityscapes", Reporter())
        except DataError:
            if not folder.is_dir():  # another run may have been faster
                raise
    return folder


@hookimpl
def segbench_datasets() -> Iterator[Dataset]:
    """Give the streets."""
    yield Dataset(
        name="streets",
        summary="Streets drawn by segbench: 19 classes, 128x256, nothing to download",
        classes=tuple(label.name for label in TRAIN_LABELS),
        palette=tuple(label.color for label in TRAIN_LABELS),
        recipes={
            "modern": replace(
                MODERN,
                size=SIZE,
                batch_size=8,
                epochs=13,
                lr=3e-3,
                encoder_lr_scale=1.0,
                augmentation=Augmentation(
                    scale=(0.9, 1.6), flip=True, brightness=(-15.0, 15.0), contrast=(0.9, 1.1)
                ),
            ),
            "seed": replace(SEED, size=SIZE),
        },
        locate=locate,
        frames=cityscapes_frames,
        read_label=read_cityscapes_label,
        benchmark=Cityscapes(),
        sizes=(SIZE,),
    )
