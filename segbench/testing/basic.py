"""What the checks share: sizes, seeds and a tiny network."""

import re
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn

from segbench.inference.networks import fcn8s_on
from segbench.networks.model import SegmentationModel
from segbench.types import Backbone, Size

ModuleT = TypeVar("ModuleT", bound=nn.Module)

SIZES: tuple[Size, Size] = ((64, 96), (96, 64))
ODD_SIZE: Size = (50, 70)


def tiny_network(classes: int = 3) -> SegmentationModel:
    """A network with a few thousand seeded non-zero weights, for tests of sessions."""

    def build() -> SegmentationModel:
        backbone = Backbone("tiny", "Three convolutions", lambda convention: TinyEncoder())
        model = SegmentationModel(fcn8s_on(backbone), classes)
        for parameter in model.parameters():
            nn.init.normal_(parameter, std=0.1)
        return model.eval()

    return seeded(build, seed=0)


class TinyEncoder(nn.Module):
    """Three strided convolutions: a minimal ``Encoder``."""

    channels = (8, 16, 32)

    def __init__(self) -> None:
        super().__init__()
        self.to8 = nn.Conv2d(3, 8, 9, stride=8, padding=4)
        self.to16 = nn.Conv2d(8, 16, 3, stride=2, padding=1)
        self.to32 = nn.Conv2d(16, 32, 3, stride=2, padding=1)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Features at strides 8, 16 and 32."""
        tap8 = self.to8(images).relu()
        tap16 = self.to16(tap8).relu()
        return tap8, tap16, self.to32(tap16).relu()


def seeded(build: Callable[[], ModuleT], seed: int) -> ModuleT:
    """What ``build`` makes with this seed; the global one is unchanged."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build()


def check_name(name: str, summary: str) -> None:
    """Check the name of a plugin's item and its line in ``segbench plugins``."""
    assert re.fullmatch("[a-z0-9._/-]+", name), f"{name!r}: a name may have a-z, 0-9, '.', '_', '-'"
    assert re.fullmatch(".+", summary), f"{name!r}: a summary must be one line"
