"""``classes.json``: the classes of a folder, with every key validated."""

import colorsys
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segbench import IGNORED, Color, DataError, Size
from segbench.errors import unknown_name
from segbench.files import read_text

FILE = "classes.json"
KEYS = ("name", "classes", "ignored", "size")
CLASS_KEYS = ("name", "color", "id")


@dataclass(frozen=True)
class Description:
    """The file's content: ``ids`` and ``ignored`` are values of label pictures.

    ``size`` is the network's input size, None if not given.
    """

    name: str
    classes: tuple[str, ...]
    palette: tuple[Color, ...]
    ids: tuple[int, ...]
    ignored: tuple[int, ...] = (IGNORED,)
    size: Size | None = None


def read_description(folder: Path) -> Description:
    """The description in ``folder``; DataError says what is wrong with it."""
    path = folder / FILE
    try:
        return _description(json.loads(read_text(path)), folder.resolve().name)
    except OSError as error:
        raise DataError(
            f"Cannot read {path}; --dataset folder needs it in --data-root, "
            "beside images/ and labels/ (docs/your-data.md)."
        ) from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: {error}.") from error


def _description(said: Any, folder: str) -> Description:
    _check_keys(said, KEYS, ("classes",), "the file")
    entries = said["classes"]
    if not isinstance(entries, list) or not 2 <= len(entries) <= IGNORED:
        raise ValueError(f"classes is not a list of 2 to {IGNORED} classes")
    for number, entry in enumerate(entries):
        _check_keys(entry, CLASS_KEYS, ("name",), f"class {number}")
    names = [_text(entry["name"], f"the name of class {n}") for n, entry in enumerate(entries)]
    ids = [_whole(entry.get("id", n), f"the id of {names[n]!r}") for n, entry in enumerate(entries)]
    default = said.get("ignored", [value for value in (IGNORED,) if value not in ids])
    if not isinstance(default, list):
        raise ValueError("ignored is not a list of label values")
    ignored = [_whole(value, "a value in ignored") for value in default]
    for what, values in (("class is called", names), ("class has the id", ids)):
        if twice := _twice(values):
            raise ValueError(f"more than one {what} {twice[0]!r}")
    if both := set(ids) & set(ignored):
        raise ValueError(f"the label value {min(both)} is both a class and ignored")
    return Description(
        _slug(_text(said.get("name", folder), "name")),
        tuple(names),
        tuple(_color(entry, n, len(entries)) for n, entry in enumerate(entries)),
        tuple(ids),
        tuple(ignored),
        _size(said["size"]) if "size" in said else None,
    )


def _check_keys(said: Any, known: Sequence[str], needed: Sequence[str], what: str) -> None:
    if not isinstance(said, Mapping):
        raise ValueError(f"{what} is {said!r:.40}, not an object with {', '.join(known)}")
    for key in said:
        if key not in known:
            raise ValueError(f"{what}: " + unknown_name("key", key, known).rstrip("."))
    for key in needed:
        if key not in said:
            raise ValueError(f"{what} has no {key}")


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise ValueError(f"{what} is {value!r:.40}, not text")
    return value


def _whole(value: Any, what: str) -> int:
    if type(value) is not int or not 0 <= value <= IGNORED:
        raise ValueError(f"{what} is {value!r:.40}, not a whole number from 0 to {IGNORED}")
    return value


def _color(entry: Mapping[str, Any], number: int, count: int) -> Color:
    """The class's colour, or one of ``count`` hues."""
    if "color" not in entry:
        shades = colorsys.hsv_to_rgb(number / count, 0.75, 0.6 + 0.4 * (number % 2))
        red, green, blue = (round(255 * shade) for shade in shades)
        return red, green, blue
    color, what = entry["color"], f"the color of {entry['name']!r}"
    if not isinstance(color, list) or len(color) != 3:
        raise ValueError(f"{what} is {color!r:.40}, not [red, green, blue]")
    red, green, blue = (_whole(level, what) for level in color)
    return red, green, blue


def _size(size: Any) -> Size:
    whole = isinstance(size, list) and len(size) == 2 and all(type(each) is int for each in size)
    if not whole or not all(0 < each <= 2**14 for each in size):
        raise ValueError(f"size is {size!r:.40}, not [height, width]")
    return size[0], size[1]


def _twice(values: Sequence[Any]) -> list[Any]:
    return [value for value in values if values.count(value) > 1]


def _slug(name: str) -> str:
    return re.sub("[^a-z0-9._-]+", "-", name.lower()).strip("-") or "unnamed"
