"""Which nodes are quantised, and how, for each kind of engine.

The classifier and everything after it stay in floating point in all profiles: they are a small part
of the work, and 8-bit logits are less decisive. So do transposed convolutions: ONNX Runtime always
runs them in floating point, and one network serves all engines.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationMethod, QDQQuantizer, QuantType, TensorsData

from segbench.errors import SegbenchError, unknown_name

Profile = Literal["unsigned", "unsaturated", "signed"]
Ranges = dict[str, tuple[np.float32, np.float32]]
"""Tensor -> (lowest, highest) value."""

LAYERS = ("Conv", "ConvTranspose", "MatMul", "Gemm")
"""Operators that multiply by weights, including the classifier."""
IN_8_BITS = ["Clip", "Relu", "LeakyRelu", "MaxPool", "Add"]
FOLLOWERS = {"unsigned": IN_8_BITS, "unsaturated": IN_8_BITS, "signed": []}
ACTIVATIONS = {
    "unsigned": QuantType.QUInt8,
    "unsaturated": QuantType.QUInt8,
    "signed": QuantType.QInt8,
}
OPTIONS: dict[str, dict[str, Any]] = {
    "unsigned": {},
    "unsaturated": {},
    "signed": {
        "ActivationSymmetric": True,
        "QuantizeBias": False,
        "OpTypesToExcludeOutputQuantization": ["Conv"],
    },
}
"""Weights are symmetric with a scale per channel in all. ONNX Runtime on x86 needs every tensor
between two operators in 8 bits. Engines on GPUs fuse by themselves: they need symmetric Q/DQ only
at the inputs of convolutions, and no quantised bias. "unsaturated" is "unsigned" with weights small
enough for CPUs that add pairs of products in 16 bits."""


def layers_to_quantize(graph: onnx.GraphProto, keep_float: Sequence[str]) -> list[str]:
    """The convolutions before the classifier in the graph's order, without ``keep_float``.

    SegbenchError for a name in ``keep_float`` that is not a layer.
    """
    layers = [node.name for node in convolutions(graph)]
    for name in keep_float:
        if name not in layers:
            raise SegbenchError(unknown_name("layer for --keep-float", name, layers))
    left = {*keep_float, *classifier(graph)}
    return [node.name for node in graph.node if node.op_type == "Conv" and node.name not in left]


def classifier(graph: onnx.GraphProto) -> set[str]:
    """The layers that compute the logits: the last on each path to the output.

    A transposed convolution with as many inputs as outputs upsamples logits, so the layers before
    it compute them.
    """
    makers = {name: node for node in graph.node for name in node.output}
    shapes = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    found: set[str] = set()
    seen: set[str] = set()
    ahead = [output.name for output in graph.output]
    while ahead:
        name = ahead.pop()
        if name in seen or name not in makers:
            continue
        seen.add(name)
        node = makers[name]
        if node.op_type in LAYERS:
            found.add(node.name)
            if node.op_type != "ConvTranspose" or not _keeps_channels(shapes[node.input[1]]):
                continue
        ahead.extend(node.input)
    return found


def _keeps_channels(shape: tuple[int, ...]) -> bool:
    """Whether a transposed convolution's weight (inputs, outputs, ...) has as many of both."""
    return shape[0] == shape[1]


def convolutions(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """Every convolution, including transposed ones, by the layer names that users know."""
    return [node for node in graph.node if node.op_type in ("Conv", "ConvTranspose")]


def tensors_to_measure(graph: onnx.GraphProto) -> list[str]:
    """The activations whose ranges some profile needs."""
    weights = {tensor.name for tensor in graph.initializer}
    before = before_activation(graph)
    names = [
        name
        for node in graph.node
        if node.op_type in ("Conv", *FOLLOWERS["unsigned"])
        for name in (*node.input, *node.output)
        if name and name not in weights and name not in before
    ]
    return list(dict.fromkeys(names))


def before_activation(graph: onnx.GraphProto) -> dict[str, str]:
    """Tensors read only by a Relu or Clip -> its output, which has their range."""
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    return {
        name: nodes[0].output[0]
        for name, nodes in readers.items()
        if len(nodes) == 1 and nodes[0].op_type in ("Relu", "Clip") and nodes[0].input[0] == name
    }


def write_quantized(
    source: Path, path: Path, ranges: Ranges, profile: Profile, layers: Sequence[str]
) -> None:
    """Write the FP32 graph at ``source`` to ``path`` with ``layers`` in INT8."""
    model = onnx.load(source)
    if not layers:  # ONNX Runtime takes an empty list of nodes as all of them
        onnx.save(model, path)
        return
    aliases = {k: ranges[v] for k, v in before_activation(model.graph).items() if v in ranges}
    options = dict(OPTIONS[profile])
    if profile == "unsaturated":
        options["TensorQuantOverrides"] = _weights_that_cannot_saturate(model.graph, layers)
    quantizer = QDQQuantizer(
        model,
        per_channel=True,
        reduce_range=False,
        weight_qType=QuantType.QInt8,
        activation_qType=ACTIVATIONS[profile],
        tensors_range=TensorsData(CalibrationMethod.MinMax, {**ranges, **aliases}),
        nodes_to_quantize=nodes_to_quantize(model.graph, profile, layers),
        nodes_to_exclude=[],
        op_types_to_quantize=["Conv", *FOLLOWERS[profile]],
        extra_options=options,
    )
    quantizer.quantize_model()
    quantizer.model.save_model_to_file(str(path))


def _weights_that_cannot_saturate(
    graph: onnx.GraphProto, layers: Sequence[str]
) -> dict[str, list[dict[str, Any]]]:
    """Weight -> ONNX Runtime's override for each output channel of ``layers``.

    A channel's range is the sum of its two largest weights of the same sign. In 8 bits two such
    weights add up to at most 128, and with the largest activations to 255 * 128 < 2**15, whichever
    two an engine adds. Depthwise convolutions keep all 8 bits: nothing is added across their
    channels.
    """
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    overrides = {}
    for node in convolutions(graph):
        if node.name not in layers or node.input[1] not in tensors:
            continue
        weight = onnx.numpy_helper.to_array(tensors[node.input[1]])
        if weight.shape[1] > 1:
            ranges = [{"rmin": -top, "rmax": top} for top in _sums_of_two_largest(weight)]
            overrides[node.input[1]] = [{"axis": 0, **ranges[0]}, *ranges[1:]]
    return overrides


def _sums_of_two_largest(weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """For each output channel the larger of the sums of its two highest and two lowest weights."""
    channels = np.partition(weight.reshape(len(weight), -1), (1, -2), axis=1)
    highest = channels[:, -2:].clip(min=0).sum(1)
    lowest = -channels[:, :2].clip(max=0).sum(1)
    sums: NDArray[np.float32] = np.maximum(highest, lowest)
    return sums


def nodes_to_quantize(graph: onnx.GraphProto, profile: Profile, layers: Sequence[str]) -> list[str]:
    """The layers, and nodes that the profile quantises and that read only them.

    A sum that one of ``layers`` reads needs only one term in 8 bits: its result has to be.
    """
    weights = {tensor.name for tensor in graph.initializer}
    read = _read_by(graph, profile, layers)
    in_8_bits: set[str] = set()
    chosen = []
    for node in graph.node:
        known = [name in in_8_bits for name in node.input if name and name not in weights]
        enough = any(known) if node.output[0] in read else all(known)
        if node.name in layers or (node.op_type in FOLLOWERS[profile] and enough):
            chosen.append(node.name)
            in_8_bits.update(node.output)
    return chosen


def _read_by(graph: onnx.GraphProto, profile: Profile, layers: Sequence[str]) -> set[str]:
    """The tensors that ``layers`` read, directly or behind an activation or pooling."""
    read: set[str] = set()
    for node in reversed(graph.node):
        follows = node.op_type in FOLLOWERS[profile] and node.op_type != "Add"
        if node.name in layers or (follows and node.output[0] in read):
            read.add(node.input[0])
    return read
