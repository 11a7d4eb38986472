"""The cost of INT8 on held-back training frames, and decisions based on it.

The mIoU of a graph, of each layer quantised separately, the choice of ranges, and the layers kept
in floating point.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from segbench.inference.agreement import full_batches, output_of
from segbench.progress import Reporter
from segbench.scoring.bootstrap import bootstrap_miou
from segbench.scoring.confusion import confusion_matrix, mean_iou
from segbench.types import Calibration, Setup

from ..session import OnnxSession
from .profiles import (
    Profile,
    Ranges,
    before_activation,
    convolutions,
    write_quantized,
)
from .ranges import batches, session_with_outputs

SNR_FRAMES = 4
TOLERANCE = 0.002
"""The mIoU that INT8 may lose on the held-back frames before layers are kept in float."""
MOST_KEPT = 3


def held_back_miou(
    path: Path, setup: Setup, calibration: Calibration, classes: int
) -> float | None:
    """Mean IoU of ``held_back_confusions``; None without labelled pixels."""
    matrices = held_back_confusions(path, setup, calibration, classes)
    return None if matrices is None else mean_iou(matrices.sum(0))


def held_back_confusions(
    path: Path, setup: Setup, calibration: Calibration, classes: int
) -> NDArray[np.int64] | None:
    """A matrix (classes, classes + 1) per frame at the network's size.

    The file is executed as written, so that choices do not depend on the CPU.
    """
    images, labels = calibration.held_back_images, calibration.held_back_labels
    if images is None or labels is None:
        return None
    session = OnnxSession(path, replace(setup, device="cpu"), "int8", exact=True)
    matrices: list[NDArray[np.int64]] = []
    for batch in full_batches(images, setup.batch_size):
        found = output_of(session, batch)
        predicted = found if setup.output == "labels" else found.argmax(1).astype(np.uint8)
        for label, prediction in zip(labels[len(matrices) :], predicted, strict=False):
            matrices.append(confusion_matrix(label, prediction, classes))
    return np.stack(matrices)


@dataclass(frozen=True)
class LayerCost:
    """One layer that runs in INT8.

    ``snr_db`` is 10 log10 of the energy of the layer's FP32 output, after its activation, over the
    energy of the error when only this layer is quantised, on the first four held-back frames; None
    without error. ``miou_lost`` is FP32's mIoU on all held-back frames minus the mIoU with it, a
    fraction.
    """

    layer: str
    snr_db: float | None
    miou_lost: float


@dataclass(frozen=True)
class Costing:
    """The FP32 graph at ``source``, its quantisation settings, and the frames to score on.

    ``calibration`` has labelled held-back frames. Files are written beside ``source``.
    """

    source: Path
    ranges: Ranges
    profile: Profile
    setup: Setup
    calibration: Calibration
    classes: int

    @property
    def frames(self) -> int:
        """The number of frames it is scored on."""
        return len(np.asarray(self.calibration.held_back_images))

    def miou(self, layers: Sequence[str]) -> float:
        """mIoU on the held-back frames with ``layers`` in INT8, or of FP32 without any."""
        path = self._quantized(layers) if layers else self.source
        return held_back_miou(path, self.setup, self.calibration, self.classes) or 0.0

    def cost(self, layer: str, fp32_miou: float) -> LayerCost:
        """Quantise only ``layer`` and measure."""
        snr = self._snr(layer, self._quantized([layer]))
        return LayerCost(layer, snr, fp32_miou - self.miou([layer]))

    def _quantized(self, layers: Sequence[str]) -> Path:
        path = self.source.with_name("part.onnx")
        write_quantized(self.source, path, self.ranges, self.profile, layers)
        return path

    def _snr(self, layer: str, path: Path) -> float | None:
        exact, coarse = onnx.load(self.source).graph, onnx.load(path).graph
        (output,) = (node.output[0] for node in convolutions(exact) if node.name == layer)
        output = before_activation(exact).get(output, output)
        rounded = f"{output}_DequantizeLinear_Output"
        there = any(rounded in node.output for node in coarse.node)
        wanted = self._outputs(self.source, output)
        found = self._outputs(path, rounded if there else output)
        return decibels(wanted, found)

    def _outputs(self, path: Path, tensor: str) -> NDArray[np.float32]:
        """The values of a tensor on the first held-back frames."""
        session = session_with_outputs(path, [tensor])
        images = np.asarray(self.calibration.held_back_images)[:SNR_FRAMES]
        return np.concatenate(
            [
                session.run([tensor], {"images": batch})[0]
                for batch in batches(images, self.setup.batch_size)
            ]
        )


def decibels(wanted: NDArray[np.float32], found: NDArray[np.float32]) -> float | None:
    """10 log10 of the energy of ``wanted`` over that of the difference; None without either."""
    signal = float(np.sum(np.square(wanted, dtype=np.float64)))
    noise = float(np.sum(np.square(found - wanted, dtype=np.float64)))
    return 10 * math.log10(signal / noise) if signal and noise else None


def choose_method(counted: Mapping[str, NDArray[np.int64] | None]) -> str:
    """The first method, unless another scores better by more than chance.

    ``counted`` has a confusion matrix per held-back frame, the same frames for each method. A
    clipping range must be significantly better: by more than the 95% bootstrap interval.
    """
    best, *others = counted
    for method in others:
        before, after = counted[best], counted[method]
        if before is not None and after is not None:
            gain = bootstrap_miou(after, before)
            if gain is not None and gain[0] > 0:
                best = method
    return best


def costly_layers(costing: Costing, layers: Sequence[str], reporter: Reporter) -> list[str]:
    """The few ``layers`` to keep in float so that INT8 scores like FP32.

    None if INT8 loses less than ``TOLERANCE``. Else the layers that lose the most when quantised
    separately are kept one by one until it does, at most ``MOST_KEPT``, and only as many as help.
    """
    fp32, scores = costing.miou([]), [costing.miou(layers)]
    if fp32 - scores[0] <= TOLERANCE:
        return []
    alone = {
        layer: costing.miou([layer])
        for layer in reporter.track(layers, len(layers), "costly layers")
    }
    worst = sorted(layers, key=alone.__getitem__)
    while fp32 - scores[-1] > TOLERANCE and len(scores) <= MOST_KEPT:
        kept = worst[: len(scores)]
        scores.append(costing.miou([layer for layer in layers if layer not in kept]))
    return worst[: scores.index(max(scores))]
