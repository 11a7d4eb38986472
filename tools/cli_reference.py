"""The command line reference: the help of every command. MkDocs runs this as a hook."""

from collections.abc import Iterator
from typing import Any

import click

from segbench.cli import main

MARKER = "<!-- commands -->"


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put the reference where a page has ``MARKER``; MkDocs calls this for each page."""
    return markdown.replace(MARKER, reference())


def reference() -> str:
    """A heading and the help text of each command, as Markdown."""
    top = click.Context(main, info_name="segbench", **main.context_settings)
    return "\n".join(
        f"## segbench {name}\n\n```text\n{command.get_help(context)}\n```\n"
        for name, command, context in commands(main, top)
    )


def commands(
    group: click.Group, above: click.Context, prefix: str = ""
) -> Iterator[tuple[str, click.Command, click.Context]]:
    """Every command below ``group`` with its full name and a context to print its help in."""
    for name in group.list_commands(above):
        command = group.get_command(above, name)
        assert command is not None
        context = click.Context(command, info_name=name, parent=above, terminal_width=78)
        if isinstance(command, click.Group):
            yield from commands(command, context, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", command, context
