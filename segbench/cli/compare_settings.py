"""Settings that differ, as people read them: whole values, and of long lists what differs."""

import json
from collections.abc import Sequence
from typing import Any

from rich.table import Table

from segbench.analysis.compare_settings import Setting
from segbench.cli.terminal import Console
from segbench.text import printable

LONGEST_LIST = 44
"""Characters of a list that is shown whole."""
FIRST = 3
"""Entries that are shown of what only one list has."""


def print_settings(console: Console, title: str, settings: Sequence[Setting]) -> None:
    """A row for each setting, in both records; values fold where the terminal is narrow."""
    console.print()
    if not settings:
        console.print(f"The same {title}.")
        return
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column(f"differing {title}", no_wrap=True)
    table.add_column("A", overflow="fold")
    table.add_column("B", overflow="fold")
    for setting in settings:
        table.add_row(printable(setting.name), *values(setting))
    console.print(table)


def values(setting: Setting) -> tuple[str, str]:
    """A's value and B's as a line of text each; long lists as what only one of them has."""
    a, b = setting.a, setting.b
    if any(isinstance(value, list) and len(_text(value)) > LONGEST_LIST for value in (a, b)):
        return _beside(a, b), _beside(b, a)
    return _text(a), _text(b)


def _beside(value: Any, other: Any) -> str:
    """How long a list is, and the first entries that the other one lacks."""
    if not isinstance(value, list):
        return _text(value)
    count = f"{len(value)} {'entry' if len(value) == 1 else 'entries'}"
    if not isinstance(other, list):
        return f"{count}: {_first(value)}"
    own = [entry for entry in value if entry not in other]
    if own:
        return f"{count}, only here {_first(own)}"
    return f"{count} in another order" if len(other) == len(value) else count


def _first(entries: Sequence[Any]) -> str:
    more = ", …" if len(entries) > FIRST else ""
    return ", ".join(map(_text, entries[:FIRST])) + more


def _text(value: Any) -> str:
    if value is None:
        return "-"
    return printable(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
