"""The ranges of activations on calibration images, found in three ways in one pass.

"min-max" covers every value. "percentile" leaves out one value in ten thousand. "entropy" is the
range that loses the least information (Migacz, GTC 2017, session S7310).
"""

import io
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from segbench.device.cpu import usable_cores
from segbench.inference.agreement import full_batches
from segbench.progress import Reporter

from ..session import DISABLED_OPTIMIZERS, execute_as_written
from .profiles import Ranges, tensors_to_measure

BINS = 2048
"""Bins over the first batch's range, both signs; more if a later batch has larger values."""
ENTROPY_BINS = 512
"""The maximum. Search time grows with its square: a third of a second per tensor for 512."""
LEVELS = 128
PERCENTILE = 99.99


def measure_ranges(
    source: Path, images: NDArray[np.uint8], batch_size: int, compare: bool, reporter: Reporter
) -> dict[str, Ranges]:
    """Method -> ranges of the FP32 graph at ``source``; only "min-max" unless ``compare``.

    ``images`` are (N, H, W, 3). The activations of one batch at a time are held in memory.
    """
    from onnxruntime.quantization.calibrate import HistogramCollector

    collector = HistogramCollector("entropy", False, BINS, LEVELS, PERCENTILE, "same")
    widest: Ranges = {}
    names = tensors_to_measure(onnx.load(source).graph)
    session = session_with_outputs(source, names)
    starts = range(0, len(images), batch_size)
    inputs = zip(starts, batches(images, batch_size), strict=True)
    for start, batch in reporter.track(inputs, len(starts), "calibrate"):
        for name, output in zip(names, session.run(names, {"images": batch}), strict=True):
            values = output[: len(images) - start]
            low, high = widest.get(name, (values.min(), values.max()))
            widest[name] = min(low, values.min()), max(high, values.max())
            if compare:
                collector.collect_value({name: values})
    if not compare:
        return {"min-max": widest}
    with redirect_stdout(io.StringIO()):
        percentile = collector.compute_percentile()
        for name, histogram in collector.histogram_dict.items():
            collector.histogram_dict[name] = _coarse(*histogram)
        entropy = collector.compute_entropy()
    return {"min-max": widest, "percentile": _pairs(percentile), "entropy": _pairs(entropy)}


def batches(images: NDArray[np.uint8], batch_size: int) -> Iterator[NDArray[np.float32]]:
    """Inputs (batch_size, 3, H, W) of images (N, H, W, 3); the last is filled up from the first."""
    for batch in full_batches(images, batch_size):
        yield np.ascontiguousarray(batch.transpose(0, 3, 1, 2), dtype=np.float32)


def session_with_outputs(source: Path, names: Sequence[str]) -> Any:
    """An ONNX Runtime session on the CPU that can also output inner tensors.

    It executes the graph as written.
    """
    import onnxruntime

    model = onnx.load(source)
    there = {output.name for output in model.graph.output}
    model.graph.output.extend(onnx.ValueInfoProto(name=n) for n in names if n not in there)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = usable_cores()
    execute_as_written(options)
    return onnxruntime.InferenceSession(
        model.SerializeToString(),
        options,
        providers=["CPUExecutionProvider"],
        disabled_optimizers=DISABLED_OPTIMIZERS,
    )


def _coarse(
    counts: NDArray[np.int64], edges: NDArray[Any], low: Any, high: Any, threshold: Any
) -> tuple[Any, ...]:
    """The collector's entry with at most ``ENTROPY_BINS`` bins, keeping zero at a bin edge."""
    while counts.size > ENTROPY_BINS:
        if counts.size % 4:
            step = edges[1] - edges[0]
            counts = np.pad(counts, 1)
            edges = np.concatenate([[edges[0] - step], edges, [edges[-1] + step]])
        counts, edges = counts.reshape(-1, 2).sum(1), edges[::2].astype(np.float32)
    return counts, edges, low, high, threshold


def _pairs(found: dict[str, tuple[Any, ...]]) -> Ranges:
    return {name: (np.float32(low), np.float32(high)) for name, (low, high, *_) in found.items()}
