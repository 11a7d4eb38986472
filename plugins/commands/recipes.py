"""``segbench recipes``: the settings of each recipe for each dataset."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from segbench.cli import options
from segbench.plugins import Registry
from segbench.types import Dataset, Recipe

HEADINGS = ("name", "source", "accumulate")


@click.command()
@click.option("--dataset", "names", multiple=True, metavar="NAME", help="Only this. Repeatable.")
@options.data_root
@click.pass_obj
def recipes(registry: Registry, names: tuple[str, ...], data_root: Path) -> None:
    """Show the settings of each recipe for each dataset.

    segbench run --recipe selects one, and other options of run change single settings. A backbone
    may also scale the modern recipe's encoder learning rate, and the networks listed last change
    the settings shown.
    """
    datasets = [registry.at(data_root).dataset(name) for name in names] or list(registry.datasets)
    console = Console(markup=False, highlight=False)
    for name in dict.fromkeys(name for dataset in datasets for name in dataset.recipes):
        having = [dataset for dataset in datasets if name in dataset.recipes]
        console.print(_table(name, having))
        for source, users in _sources(name, having).items():
            console.print(f"{name} for {', '.join(users)}: {source}", soft_wrap=True)
    for network in registry.networks:
        if network.modern:
            console.print(f"modern for {network.name}: {_changes(network.modern)}", soft_wrap=True)


def _changes(modern: Mapping[str, Any]) -> str:
    """A network's own settings in words, with their source in parentheses."""
    settings = [
        f"{name.replace('_', ' ')} {_text(name, value)}"
        for name, value in modern.items()
        if name not in HEADINGS
    ]
    source = f" ({modern['source']})" if "source" in modern else ""
    return ", ".join(settings) + source


def _table(name: str, datasets: list[Dataset]) -> Table:
    table = Table(name)
    columns = [_settings(dataset.recipes[name]) for dataset in datasets]
    for dataset in datasets:
        table.add_column(dataset.name, justify="right")
    for setting in columns[0]:
        table.add_row(setting, *(column[setting] for column in columns))
    return table


def _settings(recipe: Recipe) -> dict[str, str]:
    settings = {name: value for name, value in asdict(recipe).items() if name not in HEADINGS}
    flat = settings | settings.pop("augmentation")
    return {name.replace("_", " "): _text(name, value) for name, value in flat.items()}


def _text(name: str, value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ("x" if name in ("size", "crop") else " to ").join(f"{each:g}" for each in value)
    return str(value)


def _sources(name: str, datasets: list[Dataset]) -> dict[str, list[str]]:
    """Source -> the datasets whose recipe of that name has that source."""
    sources: dict[str, list[str]] = {}
    for dataset in datasets:
        source = dataset.recipes[name].source
        sources.setdefault(source or "no source given", []).append(dataset.name)
    return sources
