"""Our side of TensorRT, against a stand-in for it: what is chosen, asked, bound, kept and said."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from segbench.cache import cache_dir
from segbench.cli import main
from segbench.errors import MissingDeviceError, SegbenchError
from segbench.plugins import Registry
from segbench.testing import tiny_network
from segbench.types import Setup
from segbench_plugins.runtimes.tensorrt.build import build_engine
from segbench_plugins.runtimes.tensorrt.cache import cached_engine, engine_key
from segbench_plugins.runtimes.tensorrt.graph import onnx_graph
from segbench_plugins.runtimes.tensorrt.layers import convolution_types
from segbench_plugins.runtimes.tensorrt.session import TrtSession
from segbench_plugins.runtimes.tensorrt.target import Target, target_to_export, target_to_run
from tests.fake_tensorrt import SIZE, FakeTensorrt, LayerType

STREAM = 77
LABELS = Setup(SIZE, output="labels")


class Graph:
    replays = 0

    def replay(self) -> None:
        self.replays += 1


class Card:
    """A card of ``capability``; where it is no ``capturable`` one, capturing a graph fails."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capability: str) -> None:
        self.capturable = True
        self.streams: list[str] = []
        version = tuple(int(part) for part in capability.split("."))
        for name, fake in {
            "is_available": lambda: True,
            "device_count": lambda: 1,
            "get_device_capability": lambda device: version,
            "get_device_name": lambda device: "a card",
            "current_stream": lambda device: "torch's",
            "set_stream": self.streams.append,
            "Stream": lambda device: SimpleNamespace(cuda_stream=STREAM),
            "stream": lambda stream: nullcontext(),
            "synchronize": lambda device: None,
            "CUDAGraph": Graph,
            "graph": self.capture,
        }.items():
            monkeypatch.setattr(torch.cuda, name, fake)

    @contextmanager
    def capture(self, graph: Graph, stream: SimpleNamespace) -> Iterator[None]:
        assert stream.cuda_stream == STREAM
        yield
        if not self.capturable:
            raise RuntimeError("operation not permitted when stream is capturing")


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Card:
    return Card(monkeypatch, "8.9")


def install(monkeypatch: pytest.MonkeyPatch, *modules: FakeTensorrt) -> None:
    for name in ("tensorrt", "tensorrt_rtx"):
        monkeypatch.setitem(sys.modules, name, None)
    for module in modules:
        monkeypatch.setitem(sys.modules, module.__name__, module)


def on_card(trt: FakeTensorrt) -> Target:
    return Target(trt, "8.9", torch.device("cpu"), "a card")


def open_session(trt: FakeTensorrt, setup: Setup = LABELS, onnx: bytes = b"graph") -> TrtSession:
    target = on_card(trt)
    return TrtSession(cached_engine(target, onnx), target, setup, "int8", {"quantization": {}})


@pytest.mark.parametrize(
    ("capability", "installed", "chosen"),
    [
        ("8.9", ["tensorrt", "tensorrt_rtx"], "tensorrt"),
        ("8.9", ["tensorrt_rtx"], "tensorrt_rtx"),
        ("9.0", ["tensorrt", "tensorrt_rtx"], "tensorrt"),
        ("9.0", ["tensorrt_rtx"], None),
        ("8.0", ["tensorrt_rtx"], None),
        ("8.9", [], None),
    ],
)
def test_the_card_decides_which_tensorrt(
    monkeypatch: pytest.MonkeyPatch, capability: str, installed: list[str], chosen: str | None
) -> None:
    Card(monkeypatch, capability)
    install(monkeypatch, *(FakeTensorrt(name) for name in installed))
    if chosen is None:
        with pytest.raises(SegbenchError, match=f"capability {capability}: pip install tensorrt$"):
            target_to_run(LABELS)
    else:
        target = target_to_run(LABELS)
        assert (target.trt.__name__, target.capability) == (chosen, capability)
        assert target.gpu == "a card"


def test_an_old_tensorrt_is_refused(monkeypatch: pytest.MonkeyPatch, card: Card) -> None:
    install(monkeypatch, FakeTensorrt(version="8.6.1"))
    with pytest.raises(SegbenchError, match=r"TensorRT 8\.6\.1 is too old"):
        target_to_run(LABELS)


def test_a_tensorrt_that_does_not_load_is_named(
    monkeypatch: pytest.MonkeyPatch, card: Card, tmp_path: Path
) -> None:
    (tmp_path / "tensorrt.py").write_text("raise ImportError('libnvinfer.so is missing')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "tensorrt", raising=False)
    with pytest.raises(SegbenchError, match=r"does not load \(libnvinfer\.so is missing\)"):
        target_to_run(LABELS)


def test_without_a_card_one_sentence_is_said_before_any_work(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    command = ["latency", "--runtime", "trt-int8", "--backbone", "mobilenet", "--size", "64x96"]
    registry = Registry.load()
    result = CliRunner().invoke(main, [*command, "--results", str(tmp_path)], obj=registry)
    assert result.exit_code == 1
    assert len(result.output.splitlines()) == 1
    assert "segbench export --runtime trt-int8 --compute-capability 8.9" in result.output
    with pytest.raises(MissingDeviceError, match="torch finds none here"):
        target_to_run(Setup(SIZE))
    with pytest.raises(MissingDeviceError, match="--device cpu is not one"):
        target_to_run(Setup(SIZE, device="cpu"))


@pytest.mark.parametrize(
    ("capability", "message"),
    [
        (None, r"name another machine's with --compute-capability \(7.5, 8.6, 8.9, 12.0, 12.1\)"),
        ("9.9", r"'9.9' cannot be built for ahead of time; possible are 7.5, 8.6"),
        ("8.9", "pip install tensorrt-rtx-cu13"),
    ],
)
def test_an_export_without_a_card_says_what_it_needs(
    monkeypatch: pytest.MonkeyPatch, capability: str | None, message: str
) -> None:
    install(monkeypatch, FakeTensorrt())
    with pytest.raises(SegbenchError, match=message):
        target_to_export(Setup(SIZE, device="cpu", compute_capability=capability))


def test_an_export_is_for_the_card_that_is_here_unless_told(
    monkeypatch: pytest.MonkeyPatch, card: Card
) -> None:
    install(monkeypatch, FakeTensorrt(), FakeTensorrt("tensorrt_rtx"))
    assert target_to_export(Setup(SIZE)).trt.__name__ == "tensorrt"
    assert target_to_export(Setup(SIZE, compute_capability="8.9")).gpu == "a card"
    elsewhere = target_to_export(Setup(SIZE, compute_capability="7.5"))
    assert (elsewhere.trt.__name__, elsewhere.gpu) == ("tensorrt_rtx", None)


@pytest.mark.parametrize(("version", "flags"), [("10.9.0", 1), ("11.4.0", 0)])
def test_networks_are_strongly_typed_in_every_version(version: str, flags: int) -> None:
    trt = FakeTensorrt(version=version)
    engine = build_engine(on_card(trt), b"graph", timing=b"earlier")
    assert ("create_network", flags) in trt.asked
    assert ("clear_flag", "TF32") in trt.asked
    assert ("create_timing_cache", b"earlier") in trt.asked
    assert (engine.plan, engine.timing) == (b"an engine", b"timing")


def test_tensorrt_for_rtx_builds_for_one_capability() -> None:
    trt = FakeTensorrt("tensorrt_rtx", "1.7.1")
    engine = build_engine(Target(trt, "8.9"), b"graph")
    assert ("set_compute_capability", "SM89", 0, 1) in trt.asked
    assert ("set_flag", "user allocation") in trt.asked
    assert engine.timing == b""
    with pytest.raises(SegbenchError, match=r"RTX 1\.7\.1 does not know compute capability 12\.1"):
        build_engine(Target(trt, "12.1"), b"graph")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        ("Requested amount of GPU memory (9 bytes)", "free memory, or a smaller --size"),
        ("no kernel\nfits", r"could not build the engine \(no kernel fits\); try another runtime"),
    ],
)
def test_a_failed_build_is_one_sentence(error: str, message: str) -> None:
    trt = FakeTensorrt()
    trt.plan, trt.build_error = None, error
    with pytest.raises(SegbenchError, match=message):
        build_engine(on_card(trt), b"graph")


def test_what_the_parser_refuses_is_named() -> None:
    trt = FakeTensorrt()
    answers = {"node_name": "up16", "node_operator": "Einsum", "desc": "too many terms"}
    trt.parser_errors = [SimpleNamespace(**{k: lambda v=v: v for k, v in answers.items()})]
    with pytest.raises(SegbenchError, match=r"cannot read .* \(Einsum up16: too many terms\)"):
        build_engine(on_card(trt), b"graph")


def test_an_engine_is_built_once(own_cache: Path) -> None:
    trt = FakeTensorrt()
    first, second = (cached_engine(on_card(trt), b"graph") for _ in range(2))
    assert (first.was_there, second.was_there) == (False, True)
    assert first.engine.plan == second.engine.plan
    assert trt.times("build") == 1
    assert first.path.parent == own_cache / "engines"


def test_the_next_build_starts_from_what_was_timed() -> None:
    trt = FakeTensorrt()
    for onnx in (b"one graph", b"another"):
        cached_engine(on_card(trt), onnx)
    timings = [call[1] for call in trt.asked if call[0] == "create_timing_cache"]
    assert timings == [b"", b"timing"]
    for lost in (b"damaged", b"of another card"):
        assert build_engine(on_card(trt), b"graph", timing=lost).timing == b"timing"


@pytest.mark.parametrize("damage", [b"", b"{}\nan Engine", b"[1]\n", b"\xff\nx"])
def test_a_damaged_engine_is_built_again(damage: bytes) -> None:
    trt = FakeTensorrt()
    path = cached_engine(on_card(trt), b"graph").path
    path.write_bytes(damage)
    assert not cached_engine(on_card(trt), b"graph").was_there
    assert cached_engine(on_card(trt), b"graph").was_there


def test_a_cut_engine_is_built_again() -> None:
    trt = FakeTensorrt()
    path = cached_engine(on_card(trt), b"graph").path
    path.write_bytes(path.read_bytes()[:-1])
    assert not cached_engine(on_card(trt), b"graph").was_there


def test_a_folder_that_others_can_write_to_gives_no_engine() -> None:
    trt = FakeTensorrt()
    cached_engine(on_card(trt), b"graph").path.parent.chmod(0o777)
    with pytest.raises(SegbenchError, match="others can write to it"):
        cached_engine(on_card(trt), b"graph")


def test_the_key_names_all_that_an_engine_follows_from() -> None:
    def key(name="tensorrt", version="11.4.0", capability="8.9", card="a card", onnx=b"graph"):
        return engine_key(Target(FakeTensorrt(name, version), capability, None, card), onnx)

    others = [
        key(name="tensorrt_rtx"),
        key(version="10.9.0"),
        key(capability="8.6"),
        key(card="another"),
        key(onnx=b"other"),
    ]
    assert len({key(), *others}) == 6
    assert key() == key()


def test_a_graph_is_the_same_whenever_it_is_exported() -> None:
    graphs = [onnx_graph(tiny_network(), "fp16", LABELS)[0] for _ in range(2)]
    assert graphs[0] == graphs[1]


def test_a_session_binds_tensors_and_replays_a_graph(card: Card) -> None:
    trt = FakeTensorrt()
    session = open_session(trt)
    assert trt.times("execute") == 2
    assert {call[1] for call in trt.asked if call[0] == "execute"} == {STREAM}
    assert ("bind", "images", session.images.data_ptr()) in trt.asked
    assert ("bind", "labels", session.outputs.data_ptr()) in trt.asked
    images = np.random.default_rng(0).integers(0, 256, (1, *SIZE, 3), np.uint8)
    inputs = session.prepare(images)
    outputs = session.run(inputs)
    session.synchronize()
    assert trt.times("execute") == 2, "a replay asks TensorRT for nothing"
    assert session.graph.replays == 1
    assert torch.equal(session.images, torch.from_numpy(images).permute(0, 3, 1, 2).float())
    classes = session.fetch(outputs)
    assert (classes.dtype, classes.shape) == (np.uint8, (1, *SIZE))
    assert session.engine == f"TensorRT 11.4.0 INT8 on {_cpu()}, CUDA graph"
    assert session.details == {
        "file_mb": 0.0,
        "int8_layers": [],
        "float_layers": [],
        "engine_was_cached": False,
        "quantization": {},
    }


def _cpu() -> str:
    from segbench.device import describe

    return describe(torch.device("cpu"))


def test_what_cannot_be_captured_runs_without_a_graph(card: Card) -> None:
    card.capturable = False
    trt = FakeTensorrt()
    session = open_session(trt)
    assert session.engine.endswith(", no CUDA graph")
    assert card.streams == ["torch's"], "torch leaves its own stream current then"
    before = trt.times("execute")
    inputs = session.prepare(np.zeros((1, *SIZE, 3), np.uint8))
    classes = session.fetch(session.run(inputs))
    assert trt.times("execute") == before + 1
    assert ("bind", "images", inputs.data_ptr()) in trt.asked
    assert np.all(classes == before + 1)


def test_tensorrt_for_rtx_keeps_the_kernels_it_compiled(card: Card) -> None:
    trt = FakeTensorrt("tensorrt_rtx", "1.7.1")
    session = open_session(trt)
    assert session.compiled is not None, "the context reads it"
    assert [path.read_bytes() for path in cache_dir("engines").glob("*.kernels")] == [b"kernels"]
    assert ("deserialize_kernels", b"kernels") not in trt.asked
    assert open_session(trt).details["engine_was_cached"]
    assert ("deserialize_kernels", b"kernels") in trt.asked


def test_another_size_is_refused(card: Card) -> None:
    session = open_session(FakeTensorrt())
    with pytest.raises(SegbenchError, match=r"built for images of \(1, 64, 96, 3\), not \(2, "):
        session.prepare(np.zeros((2, *SIZE, 3), np.uint8))


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("loads", r"cannot load the engine \(wrong magic number\); delete .*\.engine"),
        ("starts", "cannot start the engine .* one of --batch-size 1 and --size 64x96 smaller"),
        ("runs", "could not run the engine"),
    ],
)
def test_an_engine_that_fails_on_the_card_is_one_sentence(
    card: Card, fault: str, message: str
) -> None:
    trt = FakeTensorrt()
    setattr(trt, fault, False)
    with pytest.raises(SegbenchError, match=message):
        open_session(trt)


def test_a_full_card_is_one_sentence(card: Card, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: Any, **options: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(torch, "empty", full)
    with pytest.raises(SegbenchError, match=r"too little .* --batch-size 1 and --size 64x96; "):
        open_session(FakeTensorrt())


def test_a_convolution_is_int8_only_between_two_dequantized_inputs() -> None:
    trt = FakeTensorrt()
    made: list[SimpleNamespace] = []

    def tensor(name: str, dtype: str = "float32") -> SimpleNamespace:
        return SimpleNamespace(name=name, dtype=dtype)

    def layer(kind: LayerType, output: SimpleNamespace, *inputs: SimpleNamespace) -> None:
        made.append(
            SimpleNamespace(
                name=output.name,
                type=kind,
                num_inputs=len(inputs),
                num_outputs=1,
                get_input=lambda index: inputs[index],
                get_output=lambda index: output,
            )
        )

    images, weights, loose = tensor("images"), tensor("weights", "int8"), tensor("loose", "int8")
    quantized, activation, kernel = tensor("q", "int8"), tensor("dq"), tensor("kernel")
    unknown = tensor("unknown")
    layer(LayerType.CONSTANT, weights)
    layer(LayerType.QUANTIZE, quantized, images)
    layer(LayerType.DEQUANTIZE, activation, quantized)
    layer(LayerType.DEQUANTIZE, kernel, weights)
    layer(LayerType.DEQUANTIZE, unknown, loose)
    layer(LayerType.CONVOLUTION, tensor("whole"), activation, kernel)
    layer(LayerType.CONVOLUTION, tensor("plain"), images)
    layer(LayerType.CONVOLUTION, tensor("float weights"), activation, images)
    layer(LayerType.CONVOLUTION, tensor("float input"), images, kernel)
    layer(LayerType.CONVOLUTION, tensor("of no known source"), unknown, kernel)
    layer(LayerType.DECONVOLUTION, tensor("half"), tensor("h", "float16"))
    network = SimpleNamespace(num_layers=len(made), get_layer=lambda index: made[index])
    assert convolution_types(trt, network) == {
        "whole": "int8",
        "plain": "float",
        "float weights": "float",
        "float input": "float",
        "of no known source": "float",
        "half": "half",
    }
