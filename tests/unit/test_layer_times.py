"""``tools.layer_times``: what is counted of a profile, and a whole run on a real graph."""

from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from torch import nn

from tools.layer_times import main, mean_of


def node(kind: str, microseconds: int, of: str = "kernel_time") -> dict[str, Any]:
    return {
        "cat": "Node",
        "name": f"layer_{of}",
        "dur": microseconds,
        "args": {"op_name": kind},
    }


def test_the_last_runs_are_counted_by_kind_in_milliseconds() -> None:
    end = {"cat": "Session", "name": "model_run", "dur": 1}
    warm_up = [node("Conv", 90_000), end]
    first = [node("Conv", 1000), node("Conv", 2000), node("Resize", 500), end]
    second = [node("Conv", 3000), node("Conv", 70_000, "fence_before"), end]
    spent = mean_of([*warm_up, *first, *second], runs=2)
    assert spent == {"Conv": pytest.approx(3.0), "Resize": pytest.approx(0.25)}


def test_two_files_are_compared(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AvgPool2d(2)).eval()
    torch.onnx.export(network, (torch.rand(1, 3, 16, 16),), path, dynamo=True)
    result = CliRunner().invoke(main, [str(path), str(path), "--runs", "2"])
    assert result.exit_code == 0, result.output
    assert "AveragePool" in result.output
    assert "INT8 is" in result.output
