"""What the score on held-back training frames decides: the ranges, and what stays in float."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from segbench.int8.layer_costs import Costing
from segbench.progress import Reporter
from segbench.scoring.bootstrap import bootstrap_gain

TOLERANCE = 0.002
"""INT8 may lose so much mIoU on the held-back frames before layers are kept in float."""
MOST_KEPT = 3


def choose_method(counted: Mapping[str, NDArray[np.int64] | None]) -> str:
    """The first method, unless another scores better by more than chance.

    ``counted`` holds a confusion matrix a held-back frame, the same frames for each method. A
    range that clips has to earn it: a difference within the 95% bootstrap interval is luck.
    """
    best, *others = counted
    for method in others:
        before, after = counted[best], counted[method]
        if before is not None and after is not None:
            gain = bootstrap_gain(before, after)
            if gain is not None and gain[0] > 0:
                best = method
    return best


def costly_layers(costing: Costing, layers: Sequence[str]) -> list[str]:
    """The few of ``layers`` that have to stay in float for INT8 to score as FP32 does.

    None of them where INT8 loses less than ``TOLERANCE``. Else the layers that lose the most when
    they alone are quantised are kept one after another until it does, at most ``MOST_KEPT``, and
    only as many as help.
    """
    fp32, scores = costing.miou([]), [costing.miou(layers)]
    if fp32 - scores[0] <= TOLERANCE:
        return []
    alone = {
        layer: costing.miou([layer])
        for layer in Reporter().track(layers, len(layers), "costly layers")
    }
    worst = sorted(layers, key=alone.__getitem__)
    while fp32 - scores[-1] > TOLERANCE and len(scores) <= MOST_KEPT:
        kept = worst[: len(scores)]
        scores.append(costing.miou([layer for layer in layers if layer not in kept]))
    return worst[: scores.index(max(scores))]
