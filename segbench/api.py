"""The Python API: what the commands do, as functions that take names and paths; they call these.

``plugins`` are those on offer, by default the installed ones; ``reporter`` says what happens, by
default nothing. Errors of the user are ``SegbenchError``.
"""

import os
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segbench.errors import SegbenchError
from segbench.plugins import Registry
from segbench.progress import Reporter

if TYPE_CHECKING:
    from pandas import DataFrame

    from segbench.inference.onnx_file import OnnxOptions
    from segbench.jobs.export import Exported
    from segbench.records.record import Record
    from segbench.scoring.score import Score

DATA = Path(os.environ.get("SEGBENCH_DATA", "data"))
RESULTS = Path("results")


@cache
def registry() -> Registry:
    """The backbones, datasets, networks and runtimes of all installed plugins."""
    return Registry.load()


def train(
    network: str,
    dataset: str,
    recipe: str = "modern",
    *,
    decoder: str | None = None,
    weights: str | None = None,
    changes: Mapping[str, Any] | None = None,
    data_root: Path = DATA,
    results: Path = RESULTS,
    plugins: Registry | None = None,
    reporter: Reporter | None = None,
    **options: Any,
) -> "Record":
    """Train a network, score the best epoch and write a record, as ``segbench run`` does.

    ``network`` is the name of a whole network, such as "enet", or of a backbone for FCN8s.
    ``weights`` None is "imagenet", or "none" for a network without such weights.
    ``changes`` replace fields of the recipe, such as ``{"epochs": 3, "size": (96, 128)}``.
    ``options`` are fields of ``segbench.jobs.plan.RunOptions``: seed, device, limit, output,
    trackers (names), resume, force and others.
    """
    from segbench.inference.networks import chosen_network
    from segbench.jobs.plan import RunOptions, choose_recipe, default_weights
    from segbench.jobs.run import run
    from segbench.records.record import read_record

    plugins = (plugins or registry()).at(data_root)
    whole = network in {each.name for each in plugins.networks}
    backbone = None if whole else network
    chosen = chosen_network(plugins, network if whole else None, backbone, decoder)
    scenes = plugins.dataset(dataset)
    asked = RunOptions(
        chosen,
        scenes,
        choose_recipe(chosen, scenes, recipe, changes or {}),
        weights=weights or default_weights(chosen),
        data_root=data_root,
        results=results,
        **options,
    )
    return read_record(run(asked, plugins, reporter or Reporter(quiet=True)))


def evaluate(
    checkpoint: Path | None,
    dataset: str,
    runtime: str | None = None,
    *,
    network: str | None = None,
    weights: Path | None = None,
    model: Path | None = None,
    onnx: "OnnxOptions | None" = None,
    data_root: Path = DATA,
    results: Path = RESULTS,
    plugins: Registry | None = None,
    reporter: Reporter | None = None,
    **options: Any,
) -> "Record":
    """Score a checkpoint on a runtime and write a record, as ``segbench evaluate`` does.

    In place of a checkpoint, ``network`` is a whole one and ``weights`` a file for the classes of
    the dataset, or ``model`` is an ONNX file, and ``onnx`` says what its graph does not. The
    runtime is "eager", or "onnx" for an ONNX file. ``options`` are fields of
    ``segbench.jobs.evaluate.EvaluateOptions``: split, size, label_scale, limit, device,
    calibration_frames and keep_float.
    """
    from segbench.inference.sources import chosen_source, default_runtime
    from segbench.jobs.evaluate import EvaluateOptions, evaluate_checkpoint
    from segbench.records.record import read_record

    plugins = (plugins or registry()).at(data_root)
    chosen = EvaluateOptions(
        checkpoint=chosen_source(plugins, dataset, checkpoint, network, weights, model, onnx),
        dataset=plugins.dataset(dataset),
        runtime=plugins.runtime(runtime or default_runtime(model)),
        data_root=data_root,
        results=results,
        **options,
    )
    return read_record(evaluate_checkpoint(chosen, plugins, reporter or Reporter(quiet=True)))


def measure(
    checkpoint: Path | None = None,
    runtimes: Iterable[str] = ("eager",),
    *,
    backbones: Iterable[str] = (),
    networks: Iterable[str] = (),
    size: tuple[int, int] | None = None,
    data_root: Path = DATA,
    results: Path = RESULTS,
    plugins: Registry | None = None,
    reporter: Reporter | None = None,
    **protocol: Any,
) -> "list[Record]":
    """Measure the latency of a checkpoint, or of networks with random weights, on runtimes.

    ``networks`` are whole ones; FCN8s is measured on each of ``backbones``.

    ``protocol`` are fields of ``segbench.latency.group.Protocol``: batch_size, device, scope,
    scenario, min_seconds, threads and keep_float. A record is written for each measurement.
    """
    from segbench.jobs.latency import LatencyOptions, latency
    from segbench.latency.group import Protocol
    from segbench.records.record import read_record

    options = LatencyOptions(
        tuple(runtimes),
        backbones=tuple(backbones),
        networks=tuple(networks),
        checkpoint=checkpoint,
        sizes=(size,),
        protocol=Protocol(data_root=data_root, **protocol),
        results=results,
    )
    outcome = latency(
        options, (plugins or registry()).at(data_root), reporter or Reporter(quiet=True)
    )
    if outcome.interrupted:
        raise KeyboardInterrupt
    if outcome.failed:
        raise SegbenchError(f"{outcome.failed} of {outcome.count} measurements failed.")
    return [read_record(path) for path in outcome.records]


def score(
    dataset: str,
    predictions: Path,
    *,
    split: str | None = None,
    options: Mapping[str, str] | None = None,
    label_scale: int = 1,
    workers: int = 1,
    data_root: Path = DATA,
    plugins: Registry | None = None,
    reporter: Reporter | None = None,
) -> "Score":
    """Score a folder of prediction PNGs of any system, as ``segbench score`` does.

    ``split`` None is the dataset's own choice. ``options`` are those of its benchmark, such as
    ``{"encoding": "trainids"}``. ``workers`` is the number of threads.
    """
    from segbench.scoring.score import frames_to_score, score_predictions, with_options

    scenes = with_options((plugins or registry()).at(data_root).dataset(dataset), options or {})
    split = split or scenes.predictions_split or scenes.score_split
    frames = frames_to_score(scenes, scenes.locate(data_root), split)
    return score_predictions(scenes, frames, predictions, label_scale, workers, reporter)


def export(
    checkpoint: Path | None,
    runtime: str,
    output: Path,
    *,
    network: str | None = None,
    weights: Path | None = None,
    model: Path | None = None,
    onnx: "OnnxOptions | None" = None,
    dataset: str | None = None,
    data_root: Path = DATA,
    plugins: Registry | None = None,
    reporter: Reporter | None = None,
    **options: Any,
) -> "Exported":
    """Write the file that a runtime loads, as ``segbench export`` does; its size in bytes.

    In place of a checkpoint, ``network`` and ``weights`` or ``model`` and ``onnx`` are as for
    ``evaluate``, for the classes of ``dataset``.
    ``options`` are fields of ``segbench.jobs.export.ExportOptions``: size, batch_size,
    output_kind, dynamic, compute_capability, calibration_frames and keep_float.
    """
    from segbench.inference.sources import chosen_source
    from segbench.jobs.export import ExportOptions
    from segbench.jobs.export import export as write

    plugins = (plugins or registry()).at(data_root)
    chosen = ExportOptions(
        checkpoint=chosen_source(plugins, dataset, checkpoint, network, weights, model, onnx),
        runtime=plugins.runtime(runtime),
        output=output,
        data_root=data_root,
        **options,
    )
    return write(chosen, plugins, reporter or Reporter(quiet=True))


def load_records(results: Path | str = RESULTS) -> "DataFrame":
    """Every record of a results folder, one a row, oldest first.

    A file that is not a record is left out with a warning. ``docs/records.md`` lists the columns.
    """
    from segbench.records.frame import load_records as load

    return load(results)


def leaderboard(records: "DataFrame") -> "DataFrame":
    """The rows of ``segbench leaderboard``, best first, from the records of ``load_records``.

    The column ``table`` names the table of a row; scores are compared within one.
    """
    from segbench.analysis.rank import COLUMNS, ranking

    return ranking(records)[list(COLUMNS)]
