"""INT8 is never shown without FP16."""

from typing import Any

import pytest

from segbench.errors import SegbenchError
from segbench.jobs.runtimes import with_fp16
from segbench.plugins import Registry
from segbench.types import Runtime, Setup
from segbench_plugins.runtimes.onnx import plugin as onnx
from segbench_plugins.runtimes.openvino import plugin as openvino
from segbench_plugins.runtimes.tensorrt import plugin as tensorrt


def refuse(_: Setup) -> None:
    raise SegbenchError("no card")


def runtime(name: str, **more: object) -> Runtime:
    return Runtime(name, name, open=print, **more)  # type: ignore


def test_fp16_is_added_once_and_only_where_it_runs() -> None:
    registry = Registry.of(
        runtimes=[
            *map(runtime, ("eager", "half", "card-half")),
            runtime("old-half", requires=("no-such-thing",)),
            runtime("first", fp16="half"),
            runtime("second", fp16="half"),
            runtime("unknown", fp16="no-such-half"),
            runtime("card", fp16="card-half", check=refuse),
            runtime("old", fp16="old-half"),
        ]
    )
    asked = ("eager", "first", "second", "unknown", "card", "old")
    assert with_fp16(asked, "auto", registry) == (
        *("eager", "first", "half", "second", "unknown", "card", "old"),
    )
    assert with_fp16(("half", "first"), "auto", registry) == ("half", "first")


@pytest.mark.parametrize("plugin", [onnx, openvino, tensorrt])
def test_every_built_in_int8_runtime_names_its_fp16(plugin: Any) -> None:
    built_in = [*onnx.segbench_runtimes(), *tensorrt.segbench_runtimes()]
    for each in plugin.segbench_runtimes():
        assert each.calibrates == (each.fp16 in {other.name for other in built_in})
