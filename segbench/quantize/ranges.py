"""The ranges of activations on calibration images, found in three ways in one pass.

"min-max" takes every value. "percentile" leaves out one value in ten thousand. "entropy" is the
range that loses the least information (Migacz, "8-bit Inference with TensorRT", GTC 2017).
"""

import io
from collections.abc import Iterable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from segbench.provenance import usable_cores
from segbench.quantize.profiles import Ranges, tensors_to_measure

BINS = 1024
"""Over both signs. The search for "entropy" takes time with the square of it."""
LEVELS = 128
PERCENTILE = 99.99


def measure_ranges(
    source: Path, batches: Iterable[NDArray[np.float32]], compare: bool
) -> dict[str, Ranges]:
    """Method -> ranges of the FP32 graph at ``source``; "min-max" alone unless ``compare``.

    ``batches`` are inputs (N, 3, H, W); the activations of one at a time are held in memory.
    """
    from onnxruntime.quantization.calibrate import HistogramCollector

    collector = HistogramCollector("entropy", False, BINS, LEVELS, PERCENTILE, "same")
    widest: Ranges = {}
    session, names = _session_with_outputs(source)
    for batch in batches:
        for name, values in zip(names, session.run(names, {"images": batch}), strict=True):
            low, high = widest.get(name, (values.min(), values.max()))
            widest[name] = min(low, values.min()), max(high, values.max())
            if compare:
                collector.collect_value({name: values})
    if not compare:
        return {"min-max": widest}
    for name, histogram in collector.histogram_dict.items():
        collector.histogram_dict[name] = _rebinned(*histogram)
    with redirect_stdout(io.StringIO()):
        percentile, entropy = collector.compute_percentile(), collector.compute_entropy()
    return {"min-max": widest, "percentile": _pairs(percentile), "entropy": _pairs(entropy)}


def _session_with_outputs(source: Path) -> tuple[Any, list[str]]:
    """The graph with every tensor that is to be measured as an output."""
    import onnxruntime

    model = onnx.load(source)
    names = tensors_to_measure(model.graph)
    there = {output.name for output in model.graph.output}
    model.graph.output.extend(onnx.ValueInfoProto(name=n) for n in names if n not in there)
    path = source.with_name(f"measured-{source.name}")
    onnx.save(model, path)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = usable_cores()
    providers = ["CPUExecutionProvider"]
    session = onnxruntime.InferenceSession(str(path), options, providers=providers)
    path.unlink()
    return session, names


def _rebinned(
    counts: NDArray[np.int64], edges: NDArray[Any], low: Any, high: Any, threshold: Any
) -> tuple[Any, ...]:
    """At most twice ``BINS``: a histogram grows when a later image has larger values."""
    while counts.size >= 2 * BINS:
        if counts.size % 4:
            step = edges[1] - edges[0]
            counts = np.pad(counts, 1)
            edges = np.concatenate([[edges[0] - step], edges, [edges[-1] + step]])
        counts, edges = counts.reshape(-1, 2).sum(1), edges[::2].astype(np.float32)
    return counts, edges, low, high, threshold


def _pairs(found: dict[str, tuple[Any, ...]]) -> Ranges:
    return {name: (np.float32(low), np.float32(high)) for name, (low, high, *_) in found.items()}
