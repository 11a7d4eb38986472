"""``segbench plugins``: what is on offer here, and why something is not."""

import json
from dataclasses import asdict

import click
from rich.console import Console
from rich.table import Table

from segbench.plugins import Registry


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.option("--all", "members", is_flag=True, help="List every timm backbone too.")
@click.pass_obj
def plugins(registry: Registry, as_json: bool, members: bool) -> None:
    """List every backbone, data set, network and runtime, and what mends the unusable ones."""
    listing = registry.listing(members)
    if as_json:
        click.echo(json.dumps([asdict(line) for line in listing], indent=2))
        return
    table = Table("kind", "name", "distribution", "version", "status")
    for line in listing:
        table.add_row(line.kind, line.name, line.distribution, line.version, line.status)
    Console(markup=False, highlight=False).print(table)
    for problem in dict.fromkeys(line.problem for line in listing if line.problem):
        click.echo(problem)
