"""INT8 is never shown without the FP16 of its engine."""

from segbench.errors import SegbenchError
from segbench.jobs.latency import with_fp16
from segbench.plugins import Registry
from segbench.types import Runtime, Setup


def refuse(_: Setup) -> None:
    raise SegbenchError("no card")


def runtime(name: str, **more: object) -> Runtime:
    return Runtime(name, name, open=print, **more)  # type: ignore


def test_fp16_is_added_once_and_only_where_it_runs() -> None:
    names = ("eager", "onnx-fp16", "onnx-int8", "vino-int8", "trt-fp16", "old-int8")
    runtimes = [*map(runtime, names), runtime("trt-int8", check=refuse)]
    lacking = runtime("old-fp16", requires=("no-such-thing",))
    registry = Registry.of(runtimes=[*runtimes, lacking])
    asked = ("eager", "onnx-int8", "vino-int8", "trt-int8", "old-int8")
    assert with_fp16(asked, "auto", registry) == (
        "eager",
        "onnx-int8",
        "onnx-fp16",
        "vino-int8",
        "trt-int8",
        "old-int8",
    )
    assert with_fp16(("onnx-fp16", "onnx-int8"), "auto", registry) == ("onnx-fp16", "onnx-int8")
