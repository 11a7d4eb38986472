"""Locating Cityscapes' files and reading its labels."""

from pathlib import Path

from segbench.data.layouts import known_split, label_path, no_frames, pngs_in, read_indices
from segbench.types import ClassMap, Frame

from .labels import LABEL_COLORS, LABELS, train_ids_from_label_ids

CITYSCAPES_SPLITS = ("train", "val", "test")

_LARGEST_LABEL_ID = len(LABELS) - 1


def cityscapes_frames(folder: Path, split: str, labelled: bool = True) -> tuple[Frame, ...]:
    """The frames of a split in Cityscapes' layout, by city and id.

    A frame needs an image, labelIds or instanceIds file. With ``labelled`` false only images count
    and every label is None.
    """
    known_split(split, CITYSCAPES_SPLITS)
    images, labels = folder / "leftImg8bit" / split, folder / "gtFine" / split
    kinds = {"_leftImg8bit": images}
    if labelled:
        kinds |= {"_gtFine_labelIds": labels, "_gtFine_instanceIds": labels}
    found = {suffix: _by_city(place, suffix) for suffix, place in kinds.items()}
    keys = sorted(set().union(*found.values()))
    if not keys:
        raise no_frames(split, images, labels)

    def path(key: tuple[str, str], suffix: str) -> Path:
        city, name = key
        return found[suffix].get(key, kinds[suffix] / city / f"{name}{suffix}.png")

    return tuple(
        Frame(
            id=key[1],
            image=path(key, "_leftImg8bit"),
            label=path(key, "_gtFine_labelIds") if labelled else None,
            instances=path(key, "_gtFine_instanceIds") if labelled else None,
        )
        for key in keys
    )


def read_cityscapes_label(frame: Frame) -> ClassMap:
    """A labelIds picture as class map: the 19 evaluated classes in train-id order, else IGNORED."""
    label_ids = read_indices(label_path(frame), _LARGEST_LABEL_ID, LABEL_COLORS)
    return train_ids_from_label_ids[label_ids]


def _by_city(folder: Path, suffix: str) -> dict[tuple[str, str], Path]:
    """Files by city and frame name."""
    cities = [path for path in folder.glob("*") if path.is_dir()]
    return {
        (city.name, name): path for city in cities for name, path in pngs_in(city, suffix).items()
    }
