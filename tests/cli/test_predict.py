"""``segbench predict``: pictures for people, and label ids that ``segbench score`` takes."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
from click.testing import CliRunner, Result

from segbench.cli import main
from segbench.data.draw import legend, overlay
from segbench.data.frames import labelled_frames
from segbench.inference.checkpoint import save_checkpoint
from segbench.networks.model import SegmentationModel
from segbench.plugins import Registry
from segbench.progress import Reporter
from segbench.records.record import read_record
from segbench.types import InputConvention, Session, Setup
from segbench_plugins.commands.plugin import segbench_commands
from segbench_plugins.datasets.kitti import plugin as kitti
from segbench_plugins.datasets.streets import plugin as streets
from segbench_plugins.datasets.streets.write import write_streets
from segbench_plugins.runtimes.onnx import plugin as onnx
from segbench_plugins.runtimes.pytorch import eager
from tests.commands import unless_given
from tests.tiny import (
    PALETTE,
    SIZE,
    TinyEncoder,
    draw,
    fcn8s_over,
    tiny_backbone,
    tiny_dataset,
    write_tiny,
)

(KITTI,) = kitti.segbench_datasets()
(STREETS,) = streets.segbench_datasets()
RUNTIMES = [*eager.segbench_runtimes(), *onnx.segbench_runtimes()]
REGISTRY = Registry.of(
    [tiny_backbone()], [tiny_dataset(), KITTI, STREETS], RUNTIMES, commands=segbench_commands()
)


def segbench(*arguments: object) -> Result:
    return CliRunner().invoke(main, list(map(str, arguments)), obj=REGISTRY)


def checkpoint(dataset: str, classes: int) -> Path:
    """Random weights that see several classes."""
    torch.manual_seed(0)
    model = fcn8s_over(TinyEncoder(), classes, InputConvention())
    for layer in (model.net.score8, model.net.score16, model.net.score32):
        torch.nn.init.normal_(layer.weight)
    config = {"backbone": "tiny", "dataset": dataset, "decoder": "bilinear"}
    height, width = SIZE
    path = Path(f"{dataset}.safetensors")
    save_checkpoint(path, model, config | {"height": height, "width": width})
    return path


def predict(*arguments: object, output: str = "out") -> Result:
    usual = {"--checkpoint": "tiny.safetensors", "--output": output}
    return segbench("predict", *unless_given(usual, arguments), *arguments)


@pytest.fixture(autouse=True)
def pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint of the tiny dataset and pictures of another size than its network's."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SEGBENCH_DATA", raising=False)
    checkpoint("tiny", 11)
    Path("in").mkdir()
    for number in (2, 10):
        picture = PIL.Image.fromarray(draw(number).image).resize((101, 75))
        picture.save(f"in/frame{number}.png")


def read(path: str) -> np.ndarray:
    return np.array(PIL.Image.open(path))


def test_each_kind_has_a_folder_of_its_own() -> None:
    kinds = ("overlay", "side-by-side", "color", "ids")
    result = predict("in", *(word for kind in kinds for word in ("--as", kind)))
    assert result.exit_code == 0, result.output
    assert "2 pictures in out" in result.output
    image, ids = read("in/frame10.png"), read("out/ids/frame10.png")
    color = read("out/color/frame10.png")
    assert (ids.shape, color.shape) == ((75, 101), (75, 101, 3))
    assert len(np.unique(ids)) > 1
    assert (color == np.array(PALETTE, np.uint8)[ids]).all()
    drawn = overlay(image, ids, PALETTE)
    assert (read("out/overlay/frame10.png")[:75] == drawn).all()
    both = np.hstack([image, drawn])
    with_legend = legend(both, ids, tiny_dataset().classes, PALETTE)
    assert (read("out/side-by-side/frame10.png") == with_legend).all()


def test_one_kind_goes_into_the_folder_itself() -> None:
    result = predict("in/*2.png", "--as", "color")
    assert "1 picture in out" in result.output
    assert [path.name for path in Path("out").iterdir()] == ["frame2.png"]


@pytest.mark.parametrize("opacity", [0.0, 0.25, 1.0])
def test_opacity(opacity: float) -> None:
    assert predict("in/frame2.png", "--opacity", opacity).exit_code == 0
    assert predict("in/frame2.png", "--as", "ids", output="ids").exit_code == 0
    expected = overlay(read("in/frame2.png"), read("ids/frame2.png"), PALETTE, opacity)
    assert (read("out/frame2.png")[:75] == expected).all()


def test_int8_is_calibrated_on_training_frames_of_the_data_set() -> None:
    int8 = ("--runtime", "onnx-int8", "--device", "cpu", "--calibration-frames", "2")
    missing = predict("in", *int8)
    assert missing.exit_code == 1
    assert "No tiny data" in missing.output
    write_tiny(Path("data"))
    result = predict("in", *int8, "--as", "ids")
    assert result.exit_code == 0, result.output
    kept = predict("in", "--keep-float", "encoder.to8.0")
    assert "--keep-float needs an INT8 runtime" in kept.output


def test_streets_are_scored_as_evaluate_scores_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streets, "FRAMES", 16)
    path = checkpoint("streets", 19)
    frames = labelled_frames(STREETS, STREETS.locate(Path()), "val")
    images = [frame.image for frame in frames]
    options = ("--checkpoint", path, "--output", "out", "--as", "overlay", "--as", "ids")
    assert segbench("predict", *images, *options).exit_code == 0
    assert score("streets", "out/ids") == evaluated("streets", path)


def test_kitti_is_scored_as_evaluate_scores_it() -> None:
    write_streets(Path("data/kitti_road"), 3, (94, 310), 0, "kitti", Reporter(quiet=True))
    path = checkpoint("kitti", 2)
    options = ("--checkpoint", path, "--output", "out", "--as", "ids")
    result = segbench("predict", "data/kitti_road/training/image_2", *options)
    assert result.exit_code == 0, result.output
    assert all(len(np.unique(read(str(path)))) > 2 for path in Path("out").iterdir())
    assert score("kitti", "out") == evaluated("kitti", path, "--split", "labelled")


def score(dataset: str, folder: str) -> dict[str, object]:
    options = ("--dataset", dataset, "--predictions", folder, "--json", "score.json")
    result = segbench("score", *options, "--workers", "1")
    assert result.exit_code == 0, result.output
    return json.loads(Path("score.json").read_text())


def evaluated(dataset: str, path: Path, *options: str) -> dict[str, object]:
    result = segbench("evaluate", "--checkpoint", path, "--dataset", dataset, *options)
    assert result.exit_code == 0, result.output
    (record,) = Path("results/evaluate").glob("*.json")
    return read_record(record).official


def test_a_picture_that_cannot_be_read_is_skipped() -> None:
    Path("in/broken.jpg").write_bytes(b"no picture")
    result = predict("in")
    assert result.exit_code == 1
    assert "1 of 3 pictures could not be read: in/broken.jpg." in result.output
    assert sorted(path.name for path in Path("out").iterdir()) == ["frame10.png", "frame2.png"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["gone.png"], "gone.png does not exist"),
        (["in/*.jpg"], "No file matches in/*.jpg"),
        (["."], "holds no pictures"),
        (["in", "other"], "would both become frame2.png"),
        (["in", "--output", "in"], "is an input; name another --output"),
        (["in", "--output", "tiny.safetensors"], "cannot be written to"),
        (["in", "--output", "tiny.safetensors/deep"], "cannot be written to"),
        (["in", "--device", "abacus"], "'abacus'"),
        (["in", "--opacity", "2"], "--opacity"),
    ],
)
def test_refusals_come_before_the_work(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], sentence: str
) -> None:
    Path("other").mkdir()
    Path("other/frame2.jpg").touch()
    before = set(Path().rglob("*"))
    result = predict(*arguments)
    assert result.exit_code != 0
    assert sentence in result.output
    assert "Traceback" not in result.output
    assert set(Path().rglob("*")) - before <= {Path("out")}


def test_a_picture_beside_the_inputs_is_not_replaced() -> None:
    Path("drive").mkdir()
    PIL.Image.new("RGB", (8, 8)).save("drive/a.jpg")
    Path("drive/a.png").write_text("its label")
    result = predict("drive/*.jpg", "--output", "drive")
    assert result.exit_code == 1
    assert "drive/a.png exists beside the inputs" in result.output
    assert Path("drive/a.png").read_text() == "its label"


def test_short_memory_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(model: SegmentationModel, setup: Setup) -> Session:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    runtime = replace(REGISTRY.runtime("eager"), open=full)
    monkeypatch.setitem(
        globals(),
        "REGISTRY",
        Registry.of(REGISTRY.backbones, REGISTRY.datasets, [runtime], commands=segbench_commands()),
    )
    result = predict("in")
    assert result.exit_code == 1
    assert "Out of memory with a batch of 1 at" in result.output


def test_links_to_one_picture_and_skipped_files() -> None:
    Path("in/link.png").symlink_to("frame2.png")
    Path("in/._frame2.png").touch()
    Path("in/other.avif").touch()
    result = predict("in", "--as", "color")
    assert result.exit_code == 0, result.output
    assert "Skipped 2 files: ._frame2.png, other.avif" in " ".join(result.output.split())
    assert np.array_equal(read("out/link.png"), read("out/frame2.png"))
    assert len(list(Path("out").iterdir())) == 3
