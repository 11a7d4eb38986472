"""ENet: a few thin bottlenecks at stride 8 and an even smaller decoder.

Source: Paszke, Chaurasia, Kim and Culurciello, "ENet: A Deep Neural Network Architecture for
Real-Time Semantic Segmentation", 2016. Layers have the names and widths of PyTorch-ENet, so its
published weights fit: PReLU in the encoder and ReLU in the decoder, one slope per layer, and
bottlenecks a quarter as wide as their input where the size changes.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

REDUCTION = 4


class Pooled(NamedTuple):
    """The maxima of 2x2 blocks and their positions in the blocks: 0 to 3, row by row."""

    values: Tensor
    places: Tensor


class ENet(nn.Module):
    """Images (N, 3, H, W) to logits (N, classes, H, W); H and W are multiples of 8."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.initial_block = InitialBlock(16)
        self.downsample1_0 = Downsampling(16, 64, dropout=0.01)
        for number in range(1, 5):
            self.add_module(f"regular1_{number}", Bottleneck(64, dropout=0.01))
        self.downsample2_0 = Downsampling(64, 128)
        self._add_context(stage=2, first=1)
        self._add_context(stage=3, first=0)
        self.upsample4_0 = Upsampling(128, 64)
        self.regular4_1 = Bottleneck(64, activation=nn.ReLU)
        self.regular4_2 = Bottleneck(64, activation=nn.ReLU)
        self.upsample5_0 = Upsampling(64, 16)
        self.regular5_1 = Bottleneck(16, activation=nn.ReLU)
        self.transposed_conv = nn.ConvTranspose2d(16, classes, 3, 2, 1, 1, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        """Run the layers; positions of maxima are kept for the upsampling to the same size."""
        features, places = images, []
        for layer in self.children():
            if isinstance(layer, Downsampling):
                features, found = layer(features)
                places.append(found)
            elif isinstance(layer, Upsampling):
                features = layer(features, places.pop())
            else:
                features = layer(features)
        return features

    def _add_context(self, stage: int, first: int) -> None:
        """Eight bottlenecks from 3x3 convolutions to a dilation of 16."""
        layers = (
            ("regular", Bottleneck(128)),
            ("dilated", Bottleneck(128, dilation=2)),
            ("asymmetric", Bottleneck(128, asymmetric=True)),
            ("dilated", Bottleneck(128, dilation=4)),
            ("regular", Bottleneck(128)),
            ("dilated", Bottleneck(128, dilation=8)),
            ("asymmetric", Bottleneck(128, asymmetric=True)),
            ("dilated", Bottleneck(128, dilation=16)),
        )
        for number, (kind, layer) in enumerate(layers, first):
            self.add_module(f"{kind}{stage}_{number}", layer)


class InitialBlock(nn.Module):
    """A strided convolution concatenated with a pooling of the image."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.main_branch = nn.Conv2d(3, channels - 3, 3, 2, 1, bias=False)
        self.ext_branch = nn.MaxPool2d(3, 2, 1)
        self.batch_norm = nn.BatchNorm2d(channels)
        self.out_activation = nn.PReLU()

    def forward(self, images: Tensor) -> Tensor:
        """Features at half the size."""
        both = torch.cat((self.main_branch(images), self.ext_branch(images)), 1)
        activated: Tensor = self.out_activation(self.batch_norm(both))
        return activated


class Bottleneck(nn.Module):
    """A residual branch of a quarter of the channels, with one 3x3 or 5x1 and 1x5 convolution."""

    def __init__(
        self,
        channels: int,
        dilation: int = 1,
        asymmetric: bool = False,
        dropout: float = 0.1,
        activation: type[nn.Module] = nn.PReLU,
    ) -> None:
        super().__init__()
        inner = channels // REDUCTION
        self.ext_conv1 = nn.Sequential(*_convolution(channels, inner, 1), activation())
        if asymmetric:
            self.ext_conv2 = nn.Sequential(
                *_convolution(inner, inner, (5, 1)),
                activation(),
                *_convolution(inner, inner, (1, 5)),
                activation(),
            )
        else:
            self.ext_conv2 = nn.Sequential(
                *_convolution(inner, inner, 3, dilation=dilation), activation()
            )
        self.ext_conv3 = nn.Sequential(*_convolution(inner, channels, 1), activation())
        self.ext_regul = nn.Dropout2d(dropout)
        self.out_activation = activation()

    def forward(self, features: Tensor) -> Tensor:
        """Features of the same size and depth."""
        branch = self.ext_conv3(self.ext_conv2(self.ext_conv1(features)))
        activated: Tensor = self.out_activation(features + self.ext_regul(branch))
        return activated


class Downsampling(nn.Module):
    """A bottleneck of stride 2 added to a 2x2 max pooling."""

    def __init__(self, channels: int, wider: int, dropout: float = 0.1) -> None:
        super().__init__()
        inner = channels // REDUCTION
        self.more = wider - channels
        self.ext_conv1 = nn.Sequential(
            nn.Conv2d(channels, inner, 2, 2, bias=False), nn.BatchNorm2d(inner), nn.PReLU()
        )
        self.ext_conv2 = nn.Sequential(*_convolution(inner, inner, 3), nn.PReLU())
        self.ext_conv3 = nn.Sequential(*_convolution(inner, wider, 1), nn.PReLU())
        self.ext_regul = nn.Dropout2d(dropout)
        self.out_activation = nn.PReLU()

    def forward(self, features: Tensor) -> Pooled:
        """Features at half the size, and the positions of the input's maxima."""
        pooled = max_pool(features)
        branch = self.ext_conv3(self.ext_conv2(self.ext_conv1(features)))
        main = functional.pad(pooled.values, (0, 0, 0, 0, 0, self.more))
        return Pooled(self.out_activation(main + self.ext_regul(branch)), pooled.places)


class Upsampling(nn.Module):
    """A bottleneck with a 2x transposed convolution added to a max unpooling."""

    def __init__(self, channels: int, narrower: int) -> None:
        super().__init__()
        inner = channels // REDUCTION
        self.main_conv1 = nn.Sequential(*_convolution(channels, narrower, 1))
        self.ext_conv1 = nn.Sequential(*_convolution(channels, inner, 1), nn.ReLU())
        self.ext_tconv1 = nn.ConvTranspose2d(inner, inner, 2, 2, bias=False)
        self.ext_tconv1_bnorm = nn.BatchNorm2d(inner)
        self.ext_conv2 = nn.Sequential(*_convolution(inner, narrower, 1), nn.ReLU())
        self.ext_regul = nn.Dropout2d(0.1)

    def forward(self, features: Tensor, places: Tensor) -> Tensor:
        """Features at twice the size."""
        main = max_unpool(Pooled(self.main_conv1(features), places))
        branch = self.ext_tconv1_bnorm(self.ext_tconv1(self.ext_conv1(features))).relu()
        return (main + self.ext_regul(self.ext_conv2(branch))).relu()


def max_pool(features: Tensor) -> Pooled:
    """The maxima of 2x2 blocks of (N, C, H, W), H and W even; the first of equal ones counts."""
    corners = [features[..., row::2, column::2] for row in (0, 1) for column in (0, 1)]
    return Pooled(*torch.stack(corners, 2).max(2))


def max_unpool(pooled: Pooled) -> Tensor:
    """Put every value at its position in a 2x2 block of zeros.

    ``nn.MaxUnpool2d``, which OpenVINO and TensorRT lack, built from operators that every engine
    has.
    """
    corners = torch.arange(4, device=pooled.places.device).view(4, 1, 1)
    blocks = torch.where(pooled.places.unsqueeze(2) == corners, pooled.values.unsqueeze(2), 0)
    return functional.pixel_shuffle(blocks.flatten(1, 2), 2)


def _convolution(
    channels: int, outputs: int, kernel: int | tuple[int, int], dilation: int = 1
) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    """A convolution with the same output size, and its batch norm."""
    return (
        nn.Conv2d(channels, outputs, kernel, padding="same", dilation=dilation, bias=False),
        nn.BatchNorm2d(outputs),
    )
