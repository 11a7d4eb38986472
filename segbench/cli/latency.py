"""``segbench latency``: time networks on one or several runtimes."""

import sys
from pathlib import Path
from typing import Any

import click

from segbench.cli import options
from segbench.cli.terminal import echo
from segbench.errors import InterruptedRun, SegbenchError
from segbench.latency.timing import SCENARIOS, SCOPES
from segbench.plugins import Registry
from segbench.progress import Reporter
from segbench.records.record import read_record
from segbench.text import counted
from segbench.types import Size

PROTOCOL = (
    "device",
    "scope",
    "scenario",
    "min_seconds",
    "threads",
    "data_root",
    "keep_float",
)


@click.command()
@options.sweep(
    "--runtime",
    "runtimes",
    type=click.STRING,
    default=["eager"],
    help="Runtime to time; speed-ups are over the first; 'all': every runtime that runs here.",
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
    help="Weights of --network for the classes of --dataset. Default: random.",
)
@click.option(
    "--decoder", type=click.Choice(["bilinear", "transposed"]), help="FCN8s only, random weights."
)
@click.option(
    "--dataset",
    help="With random weights: dataset of the classes and of the frames to calibrate and compare "
    "on. Default: 19 classes and drawn frames.",
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
    help="What is timed: input to logits on the device, to class maps there, or decoded images "
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
def latency(
    registry: Registry,
    runtimes: tuple[str, ...],
    networks: tuple[str, ...],
    backbones: tuple[str, ...],
    sizes: tuple[Size, ...],
    **given: Any,
) -> None:
    """Measure the latency of networks on runtimes in turns, and write a record for each.

    INT8 runtimes are measured together with their FP16 counterpart. Several sizes or batch
    sizes are measured one after the other, each on all runtimes.
    """
    from segbench.cli.print_latencies import print_latencies
    from segbench.device import cpu_threads
    from segbench.jobs.latency import LatencyOptions
    from segbench.jobs.latency import latency as measure
    from segbench.latency.group import Protocol

    given["threads"] = cpu_threads(given["threads"])
    protocol = Protocol(**{name: given.pop(name) for name in PROTOCOL})
    asked = LatencyOptions(
        runtimes,
        tuple(dict.fromkeys(networks)),
        tuple(dict.fromkeys(backbones)),
        sizes=sizes or (None,),
        protocol=protocol,
        argv=sys.argv,
        **given,
    )
    outcome = measure(asked, registry, Reporter())
    print_latencies([read_record(path) for path in outcome.records])
    for path in outcome.records:
        echo(path)
    if outcome.interrupted:
        raise InterruptedRun(f"Interrupted, after {counted(len(outcome.records), 'record')}.")
    if outcome.failed:
        raise SegbenchError(
            f"{outcome.failed} of {outcome.count} measurements failed, as said above."
        )
