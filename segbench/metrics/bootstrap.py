"""How far a score depends on which frames the split happens to hold."""

import numpy as np
from numpy.typing import NDArray

from segbench.metrics.confusion import marginals, ratio


def bootstrap_miou(
    matrices: NDArray[np.int64], seed: int = 0, samples: int = 1000
) -> tuple[float, float] | None:
    """The 95% percentile interval of mean IoU under resampling of frames (Efron's bootstrap).

    ``matrices`` is (frames, C, K), one confusion matrix a frame. None where no class occurs.
    """
    return _interval(_resampled(matrices, seed, samples))


def bootstrap_gain(
    before: NDArray[np.int64], after: NDArray[np.int64], seed: int = 0, samples: int = 1000
) -> tuple[float, float] | None:
    """The same interval of the mean IoU that ``after`` has more than ``before``.

    Both are matrices of the same frames in the same order, which are resampled together.
    """
    return _interval(_resampled(after, seed, samples) - _resampled(before, seed, samples))


def _interval(values: NDArray[np.float64]) -> tuple[float, float] | None:
    values = values[~np.isnan(values)]
    if not values.size:
        return None
    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)


def _resampled(matrices: NDArray[np.int64], seed: int, samples: int) -> NDArray[np.float64]:
    """Mean IoU of each resampling; NaN where no class occurs."""
    frames = len(matrices)
    if frames == 0:
        return np.empty(0)
    draws = np.random.default_rng(seed).multinomial(frames, np.full(frames, 1 / frames), samples)
    weights = draws.astype(np.float64)
    true_positives, truth, predicted = (weights @ part for part in marginals(matrices))
    iou = ratio(true_positives, truth + predicted - true_positives)
    occurs = ~np.isnan(iou)
    means: NDArray[np.float64] = ratio(np.where(occurs, iou, 0.0).sum(1), occurs.sum(1))
    return means
