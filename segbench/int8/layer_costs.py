"""What each layer costs in INT8: its noise, and the mIoU lost when it alone is quantised."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from segbench.int8.profiles import (
    Profile,
    Ranges,
    before_activation,
    convolutions,
    write_quantized,
)
from segbench.int8.ranges import batches, session_with_outputs
from segbench.int8.score import held_back_miou
from segbench.types import Calibration, Setup

SNR_FRAMES = 4


@dataclass(frozen=True)
class LayerCost:
    """One layer that runs in INT8.

    ``snr_db`` is 10 log10 of the energy of the layer's FP32 output, after its activation, over
    the energy of the error when this layer alone is quantised, on the first four held-back
    frames; None where there is no error. ``miou_lost`` is FP32's mIoU on all held-back frames
    less the mIoU then, a fraction.
    """

    layer: str
    snr_db: float | None
    miou_lost: float


@dataclass(frozen=True)
class Costing:
    """The FP32 graph at ``source``, what it is quantised with, and what it is scored on.

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
        """How many frames it is scored on."""
        return len(np.asarray(self.calibration.held_back_images))

    def miou(self, layers: Sequence[str]) -> float:
        """mIoU on the held-back frames with ``layers`` in INT8, of FP32 where there are none."""
        path = self._quantized(layers) if layers else self.source
        return held_back_miou(path, self.setup, self.calibration, self.classes) or 0.0

    def cost(self, layer: str, fp32_miou: float) -> LayerCost:
        """Quantise ``layer`` alone and measure."""
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
