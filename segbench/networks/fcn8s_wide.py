"""FCN8s with a wider decoder: it fuses features and scores the classes at stride 8, or also at 4.

Source: Kirillov, Girshick, He and Dollár, "Panoptic Feature Pyramid Networks", CVPR 2019, whose
segmentation branch has 128 channels too.
"""

from typing import cast

from torch import Tensor, nn

from segbench.errors import PluginError
from segbench.networks.network import Encoder

CHANNELS = 128
FINE_CHANNELS = 64
"""At stride 4, where a 3x3 convolution of 128 channels is 1.6 G multiply-adds at 360x480."""


class WideFCN8s(nn.Module):
    """Normalised images (N, 3, H, W) to logits (N, classes, H, W); H and W are multiples of 32.

    ``encoder`` is a module that is an ``Encoder``. Each of its features is reduced to 128 channels;
    from coarse to fine they are added, with a 3x3 convolution after each addition.
    """

    def __init__(self, encoder: nn.Module, classes: int) -> None:
        super().__init__()
        self.encoder = encoder
        channels8, channels16, channels32 = cast(Encoder, encoder).channels[-3:]
        self.reduce8 = _convolution(channels8, CHANNELS, 1)
        self.reduce16 = _convolution(channels16, CHANNELS, 1)
        self.reduce32 = _convolution(channels32, CHANNELS, 1)
        self.fuse16 = _convolution(CHANNELS, CHANNELS, 3)
        self.fuse8 = _convolution(CHANNELS, CHANNELS, 3)
        self.score = nn.Conv2d(CHANNELS, classes, 1)
        self.up2 = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
        self.up8 = nn.Upsample(scale_factor=8, mode="bilinear", align_corners=False)

    def forward(self, images: Tensor) -> Tensor:
        """The score of the fused features of three taps."""
        logits: Tensor = self.up8(self.score(self.fuse(*self.encoder(images)[-3:])))
        return logits

    def fuse(self, tap8: Tensor, tap16: Tensor, tap32: Tensor) -> Tensor:
        """Features of 128 channels at stride 8."""
        fused = self.fuse16(self.reduce16(tap16) + self.up2(self.reduce32(tap32)))
        fused8: Tensor = self.fuse8(self.reduce8(tap8) + self.up2(fused))
        return fused8


class WideFCN4s(WideFCN8s):
    """The same, with scores added at stride 4, of 64 channels fused with the features there.

    The added scores start at zero, so that training begins like ``WideFCN8s``. PluginError if the
    encoder has no features at stride 4.
    """

    def __init__(self, encoder: nn.Module, classes: int) -> None:
        super().__init__(encoder, classes)
        channels = cast(Encoder, encoder).channels
        if len(channels) < 4:
            raise PluginError(
                "The encoder has no features at stride 4, which the decoder wide4 needs; choose "
                "another --backbone, or --decoder wide."
            )
        self.reduce4 = _convolution(channels[0], FINE_CHANNELS, 1)
        self.narrow = _convolution(CHANNELS, FINE_CHANNELS, 1)
        self.fuse4 = _convolution(FINE_CHANNELS, FINE_CHANNELS, 3)
        self.score4 = nn.Conv2d(FINE_CHANNELS, classes, 1)
        nn.init.zeros_(self.score4.weight)
        nn.init.zeros_(cast(Tensor, self.score4.bias))
        self.up4 = nn.Upsample(scale_factor=4, mode="bilinear", align_corners=False)

    def forward(self, images: Tensor) -> Tensor:
        """The scores at stride 8 plus those at stride 4."""
        tap4, *coarser = self.encoder(images)
        fused = self.fuse(*coarser)
        fine = self.fuse4(self.reduce4(tap4) + self.up2(self.narrow(fused)))
        logits: Tensor = self.up4(self.up2(self.score(fused)) + self.score4(fine))
        return logits


def _convolution(channels: int, out: int, kernel_size: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, out, kernel_size, padding=kernel_size // 2, bias=False),
        nn.BatchNorm2d(out),
        nn.ReLU(inplace=True),
    )
