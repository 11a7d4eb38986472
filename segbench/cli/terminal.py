"""Safe output: no control characters reach the terminal, and no encoding causes a traceback.

File names and records are untrusted, so commands print through ``Console`` and ``echo``.
"""

import atexit
import gc
import io
import signal
import sys
import threading
from collections import Counter
from typing import Any

import click
import rich.console
from rich.table import Table
from rich.text import Text

from segbench.errors import InterruptedRun, is_interrupt
from segbench.text import lines


class Commands(click.Group):
    """A group whose commands reject an option given twice, unless it takes several values.

    It prints "?" for characters outside the terminal's encoding.
    """

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """As click's; the entry point of every command."""
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="replace")
        try:
            return super().main(*args, **kwargs)
        finally:
            atexit.register(_end)

    def invoke(self, ctx: click.Context) -> Any:
        """As click's; an interrupt that a library turned into another error stays an interrupt."""
        try:
            return super().invoke(ctx)
        except InterruptedRun:
            raise
        except Exception as error:
            if is_interrupt(error):
                raise KeyboardInterrupt from error
            raise

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click's."""
        name, command, rest = super().resolve_command(ctx, args)
        if command is not None:
            _refuse_repeated(click.Context(command, parent=ctx, info_name=name), rest)
        return name, command, rest

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """As click's, with summaries not truncated."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self.summaries(ctx).items()))

    def summaries(self, ctx: click.Context) -> dict[str, str]:
        """Every command with the first sentence of its help."""
        commands = {name: self.get_command(ctx, name) for name in self.list_commands(ctx)}
        return {
            name: command.get_short_help_str(limit=sys.maxsize)
            for name, command in commands.items()
            if command is not None
        }


def take_sigterm_as_ctrl_c(ctx: click.Context) -> None:
    """Keep what was measured when a batch scheduler or ``timeout`` ends the command of ``ctx``."""
    if threading.current_thread() is not threading.main_thread():
        return  # only the main thread handles signals
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    ctx.call_on_close(lambda: signal.signal(signal.SIGTERM, before or signal.SIG_DFL))


def _end() -> None:
    """Exit fast: collecting torch's modules would take seconds.

    atexit handlers run in reverse order.
    """
    gc.freeze()
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _refuse_repeated(ctx: click.Context, args: list[str]) -> None:
    """Raise UsageError for a single-value option given several times."""
    try:
        *_, given = ctx.command.make_parser(ctx).parse_args(list(args))
    except click.UsageError:
        return  # the command itself reports the error
    for param, times in Counter(given).items():
        if isinstance(param, click.Option) and times > 1 and not (param.multiple or param.count):
            option = max(param.opts, key=len)
            raise click.UsageError(f"{option} was given {times} times, but takes one value.", ctx)


class Console(rich.console.Console):
    """rich's, but all strings, also in tables, are plain text without control characters."""

    def __init__(self) -> None:
        super().__init__(markup=False, highlight=False)

    def say(self, text: str, style: str | None = None) -> None:
        """Print a paragraph without wrapping it."""
        self.print(text, style=style, soft_wrap=True)

    def render_str(self, text: str, **options: Any) -> Text:
        """As rich's."""
        return super().render_str(lines(text), **options)


def plain_table(title: str, *numbers: str) -> Table:
    """A table without lines: text in the first column, under ``title``, numbers in the others."""
    table = Table(title, box=None, padding=(0, 2, 0, 0))
    for header in numbers:
        table.add_column(header, justify="right", no_wrap=True)
    return table


def echo(text: object) -> None:
    """A line on standard output."""
    click.echo(lines(str(text)))
