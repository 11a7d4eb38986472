"""The ``segbench`` program; every command but ``segbench plugins`` is a plugin.

A command is imported only when it is run or its help is shown.
"""

import json
from dataclasses import asdict

import click
from rich.table import Table

import segbench
from segbench.cli.terminal import Commands, Console, echo, take_sigterm_as_ctrl_c
from segbench.errors import SegbenchError, unknown_name
from segbench.plugins import LISTING, Registry, listing
from segbench.training.world import started_by_torchrun
from segbench.types import Configurable


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.option(
    "--all", "members", is_flag=True, help="List each member of a family of backbones too."
)
@click.pass_obj
def plugins(registry: Registry, as_json: bool, members: bool) -> None:
    """List what the installed plugins offer, and how to fix unusable items."""
    listed = listing(registry, members)
    if as_json:
        click.echo(json.dumps([asdict(line) for line in listed], indent=2))
        return
    table = Table("kind", "name", "distribution", "version", "status")
    for line in listed:
        table.add_row(line.kind, line.name, line.distribution, line.version, line.status)
    Console().print(table)
    for dataset in registry.datasets:
        if isinstance(dataset.benchmark, Configurable):
            for key, values in dataset.benchmark.options.items():
                click.echo(f"Option of {dataset.name}: segbench score -o {key}={'|'.join(values)}")
    for problem in dict.fromkeys(line.problem for line in listed if line.problem):
        echo(problem)


class Program(Commands):
    """``segbench plugins`` and the registry's commands."""

    def summaries(self, ctx: click.Context) -> dict[str, str]:
        """Every command with its summary, including those that cannot be used here."""
        offered = {command.name: command.summary for command in _registry(ctx).commands}
        return dict(sorted((offered | {LISTING: str(plugins.help)}).items()))

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands."""
        return list(self.summaries(ctx))

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """The command, or None; PluginError if it cannot be used here."""
        if name == LISTING:
            return plugins
        if name in self.list_commands(ctx):
            return _registry(ctx).command(name).load()
        return None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click's; suggests the nearest name for an unknown command."""
        names = self.list_commands(ctx)
        if args[0] not in names and not args[0].startswith("-") and not ctx.resilient_parsing:
            ctx.fail(unknown_name("command", args[0], names) + _registry(ctx).broken_hint())
        return super().resolve_command(ctx, args)


def _registry(ctx: click.Context) -> Registry:
    ctx.obj = ctx.obj or Registry.load()
    registry: Registry = ctx.obj
    return registry


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(segbench.__version__, prog_name="segbench")
@click.pass_context
def main(ctx: click.Context) -> None:
    """Which backbone, on which runtime, gives which accuracy at which latency?"""
    if started_by_torchrun() and ctx.invoked_subcommand != "run":
        raise SegbenchError(
            f"torchrun is for segbench run; start segbench {ctx.invoked_subcommand} without it."
        )
    if not started_by_torchrun():  # its agent ends ranks that wait for one another
        take_sigterm_as_ctrl_c(ctx)
