"""ONNX -> TensorRT engine: strongly typed, so the graph determines FP32, FP16 and INT8."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from segbench.errors import SegbenchError

from .layers import convolution_types
from .target import Target

OPTIONS = "strongly typed, no TF32, memory of the user"


@dataclass(frozen=True)
class Engine:
    """A serialised engine, and the type of each of its convolutions.

    ``timing`` is the builder's timing cache, reused by the next build.
    """

    plan: bytes
    types: Mapping[str, str]
    timing: bytes = b""

    def details(self) -> dict[str, Any]:
        """The file's size and the names of convolutions in INT8 and others, for a record."""
        int8 = [name for name, kind in self.types.items() if kind == "int8"]
        return {
            "file_mb": round(len(self.plan) / 1e6, 3),
            "int8_layers": int8,
            "float_layers": [name for name in self.types if name not in int8],
        }


def build_engine(target: Target, onnx: bytes, timing: bytes = b"") -> Engine:
    """Build ``onnx`` for ``target``; raises SegbenchError with TensorRT's reason.

    No GPU is needed if ``target`` has none.
    """
    trt, log = target.trt, logger(target.trt)
    builder = trt.Builder(log)
    network = builder.create_network(_creation_flags(trt))
    parser = trt.OnnxParser(network, log)
    _parse(parser, network, onnx, target)
    config = _configure(builder, target, timing)
    log.errors.clear()
    try:
        plan = builder.build_serialized_network(network, config)
    except MemoryError:
        plan = None
    if plan is None:
        raise SegbenchError(_failure(target, log))
    types = convolution_types(trt, network)
    measured = b"" if target.is_rtx else bytes(config.get_timing_cache().serialize())
    return Engine(bytes(plan), types, measured)


@cache
def logger(trt: Any) -> Any:
    """The one logger of a TensorRT module: it prints nothing and keeps ``errors``."""

    class Log(trt.ILogger):
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.errors: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            if severity in (trt.ILogger.ERROR, trt.ILogger.INTERNAL_ERROR):
                self.errors.append(message)

    return Log()


def reason(log: Any) -> str:
    """The first error in ``log``, short enough for a sentence."""
    first = " ".join(log.errors[0].split()) if log.errors else "no reason given"
    return first if len(first) <= 300 else f"{first[:300]}..."


def _creation_flags(trt: Any) -> int:
    """TensorRT 10 needs a flag for strongly typed networks; later versions always use them."""
    flag = getattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
    return 0 if flag is None else 1 << int(flag)


def _parse(parser: Any, network: Any, onnx: bytes, target: Target) -> None:
    if parser.parse(onnx) and network.num_outputs:
        return
    told = "it has no output"
    if parser.num_errors:
        error = parser.get_error(0)
        told = f"{error.node_operator()} {error.node_name()}: {error.desc()}".strip(" :")
    raise SegbenchError(
        f"{target.title} cannot read the ONNX graph ({told}); another runtime such as onnx may "
        "run this network."
    )


def _configure(builder: Any, target: Target, timing: bytes) -> Any:
    trt = target.trt
    config = builder.create_builder_config()
    config.clear_flag(trt.BuilderFlag.TF32)
    if target.is_rtx:
        config.set_flag(trt.BuilderFlag.REQUIRE_USER_ALLOCATION)  # which CUDA graphs need
        config.num_compute_capabilities = 1
        member = "SM" + target.capability.replace(".", "")
        if not hasattr(trt.ComputeCapability, member):
            raise SegbenchError(
                f"{target.title} does not know compute capability {target.capability}: "
                "pip install --upgrade tensorrt-rtx-cu13"
            )
        config.set_compute_capability(getattr(trt.ComputeCapability, member), 0)
    else:
        earlier = config.create_timing_cache(timing)
        if earlier is None or not config.set_timing_cache(earlier, ignore_mismatch=False):
            config.set_timing_cache(config.create_timing_cache(b""), ignore_mismatch=False)
    return config


def _failure(target: Target, log: Any) -> str:
    if any("memory" in error.lower() for error in log.errors):
        advice = "give it more free memory, or a smaller --size or --batch-size"
    else:
        advice = "try another runtime, or report this with the network's options"
    return f"{target.title} could not build the engine ({reason(log)}); {advice}."
