"""``segbench data``: check datasets."""

from pathlib import Path

import click
from rich.table import Table
from rich.text import Text

from segbench.cli import options
from segbench.cli.terminal import Commands, Console
from segbench.data.skipped import skipped_sentence
from segbench.plugins import Registry
from segbench.progress import Reporter
from segbench.text import lines

from .check import Checked, check


@click.group(cls=Commands)
def data() -> None:
    """Check datasets."""


@data.command("check")
@click.option("--dataset", "name", required=True, metavar="NAME", help="Dataset to check.")
@options.data_root
@click.option("--split", "splits", multiple=True, help="Only this split; may be repeated.")
@click.pass_obj
def check_command(registry: Registry, name: str, data_root: Path, splits: tuple[str, ...]) -> None:
    """Decode every file of a dataset and list everything wrong."""
    dataset = registry.dataset(name)
    checked = check(dataset, dataset.locate(data_root), splits, Reporter())
    _print(checked, title=dataset.name)
    if not checked.whole:
        raise click.exceptions.Exit(1)


def _print(checked: Checked, title: str) -> None:
    console = Console()
    for message in checked.absent:
        console.say(message, "red")
    for frame, messages in checked.faults.items():
        for message in messages:
            console.print(
                Text.assemble((lines(frame.id), "bold"), f": {lines(message)}"), soft_wrap=True
            )
    table = Table("split", title=title)
    for column in ("frames", "with labels", "faulty"):
        table.add_column(column, justify="right")
    for split, frames in checked.splits.items():
        labelled = sum(frame.label is not None and frame.label.is_file() for frame in frames)
        faulty = sum(frame in checked.faults for frame in frames)
        table.add_row(split, *map(str, (len(frames), labelled, faulty)))
    console.print(table)
    if checked.skipped:
        console.say(skipped_sentence(checked.skipped))
    sizes = ", ".join(f"{h}x{w} ({count})" for (h, w), count in checked.sizes.items())
    console.print(f"Image sizes (height x width): {sizes or 'none'}")
    console.print("No problems found." if checked.whole else "Problems found: see above.")
