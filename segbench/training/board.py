"""A training as TensorBoard shows it: curves, and what the network sees of a few frames."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from segbench.data.draw import overlay
from segbench.errors import SegbenchError
from segbench.inference.tensors import class_map, to_device
from segbench.model import SegmentationModel
from segbench.training.state import Epoch
from segbench.types import Dataset

SAMPLES = 4
CURVES = {
    "loss/train": "train_loss",
    "loss/val": "val_loss",
    "miou/train": "train_miou",
    "miou/val": "val_miou",
    "learning rate": "lr",
    "seconds": "seconds",
}


class TensorBoard:
    """Is told of every epoch and writes it to ``folder``.

    ``images`` (N, H, W, 3) are frames of the validation split at training size, of which the
    first few are drawn. A resumed run goes on in the same folder.
    """

    def __init__(self, folder: Path, dataset: Dataset, images: NDArray[np.uint8]) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise SegbenchError(
                '--tensorboard needs another package: pip install "segbench[tensorboard]".'
            ) from error
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self.writer = SummaryWriter(str(folder))
        except OSError as error:
            raise SegbenchError(
                f"--tensorboard {folder} cannot be written ({error.strerror})."
            ) from error
        self.dataset = dataset
        self.images = [np.array(image) for image in images[:SAMPLES]]

    def __call__(self, model: SegmentationModel, entry: Epoch) -> None:
        """Write the epoch's figures and its overlays."""
        figures = asdict(entry)
        for title, name in CURVES.items():
            if figures[name] is None:
                continue
            self.writer.add_scalar(title, figures[name], entry.epoch)
        for number, image in enumerate(self.images):
            drawn = overlay(image, _predict(model, image), self.dataset.palette)
            self.writer.add_image(f"validation/{number}", drawn, entry.epoch, dataformats="HWC")
        self.writer.flush()


@torch.inference_mode()
def _predict(model: SegmentationModel, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    model.eval()
    device = next(model.parameters()).device
    return class_map(model(to_device(image[None], device, torch.float32))[0])
