"""``segbench run`` on a tiny dataset: what it leaves, what it skips, what it refuses."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch
from click.testing import CliRunner, Result
from safetensors.torch import save_file

from segbench.cli import main
from segbench.files import locked
from segbench.jobs.train import train
from segbench.plugins import Registry
from segbench.progress import Reporter
from segbench.records.arrays import read_arrays
from segbench.records.record import read_record
from segbench_plugins.commands.plugin import segbench_commands
from segbench_plugins.runtimes.pytorch.eager import segbench_runtimes
from tests.commands import unless_given
from tests.tiny import TinyEncoder, locate, tiny_backbone, tiny_dataset, write_tiny

REGISTRY = Registry.of(
    [tiny_backbone()], [tiny_dataset()], segbench_runtimes(), commands=segbench_commands()
)


@pytest.fixture(autouse=True)
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_tiny(tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SEGBENCH_DATA", raising=False)
    return tmp_path


def segbench(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, obj=REGISTRY)


def run(*more: str, dataset: str = "tiny", backbone: str = "tiny", weights: str = "none") -> Result:
    named = ("--backbone", backbone, "--dataset", dataset, "--weights", weights)
    return segbench("run", *named, *more)


def records() -> list[Path]:
    return sorted(Path("results/run").glob("*.json"))


def test_a_run_leaves_a_record_checkpoints_and_overlays() -> None:
    result = run("--epochs", "2", "--output", "out")
    assert result.exit_code == 0, result.output
    (path,) = records()
    record = read_record(path)
    assert record.config["backbone"] == "tiny"
    assert record.config["epochs"] == 2
    assert (record.metrics["score_name"], record.metrics["frames"]) == ("miou", 2)
    assert record.metrics["score"] == record.metrics["miou"] == record.official["miou"]
    assert [entry["epoch"] for entry in record.curve] == [1, 2]
    matrices = read_arrays(path)["confusion"]
    assert matrices.sum() == 2 * 30 * 64
    assert {p.name for p in Path("out").iterdir()} >= {
        "best.safetensors",
        "last.safetensors",
        "state.pt",
        "train.log",
        "overlays",
    }
    assert len(list(Path("out/overlays").glob("*.png"))) == 2
    assert "epoch 2/2: train loss" in Path("out/train.log").read_text()


def test_every_long_part_of_a_run_has_a_name_on_the_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[str] = []
    working = Reporter.working

    def note(self: Reporter, what: str) -> Any:
        seen.append(what)
        return working(self, what)

    monkeypatch.setattr(Reporter, "working", note)
    assert run("--epochs", "1").exit_code == 0
    assert [name for name in seen if name in ("load the network", "train", "score")][:3] == [
        "load the network",
        "train",
        "score",
    ]


def test_a_skipped_run_says_that_the_output_lacks_its_checkpoint() -> None:
    for output in ("first", "first", "second"):
        result = run("--epochs", "1", "--output", output)
        assert result.exit_code == 0, result.output
        if output == "first":
            assert "lacks its" not in result.output
    assert "but second lacks its checkpoint; repeat it with --force" in result.output


def test_the_same_seed_gives_the_same_record() -> None:
    for name in ("a", "b"):
        result = run("--epochs", "2", "--results", name, "--output", f"out-{name}")
        assert result.exit_code == 0, result.output
    one, other = (
        json.loads(next(Path(name).glob("run/*.json")).read_text()) for name in ("a", "b")
    )
    for record in (one, other):
        del record["provenance"]
        for entry in record["curve"]:
            del entry["seconds"]
    assert one == other


def test_a_configuration_that_has_a_record_is_skipped() -> None:
    assert run("--epochs", "1").exit_code == 0
    again = run("--epochs", "1")
    assert again.exit_code == 0
    assert "skipped" in again.output
    assert len(records()) == 1
    assert run("--epochs", "1", "--force").exit_code == 0
    assert len(records()) == 2


@pytest.mark.parametrize("first", [0, 2**63 - 1])
def test_seeds_repeat_the_training(first: int) -> None:
    result = run("--epochs", "1", "--seed", str(first), "--seeds", "2")
    assert result.exit_code == 0, result.output
    assert {read_record(path).config["seed"] for path in records()} == {first, first + 1}


def test_a_run_that_was_begun_is_neither_overwritten_nor_lost() -> None:
    assert run("--epochs", "1", "--output", "out").exit_code == 0
    other = run("--epochs", "2", "--output", "out")
    assert other.exit_code == 1
    assert "contains a run, finished or not; continue it with --resume" in other.output
    changed = run("--epochs", "2", "--output", "out", "--resume")
    assert changed.exit_code == 1
    assert "--epochs was" in changed.output
    fresh = run("--epochs", "2", "--output", "new", "--resume")
    assert fresh.exit_code == 0, fresh.output
    assert "nothing to resume in new: starting from scratch" in fresh.output


def test_a_forced_rerun_leaves_nothing_of_the_first() -> None:
    assert run("--epochs", "1", "--output", "out").exit_code == 0
    drawn = sorted(Path("out/overlays").iterdir())
    shutil.copy(drawn[0], "out/overlays/old.png")
    Path("out/trackers.json").write_text("{}")
    resumed = run("--epochs", "1", "--output", "out", "--force", "--resume")
    assert resumed.exit_code == 0, resumed.output
    assert Path("out/overlays/old.png").exists()
    assert Path("out/trackers.json").exists()
    assert run("--epochs", "1", "--output", "out", "--force").exit_code == 0
    assert sorted(Path("out/overlays").iterdir()) == drawn
    assert not Path("out/trackers.json").exists()


def test_a_folder_without_a_run_keeps_its_pictures() -> None:
    Path("out/overlays").mkdir(parents=True)
    PIL.Image.new("RGB", (8, 8)).save("out/overlays/mine.png")
    assert run("--epochs", "1", "--output", "out").exit_code == 0
    assert Path("out/overlays/mine.png").exists()


def test_a_damaged_state_is_named() -> None:
    assert run("--epochs", "1", "--output", "out").exit_code == 0
    state = torch.load("out/state.pt", weights_only=True)
    torch.save(state | {"optimizer": {}}, "no-optimizer.pt")
    torch.save({"model": state["model"]}, "weights.pt")
    torch.save([1, 2], "list.pt")
    Path("half.pt").write_bytes(b"half a file")
    for other in ("no-optimizer.pt", "weights.pt", "list.pt", "half.pt"):
        shutil.copy(other, "out/state.pt")
        result = run("--epochs", "1", "--output", "out", "--resume", "--force")
        assert result.exit_code == 1
        assert "out/state.pt is damaged or from another version; repeat the run" in result.output
        assert isinstance(result.exception, SystemExit)


@pytest.mark.parametrize("output", [(), ("--output", "out")])
def test_a_frame_that_is_only_scored_may_be_mended_before_resuming(output: tuple[str, ...]) -> None:
    assert run("--epochs", "1", *output).exit_code == 0
    (state,) = Path().glob("*/state.pt" if output else "runs/*/state.pt")
    trained = state.read_bytes()
    PIL.Image.fromarray(np.zeros((32, 64, 3), np.uint8)).save("data/tiny/test/000.png")
    result = run("--epochs", "1", "--resume", *output)
    assert result.exit_code == 0, result.output
    assert state.read_bytes() == trained, "nothing is trained again"
    assert len({read_record(path).config["data"] for path in records()}) == 2


def test_a_frame_that_was_trained_on_may_not_change_before_resuming() -> None:
    assert run("--epochs", "1", "--output", "out").exit_code == 0
    PIL.Image.fromarray(np.zeros((32, 64, 3), np.uint8)).save("data/tiny/train/000.png")
    result = run("--epochs", "1", "--output", "out", "--resume")
    assert result.exit_code == 1
    assert "the frames of the dataset differ" in result.output


def test_memory_that_is_not_there_is_said_with_batch_and_size(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def too_large(*_: object) -> None:
        torch.empty(10**14)

    monkeypatch.setattr("segbench.training.fit.augment", too_large)
    result = run("--epochs", "1")
    assert result.exit_code == 1
    assert "Out of memory with a batch of 2 at 32x64; use --batch-size auto" in result.output


def test_a_batch_that_does_not_fit_is_accumulated(monkeypatch: pytest.MonkeyPatch) -> None:
    for images, output in ((9, "whole"), (1, "rounds")):
        monkeypatch.setattr("segbench.training.memory.images_in_memory", lambda *_, n=images: n)
        folders = ("--output", f"{output}-out", "--results", output)
        result = run("--batch-size", "auto", "--epochs", "1", *folders)
        assert result.exit_code == 0, result.output
        rounds = {"whole": "2 images at once", "rounds": "1 image at once"}[output]
        assert rounds in result.output
    assert run("--epochs", "1", "--output", "plain-out", "--results", "plain").exit_code == 0
    whole, rounds, plain = (
        read_record(next(Path(name).glob("run/*.json"))) for name in ("whole", "rounds", "plain")
    )
    assert whole.metrics == plain.metrics
    assert whole.config_hash == rounds.config_hash == plain.config_hash
    (part,) = rounds.provenance["world"]
    assert (part["ranks"], part["images_at_once"]) == (1, 1)
    assert whole.provenance["world"] is None


def test_a_full_disk_is_noticed_before_anything_is_decoded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    usage = shutil.disk_usage(".")._replace(free=1000)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    result = run("--epochs", "1")
    assert result.exit_code == 1
    assert "make room" in result.output


def test_a_finished_training_is_scored_again_on_resume() -> None:
    assert run("--epochs", "1", "--output", "out").exit_code == 0
    records()[0].unlink()
    result = run("--epochs", "1", "--output", "out", "--resume")
    assert result.exit_code == 0, result.output
    assert len(records()) == 1


def test_the_disk_needs_less_room_for_a_training_that_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert run("--epochs", "1", "--output", "out").exit_code == 0
    (record,) = records()
    weights = 4 * read_record(record).metrics["parameters"]
    record.unlink()
    usage = shutil.disk_usage(".")
    full = usage._replace(free=7 * weights)
    monkeypatch.setattr(
        "shutil.disk_usage", lambda folder: full if folder.name in ("out", "other") else usage
    )
    assert "make room" in run("--epochs", "1", "--output", "other").output
    result = run("--epochs", "1", "--output", "out", "--resume")
    assert result.exit_code == 0, result.output


def test_a_damaged_picture_among_the_overlays_costs_no_score() -> None:
    scored_on_val = replace(tiny_dataset(), score_split="val")
    registry = Registry.of(
        [tiny_backbone()], [scored_on_val], segbench_runtimes(), commands=segbench_commands()
    )
    Path("data/tiny/test/000.png").write_text("no picture")
    named = ("--backbone", "tiny", "--dataset", "tiny", "--weights", "none", "--epochs", "1")
    result = CliRunner().invoke(main, ["run", *named], obj=registry)
    assert result.exit_code == 0, result.output
    assert "Warning: not all overlays were drawn" in result.output
    assert len(records()) == 1


def test_a_run_that_fails_after_its_training_says_how_to_go_on() -> None:
    label = Path("data/tiny/test/001.label.png")
    whole = label.read_bytes()
    PIL.Image.fromarray(np.zeros((4, 4), np.uint8)).save(label)
    scoring = run("--epochs", "1")
    label.write_bytes(whole)
    (overlays,) = (folder / "overlays" for folder in Path("runs").iterdir())
    shutil.rmtree(overlays)
    overlays.write_text("in the way")
    drawing = run("--epochs", "1", "--resume")
    for result in (scoring, drawing):
        assert result.exit_code == 1
        assert f"The checkpoint in {overlays.parent} is kept; continue with the" in result.output
        assert "same options and --resume." in result.output
        assert isinstance(result.exception, SystemExit)
        assert not records()
    overlays.unlink()
    result = run("--epochs", "1", "--resume")
    assert result.exit_code == 0, result.output
    assert "epoch 1/1" not in result.output, "nothing is trained again"
    assert len(records()) == 1


def test_first_weights_are_told_in_a_line() -> None:
    state = {**TinyEncoder().state_dict(), "classifier.bias": torch.zeros(1)}
    fresh = [key for key in state if key.startswith("to32.")]
    save_file({key: value for key, value in state.items() if key not in fresh}, "w.safetensors")
    backbone = replace(tiny_backbone(), may_start_fresh=("to32",))
    registry = Registry.of(
        [backbone], [tiny_dataset()], segbench_runtimes(), commands=segbench_commands()
    )
    options = ("--backbone", "tiny", "--dataset", "tiny", "--epochs", "1")
    arguments = ["run", *options, "--weights", "w.safetensors"]
    result = CliRunner().invoke(main, arguments, obj=registry)
    assert result.exit_code == 0, result.output
    assert "w.safetensors: 1 keys ignored; random: to32.0\n" in result.output
    assert "keys ignored" not in run("--epochs", "1").output


def test_a_failing_combination_leaves_the_others() -> None:
    absent = replace(tiny_dataset(), name="absent", locate=lambda root: locate(root / "absent"))
    registry = Registry.of(
        [tiny_backbone()],
        [absent, tiny_dataset()],
        segbench_runtimes(),
        commands=segbench_commands(),
    )
    options = ("--backbone", "tiny", "--dataset", "absent", "--dataset", "tiny", "--epochs", "1")
    result = CliRunner().invoke(main, ["run", *options, "--weights", "none"], obj=registry)
    assert result.exit_code == 1
    assert "tiny on absent, seed 0: No tiny data" in result.output
    assert "1 of 2 runs failed" in result.output
    assert [read_record(path).config["dataset"] for path in records()] == ["tiny"]


def test_a_label_of_another_size_is_named() -> None:
    PIL.Image.fromarray(np.zeros((4, 4), np.uint8)).save("data/tiny/train/000.label.png")
    result = run("--epochs", "1")
    assert result.exit_code == 1
    assert "is 4x4" in result.output
    assert "Traceback" not in result.output


def test_a_network_trained_on_crops_is_scored_whole() -> None:
    assert run("--epochs", "1", "--crop", "32x32").exit_code == 0
    config = read_record(records()[0]).config
    assert (config["crop"], config["height"], config["width"]) == ("32x32", 32, 64)


def test_a_run_over_other_data_is_another_run() -> None:
    assert run("--epochs", "1").exit_code == 0
    PIL.Image.fromarray(np.zeros((32, 64, 3), np.uint8)).save("data/tiny/val/000.png")
    assert "skipped" not in run("--epochs", "1").output
    assert len(records()) == 2


def test_the_encoder_learns_at_the_rate_that_was_asked_for() -> None:
    assert run("--epochs", "1", "--encoder-lr-scale", "0.25").exit_code == 0
    (path,) = records()
    assert read_record(path).config["training"]["encoder_lr_scale"] == 0.25


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--size", "0x64"], "is empty"),
        (["--size", "64"], "'64'"),
        (["--batch-size", "0"], "0 is not in the range"),
        (["--batch-size", "all"], "'all' is not a number, nor auto"),
        (["--epochs", "0"], "0 is not in the range"),
        (["--lr", "0"], "is not in the range"),
        (["--lr", "nan"], "'--lr': nan"),
        (["--lr", "inf"], "'--lr': inf"),
        (["--encoder-lr-scale", "0"], "'--encoder-lr-scale': 0.0 is not in the range"),
        (["--seed", "99999999999999999999"], "is not in the range 0<=x<="),
        (["--seeds", "99999999999999999999"], "is not in the range 1<=x<="),
        (["--crop", "640x640"], "--crop 640x640 is larger than --size"),
        (["--size", "32x32", "--batch-size", "1"], "make --batch-size or --size larger"),
        (["--device", "tpu"], "'tpu'"),
        (["--device", "cuda:7"], "CUDA devices"),
        (["--data-root", "nowhere"], "No tiny data in nowhere"),
        (["--output", "results"], "--output and --results are one folder"),
    ],
)
def test_bad_options_are_named_in_one_sentence(options: list[str], message: str) -> None:
    result = run(*unless_given({"--epochs": 1}, options), *options)
    assert result.exit_code in (1, 2)
    assert message in result.output
    assert "Traceback" not in result.output
    assert not records()


def test_an_output_has_one_run_at_a_time() -> None:
    with locked(Path("out/.lock")):
        result = run("--epochs", "1", "--output", "out", "--force")
    assert result.exit_code == 1
    assert "Another run writes to out" in result.output
    assert [path.name for path in Path("out").iterdir()] == [".lock"]
    assert run("--epochs", "1", "--output", "out").exit_code == 0


def test_a_checkpoint_of_another_training_is_not_scored(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("--epochs", "1", "--seed", "1", "--output", "other").exit_code == 0

    def exchange(*arguments: Any) -> Any:
        curve = train(*arguments)
        shutil.copy("other/best.safetensors", "out/best.safetensors")
        return curve

    monkeypatch.setattr("segbench.jobs.run.train", exchange)
    result = run("--epochs", "1", "--output", "out")
    assert result.exit_code == 1
    assert "is from another run (--seed was" in result.output
    assert len(records()) == 1


def test_one_configuration_at_once_leaves_one_record(monkeypatch: pytest.MonkeyPatch) -> None:
    def overtaken(*arguments: Any) -> Any:
        monkeypatch.setattr("segbench.jobs.run.train", train)
        assert run("--epochs", "1", "--output", "first").exit_code == 0
        return train(*arguments)

    monkeypatch.setattr("segbench.jobs.run.train", overtaken)
    assert run("--epochs", "1", "--output", "second").exit_code == 0
    assert len(records()) == 1


def test_planted_links_are_not_followed() -> None:
    Path("out").mkdir()
    Path("precious").write_text("mine")
    for name in ("train.log", "state.pt.tmp", "best.safetensors"):
        Path("out", name).symlink_to(Path("precious").absolute())
    assert run("--epochs", "1", "--output", "out").exit_code == 0
    assert Path("precious").read_text() == "mine"


def test_unknown_names_get_a_suggestion() -> None:
    assert "Did you mean 'tiny'?" in run(dataset="tinny").output
    assert "Did you mean 'tiny'?" in run(backbone="tin").output


def test_imagenet_weights_that_are_not_offered_name_the_option() -> None:
    assert "--weights" in run(weights="imagenet").output
    assert "There is no file w.pth" in run(weights="w.pth").output


def test_a_folder_that_cannot_be_written_is_named() -> None:
    Path("file").write_text("")
    assert "file/run cannot be written to" in run("--output", "file/run").output


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_a_split_of_ignored_pixels_alone_is_refused_before_the_training(split: str) -> None:
    for path in Path("data/tiny", split).glob("*.label.png"):
        PIL.Image.fromarray(np.full((32, 64), 11, np.uint8)).save(path)
    result = run("--data-root", "data", "--epochs", "1", "--output", "out")
    assert result.exit_code == 1
    assert f"the split {split!r} of tiny are ignored pixels" in " ".join(result.output.split())
    assert not Path("out").exists()
