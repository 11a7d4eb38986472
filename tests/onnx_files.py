"""ONNX files made by hand: two 1x1 convolutions whose logits are largest for the nearest colour."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.tiny import PALETTE, SIZE

Axis = int | str


def nearest_color(
    path: Path,
    palette: Sequence[tuple[int, ...]] = PALETTE,
    size: tuple[Axis, Axis] = SIZE,
    batch: Axis = 1,
    nhwc: bool = False,
    bgr: bool = False,
    divisor: float = 255.0,
    stride: int = 1,
    decide: bool = False,
    auxiliary: bool = False,
    softmax: bool = False,
    weights: str | None = None,
    opset: int = 17,
    metadata: dict[str, str] | None = None,
    kind: int = TensorProto.FLOAT,
) -> Path:
    """Images of RGB / ``divisor`` to logits, or with ``decide`` to class maps.

    The first convolution changes nothing. The classifier's logits are 2 c x - c c for the colour
    c of each class, so the class of the nearest is largest. A ``softmax`` is over the last axis, of
    (N, W, H, C), as Paddle2ONNX writes it. ``weights`` names a second file to keep them in.
    """
    colors = np.array(palette, np.float32) / divisor
    weight = 2 * (colors[:, ::-1] if bgr else colors)
    nodes: list[Any] = []
    last = "x"
    if nhwc:
        nodes.append(helper.make_node("Transpose", [last], ["chw"], perm=[0, 3, 1, 2]))
        last = "chw"
    constants = {
        "same": np.eye(3, dtype=np.float32).reshape(3, 3, 1, 1),
        "w": np.ascontiguousarray(weight[:, :, None, None]),
        "b": -(colors**2).sum(1),
    }
    nodes.append(helper.make_node("Conv", [last, "same"], ["stem"], "stem"))
    last = "stem"
    nodes.append(
        helper.make_node("Conv", [last, "w", "b"], ["y"], "classifier", strides=[stride, stride])
    )
    last = "y"
    if nhwc:
        nodes.append(helper.make_node("Transpose", [last], ["hwc"], perm=[0, 2, 3, 1]))
        last = "hwc"
    if softmax:
        nodes += [
            helper.make_node("Transpose", [last], ["turned"], perm=[0, 3, 2, 1]),
            helper.make_node("Softmax", ["turned"], ["shares"], axis=-1),
            helper.make_node("Transpose", ["shares"], ["chances"], perm=[0, 3, 2, 1]),
        ]
        last = "chances"
    if decide:
        axis = 3 if nhwc else 1
        nodes.append(helper.make_node("ArgMax", [last], ["classes"], axis=axis, keepdims=0))
        last = "classes"
    outputs = [helper.make_tensor_value_info(last, TensorProto.INT64 if decide else kind, None)]
    if auxiliary:
        nodes.append(helper.make_node("Neg", ["y"], ["auxiliary"]))
        outputs.append(helper.make_tensor_value_info("auxiliary", kind, None))
    shape = [batch, *size, 3] if nhwc else [batch, 3, *size]
    numpy_kind = helper.tensor_dtype_to_np_dtype(kind)
    graph = helper.make_graph(
        nodes,
        "nearest",
        [helper.make_tensor_value_info("x", kind, shape)],
        outputs,
        [numpy_helper.from_array(a.astype(numpy_kind), name) for name, a in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    helper.set_model_props(model, metadata or {})
    outside: dict[str, Any] = {"save_as_external_data": True, "size_threshold": 0}
    onnx.save(model, path, **({**outside, "location": weights} if weights else {}))
    return path
