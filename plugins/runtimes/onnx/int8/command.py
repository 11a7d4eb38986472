"""``segbench quantize-report``: the cost of each layer in INT8."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.table import Table

from segbench.cli import options
from segbench.cli.sources import dataset_option, source_options, take_source
from segbench.cli.terminal import Console, echo
from segbench.plugins import Registry
from segbench.progress import Reporter

from .quantize_report import ReportOptions, quantize_report

if TYPE_CHECKING:
    from .report import Report


@click.command("quantize-report")
@source_options
@dataset_option
@click.option(
    "--profile",
    type=click.Choice(["unsigned", "unsaturated", "signed"]),
    default="unsigned",
    show_default=True,
    help="unsigned: exact INT8 on CPUs; unsaturated: CPUs without VNNI; signed: GPUs.",
)
@click.option("--frames", type=options.COUNT, help="Held-back frames to score on. Default: all.")
@options.calibration_frames
@click.option(
    "--keep-float",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Also score INT8 with this many of the costliest layers in floating point.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=Path("quantize-report"),
    show_default=True,
    help="Folder for report.json, report.csv and report.png.",
)
@options.data_root
@click.pass_obj
def quantize_report_command(registry: Registry, dataset_name: str | None, **given: Any) -> None:
    """Show the noise and the mIoU lost of every layer in INT8.

    Layers are quantised one at a time and scored on training images not used for calibration. An
    interrupted report continues where it stopped.
    """
    asked = ReportOptions(take_source(given, registry, dataset_name), **given)
    reporter = Reporter()
    with reporter.working("quantise"):
        report = quantize_report(asked, registry, reporter)
    print_report(report)
    echo(asked.output / "report.json")


def print_report(report: "Report") -> None:
    """Print every layer, worst first, and the mIoU of the whole network."""
    console = Console()
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("layer")
    table.add_column("precision")
    table.add_column("SNR, dB", justify="right")
    table.add_column("mIoU lost, points", justify="right")
    for cost in report.costs:
        snr = "-" if cost.snr_db is None else f"{cost.snr_db:.1f}"
        table.add_row(cost.layer, "int8", snr, f"{100 * cost.miou_lost:+.2f}")
    for name in report.quantization["float_layers"]:
        table.add_row(name, "float", "-", "-")
    console.print(table)
    lines = [
        f"mIoU on {report.frames} held-back training frames: {report.fp32_miou:.4f} in FP32, "
        f"{report.int8_miou:.4f} in INT8 ({report.quantization['method']} calibration)"
    ]
    if report.kept_miou is not None:
        named = " ".join(f"--keep-float {name}" for name in report.kept_float)
        lines.append(f"{report.kept_miou:.4f} with {named}")
    for line in lines:
        console.say(line)
