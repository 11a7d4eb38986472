"""Calibration frames for INT8: training images, never those that a network is scored on."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from segbench.data import read_image, read_pair, resize_image, resize_label
from segbench.errors import DataError, SegbenchError
from segbench.progress import Reporter
from segbench.types import Calibration, ClassMap, Dataset, Frame, Image, Size

COUNT = 128
HELD_BACK = 32
"""At most; of a small data set a fifth is held back."""


def gather(
    dataset: Dataset,
    data_root: Path,
    size: Size,
    reporter: Reporter,
    seed: int = 0,
    count: int = COUNT,
    trained: bool = True,
    split: str = "train",
) -> Calibration:
    """``count`` frames of ``split``, or all there are, at the network's input size.

    Up to 32 others are held back with their labels, unless the network is not ``trained``: then
    there is nothing to compare. Which frames they are follows from ``seed``. Raises SegbenchError
    for a split that scores come from, and DataError where there are no images.
    """
    if split in {"val", "test", dataset.score_split, dataset.predictions_split}:
        raise SegbenchError(
            f"INT8 is not calibrated on {split!r}, from which scores of {dataset.name} come: "
            "calibrate on 'train'."
        )
    folder = dataset.locate(data_root)
    frames = tuple(f for f in dataset.frames(folder, split) if f.image.exists())
    if not frames:
        raise DataError(
            f"INT8 is calibrated on training images, but {folder} has none of {dataset.name}'s "
            f"split {split!r}: give --data-root, or run segbench data check."
        )
    order = np.random.default_rng(seed).permutation(len(frames))
    held_back = min(HELD_BACK, len(frames) // 5) if trained else 0
    chosen = [frames[i] for i in sorted(order[held_back:][:count])]
    images = _images(chosen, size, reporter)
    ids = tuple(frame.id for frame in chosen)
    source = f"{dataset.name} {split}"
    if not held_back:
        return Calibration(source, ids, images)
    others = [frames[i] for i in sorted(order[:held_back])]
    return Calibration(source, ids, images, *_pairs(dataset, others, size, reporter))


def _images(frames: Sequence[Frame], size: Size, reporter: Reporter) -> NDArray[np.uint8]:
    def read(frame: Frame) -> Image:
        return resize_image(read_image(frame.image), size)

    with ThreadPoolExecutor() as pool:
        images = reporter.track(pool.map(read, frames), len(frames), "calibration frames")
        return np.stack(list(images))


def _pairs(
    dataset: Dataset, frames: Sequence[Frame], size: Size, reporter: Reporter
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    def read(frame: Frame) -> tuple[Image, ClassMap]:
        image, label = read_pair(dataset, frame)
        return resize_image(image, size), resize_label(label, size)

    with ThreadPoolExecutor() as pool:
        pairs = reporter.track(pool.map(read, frames), len(frames), "held-back frames")
        images, labels = zip(*pairs, strict=True)
    return np.stack(images), np.stack(labels)
