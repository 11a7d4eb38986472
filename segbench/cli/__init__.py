"""The ``segbench`` command: every subcommand parses its options, calls the harness and prints."""

import click

import segbench
from segbench.plugins import Registry


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(segbench.__version__, prog_name="segbench")
@click.pass_context
def main(ctx: click.Context) -> None:
    """Which backbone, on which runtime, gives which accuracy at which latency?"""
    ctx.obj = ctx.obj or Registry.load()
