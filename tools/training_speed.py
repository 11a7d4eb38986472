"""Training throughput: an epoch as ``segbench run`` trains it, against its bare steps.

``python -m tools.training_speed --device cuda --backbone vgg16 --output speed.json``
"""

import json
import time
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import torch

from segbench.cli.options import COUNT, SIZE
from segbench.data.frames import Split
from segbench.device import describe, resolve_device, training_dtype
from segbench.inference.networks import chosen_network
from segbench.inference.tensors import memory_format, to_device, weight_format
from segbench.networks.model import SegmentationModel
from segbench.plugins import Registry
from segbench.progress import Reporter
from segbench.training.fit import train_epoch
from segbench.training.loss import Loss
from segbench.training.optimizer import make_optimizer
from segbench.training.state import Job, Learner, moving_average
from segbench.types import MODERN, Size

CLASSES = 19


@click.command()
@click.option("--backbone", default="vgg16")
@click.option("--device", default="auto")
@click.option("--size", type=SIZE, default="256x512")
@click.option("--frames", type=COUNT, default=2975, help="Frames in an epoch; Cityscapes has 2975.")
@click.option("--output", type=click.Path(path_type=Path), required=True)
def main(backbone: str, device: str, size: Size, frames: int, output: Path) -> None:
    """Time an epoch of the Cityscapes recipe on random frames, and as many bare steps."""
    place = resolve_device(device)
    recipe = replace(MODERN, size=size, epochs=2, batch_size=min(MODERN.batch_size, frames))
    dtype = training_dtype(recipe.precision, place)
    torch.backends.cudnn.benchmark = True
    torch.manual_seed(0)
    model = SegmentationModel(chosen_network(Registry.load(), None, backbone), CLASSES).to(place)
    model.to(memory_format=weight_format(model, dtype, place))
    scaler = torch.amp.GradScaler(place.type, enabled=dtype == torch.float16)
    learner = Learner(model, make_optimizer(model, recipe), scaler, moving_average(model, recipe))
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (frames, *size, 3), dtype=np.uint8)
    split = Split(images, rng.integers(0, CLASSES, (frames, *size), dtype=np.uint8))
    job = Job(recipe, 0, place, output.parent, {})
    loss = Loss(torch.ones(CLASSES, device=place), recipe.lovasz)

    def bare(steps: int) -> None:
        batch = to_device(images[: recipe.batch_size], place, dtype)
        batch = batch.contiguous(memory_format=memory_format(dtype))
        labels = torch.from_numpy(split.labels[: recipe.batch_size]).to(place).long()
        model.train()
        for _ in range(steps):
            with torch.autocast(place.type, dtype, enabled=dtype != torch.float32):
                logits = model(batch)
            value = loss(logits.float(), labels)
            learner.optimizer.zero_grad(set_to_none=True)
            value.backward()
            learner.optimizer.step()

    def wait() -> None:
        if place.type == "cuda":
            torch.cuda.synchronize(place)

    def seconds(steps: int, epoch: int | None) -> float:
        """Of one epoch by its number, or of bare steps."""
        wait()
        started = time.perf_counter()
        if epoch is None:
            bare(steps)
        else:
            train_epoch(learner, split, loss, job, epoch, [], Reporter(quiet=True))
        wait()
        return time.perf_counter() - started

    steps = frames // recipe.batch_size
    bare(min(steps, 10))
    found = {"bare_s": seconds(steps, None), "epoch_s": min(seconds(steps, n) for n in (0, 1))}
    found |= {"images_per_s": steps * recipe.batch_size / found["epoch_s"]}
    said = {"backbone": backbone, "device": describe(place), "size": size, "frames": frames}
    output.write_text(json.dumps(said | {"precision": str(dtype)} | found, indent=1) + "\n")
    click.echo(output.read_text())


if __name__ == "__main__":
    main()
