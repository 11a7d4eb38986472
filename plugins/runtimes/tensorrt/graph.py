"""A network -> the bytes of the ONNX graph for TensorRT."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from segbench.files import scratch_folder
from segbench.types import Setup

if TYPE_CHECKING:
    import onnx

    from segbench.networks.model import SegmentationModel

Precision = Literal["fp32", "fp16", "int8"]


def onnx_graph(
    model: "SegmentationModel", precision: Precision, setup: Setup, to_export: bool = False
) -> tuple[bytes, Mapping[str, Any]]:
    """The graph, checked numerically, and its details for a record.

    "int8" has explicit Q/DQ nodes, calibrated on ``setup.calibration``. Its quality is measured by
    a score, so it is checked only if ``to_export``.
    """
    import onnx

    details: Mapping[str, Any] = {}
    with scratch_folder() as folder:
        path = folder / "network.onnx"
        if precision == "int8":
            from ..onnx.int8.network import export_quantized, quantize_onnx

            write = export_quantized if to_export else quantize_onnx
            details = {"quantization": write(model, path, setup, "signed")}
        else:
            from ..onnx.graph import export_onnx

            export_onnx(model, path, setup, precision)
        if setup.output == "logits":
            return path.read_bytes(), details
        graph = onnx.load(path)
    _labels_through_float(graph)
    return graph.SerializeToString(), details


def _labels_through_float(graph: "onnx.ModelProto") -> None:
    """TensorRT's documentation allows a cast to uint8 from floats only."""
    import onnx
    from onnx import helper

    nodes = graph.graph.node
    for index in reversed(range(len(nodes))):
        cast = nodes[index]
        if cast.op_type == "Cast" and cast.attribute[0].i == onnx.TensorProto.UINT8:
            as_float = f"{cast.input[0]}_as_float"
            to_float = helper.make_node(
                "Cast", [cast.input[0]], [as_float], name=as_float, to=onnx.TensorProto.FLOAT
            )
            cast.input[0] = as_float
            nodes.insert(index, to_float)
