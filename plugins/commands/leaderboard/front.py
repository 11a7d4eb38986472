"""The points of a plot, and those on and near the Pareto front."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from segbench.analysis.pareto import pareto_front

# A point is near the front if raising its score by this share of the best one puts it there.
NEAR = 0.1


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


def valid_front(points: Iterable[Point]) -> list[Point]:
    """The front of the points whose latency is VALID, fastest first."""
    return _front([point for point in points if point.verdict == "VALID"])


def near_front(points: Sequence[Point]) -> list[Point]:
    """The points on the front or slightly below it, fastest first, which the plot focuses on.

    Slightly is NEAR of the best score. Without valid points the front is that of all points.
    """
    front = valid_front(points) or _front(points)
    little = NEAR * abs(front[-1].score)
    near = []
    reached = 0
    for point in sorted(points, key=lambda point: point.ms):
        while reached + 1 < len(front) and front[reached + 1].ms <= point.ms:
            reached += 1
        if point.score >= front[reached].score - little:
            near.append(point)
    return near


def _front(points: Sequence[Point]) -> list[Point]:
    return [points[n] for n in pareto_front([(point.ms, point.score) for point in points])]
