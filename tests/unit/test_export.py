"""An exported graph gives eager's numbers, in its own words and at any size it was made for."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from segbench.errors import SegbenchError, out_of_memory
from segbench.inference import tensors
from segbench.inference.agreement import Agreement
from segbench.networks.model import SegmentationModel
from segbench.testing import TinyEncoder, tiny_network
from segbench.types import InputConvention, Setup
from segbench_plugins.backbones.mobilenet import segbench_backbones
from segbench_plugins.runtimes.onnx import session
from segbench_plugins.runtimes.onnx.graph import export_onnx, matches
from segbench_plugins.runtimes.onnx.plugin import segbench_runtimes
from segbench_plugins.runtimes.onnx.session import OnnxSession
from tests.tiny import FineEncoder, fcn8s_over

SIZE = (40, 70)


def images(count: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, *size, 3), np.uint8)


def eager(model: SegmentationModel, pictures: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return model(torch.from_numpy(pictures).permute(0, 3, 1, 2).float()).numpy()


def run(path: Path, pictures: np.ndarray, setup: Setup) -> np.ndarray:
    session = OnnxSession(path, setup, "fp32")
    return session.fetch(session.run(session.prepare(pictures)))


def test_names_shapes_and_types_are_as_documented(tmp_path: Path) -> None:
    export_onnx(tiny_network(), tmp_path / "a.onnx", Setup(SIZE, batch_size=2))
    graph = onnx.load(tmp_path / "a.onnx").graph
    for value, name, shape in (
        (graph.input[0], "images", (2, 3, *SIZE)),
        (graph.output[0], "logits", (2, 3, *SIZE)),
    ):
        kind = value.type.tensor_type
        assert value.name == name
        assert tuple(axis.dim_value for axis in kind.shape.dim) == shape
        assert kind.elem_type == onnx.TensorProto.FLOAT
    names = {node.name for node in graph.node if "Conv" in node.op_type}
    assert {"encoder.to8", "score8", "score16", "score32", "up32", "up16"} <= names
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.onnx"]


def test_class_maps_come_from_the_graph(tmp_path: Path) -> None:
    setup = Setup(SIZE, output="labels")
    export_onnx(tiny_network(), tmp_path / "a.onnx", setup)
    found = run(tmp_path / "a.onnx", images(1), setup)
    assert found.dtype == np.uint8
    assert np.mean(found == eager(tiny_network(), images(1)).argmax(1)) > 0.999


def mobilenet(padding: str = "symmetric") -> SegmentationModel:
    """Each stage has its first block, and one has a second, which adds what it is given."""
    convention = InputConvention(padding=padding)
    (backbone,) = (each for each in segbench_backbones() if each.name == "mobilenet")
    torch.manual_seed(0)
    encoder: Any = backbone.build(convention)
    for number, stage in enumerate(encoder.blocks):
        del stage[2 if number == 1 else 1 :]
    model = fcn8s_over(encoder, 3, convention).eval()
    for layer in (model.net.score8, model.net.score16, model.net.score32):
        torch.nn.init.normal_(layer.weight)
    return model


@pytest.mark.parametrize("padding", ["symmetric", "same"])
def test_a_dynamic_graph_takes_any_batch_and_size(tmp_path: Path, padding: str) -> None:
    model = mobilenet(padding)
    export_onnx(model, tmp_path / "a.onnx", Setup((64, 96), batch_size=3, dynamic=True))
    graph = onnx.load(tmp_path / "a.onnx").graph
    for value in (graph.input[0], graph.output[0]):
        axes = [axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim]
        assert axes == ["batch", 3, "height", "width"]
    for count, size in ((1, (64, 96)), (3, (50, 130)), (1, (96, 64))):
        pictures = images(count, size)
        found = run(tmp_path / "a.onnx", pictures, Setup(size))
        expected = eager(model, pictures)
        np.testing.assert_allclose(found, expected, atol=1e-3 * np.abs(expected).max())


def test_half_precision_is_half_the_file(tmp_path: Path) -> None:
    model = mobilenet()
    export_onnx(model, tmp_path / "a.onnx", Setup((64, 96)), "fp16")
    in_single = 4 * model.count_parameters()
    assert 0.45 < (tmp_path / "a.onnx").stat().st_size / in_single < 0.6
    graph = onnx.load(tmp_path / "a.onnx").graph
    assert graph.output[0].type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    used = {name for node in graph.node for name in node.input}
    assert {tensor.name for tensor in graph.initializer} <= used, "ONNX Runtime would warn"


def test_half_precision_takes_a_mean_that_equals_the_deviation(tmp_path: Path) -> None:
    convention = InputConvention((127.5,) * 3, (127.5,) * 3, "same")
    model = fcn8s_over(TinyEncoder(), 3, convention).eval()
    model.load_state_dict(tiny_network().state_dict())
    export_onnx(model, tmp_path / "a.onnx", Setup(SIZE), "fp16")
    assert (tmp_path / "a.onnx").exists()


@pytest.mark.parametrize(("decoder", "encoder"), [("wide", TinyEncoder), ("wide4", FineEncoder)])
def test_half_precision_takes_two_enlargements_by_one_factor(
    decoder: str, encoder: type[TinyEncoder], tmp_path: Path
) -> None:
    torch.manual_seed(0)
    model = fcn8s_over(encoder(), 3, decoder=decoder).eval()
    for name, layer in model.net.named_children():
        if name.startswith("score"):
            torch.nn.init.normal_(layer.weight)
    export_onnx(model, tmp_path / "a.onnx", Setup(SIZE), "fp16")
    assert (tmp_path / "a.onnx").exists()


def test_a_graph_with_other_numbers_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.onnx").write_text("what was there")
    half = OnnxSession.run
    monkeypatch.setattr(OnnxSession, "run", lambda self, inputs: half(self, inputs) / 2)
    with pytest.raises(SegbenchError, match="does not match eager"):
        export_onnx(tiny_network(), tmp_path / "a.onnx", Setup(SIZE))
    assert [path.read_text() for path in tmp_path.iterdir()] == ["what was there"]


@pytest.mark.parametrize(
    ("error", "same", "fp32", "fp16"),
    [
        (5e-4, 1000, True, True),
        (1.9e-2, 900, False, True),
        (2.3e-2, 996, False, True),
        (2.3e-2, 989, False, False),
        (6e-2, 1000, False, False),
        (float("nan"), 1000, False, False),
    ],
)
def test_a_few_moved_logits_are_rounding_in_half_precision_if_the_classes_agree(
    error: float, same: int, fp32: bool, fp16: bool
) -> None:
    found = Agreement(same, 1000, error**2, 1.0, logits=True)
    assert (matches(found, "fp32"), matches(found, "fp16")) == (fp32, fp16)


def test_onnx_runtime_has_the_threads_of_torch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    export_onnx(tiny_network(), tmp_path / "a.onnx", Setup(SIZE))
    session = OnnxSession(tmp_path / "a.onnx", Setup(SIZE), "fp32").session
    assert session.get_session_options().intra_op_num_threads == 1


def test_a_damaged_file_is_named(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.onnx").write_bytes(b"no graph")
    with pytest.raises(SegbenchError, match=r"cannot load a\.onnx .*; export it again"):
        OnnxSession(tmp_path / "a.onnx", Setup(SIZE), "fp32")
    assert capfd.readouterr() == ("", ""), "ONNX Runtime prints nothing of its own"


def test_memory_that_is_short_is_not_called_a_damaged_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("Exception during initialization: std::bad_alloc")

    monkeypatch.setattr(onnxruntime, "InferenceSession", fail)
    with pytest.raises(RuntimeError, match="bad_alloc") as caught:
        OnnxSession(tmp_path / "a.onnx", Setup(SIZE), "fp32")
    assert out_of_memory(caught.value)


def test_on_a_card_the_input_is_there_before_onnx_runtime_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export_onnx(tiny_network(), tmp_path / "a.onnx", Setup(SIZE))
    session = OnnxSession(tmp_path / "a.onnx", Setup(SIZE), "fp32")
    done = list[str]()
    stream = SimpleNamespace(synchronize=lambda: done.append("waited"))
    monkeypatch.setattr(session, "device", torch.device("cuda"))
    monkeypatch.setattr(tensors, "to_device", lambda *_: done.append("copied"))
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: stream)
    session.prepare(images(1))
    assert done == ["copied", "waited"]


def test_a_device_that_onnx_runtime_cannot_use_is_refused_before_any_export(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for runtime in segbench_runtimes():
        runtime.check(Setup(SIZE, device="cpu"))
    monkeypatch.setattr(session, "resolve_device", torch.device)
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    for runtime in segbench_runtimes():
        with pytest.raises(SegbenchError, match="did not start its CUDAExecutionProvider"):
            runtime.check(Setup(SIZE, device="cuda"))


@pytest.mark.parametrize("lacking", [False, True])
def test_operators_without_a_cuda_kernel_are_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, lacking: bool
) -> None:
    """ONNX Runtime runs them on the CPU, and the copies are in the times."""

    class Opened:
        def __init__(self, path: str, options: Any, **given: Any) -> None:
            assert given["enable_fallback"] == 0, "else it opens a session on the CPU"
            on_gpu = options.get_session_config_entry("session.disable_cpu_ep_fallback") == "1"
            if on_gpu and lacking:
                raise RuntimeError(
                    "but fallback to CPU EP has been explicitly disabled by the user"
                )

        def get_providers(self) -> list[str]:
            return ["CUDAExecutionProvider", "CPUExecutionProvider"]

        def get_inputs(self) -> list[Any]:
            return [SimpleNamespace(name="images")]

        get_outputs = get_inputs

    monkeypatch.setattr(session, "resolve_device", torch.device)
    monkeypatch.setattr(session, "describe", lambda device: "a card")
    monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: None, raising=False)
    monkeypatch.setattr(onnxruntime, "InferenceSession", Opened)
    (tmp_path / "a.onnx").write_bytes(b"a graph")
    engine = session.OnnxSession(tmp_path / "a.onnx", Setup(SIZE, device="cuda:0"), "fp32").engine
    kernels = "CUDAExecutionProvider" + " with some operators on the CPU" * lacking
    assert engine.endswith(f"{kernels} on a card")


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SegbenchError, match="cannot be written"):
        export_onnx(tiny_network(), tmp_path / "file" / "a.onnx", Setup(SIZE))


@pytest.mark.parametrize(("slopes", "kind"), [(1, "LeakyRelu"), (3, "PRelu")])
def test_a_prelu_of_one_slope_is_a_leaky_relu(tmp_path: Path, slopes: int, kind: str) -> None:
    """ONNX Runtime computes PReLU slowly, and never in 8 bits."""
    model = tiny_network()
    prelu = nn.PReLU(slopes)
    prelu.weight.data = torch.linspace(0.1, 0.7, slopes)
    model.net = nn.Sequential(prelu, model.net)
    export_onnx(model, tmp_path / "a.onnx", Setup(SIZE))
    graph = onnx.load(tmp_path / "a.onnx").graph
    assert [n.op_type for n in graph.node if "Relu" in n.op_type and n.op_type != "Relu"] == [kind]
    pictures = images(1)
    found = run(tmp_path / "a.onnx", pictures, Setup(SIZE))
    assert found == pytest.approx(eager(model, pictures), abs=1e-4)
