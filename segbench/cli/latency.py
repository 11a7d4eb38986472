"""``segbench latency``: time networks on one or several runtimes."""

import sys
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import click

from segbench.cli import options
from segbench.cli.sources import check_onnx, onnx_options, take_onnx
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
    help="Runtime to time; speed-ups are over the first; 'all': every runtime that runs here. "
    "Default: eager, or onnx for an ONNX file.",
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
    help="Backbone to time with random weights (repeatable). Default: vgg16.",
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
@onnx_options
@click.option(
    "--decoder", type=click.Choice(["bilinear", "transposed"]), help="FCN8s only, random weights."
)
@click.option(
    "--dataset",
    help="With random weights: dataset of the classes and of the frames to calibrate and compare "
    "on. Default: 19 classes and streets.",
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
    sizes: tuple[Size, ...],
    batch_sizes: tuple[int, ...],
    isolate: bool,
    **given: Any,
) -> None:
    """Measure the latency of networks on runtimes in turns, and write a record for each.

    INT8 runtimes are measured together with their FP16 counterpart. Several sizes or batch
    sizes are measured one after the other, each on all runtimes.
    """
    from segbench.cli.print_latencies import print_latencies
    from segbench.device import cpu_threads
    from segbench.jobs.latency import LatencyOptions, check_keep_float, with_fp16
    from segbench.jobs.latency_sweep import latency_sweep, named_runtimes
    from segbench.latency.group import Protocol

    given["onnx"], model = take_onnx(given), given["model"]
    check_onnx(given["onnx"], model)
    others = ("backbones", "networks", "weights", "decoder")
    if model and (given["checkpoint"] or any(given[name] for name in others)):
        raise click.UsageError("--model is a network of its own; name no other beside it.")
    if model and not given["dataset"]:
        raise click.UsageError("--model goes with --dataset, which names its classes.")
    if given["checkpoint"] and any(given[name] for name in (*others, "dataset")):
        raise click.UsageError(
            "A checkpoint has its own network and classes; "
            "leave --backbone, --network, --weights, --decoder and --dataset out."
        )
    if given["weights"] and not (
        len(given["networks"]) == 1 and given["dataset"] and not given["backbones"]
    ):
        raise click.UsageError("--weights goes with one --network and with --dataset.")
    given["threads"] = cpu_threads(given["threads"])
    protocol = Protocol(**{name: given.pop(name) for name in PROTOCOL})
    for name in ("networks", "backbones"):
        given[name] = tuple(dict.fromkeys(given[name]))
    wanted = runtimes or ("onnx" if model else "eager",)
    names = named_runtimes(wanted, protocol.device, registry, for_onnx=bool(model))
    names = with_fp16(names, protocol.device, registry)
    check_keep_float(names, protocol, registry)
    asked = [
        LatencyOptions(
            names,
            size=size,
            protocol=replace(protocol, batch_size=batch_size),
            argv=sys.argv,
            **given,
        )
        for size, batch_size in product(sizes or (None,), batch_sizes)
    ]
    outcome = latency_sweep(asked, isolate, registry, Reporter())
    print_latencies([read_record(path) for path in outcome.records])
    for path in outcome.records:
        echo(path)
    if outcome.interrupted:
        raise InterruptedRun(f"Interrupted, after {counted(len(outcome.records), 'record')}.")
    if outcome.failed:
        count = sum(each.count for each in asked)
        raise SegbenchError(f"{outcome.failed} of {count} measurements failed, as said above.")
