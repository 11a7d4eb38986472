"""OpenVINO on CPUs, in FP32; it loads the graph that ONNX Runtime does."""

from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from segbench.hookspecs import hookimpl
from segbench.types import Runtime, Session, Setup

if TYPE_CHECKING:
    from segbench.fcn8s import FCN8s


def open_session(model: "FCN8s", setup: Setup) -> Session:
    """Export to a file that lives as long as loading takes."""
    from segbench.export import export_onnx
    from segbench.openvino_session import OpenVinoSession

    with TemporaryDirectory() as folder:
        path = Path(folder) / "fcn8s.onnx"
        export_onnx(model, path, setup)
        return OpenVinoSession(path, setup, "fp32")


@hookimpl
def segbench_runtimes() -> Iterable[Runtime]:
    """``openvino``."""
    yield Runtime(
        name="openvino",
        summary="OpenVINO, FP32, CPU",
        open=open_session,
        requires=("torch", "onnx", "onnxscript", "openvino"),
    )
