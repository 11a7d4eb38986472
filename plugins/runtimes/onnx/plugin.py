"""ONNX Runtime: FP32, FP16, and INT8 in the profiles for CPUs and TensorRT."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segbench.files import scratch_folder
from segbench.hookspecs import hookimpl
from segbench.types import (
    Command,
    FileNetwork,
    ModelFile,
    ModelFormat,
    Peak,
    Runtime,
    Session,
    Setup,
    Size,
)

if TYPE_CHECKING:
    import click

    from segbench.networks.model import SegmentationModel

    from .graph import Precision
    from .int8.profiles import Profile
    from .peak import Form

REQUIRES = ("torch", "onnx", "onnxscript", "onnxruntime-gpu|onnxruntime")
PRECISIONS: "dict[str, Precision]" = {"onnx": "fp32", "onnx-fp16": "fp16"}
INT8: "dict[str, tuple[str, Profile | None]]" = {
    "onnx-int8": ("in the profile of the device", None),
    "onnx-int8-signed": ("as TensorRT has it", "signed"),
}


def check(setup: Setup) -> None:
    """Raise SegbenchError, before any export, if ONNX Runtime cannot use the device."""
    from .session import check_provider

    check_provider(setup.device)


def export(
    precision: "Precision", model: "SegmentationModel", setup: Setup, path: Path
) -> Mapping[str, Any]:
    """Write the graph that ``open_session`` loads."""
    from .graph import export_onnx
    from .metadata import write_description

    export_onnx(model, path, setup, precision)
    if setup.description:
        write_description(path, setup.description)
    return {}


def open_session(precision: "Precision", model: "SegmentationModel", setup: Setup) -> Session:
    """Export to a temporary file and load it."""
    from .session import OnnxSession

    with scratch_folder() as folder:
        path = folder / "network.onnx"
        export(precision, model, setup, path)
        return OnnxSession(path, setup, precision)


def export_int8(
    profile: "Profile | None", model: "SegmentationModel", setup: Setup, path: Path
) -> Mapping[str, Any]:
    """Write the Q/DQ graph that ``open_int8`` loads, unless it clearly disagrees with eager."""
    from .int8.network import export_quantized
    from .metadata import write_description

    details = export_quantized(model, path, setup, profile or _suiting(setup))
    if setup.description:
        write_description(path, setup.description)
    return {"quantization": details}


def open_int8(profile: "Profile | None", model: "SegmentationModel", setup: Setup) -> Session:
    """Quantise, or use the cached network."""
    from .int8.arithmetic import with_arithmetic
    from .int8.network import quantize_onnx
    from .session import OnnxSession

    with scratch_folder() as folder:
        path = folder / "network.onnx"
        details = quantize_onnx(model, path, setup, profile or _suiting(setup))
        session = OnnxSession(path, setup, "int8", {"quantization": details})
        return with_arithmetic(session, path, setup)


def peak(form: "Form", setup: Setup) -> Peak:
    """ONNX Runtime's peak on graphs of ``form``.

    The precision is that of the kernels it chooses: on x86 CPUs graphs in FP16 and in the profile
    "signed" are computed in FP32.
    """
    from .peak import FLOATS, VALUE_BYTES, computed_in, onnx_rate
    from .session import OnnxSession

    open_session = partial(OnnxSession, precision=form if form in FLOATS else "int8")
    precision = computed_in(form, setup)
    return Peak(precision, VALUE_BYTES[precision], onnx_rate(open_session, setup, form))


def peak_int8(profile: "Profile | None", setup: Setup) -> Peak:
    """The same for a Q/DQ graph."""
    return peak(profile or _suiting(setup), setup)


def _suiting(setup: Setup) -> "Profile":
    """The profile that suits the device."""
    from segbench.device import resolve_device

    return "unsigned" if resolve_device(setup.device).type == "cpu" else "signed"


def quantize_report() -> "click.Command":
    """``segbench quantize-report``."""
    from .int8.command import quantize_report_command

    return quantize_report_command


def load(file: ModelFile, size: Size | None = None) -> FileNetwork:
    """The network of a user's ONNX file."""
    from .file.load import load_onnx

    return load_onnx(file, size)


def mistakes(file: ModelFile, size: Size, score: Callable[[ModelFile], float]) -> str:
    """Other channels, normalisations or class orders that score better."""
    from .file.mistakes import likely_mistakes

    return likely_mistakes(file, size, score)


@hookimpl
def segbench_commands() -> Iterable[Command]:
    """``quantize-report``."""
    yield Command(
        "quantize-report",
        "Show the noise and the mIoU lost of every layer in INT8.",
        quantize_report,
        requires=REQUIRES,
    )


@hookimpl
def segbench_model_formats() -> Iterable[ModelFormat]:
    """``onnx``."""
    yield ModelFormat(
        name="onnx",
        summary="ONNX files in FP32 with logits or class maps",
        suffixes=(".onnx",),
        load=load,
        runtime="onnx",
        mistakes=mistakes,
        requires=REQUIRES,
    )


@hookimpl
def segbench_runtimes() -> Iterable[Runtime]:
    """``onnx``, ``onnx-fp16``, ``onnx-int8`` and ``onnx-int8-signed``."""
    for name, precision in PRECISIONS.items():
        yield Runtime(
            name=name,
            summary=f"ONNX Runtime, {precision.upper()}, CUDA or CPU",
            open=partial(open_session, precision),
            requires=REQUIRES,
            check=check,
            export=partial(export, precision),
            export_options=("dynamic",),
            peak=partial(peak, precision),
            loads=("onnx",),
            precision=precision,
        )
    for name, (what, profile) in INT8.items():
        yield Runtime(
            name=name,
            summary=f"ONNX Runtime, INT8 {what}, CUDA or CPU",
            open=partial(open_int8, profile),
            requires=REQUIRES,
            check=check,
            calibrates=True,
            export=partial(export_int8, profile),
            fp16="onnx-fp16",
            peak=partial(peak_int8, profile),
            loads=("onnx",),
            precision="int8",
        )
