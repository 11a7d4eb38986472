"""One run: its options with names resolved, and the resulting configuration."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from segbench.errors import SegbenchError, unknown_name
from segbench.inference.weights import weights_label
from segbench.records.record import config_hash
from segbench.types import Dataset, Network, Recipe

RUNTIME = "eager"
DEFAULT_PATIENCE = 3
SETTINGS = get_type_hints(Recipe)
LARGER_THAN = {"epochs": 0, "batch_size": 0, "lr": 0, "class_weight_offset": 1}


@dataclass(frozen=True)
class RunOptions:
    """The options of ``segbench run`` with names resolved.

    ``fine_tune`` loads every layer of ``weights``, a checkpoint of ``network``.
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
    """The default initial weights: "imagenet" if available."""
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
    recipe's crop applies only at its size: with another size and no crop, whole images are used.
    ``batch_size`` "auto" is the recipe's, with as many images at once as fit in memory.
    ``early_stop`` switches early stopping on (with the recipe's patience or 3) or off.
    """
    if name not in dataset.recipes:
        raise SegbenchError(unknown_name(f"recipe of {dataset.name}", name, dataset.recipes))
    recipe = dataset.recipes[name]
    if name == "modern":
        scale = recipe.encoder_lr_scale * network.modern_lr_scale
        recipe = dataclasses.replace(recipe, **{"encoder_lr_scale": scale, **network.modern})
    wanted = {key: value for key, value in changes.items() if value is not None}
    if wanted.get("batch_size") == "auto":
        wanted |= {"batch_size": recipe.batch_size, "accumulate": True}
    if "size" in wanted:
        wanted.setdefault("crop", None)
    if "encoder_lr_scale" in wanted and not network.pretrained_part:
        raise SegbenchError(
            f"{network.title or network.name} has no encoder with a learning rate of its own; "
            "leave out --encoder-lr-scale."
        )
    for setting in wanted.keys() - SETTINGS.keys():
        raise SegbenchError(unknown_name("setting of a recipe", setting, SETTINGS))
    recipe = dataclasses.replace(recipe, **wanted)
    if "class_weight_offset" in wanted and not recipe.class_weights:
        raise SegbenchError("--class-weight-offset changes class weights; add --class-weights.")
    _check_words(recipe)
    _check_numbers(recipe)
    if recipe.crop and (recipe.crop[0] > recipe.size[0] or recipe.crop[1] > recipe.size[1]):
        crop, size = (f"{height}x{width}" for height, width in (recipe.crop, recipe.size))
        raise SegbenchError(f"--crop {crop} is larger than --size {size}; make it smaller.")
    height, width = recipe.crop or recipe.size
    stride = network.stride
    if recipe.batch_size * -(-height // stride) * -(-width // stride) == 1:
        raise SegbenchError(
            f"A batch of one {height}x{width} image leaves a single value at stride {stride}, and "
            "batch normalisation cannot train on that; make --batch-size or --size larger."
        )
    if early_stop is False and "patience" in wanted:
        raise SegbenchError("--patience is for early stopping; leave out --no-early-stop.")
    if early_stop is None:
        return recipe
    patience = (recipe.patience or DEFAULT_PATIENCE) if early_stop else None
    return dataclasses.replace(recipe, patience=patience)


def _check_words(recipe: Recipe) -> None:
    """Raise SegbenchError for an optimizer, schedule or precision that does not exist."""
    for setting, kind in SETTINGS.items():
        word = getattr(recipe, setting)
        if get_origin(kind) is Literal and word not in get_args(kind):
            raise SegbenchError(unknown_name(setting, str(word), get_args(kind)))


def _check_numbers(recipe: Recipe) -> None:
    """Raise SegbenchError for a size or a number that nothing can be trained with."""
    for setting, bound in LARGER_THAN.items():
        if not bound < getattr(recipe, setting) < math.inf:
            raise SegbenchError(f"{setting} must be a number larger than {bound}.")
    if recipe.ema is not None and not 0 <= recipe.ema < 1:
        raise SegbenchError("ema must be at least 0 and less than 1.")
    for setting, size in (("size", recipe.size), ("crop", recipe.crop)):
        match size:
            case None if setting == "crop":
                pass
            case (int(height), int(width)) if min(height, width) > 0:
                pass
            case _:
                raise SegbenchError(f"{setting} {size!r} is not height and width in pixels.")


def check_splits(dataset: Dataset, train_splits: Sequence[str], recipe: Recipe) -> None:
    """Raise SegbenchError for invalid training splits, or if the recipe needs validation."""
    for split in train_splits:
        if split not in dataset.splits:
            raise SegbenchError(unknown_name(f"split of {dataset.name}", split, dataset.splits))
    if dataset.score_split in train_splits:
        raise SegbenchError(
            f"--train-splits: {dataset.name} is scored on {dataset.score_split!r}, so do not "
            "train on it."
        )
    chooses = recipe.schedule == "plateau" or recipe.patience is not None
    if "val" in train_splits and chooses:
        raise SegbenchError(
            f"The recipe {recipe.name!r} monitors validation mIoU, but --train-splits leaves no "
            "split for validation; choose --recipe modern and --no-early-stop."
        )


def configuration(options: RunOptions, prints: Mapping[str, str]) -> dict[str, Any]:
    """The record's ``config``: equal for two runs of the same experiment.

    ``prints`` are fingerprints of the splits: a run on other frames is another experiment.
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
    """``runs/<network or backbone>-<dataset>-<hash>``, one folder per training."""
    from segbench.training.state import trained_config

    digest = config_hash(trained_config(config))[:8]
    name = (config.get("network") or config["backbone"]).replace("/", "-")
    return Path("runs") / f"{name}-{config['dataset']}-{digest}"
