"""How far a score depends on which frames the split happens to hold.

A single frame says nothing of that: there is an interval from two frames on.
"""

import numpy as np
from numpy.typing import NDArray

from segbench.scoring.confusion import marginals, ratio

Interval = tuple[float, float]


def bootstrap_miou(
    matrices: NDArray[np.int64],
    before: NDArray[np.int64] | None = None,
    seed: int = 0,
    samples: int = 1000,
) -> Interval | None:
    """The 95% percentile interval of mean IoU under resampling of frames (Efron's bootstrap).

    ``matrices`` is (frames, C, K), one confusion matrix a frame. With ``before``, matrices of the
    same frames in the same order, it is the interval of what was gained since: both are resampled
    together. None where no class occurs, and for fewer than two frames.
    """
    means = _means(_resampled(matrices, seed, samples))
    if before is not None:
        means = means - _means(_resampled(before, seed, samples))
    return _interval(means)


def bootstrap_iou(
    matrices: NDArray[np.int64],
    before: NDArray[np.int64] | None = None,
    seed: int = 0,
    samples: int = 1000,
) -> list[Interval | None]:
    """The same interval of each class's IoU; None for a class that nowhere occurs."""
    found = _resampled(matrices, seed, samples)
    if before is not None:
        found = found - _resampled(before, seed, samples)
    return [_interval(iou) for iou in found.T]


def _interval(values: NDArray[np.float64]) -> Interval | None:
    values = values[~np.isnan(values)]
    if not values.size:
        return None
    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)


def _resampled(matrices: NDArray[np.int64], seed: int, samples: int) -> NDArray[np.float64]:
    """IoU (samples, C) of each resampling; NaN for a class that does not occur in it.

    Of fewer than two frames there is none.
    """
    frames, classes = matrices.shape[:2]
    if frames < 2:
        return np.empty((0, classes))
    draws = np.random.default_rng(seed).multinomial(frames, np.full(frames, 1 / frames), samples)
    weights = draws.astype(np.float64)
    true_positives, truth, predicted = (weights @ part for part in marginals(matrices))
    return ratio(true_positives, truth + predicted - true_positives)


def _means(iou: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean IoU of each resampling; NaN where no class occurs."""
    occurs = ~np.isnan(iou)
    return ratio(np.where(occurs, iou, 0.0).sum(1), occurs.sum(1))
