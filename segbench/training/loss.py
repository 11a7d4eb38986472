"""The loss: cross-entropy of the labelled pixels, plus optionally a surrogate of IoU."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from segbench.types import IGNORED, Recipe

LOVASZ_STRIDE = 4
"""It sorts its pixels, so it uses only every 4th each way."""


@dataclass(frozen=True)
class Loss:
    """The loss of logits (N, classes, H, W) against labels (N, H, W), a scalar.

    ``weights`` (classes,) are the class weights of the cross-entropy. ``lovasz`` is the weight of
    the added Lovász softmax loss.
    """

    weights: Tensor
    lovasz: float = 0.0

    def __call__(self, logits: Tensor, labels: Tensor, batch: Tensor | None = None) -> Tensor:
        """The loss; zero if no pixel is labelled.

        With ``batch``, the total ``weight`` of a batch that these are part of, it is their part of
        the batch's loss: parts of cross-entropy add up to the batch's, and Lovász losses, computed
        per part, to their mean weighted like the pixels.
        """
        loss = cross_entropy(logits, labels, self.weights, batch)
        if self.lovasz:
            sampled = (..., slice(None, None, LOVASZ_STRIDE), slice(None, None, LOVASZ_STRIDE))
            part = lovasz_softmax(logits[sampled], labels[sampled])
            if batch is not None:
                part = part * (self.weight(labels) / batch)
            loss = loss + self.lovasz * part
        return loss

    def weight(self, labels: Tensor) -> Tensor:
        """The sum of the labelled pixels' class weights, by which the cross-entropy is divided."""
        return _weight(labels, self.weights)


def make_loss(
    recipe: Recipe, labels: NDArray[np.uint8], classes: int, device: torch.device
) -> Loss:
    """The recipe's loss for a training split with these labels (N, H, W)."""
    weights = torch.ones(classes)
    if recipe.class_weights:
        weights = class_weights(labels, classes, recipe.class_weight_offset)
    return Loss(weights.to(device), recipe.lovasz)


def cross_entropy(
    logits: Tensor, labels: Tensor, weights: Tensor, batch: Tensor | None = None
) -> Tensor:
    """Weighted mean cross-entropy of the labelled pixels; zero if there are none.

    With ``batch``, the sum of weights of a larger batch, the mean is over that batch.
    """
    total = functional.cross_entropy(logits, labels, weights, ignore_index=IGNORED, reduction="sum")
    return total / (_weight(labels, weights) if batch is None else batch)


def _weight(labels: Tensor, weights: Tensor) -> Tensor:
    by_label = functional.pad(weights, (0, IGNORED + 1 - len(weights)))
    return by_label[labels].sum().clamp_min(1e-6)


def lovasz_softmax(logits: Tensor, labels: Tensor) -> Tensor:
    """A convex surrogate of 1 - mIoU over the classes present in the batch.

    Source: Berman, Triki and Blaschko, "The Lovász-Softmax loss", CVPR 2018.
    """
    labelled = labels != IGNORED
    chances = logits.softmax(1).movedim(1, 0)[:, labelled]
    truth = functional.one_hot(labels[labelled], len(chances)).T.to(chances.dtype)
    errors, order = (truth - chances).abs().sort(dim=1, descending=True)
    truth = truth.gather(1, order)
    present = truth.sum(1, keepdim=True)
    intersection = present - truth.cumsum(1)
    union = present + (1 - truth).cumsum(1)
    jaccard = 1 - intersection / union
    steps = torch.diff(jaccard, dim=1, prepend=torch.zeros_like(jaccard[:, :1]))
    each = (errors * steps).sum(1)
    there = (present[:, 0] > 0).to(each.dtype)
    return (each * there).sum() / there.sum().clamp_min(1)


def class_weights(labels: NDArray[np.uint8], classes: int, offset: float) -> Tensor:
    """1 / ln(offset + p) for the share p of each class in the labels (N, H, W).

    Source: Paszke et al., "ENet: A Deep Neural Network Architecture for Real-Time Semantic
    Segmentation", 2016, with an offset of 1.02.
    """
    counts = np.zeros(IGNORED + 1, np.int64)
    for label in labels:
        counts += np.bincount(label.ravel(), minlength=IGNORED + 1)
    share = counts[:classes] / max(1, counts[:classes].sum())
    return torch.from_numpy(1 / np.log(offset + share)).float()
