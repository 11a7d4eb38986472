"""Batch norm over the batches of all ranks.

torch's SyncBatchNorm runs on GPUs only. On CPUs it is computed from differentiable sums.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.distributed
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from segbench.networks.model import SegmentationModel


def over_all_ranks(model: SegmentationModel) -> nn.Module:
    """``model`` wrapped so that its batch norms are over all ranks."""
    if next(model.parameters()).is_cuda:
        from timm.layers import convert_sync_batchnorm

        synchronised: nn.Module = convert_sync_batchnorm(model)
        return synchronised
    return _OnCpu(model)


class _OnCpu(nn.Module):
    def __init__(self, model: SegmentationModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        with _BatchNormOverRanks():
            logits: Tensor = self.model(images)
        return logits


class _Sum(torch.autograd.Function):
    """Each rank's loss depends on every rank's values, so gradients are summed, not averaged."""

    @staticmethod
    def forward(context: Any, values: Tensor) -> Tensor:
        total = values.clone()
        torch.distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        total = gradient.contiguous().clone()
        torch.distributed.all_reduce(total)
        return total


def _sum_over_ranks(values: Tensor) -> Tensor:
    total: Tensor = _Sum.apply(values)
    return total


class _BatchNormOverRanks(TorchFunctionMode):
    """In the block, layers that call torch's batch norm call the one below."""

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if function is functional.batch_norm:
            function = batch_norm
        return function(*args, **(kwargs or {}))


def batch_norm(
    images: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """As torch's, for (N, C, H, W), with mean and variance over all ranks in training."""
    if not training:
        return functional.batch_norm(
            images, running_mean, running_var, weight, bias, False, momentum, eps
        )
    values = images.float()
    shape = (1, -1, 1, 1)
    pixels = torch.tensor([values.numel() / values.shape[1]], device=values.device)
    sums = _sum_over_ranks(torch.cat([values.sum((0, 2, 3)), pixels]))
    count = sums[-1].detach()
    mean = sums[:-1] / count
    centred = values - mean.view(shape)
    variance = _sum_over_ranks(centred.square().sum((0, 2, 3))) / count
    if running_mean is not None and running_var is not None:
        unbiased = variance.detach() * count / (count - 1)
        running_mean.lerp_(mean.detach(), momentum)
        running_var.lerp_(unbiased, momentum)
    scale = (variance + eps).rsqrt()
    if weight is not None:
        scale = scale * weight
    normalised = centred * scale.view(shape)
    if bias is not None:
        normalised = normalised + bias.view(shape)
    return normalised.to(images.dtype)
