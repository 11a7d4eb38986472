"""The plot of score against latency.

It is SVG: a few kilobytes, follows the page's colours, prints, and its points can be reached with
the keyboard.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, pi, sin
from typing import Any

from .axes import Axis, linear_axis, log_axis
from .front import Point, near_front, valid_front
from .labels import Label, labels_of
from .measures import BOTTOM, LEFT, LETTER, RADIUS, RIGHT, TOP, WIDTH

LINE = 20
COLORS = 8
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
class Key:
    """The key of colours and marks, shared by all plots of a page: a name's index decides."""

    networks: Sequence[str]
    runtimes: Sequence[str]


@dataclass(frozen=True)
class Mark:
    """A drawn point; ``shape`` is an SVG path around ``x`` and ``y``."""

    x: float
    y: float
    shape: str
    style: str
    point: Point
    label: Label | None


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


def _marks(drawn: Sequence[Point], key: Key, x: Axis, y: Axis) -> list[Mark]:
    """The points with their labels, in the order given."""
    places = [(x.at(point.ms), y.at(point.score)) for point in drawn]
    labels = labels_of(drawn, places)
    return [
        Mark(*place, _shape(key.runtimes.index(point.runtime)), _style(point, key), point, label)
        for point, place, label in zip(drawn, places, labels, strict=True)
    ]


def _style(point: Point, key: Key) -> str:
    hollow = " hollow" if point.verdict == "INVALID" else ""
    return f"series-{key.networks.index(point.network) % COLORS + 1}{hollow}"


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
