"""Which nodes of a graph are quantised."""

import numpy as np
import onnx
import pytest

from segbench_plugins.runtimes.onnx.int8.profiles import (
    _weights_that_cannot_saturate,
    classifier,
    layers_to_quantize,
    nodes_to_quantize,
)


def conv(name: str, source: str, target: str, op_type: str = "Conv") -> onnx.NodeProto:
    return onnx.helper.make_node(op_type, [source, f"{name}.weight"], [target], name)


def graph_of(nodes: list[onnx.NodeProto], **shapes: tuple[int, ...]) -> onnx.GraphProto:
    """A graph from "images" to "logits" with weights of these shapes."""
    ends = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
        for name in ("images", "logits")
    ]
    weights = [
        onnx.numpy_helper.from_array(np.zeros(shape, np.float32), f"{name}.weight")
        for name, shape in shapes.items()
    ]
    return onnx.helper.make_graph(nodes, "g", ends[:1], ends[1:], weights)


def test_what_makes_the_logits_and_enlarges_them_stays_in_float() -> None:
    """Two score layers, one of which is enlarged twice, as in FCN8s."""
    graph = graph_of(
        [
            conv("first", "images", "a"),
            conv("second", "a", "b"),
            conv("score_b", "b", "c"),
            conv("up", "c", "d", "ConvTranspose"),
            conv("score_a", "a", "e"),
            onnx.helper.make_node("Add", ["d", "e"], ["f"]),
            conv("up_both", "f", "logits", "ConvTranspose"),
        ],
        first=(8, 3, 3, 3),
        second=(8, 8, 3, 3),
        score_a=(5, 8, 1, 1),
        score_b=(5, 8, 1, 1),
        up=(5, 5, 4, 4),
        up_both=(5, 5, 4, 4),
    )
    assert classifier(graph) == {"up_both", "score_a", "up", "score_b"}
    assert layers_to_quantize(graph, ()) == ["first", "second"]


def test_a_transposed_classifier_and_what_has_no_int8_kernel_stay_in_float() -> None:
    """As in ENet."""
    graph = graph_of(
        [
            conv("first", "images", "a"),
            conv("enlarge", "a", "b", "ConvTranspose"),
            conv("second", "b", "c"),
            conv("scores", "c", "logits", "ConvTranspose"),
        ],
        first=(8, 3, 3, 3),
        enlarge=(8, 8, 2, 2),
        second=(16, 8, 3, 3),
        scores=(16, 5, 3, 3),
    )
    assert layers_to_quantize(graph, ()) == ["first", "second"]


@pytest.mark.parametrize(
    ("reader", "in_8_bits"), [("Conv", ["first", "sum", "after", "last"]), ("Exp", ["first"])]
)
def test_a_sum_with_a_float_term_is_in_8_bits_if_a_convolution_reads_it(
    reader: str, in_8_bits: list[str]
) -> None:
    """As in ENet, whose residual path starts in floating point."""
    node = onnx.helper.make_node
    graph = graph_of(
        [
            conv("first", "images", "a"),
            node("Tanh", ["images"], ["b"], "float"),
            node("Add", ["a", "b"], ["c"], "sum"),
            node("LeakyRelu", ["c"], ["d"], "after"),
            conv("last", "d", "e") if reader == "Conv" else node(reader, ["d"], ["e"], "last"),
            conv("scores", "e", "logits"),
        ],
        first=(8, 3, 3, 3),
        last=(8, 8, 3, 3),
        scores=(5, 8, 1, 1),
    )
    layers = layers_to_quantize(graph, ())
    assert nodes_to_quantize(graph, "unsigned", layers) == in_8_bits
    assert nodes_to_quantize(graph, "signed", layers) == layers


def test_weights_that_are_computed_have_no_range_of_their_own() -> None:
    layers = [conv("first", "images", "a"), conv("experts", "a", "logits")]
    graph = graph_of(layers, first=(8, 3, 3, 3))
    assert list(_weights_that_cannot_saturate(graph, ["first", "experts"])) == ["first.weight"]
