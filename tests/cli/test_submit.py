"""``segbench submit``: files that the servers take, read back by what scores them."""

import zipfile
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
from click.testing import CliRunner, Result

from segbench.cli import main
from segbench.inference.checkpoint import save_checkpoint
from segbench.plugins import Registry
from segbench.scoring.predictions import match_predictions, read_prediction
from segbench.types import InputConvention
from segbench_plugins.commands import submit as jobs_submit
from segbench_plugins.commands.plugin import segbench_commands
from segbench_plugins.datasets.cityscapes import plugin as cityscapes
from segbench_plugins.datasets.kitti import plugin as kitti
from segbench_plugins.runtimes.pytorch.eager import segbench_runtimes
from tests.tiny import TinyEncoder, fcn8s_over, tiny_backbone

(KITTI,) = kitti.segbench_datasets()
(CITYSCAPES,) = cityscapes.segbench_datasets()
REGISTRY = Registry.of(
    [tiny_backbone()], [KITTI, CITYSCAPES], segbench_runtimes(), commands=segbench_commands()
)


def checkpoint(folder: Path, dataset: str, classes: int) -> Path:
    torch.manual_seed(0)
    model = fcn8s_over(TinyEncoder(), classes, InputConvention())
    config = {"backbone": "tiny", "dataset": dataset, "height": 64, "width": 96}
    save_checkpoint(folder / "c.safetensors", model, config)
    return folder / "c.safetensors"


def submit(path: Path, dataset: str, root: Path, output: Path) -> Result:
    options = ("--checkpoint", str(path), "--dataset", dataset, "--data-root", str(root))
    return CliRunner().invoke(main, ["submit", *options, "--output", str(output)], obj=REGISTRY)


def test_kitti_maps_in_both_spaces(data_root: Path, tmp_path: Path) -> None:
    result = submit(checkpoint(tmp_path, "kitti", 2), "kitti", data_root, tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "Upload those in bev/" in result.output
    frames = KITTI.frames(KITTI.locate(data_root), "test")
    for space in ("bev", "perspective"):
        matched = match_predictions(frames, tmp_path / "out" / space)
        assert (len(matched.pairs), matched.faults) == (len(frames), ())
    assert read_prediction(tmp_path / "out/bev/uu_road_000002.png").shape == (800, 400)
    with PIL.Image.open(frames[0].image) as image:
        size = image.size[::-1]
    assert read_prediction(tmp_path / f"out/perspective/{frames[0].id}.png").shape == size


def cityscapes_test_image(root: Path, size: tuple[int, int]) -> Path:
    folder = root / "cityscapes/leftImg8bit/test/berlin"
    folder.mkdir(parents=True)
    (root / "cityscapes/gtFine").mkdir()
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    PIL.Image.fromarray(image).save(folder / "berlin_000000_000019_leftImg8bit.png")
    return root


def test_cityscapes_label_ids_in_a_zip(tmp_path: Path) -> None:
    root = cityscapes_test_image(tmp_path, (1024, 2048))
    path = checkpoint(tmp_path, "cityscapes", 19)
    result = submit(path, "cityscapes", root, tmp_path / "upload.zip")
    assert result.exit_code == 0, result.output
    with zipfile.ZipFile(tmp_path / "upload.zip") as archive:
        (name,) = archive.namelist()
        archive.extractall(tmp_path / "back")
    assert name == "berlin_000000_000019_pred_labelIds.png"
    ids = read_prediction(tmp_path / "back" / name)
    assert ids.shape == (1024, 2048)
    assert set(np.unique(ids)) <= set(CITYSCAPES.benchmark.ids)


def test_an_image_of_another_size_is_refused(tmp_path: Path) -> None:
    root = cityscapes_test_image(tmp_path, (64, 128))
    path = checkpoint(tmp_path, "cityscapes", 19)
    result = submit(path, "cityscapes", root, tmp_path / "upload.zip")
    assert result.exit_code == 1
    assert "takes 1024x2048" in result.output
    assert not (tmp_path / "upload.zip").exists()


@pytest.mark.parametrize("output", ["out", "out.zip"])
def test_a_failure_leaves_nothing_and_a_retry_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str
) -> None:
    root = cityscapes_test_image(tmp_path, (1024, 2048))
    path = checkpoint(tmp_path, "cityscapes", 19)
    with monkeypatch.context() as patch:
        patch.setattr(jobs_submit, "read_prediction", lambda path: np.zeros((1, 1)))
        before = set(tmp_path.iterdir())
        failed = submit(path, "cityscapes", root, tmp_path / output)
    assert failed.exit_code == 1
    assert set(tmp_path.iterdir()) == before
    again = submit(path, "cityscapes", root, tmp_path / output)
    assert again.exit_code == 0, again.output
    assert set(tmp_path.iterdir()) == before | {tmp_path / output}


@pytest.mark.parametrize("output", ["out", "out.zip", "folder.zip"])
def test_nothing_is_overwritten(tmp_path: Path, output: str) -> None:
    target = tmp_path / output
    if output == "out.zip":
        target.touch()
    else:
        target.mkdir()
    if output == "out":
        (target / "mine.txt").touch()
    result = submit(checkpoint(tmp_path, "kitti", 2), "kitti", tmp_path, target)
    assert result.exit_code == 1
    assert "already exists" in result.output
