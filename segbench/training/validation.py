"""Validation, which chooses the best epoch."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from segbench.device import training_dtype
from segbench.inference.tensors import confusion_on_device, resize_logits, to_device
from segbench.networks.model import SegmentationModel
from segbench.progress import Reporter
from segbench.scoring.confusion import mean_iou
from segbench.training.world import ALONE, World
from segbench.types import IGNORED, ClassMap, Dataset, Frame

BATCH = 4
READ_AHEAD = 16


@dataclass(frozen=True)
class Validation:
    """Mean cross-entropy per labelled pixel and mIoU over the validation split."""

    loss: float | None
    miou: float | None


@dataclass(frozen=True)
class Validator:
    """Scores a network in its training precision.

    ``images`` (N, H, W, 3) have training size; logits are resized to the labels. Each rank of
    ``world`` has its own frames, and the score covers all ranks.
    """

    dataset: Dataset
    frames: Sequence[Frame]
    images: NDArray[np.uint8]
    device: torch.device
    precision: str
    reporter: Reporter
    world: World = ALONE

    @torch.inference_mode()
    def __call__(self, model: SegmentationModel) -> Validation:
        """One confusion matrix over the whole split, at label size."""
        model.eval()
        classes = len(self.dataset.classes)
        matrix = torch.zeros(classes, classes, dtype=torch.int64, device=self.device)
        loss = torch.zeros((), dtype=torch.float64, device=self.device)
        pairs = zip(self._labels(), self._logits(model), strict=True)
        for label, logits in self.reporter.track(pairs, len(self.frames), "validate"):
            logits = resize_logits(logits[None].float(), label.shape)
            truth = torch.from_numpy(label).to(self.device).long()[None]
            loss += functional.cross_entropy(logits, truth, ignore_index=IGNORED, reduction="sum")
            matrix += confusion_on_device(logits, truth)
        self.world.sum(matrix)
        self.world.sum(loss)
        pixels = max(1, int(matrix.sum()))
        return Validation(float(loss) / pixels, mean_iou(matrix.cpu().numpy()) or 0.0)

    def _logits(self, model: SegmentationModel) -> Iterator[Tensor]:
        dtype = training_dtype(self.precision, self.device)
        for start in range(0, len(self.images), BATCH):
            inputs = to_device(self.images[start : start + BATCH], self.device, dtype)
            with torch.autocast(self.device.type, dtype, enabled=dtype != torch.float32):
                logits = model(inputs)
            yield from logits

    def _labels(self) -> Iterator[ClassMap]:
        """The labels, decoded in threads ahead of the network."""
        with ThreadPoolExecutor() as pool:
            for start in range(0, len(self.frames), READ_AHEAD):
                yield from pool.map(
                    self.dataset.read_label, self.frames[start : start + READ_AHEAD]
                )
