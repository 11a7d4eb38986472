"""``segbench recipes`` and the help of the command line."""

from collections.abc import Iterator
from dataclasses import replace

import click
from click.testing import CliRunner
from torch import nn

from segbench.cli import main
from segbench.plugins import Registry
from segbench.types import Network
from segbench_plugins.commands.plugin import segbench_commands
from tests.tiny import tiny_dataset


def options(command: click.Command, path: str = "") -> Iterator[tuple[str, click.Option]]:
    """Every option of every command, with the command's name."""
    name = f"{path} {command.name}"
    yield from ((name, param) for param in command.params if isinstance(param, click.Option))
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            yield from options(inner, name)


def test_each_recipe_has_a_table_of_its_settings() -> None:
    dataset = tiny_dataset()
    modern = dataset.recipes["modern"]
    described = replace(modern, source="a paper", crop=(16, 48), lr=0.125)
    other = replace(dataset, name="other", recipes={**dataset.recipes, "modern": described})
    registry = Registry.of(datasets=[dataset, other], commands=segbench_commands())
    result = CliRunner().invoke(main, ["recipes"], obj=registry)
    assert result.exit_code == 0, result.output
    cells = [line.strip("│ ").split("│") for line in result.output.splitlines() if "│" in line]
    table = {row[0].strip(): [cell.strip() for cell in row[1:]] for row in cells[:17]}
    height, width = modern.size
    assert table["size"] == [f"{height}x{width}"] * 2
    assert table["epochs"] == [str(modern.epochs)] * 2
    assert (table["lr"][0], table["crop"][0]) == ("0.125", "16x48")
    assert "modern for other: a paper" in result.output
    only = CliRunner().invoke(main, ["recipes", "--dataset", "tiny"], obj=registry)
    assert "other" not in only.output


def test_a_network_lists_what_it_changes() -> None:
    modern = {"lr": 5e-4, "batch_size": 8, "source": "its paper"}
    network = Network(
        name="own", summary="One", build=lambda classes, convention: nn.Identity(), modern=modern
    )
    registry = Registry.of(
        datasets=[tiny_dataset()], networks=[network], commands=segbench_commands()
    )
    result = CliRunner().invoke(main, ["recipes"], obj=registry)
    last = result.output.splitlines()[-1]
    assert last == "modern for own: lr 0.0005, batch size 8 (its paper)"


def test_an_unknown_data_set_is_one_sentence() -> None:
    registry = Registry.of(datasets=[tiny_dataset()], commands=segbench_commands())
    result = CliRunner().invoke(main, ["recipes", "--dataset", "tinny"], obj=registry)
    assert (result.exit_code, len(result.output.splitlines())) == (1, 1)


def test_the_list_of_commands_has_whole_sentences() -> None:
    listed = CliRunner().invoke(main, ["--help"]).output.partition("Commands:")[2]
    assert "recipes" in listed
    assert "..." not in listed


def test_help_shows_the_values_of_defaults() -> None:
    hidden = [
        f"{command} {option.opts[-1]}"
        for command, option in options(main)
        if isinstance(option.default, str | int | float | tuple | list)
        and not (option.is_flag or option.show_default)
    ]
    assert not hidden
