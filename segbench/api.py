"""The Python API: the commands as functions that take names and paths.

``plugins`` defaults to the installed ones; ``reporter`` prints progress, by default nothing. User
errors are ``SegbenchError``.
"""

import os
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segbench.errors import MeasurementError, OptionError, SegbenchError
from segbench.plugins import Registry
from segbench.progress import Reporter
from segbench.text import counted
from segbench.types import Dataset, ModelOptions, Network

if TYPE_CHECKING:
    from pandas import DataFrame

    from segbench.jobs.export import Exported
    from segbench.records.record import Record
    from segbench.scoring.score import Score
    from segbench.training.world import World

AnyPath = Path | str
DATA = Path(os.environ.get("SEGBENCH_DATA", "data"))
RESULTS = Path("results")


@cache
def registry() -> Registry:
    """Everything that the installed plugins offer."""
    return Registry.load()


def train(
    network: str | Network,
    dataset: str | Dataset,
    recipe: str = "modern",
    *,
    decoder: str | None = None,
    weights: str | None = None,
    changes: Mapping[str, Any] | None = None,
    early_stop: bool | None = None,
    data_root: AnyPath = DATA,
    results: AnyPath = RESULTS,
    output: AnyPath | None = None,
    plugins: Registry | None = None,
    reporter: Reporter | None = None,
    world: "World | None" = None,
    **options: Any,
) -> "Record":
    """Train a network, score the best epoch and write a record, as ``segbench run`` does.

    ``network`` is a whole network, such as "enet", or a backbone for FCN8s; it and ``dataset`` are
    names, or objects that ``plugins`` offer. ``weights`` defaults to "imagenet", or to "none" for
    a network without such weights. ``changes`` replace fields of the recipe, such as ``{"epochs":
    3, "size": (96, 128)}``; ``early_stop`` stops when mIoU stops improving; None follows the
    recipe. ``world`` are the ranks that train together, by default only this process. ``options``
    are fields of ``segbench.jobs.plan.RunOptions``: seed, device, limit, trackers (names), resume,
    force and others.
    """
    from segbench.inference.networks import chosen_network
    from segbench.jobs.plan import RunOptions, choose_recipe, default_weights
    from segbench.jobs.run import run
    from segbench.records.record import read_record
    from segbench.training.world import ALONE

    plugins = (plugins or registry()).at(Path(data_root))
    if isinstance(network, str):
        whole = network in {each.name for each in plugins.networks}
        backbone = None if whole else network
        network = chosen_network(plugins, network if whole else None, backbone, decoder)
    elif decoder:
        raise OptionError("decoder is for the name of a backbone; an FCN8s object has its own.")
    if isinstance(dataset, str):
        dataset = plugins.dataset(dataset)
    asked = RunOptions(
        network,
        dataset,
        choose_recipe(network, dataset, recipe, changes or {}, early_stop),
        weights=weights or default_weights(network),
        data_root=Path(data_root),
        results=Path(results),
        output=_path(output),
        **options,
    )
    world = world or ALONE
    path = run(asked, plugins, reporter or Reporter(quiet=True), world)
    record = world.tell(read_record(path) if world.first else None)
    assert record is not None
    return record


def evaluate(
    checkpoint: AnyPath | None,
    dataset: str,
    runtime: str | None = None,
    *,
    network: str | None = None,
    weights: AnyPath | None = None,
    model: AnyPath | None = None,
    model_options: ModelOptions | None = None,
    data_root: AnyPath = DATA,
    results: AnyPath = RESULTS,
    plugins: Registry | None = None,
    reporter: Reporter | None = None,
    **options: Any,
) -> "Record":
    """Score a checkpoint on a runtime and write a record, as ``segbench evaluate`` does.

    Instead of a checkpoint, pass a whole ``network`` with a ``weights`` file for the dataset's
    classes, or a ``model`` file such as ONNX, with ``model_options`` for what the file does not
    say. The runtime defaults to "eager", or to that of the file's format. ``options`` are fields of
    ``segbench.jobs.evaluate.EvaluateOptions``: split, size, label_scale, limit, device,
    calibration_frames and keep_float.
    """
    from segbench.inference.sources import chosen_source, default_runtime
    from segbench.jobs.evaluate import EvaluateOptions, evaluate_checkpoint
    from segbench.records.record import read_record

    plugins = (plugins or registry()).at(Path(data_root))
    source = chosen_source(
        plugins, dataset, _path(checkpoint), network, _path(weights), _path(model), model_options
    )
    chosen = EvaluateOptions(
        checkpoint=source,
        dataset=plugins.dataset(dataset),
        runtime=plugins.runtime(runtime or default_runtime(plugins, _path(model))),
        data_root=Path(data_root),
        results=Path(results),
        **options,
    )
    return read_record(evaluate_checkpoint(chosen, plugins, reporter or Reporter(quiet=True)))


def measure(
    checkpoint: AnyPath | None = None,
    runtimes: str | Iterable[str] = (),
    *,
    networks: str | Iterable[str] = (),
    backbones: str | Iterable[str] = (),
    sizes: Iterable[tuple[int, int]] = (),
    batch_sizes: Iterable[int] = (1,),
    data_root: AnyPath = DATA,
    results: AnyPath = RESULTS,
    plugins: Registry | None = None,
    reporter: Reporter | None = None,
    **options: Any,
) -> "list[Record]":
    """Measure the latency of a checkpoint, or of networks with random weights, on runtimes.

    ``networks`` are whole ones; FCN8s is measured on each of ``backbones``. The runtimes default to
    "eager", or to that of the ``model`` file's format. ``options`` are fields of
    ``segbench.jobs.latency_options.LatencyOptions`` and of ``segbench.latency.protocol.Protocol``:
    device, scope, scenario, min_seconds, attempts, threads, keep_float, isolate, and others. A
    record is written for each measurement; if some fail, MeasurementError holds the others.
    """
    from segbench.jobs.latency import latency
    from segbench.jobs.latency_options import latency_options
    from segbench.records.record import read_record

    chosen = latency_options(
        _names(runtimes),
        networks=_names(networks),
        backbones=_names(backbones),
        checkpoint=_path(checkpoint),
        sizes=tuple(sizes) or (None,),
        batch_sizes=tuple(batch_sizes),
        data_root=Path(data_root),
        results=Path(results),
        **options,
    )
    plugins = (plugins or registry()).at(Path(data_root))
    outcome = latency(chosen, plugins, reporter or Reporter(quiet=True))
    records = [read_record(path) for path in outcome.records]
    if outcome.interrupted:
        raise MeasurementError(f"Interrupted, after {counted(len(records), 'record')}.", records)
    if outcome.failures:
        failed = f"{outcome.count - len(records)} of {outcome.count} measurements failed."
        raise MeasurementError(" ".join([failed, *outcome.failures]), records)
    return records


def score(
    dataset: str,
    predictions: AnyPath,
    *,
    split: str | None = None,
    options: Mapping[str, str] | None = None,
    label_scale: int = 1,
    workers: int | None = None,
    data_root: AnyPath = DATA,
    results: AnyPath | None = None,
    plugins: Registry | None = None,
    reporter: Reporter | None = None,
    **recorded: Any,
) -> "Score":
    """Score a folder of prediction PNGs from any system, as ``segbench score`` does.

    ``split`` defaults to the dataset's own choice. ``options`` are those of its benchmark, such as
    ``{"encoding": "trainids"}``. ``workers`` is the number of threads. With ``results``, a record
    is written; ``recorded`` are the fields of ``segbench.jobs.score.ScoreOptions`` for it: name,
    stated_ms and stated_on.
    """
    from segbench.jobs.score import ScoreOptions, score_folder
    from segbench.scoring.score import with_options

    plugins = (plugins or registry()).at(Path(data_root))
    chosen = ScoreOptions(
        dataset=with_options(plugins.dataset(dataset), options or {}),
        predictions=Path(predictions),
        data_root=Path(data_root),
        split=split,
        label_scale=label_scale,
        workers=workers,
        results=_path(results),
        **recorded,
    )
    return score_folder(chosen, plugins, reporter or Reporter(quiet=True))


def export(
    checkpoint: AnyPath | None,
    runtime: str,
    output: AnyPath,
    *,
    network: str | None = None,
    weights: AnyPath | None = None,
    model: AnyPath | None = None,
    model_options: ModelOptions | None = None,
    dataset: str | None = None,
    data_root: AnyPath = DATA,
    plugins: Registry | None = None,
    reporter: Reporter | None = None,
    **options: Any,
) -> "Exported":
    """Write the file that a runtime loads, as ``segbench export`` does; return what was written.

    Instead of a checkpoint, ``network`` and ``weights``, or ``model`` and ``model_options``, are as
    for ``evaluate``, for the classes of ``dataset``. ``options`` are fields of
    ``segbench.jobs.export.ExportOptions``: size, batch_size, device, output_kind,
    dynamic, compute_capability, calibration_frames and keep_float.
    """
    from segbench.inference.sources import chosen_source
    from segbench.jobs.export import ExportOptions
    from segbench.jobs.export import export as write

    if checkpoint and dataset:
        raise OptionError("A checkpoint has its own classes; leave --dataset out.")
    plugins = (plugins or registry()).at(Path(data_root))
    source = chosen_source(
        plugins, dataset, _path(checkpoint), network, _path(weights), _path(model), model_options
    )
    chosen = ExportOptions(
        checkpoint=source,
        runtime=plugins.runtime(runtime),
        output=Path(output),
        data_root=Path(data_root),
        **options,
    )
    return write(chosen, plugins, reporter or Reporter(quiet=True))


def load_records(results: AnyPath = RESULTS) -> "DataFrame":
    """All records of a results folder, one per row, oldest first.

    A file that is not a record is skipped with a warning. ``docs/records.md`` lists the columns.
    SegbenchError if there is no such folder.
    """
    from segbench.records.frame import load_records as load

    if not Path(results).is_dir():
        raise SegbenchError(f"There is no folder {results}; name a results folder.")
    return load(results)


def leaderboard(records: "DataFrame", **selection: Any) -> "DataFrame":
    """The rows of ``segbench leaderboard``, best first, from the records of ``load_records``.

    The column ``table`` names a row's table; compare scores within one table only. ``selection``
    filters rows as in ``segbench.analysis.select``: where, max_ms, min_score, pareto, best, sort.
    """
    from segbench.analysis.rank import ranking
    from segbench.analysis.select import select

    if isinstance(where := selection.get("where"), str):
        selection["where"] = (where,)
    return select(ranking(records), **selection)


def _path(given: AnyPath | None) -> Path | None:
    return None if given is None else Path(given)


def _names(given: str | Iterable[str]) -> tuple[str, ...]:
    """Each name once; a string is one name."""
    return (given,) if isinstance(given, str) else tuple(dict.fromkeys(given))
