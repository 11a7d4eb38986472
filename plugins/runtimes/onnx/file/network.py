"""An ONNX file as a network: its module runs the file in FP32 with ONNX Runtime."""

import math
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, numpy_helper
from torch import Tensor, nn

from segbench.errors import SegbenchError
from segbench.types import InputConvention, Setup, Size

from .graph import Form, adapted

COUNTED = ("Conv", "ConvTranspose", "MatMul", "Gemm")


class OnnxNetwork(nn.Module):
    """Normalised RGB images (N, 3, H, W) to logits (N, classes, H, W), on the CPU in FP32.

    This is the reference for all engines. The parameters are the file's weights, for counts and
    identity; it cannot be trained. ``batch`` is the file's fixed batch size, None if dynamic.
    """

    def __init__(
        self, graph: onnx.ModelProto, sha256: str, form: Form, batch: int | None = None
    ) -> None:
        super().__init__()
        self.graph, self.sha256, self.form, self.batch = graph, sha256, form, batch
        self.sessions: dict[tuple[int, ...], Any] = {}
        self.weights = nn.ParameterList(
            nn.Parameter(torch.from_numpy(np.array(numpy_helper.to_array(tensor))), False)
            for tensor in graph.graph.initializer
            if tensor.data_type == TensorProto.FLOAT and len(tensor.dims)
        )

    def forward(self, images: Tensor) -> Tensor:
        """The logits, computed by ONNX Runtime."""
        import onnxruntime

        shape = tuple(images.shape)
        if shape not in self.sessions:
            options = onnxruntime.SessionOptions()
            options.log_severity_level = 4
            options.intra_op_num_threads = torch.get_num_threads()
            whole = self.adapted(Setup((shape[2], shape[3]), shape[0])).SerializeToString()
            self.sessions[shape] = onnxruntime.InferenceSession(
                whole, options, providers=["CPUExecutionProvider"]
            )
        inputs = np.ascontiguousarray(images.float().cpu().numpy())
        (logits,) = self.sessions[shape].run(None, {"images": inputs})
        return torch.from_numpy(logits).to(images.device)

    def adapted(self, setup: Setup, convention: InputConvention | None = None) -> onnx.ModelProto:
        """The converted file for the size, batch and output of ``setup``.

        Without a ``convention`` images are already normalised. SegbenchError for dynamic ones.
        """
        if setup.dynamic:
            raise SegbenchError(
                "An ONNX file is rewritten for a fixed size and batch; leave --dynamic out."
            )
        if self.batch not in (None, setup.batch_size):
            raise SegbenchError(
                f"The ONNX file takes batches of {self.batch} only; give latency or export "
                f"--batch-size {self.batch}, or write the file for batches of 1 or of any size."
            )
        size, batch = setup.size, setup.batch_size
        return adapted(self.graph, self.form, batch, size, convention, setup.output)

    def count_work(self, batch_size: int, size: Size) -> tuple[float, float]:
        """Operations, and values that convolutions and matrix products read and write.

        A layer behind an operator that onnx does not know has no shapes and is not counted;
        SegbenchError if none has.
        """
        graph = onnx.shape_inference.infer_shapes(self.adapted(Setup(size, batch_size))).graph
        shapes = {each.name: tuple(each.dims) for each in graph.initializer}
        for each in (*graph.input, *graph.output, *graph.value_info):
            if each.type.tensor_type.HasField("shape"):
                shapes[each.name] = tuple(d.dim_value for d in each.type.tensor_type.shape.dim)
        flop = values = 0.0
        for node in graph.node:
            names = [*filter(None, node.input), node.output[0]]
            if node.op_type in COUNTED and shapes.keys() >= set(names):
                *inputs, output = (shapes[name] for name in names)
                flop += 2 * _products(node.op_type, inputs[0], inputs[1], output)
                values += sum(math.prod(shape) for shape in (*inputs, output))
        if not flop:
            raise SegbenchError("onnx cannot infer the shapes of any layer of the file.")
        return flop, values

    def extra_repr(self) -> str:
        """A string that determines its logits."""
        return f"{self.sha256}, {self.form}"

    def __getstate__(self) -> dict[str, Any]:
        """Copy without sessions."""
        return {**self.__dict__, "sessions": {}}


def _products(
    kind: str, images: tuple[int, ...], weight: tuple[int, ...], output: tuple[int, ...]
) -> int:
    """Multiplications of a layer."""
    if kind == "Conv":
        return math.prod(output) * math.prod(weight[1:])
    if kind == "ConvTranspose":
        return math.prod(images) * math.prod(weight[1:])
    return math.prod(output) * images[-1]
