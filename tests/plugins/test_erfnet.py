"""ERFNet has the paper's shape and size and runs on every engine."""

from pathlib import Path

import pytest
import torch

from segbench_plugins.networks.erfnet import ERFNet, NonBottleneck1d
from tests.networks_on_engines import errors_of_engines, seeded


@pytest.mark.parametrize("size", [(8, 16), (40, 24), (352, 480)])
def test_logits_have_the_size_of_the_images(size: tuple[int, int]) -> None:
    with torch.inference_mode():
        assert ERFNet(11).eval()(torch.rand(1, 3, *size)).shape == (1, 11, *size)


def test_parameters_are_the_papers() -> None:
    count = sum(parameter.numel() for parameter in ERFNet(20).parameters())
    assert count == pytest.approx(2.06e6, rel=0.005)


def test_dilations_are_the_papers() -> None:
    layers = [layer for layer in ERFNet(3).modules() if isinstance(layer, NonBottleneck1d)]
    dilations = [layer.conv3x1_2.dilation[0] for layer in layers]
    assert dilations == [1] * 5 + [2, 4, 8, 16] * 2 + [1] * 4


def test_every_engine_has_eagers_logits(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = seeded(ERFNet(5))
    for engine, error in errors_of_engines(model, torch.rand(2, 3, 32, 48), tmp_path).items():
        assert error < 1e-4, engine
