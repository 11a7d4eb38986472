"""``--dataset folder``: the user's own images and labels, described by ``classes.json``."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from segbench import (
    MODERN,
    ORIGINAL,
    DataError,
    Dataset,
    DescribedDataset,
    Frame,
    Size,
    hookimpl,
)
from segbench.data.layouts import known_split, no_frames, pngs_in
from segbench.data.pictures import SUFFIXES, read_image

from .description import FILE, read_description
from .score import FolderScore

SPLITS = ("train", "val", "test")


def locate(root: Path) -> Path:
    """``root`` itself, which contains ``images`` and ``classes.json``."""
    if not (root / FILE).is_file() or not (root / "images").is_dir():
        raise DataError(f"{root} lacks {FILE} or images/; name the folder with --data-root.")
    return root


def frames(folder: Path, split: str) -> tuple[Frame, ...]:
    """The frames of a split by name; a frame needs an image or a label file.

    Frames have no label if the split's folder of labels is missing.
    """
    known_split(split, SPLITS)
    place, label_place = folder / "images" / split, folder / "labels" / split
    images, labels = _pictures(place), pngs_in(label_place)
    names = sorted(images.keys() | labels.keys())
    if not names:
        raise no_frames(split, place, label_place)
    labelled = label_place.is_dir()
    return tuple(
        Frame(
            id=name,
            image=images.get(name, place / f"{name}.png"),
            label=labels.get(name, label_place / f"{name}.png") if labelled else None,
        )
        for name in names
    )


def read(root: Path) -> Dataset:
    """The dataset in ``root``; DataError if ``classes.json`` is missing or wrong."""
    description = read_description(root)
    benchmark = FolderScore(description)
    size = description.size or _usual_size(root)
    tested = (root / "labels" / "test").is_dir()
    return Dataset(
        name=f"folder-{description.name}",
        summary=f"{len(description.classes)} classes in a folder",
        classes=description.classes,
        palette=description.palette,
        recipes={
            "modern": replace(MODERN, size=size),
            "original": replace(ORIGINAL, size=size),
        },
        locate=locate,
        frames=frames,
        read_label=benchmark.read_label,
        benchmark=benchmark,
        splits=SPLITS,
        score_split="test" if tested else "val",
        labelling=repr((description.classes, description.ids)),
    )


def _pictures(folder: Path) -> dict[str, Path]:
    """The pictures of a folder by file stem; DataError for a duplicate stem."""
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.suffix.lower() in SUFFIXES and not path.name.startswith("."):
            other = found.setdefault(path.stem, path)
            if other != path:
                raise DataError(f"{other} and {path} have the same name; rename one of them.")
    return found


def _usual_size(root: Path) -> Size:
    """The size of the first training image, or the modern recipe's if there is none."""
    first = next(iter(_pictures(root / "images" / "train").values()), None)
    if first is None:
        return MODERN.size
    height, width, _ = read_image(first).shape
    return height, width


@hookimpl
def segbench_datasets() -> Iterator[DescribedDataset]:
    """A dataset that is read from the data root."""
    yield DescribedDataset(
        name="folder",
        summary="Images and labels of your own, with classes.json in --data-root",
        read=read,
    )
