"""Files that segbench keeps for itself, and small ones that users write beside their data."""

import shutil
from pathlib import Path
from unittest.mock import patch

import torch

from segbench.analysis.rank import ranking
from segbench.cache import cache_dir, keep, kept
from segbench.inference.checkpoint import save_checkpoint
from segbench.progress import Reporter
from segbench.records import frame, index
from segbench.training.optimizer import make_optimizer
from segbench.training.state import STATE, Epoch, Job, Learner, load_state, save_state
from segbench.training.tracking import RUNS, tracking
from segbench.types import ModelFile, ModelOptions, Tracker
from segbench_plugins.commands.leaderboard.formats import as_csv
from segbench_plugins.commands.suite.subject import Subject
from segbench_plugins.datasets.folder.description import FILE, read_description
from segbench_plugins.runtimes.onnx.file.load import load_onnx
from segbench_plugins.trackers.tensorboard import FOLDER, TensorBoardRun
from tests.long.mutate import Format
from tests.onnx_files import nearest_color
from tests.tiny import MODERN, SIZE, TinyEncoder, fcn8s_over, tiny_dataset

RECORDS = Path(__file__).parents[1] / "records"
QUIET = Reporter(quiet=True)
CONFIG = {"backbone": "tiny", "dataset": "tiny", "height": 32, "width": 64, "seed": 0}
TIMING = bytes(range(256))


def index_written(path: Path) -> None:
    """``path`` becomes the index of a copy of the records."""
    shutil.copytree(RECORDS, path.parent / "results")
    ranked(path.parent / "results")
    shutil.copy(path.parent / "results" / index.NAME, path)


def index_read(path: Path) -> str:
    shutil.copy(path, path.parent / "results" / index.NAME)
    return ranked(path.parent / "results")


def ranked(results: Path) -> str:
    """The leaderboard of a folder that has an index, however few and new its records are."""
    with patch.object(frame, "MANY", 1), patch.object(index, "SETTLED", 0):
        return as_csv(ranking(frame.read_frame(results)[0]))


def learner() -> Learner:
    torch.manual_seed(0)
    model = fcn8s_over(TinyEncoder(), 11)
    return Learner(model, make_optimizer(model, MODERN), torch.amp.GradScaler(enabled=False), None)


def job(path: Path) -> Job:
    return Job(MODERN, 0, torch.device("cpu"), path.parent / "out", CONFIG)


def state_written(path: Path) -> None:
    (path.parent / "out").mkdir()
    save_state(job(path), learner(), [Epoch(1, 1.0, 0.5, 1.0, 0.5, 0.1, 1.0)])
    shutil.copy(path.parent / "out" / STATE, path)


def state_read(path: Path) -> str:
    shutil.copy(path, path.parent / "out" / STATE)
    resumed = learner()
    for parameter in resumed.model.parameters():
        parameter.data.zero_()
    curve = load_state(job(path), resumed)
    weights = torch.cat([each.flatten() for each in resumed.model.net.state_dict().values()])
    return repr((weights.tolist(), resumed.optimizer.state_dict(), curve))


def runs_written(path: Path) -> None:
    path.write_text('{"tensorboard": {"id": "20261124T163910.000001Z", "epochs": 3}}')


def runs_read(path: Path) -> None:
    """What a resumed training goes on with stays below its folder."""
    output = path.parent / "out"
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir()
    shutil.copy(path, output / RUNS)
    before = sorted(path.parent.iterdir())
    board = Tracker("tensorboard", "event files", TensorBoardRun)
    with tracking([board], CONFIG, output, True, QUIET) as tracked:
        assert tracked.logged["tensorboard"] >= 0
    assert [each.name for each in output.iterdir() if each.is_dir()] == [FOLDER]
    assert sorted(path.parent.iterdir()) == before


def classes_written(path: Path) -> None:
    path.write_text(
        '{"name": "yard", "classes": [{"name": "grass", "color": [0, 200, 0], "id": 3}, '
        '{"name": "path", "color": [90, 90, 90], "id": 7}], "ignored": [255], "size": [64, 128]}'
    )


def classes_read(path: Path) -> None:
    shutil.copy(path, path.parent / FILE)
    read_description(path.parent)


def order_written(path: Path) -> None:
    nearest_color(path.with_name("network.onnx"))
    path.write_text("\n".join(tiny_dataset().classes) + "\n")


def order_read(path: Path) -> None:
    options = ModelOptions(class_order=str(path))
    load_onnx(ModelFile(path.with_name("network.onnx"), tiny_dataset(), options), SIZE)


def timing_written(path: Path) -> None:
    """``path`` becomes what a cache keeps for the next build of an engine."""
    keep(cache_dir("engines") / "a.timing", TIMING)
    path.write_bytes(TIMING)


def timing_read(path: Path) -> bytes:
    """What the builder gets: what was kept, or nothing, which is where it starts from."""
    shutil.copy(path, cache_dir("engines") / "a.timing")
    return kept(cache_dir("engines") / "a.timing") or TIMING


def subject_written(path: Path) -> None:
    torch.manual_seed(0)
    save_checkpoint(path, fcn8s_over(TinyEncoder(), 11), CONFIG)


def subject_read(path: Path) -> None:
    height, width = Subject.read(path).size
    assert height > 0 < width


OWN_FILES = {
    "index of records": Format(index_written, index_read, ".sqlite", checked=True),
    "state of a training": Format(state_written, state_read, ".pt", checked=True),
    "runs in trackers": Format(runs_written, runs_read, ".json"),
    "classes.json": Format(classes_written, classes_read, ".json"),
    "class order": Format(order_written, order_read, ".txt"),
    "timing cache": Format(timing_written, timing_read, ".timing", checked=True),
    "checkpoint in a suite": Format(subject_written, subject_read, ".safetensors"),
}
