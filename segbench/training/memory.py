"""The number of images per pass of a training step, if a batch does not fit in memory."""

from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from segbench.data.frames import Split
from segbench.device import training_dtype
from segbench.device.cpu import MOUNT, OWN_GROUPS, group_folders
from segbench.errors import SegbenchError, kept, out_of_memory
from segbench.inference.tensors import to_device, weight_format
from segbench.networks.model import SegmentationModel
from segbench.training.loss import make_loss
from segbench.training.optimizer import make_optimizer
from segbench.training.state import Job

SAMPLE = 2
"""With one image batch norm may see a single value."""
PEAK = 2.0
"""On CPUs a step's peak relative to the activations kept for its gradients: measured 1.2
(MobileNet, VGG16) to 1.7 (ERFNet)."""
PER_WEIGHT = 3
"""A gradient and AdamW's two moments."""


def largest_micro_batch(model: SegmentationModel, split: Split, job: Job) -> int:
    """A rank's part of the batch, or half of it, a quarter, ...: the first that fits on all ranks.

    On GPUs a step of each is tried. On CPUs memory is overcommitted and the process killed later,
    so the bytes that a step keeps are measured on two images. Raises SegbenchError if nothing fits.
    """
    batch_size = min(job.recipe.batch_size, len(split.images))
    part = job.images_at_once(batch_size)
    jobs = (replace(job, micro_batch=-(-part // 2**n)) for n in range(part.bit_length() + 1))
    sizes = list(dict.fromkeys(each.images_at_once(batch_size) for each in jobs))
    devices = [torch.cuda.current_device()] if job.device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        if job.device.type == "cuda":
            mine = next((count for count in sizes if _fits(model, split, job, count)), 0)
        else:
            most = images_in_memory(model, split, job)
            mine = next((count for count in sizes if count <= most), 0)
    smallest: int = min(job.world.gather(mine))
    if smallest == 0:
        height, width = job.recipe.crop or job.recipe.size
        fewest = "one image" if sizes[-1] == 1 else f"{sizes[-1]} images"
        raise SegbenchError(
            f"Not even {fewest} of {height}x{width} at once fit in memory for training; make "
            "--size or --crop smaller."
        )
    return smallest


def images_in_memory(model: SegmentationModel, split: Split, job: Job) -> int:
    """How many images a step on CPUs has memory for, next to the host's other ranks."""
    weights = {each.untyped_storage().data_ptr() for each in model.parameters()}
    activations: dict[int, int] = {}

    def count(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            activations[storage.data_ptr()] = storage.nbytes()
        return tensor

    trained = deepcopy(model)
    weights |= {each.untyped_storage().data_ptr() for each in trained.parameters()}
    with saved_tensors_hooks(count, lambda tensor: tensor):
        _loss(trained, split, job, SAMPLE)
    ranks = -(-job.world.size // job.world.hosts)
    per_weight = PER_WEIGHT + (job.recipe.ema is not None)
    free = available_memory() / ranks - per_weight * 4 * model.count_parameters()
    return int(max(0, free) / (PEAK * sum(activations.values()) / SAMPLE))


def _fits(model: SegmentationModel, split: Split, job: Job, count: int) -> bool:
    """Whether a step on ``count`` images, with a copy of the model, fits in memory."""
    dtype = training_dtype(job.recipe.precision, job.device)
    try:
        trained = deepcopy(model).to(job.device)
        trained.to(memory_format=weight_format(model, dtype, job.device))
        optimizer = make_optimizer(trained, job.recipe)
        _loss(trained, split, job, count).backward()
        optimizer.step()
    except Exception as error:
        if not out_of_memory(error):
            raise
        kept(error)
        return False
    finally:
        trained = optimizer = None  # type: ignore[assignment]
        torch.cuda.empty_cache()
    return True


def _loss(model: SegmentationModel, split: Split, job: Job, count: int) -> Tensor:
    """A batch of the first ``count`` images, repeated if there are fewer."""
    recipe = job.recipe
    dtype = training_dtype(recipe.precision, job.device)
    height, width = recipe.crop or recipe.size
    chosen = np.arange(count) % len(split.images)
    images = to_device(split.images[chosen][:, :height, :width], job.device, dtype)
    labels = torch.from_numpy(split.labels[chosen][:, :height, :width]).to(job.device).long()
    loss = make_loss(recipe, split.labels[:1], model.classes, job.device)
    model.train()
    with torch.autocast(job.device.type, dtype, enabled=dtype != torch.float32):
        logits = model(images)
    return loss(logits.float(), labels)


def available_memory(own_groups: Path = OWN_GROUPS, mount: Path = MOUNT) -> int:
    """Available memory in bytes: the system's, or what the container's limit leaves if less.

    Reads both versions of control groups.
    """
    spare: int = psutil.virtual_memory().available
    left = (_left(folder) for folder in group_folders("memory", own_groups, mount))
    return max(0, min([spare, *(each for each in left if each is not None)]))


def _left(folder: Path) -> int | None:
    """The page cache counts as used, but its inactive files can be evicted."""
    for limit, usage in (
        ("memory.max", "memory.current"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes"),
    ):
        try:
            most, used = (
                int((folder / name).read_text(encoding="utf-8")) for name in (limit, usage)
            )
            lines = (folder / "memory.stat").read_text(encoding="utf-8").splitlines()
        except (OSError, ValueError):  # missing, or "max"
            continue
        counts = dict(line.split(maxsplit=1) for line in lines)
        return most - used + int(counts.get("total_inactive_file", counts.get("inactive_file", 0)))
    return None
