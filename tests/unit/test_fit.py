"""Training: it learns, it repeats, and it goes on after a stop as if there had been none."""

from dataclasses import replace
from pathlib import Path
from zipfile import ZipFile

import pytest
import torch
from safetensors.torch import load_file

from segbench.data.frames import cached_split, labelled_frames
from segbench.errors import SegbenchError
from segbench.networks.model import SegmentationModel
from segbench.progress import Reporter
from segbench.training.fit import fit
from segbench.training.loss import class_weights, cross_entropy, lovasz_softmax
from segbench.training.optimizer import make_optimizer, should_stop
from segbench.training.state import BEST, LAST, STATE, Epoch, Job
from segbench.training.validation import Validation, Validator
from segbench.types import IGNORED, InputConvention, Recipe
from tests.tiny import (
    CLASSES,
    MODERN,
    ORIGINAL,
    SIZE,
    TinyEncoder,
    fcn8s_over,
    tiny_dataset,
    write_tiny,
)

QUIET = Reporter(quiet=True)
TINY = tiny_dataset()


class KilledError(Exception):
    """Stands for whatever ends a process."""


def train(
    root: Path,
    recipe: Recipe = MODERN,
    die_in: int | None = None,
    resume: bool = False,
    validated: bool = True,
) -> list[Epoch]:
    """Train into ``root/out``; ``die_in`` kills the run in the validation of that epoch."""
    if not (root / "tiny").exists():
        write_tiny(root)
    folder = TINY.locate(root)
    frames = {split: labelled_frames(TINY, folder, split) for split in ("train", "val")}
    splits = {name: cached_split(TINY, f, SIZE, name, QUIET) for name, f in frames.items()}
    torch.manual_seed(0)
    model = fcn8s_over(TinyEncoder(), len(CLASSES), InputConvention())
    config = {"backbone": "tiny", "dataset": "tiny", "epochs": recipe.epochs}
    job = Job(recipe, 0, torch.device("cpu"), root / "out", config)
    job.output.mkdir(exist_ok=True)
    validator = Validator(TINY, frames["val"], splits["val"].images, job.device, "fp32", QUIET)
    done = []

    def validate(model: SegmentationModel) -> Validation:
        done.append(model)
        if die_in is not None and len(done) == die_in:
            raise KilledError
        return validator(model)

    return fit(model, splits["train"], validate if validated else None, job, QUIET, resume)


def test_the_loss_is_the_weighted_mean_of_the_labelled_pixels() -> None:
    logits = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0), requires_grad=True)
    labels = torch.randint(0, 3, (2, 4, 5), generator=torch.Generator().manual_seed(1))
    labels[0, 0] = IGNORED
    weights = torch.tensor([1.0, 2.0, 5.0])
    expected = torch.nn.functional.cross_entropy(logits, labels, weights, ignore_index=IGNORED)
    torch.testing.assert_close(cross_entropy(logits, labels, weights), expected)


def test_a_batch_without_labels_teaches_nothing() -> None:
    logits = torch.randn(1, 3, 4, 5, requires_grad=True)
    loss = cross_entropy(logits, torch.full((1, 4, 5), IGNORED), torch.ones(3))
    loss.backward()
    assert float(loss.detach()) == 0
    assert not logits.grad.any()


def test_of_hard_decisions_lovasz_is_one_minus_the_mean_iou_of_the_classes_present() -> None:
    labels = torch.tensor([[[0, 0, 0, 1], [1, 1, IGNORED, IGNORED]]])
    decided = torch.tensor([[[0, 0, 1, 1], [1, 2, 2, 0]]])
    logits = 50 * torch.nn.functional.one_hot(decided, 4).permute(0, 3, 1, 2).float()
    expected = 1 - (2 / 3 + 2 / 4) / 2
    assert float(lovasz_softmax(logits, labels)) == pytest.approx(expected, abs=1e-6)
    assert float(lovasz_softmax(logits, torch.full_like(labels, IGNORED))) == 0


def test_it_learns(tmp_path: Path) -> None:
    curve = train(tmp_path, replace(MODERN, epochs=25))
    assert curve[-1].val_miou > 0.5 > curve[0].val_miou
    assert curve[-1].train_loss < curve[0].train_loss


@pytest.mark.parametrize("recipe", [MODERN, ORIGINAL, replace(MODERN, precision="bf16", ema=0.9)])
@pytest.mark.parametrize("die_in", [1, 2, 3])
def test_a_stopped_run_ends_with_the_same_weights(
    tmp_path: Path, recipe: Recipe, die_in: int
) -> None:
    whole = train(tmp_path / "whole", recipe) if (tmp_path / "whole").mkdir() is None else None
    (tmp_path / "halves").mkdir()
    with pytest.raises(KilledError):
        train(tmp_path / "halves", recipe, die_in=die_in)
    resumed = train(tmp_path / "halves", recipe, resume=die_in > 1)
    assert [replace(e, seconds=0) for e in resumed] == [replace(e, seconds=0) for e in whole]
    for name in (BEST, LAST):
        one, other = (load_file(tmp_path / run / "out" / name) for run in ("whole", "halves"))
        assert all(torch.equal(one[key], other[key]) for key in one)


def test_a_state_whose_weights_have_changed_is_refused(tmp_path: Path) -> None:
    train(tmp_path, replace(MODERN, epochs=1))
    path = tmp_path / "out" / STATE
    state = bytearray(path.read_bytes())
    with ZipFile(path) as archive:
        largest = max(archive.infolist(), key=lambda member: member.file_size)
        state[state.index(archive.read(largest))] ^= 1
    path.write_bytes(state)
    with pytest.raises(SegbenchError, match=f"{STATE} is damaged"):
        train(tmp_path, replace(MODERN, epochs=1), resume=True)


def test_resuming_with_other_options_is_refused(tmp_path: Path) -> None:
    train(tmp_path)
    with pytest.raises(SegbenchError, match="--epochs was"):
        train(tmp_path, replace(MODERN, epochs=9), resume=True)


def test_a_loss_that_is_not_finite_ends_the_run_and_keeps_what_was_done(tmp_path: Path) -> None:
    train(tmp_path, replace(MODERN, epochs=1))
    with pytest.raises(SegbenchError, match="not finite in epoch 1; start again with a lower --lr"):
        train(tmp_path, replace(MODERN, optimizer="sgd", lr=1e30))
    assert (tmp_path / "out" / BEST).exists()


def test_the_average_of_the_weights_is_kept(tmp_path: Path) -> None:
    """Which starts as the weights after the first step."""
    for name in ("plain", "averaged"):
        (tmp_path / name).mkdir()
    one_step = replace(MODERN, epochs=1, batch_size=8, schedule="constant")
    train(tmp_path / "plain", one_step)
    train(tmp_path / "averaged", replace(one_step, ema=0.5))
    first, average = (load_file(tmp_path / n / "out" / BEST) for n in ("plain", "averaged"))
    assert all(torch.equal(first[key], average[key]) for key in first)


def test_without_validation_the_last_epoch_is_kept(tmp_path: Path) -> None:
    curve = train(tmp_path, replace(MODERN, epochs=3), validated=False)
    assert [(epoch.val_loss, epoch.val_miou) for epoch in curve] == [(None, None)] * 3
    best, last = (load_file(tmp_path / "out" / name) for name in (BEST, LAST))
    assert all(torch.equal(best[key], last[key]) for key in best)


def test_early_stop(tmp_path: Path) -> None:
    recipe = replace(ORIGINAL, epochs=50, lr=1e-9, patience=2)
    scores = [epoch.val_miou for epoch in train(tmp_path, recipe)]
    assert len(scores) < 50
    assert should_stop(scores, 2)
    assert not should_stop(scores[:-1], 2)


def test_bfloat16_trains_too(tmp_path: Path) -> None:
    curve = train(tmp_path, replace(MODERN, precision="bf16", epochs=40))
    assert curve[-1].val_miou > 0.6


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd", "rmsprop"])
def test_the_encoder_learns_slower_and_biases_do_not_decay(optimizer: str) -> None:
    model = fcn8s_over(TinyEncoder(), 3, InputConvention())
    recipe = replace(MODERN, optimizer=optimizer)
    groups = make_optimizer(model, recipe).param_groups
    rates = {(group["base_lr"], group["weight_decay"]) for group in groups}
    assert rates == {(0.005, 0.01), (0.005, 0.0), (0.01, 0.01), (0.01, 0.0)}
    assert sum(len(group["params"]) for group in groups) == len(list(model.parameters()))


def test_class_weights_follow_enet() -> None:
    labels = torch.tensor([[[0, 0, 0, 1], [255, 255, 255, 255]]], dtype=torch.uint8).numpy()
    weights = class_weights(labels, 3, offset=1.02)
    expected = [1 / torch.log(torch.tensor(1.02 + share)).item() for share in (0.75, 0.25, 0.0)]
    assert weights.tolist() == pytest.approx(expected, rel=1e-6)
