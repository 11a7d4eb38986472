"""Train the network of an experiment."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from segbench.data.frames import cached_split
from segbench.errors import SegbenchError, memory_may_be_short
from segbench.inference.checkpoint import fine_tuned
from segbench.inference.weights import LoadedWeights, build_model
from segbench.jobs.experiment import Experiment
from segbench.jobs.plan import RunOptions
from segbench.progress import Reporter
from segbench.text import counted
from segbench.training.tracking import Tracking

if TYPE_CHECKING:
    from segbench.networks.model import SegmentationModel
    from segbench.training.state import Epoch


def new_network(options: RunOptions) -> "tuple[SegmentationModel, LoadedWeights]":
    """The network with its initial weights, determined by the seed."""
    import torch

    torch.manual_seed(options.seed)
    classes = len(options.dataset.classes)
    if options.fine_tune:
        model, loaded = fine_tuned(options.network, classes, Path(options.weights))
    else:
        model, loaded = build_model(options.network, classes, options.weights)
    size = options.recipe.crop or options.recipe.size
    with memory_may_be_short(1, size):
        model.check_output(size)
    return model, loaded


def train(
    experiment: Experiment,
    model: "SegmentationModel",
    tracked: Tracking,
    reporter: Reporter,
    resume: bool = False,
) -> "list[Epoch]":
    """Train, write checkpoints to the experiment's folder and return the learning curve."""
    from segbench.device import resolve_device, slow_precision
    from segbench.training.fit import fit
    from segbench.training.memory import largest_micro_batch
    from segbench.training.state import Job
    from segbench.training.validation import Validator

    options, splits, world = experiment.options, experiment.splits, experiment.world
    dataset, recipe = options.dataset, options.recipe
    device = resolve_device(options.device)
    if warning := slow_precision(recipe.precision, device.type):
        reporter.say(f"Warning: {warning}")
    cached = {
        split: cached_split(dataset, splits[split], recipe.size, experiment.prints[split], reporter)
        for split in ("train", "val")
        if split in splits
    }
    job = Job(recipe, options.seed, device, experiment.output, experiment.config, world)
    logger = None
    if tracked.runs:
        sample = cached.get("val", cached["train"]).images
        logger = partial(tracked.log_epoch, dataset, sample)
    validate = None
    if "val" in cached:
        validate = Validator(
            dataset,
            splits["val"][world.share],
            cached["val"].images[world.share],
            job.device,
            recipe.precision,
            reporter,
            world,
        )
    batch_size = min(recipe.batch_size, len(splits["train"]))
    advice = "make --size or --crop smaller"
    if recipe.accumulate:
        with _batch_norm_has_values():
            job = replace(job, micro_batch=largest_micro_batch(model, cached["train"], job))
        reporter.say(
            f"{counted(job.images_at_once(batch_size), 'image')} at once fit in memory: "
            f"each step takes {counted(job.rounds(batch_size), 'round')}"
        )
    else:
        advice = f"use --batch-size auto, or {advice}"
    at_once = job.images_at_once(batch_size)
    short = memory_may_be_short(at_once, recipe.crop or recipe.size, advice)
    with reporter.working("train"), short, _batch_norm_has_values():
        return fit(model, cached["train"], validate, job, reporter, resume, logger)


@contextmanager
def _batch_norm_has_values() -> Iterator[None]:
    """A layer on the mean of an image, as in DeepLabV3, needs two images at once."""
    try:
        yield
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        raise SegbenchError(
            "A batch of one image leaves this network a single value at a batch normalisation, "
            "which cannot train on that; make --batch-size larger, and --limit if there is one."
        ) from error
