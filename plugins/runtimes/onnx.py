"""ONNX Runtime: FP32, FP16, and INT8 in the profiles of CPUs and of TensorRT."""

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from segbench.hookspecs import hookimpl
from segbench.types import Runtime, Session, Setup

if TYPE_CHECKING:
    from segbench.export import Precision
    from segbench.fcn8s import FCN8s

REQUIRES = ("torch", "onnx", "onnxscript", "onnxruntime-gpu|onnxruntime")


def export(precision: "Precision", model: "FCN8s", setup: Setup, path: Path) -> Mapping[str, Any]:
    """Write the graph that ``open_session`` loads."""
    from segbench.export import export_onnx

    export_onnx(model, path, setup, precision)
    return {}


def open_session(precision: "Precision", model: "FCN8s", setup: Setup) -> Session:
    """Export to a file that lives as long as loading takes."""
    from segbench.onnx_session import OnnxSession

    with TemporaryDirectory() as folder:
        path = Path(folder) / "fcn8s.onnx"
        export(precision, model, setup, path)
        return OnnxSession(path, setup, precision)


@hookimpl
def segbench_runtimes() -> Iterable[Runtime]:
    """``onnx`` and ``onnx-fp16``."""
    precisions: dict[str, Precision] = {"onnx": "fp32", "onnx-fp16": "fp16"}
    for name, precision in precisions.items():
        yield Runtime(
            name=name,
            summary=f"ONNX Runtime, {precision.upper()}, CUDA or CPU",
            open=partial(open_session, precision),
            requires=REQUIRES,
            export=partial(export, precision),
        )
