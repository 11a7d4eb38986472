"""Palette pictures as labels: their indices count, unless their colours plainly say otherwise."""

from collections.abc import Sequence

import PIL.Image

from segbench.types import Color


def contradiction(
    picture: PIL.Image.Image, largest: int, colors: Sequence[Color] = ()
) -> str | None:
    """How a palette's colours contradict its indices, or None.

    They do where all colours in use are ``colors``, those of the values 0, 1, ... of the dataset,
    or all are grey levels up to ``largest``, and one stands at an index of another value. A palette
    of a single colour says nothing.
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
