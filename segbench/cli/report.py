"""``segbench report``: a record or a checkpoint as one page of figures."""

import sys
from pathlib import Path
from typing import Any

import click

from segbench.cli import options
from segbench.cli.terminal import echo
from segbench.plugins import Registry
from segbench.progress import Reporter


@click.command()
@click.argument(
    "source",
    metavar="RECORD|CHECKPOINT",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@click.option(
    "--output", type=click.Path(path_type=Path), required=True, help="HTML file to write."
)
@click.option("--png", type=click.Path(path_type=Path), help="Folder for the figures as PNGs.")
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path),
    help="With a record: its checkpoint, to draw frames with.",
)
@click.option("--runtime", help="With a checkpoint: what to score it on.  [default: eager]")
@click.option("--split", help="With a checkpoint. Default: the dataset's scoring split.")
@click.option("--limit", type=options.COUNT, help="With a checkpoint: number of frames.")
@options.data_root
@options.device
@click.pass_obj
def report(registry: Registry, **given: Any) -> None:
    """Draw a record or a checkpoint as one HTML page that needs no network.

    A RECORD (the JSON file) of a run or an evaluation gives learning curves, classes with 95%
    bootstrap intervals over frames, the confusion matrix, and the names of the best and the worst
    frames; with --checkpoint and --data-root these frames are predicted again on the record's
    runtime and drawn. The record of a latency gives its histogram and its percentiles over time.

    A CHECKPOINT is scored on its own dataset first, which leaves no record, and its frames are
    drawn. Learning curves are in the record of its run.

    mIoU of a single frame is the mean over the classes in its ground truth.
    """
    from segbench.jobs.report import ReportOptions, write_report

    asked = ReportOptions(argv=sys.argv, **given)
    reporter = Reporter()
    with reporter.working("draw the report"):
        write_report(asked, registry, reporter)
    echo(asked.output)
