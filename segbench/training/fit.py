"""The training loop, read from top to bottom.

Random numbers are determined by (seed, epoch), and the state after each epoch is on disk before the
next begins. So a resumed run ends with the same weights as an uninterrupted one.

With several ranks, all draw the same numbers and take the same steps, each on its own rows of every
batch; rank 0 writes. With three or more, a resumed run adds their gradients in another order.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from segbench.data.frames import Split
from segbench.device import training_dtype
from segbench.errors import SegbenchError
from segbench.inference.tensors import (
    confusion_on_device,
    memory_format,
    sent,
    to_device,
    weight_format,
)
from segbench.networks.model import SegmentationModel
from segbench.progress import Reporter
from segbench.scoring.confusion import mean_iou
from segbench.training.augment import augment
from segbench.training.loss import Loss, make_loss
from segbench.training.optimizer import make_optimizer, rate, set_rate, should_stop
from segbench.training.state import Epoch, Job, Learner, load_state, moving_average, save_state
from segbench.training.validation import Validation
from segbench.training.world import World, even_parts

SCORE_STRIDE = 4
"""Training mIoU uses every 4th pixel each way."""
WITHOUT_GRADIENTS = 2
"""A pass without gradients has memory for this many times the pixels of a training step."""
STEPS_BETWEEN_LOSSES = 10
"""Reading the loss synchronizes the device, so it is read only sometimes."""

Logger = Callable[[SegmentationModel, Sequence[Epoch]], None]
"""Called after each epoch with the curve so far."""


@dataclass(frozen=True)
class Pass:
    """The results of one pass over the training split."""

    loss: float
    miou: float
    lr: float


def fit(
    model: SegmentationModel,
    split: Split,
    validate: Callable[[SegmentationModel], Validation] | None,
    job: Job,
    reporter: Reporter,
    resume: bool = False,
    logger: Logger | None = None,
) -> list[Epoch]:
    """Train until the last epoch or an early stop and return the learning curve.

    Writes ``best.safetensors`` (by validation mIoU; without ``validate`` the last epoch's),
    ``last.safetensors`` and ``state.pt`` in ``job.output``. With ``resume`` it continues from the
    state there.
    """
    recipe, world = job.recipe, job.world
    dtype = training_dtype(recipe.precision, job.device)
    batch_size = min(recipe.batch_size, len(split.images))
    torch.backends.cudnn.benchmark = True  # all batches have the same shape
    model.to(job.device).to(memory_format=weight_format(model, dtype, job.device))
    scaler = torch.amp.GradScaler(job.device.type, enabled=dtype == torch.float16)
    curve: list[Epoch] = []
    at_once = job.images_at_once(batch_size)
    if not resume:
        share = math.prod(recipe.crop or recipe.size) / math.prod(recipe.size)
        most = max(1, int(WITHOUT_GRADIENTS * at_once * share))
        first = split.images[: min(batch_size, most)]
        model.prepare_training(to_device(first, job.device, dtype))
    learner = Learner(
        model,
        make_optimizer(model, recipe),
        scaler,
        moving_average(model, recipe),
        world.parallel(model, at_once, recipe.crop or recipe.size),
    )
    if resume:
        curve = load_state(job, learner)
    loss = make_loss(recipe, split.labels, model.classes, job.device)

    for epoch in range(len(curve), recipe.epochs):
        scores = [entry.val_miou for entry in curve if entry.val_miou is not None]
        if should_stop(scores, recipe.patience):
            reporter.say(f"early stop: no better validation mIoU in {recipe.patience} epochs")
            break
        started = time.perf_counter()
        trained = train_epoch(learner, split, loss, job, epoch, scores, reporter)
        world.align(learner.model, learner.average)
        validation = validate(learner.kept) if validate else Validation(None, None)
        if not math.isfinite(trained.loss + (validation.loss or 0)):
            kept = f" The best checkpoint so far is in {job.output}." if curve else ""
            raise SegbenchError(
                f"The loss is not finite in epoch {epoch + 1}; start again with a lower --lr, "
                f"which is probably too high, or with --precision fp32.{kept}"
            )
        seconds = time.perf_counter() - started
        curve.append(
            Epoch(
                epoch=epoch + 1,
                train_loss=trained.loss,
                train_miou=trained.miou,
                val_loss=validation.loss,
                val_miou=validation.miou,
                lr=trained.lr,
                seconds=seconds,
                world=job.described(batch_size),
            )
        )
        if world.first:
            save_state(job, learner, curve)
        reporter.say(_line(curve[-1], recipe.epochs))
        if logger is not None:
            logger(learner.kept, curve)
    return curve


def train_epoch(
    learner: Learner,
    split: Split,
    loss: Loss,
    job: Job,
    epoch: int,
    scores: list[float],
    reporter: Reporter,
) -> Pass:
    """One pass over the split in random order; a smaller last batch is dropped.

    ``scores`` are the validation mIoUs of past epochs.
    """
    recipe, model, world = job.recipe, learner.model, job.world
    dtype = training_dtype(recipe.precision, job.device)
    generator = _seeded(job.seed, epoch, world)
    order = torch.randperm(len(split.images), generator=generator).numpy()
    batch_size = min(recipe.batch_size, len(order))
    steps = len(order) // batch_size
    rows, rounds = world.rows(batch_size), job.rounds(batch_size)
    total_loss = torch.zeros((), device=job.device)
    matrix = torch.zeros(model.classes, model.classes, dtype=torch.int64, device=job.device)
    started = time.perf_counter()
    model.train()
    with reporter.steps(steps, f"epoch {epoch + 1}/{recipe.epochs}") as show:
        for step in range(steps):
            chosen = order[step * batch_size : (step + 1) * batch_size][rows]
            images = to_device(split.images[chosen], job.device, dtype)
            labels = sent(split.labels[chosen], job.device)
            images, labels = augment(
                images, labels, recipe.augmentation, generator, recipe.crop, rows, batch_size
            )
            images = images.contiguous(memory_format=memory_format(dtype))
            labels = labels.long()
            factor = rate(recipe.schedule, (epoch + step / steps) / recipe.epochs, scores)
            set_rate(learner.optimizer, factor)

            learner.optimizer.zero_grad(set_to_none=True)
            weight = world.sum(loss.weight(labels))
            step_loss = torch.zeros((), device=job.device)
            for part in even_parts(len(images), rounds):
                with learner.exchanging(gradients=part.stop == len(images)):
                    with torch.autocast(job.device.type, dtype, enabled=dtype != torch.float32):
                        logits = learner.logits(images[part])
                    value = loss(logits.float(), labels[part], weight)
                    learner.scaler.scale(value * world.size).backward()  # ranks are averaged
                step_loss += value.detach()
                sampled = (..., slice(None, None, SCORE_STRIDE), slice(None, None, SCORE_STRIDE))
                matrix += confusion_on_device(logits.detach()[sampled], labels[part][sampled])
            learner.scaler.step(learner.optimizer)
            learner.scaler.update()
            if learner.average is not None:
                learner.average.update_parameters(model)

            total_loss += step_loss
            speed = (step + 1) * batch_size / (time.perf_counter() - started)
            if step % STEPS_BETWEEN_LOSSES == 0:
                shown_loss = float(step_loss) * world.size
            show(f"loss {shown_loss:.3f}, lr {recipe.lr * factor:.2g}, {speed:.1f} images/s")
    score = mean_iou(world.sum(matrix).cpu().numpy()) or 0.0
    return Pass(float(world.sum(total_loss)) / steps, score, recipe.lr * factor)


def _seeded(seed: int, epoch: int, world: World) -> torch.Generator:
    """A generator for order and augmentation, the same on all ranks.

    Dropout draws from torch's own, which is seeded by (seed, epoch) and rank.
    """
    mixed = int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0])
    own = [seed, epoch] if world.first else [seed, epoch, world.rank]
    torch.manual_seed(int(np.random.SeedSequence(own).generate_state(1)[0]))
    return torch.Generator().manual_seed(mixed)


def _line(entry: Epoch, epochs: int) -> str:
    validated = ""
    if entry.val_miou is not None:
        validated = f" validation loss {entry.val_loss:.4f}, mIoU {entry.val_miou:.4f};"
    return (
        f"epoch {entry.epoch}/{epochs}: train loss {entry.train_loss:.4f}, "
        f"mIoU {entry.train_miou:.4f};{validated} lr {entry.lr:.2e}; {entry.seconds:.1f} s"
    )
