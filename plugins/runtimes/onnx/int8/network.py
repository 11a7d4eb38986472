"""Quantised networks, built once and cached under a digest of what determines them."""

import hashlib
import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import onnxscript
import torch
from numpy.typing import NDArray

from segbench.cache import cache_dir, cached
from segbench.errors import SegbenchError
from segbench.files import draft_of, scratch_folder
from segbench.inference.agreement import full_batches
from segbench.inference.calibration import digest
from segbench.networks.model import SegmentationModel
from segbench.scoring.confusion import mean_iou
from segbench.types import Calibration, Setup

from ..graph import compare_with_eager, export_onnx
from .layer_costs import Costing, choose_method, costly_layers, held_back_confusions
from .profiles import (
    Profile,
    Ranges,
    convolutions,
    layers_to_quantize,
    write_quantized,
)
from .ranges import measure_ranges

FORMAT = 8
"""Increase it when the same request results in another network."""
COMPARED_FRAMES = 4
LEAST_AGREEMENT = 0.5
LARGEST_ERROR = 0.5
"""Maximum error of the logits, as ``Agreement.error``. Good networks agree on 90% of pixels, with
errors below 10%. If one class fills the picture, a broken network agrees too, but its logits do
not."""


@dataclass(frozen=True)
class Quantized:
    """A network in the cache, and its details; ``key`` determines it."""

    key: str
    path: Path
    details: dict[str, Any]


def quantize_onnx(
    model: SegmentationModel, path: Path, setup: Setup, profile: Profile
) -> dict[str, Any]:
    """Write ``model`` in INT8 to ``path`` as ONNX with Q/DQ nodes; return its details.

    "unsigned" is for ONNX Runtime on CPUs, "unsaturated" for engines without exact INT8 kernels
    on CPUs that saturate, "signed" for engines on GPUs. The input and output are those of
    ``export_onnx``. The details, JSON values, have the ``profile``, the calibration ``method``, the
    ``scores`` of all methods (mIoU on held-back frames, or null), the ``source`` and the ``frames``
    calibrated on, the quantised ``layers``, the ``float_layers`` and which of these were
    ``kept_float``, as requested or for their cost. Raises SegbenchError without
    ``setup.calibration`` and for an unknown layer in ``setup.keep_float``.
    """
    network = quantized(model, setup, profile)
    with draft_of(path) as draft:
        shutil.copyfile(network.path, draft)
    return network.details


def export_quantized(
    model: SegmentationModel, path: Path, setup: Setup, profile: Profile
) -> dict[str, Any]:
    """``quantize_onnx`` for an exported file: its details, and the ``agreement`` with eager.

    That is the share of matching pixels on a few calibration frames. Raises SegbenchError, leaving
    ``path`` unchanged, if the network clearly disagrees.
    """
    with draft_of(path) as draft:
        details = quantize_onnx(model, draft, setup, profile)
        return {**details, "agreement": _agreement(model, draft, setup)}


def _agreement(model: SegmentationModel, path: Path, setup: Setup) -> float:
    images = calibration_of(setup).images[:COMPARED_FRAMES]
    found = [
        compare_with_eager(model, path, setup, "int8", batch)
        for batch in full_batches(images, setup.batch_size)
    ]
    agreement = float(np.mean([each.share for each in found]))
    error = float(np.max([each.error or 0.0 for each in found]))
    if agreement < LEAST_AGREEMENT:
        what = f"matches eager on only {agreement:.0%} of the pixels"
    elif not error <= LARGEST_ERROR:
        what = f"has logits that are {error:.0%} off eager's on some"
    else:
        return agreement
    raise SegbenchError(
        f"The INT8 network {what} of its calibration frames, so it was not written; keep "
        "layers in floating point (segbench quantize-report shows which cost most), or export in "
        "FP16."
    )


def quantized(model: SegmentationModel, setup: Setup, profile: Profile) -> Quantized:
    """The network from the cache, built if missing."""
    kept = None if setup.keep_float is None else sorted(setup.keep_float)
    asked = (setup.size, setup.batch_size, setup.output, kept, profile)
    key = _key(model, calibration_of(setup), *asked)

    def make(folder: Path) -> None:
        folder.mkdir()
        details = _build(model, folder / "network.onnx", setup, profile)
        (folder / "details.json").write_text(json.dumps(details, indent=2) + "\n", "utf-8")

    folder = cached(cache_dir("int8") / key, make)
    details = json.loads((folder / "details.json").read_text("utf-8"))
    return Quantized(key, folder / "network.onnx", details)


def cached_ranges(model: SegmentationModel, source: Path, setup: Setup) -> dict[str, Ranges]:
    """Method -> ranges of ``model``, exported to ``source``, on the calibration images.

    They are reused for every profile, output, batch and choice of float layers.
    """
    calibration = calibration_of(setup)
    compare = calibration.held_back_labels is not None
    kept = remembered(
        f"{_key(model, calibration, setup.size)}.ranges.json",
        lambda: measure_ranges(
            source, calibration.images, setup.batch_size, compare, setup.reporter
        ),
    )
    return {
        method: {name: (np.float32(low), np.float32(high)) for name, (low, high) in pairs.items()}
        for method, pairs in kept.items()
    }


def calibration_of(setup: Setup) -> Calibration:
    """The images to calibrate on; SegbenchError if the setup has none."""
    if setup.calibration is None or not len(setup.calibration.images):
        raise SegbenchError(
            "INT8 needs training images to calibrate on: give --dataset and --data-root."
        )
    return setup.calibration


def _build(model: SegmentationModel, path: Path, setup: Setup, profile: Profile) -> dict[str, Any]:
    calibration = calibration_of(setup)
    counted: dict[str, NDArray[np.int64] | None] = {}
    with scratch_folder(path.parent) as folder:
        source = folder / "fp32.onnx"
        export_onnx(model, source, setup)
        graph = onnx.load(source).graph
        layers = layers_to_quantize(graph, setup.keep_float or ())
        found = cached_ranges(model, source, setup)
        for method, ranges in found.items():
            candidate = folder / f"{method}.onnx"
            write_quantized(source, candidate, ranges, profile, layers)
            counted[method] = held_back_confusions(candidate, setup, calibration, model.classes)
        best = choose_method(counted)
        kept = list(setup.keep_float or ())
        if setup.keep_float is None and counted[best] is not None:
            costing = Costing(source, found[best], profile, setup, calibration, model.classes)
            kept = remembered(
                f"{_key(model, calibration, setup.size, profile, best)}.costly.json",
                lambda: costly_layers(costing, layers, setup.reporter),
            )
            layers = [name for name in layers if name not in kept]
            write_quantized(source, folder / f"{best}.onnx", found[best], profile, layers)
        (folder / f"{best}.onnx").replace(path)
    return {
        "profile": profile,
        "method": best,
        "scores": {m: None if c is None else mean_iou(c.sum(0)) for m, c in counted.items()},
        "source": calibration.source,
        "frames": list(calibration.frames),
        "layers": layers,
        "float_layers": [n.name for n in convolutions(graph) if n.name not in layers],
        "kept_float": kept,
    }


def remembered(name: str, work: Callable[[], Any]) -> Any:
    """The JSON value that ``work`` returns, cached."""
    place = cached(
        cache_dir("int8") / name,
        lambda draft: draft.write_text(json.dumps(work(), default=float), "utf-8"),
    )
    return json.loads(place.read_text("utf-8"))


def _key(model: SegmentationModel, calibration: Calibration, *asked: Any) -> str:
    """A digest of everything that determines the result of ``asked``."""
    packages = (torch, onnx, onnxscript, onnxruntime)
    versions = (FORMAT, *(package.__version__ for package in packages))
    described = (versions, asked, digest(calibration), repr(model), model.network.stride)
    whole = hashlib.sha256(repr(described).encode())
    tensors = {**model.net.state_dict(), "mean": model.mean, "std": model.std}
    for name, tensor in tensors.items():
        whole.update(name.encode())
        whole.update(np.ascontiguousarray(tensor.cpu().numpy()).data)
    for file in _code(model.net):
        whole.update(file.read_bytes())
    return whole.hexdigest()[:32]


def _code(net: torch.nn.Module) -> list[Path]:
    """The source files of its layers' classes, since ``repr`` does not show their ``forward``."""
    modules = (sys.modules.get(type(layer).__module__) for layer in net.modules())
    files = {file for module in modules if (file := getattr(module, "__file__", None))}
    return [Path(file) for file in sorted(files)]
