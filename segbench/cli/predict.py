"""``segbench predict``: what a checkpoint sees in any pictures."""

from pathlib import Path
from typing import Any

import click

from segbench.cli import options
from segbench.cli.sources import engine_options, take_engine
from segbench.cli.terminal import echo
from segbench.data.draw import DRAWINGS
from segbench.plugins import Registry
from segbench.progress import Reporter
from segbench.text import counted


@click.command()
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@engine_options
@click.option("--output", type=click.Path(path_type=Path), required=True, help="Output folder.")
@click.option(
    "--as",
    "kinds",
    type=click.Choice([*DRAWINGS, "ids"]),
    multiple=True,
    default=("overlay",),
    show_default=True,
    help="What to write (repeatable).",
)
@options.opacity
@click.pass_obj
def predict(registry: Registry, **given: Any) -> None:
    """Draw the classes that a checkpoint sees in pictures.

    An INPUT is a picture, a folder of them, or a quoted glob such as 'drive/**/*.jpg'. Each gives
    a PNG of the same name in --output; where --as is given several times, in a subfolder for each.

    overlay and side-by-side have a legend below the picture. color and ids have exactly the
    picture's size: the palette's colours, and what segbench score takes (official label
    ids, or the probability of the second of two classes).

    A picture that cannot be read is skipped, and the exit code is 1.
    """
    from segbench.jobs.predict import PredictOptions
    from segbench.jobs.predict import predict as do_predict

    chosen = PredictOptions(**take_engine(given, registry), **given)
    count = do_predict(chosen, registry, Reporter())
    echo(f"{counted(count, 'picture')} in {chosen.output}")
