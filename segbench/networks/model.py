"""Images to class logits: the wrapper that every network shares.

It normalises, pads, resizes and crops, so callers need to know neither mean nor stride.
"""

from copy import deepcopy
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn import functional

from segbench.errors import SegbenchError
from segbench.networks.network import InputConvention, Network


@runtime_checkable
class TapScaled(Protocol):
    """A module that scales the features it adds, as measured before training."""

    def normalise_taps(self, images: Tensor) -> None:
        """Measure the features of normalised images (N, 3, H, W) and store their scales."""

    def fold_scales(self) -> None:
        """Move the scales into the weights, for an export."""


class SegmentationModel(nn.Module):
    """RGB in 0..255, (N, 3, H, W) of any H and W, to logits (N, classes, H, W).

    ``net`` is the network's own module; checkpoints hold its state dict.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, network: Network, classes: int, convention: InputConvention | None = None
    ) -> None:
        super().__init__()
        self.network = network
        self.classes = classes
        self.convention = convention or network.convention
        self.net = network.build(classes, self.convention)
        self.register_buffer("mean", _per_channel(self.convention.mean), persistent=False)
        self.register_buffer("std", _per_channel(self.convention.std), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Logits at the size of ``images``, which are padded to multiples of the stride."""
        height, width = images.shape[-2:]
        logits: Tensor = self.net(self._inputs(images))
        if self.network.output_stride > 1:
            logits = functional.interpolate(
                logits, scale_factor=float(self.network.output_stride), mode="bilinear"
            )
        return logits[..., :height, :width]

    def check_output(self, size: tuple[int, int]) -> None:
        """Raise SegbenchError unless images of ``size`` have logits of that size, before cropping.

        An encoder whose features have other strides gives a part of a picture.
        """
        images = self._inputs(torch.zeros(1, 3, *size, device=self.mean.device))
        self.eval()
        with torch.no_grad():
            logits = self.net(images)
        due = (1, self.classes, *(side // self.network.output_stride for side in images.shape[2:]))
        if tuple(logits.shape) != due:
            raise SegbenchError(
                f"{self.network.title or self.network.name} returns logits {tuple(logits.shape)} "
                f"instead of {due}: do its features have the strides that the decoder needs, for "
                "FCN8s 8, 16 and 32?"
            )

    def prepare_training(self, images: Tensor) -> None:
        """Let the network measure its scales on a first batch, RGB in 0..255."""
        if isinstance(self.net, TapScaled):
            self.net.normalise_taps(self._inputs(images))

    def folded(self) -> "SegmentationModel":
        """A copy with fewer layers and the same logits, for an export."""
        copy = deepcopy(self)
        if isinstance(copy.net, TapScaled):
            copy.net.fold_scales()
        return copy

    def cast_weights(self, dtype: torch.dtype) -> "SegmentationModel":
        """Cast every layer to ``dtype``; image normalisation stays in float32."""
        self.net.to(dtype)
        return self

    def count_parameters(self) -> int:
        """Learned numbers, biases included."""
        return sum(parameter.numel() for parameter in self.parameters())

    def _inputs(self, images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        stride = self.network.stride
        normalised = (images - self.mean) / self.std
        normalised = normalised.to(next(self.net.parameters()).dtype)
        return functional.pad(normalised, (0, -width % stride, 0, -height % stride))


def _per_channel(values: tuple[float, ...]) -> Tensor:
    return torch.tensor(values, dtype=torch.float32).view(1, -1, 1, 1)
