"""The main job: train a network on a dataset, score the best epoch, record it, draw overlays."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segbench.data.frames import (
    cached_split,
    check_scorable,
    check_some_labelled,
    fingerprint,
    labelled_frames,
)
from segbench.errors import DataError, InterruptedRun, SegbenchError, memory_may_be_short
from segbench.files import check_writable, locked
from segbench.inference.checkpoint import BEST, fine_tuned
from segbench.inference.downloads import check_weights
from segbench.inference.opened import EngineOptions, load_network, open_network
from segbench.inference.weights import LoadedWeights, build_model
from segbench.jobs.plan import (
    RUNTIME,
    RunOptions,
    check_splits,
    configuration,
    default_output,
)
from segbench.jobs.ranks import check_ranks
from segbench.plugins import Registry
from segbench.progress import Reporter
from segbench.records.provenance import provenance, source_state
from segbench.records.record import Record, config_hash, find_record, read_record, write_record
from segbench.scoring.score import add_scores
from segbench.text import counted
from segbench.training.tracking import RUNS, Tracking, check_trackers, tracking
from segbench.training.world import ALONE, World
from segbench.types import Frame, Recipe

if TYPE_CHECKING:
    from segbench.networks.model import SegmentationModel
    from segbench.training.state import Epoch

FILES = 8
"""Copies of the weights on disk: two checkpoints, a state with two moments, and its next draft."""
FILES_OF_AVERAGE = 2
"""The moving average in the state and in its draft."""

Splits = Mapping[str, tuple[Frame, ...]]
"""Frames by use: "train", "val" (chooses the best epoch, optional), and the scored split."""


def run(options: RunOptions, registry: Registry, reporter: Reporter, world: World = ALONE) -> Path:
    """Run and return the record's path; an existing record of the same configuration is returned.

    Invalid options are rejected before training. All ranks of ``world`` work together; rank 0
    writes.
    """
    started = datetime.now(UTC)
    trackers = tuple(map(registry.tracker, options.trackers)) if world.first else ()
    check_trackers(trackers, reporter)
    check_splits(options.dataset, options.train_splits, options.recipe)
    check_weights(options.weights, options.network.weights)
    source_state()
    dataset = options.dataset
    registry.runtime(RUNTIME)  # fail now, not after the training
    for item in (options.network.plugin, dataset):
        registry.origin(item)
    folder = dataset.locate(options.data_root)
    splits = read_splits(options, folder, reporter)
    for split, frames in splits.items():
        check_some_labelled(dataset, split, frames)
    check_scorable(dataset, splits[dataset.score_split][0], options.label_scale)
    if world.first:
        check_writable(options.results / "run", "--results")
    with reporter.working("load the network"):
        model, weights = new_network(options)
    prints = {split: fingerprint(dataset, frames, reporter) for split, frames in splits.items()}
    config = configuration(options, prints)
    check_ranks(world, options, config, len(splits["train"]), registry)
    done = world.tell(find_record(options.results, "run", config_hash(config)))
    if done is not None and not options.force:
        reporter.say(_skipped(done, options.output))
        return done
    output = options.output or default_output(config)
    if output.resolve() == options.results.resolve():
        raise SegbenchError(f"--output and --results are one folder, {output}; name two.")
    if world.first:
        check_writable(output, needed=_space(output, model, options.recipe))
    named = f" --output {options.output}" if options.output else ""
    go_on = f"continue with the same options and --resume{named}."
    with claimed(output, options, world) as resume:
        if world.first:
            reporter = reporter.logging_to(output / "train.log")
        if options.resume and not resume:
            reporter.say(f"nothing to resume in {output}: starting from scratch")
        if weights.source != "none" and not resume:
            reporter.say(weights.summary())
        try:
            with tracking(trackers, config, output, resume, reporter) as tracked:
                curve = train(
                    model, options, config, splits, prints, output, reporter, resume, world, tracked
                )
                with reporter.working("score"), _checkpoint_is_kept(output, go_on):
                    record = score_and_record(
                        options,
                        registry,
                        started,
                        folder,
                        splits,
                        config,
                        weights,
                        curve,
                        output,
                        reporter,
                        world,
                    )
                if world.first:
                    tracked.log_result(read_record(record))
                return record
        except KeyboardInterrupt:
            raise InterruptedRun(f"Interrupted; {go_on}") from None


def _space(output: Path, model: "SegmentationModel", recipe: Recipe) -> int:
    """The bytes that a training still needs in its folder."""
    from segbench.training.state import LAST, STATE

    copies = FILES + (FILES_OF_AVERAGE if recipe.ema else 0)
    written = [path for name in (BEST, LAST, STATE) if (path := output / name).is_file()]
    there = sum(path.stat().st_size for path in written)
    return max(0, copies * 4 * model.count_parameters() - there)


@contextmanager
def _checkpoint_is_kept(output: Path, go_on: str) -> Iterator[None]:
    try:
        yield
    except SegbenchError as error:
        raise SegbenchError(
            f"{error.message} The checkpoint in {output} is kept; {go_on}"
        ) from error


def _skipped(done: Path, output: Path | None) -> str:
    if output is not None and not (output / BEST).is_file():
        return (
            f"skipped: {done} is a run of this configuration, but {output} lacks its "
            "checkpoint; repeat it with --force, or name another --results"
        )
    return f"skipped: {done} is a run of this configuration; repeat it with --force"


def read_splits(options: RunOptions, folder: Path, reporter: Reporter) -> Splits:
    """The frames for training, validation and scoring; training frames are never validated on."""
    dataset, splits = options.dataset, options.train_splits
    used = dict.fromkeys((*splits, *({"val"} - set(splits)), dataset.score_split))
    frames = {
        split: labelled_frames(dataset, folder, split, options.limit, reporter) for split in used
    }
    together = tuple(chain.from_iterable(frames.pop(split) for split in splits))
    _check_unseen(together, frames)
    return {"train": together, **frames}


def _check_unseen(trained: Sequence[Frame], others: Mapping[str, Sequence[Frame]]) -> None:
    """Splits may overlap: a name that is not the scored split's is not enough."""
    images = {frame.image for frame in trained}
    for split, frames in others.items():
        if seen := next((frame.image for frame in frames if frame.image in images), None):
            raise SegbenchError(
                f"--train-splits has frames of {split!r}, which the network is validated or scored "
                f"on, such as {seen}; leave out the split that has them."
            )


def new_network(options: RunOptions) -> "tuple[SegmentationModel, LoadedWeights]":
    """The network with its initial weights, determined by the seed."""
    import torch

    torch.manual_seed(options.seed)
    if options.fine_tune:
        classes = len(options.dataset.classes)
        return fine_tuned(options.network, classes, Path(options.weights))
    return build_model(options.network, len(options.dataset.classes), options.weights)


def train(
    model: "SegmentationModel",
    options: RunOptions,
    config: Mapping[str, Any],
    splits: Splits,
    prints: Mapping[str, str],
    output: Path,
    reporter: Reporter,
    resume: bool,
    world: World,
    tracked: Tracking,
) -> "list[Epoch]":
    """Train, write checkpoints to ``output`` and return the learning curve."""
    from segbench.device import resolve_device, slow_precision
    from segbench.training.fit import fit
    from segbench.training.memory import largest_micro_batch
    from segbench.training.state import Job
    from segbench.training.validation import Validator

    dataset, recipe = options.dataset, options.recipe
    device = resolve_device(options.device)
    if warning := slow_precision(recipe.precision, device.type):
        reporter.say(f"Warning: {warning}")
    cached = {
        split: cached_split(dataset, splits[split], recipe.size, prints[split], reporter)
        for split in ("train", "val")
        if split in splits
    }
    job = Job(recipe, options.seed, device, output, config, world)
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


def score_and_record(
    options: RunOptions,
    registry: Registry,
    started: datetime,
    folder: Path,
    splits: Splits,
    config: Mapping[str, Any],
    weights: LoadedWeights,
    curve: "Sequence[Epoch]",
    output: Path,
    reporter: Reporter,
    world: World,
) -> Path:
    """Score the best checkpoint in ``output``, draw overlays and return the record's path.

    Each rank scores its own frames; rank 0 draws and records. The record is written right after the
    score, so that it is not lost, and a run with a record is complete.
    """
    from segbench.inference.evaluate import evaluate
    from segbench.jobs.overlays import frames_to_draw, write_overlays
    from segbench.training.state import training_changes, worlds

    dataset, size, runtime = options.dataset, options.recipe.size, registry.runtime(RUNTIME)
    engine = EngineOptions(checkpoint=output / BEST, runtime=runtime, device=options.device)
    network = load_network(engine, registry, reporter)
    if changed := training_changes(config, network.config):
        raise SegbenchError(
            f"{output / BEST} is from another run ({'; '.join(changed)}) and is not scored; "
            "name another --output."
        )
    session = open_network(network, engine, registry, reporter, dataset).session
    if world.first:
        try:
            drawn = frames_to_draw(dataset, folder, options.limit, reporter)
            write_overlays(session, dataset, drawn, size, output / "overlays", reporter)
        except DataError as error:
            reporter.say(f"Warning: not all overlays were drawn: {error.message}")
    scored, part = splits[dataset.score_split][world.share], None
    if scored:
        part = evaluate(session, dataset, scored, size, options.label_scale, reporter)
    parts = [each for each in world.gather(part) if each is not None]
    if not world.first:
        return world.tell(Path())
    evaluation = add_scores(dataset, options.label_scale, parts)
    record = Record(
        kind="run",
        config={**config, "checkpoint_sha256": network.sha256},
        metrics=evaluation.metrics() | {"parameters": network.model.count_parameters()},
        per_class=evaluation.summary["per_class"],
        curve=[{k: v for k, v in asdict(epoch).items() if k != "world"} for epoch in curve],
        official=evaluation.official,
        provenance=provenance(
            started=started,
            argv=options.argv,
            registry=registry,
            plugins=[options.network.plugin, dataset, runtime],
            engine=session.engine,
            dataset_fingerprint=config["data"],
        )
        | {"weights": weights.as_dict(), "world": worlds(curve)},
    )
    arrays = evaluation.arrays()
    return world.tell(write_record(record, options.results, arrays, once=not options.force))


@contextmanager
def claimed(output: Path, options: RunOptions, world: World) -> Iterator[bool]:
    """Lock the output folder, which all ranks must see; yield whether to resume."""
    lock = output / ".lock"
    with ExitStack() as held:
        resume = False
        if world.first:
            busy = f"Another run writes to {output}; name another --output."
            held.enter_context(locked(lock, busy))
            resume = claim_output(output, options)
        resume = world.tell(resume)
        if not lock.exists():
            raise SegbenchError(
                f"{output} is not the folder that rank 0 writes to; name an --output on a disk "
                "that all hosts share."
            )
        yield resume


def claim_output(output: Path, options: RunOptions) -> bool:
    """Clear the locked output folder unless it is resumed; return whether to resume.

    SegbenchError if it contains a run that is neither resumed nor overwritten.
    """
    from segbench.training.state import STATE

    state, log = output / STATE, output / "train.log"
    if state.exists() and not (options.resume or options.force):
        raise SegbenchError(
            f"{output} contains a run, finished or not; continue it with --resume, overwrite it "
            "with --force, or name another --output."
        )
    resume = options.resume and state.exists()
    if not options.resume:
        state.unlink(missing_ok=True)
    if log.is_symlink() or not options.resume:
        log.unlink(missing_ok=True)
    if not resume and (output / BEST).is_file():  # else the folder is no run's
        shutil.rmtree(output / "overlays", ignore_errors=True)
        (output / RUNS).unlink(missing_ok=True)
    return resume
