"""Prediction PNGs from any system: matching files to frames, and reading them.

A file belongs to a frame if its name starts with the frame's id or image name, not followed by
another digit: ``frankfurt_000000_000294_pred.png`` is a prediction of ``frankfurt_000000_000294``.
Subfolders are searched too, including linked ones.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from segbench.data import png
from segbench.data.layouts import png_values, read_file
from segbench.data.skipped import skipped_in
from segbench.errors import DataError
from segbench.types import Frame

_COLOR_TYPES = {0: "grey", 2: "RGB", 3: "palette", 4: "grey with alpha", 6: "RGB with alpha"}


@dataclass(frozen=True)
class Matched:
    """The frames with exactly one prediction, in order, and what is wrong with the rest.

    ``skipped`` are picture files that are not read.
    """

    pairs: tuple[tuple[Frame, Path], ...]
    faults: tuple[str, ...]
    skipped: tuple[Path, ...] = ()


def match_predictions(frames: Sequence[Frame], folder: Path) -> Matched:
    """Find each frame's prediction in ``folder``.

    DataError if the folder is missing, has no PNG, or none of its PNGs matches a frame.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder; name the folder of the predictions.")
    folders = list(_folders(folder))
    files = sorted(
        path
        for place in folders
        for path in place.iterdir()
        if path.suffix.lower() == ".png" and not path.name.startswith(".")
    )
    if not files:
        raise DataError(f"{folder} contains no PNG; name the folder of the predictions.")
    found: dict[str, list[Path]] = {frame.id: [] for frame in frames}
    names = {frame.image.stem: frame.id for frame in frames} | {name: name for name in found}
    extra: list[Path] = []
    for path in files:
        name = _owner(path.stem, names)
        (extra if name is None else found[names[name]]).append(path)
    if len(extra) == len(files):
        raise DataError(
            f"None of the {len(files)} PNGs in {folder} matches a frame of the split, "
            f"as {frames[0].id}.png would; check the folder, the names and --split."
        )
    return Matched(
        pairs=tuple((frame, found[frame.id][0]) for frame in frames if len(found[frame.id]) == 1),
        faults=(
            *(f"{name}: no prediction" for name, paths in found.items() if not paths),
            *(
                f"{name}: {len(paths)} predictions, {' and '.join(map(str, paths))}"
                for name, paths in found.items()
                if len(paths) > 1
            ),
            *(f"{path}: does not match a frame of the split" for path in extra),
        ),
        skipped=tuple(path for place in folders for path in skipped_in(place)),
    )


def read_prediction(path: Path, palette: bool = False) -> NDArray[np.uint8]:
    """The values (H, W) of a PNG with a single channel of 8 bits; DataError for any other file.

    With ``palette`` the indices of a palette PNG are read, as official tools do.
    """
    data = read_file(path)
    try:
        header = png.read_header(data)
    except ValueError as error:
        raise DataError(f"{path}: is not a PNG") from error
    indexed = palette and header.color_type == png.PALETTE
    if not indexed and (header.depth, header.color_type) != (8, png.GREY):
        given = f"{header.depth}-bit {_COLOR_TYPES.get(header.color_type, 'unknown')}"
        due = "8-bit grey or a palette" if palette else "single-channel 8-bit (grey)"
        raise DataError(f"{path}: is {given}, but a prediction is {due}")
    return png_values(data, path)


def _folders(top: Path) -> Iterator[Path]:
    """``top`` and its subfolders, following links, each once."""
    seen = set()
    for place, below, _ in os.walk(top, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:
            below.clear()
            continue
        seen.add(real)
        below.sort()
        yield Path(place)


def _owner(stem: str, ids: Iterable[str]) -> str | None:
    ends = range(len(stem), 0, -1)
    whole = (stem[:end] for end in ends if not stem[end : end + 1].isdigit())
    return next((prefix for prefix in whole if prefix in ids), None)


def to_uint8_probability(probability: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Probabilities in 0..1 as PNG levels 0..255, rounded half up.

    DataError if one is NaN or outside 0..1 by more than float32 rounding.
    """
    low, high = probability.min(), probability.max()
    if not (low >= -1e-6 and high <= 1 + 1e-6):
        raise DataError(f"A probability must lie in 0..1, but these go from {low} to {high}.")
    return (probability * 255 + 0.5).astype(np.uint8)
