"""Where Cityscapes keeps its files, and how its labels are read."""

from pathlib import Path

from segbench.data.layouts import known_split, label_path, read_indices
from segbench.errors import DataError
from segbench.types import ClassMap, Frame

from .labels import LABELS, train_ids_from_label_ids

CITYSCAPES_SPLITS = ("train", "val", "test")

_LARGEST_LABEL_ID = max(label.id for label in LABELS)


def cityscapes_frames(folder: Path, split: str, labelled: bool = True) -> tuple[Frame, ...]:
    """The frames of a split in Cityscapes' layout, by city and id.

    A frame counts when its image, its labelIds or its instanceIds picture is there. With
    ``labelled`` false only images count and every label is None.
    """
    known_split(split, CITYSCAPES_SPLITS)
    images, labels = folder / "leftImg8bit" / split, folder / "gtFine" / split
    found = {
        (path.parent.name, path.name.removesuffix("_leftImg8bit.png"))
        for path in images.glob("*/*_leftImg8bit.png")
    }
    if labelled:
        found |= {
            (path.parent.name, path.name.removesuffix(suffix))
            for suffix in ("_gtFine_labelIds.png", "_gtFine_instanceIds.png")
            for path in labels.glob(f"*/*{suffix}")
        }
    if not found:
        raise DataError(f"No frames of the split {split!r} in {images} or {labels}.")
    return tuple(
        Frame(
            id=name,
            image=images / city / f"{name}_leftImg8bit.png",
            label=labels / city / f"{name}_gtFine_labelIds.png" if labelled else None,
            instances=labels / city / f"{name}_gtFine_instanceIds.png" if labelled else None,
        )
        for city, name in sorted(found)
    )


def read_cityscapes_label(frame: Frame) -> ClassMap:
    """A labelIds picture as class map: the 19 evaluated classes in train-id order, else IGNORED."""
    label_ids = read_indices(label_path(frame), _LARGEST_LABEL_ID)
    return train_ids_from_label_ids[label_ids]
