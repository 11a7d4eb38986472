"""The main job: train FCN8s on a data set, score the best epoch, draw it and write a record."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segbench.data import cached_split, check_scorable, fingerprint, labelled_frames
from segbench.errors import SegbenchError
from segbench.jobs.plan import RUNTIME, RunOptions, configuration, default_output
from segbench.plugins import Registry
from segbench.progress import Reporter
from segbench.provenance import provenance, source_state
from segbench.records import Record, config_hash, find_record, write_record
from segbench.types import Frame
from segbench.weights import LoadedWeights, build_encoder

if TYPE_CHECKING:
    from segbench.training.state import Epoch

Splits = Mapping[str, tuple[Frame, ...]]


def run(options: RunOptions, registry: Registry, reporter: Reporter) -> Path:
    """Do the job and give the record's path; a record of the same configuration is returned."""
    started = datetime.now(UTC)
    source_state()
    dataset = options.dataset
    folder = dataset.locate(options.data_root)
    splits = {
        split: labelled_frames(dataset, folder, split, options.limit)
        for split in ("train", "val", dataset.score_split)
    }
    scored = splits[dataset.score_split]
    check_scorable(dataset, scored[0], options.label_scale)
    config = configuration(options)
    done = find_record(options.results, "run", config_hash(config))
    if done is not None and not options.force:
        reporter.say(f"skipped: {done} is a run of this configuration; --force repeats it")
        return done
    output = options.output or default_output(config)
    prints = {split: fingerprint(frames, reporter) for split, frames in splits.items()}
    weights, curve = train(options, config, splits, prints, output, reporter)

    from segbench.checkpoint import load_checkpoint
    from segbench.evaluate import evaluate
    from segbench.jobs.overlays import frames_to_draw, write_overlays
    from segbench.training.state import BEST

    best = load_checkpoint(output / BEST, registry)
    size = options.recipe.size
    runtime = registry.runtime(RUNTIME)
    session = runtime.open(best.model, size, 1, options.device)
    evaluation = evaluate(session, dataset, scored, size, options.label_scale, reporter)
    drawn = frames_to_draw(dataset, folder)[: options.limit]
    write_overlays(session, dataset, drawn, size, output / "overlays", reporter)
    record = Record(
        kind="run",
        config=config | {"checkpoint_sha256": best.sha256},
        metrics=evaluation.metrics() | {"parameters": best.parameters},
        per_class=evaluation.summary["per_class"],
        curve=[asdict(epoch) for epoch in curve],
        official=evaluation.official,
        provenance=provenance(
            started=started,
            argv=options.argv,
            registry=registry,
            plugins=[options.backbone, dataset, runtime],
            engine=session.engine,
            dataset_fingerprint=", ".join(f"{split} {value}" for split, value in prints.items()),
        )
        | {"weights": weights.as_dict()},
    )
    return write_record(record, options.results, evaluation.arrays())


def train(
    options: RunOptions,
    config: Mapping[str, Any],
    splits: Splits,
    prints: Mapping[str, str],
    output: Path,
    reporter: Reporter,
) -> "tuple[LoadedWeights, list[Epoch]]":
    """Leave checkpoints in ``output``; give where the first weights came from, and the curve."""
    import torch

    from segbench.device import resolve_device
    from segbench.fcn8s import FCN8s
    from segbench.training.fit import fit
    from segbench.training.state import Job
    from segbench.training.validation import Validator

    dataset, recipe = options.dataset, options.recipe
    torch.manual_seed(options.seed)
    encoder, weights = build_encoder(options.backbone, options.weights)
    model = FCN8s(encoder, len(dataset.classes), weights.convention, options.decoder)
    resume = claim_output(output, options, reporter)
    reporter = reporter.logging_to(output / "train.log")
    cached = {
        split: cached_split(dataset, splits[split], recipe.size, prints[split], reporter)
        for split in ("train", "val")
    }
    job = Job(recipe, options.seed, resolve_device(options.device), output, config, weights.fresh)
    validate = Validator(dataset, splits["val"], cached["val"].images, job.device, recipe.precision)
    try:
        return weights, fit(model, cached["train"], validate, job, reporter, resume)
    except torch.OutOfMemoryError:
        raise SegbenchError(
            f"Out of memory with --batch-size {recipe.batch_size} at --size "
            f"{recipe.size[0]}x{recipe.size[1]}; make one of them smaller."
        ) from None
    except KeyboardInterrupt:
        raise SegbenchError(
            f"Interrupted; go on with the same options and --resume --output {output}."
        ) from None


def claim_output(output: Path, options: RunOptions, reporter: Reporter) -> bool:
    """Make the output folder and say whether to resume; a run begun there is not overwritten."""
    from segbench.training.state import STATE

    state = output / STATE
    if state.exists() and not (options.resume or options.force):
        raise SegbenchError(
            f"{output} holds a run that was begun; go on with --resume, repeat it with --force, "
            "or name another --output."
        )
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SegbenchError(f"--output {output} cannot be made ({error.strerror}).") from error
    if options.resume and not state.exists():
        reporter.say(f"{output} holds no finished epoch yet: starting from the beginning")
    if not options.resume:
        state.unlink(missing_ok=True)
    return options.resume and state.exists()
