"""The split and file paths of drawn frames; nothing is drawn here."""

from pathlib import Path

SPLITS = ("train", "train", "val", "train", "train", "test", "train", "train")


def split_of(number: int) -> str:
    """Of every eight frames six are for training and one each for val and test."""
    return SPLITS[number % len(SPLITS)]


def cityscapes_files(folder: Path, seed: int, number: int) -> tuple[Path, Path, Path]:
    """The paths of a frame's image, labelIds and instanceIds in ``folder``."""
    split, name = split_of(number), f"streets_{seed:06d}_{number:06d}"
    images = folder / "leftImg8bit" / split / "streets"
    labels = folder / "gtFine" / split / "streets"
    return (
        images / f"{name}_leftImg8bit.png",
        labels / f"{name}_gtFine_labelIds.png",
        labels / f"{name}_gtFine_instanceIds.png",
    )
