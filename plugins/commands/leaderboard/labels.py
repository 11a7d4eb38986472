"""The names beside the marks of a plot, where there is room."""

from collections.abc import Container, Sequence
from dataclasses import dataclass

from segbench.text import printable

from .front import Point, valid_front
from .measures import BOTTOM, LEFT, LETTER, RADIUS, RIGHT, TOP

Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""

MOST_TRIED = 100
LONGEST_LABEL = 40
# Label positions beside a mark: anchor, and steps right and down.
BESIDE = (
    ("start", 11, 4),
    ("end", -11, 4),
    ("middle", 0, -11),
    ("middle", 0, 20),
    ("start", 4, 20),
    ("start", 4, -11),
    ("end", -4, 20),
    ("end", -4, -11),
)


@dataclass(frozen=True)
class Label:
    """The name beside a mark; ``x`` and ``y`` are relative to the mark."""

    text: str
    anchor: str
    x: float
    y: float


def labels_of(drawn: Sequence[Point], places: Sequence[tuple[float, float]]) -> list[Label | None]:
    """Labels where there is room, first of the front, then of the best; each name once."""
    front = {id(point) for point in valid_front(drawn)}
    order = sorted(range(len(drawn)), key=lambda n: (id(drawn[n]) not in front, -drawn[n].score))
    taken = [(x - RADIUS, y - RADIUS, x + RADIUS, y + RADIUS) for x, y in places]
    steps = sorted(place for point, place in zip(drawn, places, strict=True) if id(point) in front)
    ends = [*(x for x, _ in steps[1:]), RIGHT]
    taken += [(x, y - 1, end, y + 1) for (x, y), end in zip(steps, ends, strict=False)]
    names = _names(drawn, front)
    labels: list[Label | None] = [None] * len(drawn)
    named: set[str] = set()
    for n in order[:MOST_TRIED]:
        if names[n] in named:
            continue
        found = _with_room(names[n], places[n], taken)
        if found is not None:
            labels[n], box = found
            taken.append(box)
            named |= {names[n], printable(drawn[n].network)}
    return labels


def _names(drawn: Sequence[Point], front: Container[int]) -> list[str]:
    """Network and runtime of the front, the network of the rest; not what all share."""
    if len({point.network for point in drawn}) == 1:
        names = [point.runtime for point in drawn]
    elif len({point.runtime for point in drawn}) == 1:
        names = [point.network for point in drawn]
    else:
        names = [
            f"{point.network} {point.runtime}" if id(point) in front else point.network
            for point in drawn
        ]
    return [_shortened(printable(name)) for name in names]


def _shortened(name: str) -> str:
    return name if len(name) <= LONGEST_LABEL else name[: LONGEST_LABEL - 1] + "…"


def _with_room(
    name: str, place: tuple[float, float], taken: Sequence[Box]
) -> tuple[Label, Box] | None:
    """The label in the first position beside a mark where it covers nothing, and its box."""
    width = LETTER * len(name)
    for anchor, right, down in BESIDE:
        left = place[0] + right - {"start": 0, "middle": 0.5, "end": 1}[anchor] * width
        base = place[1] + down
        box = (left, base - 9, left + width, base + 3)
        inside = left > LEFT and left + width < RIGHT and TOP < base < BOTTOM
        if name and inside and not any(_overlap(box, other) for other in taken):
            return Label(name, anchor, right, down), box
    return None


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
