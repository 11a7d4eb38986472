"""How much a score depends on the choice of frames.

There are intervals for two frames or more.
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

    ``matrices`` is (frames, C, K), one confusion matrix per frame. With ``before``, matrices of the
    same frames in the same order, it is the interval of the gain since then: both are resampled
    together. None if no class occurs, and for fewer than two frames.
    """
    means = _means(_resampled_iou(matrices, seed, samples))
    if before is not None:
        means = means - _means(_resampled_iou(before, seed, samples))
    return interval(means)


def bootstrap_iou(
    matrices: NDArray[np.int64],
    before: NDArray[np.int64] | None = None,
) -> list[Interval | None]:
    """The same interval of each class's IoU; None for a class that never occurs."""
    found = _resampled_iou(matrices)
    if before is not None:
        found = found - _resampled_iou(before)
    return [interval(iou) for iou in found.T]


def resampled(counts: NDArray[np.int64], seed: int = 0, samples: int = 1000) -> NDArray[np.float64]:
    """Sums (samples, ...) of ``counts`` (frames, ...) over frames drawn with replacement.

    Empty for fewer than two frames.
    """
    frames = len(counts)
    if frames < 2:
        return np.empty((0, *counts.shape[1:]))
    draws = np.random.default_rng(seed).multinomial(frames, np.full(frames, 1 / frames), samples)
    return np.tensordot(draws.astype(float), counts.astype(float), axes=1)


def interval(values: NDArray[np.float64]) -> Interval | None:
    """The central 95% of ``values`` without NaN; None if there are none."""
    values = values[~np.isnan(values)]
    if not values.size:
        return None
    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)


def _resampled_iou(
    matrices: NDArray[np.int64], seed: int = 0, samples: int = 1000
) -> NDArray[np.float64]:
    """IoU (samples, C) of each resample; NaN for classes that do not occur in it."""
    sums = resampled(np.stack(marginals(matrices), axis=1), seed, samples)
    true_positives, truth, predicted = np.moveaxis(sums, 1, 0)
    return ratio(true_positives, truth + predicted - true_positives)


def _means(iou: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean IoU of each resample; NaN if no class occurs."""
    occurs = ~np.isnan(iou)
    return ratio(np.where(occurs, iou, 0.0).sum(1), occurs.sum(1))
