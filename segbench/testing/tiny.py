"""A small network for tests of sessions, and what eager FP32 makes of it."""

from collections.abc import Callable
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from segbench.inference.networks import fcn8s_on
from segbench.networks.model import SegmentationModel
from segbench.types import Backbone

ModuleT = TypeVar("ModuleT", bound=nn.Module)


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


def reference(model: SegmentationModel, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Its logits for the images, in eager FP32."""
    device = next(model.parameters()).device
    with torch.no_grad():
        tensor = torch.from_numpy(images).to(device).permute(0, 3, 1, 2).float()
        logits: NDArray[np.float32] = model(tensor).float().cpu().numpy()
    return logits


def seeded(build: Callable[[], ModuleT], seed: int) -> ModuleT:
    """What ``build`` returns with that seed; other random numbers do not change."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build()
