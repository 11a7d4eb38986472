"""The contract of a dataset."""

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from segbench.data.layouts import provide
from segbench.data.pictures import read_image
from segbench.errors import DataError
from segbench.testing.shared import check_name
from segbench.types import IGNORED, Dataset, Frame


def check_dataset(dataset: Dataset, root: Path | None = None) -> None:
    """Check a dataset's description; with a data root also its frames, labels and score."""
    check_name(dataset.name, dataset.summary)
    classes = len(dataset.classes)
    assert classes == len(set(dataset.classes)) > 1, "classes needs two or more different names"
    assert len(dataset.palette) == classes, "palette needs one colour per class"
    levels = [level for color in dataset.palette for level in color]
    assert len(levels) == 3 * classes, "a colour must be (red, green, blue)"
    assert all(0 <= level <= 255 for level in levels), "colour levels must be 0 to 255"
    assert {"modern", "original"} <= dataset.recipes.keys(), "recipes needs 'modern' and 'original'"
    for name, recipe in dataset.recipes.items():
        assert recipe.name == name, f"the recipe under {name!r} is named {recipe.name!r}"
    assert {"train", "val", dataset.score_split} <= set(dataset.splits), (
        "splits needs train, val and the score_split"
    )
    _check_ids(dataset)
    if root is None:
        _check_missing_root(dataset)
    else:
        _check_frames(dataset, dataset.locate(root))


def _check_ids(dataset: Dataset) -> None:
    benchmark, classes = dataset.benchmark, len(dataset.classes)
    assert benchmark.score_name, "the benchmark must name its headline figure"
    if benchmark.output == "probability":
        assert classes == 2, "a probability output needs exactly two classes"
        return
    assert len(set(benchmark.ids)) == len(benchmark.ids) == classes, "ids needs one id per class"
    assert all(0 <= value <= 255 for value in benchmark.ids), "ids must be 0 to 255"


def _check_missing_root(dataset: Dataset) -> None:
    with tempfile.TemporaryDirectory() as empty:
        try:
            folder = dataset.locate(Path(empty))
        except DataError:
            return
        assert folder.is_dir(), "locate must raise DataError for a root without the dataset"


def _check_frames(dataset: Dataset, folder: Path) -> None:
    images = {}
    for split in ("train", "val", dataset.score_split):
        frames = dataset.frames(folder, split)
        ids = [frame.id for frame in frames]
        again = [frame.id for frame in dataset.frames(folder, split)]
        assert ids == again, f"{split}: the order of the frames changes"
        assert len(set(ids)) == len(ids), f"{split}: duplicate frame ids"
        assert any(frame.label for frame in frames), f"{split}: no frame has a label"
        labelled = [frame for frame in frames if frame.label][:2]
        provide(dataset, folder, labelled)
        _check_labels(dataset, labelled)
        images[split] = {frame.image for frame in frames}
    for split in images.keys() - {"train"}:
        assert not images["train"] & images[split], f"{split}: a frame is in train too"


def _check_labels(dataset: Dataset, frames: Sequence[Frame]) -> None:
    benchmark = dataset.benchmark
    for frame in frames:
        label = dataset.read_label(frame)
        assert label.dtype == np.uint8, f"{frame.id}: the class map is {label.dtype}, not uint8"
        size = read_image(frame.image).shape[:2]
        assert label.shape == size, f"{frame.id}: the label is {label.shape}, the image {size}"
        legal = (label < len(dataset.classes)) | (label == IGNORED)
        assert legal.all(), f"{frame.id}: {label[~legal][0]} is neither a class nor IGNORED"
        counts = benchmark.count(frame, _as_prediction(dataset, label))
        classes = len(dataset.classes)
        shape = counts["confusion"].shape if "confusion" in counts else None
        assert shape == (classes, classes + 1), f"counts['confusion'] is {shape}, not (C, C + 1)"
        summary = benchmark.summarise(counts)
        json.dumps(summary, allow_nan=False)
        score = benchmark.score(summary)
        assert score is None or score > 0.999, f"{frame.id}: its own label scores only {score}"


def _as_prediction(dataset: Dataset, label: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if dataset.benchmark.output == "probability":
        return np.where(label == 1, 255, 0).astype(np.uint8)
    ids = np.full(256, dataset.benchmark.ids[0], np.uint8)
    ids[: len(dataset.classes)] = dataset.benchmark.ids
    return ids[label]
