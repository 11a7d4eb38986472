"""The best and the worst frames of a score."""

import numpy as np
from numpy.typing import NDArray

from segbench.scoring.confusion import iou, ratio


def frame_miou(confusions: NDArray[np.int64]) -> NDArray[np.float64]:
    """Mean IoU of each frame (frames,) over the classes in its ground truth.

    ``confusions`` is (frames, C, K). A class that is only predicted counts as errors of the others.
    NaN for a frame without labelled pixels.
    """
    present = confusions.sum(-1) > 0
    return ratio(np.where(present, iou(confusions), 0.0).sum(1), present.sum(1))


def best_and_worst(scores: NDArray[np.float64], count: int) -> tuple[list[int], list[int]]:
    """Indices of at most ``count`` frames each: best first, and worst first.

    No frame is in both; with an odd number of frames the middle one is among the worst. NaN is left
    out.
    """
    order = [int(index) for index in np.argsort(scores, kind="stable") if scores[index] >= 0]
    half = len(order) // 2
    worst, best = order[: len(order) - half], order[::-1][:half]
    return best[:count], worst[:count]
