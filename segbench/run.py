"""The main job: train FCN8s on a data set, score the best epoch, draw it and write a record."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from segbench.data import cached_split, fingerprint, labelled_frames
from segbench.errors import DataError, SegbenchError, unknown_name
from segbench.plugins import Registry
from segbench.progress import Reporter
from segbench.provenance import provenance, source_state
from segbench.records import Record, config_hash, find_record, write_record
from segbench.types import Backbone, Dataset, Frame, Recipe, Session
from segbench.weights import build_encoder, weights_label

if TYPE_CHECKING:
    from segbench.evaluate import Evaluation

RUNTIME = "eager"
DEFAULT_PATIENCE = 3


@dataclass(frozen=True)
class RunOptions:
    """What ``segbench run`` was asked for, once its names are resolved."""

    backbone: Backbone
    dataset: Dataset
    recipe: Recipe
    data_root: Path
    weights: str = "imagenet"
    decoder: str = "bilinear"
    seed: int = 0
    device: str = "auto"
    label_scale: int = 1
    limit: int | None = None
    results: Path = Path("results")
    output: Path | None = None
    resume: bool = False
    force: bool = False
    argv: Sequence[str] = ()


def choose_recipe(
    backbone: Backbone,
    dataset: Dataset,
    name: str,
    changes: Mapping[str, Any],
    early_stop: bool | None = None,
) -> Recipe:
    """The data set's recipe of that name with the user's ``changes``; None changes nothing.

    The modern recipe's rate suits networks with batch normalisation; a backbone may scale it.
    ``early_stop`` switches the stop on (with the recipe's patience or 3) or off.
    """
    if name not in dataset.recipes:
        raise SegbenchError(unknown_name(f"recipe of {dataset.name}", name, dataset.recipes))
    recipe = dataset.recipes[name]
    if name == "modern":
        recipe = dataclasses.replace(recipe, lr=recipe.lr * backbone.modern_lr_scale)
    wanted = {key: value for key, value in changes.items() if value is not None}
    recipe = dataclasses.replace(recipe, **wanted)
    if early_stop is None:
        return recipe
    patience = (recipe.patience or DEFAULT_PATIENCE) if early_stop else None
    return dataclasses.replace(recipe, patience=patience)


def configuration(options: RunOptions) -> dict[str, Any]:
    """The record's ``config``: what must be equal for two runs to be the same experiment."""
    from segbench.device import resolve_device, training_dtype

    recipe = asdict(options.recipe)
    height, width = recipe.pop("size")
    device = resolve_device(options.device)
    dtype = str(training_dtype(recipe.pop("precision"), device)).removeprefix("torch.")
    return {
        "dataset": options.dataset.name,
        "split": options.dataset.score_split,
        "backbone": options.backbone.name,
        "decoder": options.decoder,
        "weights": weights_label(options.weights),
        "recipe": recipe.pop("name"),
        "runtime": RUNTIME,
        "precision": {"float32": "fp32", "float16": "fp16", "bfloat16": "bf16"}[dtype],
        "height": height,
        "width": width,
        "batch_size": recipe.pop("batch_size"),
        "epochs": recipe.pop("epochs"),
        "label_scale": options.label_scale,
        "limit": options.limit,
        "seed": options.seed,
        "device": device.type,
        "training": recipe,
    }


def run(options: RunOptions, registry: Registry, reporter: Reporter) -> Path:
    """Do the job and give the record's path; a record of the same configuration is returned."""
    started = datetime.now(UTC)
    source_state()
    dataset, recipe = options.dataset, options.recipe
    folder = dataset.locate(options.data_root)
    train, val, scored = (
        labelled_frames(dataset, folder, split, options.limit)
        for split in ("train", "val", dataset.score_split)
    )
    config = configuration(options)
    done = find_record(options.results, "run", config_hash(config))
    if done is not None and not options.force:
        reporter.say(f"skipped: {done} is a run of this configuration; --force repeats it")
        return done
    output = options.output or default_output(config)

    import torch

    from segbench.checkpoint import load_checkpoint
    from segbench.device import resolve_device
    from segbench.evaluate import evaluate
    from segbench.fcn8s import FCN8s
    from segbench.training.fit import fit
    from segbench.training.state import BEST, Job
    from segbench.training.validation import Validator

    torch.manual_seed(options.seed)
    encoder, weights = build_encoder(options.backbone, options.weights)
    model = FCN8s(encoder, len(dataset.classes), weights.convention, options.decoder)
    claim_output(output, options)
    reporter = reporter.logging_to(output / "train.log")
    content = fingerprint([*train, *val, *scored], reporter)
    train_split = cached_split(dataset, train, recipe.size, f"train-{content}", reporter)
    val_split = cached_split(dataset, val, recipe.size, f"val-{content}", reporter)

    job = Job(recipe, options.seed, resolve_device(options.device), output, config, weights.fresh)
    validate = Validator(dataset, val, val_split.images, job.device, recipe.precision)
    curve = fit(model, train_split, validate, job, reporter, options.resume)

    best = load_checkpoint(output / BEST, registry)
    session = registry.runtime(RUNTIME).open(best.model, recipe.size, 1, options.device)
    evaluation = evaluate(session, dataset, scored, recipe.size, options.label_scale, reporter)
    write_overlays(session, dataset, folder, options, output / "overlays", reporter)
    record = Record(
        kind="run",
        config=config | {"checkpoint_sha256": best.sha256},
        metrics=run_metrics(evaluation) | {"parameters": best.parameters},
        per_class=evaluation.summary["per_class"],
        curve=[asdict(epoch) for epoch in curve],
        official=evaluation.official,
        provenance=provenance(
            started=started,
            argv=options.argv,
            registry=registry,
            plugins=[options.backbone, dataset, registry.runtime(RUNTIME)],
            engine=session.engine,
            dataset_fingerprint=content,
        )
        | {"weights": weights.as_dict()},
    )
    arrays = {"confusion": evaluation.confusions, "frames": np.array(evaluation.frame_ids)}
    return write_record(record, options.results, arrays)


def run_metrics(evaluation: "Evaluation") -> dict[str, Any]:
    """The figures of an evaluation under the record's names."""
    low, high = evaluation.interval or (None, None)
    names = ("miou", "pixel_accuracy", "mean_accuracy", "fw_iou")
    return {
        "score": evaluation.score,
        "score_name": evaluation.score_name,
        **{name: evaluation.summary[name] for name in names},
        "miou_low": low,
        "miou_high": high,
        "frames": len(evaluation.frame_ids),
    }


def default_output(config: Mapping[str, Any]) -> Path:
    """``runs/<backbone>-<dataset>-<hash>``, one folder for each configuration."""
    return Path("runs") / f"{config['backbone']}-{config['dataset']}-{config_hash(config)[:8]}"


def claim_output(output: Path, options: RunOptions) -> None:
    """Make the output folder; refuse to overwrite a run, or to resume where there is none."""
    from segbench.training.state import STATE

    begun = (output / STATE).exists()
    if begun and not (options.resume or options.force):
        raise SegbenchError(
            f"{output} holds a run that was begun; go on with --resume, repeat it with --force, "
            "or name another --output."
        )
    if options.resume and not begun:
        raise SegbenchError(f"--resume: {output} holds no run to go on with; leave --resume out.")
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SegbenchError(f"--output {output} cannot be made ({error.strerror}).") from error


def write_overlays(
    session: Session,
    dataset: Dataset,
    folder: Path,
    options: RunOptions,
    output: Path,
    reporter: Reporter,
) -> None:
    """Class colours and a legend over every test image, or the scored ones where there is none."""
    import PIL.Image

    from segbench.evaluate import predict_frame
    from segbench.render import legend, overlay

    output.mkdir(exist_ok=True)
    frames = _pictured(dataset, folder)[: options.limit]
    for frame in reporter.track(frames, len(frames), "overlays"):
        image, classes = predict_frame(session, frame, options.recipe.size)
        picture = overlay(image, classes, dataset.palette)
        picture = legend(picture, classes, dataset.classes, dataset.palette)
        PIL.Image.fromarray(picture).save(output / f"{frame.id}.png")


def _pictured(dataset: Dataset, folder: Path) -> Sequence[Frame]:
    try:
        frames = [f for f in dataset.frames(folder, "test") if f.image.exists()]
    except DataError:
        frames = []
    return frames or dataset.frames(folder, dataset.score_split)
