"""The user's own pictures: finding and reading them, in any mode."""

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from glob import glob, has_magic
from pathlib import Path

import numpy as np
import PIL.Image
from PIL import ImageOps

from segbench.data.layouts import read_picture
from segbench.data.skipped import skipped_in, skipped_sentence
from segbench.errors import DataError
from segbench.types import Image

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")


def find_pictures(inputs: Iterable[str]) -> list[Path]:
    """The files that ``inputs`` name, each once: files, folders and globs (``**`` goes deeper).

    Two links to one picture count as two, since their names differ. DataError for an
    input that does not exist, matches nothing, or is a folder without pictures.
    """
    unique: dict[Path, Path] = {}
    for given in inputs:
        for path in _expand(given):
            unique.setdefault(path.parent.resolve() / path.name, path)
    return list(unique.values())


def pictures_in(folder: Path) -> list[Path]:
    """The pictures of a folder, not of its subfolders, with 2 before 10; DataError for none."""
    found = [
        path
        for path in folder.iterdir()
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    ]
    if not found:
        raise DataError(
            f"{folder} holds no pictures ({', '.join(SUFFIXES)}); those in subfolders are named "
            f"by '{folder}/**/*.png'. {skipped_sentence(skipped_in(folder))}".rstrip()
        )
    return sorted(found, key=_by_number)


def read_image(path: Path) -> Image:
    """Any picture as RGB (H, W, 3), upright where its EXIF can be read; see ``to_rgb``.

    Only the first picture of a file is read. DataError if it cannot be read.
    """
    picture = read_picture(path)
    with suppress(Exception):  # damaged EXIF can raise any error
        picture = ImageOps.exif_transpose(picture)
    return to_rgb(picture, path)


def to_rgb(picture: PIL.Image.Image, path: Path) -> Image:
    """A picture of any mode as RGB (H, W, 3); ``path`` is for the DataError.

    Transparent pixels are blended with white, as in a viewer. 16 bits are cut to the upper 8.
    """
    try:
        return np.array(_rgb(picture))
    except Exception as error:  # a damaged file makes a decoder raise anything
        raise DataError(
            f"{path} is a picture of mode {picture.mode} that cannot be shown as RGB; save it "
            "with 8 or 16 bits a channel."
        ) from error


def _rgb(picture: PIL.Image.Image) -> PIL.Image.Image:
    if picture.mode.startswith("I;16"):
        levels = np.asarray(picture).astype(np.uint16) >> 8
        return PIL.Image.fromarray(levels.astype(np.uint8)).convert("RGB")
    if picture.mode in ("I", "F"):
        raise ValueError("the range of 32-bit pixels is not known")
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        white = PIL.Image.new("RGBA", picture.size, "white")
        picture = PIL.Image.alpha_composite(white, picture)
    return picture.convert("RGB")


def _expand(given: str) -> Sequence[Path]:
    path = Path(given)
    if path.is_dir():
        return pictures_in(path)
    if path.exists():
        return [path]
    if not has_magic(given):
        raise DataError(f"{given} does not exist; name pictures, folders or globs.")
    matches = glob(given, recursive=True)  # noqa: PTH207 - Path.glob takes no absolute pattern
    files = [path for path in map(Path, matches) if path.is_file()]
    if not files:
        raise DataError(f"No file matches {given}; look at the folder and the pattern.")
    return sorted(files, key=_by_number)


def _by_number(path: Path) -> list[str | int]:
    parts = re.split(r"(\d+)", str(path))
    return [int(part) if part.isdecimal() else part for part in parts]
