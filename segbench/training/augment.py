"""Augmentation of whole batches on the device that trains on them."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from segbench.types import IGNORED, Augmentation


@dataclass(frozen=True)
class _Window:
    """Where each sample of a batch is cut out: the scale of its zoom and its centre in -1..1."""

    zoom_y: Tensor
    zoom_x: Tensor
    centre_y: Tensor
    centre_x: Tensor


def augment(
    images: Tensor, labels: Tensor, how: Augmentation, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Change a batch at random: images (N, 3, H, W) float 0..255, labels (N, H, W) class maps.

    The zoom keeps the batch's size: above 1 it crops, below 1 it pads with black and IGNORED.
    Random numbers come from ``generator``, a CPU one, so every device draws the same.
    """
    if how.scale != (1.0, 1.0) or how.flip:
        window = _draw_window(len(images), how, generator)
        images, labels = _cut(images, labels, window)
    return _jitter(images, how, generator), labels


def _draw_window(count: int, how: Augmentation, generator: torch.Generator) -> _Window:
    low, high = (math.log(limit) for limit in how.scale)
    scale = torch.empty(count).uniform_(low, high, generator=generator).exp()
    free = (1 - 1 / scale).abs()
    centre_y = torch.empty(count).uniform_(-1, 1, generator=generator) * free
    centre_x = torch.empty(count).uniform_(-1, 1, generator=generator) * free
    flip = torch.rand(count, generator=generator) < (0.5 if how.flip else 0.0)
    return _Window(1 / scale, torch.where(flip, -1 / scale, 1 / scale), centre_y, centre_x)


def _cut(images: Tensor, labels: Tensor, window: _Window) -> tuple[Tensor, Tensor]:
    theta = torch.zeros(len(images), 2, 3)
    theta[:, 0, 0], theta[:, 0, 2] = window.zoom_x, window.centre_x
    theta[:, 1, 1], theta[:, 1, 2] = window.zoom_y, window.centre_y
    grid = functional.affine_grid(theta.to(images.device), list(images.shape), align_corners=False)
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
