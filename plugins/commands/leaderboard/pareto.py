"""The Pareto front of score and latency, and its plot.

The plot is SVG: a few kilobytes, follows the page's colours, prints, and its points can be reached
with the keyboard.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import cos, floor, log10, pi, sin
from typing import Any

from segbench.analysis.columns import DIGITS
from segbench.text import printable

WIDTH = 640
LEFT, RIGHT, TOP, BOTTOM = 68, 628, 14, 320
LINE, LETTER = 20, 6.2
COLORS = 8
RADIUS = 6.5
# A point is near the front if raising its score by this share of the best one puts it there.
NEAR = 0.1
# Margin beside the outermost latencies, as a factor; even a single value gets a tick.
MARGIN = 1.6
MOST_TICKS = 8
MOST_LABELS = 60
LONGEST_LABEL = 40
# Label positions beside a mark: anchor, and steps right and down.
BESIDE = (("start", 11, 4), ("end", -11, 4), ("middle", 0, -11), ("middle", 0, 20))
# Corners, rotation in degrees, and the radius of every other corner.
SHAPES = (
    (24, 0, 1.0),
    (4, 45, 1.0),
    (3, 0, 1.0),
    (4, 0, 1.0),
    (3, 180, 1.0),
    (10, 0, 0.45),
    (8, 45, 0.4),
    (6, 0, 1.0),
    (8, 0, 0.4),
    (3, 90, 1.0),
    (12, 0, 0.55),
    (3, 270, 1.0),
    (5, 0, 1.0),
    (6, 0, 0.35),
    (6, 180, 0.35),
    (16, 0, 0.6),
)


@dataclass(frozen=True)
class Point:
    """A network's score (more is better) and latency in ms; ``details`` are lines of text.

    ``row`` is its row number in a table that may be filtered.
    """

    ms: float
    score: float
    network: str = ""
    runtime: str = ""
    verdict: str | None = "VALID"
    details: str = ""
    row: int = 0


@dataclass(frozen=True)
class Key:
    """The key of colours and marks, shared by all plots of a page: a name's index decides."""

    networks: Sequence[str]
    runtimes: Sequence[str]


@dataclass(frozen=True)
class Label:
    """The name beside a mark; ``x`` and ``y`` are relative to the mark."""

    text: str
    anchor: str
    x: float
    y: float


@dataclass(frozen=True)
class Mark:
    """A drawn point; ``shape`` is an SVG path around ``x`` and ``y``."""

    x: float
    y: float
    shape: str
    style: str
    point: Point
    label: Label | None


@dataclass(frozen=True)
class Axis:
    """An axis: values from ``low`` to ``high`` drawn from ``start`` to ``end``, and its ticks.

    The axis is linear in ``scale`` of the value.
    """

    low: float
    high: float
    start: float
    end: float
    ticks: Sequence[tuple[float, str]]
    scale: Callable[[float], float] = float

    def at(self, value: float) -> float:
        """The position of a value."""
        low, high, place = map(self.scale, (self.low, self.high, value))
        return self.start + (place - low) / (high - low) * (self.end - self.start)


def pareto_front(points: Iterable[Point]) -> list[Point]:
    """The points that no other dominates, fastest first.

    A point dominates another if it is at least as fast and as good, and better in one of the two;
    so points equal in both are in the front together. Scores count as they are shown.
    """
    front: list[Point] = []
    for point in sorted(points, key=lambda point: (point.ms, -_shown(point))):
        if not front or _shown(point) > _shown(front[-1]) or _equal(point, front[-1]):
            front.append(point)
    return front


def _shown(point: Point) -> float:
    return round(point.score, DIGITS)


def valid_front(points: Iterable[Point]) -> list[Point]:
    """The front of the points whose latency is VALID."""
    return pareto_front(point for point in points if point.verdict == "VALID")


def near_front(points: Sequence[Point]) -> list[Point]:
    """The points on the front or slightly below it, fastest first, which the plot focuses on.

    Slightly is NEAR of the best score. Without valid points the front is that of all points.
    """
    front = valid_front(points) or pareto_front(points)
    little = NEAR * abs(front[-1].score)
    near = []
    reached = 0
    for point in sorted(points, key=lambda point: point.ms):
        while reached + 1 < len(front) and front[reached + 1].ms <= point.ms:
            reached += 1
        if point.score >= front[reached].score - little:
            near.append(point)
    return near


def linear_axis(values: Sequence[float], start: float, end: float) -> Axis:
    """An axis from ``start`` to ``end`` with a margin of a tenth of the values' span, or 0.01."""
    from matplotlib.ticker import MaxNLocator

    low, high = min(values), max(values)
    margin = max((high - low) / 10, 0.01)
    low, high = low - margin, high + margin
    marked = [float(v) for v in MaxNLocator(MOST_TICKS, steps=[1, 2, 5, 10]).tick_values(low, high)]
    decimals = max(0, -floor(log10(marked[1] - marked[0]) + 1e-9))
    ticks = [(value, f"{value:.{decimals}f}") for value in marked if low <= value <= high]
    return Axis(low, high, start, end, ticks)


def log_axis(values: Sequence[float], start: float, end: float) -> Axis:
    """A logarithmic axis for positive values, with ticks at 1, 2 and 5 of each decade if they fit.

    Too short a range has equidistant ticks.
    """
    from matplotlib.ticker import LogLocator, MaxNLocator

    low, high = min(values) / MARGIN, max(values) * MARGIN
    marked: list[float] = []
    for locator in (
        LogLocator(subs=(1, 2, 5), numticks=3 * MOST_TICKS),
        LogLocator(numticks=MOST_TICKS),
        MaxNLocator(MOST_TICKS),
    ):
        marked = [float(value) for value in locator.tick_values(low, high) if low <= value <= high]
        if 0 < len(marked) <= MOST_TICKS:
            break
    return Axis(low, high, start, end, [(value, f"{value:g}") for value in marked], log10)


def pareto_plot(
    points: Sequence[Point], key: Key, score_name: str, whole: bool = False
) -> dict[str, Any]:
    """The values for the template ``plot.svg``: score against latency, the front of valid points.

    ``points`` has at least one. The axes cover those near the front, and the rest is counted, or
    the ``whole``.
    """
    covered = points if whole else near_front(points)
    x = log_axis([point.ms for point in covered], LEFT, RIGHT)
    y = linear_axis([point.score for point in covered], BOTTOM, TOP)
    drawn = [p for p in points if x.low <= p.ms <= x.high and y.low <= p.score <= y.high]
    drawn.sort(key=lambda point: point.ms)
    outside = len(points) - len(drawn)
    front = [(x.at(point.ms), y.at(point.score)) for point in valid_front(drawn)]
    legend, height = _legend(drawn, key)
    return {
        "title": f"{score_name} against median latency",
        "score_name": score_name,
        "frame": {"width": WIDTH, "left": LEFT, "right": RIGHT, "top": TOP, "bottom": BOTTOM},
        "height": height + LINE * (outside > 0),
        "columns": [(x.at(value), label) for value, label in x.ticks],
        "lines": [(y.at(value), label) for value, label in y.ticks],
        "front": front,
        "marks": _marks(drawn, key, x, y),
        "legend": legend,
        "outside": (outside, len(points), height) if outside else None,
    }


def _equal(one: Point, other: Point) -> bool:
    return (one.ms, _shown(one)) == (other.ms, _shown(other))


def _marks(drawn: Sequence[Point], key: Key, x: Axis, y: Axis) -> list[Mark]:
    """The points with their labels, in the order given."""
    places = [(x.at(point.ms), y.at(point.score)) for point in drawn]
    labels = _labels(drawn, places)
    return [
        Mark(*place, _shape(key.runtimes.index(point.runtime)), _style(point, key), point, label)
        for point, place, label in zip(drawn, places, labels, strict=True)
    ]


def _style(point: Point, key: Key) -> str:
    hollow = " hollow" if point.verdict == "INVALID" else ""
    return f"series-{key.networks.index(point.network) % COLORS + 1}{hollow}"


def _labels(drawn: Sequence[Point], places: Sequence[tuple[float, float]]) -> list[Label | None]:
    """Labels that distinguish the points, where there is room: first the front, then the best."""
    front = {id(point) for point in valid_front(drawn)}
    order = sorted(range(len(drawn)), key=lambda n: (id(drawn[n]) not in front, -drawn[n].score))
    taken = [(x - RADIUS, y - RADIUS, x + RADIUS, y + RADIUS) for x, y in places]
    steps = sorted(place for point, place in zip(drawn, places, strict=True) if id(point) in front)
    ends = [*(x for x, _ in steps[1:]), WIDTH]
    taken += [(x, y - 1, end, y + 1) for (x, y), end in zip(steps, ends, strict=False)]
    labels: list[Label | None] = [None] * len(drawn)
    names = _names(drawn)
    for n in order[:MOST_LABELS]:
        width = LETTER * len(names[n])
        for anchor, right, down in BESIDE:
            left = places[n][0] + right - {"start": 0, "middle": 0.5, "end": 1}[anchor] * width
            base = places[n][1] + down
            box = (left, base - 10, left + width, base + 3)
            inside = left > LEFT and left + width < WIDTH and TOP < base < BOTTOM
            if names[n] and inside and not any(_overlap(box, other) for other in taken):
                labels[n] = Label(names[n], anchor, right, down)
                taken.append(box)
                break
    return labels


def _names(drawn: Sequence[Point]) -> list[str]:
    """Backbone and runtime of each point, without what they all share."""
    parts = [
        name for name in ("network", "runtime") if len({getattr(p, name) for p in drawn}) > 1
    ] or ["runtime"]
    texts = [printable(" ".join(getattr(point, part) for part in parts)) for point in drawn]
    return [t if len(t) <= LONGEST_LABEL else t[: LONGEST_LABEL - 1] + "…" for t in texts]


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _shape(number: int) -> str:
    corners, turn, inner = SHAPES[number % len(SHAPES)]
    places = []
    for corner in range(corners):
        angle = (turn / 180 + 2 * corner / corners) * pi
        radius = RADIUS * (inner if corner % 2 else 1)
        places.append(f"{radius * sin(angle):.1f} {-radius * cos(angle):.1f}")
    return f"M{'L'.join(places)}Z"


def _legend(drawn: Sequence[Point], key: Key) -> tuple[list[dict[str, Any]], int]:
    """The entries of the legend below the plot, and the height of both."""
    networks = {point.network for point in drawn}
    runtimes = {point.runtime for point in drawn}
    groups = [
        [
            (f"series-{place % COLORS + 1}", _shape(0), name)
            for place, name in enumerate(key.networks)
            if name in networks
        ],
        [("", _shape(n), name) for n, name in enumerate(key.runtimes) if name in runtimes],
        [("line", "M-8 0H8", "Pareto front of VALID points"), ("hollow", _shape(0), "INVALID")],
    ]
    entries, y = [], BOTTOM + 64
    for group in groups:
        x = float(LEFT)
        for style, shape, name in group:
            width = 40 + LETTER * len(name)
            if x > LEFT and x + width > WIDTH:
                x, y = float(LEFT), y + LINE
            entries.append({"x": x + 7, "y": y, "style": style, "shape": shape, "name": name})
            x += width
        y += LINE
    return entries, y
