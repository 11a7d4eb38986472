"""``--model``: what is read from an ONNX file, what is asked of its owner, what is refused."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from segbench.errors import SegbenchError
from segbench.inference.networks import LoadedNetwork
from segbench.inference.sources import load_model_file
from segbench.latency.roofline import work_of
from segbench.plugins import Registry
from segbench.scoring.confusion import confusion_matrix, mean_iou
from segbench.types import Calibration, ModelFile, ModelOptions, Setup
from segbench_plugins.runtimes.onnx.file.mistakes import likely_mistakes
from segbench_plugins.runtimes.onnx.graph import export_onnx
from segbench_plugins.runtimes.onnx.int8.network import export_quantized
from segbench_plugins.runtimes.onnx.plugin import segbench_model_formats
from segbench_plugins.runtimes.onnx.session import OnnxSession
from tests.onnx_files import nearest_color
from tests.tiny import CLASSES, PALETTE, SIZE, draw, tiny_dataset

SCALED: dict[str, Any] = {"scale": 1 / 255}
DATASET = tiny_dataset()
REGISTRY = Registry.of(model_formats=segbench_model_formats())


def load(path: Path, size: tuple[int, int] | None = None, **options: Any) -> LoadedNetwork:
    file = ModelFile(path, DATASET, ModelOptions(**{**SCALED, **options}))
    return load_model_file(file, REGISTRY, size)


def predicted(network: LoadedNetwork) -> np.ndarray:
    """The class map of the scene that ``truth`` labels."""
    images = torch.from_numpy(draw(0, noise=2).image).permute(2, 0, 1).float()[None]
    with torch.inference_mode():
        logits = network.model(images)
    assert logits.shape == (1, len(CLASSES), *SIZE)
    return logits[0].argmax(0).numpy()


def truth() -> np.ndarray:
    return draw(0).label


def right(network: LoadedNetwork) -> float:
    label = truth()
    return float(np.mean((predicted(network) == label)[label < len(CLASSES)]))


@pytest.mark.parametrize(
    ("made", "options"),
    [
        ({}, {}),
        ({"nhwc": True}, {}),
        ({"bgr": True}, {"channels": "bgr"}),
        ({"divisor": 1.0}, {"scale": 1.0}),
        ({"size": ("h", "w"), "batch": "n"}, {}),
        ({"decide": True}, {}),
        ({"decide": True, "nhwc": True}, {}),
        ({"auxiliary": True}, {}),
        ({"opset": 11}, {}),
        ({"divisor": 1.0, "metadata": {"scale": "1.0"}}, {"scale": None}),
        ({"bgr": True, "metadata": {"channels": "BGR"}}, {}),
        ({"metadata": {"author": "Ultralytics", "names": "{0: 'x'}"}}, {"scale": None}),
    ],
)
def test_a_file_gives_its_own_classes(
    tmp_path: Path, made: dict[str, Any], options: dict[str, Any]
) -> None:
    network = load(nearest_color(tmp_path / "net.onnx", **made), **options)
    assert right(network) == 1.0
    assert network.size == SIZE


def test_logits_at_a_stride_are_resized(tmp_path: Path) -> None:
    network = load(nearest_color(tmp_path / "net.onnx", stride=4))
    assert right(network) > 0.9


@pytest.mark.parametrize("opset", [11, 17])
def test_a_softmax_between_transposes_is_removed(tmp_path: Path, opset: int) -> None:
    images = torch.from_numpy(draw(0, noise=2).image).permute(2, 0, 1).float()[None]
    plain = load(nearest_color(tmp_path / "plain.onnx", opset=opset))
    paddle = load(nearest_color(tmp_path / "paddle.onnx", opset=opset, softmax=True))
    torch.testing.assert_close(paddle.model(images), plain.model(images))


def test_weights_in_a_second_file_are_part_of_the_identity(tmp_path: Path) -> None:
    path, weights = tmp_path / "net.onnx", tmp_path / "net.onnx.data"
    first = load(nearest_color(path, weights="net.onnx.data"))
    graph = path.read_bytes()
    weights.unlink()  # onnx appends to a file that exists
    second = load(nearest_color(path, palette=PALETTE[::-1], weights="net.onnx.data"))
    assert path.read_bytes() == graph
    assert first.sha256 != second.sha256
    assert first.config["weights"] != second.config["weights"]
    assert repr(first.model) != repr(second.model)
    assert right(first) == 1.0
    weights.unlink()
    with pytest.raises(SegbenchError, match=r"net\.onnx\.data, which is missing"):
        load(path)


def test_the_sha256_is_that_of_the_files_one_after_the_other(tmp_path: Path) -> None:
    path, weights = tmp_path / "net.onnx", tmp_path / "net.onnx.data"
    network = load(nearest_color(path, weights=weights.name))
    assert network.sha256 == hashlib.sha256(path.read_bytes() + weights.read_bytes()).hexdigest()


def test_the_output_that_is_used_is_named(tmp_path: Path) -> None:
    path = nearest_color(tmp_path / "net.onnx", auxiliary=True)
    assert load(path).notes == (
        "net.onnx: it has the outputs y, auxiliary; y is used (--model-output overrides)",
    )
    assert load(path, output="y").notes == ()
    assert right(load(path, output="auxiliary")) < 0.5


def test_an_open_size_is_that_of_the_command_or_of_the_recipe(tmp_path: Path) -> None:
    path = nearest_color(tmp_path / "net.onnx", size=("h", "w"))
    assert load(path).size == DATASET.recipes["modern"].size
    assert load(path, (16, 24)).size == (16, 24)
    fixed = nearest_color(tmp_path / "fixed.onnx")
    with pytest.raises(SegbenchError, match="32x64 only"):
        load(fixed, (16, 24))


@pytest.mark.parametrize(
    ("palette", "options"),
    [
        ((*PALETTE, (0, 0, 0)), {}),
        (((0, 0, 0), *PALETTE), {"class_order": "background-first"}),
        (((0, 0, 0), *PALETTE), {"class_order": "names.txt"}),
        ((*PALETTE, (0, 0, 0), (255, 255, 255)), {"class_order": "train-ids"}),
    ],
)
def test_outputs_are_matched_with_classes(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    palette: tuple[Any, ...],
    options: dict[str, Any],
) -> None:
    monkeypatch.chdir(tmp_path)
    names = ["Background", *(name.upper().replace(" ", "_") for name in CLASSES)]
    Path("names.txt").write_text("\n".join(names), encoding="utf-8")
    network = load(nearest_color(tmp_path / "net.onnx", palette=palette), **options)
    assert right(network) == 1.0


def test_names_in_the_metadata_order_the_outputs(tmp_path: Path) -> None:
    names = dict(enumerate(reversed(CLASSES)))
    for text in (repr(names), json.dumps(names)):  # JSON's keys are text
        metadata = {"names": text}
        path = nearest_color(tmp_path / "net.onnx", palette=PALETTE[::-1], metadata=metadata)
        assert right(load(path)) == 1.0


def test_names_without_the_number_of_their_output_are_ignored(tmp_path: Path) -> None:
    names = {0: CLASSES[1], "x": CLASSES[0]} | dict(enumerate(CLASSES[2:], 2))
    path = nearest_color(tmp_path / "net.onnx", metadata={"names": repr(names)})
    assert right(load(path)) == 1.0


def integer_input(path: Path) -> Path:
    """The file for images of 0..255, with an input of bytes."""
    model = onnx.load(nearest_color(path, divisor=1.0))
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.UINT8
    model.graph.input[0].name = "bytes"
    model.graph.node.insert(0, helper.make_node("Cast", ["bytes"], ["x"], to=TensorProto.FLOAT))
    onnx.save(model, path)
    return path


def test_an_input_of_bytes_takes_images_as_they_are(tmp_path: Path) -> None:
    network = load(integer_input(tmp_path / "net.onnx"), scale=None)
    assert right(network) == 1.0
    assert network.notes == ()


def test_label_ids_are_the_benchmarks(tmp_path: Path) -> None:
    benchmark = replace(DATASET.benchmark, ids=tuple(range(2, 13)))  # type: ignore[type-var]
    dataset = replace(DATASET, benchmark=benchmark)
    palette = ((0, 0, 0), (1, 1, 1), *PALETTE)
    file = ModelFile(nearest_color(tmp_path / "net.onnx", palette=palette), dataset)
    network = load_model_file(replace(file, options=ModelOptions(**SCALED)), REGISTRY)
    assert network.config["outputs"] == list(benchmark.ids)
    assert right(network) == 1.0


def test_what_is_assumed_is_said(tmp_path: Path) -> None:
    path = nearest_color(tmp_path / "net.onnx", palette=(*PALETTE, (0, 0, 0)))
    network = load(path, scale=None)
    assert len(network.notes) == 2
    assert network.model.convention.mean == pytest.approx((123.675, 116.28, 103.53))
    assert load(path, class_order="train-ids").notes == ()


def other_inputs(path: Path, *shapes: list[int]) -> Path:
    """The file with inputs of these shapes."""
    model = onnx.load(path)
    del model.graph.input[:]
    names = ["x", *(f"more{number}" for number in range(1, len(shapes)))]
    for name, shape in zip(names, shapes, strict=True):
        model.graph.input.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
    onnx.save(model, path)
    return path


def without_layers(path: Path) -> Path:
    node = helper.make_node("Identity", ["x"], ["y"])
    tensors = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 3, 8, 8]) for n in "xy"]
    graph = helper.make_graph([node], "nothing", tensors[:1], tensors[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    return path


def one_name_too_many(path: Path) -> Path:
    return nearest_color(path, metadata={"names": repr(dict(enumerate(["void", *CLASSES])))})


def text(path: Path) -> Path:
    path.write_text("weights", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("make", "options", "word"),
    [
        (lambda path: path, {}, "no file"),
        (text, {}, "not a readable ONNX file"),
        (lambda path: other_inputs(nearest_color(path), [1, 3, 8, 8], [1, 3, 8, 8]), {}, "more1"),
        (lambda path: other_inputs(nearest_color(path), [1, 3]), {}, r"x \(1, 3\)"),
        (lambda path: other_inputs(nearest_color(path), [1, 4, 8, 8]), {}, "three channels"),
        (without_layers, {}, "no convolutions"),
        (lambda path: nearest_color(path, kind=TensorProto.FLOAT16), {}, "in 16 bits"),
        (lambda path: nearest_color(path, palette=PALETTE[:5]), {}, "5 outputs"),
        (nearest_color, {"class_order": "label-idz"}, "label-ids"),
        (nearest_color, {"class_order": "background-first"}, "needs 12 outputs"),
        (one_name_too_many, {}, "the class names in its metadata needs 12 outputs"),
        (nearest_color, {"output": "z"}, "output"),
        (nearest_color, {"std": (1.0, 0.0, 1.0)}, "deviation is 0"),
        (integer_input, {}, "cannot be normalised"),
    ],
)
def test_what_does_not_fit_is_refused(
    tmp_path: Path, make: Any, options: dict[str, Any], word: str
) -> None:
    with pytest.raises(SegbenchError, match=word):
        load(make(tmp_path / "net.onnx"), **options)


def test_a_batch_that_the_file_does_not_take_is_refused(tmp_path: Path) -> None:
    network = load(nearest_color(tmp_path / "net.onnx"))
    with pytest.raises(SegbenchError, match="batches of 1"):
        export_onnx(network.model, tmp_path / "out.onnx", Setup(SIZE, batch_size=2))


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_the_graph_for_engines_takes_rgb_and_gives_its_logits(
    tmp_path: Path, precision: Any
) -> None:
    network = load(nearest_color(tmp_path / "net.onnx", nhwc=True, stride=2))
    out = tmp_path / "out.onnx"
    export_onnx(network.model, out, Setup(SIZE), precision)
    session = OnnxSession(out, Setup(SIZE, device="cpu"), precision)
    image = draw(0, noise=2).image[None]
    logits = session.fetch(session.run(session.prepare(image)))
    expected = network.model(torch.from_numpy(image).permute(0, 3, 1, 2).float()).numpy()
    np.testing.assert_allclose(logits, expected, atol=0.02)


def test_int8_leaves_the_classifier(tmp_path: Path) -> None:
    network = load(nearest_color(tmp_path / "net.onnx"))
    images = np.stack([draw(seed).image for seed in range(4)])
    setup = Setup(SIZE, calibration=Calibration("tiny", ("0",), images))
    told = export_quantized(network.model, tmp_path / "int8.onnx", setup, "unsigned")
    assert (told["layers"], told["float_layers"]) == (["stem"], ["classifier"])
    assert told["agreement"] > 0.9


def test_work_is_counted_from_the_graph(tmp_path: Path) -> None:
    network = load(nearest_color(tmp_path / "net.onnx"))
    pixels, classes = SIZE[0] * SIZE[1], len(CLASSES)
    work = work_of(network.model, SIZE, 1)
    assert work.flop == 2 * pixels * (9 + 3 * classes)
    assert work.values == pixels * (9 + classes) + 9 + 3 * classes + classes
    assert network.model.count_parameters() == 9 + 3 * classes + classes


def with_foreign_operator(path: Path, before: int) -> Path:
    """A GELU of ONNX Runtime and a product with the identity, before the layer of that index."""
    model = onnx.load(nearest_color(path))
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    layers = list(model.graph.node)
    gelu = helper.make_node("Gelu", [layers[before].input[0]], ["gelu"], domain="com.microsoft")
    product = helper.make_node("MatMul", ["gelu", "identity"], ["product"])
    layers[before].input[0] = "product"
    layers[before:before] = [gelu, product]
    model.graph.ClearField("node")
    model.graph.node.extend(layers)
    identity = onnx.numpy_helper.from_array(np.eye(SIZE[1], dtype=np.float32), "identity")
    model.graph.initializer.append(identity)
    onnx.save(model, path)
    return path


def test_layers_without_known_shapes_are_not_counted(tmp_path: Path) -> None:
    network = load(with_foreign_operator(tmp_path / "net.onnx", before=1))
    pixels = SIZE[0] * SIZE[1]
    work = work_of(network.model, SIZE, 1)
    assert (work.flop, work.values) == (2 * pixels * 9, pixels * 6 + 9)


def test_work_is_unknown_if_no_layer_has_known_shapes(tmp_path: Path) -> None:
    network = load(with_foreign_operator(tmp_path / "net.onnx", before=0))
    with pytest.raises(SegbenchError, match="cannot infer the shapes of any layer"):
        work_of(network.model, SIZE, 1)


@pytest.mark.parametrize(
    ("made", "told", "mistake"),
    [
        ({}, {"channels": "bgr"}, "--channels rgb"),
        ({}, {"scale": 1.0}, "--scale 1/255"),
        (
            {"palette": ((0, 0, 0), *PALETTE)},
            {"class_order": "train-ids"},
            "--class-order background-first",
        ),
        ({"bgr": True}, {"scale": 1.0}, "--mean 0 --std 1 --scale 1/255 --channels bgr"),
    ],
)
def test_a_mistake_is_named(
    tmp_path: Path, made: dict[str, Any], told: dict[str, Any], mistake: str
) -> None:
    def score(file: ModelFile) -> float:
        matrix = confusion_matrix(truth(), predicted(load_model_file(file, REGISTRY)), len(CLASSES))
        return mean_iou(matrix) or 0.0

    path = nearest_color(tmp_path / "net.onnx", **made)
    file = ModelFile(path, DATASET, ModelOptions(**{**SCALED, **told}))
    assert mistake in likely_mistakes(file, SIZE, score)


def test_a_normalisation_that_overflows_is_no_mistake(tmp_path: Path) -> None:
    def score(file: ModelFile) -> float:
        if file.options.channels == "bgr":
            return 0.5
        if file.options.scale == 1.0:
            raise SegbenchError("The logits are not finite.")
        return 0.01

    file = ModelFile(nearest_color(tmp_path / "net.onnx"), DATASET, ModelOptions(**SCALED))
    assert likely_mistakes(file, SIZE, score).endswith("0.500 with --channels bgr")
