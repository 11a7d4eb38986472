"""INT8 means the same everywhere: engines are held to the exact execution of their graph."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from segbench import device
from segbench.networks.model import SegmentationModel
from segbench.plugins import Registry
from segbench.testing import tiny_network
from segbench.types import Calibration, Setup
from segbench_plugins.runtimes.onnx.int8.arithmetic import doubts, with_arithmetic
from segbench_plugins.runtimes.onnx.int8.network import quantize_onnx
from segbench_plugins.runtimes.onnx.int8.profiles import _sums_of_two_largest
from segbench_plugins.runtimes.onnx.session import OnnxSession

pytestmark = pytest.mark.usefixtures("shared_cache")

SIZE = (32, 64)
WITHOUT_VNNI = ("AVX2",)
WITH_VNNI = ("AVX2", "AVX-512", "VNNI")


@pytest.fixture(scope="module")
def model() -> SegmentationModel:
    return tiny_network()


@pytest.fixture(scope="module")
def setup() -> Setup:
    images = np.random.default_rng(0).integers(0, 256, (5, *SIZE, 3), np.uint8)
    calibration = Calibration("noise", tuple("01234"), images)
    return Setup(SIZE, device="cpu", calibration=calibration, keep_float=())


def pretend(monkeypatch: pytest.MonkeyPatch, extensions: tuple[str, ...]) -> None:
    """Be an x86 CPU with these extensions."""
    monkeypatch.setattr(device, "cpu_extensions", lambda: extensions)
    monkeypatch.setattr("platform.machine", lambda: "x86_64")


@pytest.mark.parametrize(
    ("machine", "extensions", "saturates"),
    [
        ("x86_64", ("AVX2",), True),
        ("x86_64", ("AVX2", "AVX-512"), True),
        ("AMD64", (), True),
        ("x86_64", WITH_VNNI, False),
        ("x86_64", ("AVX2", "AVX-VNNI"), False),
        ("aarch64", (), False),
    ],
)
def test_which_cpus_saturate(
    machine: str, extensions: tuple[str, ...], saturates: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, extensions)
    monkeypatch.setattr("platform.machine", lambda: machine)
    assert device.int8_saturates() == saturates


def one_convolution(path: Path) -> None:
    """A 1x1 convolution over four channels, all its weights 127, in Q/DQ with scales of 1."""
    scalars = {"one": 1.0, "none": 0, "zero": 0}
    types = {"one": TensorProto.FLOAT, "none": TensorProto.UINT8, "zero": TensorProto.INT8}
    weight = helper.make_tensor("w", TensorProto.INT8, (2, 4, 1, 1), [127] * 4 + [-127, 127] * 2)
    shapes = {"images": (1, 4, 8, 8), "logits": (1, 2, 8, 8)}
    values = {
        name: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in shapes.items()
    }
    graph = helper.make_graph(
        [
            helper.make_node("QuantizeLinear", ["images", "one", "none"], ["q"]),
            helper.make_node("DequantizeLinear", ["q", "one", "none"], ["dq"]),
            helper.make_node("DequantizeLinear", ["w", "one", "zero"], ["dw"]),
            helper.make_node("Conv", ["dq", "dw"], ["sums"], "conv"),
            helper.make_node("QuantizeLinear", ["sums", "large", "none"], ["qs"]),
            helper.make_node("DequantizeLinear", ["qs", "large", "none"], ["logits"]),
        ],
        "by hand",
        [values["images"]],
        [values["logits"]],
        [weight, helper.make_tensor("large", TensorProto.FLOAT, (), [1000.0])]
        + [helper.make_tensor(name, types[name], (), [value]) for name, value in scalars.items()],
    )
    opsets = [helper.make_opsetid("", 20)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=10), path)


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("extensions", [WITHOUT_VNNI, None])
def test_a_sum_that_would_saturate_worked_by_hand(
    exact: bool,
    extensions: tuple[str, ...] | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """4 * 255 * 127 is 129540; two pairs that saturate at 32767 would come to 65534."""
    if extensions:
        pretend(monkeypatch, extensions)
    one_convolution(tmp_path / "a.onnx")
    session = OnnxSession(tmp_path / "a.onnx", Setup((8, 8), device="cpu"), "int8", exact=exact)
    found = session.run(np.full((1, 4, 8, 8), 255, np.float32))
    assert np.unique(found[0, 0]) == [130_000]
    assert np.unique(found[0, 1]) == [0]


@pytest.mark.parametrize("profile", ["unsigned", "unsaturated", "signed"])
def test_exact_execution_is_that_without_graph_optimisation(
    profile: Any, model: SegmentationModel, setup: Setup, tmp_path: Path
) -> None:
    path = tmp_path / "a.onnx"
    quantize_onnx(model, path, setup, profile)
    plain = onnxruntime.SessionOptions()
    plain.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    as_written = onnxruntime.InferenceSession(str(path), plain, providers=["CPUExecutionProvider"])
    session = OnnxSession(path, setup, "int8", exact=True)
    assert setup.calibration is not None
    inputs = session.prepare(setup.calibration.images[:1])
    np.testing.assert_array_equal(session.run(inputs), as_written.run(None, {"images": inputs})[0])


@pytest.mark.parametrize(("extensions", "chosen"), [(WITHOUT_VNNI, True), (WITH_VNNI, False)])
def test_onnx_runtime_is_told_of_a_cpu_that_saturates(
    extensions: tuple[str, ...],
    chosen: bool,
    model: SegmentationModel,
    setup: Setup,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pretend(monkeypatch, extensions)
    entries: list[tuple[str, str]] = []

    class Options(onnxruntime.SessionOptions):
        def add_session_config_entry(self, key: str, value: str) -> None:
            entries.append((key, value))
            super().add_session_config_entry(key, value)

    runtime = Registry.load().runtime("onnx-int8")
    runtime.open(model, setup)  # the exact execution below is in the cache of the test
    monkeypatch.setattr(onnxruntime, "SessionOptions", Options)
    session = runtime.open(model, setup)
    assert entries == ([("session.x64quantprecision", "1")] if chosen else [])
    assert ("x64quantprecision" in session.engine) == chosen
    assert session.details["quantization"]["profile"] == "unsigned"


@pytest.mark.parametrize(
    ("extensions", "profile"), [(WITHOUT_VNNI, "unsaturated"), (WITH_VNNI, "unsigned")]
)
def test_openvino_gets_a_graph_that_suits_the_cpu(
    extensions: tuple[str, ...],
    profile: str,
    model: SegmentationModel,
    setup: Setup,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("openvino", reason="needs pip install openvino")
    pretend(monkeypatch, extensions)
    session = Registry.load().runtime("openvino-int8").open(model, setup)
    assert session.details["quantization"]["profile"] == profile


def quantised_weights(path: Path) -> dict[str, np.ndarray]:
    graph = onnx.load(path).graph
    return {
        tensor.name.removesuffix("_quantized"): onnx.numpy_helper.to_array(tensor)
        for tensor in graph.initializer
        if tensor.name.endswith(".weight_quantized")
    }


def test_the_range_of_a_channel_by_hand() -> None:
    weight = np.array([[3, -1, 2, 1], [-5, 1, -4, 2], [0, 7, -1, 0]], np.float32)
    assert _sums_of_two_largest(weight.reshape(3, 2, 2, 1)).tolist() == [5, 9, 7]
    assert _sums_of_two_largest(weight[:, :2, None, None]).tolist() == [3, 5, 7]


def test_no_two_weights_saturate(model: SegmentationModel, setup: Setup, tmp_path: Path) -> None:
    quantize_onnx(model, tmp_path / "a.onnx", setup, "unsaturated")
    weights = quantised_weights(tmp_path / "a.onnx")
    assert len(weights) == 3
    for weight in weights.values():
        channels = np.sort(weight.reshape(len(weight), -1).astype(int), axis=1)
        lowest, highest = channels[:, :2].sum(1), channels[:, -2:].sum(1)
        assert 255 * highest.max() < 2**15
        assert 255 * lowest.min() >= -(2**15)
        assert np.maximum(highest, -lowest).min() >= 126, "as many of the 8 bits as there can be"


@pytest.mark.parametrize("name", ["onnx-int8", "onnx-int8-signed", "openvino-int8"])
@pytest.mark.parametrize("output", ["logits", "labels"])
def test_an_int8_session_says_how_exact_it_is(
    name: str, output: Any, model: SegmentationModel, setup: Setup
) -> None:
    if name == "openvino-int8":
        pytest.importorskip("openvino", reason="needs pip install openvino")
    asked = replace(setup, output=output, batch_size=2)
    details = Registry.load().runtime(name).open(model, asked).details
    error, agreement = details["arithmetic_error"], details["arithmetic_agreement"]
    assert (error is None) == (output == "labels")
    assert error is None or error < 0.06
    assert agreement > 0.9
    assert details["doubts"] == []


class Wrong:
    """The exact session, whose kernels lose half of every logit."""

    engine = "an engine that saturates"

    def __init__(self, path: Path, setup: Setup) -> None:
        self.exact = OnnxSession(path, setup, "int8", exact=True)
        self.details: dict[str, Any] = {"file_mb": 1.0}
        self.prepare, self.synchronize = self.exact.prepare, self.exact.synchronize
        self.fetch = self.exact.fetch
        self.runs = 0

    def run(self, inputs: Any) -> Any:
        self.runs += 1
        return self.exact.run(inputs) / 2


def test_the_error_is_measured_once_and_doubted(
    model: SegmentationModel, setup: Setup, tmp_path: Path
) -> None:
    path = tmp_path / "a.onnx"
    quantize_onnx(model, path, setup, "unsigned")
    wrong: Any = Wrong(path, setup)
    session = with_arithmetic(wrong, path, setup)
    assert session.details["arithmetic_error"] == pytest.approx(0.5)
    assert session.details["arithmetic_agreement"] == 1
    assert session.details["file_mb"] == 1.0
    (doubt,) = session.details["doubts"]
    assert "50%" in doubt
    assert wrong.runs == 4
    with_arithmetic(wrong, path, setup)
    assert wrong.runs == 4, "from the cache"
    wrong.engine = "its next version"
    with_arithmetic(wrong, path, setup)
    assert wrong.runs == 8


@pytest.mark.parametrize(
    ("error", "agreement", "doubted"),
    [
        (0.1, 0.5, False),
        (0.11, 1.0, True),
        (None, 0.9, False),
        (None, 0.89, True),
    ],
)
def test_what_is_doubted(error: float | None, agreement: float, doubted: bool) -> None:
    assert bool(doubts(error, agreement)) == doubted
