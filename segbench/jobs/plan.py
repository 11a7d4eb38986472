"""What one run is: the options with their names resolved, and the configuration they amount to."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from segbench.errors import SegbenchError, unknown_name
from segbench.inference.weights import weights_label
from segbench.records.record import config_hash
from segbench.types import Dataset, Network, Recipe

RUNTIME = "eager"
DEFAULT_PATIENCE = 3


@dataclass(frozen=True)
class RunOptions:
    """What ``segbench run`` was asked for, once its names are resolved.

    To ``fine_tune`` is to take every layer of ``weights``, a checkpoint of ``network``.
    """

    network: Network
    dataset: Dataset
    recipe: Recipe
    data_root: Path
    weights: str = "imagenet"
    fine_tune: bool = False
    train_splits: tuple[str, ...] = ("train",)
    seed: int = 0
    device: str = "auto"
    label_scale: int = 1
    limit: int | None = None
    results: Path = Path("results")
    output: Path | None = None
    trackers: Sequence[str] = ()
    resume: bool = False
    force: bool = False
    argv: Sequence[str] = ()


def default_weights(network: Network) -> str:
    """What a training starts from unless told: "imagenet" where there are such weights."""
    return "imagenet" if "imagenet" in network.weights else "none"


def choose_recipe(
    network: Network,
    dataset: Dataset,
    name: str,
    changes: Mapping[str, Any],
    early_stop: bool | None = None,
) -> Recipe:
    """The dataset's recipe of that name with the user's ``changes``; None changes nothing.

    A network may change the modern recipe, whose rate suits encoders with batch normalisation. A
    recipe's crop is for its size: with another size and no crop it trains on whole images.
    The ``batch_size`` "auto" is the recipe's, as many images at once as fit the memory.
    ``early_stop`` switches the stop on (with the recipe's patience or 3) or off.
    """
    if name not in dataset.recipes:
        raise SegbenchError(unknown_name(f"recipe of {dataset.name}", name, dataset.recipes))
    recipe = dataset.recipes[name]
    if name == "modern":
        scale = recipe.encoder_lr_scale * network.modern_lr_scale
        recipe = dataclasses.replace(recipe, encoder_lr_scale=scale, **network.modern)
    wanted = {key: value for key, value in changes.items() if value is not None}
    if wanted.get("batch_size") == "auto":
        wanted |= {"batch_size": recipe.batch_size, "accumulate": True}
    if "size" in wanted:
        wanted.setdefault("crop", None)
    recipe = dataclasses.replace(recipe, **wanted)
    if recipe.crop and (recipe.crop[0] > recipe.size[0] or recipe.crop[1] > recipe.size[1]):
        crop, size = (f"{height}x{width}" for height, width in (recipe.crop, recipe.size))
        raise SegbenchError(f"--crop {crop} is larger than --size {size}; make it smaller.")
    height, width = recipe.crop or recipe.size
    stride = network.stride
    if recipe.batch_size * -(-height // stride) * -(-width // stride) == 1:
        raise SegbenchError(
            f"A batch of one {height}x{width} image leaves a single value at stride {stride}, on "
            "which batch normalisation cannot train; make --batch-size or --size larger."
        )
    if early_stop is None:
        return recipe
    patience = (recipe.patience or DEFAULT_PATIENCE) if early_stop else None
    return dataclasses.replace(recipe, patience=patience)


def check_splits(dataset: Dataset, train_splits: Sequence[str], recipe: Recipe) -> None:
    """Raise SegbenchError for splits that cannot be trained on, or a recipe that needs another."""
    for split in train_splits:
        if split not in dataset.splits:
            raise SegbenchError(unknown_name(f"split of {dataset.name}", split, dataset.splits))
    if dataset.score_split in train_splits:
        raise SegbenchError(
            f"--train-splits: {dataset.name} is scored on {dataset.score_split!r}, which must not "
            "be trained on; leave it out."
        )
    chooses = recipe.schedule == "plateau" or recipe.patience is not None
    if "val" in train_splits and chooses:
        raise SegbenchError(
            f"The recipe {recipe.name!r} watches the validation mIoU, and --train-splits leaves no "
            "split to validate on; choose --recipe modern and --no-early-stop."
        )


def configuration(options: RunOptions, prints: Mapping[str, str]) -> dict[str, Any]:
    """The record's ``config``: what must be equal for two runs to be the same experiment.

    ``prints`` are the fingerprints of the splits: the same name over other frames is another run.
    """
    from segbench.device import resolve_device, training_dtype

    recipe = asdict(options.recipe)
    height, width = recipe.pop("size")
    crop = recipe.pop("crop")
    for name in ("source", "accumulate"):
        recipe.pop(name)
    device = resolve_device(options.device)
    dtype = str(training_dtype(recipe.pop("precision"), device)).removeprefix("torch.")
    return {
        "dataset": options.dataset.name,
        "split": options.dataset.score_split,
        "data": ", ".join(f"{split} {value}" for split, value in prints.items()),
        **options.network.config,
        "weights": weights_label(options.weights, options.network.weights),
        "fine_tune": options.fine_tune or None,
        "recipe": recipe.pop("name"),
        "runtime": RUNTIME,
        "precision": {"float32": "fp32", "float16": "fp16", "bfloat16": "bf16"}[dtype],
        "height": height,
        "width": width,
        "batch_size": recipe.pop("batch_size"),
        "crop": f"{crop[0]}x{crop[1]}" if crop else None,
        "epochs": recipe.pop("epochs"),
        "train_splits": "+".join(options.train_splits),
        "label_scale": options.label_scale,
        "limit": options.limit,
        "seed": options.seed,
        "device": device.type,
        "training": recipe,
    }


def default_output(config: Mapping[str, Any]) -> Path:
    """``runs/<network or backbone>-<dataset>-<hash>``, one folder for each training."""
    from segbench.training.state import trained_config

    digest = config_hash(trained_config(config))[:8]
    name = (config.get("network") or config["backbone"]).replace("/", "-")
    return Path("runs") / f"{name}-{config['dataset']}-{digest}"
