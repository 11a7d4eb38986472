"""From the options of a command, parsed from a suite, to those of its job."""

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from segbench.cli.sources import OF_MODEL, check_alone
from segbench.data.layouts import known_split
from segbench.errors import SegbenchError
from segbench.inference.checkpoint import checkpoint_file, checkpoint_network
from segbench.inference.downloads import check_weights
from segbench.inference.networks import chosen_network
from segbench.jobs.evaluate import EvaluateOptions
from segbench.jobs.latency_options import LatencyOptions, latency_options
from segbench.jobs.plan import RunOptions, check_splits, choose_recipe, default_weights
from segbench.jobs.runtimes import check_keep_float, named_runtimes, with_fp16
from segbench.latency.checks import REFERENCE
from segbench.plugins import Registry
from segbench.types import Network, Recipe

RECIPE = {each.name for each in fields(Recipe)}


def run_options(
    argv: Sequence[str], given: dict[str, Any], results: Path, registry: Registry
) -> RunOptions:
    """The options of a training; SegbenchError for unknown names and missing files."""
    (dataset,) = map(registry.at(given["data_root"]).dataset, given.pop("datasets"))
    network, weights = _start(given, registry)
    changes = {key: given.pop(key) for key in RECIPE & given.keys()}
    recipe = choose_recipe(network, dataset, given.pop("recipe"), changes, given.pop("early_stop"))
    check_splits(dataset, given["train_splits"], recipe)
    dataset.locate(given["data_root"])
    given.pop("seeds")
    for name in given["trackers"]:
        registry.tracker(name)
    given |= {"weights": weights, "results": results, "resume": True, "argv": argv}
    return RunOptions(network, dataset, recipe, **given)


def _start(given: dict[str, Any], registry: Registry) -> tuple[Network, str]:
    """The network of a training and its initial weights."""
    whole, backbone = (next(iter(given.pop(k)), None) for k in ("networks", "backbones"))
    checkpoint, decoder, weights = (given.pop(k) for k in ("checkpoint", "decoder", "weights"))
    given["fine_tune"] = checkpoint is not None
    if checkpoint is not None:
        check_alone(whole, backbone, decoder, weights)
        return checkpoint_network(checkpoint, registry), str(checkpoint_file(checkpoint))
    network = chosen_network(registry, whole, backbone, decoder)
    weights = weights or default_weights(network)
    check_weights(weights, network.weights)
    return network, weights


def evaluate_options(
    argv: Sequence[str], given: dict[str, Any], results: Path, registry: Registry
) -> EvaluateOptions:
    """The options of an evaluation, whose checkpoint is known later."""
    for unused in ("network", "weights", "model", *OF_MODEL):
        given.pop(unused)
    dataset = registry.at(given["data_root"]).dataset(given.pop("dataset"))
    runtime = registry.runtime(given.pop("runtime") or REFERENCE)
    dataset.locate(given["data_root"])
    if given["split"] is not None:
        known_split(given["split"], dataset.splits)
    if not runtime.calibrates:
        given |= {"keep_float": None, "calibration_frames": None}
    given |= {"checkpoint": Path(), "results": results, "argv": argv}
    return EvaluateOptions(dataset=dataset, runtime=runtime, **given)


def timing_options(
    argv: Sequence[str], given: dict[str, Any], results: Path, registry: Registry
) -> LatencyOptions:
    """The options of a latency, whose checkpoint is known later."""
    runtimes = given.pop("runtimes") or (REFERENCE,)
    names = named_runtimes(runtimes, given["device"], registry)
    names = with_fp16(names, given["device"], registry)
    check_keep_float(names, given["keep_float"], registry)
    for unused in ("isolate", "model", *OF_MODEL):
        given.pop(unused)
    if len(given["sizes"]) > 1 or len(given["batch_sizes"]) > 1:
        raise SegbenchError(
            'Write sizes as a list, size = ["256x512", "512x1024"], for a job each.'
        )
    sizes = given["sizes"] or (None,)
    return latency_options(names, **given | {"sizes": sizes, "results": results, "argv": argv})
