"""Validate a dataset: every file is decoded, and everything wrong is listed."""

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segbench.data.frames import only_ignored, read_label
from segbench.data.layouts import known_split, provide, read_picture
from segbench.data.pictures import read_image
from segbench.data.skipped import skipped_beside
from segbench.errors import DataError
from segbench.progress import Reporter
from segbench.text import by
from segbench.types import IGNORED, Dataset, Frame, Size


@dataclass(frozen=True)
class Checked:
    """The frames of each split, image counts by size, and everything wrong.

    ``faults`` are messages by frame; ``absent`` are messages about splits without frames or without
    scored pixels. ``skipped`` are picture files that are not read.
    """

    splits: dict[str, tuple[Frame, ...]]
    sizes: dict[Size, int]
    faults: dict[Frame, tuple[str, ...]]
    absent: tuple[str, ...]
    skipped: tuple[Path, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.faults or self.absent)


def check(
    dataset: Dataset, folder: Path, splits: Sequence[str] = (), reporter: Reporter | None = None
) -> Checked:
    """Decode and check every frame of ``splits``, by default of all splits.

    ``folder`` is what ``dataset.locate`` returns. A split without frames, or with only ignored
    pixels, is wrong if it was requested by name, or if training or scoring needs it. DataError for
    an unknown split.
    """
    for split in splits:
        known_split(split, dataset.splits)
    needed = splits or ("train", "val", dataset.score_split)
    found: dict[str, tuple[Frame, ...]] = {}
    absent = []
    for split in splits or dataset.splits:
        try:
            found[split] = tuple(dataset.frames(folder, split))
        except DataError as error:
            found[split] = ()
            if split in needed:
                absent.append(error.message)
    frames = list(dict.fromkeys(frame for members in found.values() for frame in members))
    reporter = reporter or Reporter(quiet=True)
    provide(dataset, folder, frames, reporter)
    with ThreadPoolExecutor() as pool:
        examined = pool.map(lambda frame: _examine(dataset, frame), frames)
        results = dict(zip(frames, reporter.track(examined, len(frames), "check"), strict=True))
    absent.extend(
        only_ignored(dataset, split)
        for split in dict.fromkeys(needed)
        if found.get(split) and all(results[frame].ignored for frame in found[split])
    )
    sizes = Counter(result.size for result in results.values() if result.size)
    usual = dataset.sizes or tuple(size for size, _ in sizes.most_common(1))
    faults = {
        frame: (*result.messages, *_odd_size(frame, result.size, usual))
        for frame, result in results.items()
    }
    return Checked(
        splits=found,
        sizes=dict(sizes.most_common()),
        faults={frame: messages for frame, messages in faults.items() if messages},
        absent=tuple(absent),
        skipped=tuple(skipped_beside(frames)),
    )


@dataclass(frozen=True)
class _Examined:
    """``size`` is None without a readable image, ``ignored`` is whether all pixels are ignored."""

    size: Size | None
    ignored: bool
    messages: tuple[str, ...]


def _examine(dataset: Dataset, frame: Frame) -> _Examined:
    messages: list[str] = []

    def pixels(read: Callable[[Any], NDArray[Any]], source: Path | Frame) -> NDArray[Any] | None:
        try:
            return read(source)
        except DataError as error:
            messages.append(error.message)
            return None

    image = pixels(read_image, frame.image)
    label = pixels(partial(read_label, dataset), frame) if frame.label else None
    instances = pixels(_read_instances, frame.instances) if frame.instances else None
    size = None if image is None else (image.shape[0], image.shape[1])
    for path, other in ((frame.label, label), (frame.instances, instances)):
        if size and other is not None and other.shape != size:
            messages.append(f"{path} is {by(other.shape)}, but its image is {by(size)}.")
    if frame.label and label is not None and instances is not None:
        differ = _disagreeing(np.asarray(read_picture(frame.label)), instances)
        if differ:
            messages.append(f"{frame.instances} disagrees with {frame.label} at {differ} pixels.")
    if frame.calibration and not frame.calibration.is_file():
        messages.append(f"{frame.calibration} is missing.")
    ignored = label is not None and bool((label == IGNORED).all())
    return _Examined(size, ignored, tuple(messages))


def _read_instances(path: Path) -> NDArray[Any]:
    """The instance ids, without a check of their values."""
    ids = np.asarray(read_picture(path))
    if ids.ndim != 2:
        raise DataError(f"{path} has several channels, but instance ids have one.")
    return ids


def _disagreeing(label: NDArray[Any], instances: NDArray[Any]) -> int:
    """The number of pixels whose instance is of another label; 0 for pictures of two sizes."""
    if label.shape != instances.shape:
        return 0
    return int((label != np.where(instances < 1000, instances, instances // 1000)).sum())


def _odd_size(frame: Frame, size: Size | None, usual: tuple[Size, ...]) -> tuple[str, ...]:
    if size is None or size in usual:
        return ()
    sizes = " or ".join(map(by, usual))
    return (f"{frame.image} is {by(size)}, but this dataset's images are {sizes}.",)
