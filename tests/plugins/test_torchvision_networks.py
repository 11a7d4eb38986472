"""The adapter has torchvision's logits and key names, for any number of classes."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torchvision.models import get_model

from segbench_plugins.networks.torchvision import ARCHITECTURES, Architecture, TorchvisionNetwork
from tests.networks_on_engines import errors_of_engines, seeded


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_logits_are_torchvisions(architecture: Architecture) -> None:
    ours = TorchvisionNetwork(architecture, 5).eval()
    theirs: Any = get_model(architecture, num_classes=5, weights=None, weights_backbone=None)
    theirs.load_state_dict(ours.state_dict())
    images = torch.rand(1, 3, 50, 70)
    with torch.inference_mode():
        assert torch.equal(ours(images), theirs.eval()(images)["out"])


def test_an_engine_has_eagers_logits(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = seeded(TorchvisionNetwork("lraspp_mobilenet_v3_large", 5))
    for engine, error in errors_of_engines(model, torch.rand(1, 3, 64, 96), tmp_path).items():
        assert error < 1e-4, engine
