"""``segbench evaluate``: a checkpoint's score is the score of the run that made it."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from click.testing import CliRunner, Result
from safetensors.torch import save_file
from torch import nn

from segbench.cli import main
from segbench.networks.model import SegmentationModel
from segbench.plugins import Registry
from segbench.records.record import Record, read_record
from segbench.types import Calibration, InputConvention, Network, Runtime, Setup
from segbench_plugins.commands.plugin import segbench_commands
from segbench_plugins.datasets.camvid import plugin as camvid
from segbench_plugins.runtimes.pytorch.eager import segbench_runtimes
from tests.tiny import tiny_backbone, tiny_dataset, write_tiny


def short_of_memory(*_: Any) -> Any:
    raise RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory: you tried 9 bytes")


def calibrated(model: Any, setup: Setup) -> Any:
    assert isinstance(setup.calibration, Calibration)
    (eager,) = (each for each in segbench_runtimes() if each.name == "eager")
    return eager.open(model, setup)


def too_large_to_run(*_: Any) -> Any:
    return SimpleNamespace(engine="e", details={}, prepare=len, run=short_of_memory, fetch=len)


REGISTRY = Registry.of(
    [tiny_backbone()],
    [tiny_dataset(), *camvid.segbench_datasets()],
    [
        *segbench_runtimes(),
        Runtime("calibrated", "measures ranges", calibrated, calibrates=True),
        Runtime("large", "no memory is enough to open it", short_of_memory),
        Runtime("larger", "no memory is enough to run it", too_large_to_run),
    ],
    commands=segbench_commands(),
)


def segbench(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, obj=REGISTRY)


@pytest.fixture
def checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A tiny network trained for one epoch in a fresh working folder."""
    write_tiny(tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SEGBENCH_DATA", raising=False)
    options = ("--backbone", "tiny", "--dataset", "tiny", "--weights", "none", "--epochs", "1")
    assert segbench("run", *options, "--output", "out").exit_code == 0
    return "out/best.safetensors"


def only_record(kind: str) -> Record:
    (path,) = Path("results", kind).glob("*.json")
    return read_record(path)


def test_evaluate_repeats_the_score_of_the_run(checkpoint: str) -> None:
    result = segbench("evaluate", "--checkpoint", checkpoint, "--dataset", "tiny")
    assert result.exit_code == 0, result.output
    run, again = only_record("run"), only_record("evaluate")
    assert again.metrics == run.metrics
    assert again.per_class == run.per_class
    assert again.config["checkpoint_sha256"] == run.config["checkpoint_sha256"]
    assert again.config["runtime"] == "eager"


def test_another_split_and_label_scale_are_recorded(checkpoint: str) -> None:
    options = ("--split", "val", "--label-scale", "2", "--limit", "1")
    result = segbench("evaluate", "--checkpoint", checkpoint, "--dataset", "tiny", *options)
    assert result.exit_code == 0, result.output
    record = only_record("evaluate")
    assert (record.config["split"], record.config["label_scale"]) == ("val", 2)
    assert (record.config["limit"], record.metrics["frames"]) == (1, 1)


def test_what_is_calibrated_is_not_scored_on_training_frames(checkpoint: str) -> None:
    arguments = ("evaluate", "--checkpoint", checkpoint, "--dataset", "tiny", "--split", "train")
    assert segbench(*arguments).exit_code == 0
    refused = segbench(*arguments, "--runtime", "calibrated")
    assert refused.exit_code == 1
    assert "'train', which has frames that are to be scored; score another" in refused.output
    assert segbench(*arguments[:-1], "val", "--runtime", "calibrated").exit_code == 0


@pytest.mark.parametrize("runtime", ["large", "larger"])
def test_short_memory_is_one_sentence(checkpoint: str, runtime: str) -> None:
    arguments = ("evaluate", "--checkpoint", checkpoint, "--dataset", "tiny", "--size", "96x64")
    result = segbench(*arguments, "--runtime", runtime)
    assert result.exit_code == 1
    assert "Out of memory" in result.output
    assert "a batch of 1 at 96x64" in result.output


def test_a_checkpoint_of_another_data_set_is_refused(checkpoint: str, tmp_path: Path) -> None:
    result = segbench("evaluate", "--checkpoint", checkpoint, "--dataset", "camvid")
    assert result.exit_code == 1
    assert "Traceback" not in result.output


def test_a_file_that_is_no_checkpoint_is_refused(checkpoint: str) -> None:
    for content in (b"", b"nothing of use"):
        Path("no.safetensors").write_bytes(content)
        result = segbench("evaluate", "--checkpoint", "no.safetensors", "--dataset", "tiny")
        assert result.exit_code == 1
        assert "give --checkpoint" in result.output
    missing = segbench("evaluate", "--checkpoint", "gone.safetensors", "--dataset", "tiny")
    assert "There is no file gone.safetensors" in missing.output


@pytest.mark.parametrize("described", ["{}", "no JSON", "[]", "1", '{"convention": {"odd": 1}}'])
def test_a_checkpoint_that_describes_no_network_is_refused(tmp_path: Path, described: str) -> None:
    path = tmp_path / "odd.safetensors"
    save_file({"weight": torch.zeros(1)}, path, metadata={"segbench": described})
    result = segbench("evaluate", "--checkpoint", str(path), "--dataset", "tiny")
    assert isinstance(result.exception, SystemExit)
    assert "odd.safetensors holds weights but no segbench configuration" in result.output


def test_a_data_set_without_a_server_cannot_be_submitted_to(checkpoint: str) -> None:
    result = segbench(
        "submit", "--checkpoint", checkpoint, "--dataset", "tiny", "--output", "upload"
    )
    assert result.exit_code == 1
    assert "no test server" in result.output


def test_a_network_with_weights_is_scored_without_a_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tiny(tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    network = Network(
        name="single", summary="One convolution", build=single, stride=8, output_stride=8
    )
    registry = Registry.of(
        [], [tiny_dataset()], segbench_runtimes(), [network], commands=segbench_commands()
    )
    save_file(SegmentationModel(network, 11).net.state_dict(), "w.safetensors")
    options = ["evaluate", "--network", "single", "--dataset", "tiny"]
    done = CliRunner().invoke(main, [*options, "--weights", "w.safetensors"], obj=registry)
    assert done.exit_code == 0, done.output
    record = only_record("evaluate")
    assert record.config["network"] == "single"
    assert "backbone" not in record.config
    assert record.config["weights"].startswith("w.safetensors@")
    assert (record.config["height"], record.config["width"]) == (32, 64)
    assert CliRunner().invoke(main, options, obj=registry).exit_code == 2


def single(classes: int, convention: InputConvention) -> nn.Module:
    return nn.Conv2d(3, classes, 8, stride=8)
