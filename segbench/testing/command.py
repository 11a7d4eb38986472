"""The contract of a command."""

import os
import subprocess
import sys

import click

from segbench.testing.shared import check_name
from segbench.types import Command


def check_command(command: Command) -> None:
    """Check that a command loads, and has its name and a help text for ``segbench NAME --help``.

    This runs in another process, without torch, where the plugin must be installed.
    """
    check_name(command.name, command.summary)
    loaded = command.load()
    assert isinstance(loaded, click.Command), f"load returns {loaded!r}, not a click command"
    assert loaded.name == command.name, f"the click command's name is {loaded.name!r}"
    assert loaded.help, f"{command.name!r} has no help text: add a docstring to its function"
    program = (
        "import sys; sys.modules['torch'] = None; from segbench.cli import main; main(sys.argv[1:])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, command.name, "--help"],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"segbench {command.name} --help fails: {done.stderr}"
