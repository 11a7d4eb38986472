"""mIoU of an ONNX file on held-back training frames, to compare ways of quantising it."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from segbench.engines.onnx_session import OnnxSession
from segbench.metrics.confusion import confusion_matrix, mean_iou
from segbench.types import Calibration, Setup


def held_back_miou(
    path: Path, setup: Setup, calibration: Calibration, classes: int
) -> float | None:
    """Mean IoU at the network's size, on ONNX Runtime's CPU; None where nothing is labelled."""
    images, labels = calibration.held_back_images, calibration.held_back_labels
    if images is None or labels is None:
        return None
    session = OnnxSession(path, replace(setup, device="cpu"), "int8")
    matrix = np.zeros((classes, classes + 1), np.int64)
    for start in range(0, len(images), setup.batch_size):
        indices = np.arange(start, start + setup.batch_size) % len(images)
        found = session.fetch(session.run(session.prepare(images[indices])))
        predicted = found if setup.output == "labels" else found.argmax(1).astype(np.uint8)
        for label, prediction in zip(labels[start:], predicted, strict=False):
            matrix += confusion_matrix(label, prediction, classes)
    return mean_iou(matrix)
