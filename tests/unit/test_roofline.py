"""Operations and bytes counted by hand, and the bound that rates make of them."""

import pytest
import torch
from torch import nn

from segbench.latency import roofline
from segbench.latency.roofline import Rates, Roofline, Work, measured_rates, work_of


def test_a_convolution_reads_its_input_and_weights_and_writes_its_output() -> None:
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 2, 1, bias=False)
    )
    work = work_of(network, size=(4, 6), batch_size=2)
    pixels = 2 * 4 * 6
    assert work.flop == 2 * pixels * (8 * 3 * 9 + 2 * 8)
    weights = (8 * 3 * 9 + 8) + 2 * 8
    assert work.moved == 4 * (weights + pixels * (3 + 8) + pixels * (8 + 2))


def test_a_transposed_convolution_counts_each_product_once() -> None:
    work = work_of(nn.ConvTranspose2d(3, 5, 4, stride=2, padding=1), (8, 8), 1)
    assert work.flop == 2 * 8 * 8 * 3 * 5 * 16


def test_the_network_itself_is_left_as_it_is() -> None:
    network = nn.Conv2d(3, 1, 1)
    work_of(network, (4, 4), 1)
    assert network.weight.device.type == "cpu"
    assert not network._forward_hooks


@pytest.mark.parametrize(("moved", "bound_ms"), [(1e9, 2000), (5e9, 5000)])
def test_the_slower_of_arithmetic_and_memory_is_the_bound(moved: float, bound_ms: float) -> None:
    figures = Roofline(Work(4e9, moved), Rates(2e9, 1e9)).metrics(p50_ms=10_000)
    assert figures["gflop"] == 4
    assert figures["gbyte"] == moved / 1e9
    assert figures["bound_ms"] == pytest.approx(bound_ms)
    assert figures["roofline_multiple"] == pytest.approx(10_000 / bound_ms)


def test_the_rates_of_this_machine_are_positive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roofline, "MATRIX", {"cpu": 16})
    monkeypatch.setattr(roofline, "COPIED_BYTES", 2**12)
    rates = measured_rates(torch.device("cpu"))
    assert rates.flop > 0
    assert rates.moved > 0
