"""ONNX Runtime: FP32, FP16, and INT8 in the profiles of CPUs and of TensorRT."""

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from segbench.hookspecs import hookimpl
from segbench.types import Peak, Runtime, Session, Setup

if TYPE_CHECKING:
    from segbench.int8 import Profile
    from segbench.model import SegmentationModel
    from segbench.onnx.graph import Precision

REQUIRES = ("torch", "onnx", "onnxscript", "onnxruntime-gpu|onnxruntime")
PRECISIONS: "dict[str, Precision]" = {"onnx": "fp32", "onnx-fp16": "fp16"}
INT8: "dict[str, tuple[str, Profile | None]]" = {
    "onnx-int8": ("in the profile of the device", None),
    "onnx-int8-signed": ("as TensorRT has it", "signed"),
}


def export(
    precision: "Precision", model: "SegmentationModel", setup: Setup, path: Path
) -> Mapping[str, Any]:
    """Write the graph that ``open_session`` loads."""
    from segbench.onnx.graph import export_onnx

    export_onnx(model, path, setup, precision)
    return {}


def open_session(precision: "Precision", model: "SegmentationModel", setup: Setup) -> Session:
    """Export to a file that lives as long as loading takes."""
    from segbench.onnx.session import OnnxSession

    with TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        export(precision, model, setup, path)
        return OnnxSession(path, setup, precision)


def export_int8(
    profile: "Profile | None", model: "SegmentationModel", setup: Setup, path: Path
) -> Mapping[str, Any]:
    """Write the Q/DQ graph that ``open_int8`` loads, unless it plainly disagrees with eager."""
    from segbench.int8 import export_quantized

    return {"quantization": export_quantized(model, path, setup, profile or _suiting(setup))}


def open_int8(profile: "Profile | None", model: "SegmentationModel", setup: Setup) -> Session:
    """Quantise, or take from the cache what was quantised before."""
    from segbench.int8 import quantize_onnx, with_arithmetic
    from segbench.onnx.session import OnnxSession

    with TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        details = quantize_onnx(model, path, setup, profile or _suiting(setup))
        session = OnnxSession(path, setup, "int8", {"quantization": details})
        return with_arithmetic(session, path, setup)


def peak(precision: "Precision", setup: Setup) -> Peak:
    """In the precision that ONNX Runtime computes the graph in."""
    from segbench.int8.peak import onnx_runtime_peak

    return onnx_runtime_peak(precision, setup)


def peak_int8(profile: "Profile | None", setup: Setup) -> Peak:
    """The same for a Q/DQ graph."""
    from segbench.int8.peak import onnx_runtime_peak

    return onnx_runtime_peak(profile or _suiting(setup), setup)


def _suiting(setup: Setup) -> "Profile":
    """The profile that suits the device."""
    from segbench.device import resolve_device

    return "unsigned" if resolve_device(setup.device).type == "cpu" else "signed"


@hookimpl
def segbench_runtimes() -> Iterable[Runtime]:
    """``onnx``, ``onnx-fp16``, ``onnx-int8`` and ``onnx-int8-signed``."""
    for name, precision in PRECISIONS.items():
        yield Runtime(
            name=name,
            summary=f"ONNX Runtime, {precision.upper()}, CUDA or CPU",
            open=partial(open_session, precision),
            requires=REQUIRES,
            export=partial(export, precision),
            export_options=("dynamic",),
            peak=partial(peak, precision),
            loads_onnx=True,
            precision=precision,
        )
    for name, (what, profile) in INT8.items():
        yield Runtime(
            name=name,
            summary=f"ONNX Runtime, INT8 {what}, CUDA or CPU",
            open=partial(open_int8, profile),
            requires=REQUIRES,
            calibrates=True,
            export=partial(export_int8, profile),
            fp16="onnx-fp16",
            peak=partial(peak_int8, profile),
            loads_onnx=True,
            precision="int8",
        )
