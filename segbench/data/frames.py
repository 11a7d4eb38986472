"""Images decoded once: a memory-mapped cache of every split at training size.

It is keyed by the content of the files and the size.
"""

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from segbench.cache import cache_dir, cached
from segbench.data.layouts import known_split, provide, read_file
from segbench.data.pictures import read_image
from segbench.data.skipped import skipped_beside, skipped_sentence
from segbench.errors import DataError, SegbenchError
from segbench.files import check_writable
from segbench.progress import Reporter
from segbench.text import by
from segbench.types import IGNORED, ClassMap, Dataset, Frame, Image, Size
from segbench.workers.threads import Threads

FORMAT = 5
"""Increase it when decoding, resizing or a label mapping changes."""


@dataclass(frozen=True)
class Split:
    """The frames of a split at one size: ``images`` (N, H, W, 3) and ``labels`` (N, H, W)."""

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]


def resize_image(image: Image, size: Size) -> Image:
    """The mean of the area that a pixel covers, bilinear where a side grows.

    All images are resized to the network's size by this. Half the size is the mean of 2x2 pixels,
    as by the bilinear resizing of OpenCV and PyTorch, which most networks were trained with.
    """
    if image.shape[:2] == size:
        return image
    height, width = size
    shrinks = height <= image.shape[0] and width <= image.shape[1]
    filtering = PIL.Image.Resampling.BOX if shrinks else PIL.Image.Resampling.BILINEAR
    return np.array(PIL.Image.fromarray(image).resize((width, height), filtering))


def resize_label(label: ClassMap, size: Size) -> ClassMap:
    """Nearest neighbour."""
    if label.shape == size:
        return label
    height, width = size
    resized = PIL.Image.fromarray(label).resize((width, height), PIL.Image.Resampling.NEAREST)
    return np.asarray(resized)


def read_label(dataset: Dataset, frame: Frame) -> ClassMap:
    """A frame's label; DataError if the dataset's plugin returns anything but class indices."""
    label = dataset.read_label(frame)
    if label.dtype != np.uint8:
        raise DataError(
            f"{frame.label}: {dataset.name} reads labels as {label.dtype}; its plugin must return "
            "uint8."
        )
    if (wrong := (label >= len(dataset.classes)) & (label != IGNORED)).any():
        raise DataError(
            f"{frame.label} has the class {label[wrong][0]}, but {dataset.name} has the classes 0 "
            f"to {len(dataset.classes) - 1}, and {IGNORED} for ignored pixels."
        )
    return label


def read_pair(dataset: Dataset, frame: Frame) -> tuple[Image, ClassMap]:
    """A frame's image and label; raises DataError when their sizes differ."""
    image, label = read_image(frame.image), read_label(dataset, frame)
    if image.shape[:2] != label.shape:
        raise DataError(
            f"{frame.label} is {by(label.shape)}, but its image {frame.image} is "
            f"{by(image.shape[:2])} (height x width); run segbench data check."
        )
    return image, label


def labelled_frames(
    dataset: Dataset,
    folder: Path,
    split: str,
    limit: int | None = None,
    reporter: Reporter | None = None,
) -> tuple[Frame, ...]:
    """The first ``limit`` frames of a split, each of which has an image and a label on disk.

    Files that are skipped are listed on ``reporter``. SegbenchError for a limit below 1.
    """
    if limit is not None and limit < 1:
        raise SegbenchError(f"--limit {limit}: at least one frame is needed.")
    known_split(split, dataset.splits)
    frames = tuple(dataset.frames(folder, split))[:limit]
    if not frames:
        raise DataError(f"Split {split!r} of {dataset.name} has no frames in {folder}.")
    provide(dataset, folder, frames, reporter)
    unlabelled = sum(frame.label is None for frame in frames)
    needed = [path for frame in frames for path in (frame.image, frame.label) if path is not None]
    missing = [path for path in needed if not path.is_file()]
    if missing or unlabelled:
        first = f", first {missing[0]}" if missing else ""
        raise DataError(
            f"Split {split!r} of {dataset.name} in {folder} has {len(frames)} frames, "
            f"{unlabelled} without public labels and {len(missing)} files missing{first}; "
            "run segbench data check."
        )
    if reporter and (skipped := skipped_beside(frames)):
        reporter.say(skipped_sentence(skipped))
    return frames


def check_scorable(dataset: Dataset, frame: Frame, label_scale: int) -> None:
    """Raise DataError for missing files before training rather than when scoring."""
    blank = np.zeros(dataset.read_label(frame).shape, np.uint8)
    dataset.benchmark.count(frame, blank, label_scale)


def check_some_labelled(dataset: Dataset, split: str, frames: Sequence[Frame]) -> None:
    """Raise DataError if all pixels are ignored; stops at the first labelled pixel."""
    if all((dataset.read_label(frame) == IGNORED).all() for frame in frames):
        raise DataError(only_ignored(dataset, split))


def only_ignored(dataset: Dataset, split: str) -> str:
    """The message for a split without labelled pixels."""
    return (
        f"All labels of the split {split!r} of {dataset.name} are ignored pixels, so it cannot be "
        "trained or scored on; check the label files."
    )


def fingerprint(dataset: Dataset, frames: Sequence[Frame], reporter: Reporter) -> str:
    """A hex digest of the frames' ids, images, labels and labelling, independent of the folder.

    Instances and calibrations are not part of it. DataError if a file cannot be read.
    """

    def digest(frame: Frame) -> bytes:
        whole = hashlib.sha256(os.fsencode(frame.id))
        for path in (frame.image, frame.label):
            if path is not None:
                whole.update(hashlib.sha256(read_file(path)).digest())
        return whole.digest()

    total = hashlib.sha256(dataset.labelling.encode())
    with ThreadPoolExecutor() as pool:
        for part in reporter.track(pool.map(digest, frames), len(frames), "fingerprint"):
            total.update(part)
    return total.hexdigest()[:16]


def cached_split(
    dataset: Dataset, frames: Sequence[Frame], size: Size, content: str, reporter: Reporter
) -> Split:
    """The frames at ``size``, from the cache or decoded; ``content`` is their fingerprint."""
    place = cache_dir("frames") / f"v{FORMAT}-{dataset.name}-{content}-{by(size)}"
    cached(place, lambda draft: _decode(dataset, frames, size, draft, reporter), reporter)
    return Split(
        np.load(place / "images.npy", mmap_mode="r"), np.load(place / "labels.npy", mmap_mode="r")
    )


def _decode(
    dataset: Dataset, frames: Sequence[Frame], size: Size, folder: Path, reporter: Reporter
) -> None:
    def decode(frame: Frame) -> tuple[Image, ClassMap]:
        image, label = read_pair(dataset, frame)
        return resize_image(image, size), resize_label(label, size)

    count = len(frames)
    check_writable(cache_dir("frames"), "SEGBENCH_CACHE", count * size[0] * size[1] * 4)
    folder.mkdir()
    with (
        (folder / "images.npy").open("wb") as images,
        (folder / "labels.npy").open("wb") as labels,
        Threads() as threads,
    ):
        _write_header(images, (count, *size, 3))
        _write_header(labels, (count, *size))
        pairs = threads.map(decode, frames)
        for image, label in reporter.track(pairs, count, f"decode {dataset.name}"):
            images.write(image.tobytes())
            labels.write(label.tobytes())


def _write_header(file: IO[bytes], shape: tuple[int, ...]) -> None:
    """NumPy's header; data is written, not mapped, so a full disk is an error, not a SIGBUS."""
    described: dict[str, Any] = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, described)
