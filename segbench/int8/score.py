"""mIoU of an ONNX file on held-back training frames, to compare ways of quantising it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from segbench.onnx.session import OnnxSession
from segbench.scoring.confusion import confusion_matrix, mean_iou
from segbench.types import Calibration, Setup


def held_back_miou(
    path: Path, setup: Setup, calibration: Calibration, classes: int
) -> float | None:
    """Mean IoU of ``held_back_confusions``; None where nothing is labelled."""
    matrices = held_back_confusions(path, setup, calibration, classes)
    return None if matrices is None else mean_iou(matrices.sum(0))


def held_back_confusions(
    path: Path, setup: Setup, calibration: Calibration, classes: int
) -> NDArray[np.int64] | None:
    """A matrix (classes, classes + 1) a frame at the network's size.

    The file is executed as written, so that what is chosen by it does not depend on the CPU.
    """
    images, labels = calibration.held_back_images, calibration.held_back_labels
    if images is None or labels is None:
        return None
    session = OnnxSession(path, replace(setup, device="cpu"), "int8", exact=True)
    matrices = []
    for start in range(0, len(images), setup.batch_size):
        indices = np.arange(start, start + setup.batch_size) % len(images)
        found = session.fetch(session.run(session.prepare(images[indices])))
        predicted = found if setup.output == "labels" else found.argmax(1).astype(np.uint8)
        for label, prediction in zip(labels[start:], predicted, strict=False):
            matrices.append(confusion_matrix(label, prediction, classes))
    return np.stack(matrices)
