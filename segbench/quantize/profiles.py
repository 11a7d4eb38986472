"""Which nodes are quantised, and into what, for each kind of engine.

The decoder stays in floating point in both profiles: its score layers, transposed convolutions,
sums and the 8x are a hundredth of the work, and 8 bits of a logit decide less than 32.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationMethod, QDQQuantizer, QuantType, TensorsData

from segbench.errors import SegbenchError, unknown_name

Profile = Literal["unsigned", "signed"]
Ranges = dict[str, tuple[np.float32, np.float32]]
"""Tensor -> (lowest, highest) value."""

OP_TYPES = {"unsigned": ["Conv", "Clip", "Relu", "MaxPool", "Add"], "signed": ["Conv"]}
ACTIVATIONS = {"unsigned": QuantType.QUInt8, "signed": QuantType.QInt8}
OPTIONS: dict[str, dict[str, Any]] = {
    "unsigned": {},
    "signed": {
        "ActivationSymmetric": True,
        "QuantizeBias": False,
        "OpTypesToExcludeOutputQuantization": ["Conv"],
    },
}
"""ONNX Runtime on x86 wants every tensor between two operators in 8 bits; TensorRT places that
itself and wants Q/DQ at the inputs of convolutions alone, and no quantised bias."""


def layers_to_quantize(graph: onnx.GraphProto, keep_float: Sequence[str]) -> list[str]:
    """The encoder's convolutions in the graph's order, without those in ``keep_float``.

    SegbenchError for a name in ``keep_float`` that is no layer.
    """
    layers = [node.name for node in convolutions(graph)]
    for name in keep_float:
        if name not in layers:
            raise SegbenchError(unknown_name("layer for --keep-float", name, layers))
    return [name for name in layers if name.startswith("encoder.") and name not in keep_float]


def convolutions(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """Every convolution, transposed ones too; they are the layers that a user knows by name."""
    return [node for node in graph.node if node.op_type in ("Conv", "ConvTranspose")]


def tensors_to_measure(graph: onnx.GraphProto) -> list[str]:
    """The activations whose ranges some profile needs."""
    weights = {tensor.name for tensor in graph.initializer}
    before = before_activation(graph)
    names = [
        name
        for node in graph.node
        if node.op_type in OP_TYPES["unsigned"]
        for name in (*node.input, *node.output)
        if name and name not in weights and name not in before
    ]
    return list(dict.fromkeys(names))


def before_activation(graph: onnx.GraphProto) -> dict[str, str]:
    """Tensors that only a Relu or Clip reads -> what it makes of them, which has their range."""
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
    """Write the FP32 graph at ``source`` to ``path`` with ``layers`` in INT8.

    Weights are symmetric with a scale a channel. Activations are asymmetric in "unsigned".
    """
    model = onnx.load(source)
    aliases = {k: ranges[v] for k, v in before_activation(model.graph).items() if v in ranges}
    quantizer = QDQQuantizer(
        model,
        per_channel=True,
        reduce_range=False,
        weight_qType=QuantType.QInt8,
        activation_qType=ACTIVATIONS[profile],
        tensors_range=TensorsData(CalibrationMethod.MinMax, {**ranges, **aliases}),
        nodes_to_quantize=[],
        nodes_to_exclude=_left_in_float(model.graph, set(layers)),
        op_types_to_quantize=OP_TYPES[profile],
        extra_options=OPTIONS[profile],
    )
    quantizer.quantize_model()
    quantizer.model.save_model_to_file(str(path))


def _left_in_float(graph: onnx.GraphProto, layers: set[str]) -> list[str]:
    """Convolutions that are not in ``layers``, and the sums that the decoder makes."""
    upsampled = {node.output[0] for node in graph.node if node.op_type == "ConvTranspose"}
    return [
        node.name
        for node in graph.node
        if (node.op_type in ("Conv", "ConvTranspose") and node.name not in layers)
        or (node.op_type == "Add" and upsampled & set(node.input))
    ]
