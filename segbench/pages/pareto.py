"""Which networks are worth their time: the Pareto front of score and latency, and its plot.

The plot is SVG written here: it weighs a few kilobytes, follows the page's colours, prints, and
its points can be reached with the keyboard. A plotting library weighs megabytes and has a theme
of its own.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import cos, pi, sin

from segbench.pages.axes import Axis, linear_axis, log_axis
from segbench.text import safe

WIDTH = 560
LEFT, RIGHT, TOP, BOTTOM = 58, 548, 14, 300
LINE, LETTER = 20, 6.2
COLORS = 6
RADIUS = 6.5
# Corners, turn in degrees, and how far out every other corner lies.
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
    """A network's score (more is better) and its latency in ms; ``details`` is text in lines.

    ``row`` is its place in a table that may be filtered.
    """

    ms: float
    score: float
    backbone: str = ""
    runtime: str = ""
    verdict: str | None = "VALID"
    details: str = ""
    row: int = 0


@dataclass(frozen=True)
class Key:
    """What colours and marks stand for, alike in all plots of a page: a name's place counts."""

    backbones: Sequence[str]
    runtimes: Sequence[str]


def pareto_front(points: Iterable[Point]) -> list[Point]:
    """The points that no other dominates, fastest first.

    A point dominates another if it is as fast and as good, and better in one of the two; so
    points equal in both are in the front together.
    """
    front: list[Point] = []
    for point in sorted(points, key=lambda point: (point.ms, -point.score)):
        if not front or point.score > front[-1].score or _equal(point, front[-1]):
            front.append(point)
    return front


def pareto_plot(points: Sequence[Point], key: Key, score_name: str, style: str = "") -> str:
    """Score against latency as an SVG element, the front through the valid points alone.

    ``points`` holds one or more. With ``style``, which is CSS, it is a file that stands alone.
    """
    x = log_axis([point.ms for point in points], LEFT, RIGHT)
    y = linear_axis([point.score for point in points], BOTTOM, TOP)
    legend, height = _legend(points, key)
    label = f"{score_name} against median latency"
    parts = [
        f'<svg class="plot" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"'
        f' role="group" aria-label="{safe(label)}">',
        f"<style>{style}</style>" if style else "",
        f'<rect class="paper" width="{WIDTH}" height="{height}"/>',
        _grid(x, y, score_name),
        _front(pareto_front(point for point in points if point.verdict == "VALID"), x, y),
        *(_point(point, key, x, y) for point in sorted(points, key=lambda point: point.ms)),
        legend,
        "</svg>",
    ]
    return "\n".join(part for part in parts if part)


def _equal(one: Point, other: Point) -> bool:
    return (one.ms, one.score) == (other.ms, other.score)


def _grid(x: Axis, y: Axis, score_name: str) -> str:
    lines = [
        f'<path class="grid" d="M{x.at(value):.1f} {TOP}V{BOTTOM}"/>'
        f'<text class="middle" x="{x.at(value):.1f}" y="{BOTTOM + 18}">{label}</text>'
        for value, label in x.ticks
    ]
    lines += [
        f'<path class="grid" d="M{LEFT} {y.at(value):.1f}H{RIGHT}"/>'
        f'<text class="end" x="{LEFT - 8}" y="{y.at(value) + 4:.1f}">{label}</text>'
        for value, label in y.ticks
    ]
    middle = (TOP + BOTTOM) / 2
    return "\n".join(
        [
            *lines,
            f'<text class="middle" x="{(LEFT + RIGHT) / 2}" y="{BOTTOM + 38}">'
            "median latency in ms, logarithmic</text>",
            f'<text class="middle" transform="translate(14 {middle}) rotate(-90)">'
            f"{safe(score_name)}</text>",
        ]
    )


def _front(front: Sequence[Point], x: Axis, y: Axis) -> str:
    if not front:
        return ""
    steps = "".join(f"H{x.at(point.ms):.1f}V{y.at(point.score):.1f}" for point in front)
    return f'<path class="front" d="M{x.at(front[0].ms):.1f} {BOTTOM}{steps}H{RIGHT}"/>'


def _point(point: Point, key: Key, x: Axis, y: Axis) -> str:
    """A mark that can be focused; what it stands for is its label, one line each."""
    color = key.backbones.index(point.backbone) % COLORS + 1
    hollow = " hollow" if point.verdict == "INVALID" else ""
    label = "&#10;".join(map(safe, point.details.split("\n")))
    return (
        f'<g class="point series-{color}{hollow}" data-rows="{point.row}" tabindex="0"'
        f' role="img" aria-label="{label}"'
        f' transform="translate({x.at(point.ms):.1f} {y.at(point.score):.1f})">'
        f"{_mark(key.runtimes.index(point.runtime))}</g>"
    )


def _mark(shape: int) -> str:
    corners, turn, inner = SHAPES[shape % len(SHAPES)]
    places = []
    for corner in range(corners):
        angle = (turn / 180 + 2 * corner / corners) * pi
        radius = RADIUS * (inner if corner % 2 else 1)
        places.append(f"{radius * sin(angle):.1f} {-radius * cos(angle):.1f}")
    return f'<path class="mark" d="M{"L".join(places)}Z"/>'


def _legend(points: Sequence[Point], key: Key) -> tuple[str, int]:
    """The legend below the plot, and the height of both."""
    backbones = {point.backbone for point in points}
    runtimes = {point.runtime for point in points}
    front = '<path class="front" d="M-8 0H8"/>'
    groups = [
        [
            (f"series-{place % COLORS + 1}", _mark(0), name)
            for place, name in enumerate(key.backbones)
            if name in backbones
        ],
        [("", _mark(n), name) for n, name in enumerate(key.runtimes) if name in runtimes],
        [("", front, "Pareto front of VALID points"), ("hollow", _mark(0), "INVALID")],
    ]
    parts, y = [], BOTTOM + 64
    for group in groups:
        x = float(LEFT)
        for style, mark, name in group:
            width = 40 + LETTER * len(name)
            if x > LEFT and x + width > WIDTH:
                x, y = float(LEFT), y + LINE
            parts.append(
                f'<g class="{style}" transform="translate({x + 7:.1f} {y})">{mark}'
                f'<text x="14" y="4">{safe(name)}</text></g>'
            )
            x += width
        y += LINE
    return "\n".join(parts), y
