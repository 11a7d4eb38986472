"""Commands that take minutes try the place of their output first."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from segbench.cli import main
from segbench.inference.checkpoint import save_checkpoint
from segbench.plugins import Registry
from segbench_plugins.commands.plugin import segbench_commands
from segbench_plugins.datasets.kitti import plugin as kitti
from segbench_plugins.runtimes.onnx import plugin as onnx
from segbench_plugins.runtimes.pytorch.eager import segbench_runtimes as eager
from tests.tiny import TinyEncoder, fcn8s_over, tiny_backbone, tiny_dataset, write_tiny

REGISTRY = Registry.of(
    [tiny_backbone()],
    [tiny_dataset(), *kitti.segbench_datasets()],
    [*eager(), *onnx.segbench_runtimes()],
    commands=[*segbench_commands(), *onnx.segbench_commands()],
)
SUITE = """
reports = "file/reports"
[[checkpoint]]
path = "best.safetensors"
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ["export", "--checkpoint", "best.safetensors", "--output", "file/a.onnx"],
        ["quantize-report", "--checkpoint", "best.safetensors", "--output", "file/report"],
        ["submit", "--checkpoint", "best.safetensors", "--dataset", "kitti", "--output", "file/a"],
        ["suite", "a.toml"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_what_cannot_be_written_is_said_before_the_work(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("in the way")
    Path("a.toml").write_text(SUITE)
    write_tiny(Path("data"))
    config = {"backbone": "tiny", "dataset": "tiny", "height": 32, "width": 64}
    save_checkpoint(Path("best.safetensors"), fcn8s_over(TinyEncoder(), 11), config)
    result = CliRunner().invoke(main, arguments, obj=REGISTRY)
    assert result.exit_code == 1
    assert "cannot be written to (file is not a folder)" in result.stderr
    assert "name another" in result.stderr
