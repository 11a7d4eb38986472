"""A disk that is full: one sentence, and nothing half written. A limit on files stands for it."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

from segbench.data.frames import cached_split, labelled_frames
from segbench.errors import SegbenchError
from segbench.inference.checkpoint import save_checkpoint
from segbench.progress import Reporter
from segbench.records.record import Record, read_record, write_record
from segbench.training.optimizer import make_optimizer
from segbench.training.state import STATE, Epoch, Job, Learner, save_state
from tests.tiny import MODERN, SIZE, TinyEncoder, fcn8s_over, tiny_dataset, write_tiny

QUIET = Reporter(quiet=True)
CONFIG = {"backbone": "tiny", "dataset": "tiny", "height": 32, "width": 64}


@contextmanager
def full(size: int) -> Iterator[None]:
    """No file may grow over ``size`` bytes: a write that does is an OSError, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_frames(tmp_path: Path, own_cache: Path) -> None:
    frames = labelled_frames(tiny_dataset(), write_tiny(tmp_path) / "tiny", "train")
    with full(20_000), pytest.raises(SegbenchError, match="cannot be written"):
        cached_split(tiny_dataset(), frames, SIZE, "key", QUIET)
    assert not list((own_cache / "frames").iterdir())
    assert len(cached_split(tiny_dataset(), frames, SIZE, "key", QUIET).images) == 6


def test_checkpoints_and_states(tmp_path: Path) -> None:
    model = fcn8s_over(TinyEncoder(), 11)
    scaler = torch.amp.GradScaler(enabled=False)
    learner = Learner(model, make_optimizer(model, MODERN), scaler, None)
    job = Job(MODERN, 0, torch.device("cpu"), tmp_path, CONFIG)
    curve = [Epoch(1, 1.0, 0.5, 1.0, 0.5, 0.1, 1.0)]
    save_state(job, learner, curve)
    whole = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    for size in (1000, len(whole[STATE]) - 100):
        with full(size), pytest.raises(SegbenchError, match="cannot be written"):
            save_state(job, learner, curve)
    with full(1000), pytest.raises(SegbenchError, match="cannot be written"):
        save_checkpoint(tmp_path / "best.safetensors", model, CONFIG)
    assert {path.name for path in tmp_path.iterdir()} == set(whole)
    assert (tmp_path / STATE).read_bytes() == whole[STATE]


def test_records_are_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = Record("run", CONFIG | {"runtime": "eager"}, {"score": 0.5}, {})
    arrays = {"confusion": np.random.default_rng(0).integers(0, 9**9, (40, 11, 12))}
    with full(2000), pytest.raises(SegbenchError, match="cannot be written"):
        write_record(record, tmp_path, arrays)
    assert not list((tmp_path / "run").iterdir())
    saved = tmp_path / "printed.json"
    saved.write_text(capsys.readouterr().out)
    assert read_record(saved).metrics["score"] == 0.5
