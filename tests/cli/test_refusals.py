"""What can be known without torch is refused before torch is imported."""

import subprocess
import sys
from pathlib import Path

import PIL.Image
import pytest

from segbench.device import nvidia_driver_is_here

CALL = """
import sys
from click.testing import CliRunner
from segbench.cli import main
result = CliRunner().invoke(main, sys.argv[1:])
sys.stdout.write(result.output)
sys.exit(f"torch was imported: {result.output}" if "torch" in sys.modules else result.exit_code)
"""
HIDDEN = """
import importlib.metadata as metadata
found = metadata.version
def version(name):
    if name in ("mlflow-skinny", "tensorboard", "wandb"):
        raise metadata.PackageNotFoundError(name)
    return found(name)
metadata.version = version
"""


def refusal(*arguments: str, folder: Path) -> str:
    """The one line with which the arguments are refused, by a process that imports no torch."""
    command = [sys.executable, "-c", CALL, *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    (line,) = done.stdout.splitlines()
    return line


@pytest.mark.skipif(nvidia_driver_is_here(), reason="this machine can run TensorRT")
@pytest.mark.parametrize("runtime", ["trt-fp16", "trt-int8"])
def test_a_runtime_that_this_machine_cannot_run(runtime: str, tmp_path: Path) -> None:
    assert "NVIDIA" in refusal("latency", "--runtime", runtime, folder=tmp_path)


def test_a_weights_file_that_does_not_exist(tmp_path: Path) -> None:
    run = ("run", "--dataset", "streets", "--weights", "nope.pth")
    assert "no file nope.pth" in refusal(*run, folder=tmp_path)


@pytest.mark.parametrize(
    ("command", "option"),
    [
        (("evaluate", "--dataset", "streets", "--checkpoint", "nope"), "--checkpoint"),
        (("predict", "a.png", "--output", "out", "--checkpoint", "nope"), "--checkpoint"),
        (
            ("video", "frames", "--fps", "9", "--output", "o.mp4", "--checkpoint", "nope"),
            "--checkpoint",
        ),
        (("latency", "--checkpoint", "nope"), "--checkpoint"),
        (("export", "--output", "out.onnx", "--checkpoint", "nope"), "--checkpoint"),
        (("quantize-report", "--checkpoint", "nope"), "--checkpoint"),
        (
            ("submit", "--dataset", "kitti", "--output", "out", "--checkpoint", "nope"),
            "--checkpoint",
        ),
        (
            ("evaluate", "--dataset", "streets", "--network", "enet", "--weights", "nope"),
            "--weights",
        ),
        (
            ("latency", "--dataset", "streets", "--network", "enet", "--weights", "nope"),
            "--weights",
        ),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else value,
)
def test_a_checkpoint_or_weights_that_do_not_exist(
    command: tuple[str, ...], option: str, tmp_path: Path
) -> None:
    (tmp_path / "frames").mkdir()
    for path in ("a.png", "frames/0.png"):
        PIL.Image.new("RGB", (8, 8)).save(tmp_path / path)
    assert f"There is no file nope; give {option}" in refusal(*command, folder=tmp_path)


@pytest.mark.parametrize("command", ["predict", "video"])
def test_a_picture_that_does_not_exist(command: str, tmp_path: Path) -> None:
    asked = (command, "nope.png", "--output", "out.mp4", "--checkpoint", "nope")
    assert "nope.png does not exist" in refusal(*asked, folder=tmp_path)


def test_a_backbone_that_does_not_exist(tmp_path: Path) -> None:
    assert "'nope'" in refusal("latency", "--backbone", "nope", folder=tmp_path)


@pytest.mark.parametrize("backbone", ["mobilenet", "vgg16"])
def test_weights_to_download_without_a_network(
    backbone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HF_HOME", "TORCH_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")  # nothing listens there
    line = refusal("run", "--dataset", "streets", "--backbone", backbone, folder=tmp_path)
    assert "--weights none" in line


def test_a_tracker_that_does_not_exist(tmp_path: Path) -> None:
    run = ("run", "--dataset", "streets", "--tracker", "tensorbord")
    assert "Did you mean 'tensorboard'?" in refusal(*run, folder=tmp_path)


@pytest.mark.parametrize("tracker", ["mlflow", "tensorboard", "wandb"])
def test_a_tracker_without_its_package(
    tracker: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its metadata are hidden, as if it was not installed."""
    (tmp_path / "sitecustomize.py").write_text(HIDDEN)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    line = refusal("run", "--dataset", "streets", "--tracker", tracker, folder=tmp_path)
    assert f'pip install "segbench[{tracker}]"' in line
