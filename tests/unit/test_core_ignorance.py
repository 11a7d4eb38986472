"""The core names no dataset, engine or tracker that a plugin brings."""

from pathlib import Path

import pytest

import segbench

CORE = Path(segbench.__file__).parent
FILES = [path for path in CORE.rglob("*") if path.suffix not in (".pyc", "") and path.is_file()]


@pytest.mark.parametrize(
    "name",
    [
        *("cityscapes", "kitti", "camvid"),
        *("openvino", "tensorrt", "torch.onnx", "import onnx", "quantize-report"),
        *("mlflow", "wandb", "tensorboard"),
        *("import av\n", "import ray", "segbench predict", "segbench video", "segbench report"),
        *("segbench submit", "segbench compare", "segbench suite"),
    ],
)
def test_the_core_has_no_word_of_a_plugin(name: str) -> None:
    assert FILES
    named = [str(path.relative_to(CORE)) for path in FILES if name in _text(path)]
    assert not named


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8").lower()
