"""Ctrl-C ends a command with one word, whatever a library makes of it."""

from collections.abc import Callable

import click
import pytest
from click.testing import CliRunner

from segbench.cli.terminal import Commands
from segbench.errors import SegbenchError


def as_it_is() -> None:
    raise KeyboardInterrupt


def while_loading_a_module() -> None:
    try:
        raise KeyboardInterrupt
    except KeyboardInterrupt as interrupt:
        raise ImportError("initialization failed") from interrupt


def as_a_sentence() -> None:
    try:
        while_loading_a_module()
    except ImportError as error:
        raise SegbenchError("The runtime cannot be loaded.") from error


def test_an_error_without_an_interrupt_stays_what_it_is() -> None:
    def broken() -> None:
        raise ImportError("initialization failed")

    with pytest.raises(ImportError):
        CliRunner().invoke(group(broken), ["work"], catch_exceptions=False)


@pytest.mark.parametrize("interrupted", [as_it_is, while_loading_a_module, as_a_sentence])
def test_an_interrupt_aborts(interrupted: Callable[[], None]) -> None:
    result = CliRunner().invoke(group(interrupted), ["work"])
    assert (result.exit_code, result.output.strip()) == (1, "Aborted!")


def group(work: Callable[[], None]) -> click.Group:
    """A command line whose only command does ``work``."""
    return Commands("tool", commands={"work": click.Command("work", callback=work)})
