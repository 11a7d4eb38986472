"""``segbench plugins``: what is on offer here, and why something is not."""

import json
from dataclasses import asdict

import click
from rich.table import Table

from segbench.cli.terminal import Console, echo
from segbench.plugins import Registry
from segbench.types import Configurable


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.option("--all", "members", is_flag=True, help="List every timm backbone too.")
@click.pass_obj
def plugins(registry: Registry, as_json: bool, members: bool) -> None:
    """List what the installed plugins offer, and how to fix what is unusable."""
    listing = registry.listing(members)
    if as_json:
        click.echo(json.dumps([asdict(line) for line in listing], indent=2))
        return
    table = Table("kind", "name", "distribution", "version", "status")
    for line in listing:
        table.add_row(line.kind, line.name, line.distribution, line.version, line.status)
    Console().print(table)
    for dataset in registry.datasets:
        if isinstance(dataset.benchmark, Configurable):
            for key, values in dataset.benchmark.options.items():
                click.echo(f"Option of {dataset.name}: segbench score -o {key}={'|'.join(values)}")
    for problem in dict.fromkeys(line.problem for line in listing if line.problem):
        echo(problem)
