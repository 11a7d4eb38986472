"""A network -> ONNX, the graph for every engine but PyTorch.

The graph takes RGB in 0..255 with normalisation and padding inside. It is compared numerically with
eager FP32 before it is written.
"""

import ast
import logging
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from segbench.errors import SegbenchError
from segbench.files import draft_of
from segbench.inference.agreement import Agreement, output_of
from segbench.networks.model import SegmentationModel
from segbench.types import Setup

from .file.graph import inputs_of
from .file.network import OnnxNetwork
from .session import OnnxSession

OPSET = 18
"""What PyTorch's exporter writes without a conversion. Some releases of ONNX Runtime have no CUDA
kernel for the Resize and Pad of later opsets (its issue 26393 and pull request 27415)."""
INPUT = "images"
TOLERANCE = {"fp32": 1e-3, "fp16": 2e-2}
"""Root mean square of the error over that of eager's logits."""
MOVED = 5e-2
"""The same in FP16 if the classes agree: where rounding changes the largest of four values, ENet's
unpooling puts it elsewhere, so that a few logits are far off."""
AGREEMENT = {"fp32": 0.999, "fp16": 0.99}
"""Share of pixels that match eager, if the argmax is in the graph."""
IN_FP32 = ("Sub", "Div")
"""The normalisation; the scales of Resize are FP32 too."""
Precision = Literal["fp32", "fp16"]


def export_onnx(
    model: SegmentationModel,
    path: Path,
    setup: Setup,
    precision: Precision = "fp32",
) -> None:
    """Write ``model`` to ``path`` for the size, batch and output of ``setup``.

    The input "images" is float32 (N, 3, H, W). The output is "logits", float32 (N, classes, H, W),
    or "labels", uint8 (N, H, W). Convolutions are named after the network's layers. Raises
    SegbenchError, leaving ``path`` unchanged, if ONNX Runtime disagrees with eager.
    """
    with draft_of(path) as draft:
        if isinstance(model.net, OnnxNetwork):
            graph = model.net.adapted(setup, model.convention)
        else:
            _export(model, draft, setup)
            graph = onnx.load(draft)
            _name_after_layers(graph)
            if setup.dynamic:
                _name_open_axes(graph)
        _prelu_of_one_slope_as_leaky_relu(graph)
        if precision == "fp16":
            graph = _in_half_precision(graph)
        onnx.save(graph, draft)
        _check(model, draft, setup, precision)
        if setup.dynamic:
            height, width = setup.size
            _check(model, draft, replace(setup, size=(width + 8, height)), precision)


class _Exported(nn.Module):
    def __init__(self, model: SegmentationModel, output: str) -> None:
        super().__init__()
        self.model, self.output = model.folded(), output

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.model(images)
        return logits.argmax(1).to(torch.uint8) if self.output == "labels" else logits


def _export(model: SegmentationModel, path: Path, setup: Setup) -> None:
    device = next(model.parameters()).device
    images = torch.zeros(setup.batch_size, 3, *setup.size, device=device)
    open_axes = dict.fromkeys((0, 2, 3), torch.export.Dim.DYNAMIC)
    if setup.dynamic:  # the exporter treats an axis of length 1 as fixed
        images = images[:1].expand(2, *images.shape[1:]).contiguous()
    with _quiet(), torch.no_grad():
        torch.onnx.export(
            _Exported(model, setup.output).eval(),
            (images,),
            path,
            input_names=[INPUT],
            output_names=[setup.output],
            opset_version=OPSET,
            dynamo=True,
            dynamic_shapes={INPUT: open_axes} if setup.dynamic else None,
            external_data=False,
            verbose=False,
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the exporter's warnings about its dependencies; the result is checked numerically."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _name_after_layers(graph: onnx.ModelProto) -> None:
    """Name nodes ``encoder.features.0`` instead of ``node_Conv_978``: the layer of their weight.

    Layers with equal weights share them, so the exporter's metadata distinguishes these. It names
    the batch norm of a convolution that has one.
    """
    layers = [node for node in graph.graph.node if node.op_type in ("Conv", "ConvTranspose")]
    uses = Counter(node.input[1] for node in layers)
    for node in layers:
        name = node.input[1].removesuffix(".weight")
        if uses[node.input[1]] > 1:
            notes = {entry.key: entry.value for entry in node.metadata_props}
            name = ast.literal_eval(notes["pkg.torch.onnx.name_scopes"])[-2]
        node.name = name.removeprefix("model.net.")
    for node in graph.graph.node:
        del node.metadata_props[:]


def _name_open_axes(graph: onnx.ModelProto) -> None:
    """Use ``batch``, ``height`` and ``width`` instead of the exporter's symbols such as ``s34``.

    Inner shapes are dropped: ONNX Runtime infers them.
    """
    for value in (*graph.graph.input, *graph.graph.output):
        axes = value.type.tensor_type.shape.dim
        for axis, name in ((0, "batch"), (-2, "height"), (-1, "width")):
            axes[axis].dim_param = name
    del graph.graph.value_info[:]


def _prelu_of_one_slope_as_leaky_relu(graph: onnx.ModelProto) -> None:
    """ONNX Runtime fuses a LeakyRelu with a convolution, or computes it in 8 bits, but no PRelu."""
    constants = {tensor.name: tensor for tensor in graph.graph.initializer}
    for node in graph.graph.node:
        slope = constants.get(node.input[1]) if node.op_type == "PRelu" else None
        if slope is None:
            continue
        values = np.unique(onnx.numpy_helper.to_array(slope))
        if len(values) == 1:
            node.op_type = "LeakyRelu"
            node.attribute.append(onnx.helper.make_attribute("alpha", float(values[0])))
            del node.input[1]
    _remove_unused_constants(graph)


def _remove_unused_constants(graph: onnx.ModelProto) -> None:
    used = set().union(*map(inputs_of, graph.graph.node))
    for tensor in list(graph.graph.initializer):
        if tensor.name not in used:
            graph.graph.initializer.remove(tensor)


def _in_half_precision(graph: onnx.ModelProto) -> onnx.ModelProto:
    """Convert all but the normalisation to FP16; input and output keep their types."""
    from onnxruntime.transformers.float16 import convert_float_to_float16

    _unshare_constants(graph)
    half: onnx.ModelProto = convert_float_to_float16(
        graph, keep_io_types=True, op_block_list=list(IN_FP32)
    )
    return half


def _unshare_constants(graph: onnx.ModelProto) -> None:
    """Give each node with FP32 inputs constants of its own: a shared one would be cast twice."""
    constants = {tensor.name: tensor for tensor in graph.graph.initializer}
    for node in graph.graph.node:
        if node.op_type in (*IN_FP32, "Resize"):
            for index, name in enumerate(node.input):
                if name in constants:
                    own = graph.graph.initializer.add()
                    own.CopyFrom(constants[name])
                    own.name = node.input[index] = f"{name}_of_{node.name}"
    _remove_unused_constants(graph)


def compare_with_eager(
    model: SegmentationModel, path: Path, setup: Setup, precision: str, images: NDArray[np.uint8]
) -> Agreement:
    """Compare the graph at ``path`` with the network on images (N, H, W, 3), N the setup's batch.

    The graph runs on ONNX Runtime's CPU; "int8" is executed as written, for any engine.
    """
    on_cpu = replace(setup, device="cpu")
    session = OnnxSession(path, on_cpu, precision, exact=precision == "int8")
    found = output_of(session, images)
    with torch.inference_mode():
        device = next(model.parameters()).device
        inputs = torch.from_numpy(images).to(device).permute(0, 3, 1, 2).float()
        logits: NDArray[Any] = model.eval()(inputs).float().cpu().numpy()
    agreement = Agreement()
    agreement.add(found, logits)
    return agreement


def _check(model: SegmentationModel, path: Path, setup: Setup, precision: Precision) -> None:
    found = compare_with_eager(model, path, setup, precision, _pictures(setup))
    if not matches(found, precision):
        what = f"its class maps agree on {found.share:.2%} of pixels"
        if found.error is not None:
            what = f"its logits are {found.error:.2g} off"
        raise SegbenchError(
            f"The ONNX graph in {precision} does not match eager ({what}), so it was "
            "not written; export in fp32, or report this with the checkpoint."
        )


def matches(found: Agreement, precision: Precision) -> bool:
    """Whether a graph equals eager up to the rounding of its precision."""
    alike = found.share >= AGREEMENT[precision]
    if found.error is None:
        return alike
    return found.error <= (MOVED if precision == "fp16" and alike else TOLERANCE[precision])


def _pictures(setup: Setup) -> NDArray[np.uint8]:
    """Smooth seeded pictures: their classes do not depend on rounding, as those of noise do."""
    coarse = torch.rand(setup.batch_size, 3, 6, 8, generator=torch.Generator().manual_seed(0))
    smooth = nn.functional.interpolate(coarse, setup.size, mode="bicubic", align_corners=False)
    return (smooth.clamp(0, 1) * 255).byte().permute(0, 2, 3, 1).contiguous().numpy()
