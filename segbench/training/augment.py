"""Augmentation of whole batches on the device that trains on them."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from segbench.types import IGNORED, Augmentation, Size


@dataclass(frozen=True)
class _Window:
    """Where each sample of a batch is cut out: the scale of its zoom and its centre in -1..1."""

    zoom_y: Tensor
    zoom_x: Tensor
    centre_y: Tensor
    centre_x: Tensor


def augment(
    images: Tensor,
    labels: Tensor,
    how: Augmentation,
    generator: torch.Generator,
    crop: Size | None = None,
) -> tuple[Tensor, Tensor]:
    """Change a batch at random: images (N, 3, H, W) float 0..255, labels (N, H, W) class maps.

    The result has the size ``crop``, or else that of ``images``. What the zoom leaves outside the
    images is black and IGNORED.
    Random numbers come from ``generator``, a CPU one, so every device draws the same.
    """
    whole = images.shape[2], images.shape[3]
    crop = crop or whole
    if how.scale != (1.0, 1.0) or how.flip or crop != whole:
        window = _draw_window(len(images), (crop[0] / whole[0], crop[1] / whole[1]), how, generator)
        images, labels = _cut(images, labels, window, crop)
    return _jitter(images, how, generator), labels


def _draw_window(
    count: int, share: tuple[float, float], how: Augmentation, generator: torch.Generator
) -> _Window:
    """``share`` is the part of the image's height and width that the result shows at scale 1."""
    low, high = (math.log(limit) for limit in how.scale)
    scale = torch.empty(count).uniform_(low, high, generator=generator).exp()
    zoom_y, zoom_x = share[0] / scale, share[1] / scale
    centre_y = torch.empty(count).uniform_(-1, 1, generator=generator) * (1 - zoom_y).abs()
    centre_x = torch.empty(count).uniform_(-1, 1, generator=generator) * (1 - zoom_x).abs()
    flip = torch.rand(count, generator=generator) < (0.5 if how.flip else 0.0)
    return _Window(zoom_y, torch.where(flip, -zoom_x, zoom_x), centre_y, centre_x)


def _cut(images: Tensor, labels: Tensor, window: _Window, crop: Size) -> tuple[Tensor, Tensor]:
    theta = torch.zeros(len(images), 2, 3)
    theta[:, 0, 0], theta[:, 0, 2] = window.zoom_x, window.centre_x
    theta[:, 1, 1], theta[:, 1, 2] = window.zoom_y, window.centre_y
    shape = [*images.shape[:2], *crop]
    grid = functional.affine_grid(theta.to(images.device), shape, align_corners=False)
    images = functional.grid_sample(images, grid, mode="bilinear", align_corners=False)
    shifted = labels.unsqueeze(1).float() - IGNORED
    shifted = functional.grid_sample(shifted, grid, mode="nearest", align_corners=False)
    return images, (shifted + IGNORED).squeeze(1).round().to(labels.dtype)


def _jitter(images: Tensor, how: Augmentation, generator: torch.Generator) -> Tensor:
    """Brightness, contrast about mid-grey and saturation, each its own random number an image."""
    count = len(images)
    if how.saturation != (1.0, 1.0):
        grey = images.mean(dim=1, keepdim=True)
        images = grey + (images - grey) * _uniform(how.saturation, count, generator, images)
    if how.contrast != (1.0, 1.0):
        images = (images - 128) * _uniform(how.contrast, count, generator, images) + 128
    if how.brightness != (0.0, 0.0):
        images = images + _uniform(how.brightness, count, generator, images)
    return images.clamp(0, 255)


def _uniform(
    limits: tuple[float, float], count: int, generator: torch.Generator, like: Tensor
) -> Tensor:
    drawn = torch.empty(count, 1, 1, 1).uniform_(*limits, generator=generator)
    return drawn.to(like.device)
