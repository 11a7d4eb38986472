"""Where data sets keep their files, and how their pictures are read; shared by the plugins.

Every reader here raises DataError in one sentence that names the file.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import PIL.Image

from segbench.errors import DataError, unknown_name
from segbench.types import ClassMap, Color, Frame


def find_folder(
    root: Path, title: str, names: Iterable[str], holds: Iterable[str], url: str
) -> Path:
    """The data set's own folder: ``root``, or one of its subfolders ``names``.

    It is known by holding one of the subfolders ``holds``. Where there is none, the DataError
    says what was looked for and that ``url`` has the data set.
    """
    candidates = [root, *(root / name for name in names)]
    for folder in candidates:
        if any((folder / part).is_dir() for part in holds):
            return folder
    looked_for = " or ".join(f"{part}/" for part in holds)
    where = ", ".join(str(folder) for folder in candidates)
    raise DataError(
        f"No {title} data: looked for {looked_for} in {where}; "
        f"get it from {url} and name its folder with --data-root or SEGBENCH_DATA."
    )


def known_split(split: str, splits: Iterable[str]) -> None:
    """Raise DataError, with the nearest name, unless ``split`` is one of ``splits``."""
    if split not in splits:
        raise DataError(unknown_name("split", split, splits))


def read_picture(path: Path) -> PIL.Image.Image:
    """A fully decoded picture in the mode of its file."""
    try:
        with PIL.Image.open(path) as picture:
            picture.load()
            return picture
    except FileNotFoundError:
        raise DataError(f"{path} is missing.") from None
    except (OSError, SyntaxError, ValueError, PIL.Image.DecompressionBombError) as error:
        raise DataError(f"{path} cannot be decoded as an image; replace it.") from error


def read_indices(path: Path, largest: int) -> ClassMap:
    """A label picture as uint8 (H, W): one channel of 8 bits with values up to ``largest``."""
    picture = read_picture(path)
    if picture.mode not in ("L", "P"):
        raise DataError(
            f"{path} is a picture of mode {picture.mode}, but labels have a single 8-bit channel."
        )
    indices = np.array(picture)
    worst = int(indices.max())
    if worst > largest:
        raise DataError(f"{path} has the label {worst}, but legal labels are 0 to {largest}.")
    return indices


def read_colors(path: Path, values: Mapping[Color, int]) -> ClassMap:
    """A label picture in RGB as uint8 (H, W): each colour becomes its value."""
    picture = read_picture(path)
    if picture.mode != "RGB":
        raise DataError(f"{path} is a picture of mode {picture.mode}, but its labels are in RGB.")
    pixels = np.array(picture)
    red, green, blue = np.moveaxis(pixels, 2, 0)
    class_map = np.zeros(red.shape, np.uint8)
    legal = np.zeros(red.shape, np.bool_)
    for (r, g, b), value in values.items():
        here = (red == r) & (green == g) & (blue == b)
        class_map[here] = value
        legal |= here
    if not legal.all():
        color = tuple(pixels[~legal][0].tolist())
        raise DataError(f"{path} has the colour {color}, but legal are {list(values)}.")
    return class_map


def label_path(frame: Frame) -> Path:
    """The frame's label file, or DataError where the benchmark keeps the labels to itself."""
    if frame.label is None:
        raise DataError(f"Frame {frame.id} has no public label; choose a split with labels.")
    return frame.label
