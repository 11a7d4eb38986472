"""``segbench run --train-splits``: the protocol that trains on the validation frames too."""

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from segbench.analysis.rank import leaderboard
from segbench.cli import main
from segbench.plugins import Registry
from segbench.records.record import read_record, read_records
from segbench.types import Frame
from segbench_plugins.commands.plugin import segbench_commands
from segbench_plugins.runtimes.pytorch.eager import segbench_runtimes
from tests.tiny import tiny_backbone, tiny_dataset, write_tiny

REGISTRY = Registry.of(
    [tiny_backbone()], [tiny_dataset()], segbench_runtimes(), commands=segbench_commands()
)


@pytest.fixture(autouse=True)
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_tiny(tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SEGBENCH_DATA", raising=False)


def run(*more: str, registry: Registry = REGISTRY) -> Result:
    fixed = ("--backbone", "tiny", "--dataset", "tiny", "--weights", "none", "--epochs", "1")
    return CliRunner().invoke(main, ["run", *fixed, *more], obj=registry)


def test_with_the_validation_frames_nothing_chooses_the_epoch() -> None:
    result = run("--train-splits", "train,val")
    assert result.exit_code == 0, result.output
    record = read_record(next(Path("results/run").glob("*.json")))
    assert record.config["train_splits"] == "train+val"
    assert [split.split()[0] for split in record.config["data"].split(", ")] == ["train", "test"]
    assert record.curve[0]["val_miou"] is None


def test_a_split_that_has_scored_frames_is_refused() -> None:
    tiny = tiny_dataset()

    def frames(folder: Path, split: str) -> tuple[Frame, ...]:
        parts = ("train", "test") if split == "everything" else (split,)
        return tuple(frame for part in parts for frame in tiny.frames(folder, part))

    dataset = replace(tiny, splits=(*tiny.splits, "everything"), frames=frames)
    registry = Registry.of(
        [tiny_backbone()], [dataset], segbench_runtimes(), commands=segbench_commands()
    )
    result = run("--train-splits", "everything", registry=registry)
    assert result.exit_code == 1
    assert "--train-splits has frames of 'test', which the network is" in result.output
    assert not list(Path("results").rglob("*.json"))


def test_the_two_protocols_are_never_ranked_together() -> None:
    for more in ((), ("--train-splits", "train,val")):
        assert run(*more).exit_code == 0
    records, _ = read_records(Path("results"))
    tables = leaderboard(records)
    ranks = {row["train_splits"]: (title, row["rank"]) for title, (row,) in tables.items()}
    assert {rank for _, rank in ranks.values()} == {1}
    assert "trained on train+val" in ranks["train+val"][0]
    assert "trained on" not in ranks["train"][0]


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (("--train-splits", "train,test"), "tiny is scored on 'test', so do not train on it"),
        (("--train-splits", "training"), "split of tiny"),
        (("--train-splits", "train,val", "--early-stop"), "leaves no split for validation"),
        (("--train-splits", "train,val", "--recipe", "original"), "choose --recipe modern"),
    ],
)
def test_what_is_refused(more: tuple[str, ...], sentence: str) -> None:
    result = run(*more)
    assert result.exit_code == 1
    assert sentence in result.output
    assert len(result.output.strip().splitlines()) == 1
