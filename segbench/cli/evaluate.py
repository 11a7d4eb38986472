"""``segbench evaluate``: the official score of a checkpoint on any runtime."""

import sys
from pathlib import Path
from typing import Any

import click

from segbench.cli import options
from segbench.cli.print_scores import print_record
from segbench.cli.terminal import echo
from segbench.plugins import Registry
from segbench.progress import Reporter
from segbench.records.record import read_record


@click.command()
@click.option("--checkpoint", type=click.Path(path_type=Path))
@click.option("--network", "network_name", help="With --weights, in place of a checkpoint.")
@click.option(
    "--weights",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Weights of --network for the classes of the dataset.",
)
@click.option("--dataset", "dataset_name", required=True)
@click.option("--runtime", "runtime_name", default="eager", show_default=True)
@click.option("--split", help="Default: the dataset's scoring split.")
@click.option("--size", type=options.SIZE, help="Network input size. Default: as in training.")
@options.label_scale
@click.option("--limit", type=options.COUNT, help="Score only the first frames; never ranked.")
@options.data_root
@options.device
@options.calibration_frames
@options.keep_float
@options.results
@click.pass_obj
def evaluate(
    registry: Registry,
    dataset_name: str,
    runtime_name: str,
    checkpoint: Path | None,
    network_name: str | None,
    weights: Path | None,
    **given: Any,
) -> None:
    """Score a checkpoint on a labelled split and write a record."""
    from segbench.inference.opened import NetworkWeights
    from segbench.jobs.evaluate import EvaluateOptions, evaluate_checkpoint

    dataset = registry.dataset(dataset_name)
    if checkpoint and not (network_name or weights):
        source: Path | NetworkWeights = checkpoint
    elif network_name and weights and not checkpoint:
        source = NetworkWeights(registry.network(network_name), weights, dataset)
    else:
        raise click.UsageError("Give --checkpoint, or --network with --weights.")
    chosen = EvaluateOptions(
        checkpoint=source,
        dataset=dataset,
        runtime=registry.runtime(runtime_name),
        argv=sys.argv,
        **given,
    )
    record = evaluate_checkpoint(chosen, registry, Reporter())
    print_record(read_record(record), chosen.dataset.benchmark)
    echo(record)
