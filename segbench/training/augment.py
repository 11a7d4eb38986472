"""Augmentation of whole batches on the device that trains on them."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from segbench.types import IGNORED, Augmentation, Size


@dataclass(frozen=True)
class _Window:
    """The crop of each sample of a batch: the scale of its zoom and its centre in -1..1."""

    zoom_y: Tensor
    zoom_x: Tensor
    centre_y: Tensor
    centre_x: Tensor


@dataclass(frozen=True)
class _Draw:
    """Random numbers for ``count`` samples, of which ``rows`` are kept."""

    generator: torch.Generator
    count: int
    rows: slice

    def uniform(self, low: float, high: float) -> Tensor:
        drawn = torch.empty(self.count).uniform_(low, high, generator=self.generator)
        return drawn[self.rows]


def augment(
    images: Tensor,
    labels: Tensor,
    how: Augmentation,
    generator: torch.Generator,
    crop: Size | None = None,
    rows: slice | None = None,
    batch_size: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Change a batch at random: images (N, 3, H, W) float 0..255, labels (N, H, W) class maps.

    The result has the size ``crop``, else that of ``images``. Pixels outside the images are black
    and IGNORED. Random numbers come from ``generator``, a CPU one, so they are the same on every
    device. They are drawn for a whole batch of ``batch_size`` even if ``images`` are only its
    ``rows``.
    """
    whole = images.shape[2], images.shape[3]
    crop = crop or whole
    draw = _Draw(generator, batch_size or len(images), rows or slice(None))
    if how.scale != (1.0, 1.0) or how.flip or crop != whole:
        window = _draw_window((crop[0] / whole[0], crop[1] / whole[1]), how, draw)
        images, labels = _cut(images, labels, window, crop)
    return _jitter(images, how, draw), labels


def _draw_window(share: tuple[float, float], how: Augmentation, draw: _Draw) -> _Window:
    """``share`` is the part of the image's height and width that the result shows at scale 1."""
    scale = draw.uniform(math.log(how.scale[0]), math.log(how.scale[1])).exp()
    zoom_y, zoom_x = share[0] / scale, share[1] / scale
    centre_y = draw.uniform(-1, 1) * (1 - zoom_y).abs()
    centre_x = draw.uniform(-1, 1) * (1 - zoom_x).abs()
    flip = draw.uniform(0, 1) < (0.5 if how.flip else 0.0)
    return _Window(zoom_y, torch.where(flip, -zoom_x, zoom_x), centre_y, centre_x)


def _cut(images: Tensor, labels: Tensor, window: _Window, crop: Size) -> tuple[Tensor, Tensor]:
    theta = torch.zeros(len(images), 2, 3)
    theta[:, 0, 0], theta[:, 0, 2] = window.zoom_x, window.centre_x
    theta[:, 1, 1], theta[:, 1, 2] = window.zoom_y, window.centre_y
    shape = [*images.shape[:2], *crop]
    grid = functional.affine_grid(
        theta.to(images.device, non_blocking=True), shape, align_corners=False
    )
    images = functional.grid_sample(images, grid, mode="bilinear", align_corners=False)
    shifted = labels.unsqueeze(1).float() - IGNORED
    shifted = functional.grid_sample(shifted, grid, mode="nearest", align_corners=False)
    return images, (shifted + IGNORED).squeeze(1).round().to(labels.dtype)


def _jitter(images: Tensor, how: Augmentation, draw: _Draw) -> Tensor:
    """Brightness, contrast about mid-grey and saturation, each random per image."""

    def drawn(limits: tuple[float, float]) -> Tensor:
        return draw.uniform(*limits).view(-1, 1, 1, 1).to(images.device, non_blocking=True)

    if how.saturation != (1.0, 1.0):
        grey = images.mean(dim=1, keepdim=True)
        images = grey + (images - grey) * drawn(how.saturation)
    if how.contrast != (1.0, 1.0):
        images = (images - 128) * drawn(how.contrast) + 128
    if how.brightness != (0.0, 0.0):
        images = images + drawn(how.brightness)
    return images.clamp(0, 255)
