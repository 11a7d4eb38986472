"""The adapter has torchvision's logits and key names, for any number of classes."""

from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from click.testing import CliRunner
from torchvision.models import get_model

from segbench.cli import main
from segbench.plugins import Registry
from segbench_plugins.commands.plugin import segbench_commands
from segbench_plugins.networks.plugin import segbench_networks
from segbench_plugins.networks.torchvision import Architecture, TorchvisionNetwork
from segbench_plugins.runtimes.pytorch.eager import segbench_runtimes
from tests.networks_on_engines import errors_of_engines, seeded
from tests.tiny import tiny_dataset, write_tiny


@pytest.mark.parametrize("architecture", get_args(Architecture))
def test_logits_are_torchvisions(architecture: Architecture) -> None:
    ours = TorchvisionNetwork(architecture, 5).eval()
    theirs: Any = get_model(architecture, num_classes=5, weights=None, weights_backbone=None)
    theirs.load_state_dict(ours.state_dict())
    images = torch.rand(1, 3, 50, 70)
    with torch.inference_mode():
        assert torch.equal(ours(images), theirs.eval()(images)["out"])


def test_a_batch_of_one_that_deeplab_cannot_train_on_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_tiny(tmp_path / "data")
    registry = Registry.of(
        datasets=[tiny_dataset()],
        networks=segbench_networks(),
        runtimes=segbench_runtimes(),
        commands=segbench_commands(),
    )
    command = "run --network deeplabv3_mobilenet_v3_large --weights none --dataset tiny"
    options = [*command.split(), "--data-root", "data", "--batch-size", "1", "--epochs", "1"]
    result = CliRunner().invoke(main, options, obj=registry)
    assert result.exit_code == 1
    assert "make --batch-size larger" in result.output


def test_an_engine_has_eagers_logits(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = seeded(TorchvisionNetwork("lraspp_mobilenet_v3_large", 5))
    for engine, error in errors_of_engines(model, torch.rand(1, 3, 64, 96), tmp_path).items():
        assert error < 1e-4, engine
