"""An option that takes one value refuses a second one."""

import pytest
from click.testing import CliRunner

from segbench.cli import main
from segbench.plugins import Registry
from segbench_plugins.commands.plugin import segbench_commands


@pytest.mark.parametrize(
    ("command", "option"),
    [
        ("run --dataset streets --lr 1 --lr=2", "--lr"),
        ("run --dataset streets --early-stop --no-early-stop", "--early-stop"),
        ("score --dataset camvid --predictions a --predictions b", "--predictions"),
        ("data check --dataset camvid --dataset streets", "--dataset"),
    ],
)
def test_a_repetition_is_refused(command: str, option: str) -> None:
    result = CliRunner().invoke(
        main, command.split(), obj=Registry.of(commands=segbench_commands())
    )
    assert result.exit_code == 2
    assert f"{option} was given 2 times" in result.output


def test_what_takes_several_values_may_repeat() -> None:
    command = "data check --dataset camvid --split val --split test"
    result = CliRunner().invoke(
        main, command.split(), obj=Registry.of(commands=segbench_commands())
    )
    assert "times" not in result.output
