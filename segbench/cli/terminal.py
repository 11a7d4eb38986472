"""What the terminal cannot show is replaced, so that no output ends in a traceback."""

import io
import sys
from typing import Any

import click


class Commands(click.Group):
    """A group of commands that prints "?" for characters outside the terminal's encoding."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """As click's; it is where every call of the command line begins."""
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="replace")
        return super().main(*args, **kwargs)
