"""``segbench latency``: time networks on one or several runtimes."""

import sys
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from segbench import api
from segbench.cli import options
from segbench.cli.sources import model_options, take_model_options
from segbench.cli.terminal import Console, echo
from segbench.errors import MeasurementError
from segbench.latency.timing import PHASES, SCENARIOS, SCOPES
from segbench.plugins import Registry
from segbench.progress import Reporter
from segbench.records.record import Record
from segbench.types import DECODERS


@click.command()
@options.sweep(
    "--runtime",
    "runtimes",
    type=click.STRING,
    help="Runtime to time; speed-ups are relative to the first; 'all': all that run here. "
    "Default: eager, or that of the --model format.",
)
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path),
    help="Trained network; without it, one with random weights.",
)
@click.option(
    "--backbone",
    "backbones",
    multiple=True,
    help="Backbone to time with random weights (repeatable). Default: the plugins' default.",
)
@click.option(
    "--network",
    "networks",
    multiple=True,
    help="Network such as enet to time with random weights (repeatable).",
)
@click.option(
    "--weights",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Weights of --network, for the classes of --dataset. Default: random.",
)
@model_options
@click.option("--decoder", type=click.Choice(DECODERS), help="FCN8s only, random weights.")
@click.option(
    "--dataset",
    help="For --weights, --model or random weights: dataset of the classes, and of the frames to "
    "calibrate and compare on. Default with random weights: 19 classes and drawn frames.",
)
@options.data_root
@options.sweep(
    "--size", "sizes", type=options.SIZE, help="Default: the checkpoint's, else 256x512."
)
@options.sweep("--batch-size", "batch_sizes", type=options.COUNT, default=["1"])
@options.device
@click.option(
    "--scope",
    type=click.Choice(list(SCOPES)),
    default="model",
    show_default=True,
    help="What is timed: input to logits or to class maps, both on the device, or decoded images "
    "on the host to class maps on the host.",
)
@click.option(
    "--scenario",
    type=click.Choice(SCENARIOS),
    default="single-stream",
    show_default=True,
    help="single-stream: latency of one query at a time; offline: throughput.",
)
@click.option(
    "--min-seconds",
    type=options.FiniteRange(min=0, min_open=True),
    default=10.0,
    show_default=True,
    help="Minimum time per runtime; up to six times as long for 64 samples.",
)
@click.option(
    "--attempts",
    type=options.COUNT,
    default=1,
    show_default=True,
    help="On a machine that is not steady, measure up to this many times; the first steady "
    "attempt counts.",
)
@options.keep_float
@click.option(
    "--threads",
    type=options.COUNT,
    help="CPU threads of every engine. Default: OMP_NUM_THREADS, else all usable cores.",
)
@click.option(
    "--isolate",
    is_flag=True,
    help="Run each runtime in its own process: isolates crashes and memory.",
)
@options.results
@click.pass_obj
def latency(registry: Registry, **given: Any) -> None:
    """Measure the latency of networks on runtimes in turns, and write a record for each.

    INT8 runtimes are measured together with their FP16 counterpart. Several sizes or batch sizes
    are measured in sequence, each on all runtimes.
    """
    described = take_model_options(given)
    try:
        records = api.measure(
            model_options=described, plugins=registry, reporter=Reporter(), argv=sys.argv, **given
        )
    except MeasurementError as error:
        print_latencies(error.records)
        raise
    print_latencies(records)


Metrics = Mapping[str, Any]

HEADING_WIDTH, COLUMN_WIDTH = 22, 21
"""In characters; runtimes that do not fit side by side get another table."""


def print_latencies(records: Sequence[Record]) -> None:
    """Print runtimes measured in turns side by side, then bounds, doubts and the records' paths."""
    for _, group in groupby(records, _measured_together):
        _print_network(list(group))
    for record in records:
        echo(record.path)


def _measured_together(record: Record) -> tuple[str, str]:
    return record.network_name, record.config["session"]


def _print_network(records: Sequence[Record]) -> None:
    config = records[0].config
    console = Console()
    console.say(
        f"{records[0].network_name} at {config['height']}x{config['width']}, batch "
        f"{config['batch_size']}, {config['scenario']} on {config['device']}: "
        f"{SCOPES[config['scope']]}"
    )
    abreast = max(1, (console.width - HEADING_WIDTH) // COLUMN_WIDTH)
    for start in range(0, len(records), abreast):
        console.print(_table(records[start : start + abreast]))
    for record in records:
        if line := _roofline(record.metrics):
            echo(f"roofline of {record.config['runtime']}: {line}")
    for record in records:
        for said in filter(None, (record.note, *record.metrics["reasons"])):
            echo(f"{record.config['runtime']}: {said}")


def _table(records: Sequence[Record]) -> Table:
    table = Table("one query")
    for record in records:
        table.add_column(record.config["runtime"], justify="right")
    for heading, text in ROWS.items():
        cells = [text(record.metrics) for record in records]
        if any(cells):
            table.add_row(heading, *(cell or "-" for cell in cells))
    return table


def _number(name: str, form: str) -> Callable[[Metrics], str]:
    return lambda metrics: "" if metrics.get(name) is None else form.format(metrics[name])


def _phase(name: str) -> Callable[[Metrics], str]:
    return lambda metrics: f"{metrics['phases'][name]:.1%}" if metrics.get("phases") else ""


def _speedup(metrics: Metrics) -> str:
    if metrics.get("speedup") is None:
        return ""
    if metrics["speedup_low"] is None:
        return f"{metrics['speedup']:.2f}x"
    return (
        f"{metrics['speedup']:.2f}x [{metrics['speedup_low']:.2f}, {metrics['speedup_high']:.2f}]"
    )


def _roofline(metrics: Metrics) -> str:
    if metrics.get("bound_ms") is None:
        return ""
    return (
        f"{metrics['gflop']:.4g} GFLOP at {metrics['gflop_per_s']:.4g} GFLOP/s, "
        f"{metrics['gbyte']:.3g} GB at {metrics['gbyte_per_s']:.3g} GB/s: "
        f"{metrics['bound_precision']} needs at least {metrics['bound_ms']:.2f} ms"
    )


ROWS: dict[str, Callable[[Metrics], str]] = {
    "p50, ms": _number("p50_ms", "{:.2f}"),
    "p90, ms": _number("p90_ms", "{:.2f}"),
    "p99, ms": _number("p99_ms", "{:.2f}"),
    "mean, ms": _number("mean_ms", "{:.2f}"),
    "min, ms": _number("min_ms", "{:.2f}"),
    "speed-up [95%]": _speedup,
    "images/s": _number("fps", "{:.2f}"),
    "samples": _number("samples", "{}"),
    **{f"  {name}": _phase(name) for name in PHASES},
    "first call, ms": _number("first_call_ms", "{:.2f}"),
    "build, s": _number("build_s", "{:.2f}"),
    "times the roofline": _number("roofline_multiple", "{:.2f}"),
    "peak memory, MB": _number("peak_memory_mb", "{:.0f}"),
    "device memory, MB": _number("device_memory_mb", "{:.0f}"),
    "file, MB": _number("file_mb", "{:.1f}"),
    "agreement": _number("agreement", "{:.2%}"),
    "logit error": _number("logit_error", "{:.2g}"),
    "INT8 arithmetic error": _number("arithmetic_error", "{:.2%}"),
    "compared on": _number("compared_on", "{}"),
    "verdict": _number("verdict", "{}"),
}
