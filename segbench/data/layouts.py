"""Locating and reading datasets' files; shared by the plugins.

Every reader here raises DataError in one sentence that names the file.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from segbench.data import png
from segbench.data.skipped import skipped_in, skipped_sentence
from segbench.errors import DataError, unknown_name
from segbench.progress import Reporter
from segbench.types import ClassMap, Color, Dataset, Frame


def find_folder(
    root: Path, title: str, names: Iterable[str], holds: Iterable[str], url: str
) -> Path:
    """The dataset's own folder: ``root``, or one of its subfolders ``names``.

    It is recognised by one of the subfolders ``holds``. If not found, the DataError says what was
    looked for and that ``url`` has the dataset.
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


def pngs_in(folder: Path, suffix: str = "") -> dict[str, Path]:
    """The PNGs of ``folder`` whose names end with ``suffix``, keyed by the rest of the name.

    ``.PNG`` also counts; macOS's ``._`` files are skipped.
    """
    if not folder.is_dir():
        return {}
    return {
        path.stem.removesuffix(suffix): path
        for path in sorted(folder.iterdir())
        if path.suffix.lower() == ".png"
        and path.stem.endswith(suffix)
        and not path.name.startswith("._")
    }


def no_frames(split: str, *folders: Path) -> DataError:
    """The error for a split without frames; it lists files skipped in ``folders``."""
    where = " or ".join(map(str, folders))
    skipped = skipped_sentence([path for folder in folders for path in skipped_in(folder)])
    return DataError(f"No frames of the split {split!r} in {where}. {skipped}".strip())


def read_file(path: Path) -> bytes:
    """The content of a regular file; DataError for anything else, which might block."""
    try:
        if not path.exists():
            raise DataError(f"{path} is missing.")
        if not path.is_file():
            kind = "a folder" if path.is_dir() else "neither a file nor a folder"
            raise DataError(f"{path} cannot be read (it is {kind}); replace it.")
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}).") from error


def read_picture(path: Path) -> PIL.Image.Image:
    """A fully decoded picture in its file's mode; a PNG is verified to its end."""
    return decode_picture(read_file(path), path)


def decode_picture(data: bytes, path: Path) -> PIL.Image.Image:
    """The picture in the bytes of a file; ``path`` is for the DataError."""
    with _named(path):
        if data.startswith(png.SIGNATURE):
            return png.decode(data)
        with PIL.Image.open(BytesIO(data)) as picture:
            picture.load()
            return picture


def png_values(data: bytes, path: Path) -> NDArray[Any]:
    """The values, or a palette's indices, in the bytes of a PNG file."""
    with _named(path):
        return png.pixels(data)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Turn any decoder error on a damaged file into a DataError that names it."""
    try:
        yield
    except PIL.UnidentifiedImageError:
        raise _undecodable(path, "its format is unknown") from None
    except MemoryError:
        raise _undecodable(path, "there is not enough memory for it") from None
    except Exception as error:  # decoders raise anything on damaged files
        raise _undecodable(path, str(error) or type(error).__name__) from error


def _undecodable(path: Path, why: str) -> DataError:
    return DataError(f"{path} cannot be decoded as an image ({why}); replace it.")


def read_indices(path: Path, largest: int, colors: Sequence[Color] = ()) -> ClassMap:
    """A label picture as uint8 (H, W): one channel of 8 bits with values up to ``largest``.

    Of a palette picture the indices are read. ``colors`` are the dataset's, in the order of the
    values; a palette that contradicts them is a DataError.
    """
    picture = read_picture(path)
    if picture.mode not in ("L", "P"):
        raise DataError(
            f"{path} is a picture of mode {picture.mode}, but labels have a single 8-bit channel."
        )
    refuse_contradiction(picture, path, largest, colors)
    indices = np.array(picture)
    worst = int(indices.max())
    if worst > largest:
        raise DataError(f"{path} has the label {worst}, but legal labels are 0 to {largest}.")
    return indices


def refuse_contradiction(
    picture: PIL.Image.Image, path: Path, largest: int, colors: Sequence[Color]
) -> None:
    """Raise DataError if a palette's colours mean other values than its indices."""
    if why := _contradiction(picture, largest, colors):
        raise DataError(f"{path} is a palette picture {why}; save it as 8-bit grey.")


def _contradiction(picture: PIL.Image.Image, largest: int, colors: Sequence[Color]) -> str | None:
    """How a palette's colours contradict its indices, or None.

    They do if all colours in use are in ``colors`` (of the values 0, 1, ...), or all are grey
    levels up to ``largest``, and one is at another value's index. A single colour proves nothing.
    """
    if picture.mode != "P" or picture.palette is None:
        return None
    flat = picture.getpalette("RGB") or []
    entries: list[Color] = [(r, g, b) for r, g, b in zip(*[iter(flat)] * 3, strict=True)]
    if len(set(entries)) < 2:
        return None
    used = [index for index, count in enumerate(picture.histogram()) if count]
    shown = {index: entries[index] for index in used if index < len(entries)}
    meanings: dict[Color, set[int]] = {}
    for value, color in enumerate(colors):
        meanings.setdefault(color, set()).add(value)
    greys = {(level, level, level): {level} for level in range(largest + 1)}
    for kind, values_of in (("in the dataset's colours", meanings), ("in grey levels", greys)):
        if not shown or not all(color in values_of for color in shown.values()):
            continue
        wrong = [index for index, color in shown.items() if index not in values_of[color]]
        if not wrong:
            return None
        index, color = wrong[0], shown[wrong[0]]
        value = min(values_of[color])
        return f"{kind} that contradict its indices: {color} means {value}, but is index {index}"
    return None


def read_colors(path: Path, values: Mapping[Color, int]) -> ClassMap:
    """An RGB label picture as uint8 (H, W), with colours mapped to their values."""
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


def available(dataset: Dataset, folder: Path, split: str) -> tuple[Frame, ...]:
    """The frames of a split whose image is on disk or can be created by ``provide``."""
    frames = dataset.frames(folder, split)
    return tuple(frame for frame in frames if dataset.prepare or frame.image.exists())


def provide(
    dataset: Dataset, folder: Path, frames: Sequence[Frame], reporter: Reporter | None = None
) -> None:
    """Create missing files of ``frames`` if the dataset generates its own; call before reading.

    ``folder`` is what ``dataset.locate`` returns.
    """
    if dataset.prepare is not None:
        dataset.prepare(folder, frames, reporter or Reporter(quiet=True))


def label_path(frame: Frame) -> Path:
    """The frame's label file; DataError if the benchmark does not publish it."""
    if frame.label is None:
        raise DataError(f"Frame {frame.id} has no public label; choose a split with labels.")
    return frame.label
