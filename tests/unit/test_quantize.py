"""Networks in INT8: what is quantised, how ranges are chosen, and when the cache is used."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper

from segbench.errors import SegbenchError
from segbench.inference.networks import fcn8s_on, random_network
from segbench.networks.model import SegmentationModel
from segbench.plugins import Registry
from segbench.progress import Reporter
from segbench.testing import tiny, tiny_network
from segbench.types import Calibration, Setup
from segbench_plugins.runtimes.onnx.graph import export_onnx
from segbench_plugins.runtimes.onnx.int8 import network
from segbench_plugins.runtimes.onnx.int8.layer_costs import (
    Costing,
    LayerCost,
    choose_method,
    costly_layers,
    decibels,
)
from segbench_plugins.runtimes.onnx.int8.network import export_quantized, quantize_onnx
from segbench_plugins.runtimes.onnx.int8.profiles import Profile
from segbench_plugins.runtimes.onnx.int8.ranges import _coarse, batches, measure_ranges
from segbench_plugins.runtimes.onnx.int8.report import worst_first
from segbench_plugins.runtimes.onnx.session import OnnxSession
from segbench_plugins.runtimes.tensorrt.graph import onnx_graph

SIZE = (32, 64)
LAYERS = ["encoder.to8", "encoder.to16", "encoder.to32"]

QUIET = Reporter(quiet=True)


def pictures(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, *SIZE, 3), np.uint8)


@pytest.fixture(scope="module")
def model() -> SegmentationModel:
    return tiny_network()


@pytest.fixture
def setup(model: SegmentationModel) -> Setup:
    """Held-back labels are what the network itself says, so that FP32 scores 1."""
    images = pictures(3, seed=1)
    with torch.no_grad():
        logits = model(torch.from_numpy(images).permute(0, 3, 1, 2).float())
    labels = logits.argmax(1).byte().numpy()
    calibration = Calibration("tiny train", ("a", "b"), pictures(2), images, labels)
    return Setup(SIZE, device="cpu", calibration=calibration, keep_float=())


@pytest.mark.usefixtures("shared_cache")
@pytest.mark.parametrize("profile", ["unsigned", "signed"])
def test_the_details_say_what_was_done(
    profile: Profile, model: SegmentationModel, setup: Setup, tmp_path: Path
) -> None:
    details = quantize_onnx(model, tmp_path / "int8.onnx", setup, profile)
    json.dumps(details, allow_nan=False)
    assert details["profile"] == profile
    assert details["layers"] == LAYERS
    assert details["float_layers"] == ["score16", "score32", "up32", "score8", "up16"]
    assert (details["source"], details["frames"]) == ("tiny train", ["a", "b"])
    assert list(details["scores"]) == ["min-max", "percentile", "entropy"]
    assert details["scores"][details["method"]] > 0.8


def quantisers(path: Path) -> dict[str, list[Any]]:
    """Each convolution with the data types of its quantised inputs; None for a float one."""
    graph = onnx.load(path).graph
    makers = {output: node for node in graph.node for output in node.output}
    types = {tensor.name: tensor.data_type for tensor in graph.initializer}

    def kind(name: str) -> int | None:
        maker = makers.get(name)
        quantised = maker is not None and maker.op_type == "DequantizeLinear"
        return types[maker.input[2]] if maker is not None and quantised else None

    return {n.name: list(map(kind, n.input)) for n in graph.node if n.op_type.startswith("Conv")}


@pytest.mark.usefixtures("shared_cache")
def test_the_unsigned_profile_is_that_of_x86(
    model: SegmentationModel, setup: Setup, tmp_path: Path
) -> None:
    quantize_onnx(model, tmp_path / "int8.onnx", setup, "unsigned")
    found = quantisers(tmp_path / "int8.onnx")
    expected = [TensorProto.UINT8, TensorProto.INT8, TensorProto.INT32]
    assert [found[name] for name in LAYERS] == [expected] * 3
    assert found["up32"] == [None] * 3


@pytest.mark.usefixtures("shared_cache")
def test_the_signed_profile_is_that_of_tensorrt(
    model: SegmentationModel, setup: Setup, tmp_path: Path
) -> None:
    path = tmp_path / "int8.onnx"
    quantize_onnx(model, path, setup, "signed")
    found = quantisers(path)
    assert [found[name] for name in LAYERS] == [[TensorProto.INT8, TensorProto.INT8, None]] * 3
    graph = onnx.load(path).graph
    zeros = {node.input[2] for node in graph.node if node.op_type == "QuantizeLinear"}
    tensors = {t.name: onnx.numpy_helper.to_array(t) for t in graph.initializer}
    assert all((tensors[name] == 0).all() for name in zeros)


@pytest.mark.usefixtures("shared_cache")
def test_a_layer_is_kept_in_float(model: SegmentationModel, setup: Setup, tmp_path: Path) -> None:
    kept = replace(setup, keep_float=("encoder.to16",))
    details = quantize_onnx(model, tmp_path / "int8.onnx", kept, "unsigned")
    assert details["layers"] == ["encoder.to8", "encoder.to32"]
    assert quantisers(tmp_path / "int8.onnx")["encoder.to16"][1:] == [None, None]


@pytest.mark.usefixtures("shared_cache")
@pytest.mark.parametrize("profile", ["unsigned", "signed"])
def test_with_every_layer_kept_nothing_is_quantised(
    profile: Profile, model: SegmentationModel, setup: Setup, tmp_path: Path
) -> None:
    kept = replace(setup, keep_float=tuple(LAYERS))
    details = quantize_onnx(model, tmp_path / "int8.onnx", kept, profile)
    assert details["layers"] == []
    assert not {
        kind for kinds in quantisers(tmp_path / "int8.onnx").values() for kind in kinds if kind
    }


def test_an_unknown_layer_is_named_with_the_nearest(
    model: SegmentationModel, setup: Setup, tmp_path: Path
) -> None:
    with pytest.raises(SegbenchError, match=r"'encoder.to9'.*Did you mean 'encoder.to8'"):
        quantize_onnx(
            model, tmp_path / "a.onnx", replace(setup, keep_float=("encoder.to9",)), "signed"
        )
    assert not (tmp_path / "a.onnx").exists()


def test_without_calibration_nothing_is_quantised(model: SegmentationModel, tmp_path: Path) -> None:
    with pytest.raises(SegbenchError, match="training images to calibrate on"):
        quantize_onnx(model, tmp_path / "a.onnx", Setup(SIZE, device="cpu"), "unsigned")


@pytest.mark.usefixtures("shared_cache")
def test_class_maps_come_from_the_same_graph(
    model: SegmentationModel, setup: Setup, tmp_path: Path
) -> None:
    quantize_onnx(model, tmp_path / "logits.onnx", setup, "unsigned")
    labels = replace(setup, output="labels")
    quantize_onnx(model, tmp_path / "labels.onnx", labels, "unsigned")
    found = []
    for name in ("logits", "labels"):
        session = OnnxSession(tmp_path / f"{name}.onnx", setup, "int8")
        found.append(session.run(session.prepare(pictures(1, seed=2))))
    assert np.mean(found[0].argmax(1) == found[1]) > 0.99


def test_the_cache_gives_identical_bytes(
    model: SegmentationModel, setup: Setup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = quantize_onnx(model, tmp_path / "first.onnx", setup, "unsigned")
    monkeypatch.setattr(network, "export_onnx", None)
    again = quantize_onnx(model, tmp_path / "again.onnx", setup, "unsigned")
    assert again == first
    assert (tmp_path / "again.onnx").read_bytes() == (tmp_path / "first.onnx").read_bytes()


@pytest.mark.parametrize(
    "change", ["weights", "code", "output", "batch", "keep_float", "frames", "labels"]
)
def test_whatever_determines_the_network_is_in_its_key(
    change: str,
    model: SegmentationModel,
    setup: Setup,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(network, "_build", lambda model, path, *_: path.touch() or {})
    calibration = setup.calibration
    assert calibration is not None
    before = network.quantized(model, setup, "unsigned").key
    assert network.quantized(model, setup, "signed").key != before
    changed: dict[str, Any] = {
        "output": {"output": "labels"},
        "batch": {"batch_size": 2},
        "keep_float": {"keep_float": ("encoder.to8",)},
        "frames": {"calibration": replace(calibration, images=calibration.images ^ 1)},
        "labels": {"calibration": replace(calibration, held_back_labels=None)},
    }
    if change == "weights":
        model = tiny_network()
        model.net.encoder.to8.weight.data[0, 0, 0, 0] += 1e-3  # type: ignore
    if change == "code":
        (tmp_path / "edited.py").write_text("def forward(): ...")
        monkeypatch.setattr(tiny, "__file__", str(tmp_path / "edited.py"))
    after = network.quantized(model, replace(setup, **changed.get(change, {})), "unsigned")
    assert after.key != before


@pytest.mark.usefixtures("shared_cache")
def test_a_file_to_give_away_says_how_far_it_agrees_with_eager(
    model: SegmentationModel, setup: Setup, tmp_path: Path
) -> None:
    for output in ("logits", "labels"):
        asked = replace(setup, output=output, batch_size=2)
        details = export_quantized(model, tmp_path / "int8.onnx", asked, "unsigned")
        assert 0.9 < details["agreement"] <= 1


@pytest.mark.parametrize(
    ("factor", "output", "message"),
    [
        (0.001, "logits", "matches eager on"),
        (0.001, "labels", "matches eager on"),
        (0.2, "logits", "logits that are .* off eager's"),
    ],
)
def test_a_network_that_plainly_disagrees_is_opened_but_not_given_away(
    factor: float,
    output: Any,
    message: str,
    model: SegmentationModel,
    setup: Setup,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its activations are cut off at a small part of their range."""

    def narrow(*arguments: Any) -> Any:
        return {
            method: {name: (low * factor, high * factor) for name, (low, high) in ranges.items()}
            for method, ranges in measure_ranges(*arguments).items()
        }

    monkeypatch.setattr(network, "measure_ranges", narrow)
    asked = replace(setup, output=output)
    quantize_onnx(model, tmp_path / "opened.onnx", asked, "signed")
    with pytest.raises(SegbenchError, match=message):
        export_quantized(model, tmp_path / "int8.onnx", asked, "signed")
    with pytest.raises(SegbenchError, match=message):
        onnx_graph(model, "int8", asked, to_export=True)
    assert [path.name for path in tmp_path.iterdir()] == ["opened.onnx"]


def test_ranges_are_measured_once_for_all_profiles(
    model: SegmentationModel, setup: Setup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quantize_onnx(model, tmp_path / "unsigned.onnx", setup, "unsigned")
    monkeypatch.setattr(network, "measure_ranges", None)
    both = replace(setup, output="labels", batch_size=2)
    quantize_onnx(model, tmp_path / "signed.onnx", both, "signed")


def test_ranges_of_a_graph_worked_by_hand(tmp_path: Path) -> None:
    """A 1x1 convolution that negates and a Relu, on pixels 0, 100 and 200."""
    weight = helper.make_tensor("w", TensorProto.FLOAT, (1, 3, 1, 1), [-1.0, 0.0, 0.0])
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["images", "w"], ["negative"], "conv"),
            helper.make_node("MaxPool", ["negative"], ["pooled"], "pool", kernel_shape=[1, 1]),
        ],
        "by hand",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, (1, 3, 1, 3))],
        [helper.make_tensor_value_info("pooled", TensorProto.FLOAT, (1, 1, 1, 3))],
        [weight],
    )
    path = tmp_path / "graph.onnx"
    opsets = [helper.make_opsetid("", 20)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=10), path)
    image = np.array([0, 100, 200], np.uint8).reshape(1, 1, 3, 1).repeat(3, axis=3)
    (found,) = measure_ranges(path, image, batch_size=1, compare=False, reporter=QUIET).values()
    assert found == {"images": (0, 200), "negative": (-200, 0), "pooled": (-200, 0)}
    compared = measure_ranges(path, image, batch_size=1, compare=True, reporter=QUIET)
    assert list(compared) == ["min-max", "percentile", "entropy"]
    assert compared["min-max"] == found


def test_a_histogram_is_made_coarse_around_zero() -> None:
    edges = np.linspace(-1030, 1030, 1031, dtype=np.float32)
    counts = np.zeros(1030, np.int64)
    counts[514], counts[515] = 3, 5
    coarse, borders, *_ = _coarse(counts, edges, -2, 2, 1030)
    middle = len(coarse) // 2
    assert len(coarse) <= 512
    assert borders[middle] == 0
    assert (coarse[middle - 1], coarse[middle], coarse.sum()) == (3, 5, 8)


def test_the_last_batch_is_filled_from_the_start() -> None:
    images = np.arange(3, dtype=np.uint8).reshape(3, 1, 1, 1).repeat(3, axis=3)
    found = [batch[:, 0, 0, 0].tolist() for batch in batches(images, 2)]
    assert found == [[0, 1], [2, 0]]


def test_decibels_by_hand() -> None:
    wanted = np.array([3.0, 4.0], np.float32)
    assert decibels(wanted, np.array([3.0, 4.5], np.float32)) == pytest.approx(20)
    assert decibels(wanted, wanted) is None


def test_the_worst_layer_comes_first() -> None:
    costs = (LayerCost("a", 30.0, 0.0), LayerCost("b", None, 0.0), LayerCost("c", 40.0, 0.1))
    assert [cost.layer for cost in worst_first(costs)] == ["c", "a", "b"]


def test_a_layer_costs_what_it_alone_loses(
    model: SegmentationModel, setup: Setup, tmp_path: Path
) -> None:
    source = tmp_path / "fp32.onnx"
    export_onnx(model, source, setup)
    calibration = setup.calibration
    assert calibration is not None
    ranges = measure_ranges(source, calibration.images, 1, compare=False, reporter=QUIET)["min-max"]
    costing = Costing(source, ranges, "unsigned", setup, calibration, model.classes)
    assert costing.miou([]) == pytest.approx(1.0)
    exact = costing.cost("encoder.to16", 1.0)
    assert exact.snr_db is not None
    assert 20 < exact.snr_db < 60
    assert 0 <= exact.miou_lost < 0.3
    narrow = {name: (low / 100, high / 100) for name, (low, high) in ranges.items()}
    clipped = replace(costing, ranges=narrow).cost("encoder.to16", 1.0)
    assert clipped.snr_db is not None
    assert clipped.snr_db < 3
    assert clipped.miou_lost > exact.miou_lost


def test_a_way_of_calibrating_has_to_be_better_than_chance() -> None:
    right, wrong = np.diag([90, 10]), np.array([[90, 0], [10, 0]])
    steady = np.stack([right] * 19 + [wrong])
    lucky = np.stack([right] * 20)
    poor = np.stack([wrong, right] * 10)
    assert choose_method({"min-max": steady, "percentile": lucky}) == "min-max"
    assert choose_method({"min-max": poor, "percentile": lucky}) == "percentile"
    assert choose_method({"min-max": lucky, "percentile": poor, "entropy": steady}) == "min-max"
    assert choose_method({"min-max": None}) == "min-max"


@dataclass(frozen=True)
class Costs:
    """A network whose layers lose so many points each when they are quantised."""

    points: dict[str, float]

    def miou(self, layers: Sequence[str]) -> float:
        return 0.7 - sum(self.points[layer] for layer in layers) / 100


@pytest.mark.parametrize(
    ("points", "kept"),
    [
        ({"a": 0.1, "b": 0.05}, []),
        ({"a": 0.1, "b": 1.2, "c": 0.05}, ["b"]),
        ({"a": 0.3, "b": 1.2, "c": 0.4}, ["b", "c", "a"]),
        ({"a": 1.0, "b": 1.0, "c": 1.0, "d": 1.0}, ["a", "b", "c"]),
        ({"a": -0.1, "b": 0.2, "c": -0.1}, []),
    ],
)
def test_the_fewest_layers_that_cost_too_much_are_kept(
    points: dict[str, float], kept: list[str]
) -> None:
    costs: Any = Costs(points)
    assert costly_layers(costs, list(points), QUIET) == kept


def test_layers_that_do_not_help_are_not_kept() -> None:
    """Quantised alone ``a`` loses, but the loss of all is that of ``b`` and ``c`` together."""

    class Together:
        def miou(self, layers: Sequence[str]) -> float:
            return 0.5 if {"b", "c"} <= set(layers) else 0.69 if layers == ["a"] else 0.7

    costs: Any = Together()
    assert costly_layers(costs, ["a", "b", "c"], QUIET) == ["a", "b"]


def test_the_details_say_which_layers_were_kept_by_choice(
    model: SegmentationModel, setup: Setup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "costly_layers", lambda costing, layers, reporter: [layers[1]])
    chosen = replace(setup, keep_float=None)
    details = quantize_onnx(model, tmp_path / "int8.onnx", chosen, "unsigned")
    assert details["kept_float"] == ["encoder.to16"]
    assert details["layers"] == ["encoder.to8", "encoder.to32"]
    assert quantisers(tmp_path / "int8.onnx")["encoder.to16"][1:] == [None, None]
    monkeypatch.setattr(network, "costly_layers", None)
    labels = replace(chosen, output="labels", batch_size=2)
    again = quantize_onnx(model, tmp_path / "labels.onnx", labels, "unsigned")
    assert again["kept_float"] == ["encoder.to16"], "measured once for every output and batch"


def test_a_layer_kept_in_float_is_run_in_float(tmp_path: Path) -> None:
    """ONNX Runtime would give its weights one scale, behind the graph's back.

    Every other channel is a hundred times smaller there, and as much larger in the next layer.
    """
    model: Any = random_network(
        fcn8s_on(Registry.load().backbone("mobilenet")), Registry.load(), size=SIZE
    ).model
    for stage in model.net.encoder.blocks:
        del stage[1:]
    first = model.net.encoder.blocks[0][0]
    with torch.no_grad():
        first.conv_dw.weight[::2] *= 0.01
        first.conv_pw.weight[:, ::2] *= 100
    images = np.random.default_rng(0).integers(0, 256, (4, *SIZE, 3), np.uint8)
    kept = ("encoder.blocks.0.0.conv_dw",)
    setup = Setup(SIZE, device="cpu", calibration=Calibration("noise", tuple("0123"), images))
    path = tmp_path / "a.onnx"
    quantize_onnx(model, path, replace(setup, keep_float=kept), "unsigned")
    session = OnnxSession(path, setup, "int8")
    found = session.fetch(session.run(session.prepare(images[:1])))
    plain = onnxruntime.SessionOptions()
    plain.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    as_written = onnxruntime.InferenceSession(str(path), plain, providers=["CPUExecutionProvider"])
    (expected,) = as_written.run(None, {"images": session.prepare(images[:1])})
    error = np.sqrt(np.mean((found - expected) ** 2) / np.mean(expected**2))
    assert error < 0.05


def test_a_damaged_network_in_the_cache_is_made_again(
    model: SegmentationModel, setup: Setup
) -> None:
    alone = replace(
        setup, calibration=replace(setup.calibration, held_back_images=None, held_back_labels=None)
    )
    made = network.quantized(model, alone, "unsigned")
    whole = made.path.read_bytes()
    half = len(whole) // 2
    made.path.write_bytes(whole[:half] + bytes(64) + whole[half + 64 :])
    (made.path.parent / "details.json").write_text("{}")
    again = network.quantized(model, alone, "unsigned")
    assert again.path.read_bytes() == whole
    assert again.details == made.details


def test_enet_runs_in_int8(tmp_path: Path) -> None:
    size = (32, 48)
    registry = Registry.load()
    model = random_network(registry.network("enet"), registry, size=size).model
    images = np.random.default_rng(0).integers(0, 256, (2, *size, 3), np.uint8)
    calibration = Calibration("noise", ("0", "1"), images)
    setup = Setup(size, device="cpu", calibration=calibration, keep_float=())
    session = registry.runtime("onnx-int8").open(model, setup)
    details = session.details["quantization"]
    assert "regular1_1.ext_conv1.0" in details["layers"]
    assert details["float_layers"] == [
        "upsample4_0.ext_tconv1",
        "upsample5_0.ext_tconv1",
        "transposed_conv",
    ]
    assert session.details["arithmetic_error"] < 0.1, "the engine does not do what the graph says"
    logits = session.fetch(session.run(session.prepare(images[:1])))
    assert logits.shape == (1, 19, *size)
    assert np.isfinite(logits).all()
