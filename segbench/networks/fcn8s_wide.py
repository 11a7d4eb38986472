"""FCN8s with a wider decoder: it fuses features, and scores the classes once, at stride 8.

Source: Kirillov, Girshick, He and Dollár, "Panoptic Feature Pyramid Networks", CVPR 2019, whose
segmentation branch has 128 channels too.
"""

from typing import cast

from torch import Tensor, nn

from segbench.networks.network import Encoder

CHANNELS = 128


class WideFCN8s(nn.Module):
    """Normalised images (N, 3, H, W) to logits (N, classes, H, W); H and W are multiples of 32.

    ``encoder`` is a module that is an ``Encoder``. Each of its features is reduced to 128 channels;
    from coarse to fine they are added, with a 3x3 convolution after each addition.
    """

    def __init__(self, encoder: nn.Module, classes: int) -> None:
        super().__init__()
        self.encoder = encoder
        channels8, channels16, channels32 = cast(Encoder, encoder).channels
        self.reduce8 = _convolution(channels8, 1)
        self.reduce16 = _convolution(channels16, 1)
        self.reduce32 = _convolution(channels32, 1)
        self.fuse16 = _convolution(CHANNELS, 3)
        self.fuse8 = _convolution(CHANNELS, 3)
        self.score = nn.Conv2d(CHANNELS, classes, 1)
        self.up2 = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
        self.up8 = nn.Upsample(scale_factor=8, mode="bilinear", align_corners=False)

    def forward(self, images: Tensor) -> Tensor:
        """The score of the fused features of three taps."""
        tap8, tap16, tap32 = self.encoder(images)
        fused = self.fuse16(self.reduce16(tap16) + self.up2(self.reduce32(tap32)))
        fused = self.fuse8(self.reduce8(tap8) + self.up2(fused))
        logits: Tensor = self.up8(self.score(fused))
        return logits


def _convolution(channels: int, kernel_size: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, CHANNELS, kernel_size, padding=kernel_size // 2, bias=False),
        nn.BatchNorm2d(CHANNELS),
        nn.ReLU(inplace=True),
    )
