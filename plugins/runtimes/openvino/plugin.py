"""OpenVINO on CPUs, in FP32 and INT8; it loads the graphs that ONNX Runtime does."""

from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from segbench.hookspecs import hookimpl
from segbench.types import Runtime, Session, Setup

if TYPE_CHECKING:
    from segbench.fcn8s import FCN8s

REQUIRES = ("torch", "onnx", "onnxscript", "onnxruntime-gpu|onnxruntime", "openvino")


def open_fp32(model: "FCN8s", setup: Setup) -> Session:
    """Export to a file that lives as long as loading takes."""
    from segbench.onnx.graph import export_onnx

    from .session import OpenVinoSession

    with TemporaryDirectory() as folder:
        path = Path(folder) / "fcn8s.onnx"
        export_onnx(model, path, setup)
        return OpenVinoSession(path, setup, "fp32")


def open_int8(model: "FCN8s", setup: Setup) -> Session:
    """The very network that the runtime ``onnx-int8`` runs on a CPU."""
    from segbench.int8 import quantize_onnx

    from .session import OpenVinoSession

    with TemporaryDirectory() as folder:
        path = Path(folder) / "fcn8s.onnx"
        details = {"quantization": quantize_onnx(model, path, setup, "unsigned")}
        return OpenVinoSession(path, setup, "int8", details)


@hookimpl
def segbench_runtimes() -> Iterable[Runtime]:
    """``openvino`` and ``openvino-int8``."""
    yield Runtime("openvino", "OpenVINO, FP32, CPU", open_fp32, REQUIRES)
    yield Runtime(
        name="openvino-int8",
        summary="OpenVINO, INT8, CPU",
        open=open_int8,
        requires=REQUIRES,
        calibrates=True,
        fp16="onnx-fp16",
        precision="int8",
    )
