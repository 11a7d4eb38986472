"""Nothing on the terminal steers it, and nothing that it cannot show ends in a traceback.

File names and records come from anybody: commands print through ``Console`` and ``echo``.
"""

import io
import sys
from typing import Any

import click
import rich.console
from rich.text import Text

from segbench.text import lines


class Commands(click.Group):
    """A group of commands that prints "?" for characters outside the terminal's encoding."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """As click's; it is where every call of the command line begins."""
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="replace")
        return super().main(*args, **kwargs)


class Console(rich.console.Console):
    """rich's, for which every string, also one in a table, is text without control characters."""

    def render_str(self, text: str, **options: Any) -> Text:
        """As rich's."""
        return super().render_str(lines(text), **options)


def echo(text: object) -> None:
    """A line on standard output."""
    click.echo(lines(str(text)))
