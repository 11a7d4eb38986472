"""``segbench run``: train, score, draw and record every combination of options."""

import itertools
import os
import sys
from pathlib import Path
from typing import Any

import click

from segbench import api
from segbench.cli import options
from segbench.cli.sources import check_alone
from segbench.cli.terminal import echo
from segbench.errors import InterruptedRun, SegbenchError
from segbench.plugins import Registry
from segbench.progress import Reporter
from segbench.types import DECODERS

from .print_scores import print_record

RECIPE_OPTIONS = (
    "epochs",
    "size",
    "crop",
    "batch_size",
    "lr",
    "encoder_lr_scale",
    "optimizer",
    "patience",
    "class_weights",
    "class_weight_offset",
    "lovasz",
    "ema",
    "precision",
)
SEED = click.IntRange(0, 2**63 - 1)
"""torch takes 64 bits, so --seeds may count beyond the highest --seed."""
HUGE_PAGES = "THP_MEM_ALLOC_ENABLE"
"""torch's switch for memory in pages of 2 MB. A training step reallocates gigabytes, and with pages
of 4 KB that takes a fifth of VGG16's training on a CPU."""


@click.command()
@click.option(
    "--backbone",
    "backbones",
    multiple=True,
    help="FCN8s on this encoder; repeatable. Default: the plugins' default.",
)
@click.option(
    "--network", "networks", multiple=True, help="A network such as enet instead; repeatable."
)
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path),
    help="Fine-tune this checkpoint of segbench run; if --dataset has another number of "
    "classes, the score layers start from random numbers.",
)
@click.option("--dataset", "datasets", multiple=True, required=True)
@options.data_root
@click.option(
    "--weights",
    metavar="imagenet|none|FILE",
    help="Initial weights of the encoder or network; FILE is a safetensors file or a torch state "
    "dict. Default: imagenet, or none for a network without such weights.",
)
@click.option(
    "--recipe", type=click.Choice(["modern", "original"]), default="modern", show_default=True
)
@options.sweep(
    "--train-splits",
    type=click.STRING,
    default=("train",),
    help="Splits to train on. If they include val, the last epoch is kept instead of the best.",
)
@click.option("--epochs", type=options.COUNT, help="Default: the recipe's, as for all below.")
@click.option("--size", type=options.SIZE, help="Network input size.")
@click.option(
    "--crop",
    type=options.SIZE,
    help="Train on random crops of this size. Default: the recipe's, or none with --size.",
)
@click.option(
    "--batch-size",
    type=options.BATCH_SIZE,
    metavar="N|auto",
    help="Images per step, over all ranks. auto: the recipe's, with gradients accumulated over as "
    "many images at once as fit in memory.",
)
@click.option("--lr", type=options.FiniteRange(min=0, min_open=True), help="Learning rate.")
@click.option(
    "--encoder-lr-scale",
    type=options.FiniteRange(min=0, min_open=True),
    metavar="FACTOR",
    help="Learning rate of an encoder that can be pretrained, relative to --lr.",
)
@click.option("--optimizer", type=click.Choice(["adam", "adamw", "sgd", "rmsprop"]))
@click.option("--early-stop/--no-early-stop", default=None, help="Stop when mIoU stops improving.")
@click.option("--patience", type=options.COUNT, help="Epochs without improvement before stopping.")
@click.option("--class-weights/--no-class-weights", default=None, help="Weight rare classes more.")
@click.option(
    "--class-weight-offset",
    type=options.FiniteRange(1, min_open=True),
    metavar="C",
    help="Weights are 1 / ln(C + the class's share of pixels): a larger C makes them milder.",
)
@click.option(
    "--lovasz",
    type=options.FiniteRange(min=0),
    metavar="WEIGHT",
    help="Weight of the Lovász softmax loss, added to the cross-entropy.",
)
@click.option(
    "--ema",
    type=options.FiniteRange(0, 1, max_open=True),
    metavar="DECAY",
    help="Keep a moving average of the weights, with this decay per step.",
)
@click.option(
    "--precision", type=click.Choice(["fp32", "fp16", "bf16", "auto"]), help="Training precision."
)
@click.option(
    "--decoder",
    type=click.Choice(DECODERS),
    help="Decoder of FCN8s; wide fuses features of 128 channels, wide4 scores at stride 4 too. "
    "Default: bilinear.",
)
@options.label_scale
@click.option("--seed", type=SEED, default=0, show_default=True)
@click.option(
    "--seeds",
    type=click.IntRange(1, 1000),
    default=1,
    show_default=True,
    help="Number of seeds to run.",
)
@options.device
@click.option("--limit", type=options.COUNT, help="Frames per split; such runs are never ranked.")
@options.results
@click.option("--output", type=click.Path(path_type=Path), help="Default: runs/<name>.")
@options.sweep(
    "--tracker",
    "trackers",
    type=click.STRING,
    help="Report settings, curves, overlays, score and checkpoint to this experiment tracker; "
    "`segbench plugins` lists them.",
)
@click.option("--resume", is_flag=True, help="Continue an interrupted run.")
@click.option("--force", is_flag=True, help="Run even if a record exists.")
@click.pass_obj
def run(
    registry: Registry,
    backbones: tuple[str, ...],
    networks: tuple[str, ...],
    checkpoint: Path | None,
    datasets: tuple[str, ...],
    recipe: str,
    decoder: str | None,
    weights: str | None,
    early_stop: bool | None,
    seed: int,
    seeds: int,
    **given: Any,
) -> None:
    """Train a network, score it, write overlays and a record; for each combination."""
    if "torch" not in sys.modules:
        os.environ.setdefault(HUGE_PAGES, "1")
    from segbench.inference.checkpoint import checkpoint_file, checkpoint_network
    from segbench.inference.networks import chosen_network
    from segbench.training.world import joined

    changes = {name: given.pop(name) for name in RECIPE_OPTIONS}
    if networks and (backbones or decoder):
        raise click.UsageError("--backbone and --decoder are for FCN8s; omit them or --network.")
    if checkpoint is not None:
        check_alone(networks, backbones, decoder, weights)
        chosen_networks = [checkpoint_network(checkpoint, registry)]
        weights, given["fine_tune"] = str(checkpoint_file(checkpoint)), True
    else:
        if not (networks or backbones):
            backbones = (registry.default_backbone().name,)
        chosen_networks = [chosen_network(registry, name) for name in networks]
        chosen_networks += [chosen_network(registry, None, name, decoder) for name in backbones]
    combinations = [
        (network, registry.dataset(dataset), seed + offset)
        for network, dataset, offset in itertools.product(chosen_networks, datasets, range(seeds))
    ]
    if len(combinations) > 1 and given["output"] is not None:
        raise click.UsageError("--output is for a single run; leave it out to run several.")
    failed = 0
    with joined(given["device"]) as world:
        reporter = Reporter(quiet=not world.first)
        for network, dataset, number in combinations:
            try:
                record = api.train(
                    network,
                    dataset,
                    recipe,
                    weights=weights,
                    changes=changes,
                    early_stop=early_stop,
                    plugins=registry,
                    reporter=reporter,
                    world=world,
                    seed=number,
                    argv=sys.argv,
                    **given,
                )
            except SegbenchError as error:
                if len(combinations) == 1 or world.size > 1 or isinstance(error, InterruptedRun):
                    raise
                reporter.say(
                    f"{network.plugin.name} on {dataset.name}, seed {number}: {error.message}"
                )
                failed += 1
                continue
            if world.first:
                print_record(record, dataset.benchmark)
                echo(record.path)
    if failed:
        raise SegbenchError(f"{failed} of {len(combinations)} runs failed (see above).")
