"""``segbench evaluate``: the official score of a checkpoint on any runtime."""

import sys
from typing import Any

import click

from segbench.cli import options
from segbench.cli.print_scores import print_record
from segbench.cli.sources import default_runtime, runtime_option, source_options, take_source
from segbench.cli.terminal import echo
from segbench.plugins import Registry
from segbench.progress import Reporter
from segbench.records.record import read_record


@click.command()
@source_options
@click.option("--dataset", "dataset_name", required=True)
@runtime_option
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
    runtime_name: str | None,
    **given: Any,
) -> None:
    """Score a trained network on a labelled split and write a record."""
    from segbench.jobs.evaluate import EvaluateOptions, evaluate_checkpoint

    dataset = registry.dataset(dataset_name)
    runtime = registry.runtime(runtime_name or default_runtime(given))
    chosen = EvaluateOptions(
        checkpoint=take_source(given, registry, dataset_name),
        dataset=dataset,
        runtime=runtime,
        argv=sys.argv,
        **given,
    )
    record = evaluate_checkpoint(chosen, registry, Reporter())
    print_record(read_record(record), chosen.dataset.benchmark)
    echo(record)
