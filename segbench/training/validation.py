"""The score that chooses the best epoch."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from segbench.device import training_dtype
from segbench.inference.tensors import class_map, resize_logits, to_device
from segbench.model import SegmentationModel
from segbench.progress import Reporter
from segbench.scoring.confusion import confusion_matrix, mean_iou
from segbench.types import IGNORED, Dataset, Frame


@dataclass(frozen=True)
class Validation:
    """Mean cross-entropy of a labelled pixel and mIoU over the validation split."""

    loss: float
    miou: float


@dataclass(frozen=True)
class Validator:
    """Scores a network in the precision of its training.

    ``images`` (N, H, W, 3) are the frames' at training size; logits are resized to the labels.
    """

    dataset: Dataset
    frames: Sequence[Frame]
    images: NDArray[np.uint8]
    device: torch.device
    precision: str
    reporter: Reporter

    @torch.inference_mode()
    def __call__(self, model: SegmentationModel) -> Validation:
        """One confusion matrix over the whole split, at label size."""
        model.eval()
        dtype = training_dtype(self.precision, self.device)
        classes = len(self.dataset.classes)
        matrices = []
        loss, pixels = 0.0, 0
        pairs = zip(self.frames, self.images, strict=True)
        for frame, image in self.reporter.track(pairs, len(self.frames), "validate"):
            label = self.dataset.read_label(frame)
            inputs = to_device(image[None], self.device, dtype)
            with torch.autocast(self.device.type, dtype, enabled=dtype != torch.float32):
                logits = model(inputs)
            logits = resize_logits(logits.float(), label.shape)
            truth = torch.from_numpy(label).to(self.device).long()[None]
            loss += float(
                functional.cross_entropy(logits, truth, ignore_index=IGNORED, reduction="sum")
            )
            pixels += int((label != IGNORED).sum())
            matrices.append(confusion_matrix(label, class_map(logits[0]), classes))
        return Validation(loss / max(1, pixels), mean_iou(np.sum(matrices, axis=0)) or 0.0)
