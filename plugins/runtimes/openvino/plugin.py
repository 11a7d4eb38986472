"""OpenVINO on CPUs, in FP32 and INT8; it loads the same graphs as ONNX Runtime."""

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

from segbench.files import scratch_folder
from segbench.hookspecs import hookimpl
from segbench.types import Peak, Runtime, Session, Setup

if TYPE_CHECKING:
    from segbench.networks.model import SegmentationModel

    from ..onnx.int8.profiles import Profile
    from ..onnx.peak import Form

REQUIRES = ("torch", "onnx", "onnxscript", "onnxruntime-gpu|onnxruntime", "openvino")


def check(setup: Setup) -> None:
    """Raise MissingDeviceError, before any export, unless the device is the CPU."""
    from .session import check_device

    check_device(setup.device)


def open_fp32(model: "SegmentationModel", setup: Setup) -> Session:
    """Export to a temporary file and load it."""
    from ..onnx.graph import export_onnx
    from .session import OpenVinoSession

    with scratch_folder() as folder:
        path = folder / "network.onnx"
        export_onnx(model, path, setup)
        return OpenVinoSession(path, setup, "fp32")


def open_int8(model: "SegmentationModel", setup: Setup) -> Session:
    """The same network as ``onnx-int8``; on CPUs that saturate, one that cannot."""
    from segbench.device import int8_saturates

    from ..onnx.int8.arithmetic import with_arithmetic
    from ..onnx.int8.network import quantize_onnx
    from .session import OpenVinoSession

    with scratch_folder() as folder:
        path = folder / "network.onnx"
        profile: Profile = "unsaturated" if int8_saturates() else "unsigned"
        details = {"quantization": quantize_onnx(model, path, setup, profile)}
        session = OpenVinoSession(path, setup, "int8", details)
        return with_arithmetic(session, path, setup)


def peak_fp32(setup: Setup) -> Peak:
    """The peak in FP32."""
    return Peak("FP32", 4, _rate("fp32", "fp32", setup))


def peak_int8(setup: Setup) -> Peak:
    """The peak in INT8."""
    return Peak("INT8", 1, _rate("int8", "unsigned", setup))


def _rate(precision: str, form: "Form", setup: Setup) -> float:
    from ..onnx.peak import onnx_rate
    from .session import OpenVinoSession

    return onnx_rate(partial(OpenVinoSession, precision=precision), setup, form)


@hookimpl
def segbench_runtimes() -> Iterable[Runtime]:
    """``openvino`` and ``openvino-int8``."""
    yield Runtime(
        name="openvino",
        summary="OpenVINO, FP32, CPU",
        open=open_fp32,
        requires=REQUIRES,
        check=check,
        peak=peak_fp32,
        loads=("onnx",),
    )
    yield Runtime(
        name="openvino-int8",
        summary="OpenVINO, INT8, CPU",
        open=open_int8,
        requires=REQUIRES,
        check=check,
        calibrates=True,
        fp16="onnx-fp16",
        peak=peak_int8,
        loads=("onnx",),
        precision="int8",
    )
