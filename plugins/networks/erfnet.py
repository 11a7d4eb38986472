"""ERFNet: residual layers of 3x1 and 1x3 convolutions.

Source: Romera, Álvarez, Bergasa and Arroyo, "ERFNet: Efficient Residual Factorized ConvNet for
Real-Time Semantic Segmentation", T-ITS 2018. Layers have the names of the authors' code, so its
published weights fit.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

EPSILON = 1e-3


class ERFNet(nn.Module):
    """Images (N, 3, H, W) to logits (N, classes, H, W); H and W are multiples of 8."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.encoder = Encoder()
        self.decoder = Decoder(classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits at the size of the images."""
        logits: Tensor = self.decoder(self.encoder(images))
        return logits


class Encoder(nn.Module):
    """Images (N, 3, H, W) to features (N, 128, H/8, W/8)."""

    def __init__(self) -> None:
        super().__init__()
        self.initial_block = Downsampler(3, 16)
        self.layers = nn.Sequential(
            Downsampler(16, 64),
            *(NonBottleneck1d(64, dropout=0.03) for _ in range(5)),
            Downsampler(64, 128),
            *(NonBottleneck1d(128, dropout=0.3, dilation=n) for n in (2, 4, 8, 16) * 2),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Features at stride 8."""
        features: Tensor = self.layers(self.initial_block(images))
        return features


class Decoder(nn.Module):
    """Features (N, 128, h, w) to logits (N, classes, 8h, 8w)."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            Upsampler(128, 64),
            NonBottleneck1d(64),
            NonBottleneck1d(64),
            Upsampler(64, 16),
            NonBottleneck1d(16),
            NonBottleneck1d(16),
        )
        self.output_conv = nn.ConvTranspose2d(16, classes, 2, 2)

    def forward(self, features: Tensor) -> Tensor:
        """Logits at eight times the size."""
        logits: Tensor = self.output_conv(self.layers(features))
        return logits


class Downsampler(nn.Module):
    """A strided convolution concatenated with a 2x2 max pooling."""

    def __init__(self, channels: int, wider: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, wider - channels, 3, 2, 1)
        self.bn = nn.BatchNorm2d(wider, EPSILON)

    def forward(self, features: Tensor) -> Tensor:
        """Features at half the size, which is even."""
        both = torch.cat((self.conv(features), functional.max_pool2d(features, 2)), 1)
        normalised: Tensor = self.bn(both)
        return normalised.relu()


class Upsampler(nn.Module):
    """A transposed convolution to twice the size."""

    def __init__(self, channels: int, narrower: int) -> None:
        super().__init__()
        self.conv = nn.ConvTranspose2d(channels, narrower, 3, 2, 1, 1)
        self.bn = nn.BatchNorm2d(narrower, EPSILON)

    def forward(self, features: Tensor) -> Tensor:
        """Features at twice the size."""
        normalised: Tensor = self.bn(self.conv(features))
        return normalised.relu()


class NonBottleneck1d(nn.Module):
    """A residual layer of two 3x3 convolutions, each a 3x1 and a 1x3; the second dilated."""

    def __init__(self, channels: int, dropout: float = 0.0, dilation: int = 1) -> None:
        super().__init__()
        self.conv3x1_1 = nn.Conv2d(channels, channels, (3, 1), padding="same")
        self.conv1x3_1 = nn.Conv2d(channels, channels, (1, 3), padding="same")
        self.bn1 = nn.BatchNorm2d(channels, EPSILON)
        self.conv3x1_2 = nn.Conv2d(channels, channels, (3, 1), padding="same", dilation=dilation)
        self.conv1x3_2 = nn.Conv2d(channels, channels, (1, 3), padding="same", dilation=dilation)
        self.bn2 = nn.BatchNorm2d(channels, EPSILON)
        self.dropout = nn.Dropout2d(dropout)

    def forward(self, features: Tensor) -> Tensor:
        """Features of the same size and depth."""
        branch = self.conv1x3_1(self.conv3x1_1(features).relu())
        branch = self.bn1(branch).relu()
        branch = self.conv1x3_2(self.conv3x1_2(branch).relu())
        return (features + self.dropout(self.bn2(branch))).relu()
