"""Operations and bytes counted by hand, and the bound that rates make of them."""

from pathlib import Path

import onnx
import pytest
import torch
from torch import nn

from segbench.latency import peaks, roofline
from segbench.latency.peaks import Convolution, best_rate, best_seconds
from segbench.latency.roofline import Roofline, Work, copy_rate, work_of
from segbench.types import Peak, Setup
from segbench_plugins.runtimes.onnx.peak import Form, write_convolutions
from segbench_plugins.runtimes.onnx.plugin import peak as onnx_peak
from segbench_plugins.runtimes.pytorch import peak as pytorch

SMALL = Convolution(8, 3, (4, 4))


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peaks, "CONVOLUTIONS", {"cpu": (SMALL,)})
    monkeypatch.setattr(pytorch, "MATRIX", {"cpu": 16})
    monkeypatch.setattr(peaks, "SECONDS", 0.0)
    monkeypatch.setattr(roofline, "COPIED_BYTES", (2**12,))


def test_a_convolution_reads_its_input_and_weights_and_writes_its_output() -> None:
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 2, 1, bias=False)
    )
    work = work_of(network, size=(4, 6), batch_size=2)
    pixels = 2 * 4 * 6
    assert work.flop == 2 * pixels * (8 * 3 * 9 + 2 * 8)
    weights = (8 * 3 * 9 + 8) + 2 * 8
    assert work.values == weights + pixels * (3 + 8) + pixels * (8 + 2)


def test_a_transposed_convolution_counts_each_product_once() -> None:
    work = work_of(nn.ConvTranspose2d(3, 5, 4, stride=2, padding=1), (8, 8), 1)
    assert work.flop == 2 * 8 * 8 * 3 * 5 * 16


def test_the_network_itself_is_left_as_it_is() -> None:
    network = nn.Conv2d(3, 1, 1)
    work_of(network, (4, 4), 1)
    assert network.weight.device.type == "cpu"
    assert not network._forward_hooks


@pytest.mark.parametrize(("values", "bound_ms"), [(1e9, 2000), (5e9, 5000)])
def test_the_slower_of_arithmetic_and_memory_is_the_bound(values: float, bound_ms: float) -> None:
    figures = Roofline(Work(4e9, values), Peak("INT8", 1, 2e9), 1e9).metrics(p50_ms=10_000)
    assert figures["gflop"] == 4
    assert figures["gbyte"] == values / 1e9
    assert figures["bound_ms"] == pytest.approx(bound_ms)
    assert figures["bound_precision"] == "INT8"
    assert figures["roofline_multiple"] == pytest.approx(10_000 / bound_ms)


def test_bytes_are_counted_in_the_precision_of_the_engine() -> None:
    work = Work(1, 5e9)
    assert Roofline(work, Peak("FP32", 4, 1e9), 1e9).moved == 20e9
    assert Roofline(work, Peak("BF16", 2, 1e9), 1e9).bound_s == 10


def test_a_latency_below_the_bound_is_doubted() -> None:
    second = Roofline(Work(1e9, 0), Peak("FP32", 4, 1e9), 1e9)
    assert not second.doubts(p50_ms=1000)
    [doubt] = second.doubts(p50_ms=870)
    assert "0.87" in doubt


def test_the_rate_is_that_of_the_best_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    shapes = (SMALL, Convolution(16, 1, (8, 8)))
    monkeypatch.setattr(peaks, "CONVOLUTIONS", {"cpu": shapes})
    monkeypatch.setattr(peaks, "best_seconds", lambda work: work())
    assert SMALL.flop == 2 * (2 * 8 * 8 * 9 * 16)
    seconds = {shapes[0]: 1.0, shapes[1]: 0.5}
    assert best_rate("cpu", lambda each: lambda: seconds[each]) == shapes[1].flop / 0.5


def test_the_shortest_run_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 0.0, 5.0, 5.0, 7.0, 7.0, 10.0, 10.0])
    monkeypatch.setattr(peaks, "SECONDS", 0.0)
    monkeypatch.setattr(peaks.time, "perf_counter", lambda: next(clock))
    assert best_seconds(lambda: None) == 2


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("dtype", "precision", "value_bytes"),
    [("float32", "FP32", 4), ("float16", "FP16", 2), ("bfloat16", "BF16", 2)],
)
def test_the_peak_of_pytorch_has_the_size_of_its_type(
    dtype: str, precision: str, value_bytes: int
) -> None:
    peak = pytorch.torch_peak(dtype, Setup((4, 4), device="cpu"))
    assert (peak.precision, peak.value_bytes) == (precision, value_bytes)
    assert peak.flop_per_s > 0
    assert copy_rate(torch.device("cpu")) > 0


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(("form", "value_bytes"), [("fp32", 4), ("unsigned", 1), ("signed", 4)])
def test_onnx_runtime_says_what_it_computes_in(form: Form, value_bytes: int) -> None:
    peak = onnx_peak(form, Setup((4, 4), device="cpu", threads=1))
    assert peak.value_bytes == value_bytes
    assert peak.flop_per_s > 0


def test_only_the_encoder_of_the_micro_network_is_quantised(tmp_path: Path) -> None:
    path = tmp_path / "convolutions.onnx"
    write_convolutions(SMALL, path, "unsigned")
    weights = {
        node.name: node.input[1] for node in onnx.load(path).graph.node if "Conv" in node.op_type
    }
    assert [name for name, weight in weights.items() if "Dequantize" in weight] == [
        "encoder.stem",
        "encoder.first",
        "encoder.second",
    ]
