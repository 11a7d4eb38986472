"""Calibration frames for INT8: training images, never frames that are scored."""

import hashlib
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from segbench.data.frames import read_pair, resize_image, resize_label
from segbench.data.layouts import available, provide
from segbench.data.pictures import read_image
from segbench.errors import DataError, SegbenchError
from segbench.progress import Reporter
from segbench.types import Calibration, ClassMap, Dataset, Frame, Image, Size

SPLIT = "train"
COUNT = 128
HELD_BACK = 32
"""The maximum; a fifth of a small dataset is held back."""


def gather(
    dataset: Dataset,
    data_root: Path,
    size: Size,
    reporter: Reporter,
    count: int | None = None,
    trained: bool = True,
    scored: Collection[Frame] = (),
) -> Calibration:
    """Up to ``count`` training frames (None: 128) at the network's input size.

    If the network is ``trained``, up to 32 others are held back with their labels for comparison.
    The choice is deterministic. Raises SegbenchError if a training frame is among those to be
    ``scored``, and DataError if there are no images.
    """
    folder = dataset.locate(data_root)
    frames = available(dataset, folder, SPLIT)
    if not frames:
        raise DataError(
            f"INT8 is calibrated on training images, but {folder} has none of {dataset.name}'s "
            f"split {SPLIT!r}: give --data-root, or run segbench data check."
        )
    if not {f.image for f in frames}.isdisjoint(f.image for f in scored):
        raise SegbenchError(
            f"INT8 is calibrated on {dataset.name}'s split {SPLIT!r}, which has frames that are "
            "to be scored; score another --split, or a runtime that is not INT8."
        )
    order = np.random.default_rng(0).permutation(len(frames))
    held_back = min(HELD_BACK, len(frames) // 5) if trained else 0
    chosen = [frames[i] for i in sorted(order[held_back:][: count or COUNT])]
    others = [frames[i] for i in sorted(order[:held_back])]
    provide(dataset, folder, [*chosen, *others], reporter)
    images = _images(chosen, size, reporter)
    ids = tuple(frame.id for frame in chosen)
    source = f"{dataset.name} {SPLIT}"
    if not held_back:
        return Calibration(source, ids, images)
    return Calibration(source, ids, images, *_pairs(dataset, others, size, reporter))


def digest(calibration: Calibration) -> str:
    """A digest (12 hex digits) of the frames, their pixels and the held-back frames."""
    whole = hashlib.sha256(repr((calibration.source, calibration.frames)).encode())
    for array in (
        calibration.images,
        calibration.held_back_images,
        calibration.held_back_labels,
    ):
        if array is not None:
            whole.update(repr(array.shape).encode())
            whole.update(np.ascontiguousarray(array).data)
    return whole.hexdigest()[:12]


def summarise(calibration: Calibration) -> str:
    """``128@0123456789ab``: number of frames and digest, for a record's configuration."""
    return f"{len(calibration.frames)}@{digest(calibration)}"


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
