"""Several ranks train one network: what each computes is its part of what one would."""

import json
import socket
import sys
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch.distributed import HashStore

from segbench.errors import SegbenchError
from segbench.inference.checkpoint import BEST
from segbench.scoring.score import Tally, add_scores
from segbench.training.augment import augment
from segbench.training.loss import Loss
from segbench.training.state import LAST, Epoch, Job, worlds
from segbench.training.world import ALONE, World, _end, even_parts
from segbench.types import IGNORED, Augmentation, InputConvention
from tests.ranks import (
    BATCH_OF_FOUR,
    RECIPES,
    SureEncoder,
    fit_tiny,
    run_ranks,
    tiny_validator,
)
from tests.tiny import CLASSES, fcn8s_over, locate, tiny_dataset, write_tiny
from tests.tiny import frames as tiny_frames


@given(st.integers(0, 100), st.integers(1, 9))
def test_even_parts_have_each_row_once(count: int, parts: int) -> None:
    rows = [list(range(count)[part]) for part in even_parts(count, parts)]
    assert list(chain.from_iterable(rows)) == list(range(count))
    assert max(map(len, rows)) - min(map(len, rows)) <= 1


@given(st.integers(1, 40), st.integers(1, 8), st.none() | st.integers(1, 40))
def test_all_ranks_have_as_many_rounds(batch: int, size: int, micro: int | None) -> None:
    """So that each exchange of theirs has its counterparts."""
    if batch < size:
        return
    worlds = [World(rank, size) for rank in range(size)]
    parts = [len(range(batch)[world.rows(batch)]) for world in worlds]
    job = Job(BATCH_OF_FOUR, 0, torch.device("cpu"), Path(), {}, worlds[0], micro)
    rounds = job.rounds(batch)
    assert sum(parts) == batch
    assert all(part >= rounds >= 1 for part in parts)
    if micro is not None and (micro > 1 or batch % size == 0):
        assert job.images_at_once(batch) <= micro


def test_a_rank_draws_what_one_process_draws_for_its_rows() -> None:
    how = Augmentation((0.5, 2.0), True, (-9, 9), (0.8, 1.2), (0.5, 1.5))
    images = 255 * torch.rand(5, 3, 16, 32, generator=torch.Generator().manual_seed(1))
    labels = torch.randint(0, 4, (5, 16, 32), generator=torch.Generator().manual_seed(2))
    whole = augment(images, labels, how, torch.Generator().manual_seed(3), (8, 8))
    for rows in even_parts(5, 2):
        generator = torch.Generator().manual_seed(3)
        part = augment(images[rows], labels[rows], how, generator, (8, 8), rows, 5)
        assert torch.equal(part[0], whole[0][rows])
        assert torch.equal(part[1], whole[1][rows])


@given(st.integers(1, 5), st.integers(0, 1000))
def test_the_parts_of_a_loss_add_up_to_that_of_the_batch(cut: int, seed: int) -> None:
    """However many of their pixels are ignored."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(6, 3, 4, 4, generator=generator)
    labels = torch.randint(0, 3, (6, 4, 4), generator=generator)
    labels[torch.rand(labels.shape, generator=generator) < 0.7] = IGNORED
    labels[0] = IGNORED
    loss = Loss(torch.tensor([1.0, 2.0, 5.0]))
    parts = [slice(0, cut), slice(cut, 6)]
    weight = sum(loss.weight(labels[part]) for part in parts)
    summed = sum(loss(logits[part], labels[part], weight) for part in parts)
    torch.testing.assert_close(summed, loss(logits, labels))


def test_lovasz_of_equal_parts_is_their_mean() -> None:
    logits = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    labels = torch.randint(0, 3, (2, 8, 8), generator=torch.Generator().manual_seed(1))
    loss = Loss(torch.ones(3), lovasz=1.0)
    halves = [loss(logits[[i]], labels[[i]], loss.weight(labels)) for i in (0, 1)]
    alone = [loss(logits[[i]], labels[[i]]) for i in (0, 1)]
    torch.testing.assert_close(sum(halves), sum(alone) / 2)


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_scores_of_every_nth_frame_add_up(tmp_path: Path, ranks: int) -> None:
    dataset = tiny_dataset()
    frames = tiny_frames(locate(write_tiny(tmp_path)), "train")[:5]
    rng = np.random.default_rng(0)
    guesses = [rng.integers(0, 11, (32, 64)).astype(np.uint8) for _ in frames]

    def score(rank: int, size: int) -> Any:
        tally = Tally(dataset, 1)
        for frame, guess in list(zip(frames, guesses, strict=True))[World(rank, size).share]:
            tally.add(frame, dataset.benchmark.count(frame, guess))
        return tally.score()

    whole = score(0, 1)
    summed = add_scores(dataset, 1, [score(rank, ranks) for rank in range(ranks)])
    assert summed == whole
    assert np.array_equal(summed.confusions, whole.confusions)


def test_accumulated_gradients_are_those_of_one_batch(tmp_path: Path) -> None:
    """Without batch norm, which sees the images at once."""
    write_tiny(tmp_path)
    whole = fit_tiny(tmp_path, "whole", BATCH_OF_FOUR, normalised=False)
    rounds = fit_tiny(tmp_path, "rounds", BATCH_OF_FOUR, micro_batch=2, normalised=False)
    _check_close(tmp_path / "whole", tmp_path / "rounds")
    assert [e.train_loss for e in rounds] == pytest.approx([e.train_loss for e in whole])
    assert [e.world for e in whole] == [None, None]
    assert worlds(rounds) == [
        {"epochs": 2, "ranks": 1, "hosts": 1, "backend": None, "images_at_once": 2}
    ]


@pytest.mark.slow
def test_two_ranks_train_as_one(tmp_path: Path) -> None:
    """Batch norm, ignored pixels and validation included; the same again gives the same bits."""
    write_tiny(tmp_path)
    ranks = run_ranks([["train", str(tmp_path)]] * 2, tmp_path)
    assert [rank.code for rank in ranks] == [0, 0], ranks
    assert "Warning" not in ranks[0].output
    told = json.loads((tmp_path / "told.json").read_text())
    assert told["same"]
    assert (told["sum"], told["first's"], told["hosts"]) == (3, "mine", 1)
    for name in ("whole", "uneven", "averaged"):
        alone = fit_tiny(tmp_path, f"{name} alone", RECIPES[name])
        tolerance = 0.05 if RECIPES[name].lovasz else 1e-4
        assert told[name] == pytest.approx([e.train_loss for e in alone], rel=tolerance)
        if not RECIPES[name].lovasz:
            _check_close(tmp_path / name, tmp_path / f"{name} alone")
    fit_tiny(tmp_path, "rounds alone", BATCH_OF_FOUR, micro_batch=1, normalised=False)
    _check_close(tmp_path / "rounds", tmp_path / "rounds alone")
    for file in (BEST, LAST):
        assert (tmp_path / "whole" / file).read_bytes() == (tmp_path / "again" / file).read_bytes()

    model = fcn8s_over(SureEncoder(), len(CLASSES), InputConvention())
    model.net.load_state_dict(load_file(tmp_path / "own norms" / LAST))
    assert tiny_validator(tmp_path)(model).loss == pytest.approx(told["validation"], rel=1e-5)

    resumed = fit_tiny(tmp_path, "interrupted", BATCH_OF_FOUR, resume=True)
    _check_close(tmp_path / "interrupted", tmp_path / "whole")
    first = {"epochs": 1, "ranks": 2, "hosts": 1, "backend": "gloo", "images_at_once": 2}
    assert worlds(resumed) == [first, {"epochs": 1, "ranks": 1}]


def _check_close(one: Path, other: Path) -> None:
    weights, others = load_file(one / LAST), load_file(other / LAST)
    for name, tensor in weights.items():
        torch.testing.assert_close(tensor, others[name], rtol=1e-3, atol=1e-5)


def test_an_error_is_said_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the rank that fails first; another one says where it was."""
    monkeypatch.setattr("segbench.training.world.os._exit", sys.exit)
    store = HashStore()
    for rank in (1, 0):
        with pytest.raises(SystemExit) as ended:
            _end(SegbenchError("No data."), rank, store)
        assert ended.value.code == 1
    said = capsys.readouterr().err.splitlines()
    assert said == [f"Rank 1 on {socket.gethostname()}:", "Error: No data."]


def test_a_lost_rank_is_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    lost = RuntimeError("[gloo/transport/tcp/pair.cc:547] Connection closed by peer")
    with pytest.raises(SystemExit):
        _end(lost, 0, HashStore())
    assert "Another rank has ended, or cannot be reached; continue" in capsys.readouterr().err
    with pytest.raises(ZeroDivisionError):
        _end(ZeroDivisionError(), 0, HashStore())


def test_a_world_of_one_is_not_named() -> None:
    curve = [Epoch(n, 1.0, 0.5, None, None, 0.1, 1.0) for n in (1, 2)]
    assert worlds(curve) is None
    assert ALONE.tell("x") == "x"
    assert ALONE.gather("x") == ["x"]
    assert replace(curve[0]).world is None
