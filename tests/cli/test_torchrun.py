"""``segbench run`` as several ranks: one record, and one sentence where it cannot go on."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result

from segbench.cli import main
from segbench.errors import SegbenchError
from segbench.inference.networks import chosen_network
from segbench.jobs.plan import RunOptions
from segbench.jobs.ranks import check_ranks
from segbench.records.arrays import read_arrays
from segbench.records.record import read_record
from segbench.training.world import World
from tests.ranks import REGISTRY, run_ranks
from tests.tiny import MODERN, tiny_dataset, write_tiny

RUN = ("run", "--backbone", "tiny", "--dataset", "tiny", "--weights", "none")


@pytest.fixture(autouse=True)
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_tiny(tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SEGBENCH_DATA", raising=False)
    return tmp_path


def segbench(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, obj=REGISTRY)


@pytest.mark.slow
def test_two_ranks_leave_one_record_that_names_their_world(tmp_path: Path) -> None:
    ranks = run_ranks([[*RUN, "--epochs", "2", "--output", "out"]] * 2, tmp_path)
    assert [rank.code for rank in ranks] == [0, 0], ranks
    (path,) = Path("results/run").glob("*.json")
    record = read_record(path)
    assert record.provenance["world"] == [
        {"epochs": 2, "ranks": 2, "hosts": 1, "backend": "gloo", "images_at_once": 1}
    ]
    assert list(read_arrays(path)["frames"]) == ["000", "001"]
    assert ranks[0].output.count("epoch 2/2: train loss") == 1
    assert ranks[1].output == ""
    log = Path("out/train.log").read_text().splitlines()
    assert [line.split(":")[0] for line in log] == ["epoch 1/2", "epoch 2/2", "checkpoint"]
    alone = segbench(*RUN, "--epochs", "2", "--results", "alone", "--output", "alone/out")
    assert alone.exit_code == 0, alone.output
    (other,) = Path("alone/run").glob("*.json")
    assert "world" in segbench("compare", str(path), str(other)).output
    assert "skipped" in segbench(*RUN, "--epochs", "2", "--output", "out").output


@pytest.mark.slow
def test_every_rank_scores_the_checkpoint_that_the_first_one_has_written(tmp_path: Path) -> None:
    """With one epoch there is no older one that they might find."""
    command = ["slow disk", *RUN, "--epochs", "1", "--output", "out"]
    ranks = run_ranks([command] * 2, tmp_path)
    assert [rank.code for rank in ranks] == [0, 0], ranks
    (path,) = Path("results/run").glob("*.json")
    assert list(read_arrays(path)["frames"]) == ["000", "001"]


@pytest.mark.gpu
@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two CUDA GPUs")
def test_two_gpus_train_over_nccl(tmp_path: Path) -> None:
    train = [*RUN, "--device", "cuda", "--epochs", "2", "--output", "out"]
    ranks = run_ranks([train] * 2, tmp_path)
    assert [rank.code for rank in ranks] == [0, 0], ranks
    (path,) = Path("results/run").glob("*.json")
    (world,) = read_record(path).provenance["world"]
    assert (world["ranks"], world["backend"]) == (2, "nccl")


@pytest.mark.slow
def test_ranks_with_other_options_are_refused_in_one_sentence(tmp_path: Path) -> None:
    commands = [[*RUN, "--lr", "0.01"], [*RUN, "--lr", "0.5"]]
    first, second = run_ranks(commands, tmp_path)
    assert (first.code, second.code, second.output) == (1, 1, "")
    assert "Error: Rank 1 was not started like rank 0: --lr is 0.01 there, 0.5 here" in first.output
    assert "Traceback" not in first.output
    assert not Path("runs").exists()


@pytest.mark.slow
def test_a_failing_rank_ends_the_job_and_another_number_resumes(tmp_path: Path) -> None:
    """Under torchrun itself."""
    root = Path(__file__).parents[2]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command = ["--nproc-per-node", "2", "-m", "tests.ranks", "full disk", *RUN]
    options = ("--epochs", "3", "--output", "out")
    ended = subprocess.run(
        [*torchrun, *command, *options],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert ended.returncode == 1
    assert "Error: The disk of rank 1 is full." in ended.stderr
    assert ended.stderr.count("Error: ") == ended.stderr.count("ChildFailedError: ") + 1
    resumed = segbench(*RUN, *options, "--resume")
    assert resumed.exit_code == 0, resumed.output
    (path,) = Path("results/run").glob("*.json")
    first = {"epochs": 1, "ranks": 2, "hosts": 1, "backend": "gloo", "images_at_once": 1}
    assert read_record(path).provenance["world"] == [first, {"epochs": 2, "ranks": 1}]


def test_more_ranks_than_images_of_a_batch_are_refused() -> None:
    options = RunOptions(chosen_network(REGISTRY, None, "tiny"), tiny_dataset(), MODERN, Path())
    for frames, size in ((6, 3), (1, 2)):
        with pytest.raises(SegbenchError, match=f"cannot be split over {size} ranks"):
            check_ranks(World(0, size), options, {}, frames, REGISTRY)


def test_torchrun_is_for_training_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "0")
    result = segbench("plugins")
    assert result.exit_code == 1
    assert "start segbench plugins without it" in result.output
