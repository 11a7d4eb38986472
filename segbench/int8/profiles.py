"""Which nodes are quantised, and into what, for each kind of engine.

The decoder stays in floating point in both profiles: its score layers, transposed convolutions,
sums and the 8x are a small part of the work, and 8 bits of a logit decide less than 32.
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

FOLLOWERS = {"unsigned": ["Clip", "Relu", "MaxPool", "Add"], "signed": []}
ACTIVATIONS = {"unsigned": QuantType.QUInt8, "signed": QuantType.QInt8}
OPTIONS: dict[str, dict[str, Any]] = {
    "unsigned": {},
    "signed": {
        "ActivationSymmetric": True,
        "QuantizeBias": False,
        "OpTypesToExcludeOutputQuantization": ["Conv"],
    },
}
"""Weights are symmetric with a scale a channel in both. ONNX Runtime on x86 wants every tensor
between two operators in 8 bits. TensorRT fuses by itself: it wants Q/DQ at the inputs of
convolutions alone, around zero, and no quantised bias."""


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
        if node.op_type in ("Conv", *FOLLOWERS["unsigned"])
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
    """Write the FP32 graph at ``source`` to ``path`` with ``layers`` in INT8."""
    model = onnx.load(source)
    aliases = {k: ranges[v] for k, v in before_activation(model.graph).items() if v in ranges}
    quantizer = QDQQuantizer(
        model,
        per_channel=True,
        reduce_range=False,
        weight_qType=QuantType.QInt8,
        activation_qType=ACTIVATIONS[profile],
        tensors_range=TensorsData(CalibrationMethod.MinMax, {**ranges, **aliases}),
        nodes_to_quantize=_nodes_to_quantize(model.graph, profile, layers),
        nodes_to_exclude=[],
        op_types_to_quantize=["Conv", *FOLLOWERS[profile]],
        extra_options=OPTIONS[profile],
    )
    quantizer.quantize_model()
    quantizer.model.save_model_to_file(str(path))


def _nodes_to_quantize(
    graph: onnx.GraphProto, profile: Profile, layers: Sequence[str]
) -> list[str]:
    """The layers, and what the profile quantises of the nodes that read nothing but them."""
    weights = {tensor.name for tensor in graph.initializer}
    in_8_bits: set[str] = set()
    chosen = []
    for node in graph.node:
        follows = node.op_type in FOLLOWERS[profile] and in_8_bits.issuperset(
            name for name in node.input if name and name not in weights
        )
        if node.name in layers or follows:
            chosen.append(node.name)
            in_8_bits.update(node.output)
    return chosen
