"""The learning rate and the moment to stop, as functions of where training stands."""

import math
from collections.abc import Sequence
from typing import Literal

WARM_UP = 0.1


def rate(
    schedule: Literal["constant", "plateau", "one-cycle", "poly"],
    progress: float,
    scores: Sequence[float],
) -> float:
    """The factor on the learning rate, 0..1.

    ``progress`` is the share of all steps that are done, ``scores`` the validation score of each
    past epoch. "plateau" halves after every epoch that was not the best so far; "one-cycle"
    warms up over a tenth and falls as a cosine; "poly" falls as (1 - progress) ** 0.9.
    """
    if schedule == "plateau":
        return 0.5 ** sum(not better for better in improvements(scores))
    if schedule == "constant":
        return 1.0
    if schedule == "poly":
        return (1 - progress) ** 0.9
    if progress < WARM_UP:
        return 0.04 + 0.96 * progress / WARM_UP
    return 0.5 * (1 + math.cos(math.pi * (progress - WARM_UP) / (1 - WARM_UP)))


def improvements(scores: Sequence[float]) -> list[bool]:
    """For each epoch, whether it was better than all before it."""
    return [all(score > earlier for earlier in scores[:i]) for i, score in enumerate(scores)]


def should_stop(scores: Sequence[float], patience: int | None) -> bool:
    """Whether the last ``patience`` epochs brought no improvement; None never stops."""
    return (
        patience is not None
        and len(scores) >= patience
        and not any(improvements(scores)[-patience:])
    )
