"""``segbench latency``: time a network on one or several runtimes."""

import sys
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from segbench.cli import options
from segbench.plugins import Registry
from segbench.records import Record
from segbench.types import Size

ROWS = {
    "p50_ms": "p50, ms",
    "p90_ms": "p90, ms",
    "p99_ms": "p99, ms",
    "mean_ms": "mean, ms",
    "min_ms": "least, ms",
    "first_call_ms": "first call, ms",
    "build_s": "build, s",
    "fps": "images/s",
    "samples": "samples",
    "verdict": "verdict",
}


@click.command()
@click.option(
    "--runtime", "runtimes", multiple=True, default=["eager"], show_default=True, help="Repeatable."
)
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path),
    help="A trained network; without it, one with seeded fresh weights.",
)
@click.option("--backbone", help="Of fresh weights; default: vgg16.")
@click.option("--decoder", type=click.Choice(["bilinear", "seed"]), help="Of fresh weights.")
@click.option("--dataset", help="Its classes are those of fresh weights; default: 19 classes.")
@click.option("--size", type=options.SIZE, help="Default: the checkpoint's, else 256x512.")
@click.option("--batch-size", type=options.COUNT, default=1, show_default=True)
@options.device
@click.option(
    "--min-seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=10.0,
    show_default=True,
    help="Measure each runtime for at least so long, and up to six times as long for 64 samples.",
)
@options.results
@click.pass_obj
def latency(
    registry: Registry,
    runtimes: tuple[str, ...],
    checkpoint: Path | None,
    backbone: str | None,
    decoder: str | None,
    dataset: str | None,
    size: Size | None,
    batch_size: int,
    device: str,
    min_seconds: float,
    results: Path,
) -> None:
    """Measure the latency of FCN8s, from images on the device to logits there."""
    from segbench.latency import LatencyOptions, fresh_network, trained_network
    from segbench.latency import latency as measure_latency

    chosen = [registry.runtime(name) for name in dict.fromkeys(runtimes)]
    if checkpoint is None:
        network = fresh_network(registry, backbone, decoder, dataset, size)
    elif backbone or decoder or dataset:
        raise click.UsageError(
            "A checkpoint has its own backbone, decoder and classes; "
            "leave --backbone, --decoder and --dataset out."
        )
    else:
        network = trained_network(checkpoint, size, registry)
    asked = LatencyOptions(batch_size, device, min_seconds, results, sys.argv)
    records = measure_latency(network, chosen, registry, asked)
    _print(list(records.values()))
    for path in records:
        click.echo(path)


def _print(records: Sequence[Record]) -> None:
    table = Table("one query")
    for record in records:
        table.add_column(record.config["runtime"], justify="right")
    for name, heading in ROWS.items():
        table.add_row(heading, *(_cell(record.metrics[name]) for record in records))
    Console(markup=False, highlight=False).print(table)
    for record in records:
        for reason in record.metrics["reasons"]:
            click.echo(f"{record.config['runtime']}: {reason}")


def _cell(value: float | int | str | None) -> str:
    if value is None:
        return "-"
    return f"{value:.2f}" if isinstance(value, float) else str(value)
