"""``segbench run --checkpoint``: a training that starts from another one's network."""

from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result
from safetensors.torch import load_file

from segbench.cli import main
from segbench.inference.checkpoint import checkpoint_network, fine_tuned
from segbench.plugins import Registry
from segbench.records.record import read_record
from segbench.types import Backbone, InputConvention
from segbench_plugins.commands.plugin import segbench_commands
from segbench_plugins.datasets.folder.plugin import segbench_datasets
from segbench_plugins.runtimes.pytorch.eager import segbench_runtimes
from tests.plugins.test_folder import write as write_folder
from tests.tiny import CLASSES, build, tiny_dataset, write_tiny

ODD = InputConvention(mean=(1.0, 2.0, 3.0), std=(50.0, 50.0, 50.0))
BACKBONE = Backbone(name="tiny", summary="three convolutions", build=build, convention=ODD)
REGISTRY = Registry.of(
    [BACKBONE],
    [tiny_dataset(), *segbench_datasets()],  # type: ignore[list-item]
    segbench_runtimes(),
    commands=segbench_commands(),
)
CHECKPOINT = Path("first/best.safetensors")
SCORES = ("score8", "score16", "score32", "up16", "up32")


def segbench(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, obj=REGISTRY)


@pytest.fixture(autouse=True)
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tiny network that was trained for an epoch, in ``first``."""
    write_tiny(tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SEGBENCH_DATA", raising=False)
    options = ("--backbone", "tiny", "--dataset", "tiny", "--weights", "none", "--epochs", "1")
    assert segbench("run", *options, "--output", "first").exit_code == 0


def test_all_layers_are_those_of_the_checkpoint() -> None:
    saved = load_file(CHECKPOINT)
    network = checkpoint_network(CHECKPOINT, REGISTRY)
    model, loaded = fine_tuned(network, len(CLASSES), CHECKPOINT)
    assert loaded.fresh == ()
    assert (model.convention, model.network.pretrained_part) == (ODD, "encoder")
    state = model.net.state_dict()
    assert all(torch.equal(state[key], saved[key]) for key in saved)
    model.prepare_training(torch.rand(1, 3, 32, 64) * 255)
    assert torch.equal(model.net.state_dict()["tap_scale"], saved["tap_scale"])


def test_other_classes_take_new_score_layers() -> None:
    saved = load_file(CHECKPOINT)
    model, loaded = fine_tuned(checkpoint_network(CHECKPOINT, REGISTRY), 3, CHECKPOINT)
    assert set(loaded.fresh) == set(SCORES)
    state = model.net.state_dict()
    assert state["score8.weight"].shape[0] == 3
    kept = [key for key in saved if not key.startswith(SCORES)]
    assert all(torch.equal(state[key], saved[key]) for key in kept)


@pytest.mark.parametrize("dataset", ["tiny", "folder"])
def test_a_run_goes_on_from_a_checkpoint_and_says_so(tmp_path: Path, dataset: str) -> None:
    root = write_folder(tmp_path / "town") if dataset == "folder" else tmp_path / "data"
    data = ("--dataset", dataset, "--data-root", str(root), "--batch-size", "2", "--epochs", "1")
    result = segbench("run", "--checkpoint", "first", *data, "--output", "second")
    assert result.exit_code == 0, result.output
    records = map(read_record, Path("results/run").glob("*.json"))
    (made,) = (record for record in records if record.config.get("fine_tune"))
    assert made.config["weights"].startswith("best.safetensors@")
    fresh = set(made.provenance["weights"]["fresh"])
    assert fresh == (set(SCORES) if dataset == "folder" else set())
    log = Path("second/train.log").read_text(encoding="utf-8")
    assert ("random: score16" in log) == (dataset == "folder")


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--checkpoint", "first", "--backbone", "tiny"), 2),
        (("--checkpoint", "first", "--weights", "none"), 2),
        (("--checkpoint", "nowhere"), 1),
    ],
)
def test_what_does_not_go_together_is_refused(options: tuple[str, ...], code: int) -> None:
    result = segbench("run", *options, "--dataset", "tiny")
    assert result.exit_code == code
    assert isinstance(result.exception, SystemExit)
