"""The peak of an engine that loads ONNX, measured in its own sessions."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Literal, cast

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from segbench.device import resolve_device
from segbench.files import scratch_folder
from segbench.latency.peaks import Convolution, best_rate
from segbench.types import Session, Setup

from .graph import INPUT, OPSET
from .int8.profiles import Profile, write_quantized
from .session import PROVIDERS

OUTPUT = "logits"
OUTPUTS = 8
LARGEST = 6.0
"""The range of activations in INT8; it does not affect the speed."""

FLOATS = ("fp32", "fp16")
VALUE_BYTES = {"FP32": 4, "FP16": 2, "INT8": 1}
Form = Literal["fp32", "fp16"] | Profile
"""A graph's precision, or its INT8 profile."""
Open = Callable[[Path, Setup], Session]


def onnx_rate(open_session: Open, setup: Setup, form: Form) -> float:
    """Peak operations per second in sessions that ``open_session`` makes from ONNX files.

    The rate in FP32 counts if it is higher, since every network has some layers in FP32.
    """

    def prepared(each: Convolution, form: Form) -> Callable[[], object]:
        with scratch_folder() as folder:
            path = folder / "peak.onnx"
            write_convolutions(each, path, form)
            session = open_session(
                path, replace(setup, size=each.size, batch_size=1, output="logits")
            )
        inputs = session.prepare(np.full((1, *each.size, 3), 128, np.uint8))

        def run() -> None:
            session.run(inputs)
            session.synchronize()

        return run

    device = resolve_device(setup.device).type
    forms: set[Form] = {form, "fp32"}
    return max(best_rate(device, partial(prepared, form=each)) for each in forms)


def write_convolutions(each: Convolution, path: Path, form: Form) -> None:
    """Write the convolutions between a small one that reads an image and one for logits.

    The last is a classifier, which stays in floating point as in a network.
    """
    widths = (3, *[each.channels] * 3, OUTPUTS)
    kernels = (1, each.kernel, each.kernel, 1)
    names = ("encoder.stem", "encoder.first", "encoder.second", "score")
    random = np.random.default_rng(0)
    nodes, weights, ranges = [], [], {INPUT: (np.float32(0), np.float32(255))}
    tensor = INPUT
    for name, kernel, (inputs, outputs) in zip(names, kernels, pairwise(widths), strict=True):
        weight = random.uniform(0.5, 1, (outputs, inputs, kernel, kernel)) / inputs / kernel**2
        weights.append(numpy_helper.from_array(weight.astype(np.float32), f"{name}.weight"))
        weights.append(numpy_helper.from_array(np.zeros(outputs, np.float32), f"{name}.bias"))
        made = OUTPUT if name == "score" else f"{name}.made"
        read = [tensor, f"{name}.weight", f"{name}.bias"]
        nodes.append(helper.make_node("Conv", read, [made], name, pads=[kernel // 2] * 4))
        ranges[made] = (np.float32(0), np.float32(LARGEST))
        tensor = made
        if name != "score":
            tensor = f"{name}.active"
            nodes.append(helper.make_node("Relu", [made], [tensor], tensor))
            ranges[tensor] = ranges[made]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, channels, *each.size])
        for name, channels in ((INPUT, 3), (OUTPUT, OUTPUTS))
    ]
    graph = helper.make_graph(nodes, "peak", ends[:1], ends[1:], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
    if form == "fp16":
        from onnxruntime.transformers.float16 import convert_float_to_float16

        model = convert_float_to_float16(model, keep_io_types=True)
    onnx.save(model, path)
    if form not in FLOATS:
        write_quantized(path, path, ranges, cast(Profile, form), names[:-1])


def computed_in(form: Form, setup: Setup) -> str:
    """The precision of the convolutions in ONNX Runtime's optimised graph for ``form``."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    with scratch_folder() as folder:
        path, optimised = folder / "peak.onnx", folder / "optimised.onnx"
        write_convolutions(Convolution(64, 3, (8, 8)), path, form)
        options.optimized_model_filepath = str(optimised)
        provider = PROVIDERS[resolve_device(setup.device).type]
        onnxruntime.InferenceSession(str(path), options, providers=[provider], enable_fallback=0)
        graph = onnx.load(optimised).graph
    if any(node.op_type == "QLinearConv" for node in graph.node):
        return "INT8"
    halves = {each.name for each in graph.initializer if each.data_type == TensorProto.FLOAT16}
    in_half = any(node.op_type.endswith("Conv") and node.input[1] in halves for node in graph.node)
    return "FP16" if in_half else "FP32"
