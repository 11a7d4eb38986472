"""Saving a training's state after every epoch, and resuming from it."""

import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, cast
from zipfile import ZipFile

import torch
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from segbench.errors import SegbenchError
from segbench.files import draft_of
from segbench.inference.checkpoint import BEST, save_checkpoint
from segbench.networks.model import SegmentationModel
from segbench.training.changes import changes
from segbench.training.optimizer import improvements
from segbench.training.world import ALONE, World
from segbench.types import Recipe

LAST, STATE = "last.safetensors", "state.pt"


@dataclass(frozen=True)
class Epoch:
    """One point of the learning curve; ``train_miou`` uses every 4th pixel each way.

    Without a validation split ``val_loss`` and ``val_miou`` are None. ``world`` is the number of
    ranks and images at once; None is one process on whole batches.
    """

    epoch: int
    train_loss: float
    train_miou: float
    val_loss: float | None
    val_miou: float | None
    lr: float
    seconds: float
    world: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Job:
    """What to train and where to write it.

    ``config`` goes into the checkpoints; its ``trained_config`` must be the same when resuming. A
    rank of ``world`` processes at most ``micro_batch`` images at once, accumulating the gradients
    of its part of a batch; None is the whole part.
    """

    recipe: Recipe
    seed: int
    device: torch.device
    output: Path
    config: Mapping[str, Any]
    world: World = ALONE
    micro_batch: int | None = None

    def rounds(self, batch_size: int) -> int:
        """The number of passes for a rank's part of a batch of ``batch_size``."""
        part = -(-batch_size // self.world.size)
        return min(-(-part // (self.micro_batch or part)), batch_size // self.world.size)

    def images_at_once(self, batch_size: int) -> int:
        """The most images of a rank in one pass."""
        part = -(-batch_size // self.world.size)
        return -(-part // self.rounds(batch_size))

    def described(self, batch_size: int) -> dict[str, Any] | None:
        """The ranks and images at once; None is one process on whole batches."""
        at_once = self.images_at_once(batch_size)
        if self.world.size == 1 and at_once == batch_size:
            return None
        return {**self.world.described(), "images_at_once": at_once}


@dataclass(frozen=True)
class Learner:
    """What changes while training; ``parallel`` wraps the model for several ranks."""

    model: SegmentationModel
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    average: AveragedModel | None
    parallel: DistributedDataParallel | None = None

    def logits(self, images: Tensor) -> Tensor:
        """The trained model's logits for ``images``."""
        logits: Tensor = (self.parallel or self.model)(images)
        return logits

    def exchanging(self, gradients: bool) -> AbstractContextManager[None]:
        """In the block, backward sums the ranks' gradients, or leaves that to a later one."""
        if gradients or self.parallel is None:
            return nullcontext()
        return self.parallel.no_sync()

    @property
    def kept(self) -> SegmentationModel:
        """The model that is validated and saved: the moving average if there is one."""
        if self.average is None:
            return self.model
        return cast(SegmentationModel, self.average.module)


def moving_average(model: SegmentationModel, recipe: Recipe) -> AveragedModel | None:
    """The exponential moving average of weights and batch statistics, if the recipe has one."""
    if recipe.ema is None:
        return None
    return AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(recipe.ema), use_buffers=True)


def save_state(job: Job, learner: Learner, curve: Sequence[Epoch]) -> None:
    """Write checkpoints first and the state with their epoch last.

    A kill in between repeats one epoch with the same result.
    """
    latest = curve[-1]
    config = dict(job.config) | {"epoch": latest.epoch, "val_miou": latest.val_miou}
    scores = [epoch.val_miou for epoch in curve if epoch.val_miou is not None]
    if not scores or improvements(scores)[-1]:
        save_checkpoint(job.output / BEST, learner.kept, config)
    save_checkpoint(job.output / LAST, learner.kept, config)
    state = {
        "config": dict(job.config),
        "model": learner.model.net.state_dict(),
        "optimizer": learner.optimizer.state_dict(),
        "scaler": learner.scaler.state_dict(),
        "average": None if learner.average is None else learner.average.state_dict(),
        "curve": [asdict(epoch) for epoch in curve],
    }
    with draft_of(job.output / STATE) as draft, draft.open("wb") as file:
        torch.save(state, file)


def worlds(curve: Sequence[Epoch]) -> list[dict[str, Any]] | None:
    """The ranks that trained, with the number of ``epochs`` of each; None for one process."""
    parts = [
        (dict(world or {}), len(list(same))) for world, same in groupby(curve, lambda e: e.world)
    ]
    if not any(world for world, _ in parts):
        return None
    return [{"epochs": epochs, "ranks": 1, **world} for world, epochs in parts]


def load_state(job: Job, learner: Learner) -> list[Epoch]:
    """Restore the learner from ``save_state``; SegbenchError if it was another training."""
    try:
        if not (job.output / STATE).is_file():
            raise OSError("it is not a regular file")
        with ZipFile(job.output / STATE) as archive:  # torch does not verify checksums
            if damaged := archive.testzip():
                raise ValueError(f"{damaged} is not what was written")
        state = torch.load(job.output / STATE, map_location=job.device, weights_only=True)
        changed = training_changes(job.config, state["config"])
        if not changed:
            return _restored(learner, state)
    except Exception as error:  # a damaged file can raise any error
        raise SegbenchError(
            f"--resume: {job.output / STATE} is damaged or from another version; repeat the run "
            f"with --force, or evaluate its {BEST}."
        ) from error
    raise SegbenchError(
        f"--resume: {job.output} was started with other options: {'; '.join(changed)}. Give the "
        "same options, or another --output."
    )


def training_changes(asked: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """Differences in training between ``asked`` and ``found``, as messages on options."""
    return changes(trained_config(found), trained_config(asked))


def trained_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """``config`` as JSON values, without the fingerprint of the frames scored afterwards."""
    prints = config.get("data", "").split(", ")
    used = [each for each in prints if each.startswith(("train ", "val "))]
    known: dict[str, Any] = json.loads(json.dumps({**config, "data": ", ".join(used)}))
    return known


def _restored(learner: Learner, state: Mapping[str, Any]) -> list[Epoch]:
    learner.model.net.load_state_dict(state["model"])
    learner.optimizer.load_state_dict(state["optimizer"])
    learner.scaler.load_state_dict(state["scaler"])
    if learner.average is not None:
        learner.average.load_state_dict(state["average"])
    return [Epoch(**epoch) for epoch in state["curve"]]
