"""What is committed in ``results/`` is named by a suite, or is of ``tools/kitti_folds.py``."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest

from segbench.inference import weights
from segbench.inference.checkpoint import BEST, save_checkpoint
from segbench.jobs.plan import configuration
from segbench.networks.model import SegmentationModel
from segbench.plugins import Registry
from segbench.records.record import Record, read_records
from segbench.records.schema import EXTERNAL
from segbench_plugins.commands.evaluate import evaluate
from segbench_plugins.commands.latency import latency
from segbench_plugins.commands.run import run
from segbench_plugins.commands.suite.file import Entry, read_suite
from segbench_plugins.commands.suite.jobs.training import Training
from tools.kitti_folds import system

ROOT = Path(__file__).parents[2]
COMMANDS = {"run": run, "evaluate": evaluate, "latency": latency}
ASKED = ("dataset", "backbone", "network", "weights", "recipe", "height", "width", "limit")
TRAINED = (*ASKED, "epochs", "train_splits", "crop", "precision", "seed")


def configuration_of(entry: Entry) -> Mapping[str, Any]:
    """Of a training; without the precision if the machine chooses it."""
    if not isinstance(entry.source, Training):
        return entry.source.config
    options = replace(entry.source.options, device="cpu")
    asked = configuration(options, {})
    return asked | {"precision": ANY} if options.recipe.precision == "auto" else asked


def names(entry: Entry, asked: Mapping[str, Any], record: Record) -> bool:
    """Whether an entry trains, scores or times what the record is of, as far as that says."""
    keys = ASKED if record.kind == "latency" else TRAINED
    if not agree(record.config, asked, keys):
        return False
    if record.kind == "run":
        training = record.config["training"]
        return agree(training, asked.get("training", {}), training)
    runtimes = {options.runtime.name for options, _ in entry.evaluations}
    if record.kind == "latency":
        runtimes = {name for options, _ in entry.latencies for name in options.runtimes}
    return record.config["runtime"] in runtimes


def agree(config: Mapping[str, Any], asked: Mapping[str, Any], keys: Any) -> bool:
    """Older records lack some keys, and have lists for tuples."""
    told = {key: config[key] for key in keys if config.get(key) is not None}
    return all(plain(asked.get(key)) == value for key, value in told.items())


def plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, tuple | list) else value


@pytest.fixture
def first_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for the checkpoint that a suite trains further, with the real one's digest."""
    records, _ = read_records(ROOT / "results")
    asked = {"network": "enet", "weights": "none", "train_splits": "train"}
    (first,) = (each for each in records if each.kind == "run" and agree(asked, each.config, asked))
    path = tmp_path / "runs/enet-camvid" / BEST
    path.parent.mkdir(parents=True)
    registry = Registry.load()
    classes = len(registry.dataset("camvid").classes)
    save_checkpoint(path, SegmentationModel(registry.network("enet"), classes), first.config)
    digest = weights.file_sha256

    def committed(*paths: Path) -> str:
        ours = paths[0].name == BEST
        return str(first.config["checkpoint_sha256"]) if ours else digest(*paths)

    monkeypatch.setattr(weights, "file_sha256", committed)
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("first_stage")
def test_every_committed_row_is_named_by_a_suite(
    data_root: Path, weights_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGBENCH_DATA", str(data_root))
    monkeypatch.setenv("SEGBENCH_WEIGHTS", str(weights_root))
    registry = Registry.load()
    files = sorted((ROOT / "suites").glob("*.toml"))
    suites = [read_suite(file, COMMANDS, registry) for file in files]
    entries = [entry for suite in suites for entry in suite.entries]
    records, problems = read_records(ROOT / "results")
    assert not problems
    asked = [(entry, configuration_of(entry)) for entry in entries]
    trained = [each for each in records if each.kind != EXTERNAL]
    left = [each.name for each in trained if not any(names(*entry, each) for entry in asked)]
    assert left == []


def test_every_committed_score_of_predictions_is_of_kittis_folds() -> None:
    records, _ = read_records(ROOT / "results")
    scored = {each.config["network"] for each in records if each.kind == EXTERNAL}
    assert scored <= {system("mobilenet")}
