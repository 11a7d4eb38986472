"""How two scores differ over the same frames, and whether that is more than noise."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segbench.errors import SegbenchError
from segbench.records.arrays import ScoredFrames
from segbench.scoring.bootstrap import Interval, bootstrap_miou
from segbench.scoring.confusion import mean_iou

INVISIBLE = 5e-5
"""Scores are shown with four digits."""


@dataclass(frozen=True)
class Difference:
    """One figure of A and of B; ``interval`` is the 95% interval of B - A."""

    name: str
    a: float | None
    b: float | None
    interval: Interval | None = None

    @property
    def difference(self) -> float | None:
        """B - A; None if either is missing."""
        return None if self.a is None or self.b is None else self.b - self.a

    @property
    def within_noise(self) -> bool | None:
        """Whether the interval contains zero, or no digit shown differs; None without an interval.

        One network on two engines differs in a few pixels, always in the same direction.
        """
        if self.interval is None or self.difference is None:
            return None
        low, high = self.interval
        return low <= 0 <= high or abs(self.difference) < INVISIBLE


def miou_difference(a: ScoredFrames, b: ScoredFrames) -> Difference:
    """Mean IoU only, over the frames in both; SegbenchError as ``paired_frames``."""
    return mean_difference(*paired_frames(a, b))


def paired_frames(a: ScoredFrames, b: ScoredFrames) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The confusion matrices of the frames in both, in A's order.

    SegbenchError if there are none, or classes or labels differ.
    """
    require_same("classes", ", ".join(a.classes), ", ".join(b.classes))
    places = {name: place for place, name in enumerate(b.ids)}
    shared = [(place, places[name]) for place, name in enumerate(a.ids) if name in places]
    if not shared:
        raise SegbenchError("A and B cannot be compared: they have no frame in common.")
    in_a, in_b = map(list, zip(*shared, strict=True))
    before, after = a.confusions[in_a], b.confusions[in_b]
    differs = (before.sum(-1) != after.sum(-1)).any(-1)
    if differs.any():
        raise SegbenchError(
            f"A and B cannot be compared: the ground truth of {differs.sum()} frames differs, "
            f"first {a.ids[in_a[int(differs.argmax())]]}."
        )
    return before, after


def require_same(name: str, a: object, b: object) -> None:
    """Raise SegbenchError if ``a`` and ``b`` differ."""
    if a != b:
        raise SegbenchError(
            f"A and B cannot be compared: {name.replace('_', ' ')} {a} in A, but {b} in B."
        )


def mean_difference(before: NDArray[np.int64], after: NDArray[np.int64]) -> Difference:
    """Mean IoU of two stacks of confusion matrices (frames, C, K), the second minus the first."""
    gain = bootstrap_miou(after, before)
    return Difference("mean", mean_iou(before.sum(0)), mean_iou(after.sum(0)), gain)
