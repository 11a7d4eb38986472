"""Convert a user's ONNX graph: RGB (N, 3, H, W) in, logits (N, classes, H, W) out.

Channels, layout, class order and the size of the logits are converted by nodes before and after the
user's, so that every engine that loads ONNX runs all of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from segbench.errors import SegbenchError, first_line, out_of_memory
from segbench.files import scratch_folder
from segbench.types import InputConvention, Size

PREFIX = "file/"
"""Prefix of the user's tensors, so that their names do not clash with ours."""
OLDEST_OPSET = 13
"""The first with per-channel scales of weights; older graphs are converted to ``OPSET``."""
OPSET = 17


@dataclass(frozen=True)
class Form:
    """Which tensors of a graph are images and logits, and their axes and channels.

    ``channels`` has for each class its channel in the logits, or its value if the graph has class
    maps (``labels``) instead. ``logits_last`` says that logits are (N, h, w, C).
    """

    input: str
    output: str
    channels: tuple[int, ...]
    bgr: bool = False
    images_last: bool = False
    logits_last: bool = False
    labels: bool = False


def adapted(
    graph: onnx.ModelProto,
    form: Form,
    batch_size: int,
    size: Size,
    convention: InputConvention | None = None,
    output: str = "logits",
) -> onnx.ModelProto:
    """``graph`` between "images", float32 (N, 3, H, W), and the ``output`` "logits" or "labels".

    Images are RGB in 0..255 and normalised inside by the ``convention``; without one they must be
    normalised already. Logits are resized to ``size``.
    """
    ((_, found),) = output_shapes(graph, form, [form.output], batch_size, size)
    whole = onnx.ModelProto()
    whole.CopyFrom(graph)
    fix_input(whole, form, batch_size, size)
    types = {each.name: each.type.tensor_type.elem_type for each in whole.graph.input}
    image_type = types[form.input]
    whole = onnx.compose.add_prefix(whole, PREFIX, rename_nodes=False, rename_functions=False)
    chain = _Chain(whole.graph, "images")
    if convention is not None:
        chain.add("Sub", _per_channel(convention.mean))
        chain.add("Div", _per_channel(convention.std))
    if form.bgr:
        chain.add("Gather", np.array([2, 1, 0]), axis=1)
    if form.images_last:
        chain.add("Transpose", perm=[0, 2, 3, 1])
    if image_type != TensorProto.FLOAT:
        chain.add("Cast", to=image_type)
    chain.end(PREFIX + form.input)
    front = chain.nodes
    chain = _Chain(whole.graph, PREFIX + form.output, "after")
    height, width = found[1:3] if form.logits_last else found[-2:]
    if form.labels:
        chain.add("Reshape", np.array([found[0], 1, height, width]))
        chain.add("Cast", to=TensorProto.INT32)
        chain.add("Equal", np.array(form.channels, np.int32).reshape(1, -1, 1, 1))
        chain.add("Cast", to=TensorProto.FLOAT)
    else:
        chain.add("Cast", to=TensorProto.FLOAT)
        if form.logits_last:
            chain.add("Transpose", perm=[0, 3, 1, 2])
        if form.channels != tuple(range(found[-1 if form.logits_last else 1])):
            chain.add("Gather", np.array(form.channels), axis=1)
    if (height, width) != size:
        sizes = np.array([batch_size, len(form.channels), *size])
        chain.add(
            "Resize", None, None, sizes, mode="linear", coordinate_transformation_mode="half_pixel"
        )
    shape = [batch_size, len(form.channels), *size]
    kind = TensorProto.FLOAT
    if output == "labels":
        chain.add("ArgMax", axis=1, keepdims=0)
        chain.add("Cast", to=TensorProto.UINT8)
        shape, kind = [batch_size, *size], TensorProto.UINT8
    chain.end(output)
    nodes = _needed([*front, *whole.graph.node, *chain.nodes], output)
    del whole.graph.node[:], whole.graph.input[:], whole.graph.output[:], whole.graph.value_info[:]
    whole.graph.node.extend(nodes)
    images = [batch_size, 3, *size]
    whole.graph.input.append(helper.make_tensor_value_info("images", TensorProto.FLOAT, images))
    whole.graph.output.append(helper.make_tensor_value_info(output, kind, shape))
    return simplified(whole)


def trimmed(graph: onnx.ModelProto, form: Form) -> onnx.ModelProto:
    """``graph`` up to the output of ``form``, without argmax or softmax and auxiliary heads."""
    whole = onnx.ModelProto()
    whole.CopyFrom(graph)
    _drop_softmax(whole, form.output)
    nodes = _needed(list(whole.graph.node), form.output)
    del whole.graph.node[:], whole.graph.output[:]
    whole.graph.node.extend(nodes)
    whole.graph.output.append(onnx.ValueInfoProto(name=form.output))
    return simplified(whole)


def fix_input(graph: onnx.ModelProto, form: Form, batch_size: int, size: Size) -> None:
    """Give the images of ``graph`` a fixed shape and drop other shape information."""
    (images,) = (each for each in graph.graph.input if each.name == form.input)
    shape = [batch_size, *size, 3] if form.images_last else [batch_size, 3, *size]
    del images.type.tensor_type.shape.dim[:]
    for length in shape:
        images.type.tensor_type.shape.dim.add().dim_value = length
    outputs = [onnx.ValueInfoProto(name=each.name) for each in graph.graph.output]
    del graph.graph.value_info[:], graph.graph.output[:]
    graph.graph.output.extend(outputs)


def simplified(graph: onnx.ModelProto) -> onnx.ModelProto:
    """The same graph with constants folded, batch norms in convolutions, and a name for each node.

    ONNX Runtime does this as when loading the file; the result does not depend on it.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    with scratch_folder() as folder:
        path = folder / "simple.onnx"
        options.optimized_model_filepath = str(path)
        onnxruntime.InferenceSession(
            graph.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        simple = onnx.load(path)
    taken: set[str] = set()
    for index, node in enumerate(simple.graph.node):
        if not node.name or node.name in taken:
            node.name = f"{node.op_type}_{index}"
        taken.add(node.name)
    return simple


def as_new_as_needed(graph: onnx.ModelProto, path: Path) -> onnx.ModelProto:
    """``graph`` in an opset that can be quantised; SegbenchError if it cannot be converted."""
    opset = next((each.version for each in graph.opset_import if not each.domain), OPSET)
    if opset >= OLDEST_OPSET:
        return graph
    from onnx import version_converter

    try:
        return version_converter.convert_version(graph, OPSET)
    except Exception as error:  # the converter can raise any error
        raise SegbenchError(
            f"{path} is of opset {opset} and cannot be converted; export it again with opset "
            f"{OLDEST_OPSET} or later."
        ) from error


def output_shapes(
    graph: onnx.ModelProto, form: Form, names: Sequence[str], batch_size: int, size: Size
) -> list[tuple[Any, tuple[int, ...]]]:
    """The type and shape of the tensors ``names`` for images of ``size``, by running the graph."""
    import onnxruntime

    whole = onnx.ModelProto()
    whole.CopyFrom(graph)
    fix_input(whole, form, batch_size, size)
    there = {output.name for output in whole.graph.output}
    whole.graph.output.extend(onnx.ValueInfoProto(name=n) for n in names if n not in there)
    (images,) = (each for each in whole.graph.input if each.name == form.input)
    shape = [axis.dim_value for axis in images.type.tensor_type.shape.dim]
    kind = helper.tensor_dtype_to_np_dtype(images.type.tensor_type.elem_type)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(
            whole.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        outputs = session.run(list(names), {form.input: np.zeros(shape, kind)})
    except Exception as error:  # ONNX Runtime has no exception of its own for a bad graph
        if out_of_memory(error):
            raise
        height, width = size
        raise SegbenchError(
            f"ONNX Runtime cannot run the file on {batch_size} image{'s' * (batch_size > 1)} of "
            f"{height}x{width} ({first_line(error)}); give another --size, or export it again."
        ) from error
    return [(each.dtype, each.shape) for each in outputs]


def _needed(nodes: Sequence[onnx.NodeProto], output: str) -> list[onnx.NodeProto]:
    """The nodes, in order, on which ``output`` depends, without auxiliary heads."""
    wanted, kept = {output}, []
    for node in reversed(nodes):
        if wanted.intersection(node.output):
            kept.append(node)
            wanted.update(inputs_of(node))
    return kept[::-1]


def inputs_of(node: onnx.NodeProto) -> set[str]:
    """The inputs of a node, including those of its subgraphs."""
    inner = [inside for each in node.attribute for inside in each.g.node]
    return set(node.input).union(*map(inputs_of, inner))


def undecided(graph: onnx.ModelProto, name: str) -> str:
    """The tensor whose argmax ``name`` is, else ``name`` itself."""
    makers = {output: node for node in graph.graph.node for output in node.output}
    decision = _behind(makers, name, ("Cast", "Squeeze", "Identity", "Reshape"))
    if decision and decision.op_type == "ArgMax":
        return str(decision.input[0])
    return name


def _drop_softmax(graph: onnx.ModelProto, name: str) -> None:
    """Replace the softmax before ``name`` by an identity.

    Older opsets only have a softmax over the last axis, so a transpose or reshape may follow.
    """
    makers = {output: node for node in graph.graph.node for output in node.output}
    last = _behind(makers, name, ("Identity", "Transpose", "Reshape"))
    if last and last.op_type in ("Softmax", "LogSoftmax"):
        last.op_type = "Identity"
        del last.attribute[:]


def _behind(
    makers: dict[str, onnx.NodeProto], name: str, passed: Sequence[str]
) -> onnx.NodeProto | None:
    """The node that makes ``name``, before nodes of the kinds ``passed``; None for an input."""
    while name in makers and makers[name].op_type in passed:
        name = makers[name].input[0]
    return makers.get(name)


class _Chain:
    """A chain of nodes, each of which takes the previous one and constants."""

    def __init__(self, graph: onnx.GraphProto, start: str, name: str = "before") -> None:
        self.graph, self.last, self.name = graph, start, f"segbench/{name}"
        while any(node.name.startswith(self.name) for node in graph.node):
            self.name = f"segbench/{self.name}"
        self.nodes: list[onnx.NodeProto] = []

    def add(self, kind: str, *constants: Any, **attributes: Any) -> None:
        """Add a node of ``kind``; None is an omitted input."""
        name = f"{self.name}/{kind}_{len(self.nodes)}"
        inputs = [self.last]
        for number, constant in enumerate(constants):
            inputs.append("" if constant is None else f"{name}/constant_{number}")
            if constant is not None:
                tensor = numpy_helper.from_array(np.asarray(constant), inputs[-1])
                self.graph.initializer.append(tensor)
        self.nodes.append(helper.make_node(kind, inputs, [f"{name}/output"], name, **attributes))
        self.last = f"{name}/output"

    def end(self, name: str) -> None:
        """Name the chain's result ``name``."""
        if not self.nodes:
            self.add("Identity")
        self.nodes[-1].output[0] = name


def _per_channel(values: Sequence[float]) -> Any:
    return np.array(values, np.float32).reshape(1, 3, 1, 1)
