"""``--dataset folder``: images and labels of one's own, which ``classes.json`` describes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from click.testing import CliRunner, Result
from safetensors.torch import save_file
from torch import nn

from segbench.cli import main
from segbench.data.frames import cached_split, fingerprint
from segbench.errors import DataError, SegbenchError
from segbench.jobs.latency import Outcome
from segbench.jobs.latency_options import LatencyOptions
from segbench.plugins import Registry
from segbench.progress import Reporter
from segbench.records.record import read_record
from segbench.testing import check_dataset
from segbench.types import IGNORED, Network
from segbench_plugins.commands.plugin import segbench_commands
from segbench_plugins.commands.suite.jobs import timing
from segbench_plugins.datasets.folder.description import read_description
from segbench_plugins.datasets.folder.plugin import read, segbench_datasets
from segbench_plugins.runtimes.onnx import plugin as onnx_runtimes
from segbench_plugins.runtimes.pytorch.eager import segbench_runtimes
from tests.onnx_files import nearest_color
from tests.tiny import tiny_backbone

CLASSES = [
    {"name": "road", "color": [128, 64, 128], "id": 7},
    {"name": "car", "color": [0, 0, 142], "id": 26},
    {"name": "sky", "color": [70, 130, 180], "id": 0},
]
PALETTE = tuple(tuple(entry["color"]) for entry in CLASSES)  # type: ignore[arg-type]
SAID: dict[str, Any] = {"name": "My Town", "classes": CLASSES, "ignored": [255, 1]}
REGISTRY = Registry.of(
    backbones=[tiny_backbone()],
    datasets=segbench_datasets(),  # type: ignore[arg-type]
    runtimes=[*segbench_runtimes(), *onnx_runtimes.segbench_runtimes()],
    model_formats=onnx_runtimes.segbench_model_formats(),
    commands=segbench_commands(),
    networks=[
        Network(
            name="pointwise",
            summary="one convolution",
            build=lambda classes, convention: nn.Conv2d(3, classes, 1),
        )
    ],
)


def write(root: Path, said: object = SAID, splits: tuple[str, ...] = ("train", "val")) -> Path:
    """Two frames a split of 32x48 pixels: road, car and sky beside one another, ignored below."""
    values = np.full((32, 48), 255, np.uint8)
    values[:28] = np.repeat([7, 26, 0], 16)
    colors = {entry["id"]: entry["color"] for entry in CLASSES} | {255: [0, 0, 0]}
    image = np.array([[colors[value] for value in row] for row in values.tolist()], np.uint8)
    for split in splits:
        for name in ("a", "b"):
            for kind, pixels, ending in (("images", image, "bmp"), ("labels", values, "png")):
                folder = root / kind / split
                folder.mkdir(parents=True, exist_ok=True)
                PIL.Image.fromarray(pixels).save(folder / f"{split}_{name}.{ending}")
    (root / "classes.json").write_text(json.dumps(said), encoding="utf-8")
    return root


def segbench(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, obj=REGISTRY)


def test_a_folder_keeps_the_contract_of_a_dataset(tmp_path: Path) -> None:
    dataset = read(write(tmp_path))
    check_dataset(dataset, tmp_path)
    assert (dataset.name, dataset.classes) == ("folder-my-town", ("road", "car", "sky"))
    assert (dataset.score_split, dataset.benchmark.ids) == ("val", (7, 26, 0))
    assert dataset.recipes["modern"].size == (32, 48)
    (first, _) = dataset.frames(tmp_path, "train")
    label = dataset.read_label(first)
    assert label[0, ::16].tolist() == [0, 1, 2]
    assert (label[28:] == IGNORED).all()


def test_labels_of_test_make_it_the_scored_split(tmp_path: Path) -> None:
    assert read(write(tmp_path, splits=("train", "val", "test"))).score_split == "test"


def test_a_label_value_that_nobody_named_is_refused(tmp_path: Path) -> None:
    dataset = read(write(tmp_path, {**SAID, "ignored": []}))
    with pytest.raises(DataError, match="the value 255"):
        dataset.read_label(dataset.frames(tmp_path, "val")[0])


def test_what_is_left_out_has_a_default(tmp_path: Path) -> None:
    said = {"classes": [{"name": "no"}, {"name": "yes"}], "size": [8, 16]}
    write(tmp_path, said)
    found = read_description(tmp_path)
    assert (found.ids, found.ignored, found.size) == ((0, 1), (255,), (8, 16))
    assert len(set(found.palette)) == 2
    assert found.name == tmp_path.name.lower().replace("[", "-").replace("]", "-").strip("-")


@pytest.mark.parametrize(
    ("said", "word"),
    [
        ([], "not an object"),
        ({}, "has no classes"),
        ({"classes": CLASSES, "colour": 1}, "colour"),
        ({"classes": "road"}, "list"),
        ({"classes": CLASSES[:1]}, "2 to 255"),
        ({"classes": ["road", "car"]}, "class 0"),
        ({"classes": [{"name": "road"}, {}]}, "class 1 has no name"),
        ({"classes": [{"name": "road"}, {"name": "road"}]}, "'road'"),
        ({"classes": [{"name": "road"}, {"name": 3}]}, "not text"),
        ({"classes": [{"name": "road", "id": 1}, {"name": "car"}]}, "the id 1"),
        ({"classes": [{"name": "road", "id": 256}, {"name": "car"}]}, "256"),
        ({"classes": [{"name": "road", "id": True}, {"name": "car"}]}, "True"),
        ({"classes": [{"name": "road", "color": [1, 2]}, {"name": "car"}]}, "color of 'road'"),
        ({"classes": [{"name": "road", "color": [1, 2, -1]}, {"name": "car"}]}, "-1"),
        ({"classes": CLASSES, "ignored": 255}, "ignored"),
        ({"classes": CLASSES, "ignored": [26]}, "26"),
        ({"classes": CLASSES, "size": [0, 5]}, "size"),
    ],
)
def test_a_wrong_description_is_one_sentence(tmp_path: Path, said: object, word: str) -> None:
    write(tmp_path, said)
    result = segbench("data", "check", "--dataset", "folder", "--data-root", str(tmp_path))
    assert result.exit_code == 1
    (line,) = result.output.splitlines()
    assert word in line


def test_text_that_is_not_json_and_a_missing_file_are_one_sentence(tmp_path: Path) -> None:
    for _ in range(2):
        result = segbench("data", "check", "--dataset", "folder", "--data-root", str(tmp_path))
        assert (result.exit_code, len(result.output.splitlines())) == (1, 1)
        (tmp_path / "classes.json").write_text("{classes", encoding="utf-8")


def test_two_pictures_of_one_name_are_refused(tmp_path: Path) -> None:
    dataset = read(write(tmp_path))
    PIL.Image.new("RGB", (48, 32)).save(tmp_path / "images/val/val_a.png")
    with pytest.raises(DataError, match="the same name"):
        dataset.frames(tmp_path, "val")


def test_commands_find_it_in_their_data_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "town")
    model = nearest_color(tmp_path / "net.onnx", palette=PALETTE, size=(32, 48))
    data = ("--dataset", "folder", "--data-root", "town")
    assert segbench("data", "check", *data).exit_code == 0
    result = segbench("evaluate", "--model", str(model), "--scale", "1/255", *data)
    assert result.exit_code == 0, result.output
    (record,) = (tmp_path / "results/evaluate").glob("*.json")
    made = read_record(record)
    assert (made.metrics["miou"], made.config["dataset"]) == (1.0, "folder-my-town")
    assert "folder-my-town" in made.provenance["plugins"]


def test_labels_described_anew_are_other_data(tmp_path: Path) -> None:
    def labels_of(said: object) -> list[int]:
        dataset, quiet = read(write(tmp_path, said)), Reporter(quiet=True)
        frames = dataset.frames(tmp_path, "train")
        content = fingerprint(dataset, frames, quiet)
        labels = cached_split(dataset, frames, (32, 48), content, quiet).labels
        return [int(label) for label in labels[0, 0, ::16]]

    assert labels_of(SAID) == [0, 1, 2]
    assert labels_of(SAID | {"classes": CLASSES[::-1]}) == [2, 1, 0]


SUITE = """
exports = "exports"
reports = "reports"
device = "cpu"
{top}
[[train]]
{own}
backbone = "tiny"
dataset = "folder"
weights = "none"
epochs = 1
evaluate.runtime = "onnx"
latency = {{ runtime = "eager", min-seconds = 0.05 }}
"""
TOWN = 'data-root = "town"'


@pytest.mark.parametrize(("top", "own"), [(TOWN, ""), ("", TOWN)])
def test_a_suite_finds_it_in_its_data_root(
    top: str, own: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def here(work: Callable[..., Outcome], options: LatencyOptions, *words: str) -> Outcome:
        return work(options)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Registry, "load", lambda: REGISTRY)
    monkeypatch.setattr(timing, "in_own_process", here)
    write(tmp_path / "town")
    Path("suite.toml").write_text(SUITE.format(top=top, own=own))
    result = segbench("suite", "suite.toml")
    assert result.exit_code == 0, result.output
    (scored,) = Path("results/evaluate").glob("*.json")
    assert read_record(scored).config["dataset"] == "folder-my-town"
    (timed,) = Path("results/latency").glob("*.json")
    assert read_record(timed).metrics["compared_on"] == "folder-my-town val"
    assert len(list(Path("exports").glob("*.onnx"))) == 1
    assert len(list(Path("reports").iterdir())) == 1


def test_a_suite_finds_the_dataset_of_published_weights_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "town")
    save_file(nn.Conv2d(3, 3, 1).state_dict(), "w.safetensors")
    Path("suite.toml").write_text(
        '[[checkpoint]]\nnetwork = "pointwise"\nweights = "w.safetensors"\ndataset = "folder"\n'
        'evaluate = { data-root = "town", runtime = "eager" }\n'
    )
    result = segbench("suite", "suite.toml", "--dry-run")
    assert result.exit_code == 0, result.output
    assert "evaluate eager" in result.output


def test_another_folder_is_not_taken_for_it(tmp_path: Path) -> None:
    registry = REGISTRY.at(write(tmp_path))
    assert registry.dataset("folder-my-town").name == registry.dataset("folder").name
    with pytest.raises(SegbenchError, match="folder-her-town"):
        registry.dataset("folder-her-town")
