"""The optimizer's parameter groups, and the learning rate schedule."""

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from segbench.networks.model import SegmentationModel
from segbench.types import Recipe


def make_optimizer(model: SegmentationModel, recipe: Recipe) -> torch.optim.Optimizer:
    """Parameter groups: encoder or not, with weight decay or (1-d) without.

    An encoder that can be pretrained learns at ``encoder_lr_scale`` times the other layers' rate.
    ``base_lr`` of each group holds its rate for the schedule.
    """
    groups: dict[tuple[bool, bool], list[Tensor]] = {}
    encoder = model.network.pretrained_part
    for name, parameter in model.net.named_parameters():
        in_encoder = encoder != "" and name.startswith(f"{encoder}.")
        groups.setdefault((in_encoder, parameter.ndim > 1), []).append(parameter)
    described = []
    for (in_encoder, decays), parameters in groups.items():
        lr = recipe.lr * (recipe.encoder_lr_scale if in_encoder else 1)
        decay = recipe.weight_decay if decays else 0.0
        described.append({"params": parameters, "lr": lr, "base_lr": lr, "weight_decay": decay})
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(described, momentum=0.9, fused=True)
    if recipe.optimizer == "rmsprop":
        return torch.optim.RMSprop(described, momentum=0.9)
    if recipe.optimizer == "adam":
        return torch.optim.Adam(described, fused=True)
    return torch.optim.AdamW(described, fused=True)


def set_rate(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Set every group's rate to ``factor`` times its base rate."""
    for group in optimizer.param_groups:
        group["lr"] = group["base_lr"] * factor


WARM_UP = 0.1


def rate(
    schedule: Literal["constant", "plateau", "one-cycle", "poly"],
    progress: float,
    scores: Sequence[float],
) -> float:
    """The factor on the learning rate, 0..1.

    ``progress`` is the fraction of all steps done, ``scores`` the validation score of each past
    epoch. "plateau" halves after every epoch that was not the best so far; "one-cycle" warms up
    over a tenth and decays as a cosine; "poly" decays as (1 - progress) ** 0.9.
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
    """Whether the last ``patience`` epochs did not improve; None never stops."""
    return (
        patience is not None
        and len(scores) >= patience
        and not any(improvements(scores)[-patience:])
    )
