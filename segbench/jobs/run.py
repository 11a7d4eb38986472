"""The main job: train a network on a dataset, score the best epoch, record it, draw overlays."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from segbench.data.frames import check_scorable, check_some_labelled, fingerprint
from segbench.errors import DataError, InterruptedRun, SegbenchError
from segbench.files import check_writable
from segbench.inference.checkpoint import BEST
from segbench.inference.downloads import check_weights
from segbench.inference.opened import EngineOptions, load_network, open_network
from segbench.inference.weights import LoadedWeights
from segbench.jobs.experiment import Experiment, read_splits
from segbench.jobs.output import claimed, space_needed
from segbench.jobs.plan import RUNTIME, RunOptions, check_splits, configuration, default_output
from segbench.jobs.ranks import check_ranks
from segbench.jobs.train import new_network, train
from segbench.plugins import Registry
from segbench.progress import Reporter
from segbench.records.provenance import provenance, source_state
from segbench.records.record import Record, config_hash, find_record, read_record, write_record
from segbench.scoring.score import add_scores, coverage
from segbench.training.tracking import check_trackers, tracking
from segbench.training.world import ALONE, World

if TYPE_CHECKING:
    from segbench.training.state import Epoch


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
        check_writable(output, needed=space_needed(output, model, options.recipe))
    experiment = Experiment(options, splits, prints, config, output, world)
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
                curve = train(experiment, model, tracked, reporter, resume)
                with reporter.working("score"), _checkpoint_is_kept(output, go_on):
                    record = score_and_record(
                        experiment, weights, curve, started, registry, reporter
                    )
                reporter.say(f"checkpoint: {output / BEST}; overlays: {output / 'overlays'}")
                if world.first:
                    tracked.log_result(read_record(record))
                return record
        except KeyboardInterrupt:
            raise InterruptedRun(f"Interrupted; {go_on}") from None


def score_and_record(
    experiment: Experiment,
    weights: LoadedWeights,
    curve: "Sequence[Epoch]",
    started: datetime,
    registry: Registry,
    reporter: Reporter,
) -> Path:
    """Score the best checkpoint of the experiment, draw overlays and return the record's path.

    Each rank scores its own frames; rank 0 draws and records. The record is written right after the
    score, so that it is not lost, and a run with a record is complete.
    """
    from segbench.inference.evaluate import evaluate
    from segbench.jobs.overlays import frames_to_draw, write_overlays
    from segbench.training.state import training_changes, worlds

    options, output, world = experiment.options, experiment.output, experiment.world
    dataset, size, runtime = options.dataset, options.recipe.size, registry.runtime(RUNTIME)
    engine = EngineOptions(checkpoint=output / BEST, runtime=runtime, device=options.device)
    world.tell(None)  # rank 0 has written the checkpoint
    network = load_network(engine, registry, reporter)
    if len(set(world.gather(network.sha256))) > 1:
        raise SegbenchError(
            f"The ranks read different files at {output / BEST}; continue with --resume."
        )
    if changed := training_changes(experiment.config, network.config):
        raise SegbenchError(
            f"{output / BEST} is from another run ({'; '.join(changed)}) and is not scored; "
            "name another --output."
        )
    session = open_network(network, engine, registry, reporter, dataset).session
    if world.first:
        try:
            folder = dataset.locate(options.data_root)
            drawn = frames_to_draw(dataset, folder, options.limit, reporter)
            write_overlays(session, dataset, drawn, size, output / "overlays", reporter)
        except DataError as error:
            reporter.say(f"Warning: not all overlays were drawn: {error.message}")
    scored, part = experiment.splits[dataset.score_split][world.share], None
    if scored:
        part = evaluate(session, dataset, scored, size, options.label_scale, reporter)
    parts = [each for each in world.gather(part) if each is not None]
    if not world.first:
        return world.tell(Path())
    evaluation = add_scores(dataset, options.label_scale, parts)
    for doubt in coverage(dataset, dataset.score_split, evaluation.frames):
        reporter.say(f"Note: {doubt}")
    record = Record(
        kind="run",
        config={**experiment.config, "checkpoint_sha256": network.sha256},
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
            dataset_fingerprint=experiment.config["data"],
        )
        | {"weights": weights.as_dict(), "world": worlds(curve)},
    )
    arrays = evaluation.arrays()
    return world.tell(write_record(record, options.results, arrays, once=not options.force))


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
