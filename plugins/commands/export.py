"""``segbench export``: write the file that an engine loads."""

from pathlib import Path
from typing import Any

import click

from segbench import api
from segbench.cli import options
from segbench.cli.sources import source_options, take_model_options
from segbench.cli.terminal import echo
from segbench.plugins import Registry
from segbench.progress import Reporter


@click.command()
@source_options
@click.option("--dataset", help="With --weights or --model: the dataset of its classes.")
@click.option(
    "--runtime",
    default="onnx",
    show_default=True,
    help="Runtime to export for: onnx, onnx-int8, ...",
)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), required=True)
@click.option("--size", type=options.SIZE, help="Network input size. Default: as in training.")
@click.option("--batch-size", type=options.COUNT, default=1, show_default=True)
@click.option(
    "--output-kind",
    type=click.Choice(["logits", "labels"]),
    default="logits",
    show_default=True,
    help="logits, or labels with the argmax inside the graph.",
)
@click.option("--dynamic", is_flag=True, help="Dynamic batch and image size (onnx, onnx-fp16).")
@options.device
@options.calibration_frames
@options.keep_float
@click.option(
    "--compute-capability",
    metavar="N.N",
    help="Build the engine for a CUDA GPU other than this machine's: 8.9 is Ada.",
)
@options.data_root
@click.pass_obj
def export(registry: Registry, output: Path, **given: Any) -> None:
    """Write a trained network for an engine: takes RGB in 0..255, normalises inside.

    The ONNX graph is compared numerically with PyTorch before it is written: FP32 and FP16 must be
    equal up to rounding, INT8 must roughly agree on calibration frames. For an engine, the ONNX
    graph from which it is built is compared.
    """
    described = take_model_options(given)
    written = api.export(
        output=output, model_options=described, plugins=registry, reporter=Reporter(), **given
    )
    share = written.file / written.weights
    agreement = written.agreement
    equal = "" if agreement is None else f" in {agreement:.1%} of pixels"
    echo(
        f"{output}: {written.file / 1e6:.1f} MB, {share:.0%} of the network's "
        f"{written.weights / 1e6:.1f} MB in FP32"
    )
    checked = "it" if output.suffix == ".onnx" else "the graph it was built from"
    reference = f"FP32 execution of {given['model']}" if given["model"] else "eager FP32"
    echo(f"{written.interface}; {checked} matches {reference}{equal}.")
