"""The Pareto front of score and latency."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from segbench.analysis.columns import DIGITS

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


def _equal(one: Point, other: Point) -> bool:
    return (one.ms, _shown(one)) == (other.ms, _shown(other))
