"""``python -m segbench_plugins.datasets.streets``: draw street scenes with their ground truth."""

from pathlib import Path

import click

from segbench.cli import options
from segbench.progress import Reporter
from segbench.types import Size

SIZES = {"cityscapes": (128, 256), "kitti": (375, 1242)}


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--frames", type=options.COUNT, default=64, show_default=True, help="Number.")
@click.option(
    "--size",
    type=options.SIZE,
    show_default="128x256, for kitti 375x1242",
    help="Height x width, at least 64x128.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 999_999),
    default=0,
    show_default=True,
    help="Seed of the set; frames do not depend on how many are drawn.",
)
@click.option(
    "--layout",
    type=click.Choice(list(SIZES)),
    default="cityscapes",
    show_default=True,
    help="Layout of folders and ground truth.",
)
def make_streets(out: Path, frames: int, size: Size | None, seed: int, layout: str) -> None:
    """Draw FRAMES street scenes with ground truth into the new or empty folder OUT.

    Of every eight frames six are for training and one each for val and test.
    """
    from .write import write_streets

    write_streets(out, frames, size or SIZES[layout], seed, layout, Reporter())
    click.echo(f"{frames} frames in {out}")


if __name__ == "__main__":
    make_streets(prog_name="python -m segbench_plugins.datasets.streets")
