"""The ``segbench`` command: every subcommand parses its options, calls the harness and prints."""

import click

import segbench
from segbench.cli.compare import compare
from segbench.cli.data import data
from segbench.cli.evaluate import evaluate
from segbench.cli.export import export
from segbench.cli.latency import latency
from segbench.cli.leaderboard import leaderboard
from segbench.cli.plugins import plugins
from segbench.cli.predict import predict
from segbench.cli.recipes import recipes
from segbench.cli.report import report
from segbench.cli.run import run
from segbench.cli.score import score
from segbench.cli.submit import submit
from segbench.cli.suite import suite
from segbench.cli.terminal import Commands
from segbench.cli.video import video
from segbench.errors import SegbenchError
from segbench.plugins import Registry
from segbench.training.world import started_by_torchrun


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(segbench.__version__, prog_name="segbench")
@click.pass_context
def main(ctx: click.Context) -> None:
    """Which backbone, on which runtime, gives which accuracy at which latency?"""
    if started_by_torchrun() and ctx.invoked_subcommand != "run":
        raise SegbenchError(
            f"torchrun is for segbench run; start segbench {ctx.invoked_subcommand} without it."
        )
    ctx.obj = ctx.obj or Registry.load()


for command in (
    *(compare, data, evaluate, export, latency, leaderboard, plugins, predict),
    *(recipes, report, run, score, submit, suite, video),
):
    main.add_command(command)
