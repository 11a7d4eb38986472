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
    frames = len(matrices)
    if frames == 0:
        return None
    draws = np.random.default_rng(seed).multinomial(frames, np.full(frames, 1 / frames), samples)
    weights = draws.astype(np.float64)
    true_positives, truth, predicted = (weights @ part for part in marginals(matrices))
    iou = ratio(true_positives, truth + predicted - true_positives)
    occurs = ~np.isnan(iou)
    means = ratio(np.where(occurs, iou, 0.0).sum(1), occurs.sum(1))
    means = means[~np.isnan(means)]
    if not means.size:
        return None
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)
