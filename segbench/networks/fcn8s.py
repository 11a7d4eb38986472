"""FCN8s: three score layers on an encoder's taps, fused and upsampled to the image's size.

Source: Long, Shelhamer and Darrell, "Fully Convolutional Networks for Semantic Segmentation",
CVPR 2015.
"""

from typing import cast

import torch
from torch import Tensor, nn

from segbench.networks.network import Encoder


class FCN8s(nn.Module):
    """Normalised images (N, 3, H, W) to logits (N, classes, H, W); H and W are multiples of 32.

    ``encoder`` is a module that is an ``Encoder``. ``decoder`` "bilinear" is the paper's: two
    learned 2x transposed convolutions initialised as bilinear interpolation, then a fixed 8x.
    "transposed" is the 2017 project's: three learned ones (2x, 2x, 8x), initialised at random.
    """

    tap_scale: Tensor

    def __init__(self, encoder: nn.Module, classes: int, decoder: str = "bilinear") -> None:
        super().__init__()
        self.encoder = encoder
        channels8, channels16, channels32 = cast(Encoder, encoder).channels[-3:]
        self.score8 = nn.Conv2d(channels8, classes, 1)
        self.score16 = nn.Conv2d(channels16, classes, 1)
        self.score32 = nn.Conv2d(channels32, classes, 1)
        self.up32 = _upsampling(classes, 2)
        self.up16 = _upsampling(classes, 2)
        if decoder == "transposed":
            self.up8: nn.Module = _upsampling(classes, 8)
        else:
            self.up8 = nn.Upsample(scale_factor=8, mode="bilinear", align_corners=False)
        for layer in (self.score8, self.score16, self.score32, self.up32, self.up16, self.up8):
            layer.apply(_start_as_noise if decoder == "transposed" else _start_as_the_paper)
        self.register_buffer("tap_scale", torch.ones(3))

    def forward(self, images: Tensor) -> Tensor:
        """The scores of three taps, added from coarse to fine."""
        tap8, tap16, tap32 = self.encoder(images)[-3:]
        scale8, scale16, scale32 = self.tap_scale
        fused = self.score16(tap16 * scale16) + self.up32(self.score32(tap32 * scale32))
        fused = self.score8(tap8 * scale8) + self.up16(fused)
        logits: Tensor = self.up8(fused)
        return logits

    @torch.no_grad()
    def normalise_taps(self, images: Tensor) -> None:
        """Scale each tap to unit deviation on normalised ``images``, once, before training.

        Activations differ between encoders by orders of magnitude (VGG16 with Caffe weights:
        hundreds), and so would the gradients of the score layers. The paper's code scales pool3 by
        0.0001 and pool4 by 0.01 for the same reason; measuring works for every encoder. Batch norms
        use batch statistics, as in training, and keep their running averages. Scales from a
        checkpoint are kept: its score layers were trained with them.
        """
        if (self.tap_scale != 1).any():
            return
        statistics = {name: buffer.clone() for name, buffer in self.encoder.named_buffers()}
        was_training = self.training
        self.train()
        deviations = torch.stack([tap.float().std() for tap in self.encoder(images)[-3:]])
        self.tap_scale.copy_(1 / deviations.clamp_min(1e-6))
        self.train(was_training)
        for name, buffer in self.encoder.named_buffers():
            buffer.copy_(statistics[name])

    @torch.no_grad()
    def fold_scales(self) -> None:
        """Fold the scales of the taps into the score layers, which saves three layers."""
        for layer, scale in zip(
            (self.score8, self.score16, self.score32), self.tap_scale, strict=True
        ):
            layer.weight *= scale
        self.tap_scale.fill_(1)


def _upsampling(classes: int, factor: int) -> nn.ConvTranspose2d:
    """A learned transposed convolution that enlarges by exactly ``factor``."""
    return nn.ConvTranspose2d(
        classes, classes, kernel_size=2 * factor, stride=factor, padding=factor // 2
    )


def _start_as_the_paper(layer: nn.Module) -> None:
    """Initialise score layers with zero and transposed convolutions as bilinear interpolation."""
    if isinstance(layer, nn.ConvTranspose2d):
        factor = layer.stride[0]
        centre = factor - 0.5
        line = 1 - (torch.arange(2 * factor) - centre).abs() / factor
        nn.init.zeros_(layer.weight)
        with torch.no_grad():
            for channel in range(layer.in_channels):
                layer.weight[channel, channel] = torch.outer(line, line)
    if isinstance(layer, nn.Conv2d):
        nn.init.zeros_(layer.weight)
    _start_bias(layer)


def _start_as_noise(layer: nn.Module) -> None:
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.trunc_normal_(layer.weight, std=0.001)
    _start_bias(layer)


def _start_bias(layer: nn.Module) -> None:
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d) and layer.bias is not None:
        nn.init.zeros_(layer.bias)
