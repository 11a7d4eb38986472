"""``segbench run --tracker``: what arrives in each tracker, and what a failing one costs."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
from click.testing import CliRunner, Result

from segbench.cli import main
from segbench.errors import SegbenchError
from segbench.jobs import overlays
from segbench.plugins import Registry
from segbench.records.record import Record, read_record
from segbench.types import Tracker
from segbench_plugins.commands.plugin import segbench_commands
from segbench_plugins.runtimes.pytorch.eager import segbench_runtimes
from segbench_plugins.trackers import mlflow, tensorboard, wandb
from tests.tiny import tiny_backbone, tiny_dataset, write_tiny
from tests.trackers import offline_trackers, wandb_records

BUILT_IN = [
    tracker for plugin in (mlflow, tensorboard, wandb) for tracker in plugin.segbench_trackers()
]


@pytest.fixture(autouse=True)
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_tiny(tmp_path / "data")
    offline_trackers(tmp_path, monkeypatch)
    monkeypatch.delenv("SEGBENCH_DATA", raising=False)


def run(*more: str, trackers: list[Tracker] = BUILT_IN) -> Result:
    registry = Registry.of(
        [tiny_backbone()],
        [tiny_dataset()],
        segbench_runtimes(),
        trackers=trackers,
        commands=segbench_commands(),
    )
    named = ("--backbone", "tiny", "--dataset", "tiny", "--weights", "none", "--output", "out")
    return CliRunner().invoke(main, ["run", *named, *more], obj=registry)


def the_record() -> Record:
    (path,) = Path("results/run").glob("*.json")
    return read_record(path)


def known_run(tracker: str) -> str:
    return json.loads(Path("out/trackers.json").read_text())[tracker]["id"]


@contextmanager
def stopped_in_epoch(epoch: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The user stops the training when this epoch is saved and no tracker knows of it."""
    from segbench.training import fit

    def stop(job: Any, learner: Any, curve: list[Any]) -> None:
        save(job, learner, curve)
        if len(curve) == epoch:
            raise KeyboardInterrupt

    save = fit.save_state
    with monkeypatch.context() as patch:
        patch.setattr(fit, "save_state", stop)
        yield


def test_tensorboard_gets_a_run_whole() -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    assert run("--epochs", "2", "--tracker", "tensorboard").exit_code == 0
    record = the_record()
    board = EventAccumulator(f"out/tensorboard/{known_run('tensorboard')}").Reload()
    curve = [entry["val_miou"] for entry in record.curve]
    assert [event.value for event in board.Scalars("miou/val")] == pytest.approx(curve)
    assert [event.step for event in board.Images("validation/0")] == [1, 2]
    assert {f"overlays/{frame}" for frame in ("000", "001")} <= set(board.Tags()["images"])
    assert board.Scalars("final/score")[0].value == pytest.approx(record.metrics["score"])
    classes = record.per_class["iou"]
    shown = {tag for tag in board.Tags()["scalars"] if tag.startswith("final/iou/")}
    assert shown == {f"final/iou/{name}" for name, iou in classes.items() if iou is not None}
    assert (
        b"| epochs | 2 |" in board.Tensors("parameters/text_summary")[0].tensor_proto.string_val[0]
    )
    assert "_hparams_/session_start_info" in board.summary_metadata
    text = board.Tensors("checkpoint/text_summary")[0].tensor_proto.string_val
    assert text == [b"out/best.safetensors"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MLflow's own, of SQLAlchemy
def test_mlflow_gets_a_run_whole_and_a_resumed_one_goes_on_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from mlflow import MlflowClient

    def seen() -> Any:
        return client.get_run(known_run("mlflow"))

    client = MlflowClient()
    options = ("--epochs", "3", "--tracker", "mlflow")
    with stopped_in_epoch(2, monkeypatch):
        assert run(*options).exit_code != 0
    assert seen().info.status == "KILLED"
    first = known_run("mlflow")
    assert run(*options, "--resume").exit_code == 0
    assert known_run("mlflow") == first
    record = the_record()
    (found,) = client.search_runs([client.get_experiment_by_name("segbench").experiment_id])
    assert found.info.status == "FINISHED"
    assert found.data.params["epochs"] == "3"
    assert found.data.params["training.lr"] == "0.01"
    assert found.data.metrics["score"] == pytest.approx(record.metrics["score"])
    for name, iou in record.per_class["iou"].items():
        if iou is not None:
            assert found.data.metrics[f"iou/{name}"] == pytest.approx(iou)
    history = client.get_metric_history(first, "miou/val")
    curve = [entry["val_miou"] for entry in record.curve]
    assert [(m.step, m.value) for m in history] == list(enumerate(curve, 1))
    (checkpoint,) = client.list_artifacts(first, "checkpoint")
    assert checkpoint.file_size == Path("out/best.safetensors").stat().st_size
    assert {a.path for a in client.list_artifacts(first, "overlays")} == {
        "overlays/000.png",
        "overlays/001.png",
    }


def test_wandb_gets_a_run_whole() -> None:
    assert run("--epochs", "2", "--tracker", "wandb").exit_code == 0
    record = the_record()
    (file,) = Path("wandb").glob("offline-*/*.wandb")
    messages = wandb_records(file)
    (started,) = (m.run for m in messages if m.HasField("run"))
    assert started.run_id == known_run("wandb")
    assert {u.key: u.value_json for u in started.config.update}["training.lr"] == "0.01"
    history = [
        {"/".join(item.nested_key): json.loads(item.value_json) for item in m.history.item}
        for m in messages
        if m.HasField("history")
    ]
    curve = [entry["val_miou"] for entry in record.curve]
    assert [h["miou/val"] for h in history if "miou/val" in h] == pytest.approx(curve)
    summary = {
        update.key or "/".join(update.nested_key): json.loads(update.value_json)
        for m in messages
        if m.HasField("summary")
        for update in m.summary.update
    }
    assert summary["score"] == pytest.approx(record.metrics["score"])
    for name, iou in record.per_class["iou"].items():
        if iou is not None:
            assert summary[f"iou/{name}"] == pytest.approx(iou)
    (artifact,) = (m.artifact for m in messages if m.HasField("artifact"))
    assert artifact.type == "model"
    assert [entry.path for entry in artifact.manifest.contents] == ["best.safetensors"]
    pictures = {p.name.split("_")[0] for p in file.parent.rglob("media/images/*/*.png")}
    assert pictures == {"0", "1", "000", "001"}


def test_trackers_change_no_figure_and_a_new_training_is_a_new_run() -> None:
    assert run("--epochs", "1").exit_code == 0
    plain = the_record()
    runs = []
    for _ in range(2):
        result = run("--epochs", "1", "--force", "--tracker", "tensorboard,wandb")
        assert result.exit_code == 0, result.output
        runs.append((known_run("tensorboard"), known_run("wandb")))
    assert not set(runs[0]) & set(runs[1])
    for path in Path("results/run").glob("*.json"):
        assert read_record(path).metrics == plain.metrics


class Gone:
    """A tracker whose server goes in the first epoch, and comes back after the second."""

    id, address = "7", "a server"
    heard: ClassVar[list[str]] = []

    def __init__(self, training: Any) -> None:
        self.heard.clear()

    def log_epoch(self, epoch: int, curves: Any, images: Any) -> None:
        self.heard.append(f"epoch {epoch}")
        if len(self.heard) < 3:
            raise ConnectionError("no route to host")

    def log_result(self, scores: Any, images: Any, checkpoint: Path) -> None:
        self.heard.append("result")

    def close(self, finished: bool) -> None:
        self.heard.append(f"close {finished}")


GONE = Tracker("gone", "A server that goes", start=Gone)


def test_a_tracker_that_goes_costs_a_warning_and_no_training() -> None:
    result = run("--epochs", "2", "--tracker", "gone", trackers=[GONE])
    assert result.exit_code == 0, result.output
    assert result.output.count("no route to host") == 1
    assert Gone.heard == ["epoch 1", "epoch 1", "epoch 1", "epoch 2", "result", "close True"]
    assert len(the_record().curve) == 2


def test_a_damaged_overlay_costs_a_warning_and_no_record(monkeypatch: pytest.MonkeyPatch) -> None:
    def damage(*_: object) -> None:
        Path("out/overlays").mkdir()
        Path("out/overlays/a.png").write_text("no picture")

    monkeypatch.setattr(overlays, "write_overlays", damage)
    result = run("--epochs", "1", "--tracker", "tensorboard")
    assert result.exit_code == 0, result.output
    assert "the tracker tensorboard failed (cannot identify image file" in result.output
    assert len(the_record().curve) == 1


def refuse(*_: object) -> Any:
    raise ConnectionError("no route to host")


@pytest.mark.parametrize("change", [{"check": refuse}, {"start": refuse}])
def test_a_tracker_that_is_not_there_is_said_before_the_training(change: dict[str, Any]) -> None:
    result = run("--tracker", "gone", trackers=[replace(GONE, **change)])
    assert result.exit_code == 1
    assert "Error: The tracker gone cannot be used: no route to host." in result.output
    assert "epoch" not in result.output
    assert not list(Path().glob("out/*.safetensors"))


def test_a_missing_package_is_said_with_the_extra_that_has_it() -> None:
    absent = replace(GONE, requires=("no-such-package",), extra="gone")
    result = run("--tracker", "gone", trackers=[absent])
    assert result.exit_code == 1
    assert 'pip install "unpackaged[gone]"' in result.output


def test_a_server_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    with pytest.raises(SegbenchError, match=r"127\.0\.0\.1:9"):
        mlflow.check()


@pytest.mark.parametrize(
    "content",
    [
        "{",
        '{"tensorboard": {"id": "a", "epochs": -1}}',
        '{"tensorboard": {"id": "a", "epochs": 1e999}}',
        '{"tensorboard": {"id": 3, "epochs": 1}}',
        '{"tensorboard": {"id": "a"}}',
    ],
)
def test_the_runs_of_trackers_that_cannot_be_read_are_named(content: str) -> None:
    assert run("--epochs", "1", "--tracker", "tensorboard").exit_code == 0
    Path("out/trackers.json").write_text(content)
    result = run("--epochs", "1", "--force", "--resume", "--tracker", "tensorboard")
    assert result.exit_code == 1
    assert "out/trackers.json cannot be read" in result.output


@pytest.mark.parametrize("name", ["../away", "/tmp/away", ".."])
def test_tensorboard_writes_into_no_other_folder(name: str, tmp_path: Path) -> None:
    assert run("--epochs", "1", "--tracker", "tensorboard").exit_code == 0
    Path("out/trackers.json").write_text(json.dumps({"tensorboard": {"id": name, "epochs": 1}}))
    result = run("--epochs", "1", "--force", "--resume", "--tracker", "tensorboard")
    assert result.exit_code == 1
    assert "not the name of a folder" in result.output
    assert not Path("out/away").exists()
