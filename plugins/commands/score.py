"""``segbench score``: the official score of any system's predictions."""

import json
import sys
from pathlib import Path
from typing import Any

import click

from segbench import api
from segbench.cli import options
from segbench.cli.terminal import echo
from segbench.files import check_writable, write_or_print
from segbench.plugins import Registry
from segbench.progress import Reporter
from segbench.text import counted

from .print_scores import print_score, scale_note


class KeyValue(click.ParamType):
    """``KEY=VALUE`` as a pair of strings."""

    name = "KEY=VALUE"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        """Parse "encoding=trainids" to ("encoding", "trainids")."""
        if isinstance(value, tuple):
            return value
        key, equals, setting = str(value).partition("=")
        if not (key and equals and setting):
            self.fail(f"{value!r} is not of the form KEY=VALUE.", param, ctx)
        return key, setting


class ScoreCommand(click.Command):
    """A command whose error for an unknown option explains -o KEY=VALUE."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse ``args`` as click does."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            raise click.UsageError(
                f"{error.format_message()} Pass a dataset's options as -o KEY=VALUE; "
                "`segbench plugins` lists them.",
                ctx,
            ) from error


@click.command(cls=ScoreCommand)
@click.option("--dataset", required=True, metavar="NAME", help="Dataset to score on.")
@click.option(
    "--predictions",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder of prediction PNGs, named like the frames; searched with its subfolders.",
)
@options.data_root
@click.option("--split", help="Split to score.  [default: the dataset's own choice]")
@click.option(
    "--json",
    "output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write the benchmark's own JSON to.",
)
@click.option(
    "--label-scale",
    type=options.COUNT,
    default=1,
    show_default=True,
    metavar="N",
    help="Score every N-th pixel each way; not comparable with official scores.",
)
@click.option(
    "-o",
    "chosen",
    type=KeyValue(),
    multiple=True,
    help="An option of the dataset's benchmark; `segbench plugins` lists them.",
)
@click.option(
    "--workers",
    type=options.COUNT,
    metavar="N",
    help="Frames scored in parallel.  [default: one per CPU core, from 2 to 8]",
)
@click.option(
    "--results",
    type=click.Path(path_type=Path),
    help="With --name: write a record to this folder, for a row in its leaderboard.",
)
@click.option("--name", help="With --results: name of the predicting system.")
@click.option(
    "--stated-ms",
    type=options.FiniteRange(min=0, min_open=True),
    metavar="MS",
    help="With --name: the latency per image reported by the system's authors.",
)
@click.option(
    "--stated-on",
    metavar="TEXT",
    help="With --stated-ms: what it was measured on, such as 'Jetson Orin, FP16, 1024x2048'.",
)
@click.pass_obj
def score(
    registry: Registry,
    dataset: str,
    output: Path | None,
    chosen: tuple[tuple[str, str], ...],
    **given: Any,
) -> None:
    """Score a folder of prediction PNGs from any system with the official measure.

    Predictions are 8-bit PNGs with one channel, named like the frames: the dataset's official
    label ids, or a probability for a dataset of two classes. Palette PNGs are read as indices.

    With --results and --name the system gets its own row in the leaderboard, with the runtime
    "external". Its reported latency is shown separately from measured ones.
    """
    if output and not output.parent.is_dir():
        raise click.BadParameter(f"{output.parent} is not a folder.", param_hint="--json")
    if output:
        check_writable(output.parent, "--json")
    result = api.score(
        dataset,
        options=dict(chosen),
        plugins=registry,
        reporter=Reporter(),
        argv=sys.argv,
        **given,
    )
    frames, scale = counted(result.frames, "frame"), scale_note(given["label_scale"])
    title = f"{registry.dataset(dataset).name} {result.split}, {frames}{scale}"
    print_score(result, registry.dataset(dataset).benchmark, title)
    if output:
        text = json.dumps(result.official, indent=2, allow_nan=False) + "\n"
        write_or_print(output, text)
    if result.record:
        echo(result.record)
