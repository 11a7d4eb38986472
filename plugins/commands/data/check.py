"""Validate a dataset: every file is decoded, and everything wrong is listed."""

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
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
    messages = []
    ignored = False

    def labelled(frame: Frame) -> NDArray[Any]:
        nonlocal ignored
        label = read_label(dataset, frame)
        ignored = bool((label == IGNORED).all())
        return label

    def size_of(read: Callable[[Any], NDArray[Any]], source: Path | Frame) -> Size | None:
        try:
            height, width = read(source).shape[:2]
        except DataError as error:
            messages.append(error.message)
            return None
        return height, width

    image = size_of(read_image, frame.image)
    others = {}
    if frame.label:
        others[frame.label] = size_of(labelled, frame)
    if frame.instances:
        others[frame.instances] = size_of(_read_raw, frame.instances)
    for path, size in others.items():
        if image and size and size != image:
            messages.append(f"{path} is {by(size)}, but its image is {by(image)}.")
    sizes = list(others.values())
    if frame.label and frame.instances and sizes[0] and sizes[0] == sizes[1]:
        messages.extend(_contradiction(frame.label, frame.instances))
    if frame.calibration and not frame.calibration.is_file():
        messages.append(f"{frame.calibration} is missing.")
    return _Examined(image, ignored, tuple(messages))


def _contradiction(label: Path, instances: Path) -> list[str]:
    ids, numbers = _read_raw(label), _read_raw(instances)
    if ids.shape != numbers.shape:
        return []
    differ = ids != np.where(numbers < 1000, numbers, numbers // 1000)
    if not differ.any():
        return []
    return [f"{instances} disagrees with {label} at {differ.sum()} pixels."]


def _read_raw(path: Path) -> NDArray[Any]:
    return np.asarray(read_picture(path))


def _odd_size(frame: Frame, size: Size | None, usual: tuple[Size, ...]) -> tuple[str, ...]:
    if size is None or size in usual:
        return ()
    sizes = " or ".join(map(by, usual))
    return (f"{frame.image} is {by(size)}, but this dataset's images are {sizes}.",)
