"""One quantised network for all who ask: built once, kept in the cache under what determines it."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from segbench.cache import cache_dir
from segbench.errors import SegbenchError
from segbench.export import export_onnx
from segbench.fcn8s import FCN8s
from segbench.files import draft_of
from segbench.progress import Reporter
from segbench.quantize.profiles import (
    Profile,
    convolutions,
    layers_to_quantize,
    write_quantized,
)
from segbench.quantize.ranges import measure_ranges
from segbench.quantize.score import held_back_miou
from segbench.types import Calibration, Setup

FORMAT = 1
"""Goes up when the same request would give another network."""


def quantize_onnx(model: FCN8s, path: Path, setup: Setup, profile: Profile) -> dict[str, Any]:
    """Write ``model`` in INT8 to ``path`` as ONNX with Q/DQ nodes; give what there is to say of it.

    "unsigned" is for ONNX Runtime on x86 CPUs, "signed" for TensorRT. The input and output are
    those of ``export_onnx``. The details, JSON values, name the ``profile``, the calibration
    ``method``, the ``scores`` of all methods (mIoU on held-back frames, or null), the ``source``
    and the ``frames`` calibrated on, the quantised ``layers`` and the ``float_layers``. Raises
    SegbenchError without ``setup.calibration`` and for an unknown layer in ``setup.keep_float``.
    """
    calibration = calibration_of(setup)
    key = _key(model, setup, profile)
    network, notes = (cache_dir("int8") / f"{key}{suffix}" for suffix in (".onnx", ".json"))
    if not (network.exists() and notes.exists()):
        details = _build(model, network, setup, calibration, profile)
        with draft_of(notes) as draft:
            draft.write_text(json.dumps(details, indent=2) + "\n", encoding="utf-8")
    with draft_of(path) as draft:
        shutil.copyfile(network, draft)
    found: dict[str, Any] = json.loads(notes.read_text(encoding="utf-8"))
    return found


def calibration_of(setup: Setup) -> Calibration:
    """The images to calibrate on; SegbenchError where the setup has none."""
    if setup.calibration is None or not len(setup.calibration.images):
        raise SegbenchError(
            "INT8 needs training images to calibrate on: give --dataset and --data-root."
        )
    return setup.calibration


def calibration_batches(setup: Setup, calibration: Calibration) -> Iterator[NDArray[np.float32]]:
    """Inputs (N, 3, H, W) of the setup's batch; the last is filled up from the start."""
    count = len(calibration.images)
    starts = range(0, count, setup.batch_size)
    for start in Reporter().track(starts, len(starts), "calibrate"):
        indices = np.arange(start, start + setup.batch_size) % count
        images = calibration.images[indices].transpose(0, 3, 1, 2)
        yield np.ascontiguousarray(images, dtype=np.float32)


def _build(
    model: FCN8s, network: Path, setup: Setup, calibration: Calibration, profile: Profile
) -> dict[str, Any]:
    with TemporaryDirectory(prefix=".", dir=network.parent) as name:
        folder = Path(name)
        source = folder / "fp32.onnx"
        export_onnx(model, source, setup)
        graph = onnx.load(source).graph
        layers = layers_to_quantize(graph, setup.keep_float)
        compare = calibration.held_back_labels is not None
        ranges = measure_ranges(source, calibration_batches(setup, calibration), compare)
        scores: dict[str, float | None] = {}
        for method, found in ranges.items():
            candidate = folder / f"{method}.onnx"
            write_quantized(source, candidate, found, profile, layers)
            scores[method] = (
                held_back_miou(candidate, setup, calibration, model.classes) if compare else None
            )
        best = max(scores, key=lambda method: scores[method] or 0)
        (folder / f"{best}.onnx").replace(network)
    return {
        "profile": profile,
        "method": best,
        "scores": scores,
        "source": calibration.source,
        "frames": list(calibration.frames),
        "layers": layers,
        "float_layers": [n.name for n in convolutions(graph) if n.name not in layers],
    }


def _key(model: FCN8s, setup: Setup, profile: Profile) -> str:
    """A digest of everything that determines the network."""
    calibration = calibration_of(setup)
    asked = [setup.size, setup.batch_size, setup.output, sorted(setup.keep_float), profile]
    versions = [FORMAT, onnxruntime.__version__, onnx.__version__]
    described = [*versions, *asked, calibration.source, calibration.frames, repr(model)]
    digest = hashlib.sha256(repr(described).encode())
    tensors = {**model.state_dict(), "mean": model.mean, "std": model.std}
    for name, tensor in tensors.items():
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(tensor.cpu().numpy()).data)
    labelled = (calibration.held_back_images, calibration.held_back_labels)
    for images in (calibration.images, *labelled):
        if images is not None:
            digest.update(np.ascontiguousarray(images).data)
    return digest.hexdigest()[:32]
