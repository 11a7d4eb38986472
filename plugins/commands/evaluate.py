"""``segbench evaluate``: the official score of a checkpoint on any runtime."""

import sys
from typing import Any

import click

from segbench import api
from segbench.cli import options
from segbench.cli.sources import source_options, take_model_options
from segbench.cli.terminal import echo
from segbench.plugins import Registry
from segbench.progress import Reporter

from .print_scores import print_record


@click.command()
@source_options
@click.option("--dataset", required=True)
@click.option("--runtime", help="Default: eager, or the --model format's.")
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
def evaluate(registry: Registry, dataset: str, **given: Any) -> None:
    """Score a trained network on a labelled split and write a record."""
    record = api.evaluate(
        model_options=take_model_options(given),
        dataset=dataset,
        plugins=registry,
        reporter=Reporter(),
        argv=sys.argv,
        **given,
    )
    print_record(record, registry.dataset(dataset).benchmark)
    echo(record.path)
