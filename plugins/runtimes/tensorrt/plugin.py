"""NVIDIA TensorRT in FP32, FP16 and INT8, from the ``tensorrt`` package or TensorRT for RTX."""

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from segbench.device import nvidia_driver_is_here
from segbench.files import draft_of, scratch_folder
from segbench.hookspecs import hookimpl
from segbench.types import Peak, Runtime, Session, Setup

if TYPE_CHECKING:
    from segbench.networks.model import SegmentationModel

Precision = Literal["fp32", "fp16", "int8"]
TENSORRT = "tensorrt|tensorrt-cu12|tensorrt-cu13|tensorrt-rtx|tensorrt-rtx-cu12|tensorrt-rtx-cu13"
REQUIRES = ("torch", "onnx", "onnxscript", "onnxruntime-gpu|onnxruntime", TENSORRT)


def check(setup: Setup) -> None:
    """Raise SegbenchError that says what this machine lacks."""
    from .target import target_to_run

    target_to_run(setup)


def lacking() -> str | None:
    """A message if no GPU of this machine can run it."""
    if nvidia_driver_is_here():
        return None
    return (
        "TensorRT needs an NVIDIA GPU and its driver, and this machine has no driver; "
        "`segbench export --runtime trt-int8 --compute-capability 8.9` builds an engine for "
        "another machine."
    )


def open_session(precision: Precision, model: "SegmentationModel", setup: Setup) -> Session:
    """A session on the GPU."""
    from .cache import cached_engine
    from .graph import onnx_graph
    from .session import TrtSession
    from .target import target_to_run

    target = target_to_run(setup)
    onnx, about = onnx_graph(model, precision, setup)
    session = TrtSession(cached_engine(target, onnx), target, setup, precision, about)
    if precision != "int8":
        return session

    from ..onnx.int8.arithmetic import with_arithmetic

    with scratch_folder() as folder:
        graph = folder / "network.onnx"
        graph.write_bytes(onnx)
        return with_arithmetic(session, graph, setup)


def export(
    precision: Precision, model: "SegmentationModel", setup: Setup, path: Path
) -> Mapping[str, Any]:
    """Write the engine for ``setup.compute_capability``, else for this machine's GPU.

    The graph that it is built from is compared with eager.
    """
    from .target import target_to_export

    target = target_to_export(setup)

    from .build import build_engine
    from .graph import onnx_graph

    onnx, about = onnx_graph(model, precision, setup, to_export=True)
    engine = build_engine(target, onnx)
    with draft_of(path) as draft:
        draft.write_bytes(engine.plan)
    built = {"built_by": target.title, "compute_capability": target.capability}
    return {**built, **engine.details(), **about}


def peak(precision: Precision, setup: Setup) -> Peak:
    """The peak of engines of the same precision."""
    from ..onnx.peak import VALUE_BYTES, onnx_rate
    from .cache import cached_engine
    from .session import TrtSession
    from .target import target_to_run

    target = target_to_run(setup)

    def open_convolutions(path: Path, setup: Setup) -> Session:
        return TrtSession(cached_engine(target, path.read_bytes()), target, setup, precision, {})

    rate = onnx_rate(open_convolutions, setup, "signed" if precision == "int8" else precision)
    return Peak(precision.upper(), VALUE_BYTES[precision.upper()], rate)


@hookimpl
def segbench_runtimes() -> Iterable[Runtime]:
    """``trt-fp32``, ``trt-fp16`` and ``trt-int8``."""
    precisions: tuple[Precision, ...] = ("fp32", "fp16", "int8")
    for precision in precisions:
        yield Runtime(
            name=f"trt-{precision}",
            summary=f"NVIDIA TensorRT, {precision.upper()}, CUDA",
            open=partial(open_session, precision),
            requires=REQUIRES,
            check=check,
            lacking=lacking,
            calibrates=precision == "int8",
            export=partial(export, precision),
            export_options=("compute_capability",),
            export_suffixes=(".engine", ".plan"),
            fp16="trt-fp16" if precision == "int8" else None,
            peak=partial(peak, precision),
            loads=("onnx",),
            precision=precision,
        )
