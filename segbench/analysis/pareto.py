"""The Pareto front of score and latency."""

from collections.abc import Sequence

from segbench.analysis.columns import DIGITS


def pareto_front(points: Sequence[tuple[float, float]]) -> list[int]:
    """The indices of the points (latency, score) that no other dominates, fastest first.

    A point dominates another if it is at least as fast and as good, and better in one of the two;
    so points equal in both are in the front together. Scores count as they are shown.
    """
    shown = [(ms, -round(score, DIGITS)) for ms, score in points]
    front: list[int] = []
    for n in sorted(range(len(shown)), key=shown.__getitem__):
        if not front or shown[n][1] < shown[front[-1]][1] or shown[n] == shown[front[-1]]:
            front.append(n)
    return front
