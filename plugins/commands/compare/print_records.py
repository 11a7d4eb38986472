"""Printing comparisons: plain tables, and the verdict in words."""

import json
from collections.abc import Sequence
from typing import Any

from rich.table import Table

from segbench.analysis.difference import Difference
from segbench.cli.terminal import Console, plain_table
from segbench.records.record import Record
from segbench.text import counted, printable

from ..print_scores import show
from .records import Latencies, Scores, Setting, compare, differing_config, differing_provenance

WITHIN = "within noise"
MORE = "more than noise"
NO_INTERVAL = "no interval"


def print_records(a: Record, b: Record) -> None:
    """Print what was measured, how it differs, and which settings of A and B differ."""
    found = compare(a, b)
    console = Console()
    for name, record in (("A", a), ("B", b)):
        console.say(f"{name}  {_title(record)}")
    console.print()
    if isinstance(found, Scores):
        _print_scores(console, found)
    else:
        _print_latencies(console, found)
    for note in found.notes:
        console.say(printable(note), "yellow")
    print_settings(console, "configuration", differing_config(a, b))
    print_settings(console, "environment", differing_provenance(a, b))


def cells(row: Difference) -> tuple[str, str, str, str]:
    """A, B, B - A and its interval as text."""
    difference = "-" if row.difference is None else f"{row.difference:+.4f}"
    interval = "-" if row.interval is None else "{:+.4f} to {:+.4f}".format(*row.interval)
    return show(row.a), show(row.b), difference, interval


def ratio_cells(found: Latencies) -> tuple[str, str, str, str]:
    """A and B in milliseconds, B / A and its interval as text."""
    interval = "-" if found.interval is None else "{:.3f} to {:.3f}".format(*found.interval)
    return f"{found.a:.2f}", f"{found.b:.2f}", f"{found.ratio:.3f}", interval


def verdict(row: Difference | Latencies) -> str:
    """Whether the difference is noise, or that there is no interval."""
    return {None: NO_INTERVAL, True: WITHIN, False: MORE}[row.within_noise]


def _print_scores(console: Console, found: Scores) -> None:
    table = plain_table("IoU", "A", "B", "B - A", "95% interval")
    table.add_column("")
    for row in (*found.classes, found.miou):
        table.add_row(printable(row.name), *cells(row), _better(row), style=_style(row))
    console.print(table)
    console.print()
    if found.headline is not None:
        name, *figures = found.headline.name, *cells(found.headline)
        console.print(f"{printable(name)}: A {figures[0]}, B {figures[1]}, B - A {figures[2]}.")
    frames = counted(found.frames, "frame")
    console.say(f"mIoU over {frames}: {_miou_sentence(found.miou)}")


def _print_latencies(console: Console, found: Latencies) -> None:
    table = plain_table("one query", "A", "B", "B / A", "95% interval")
    table.add_row("p50, ms", *ratio_cells(found))
    console.print(table)
    console.print()
    said = f"B takes {found.ratio:.3f} times as long as A"
    ends = {
        None: "; too few turns for an interval.",
        True: f": {WITHIN}, the interval contains one.",
        False: f", which is {MORE}.",
    }
    console.say(said + ends[found.within_noise])


def _title(record: Record) -> str:
    config = record.config
    where = " ".join(str(config[name]) for name in ("dataset", "split") if config.get(name))
    size = f", {config['height']}x{config['width']}" if "height" in config else ""
    name = record.name or record.kind
    on = f" on {where}" if where else ""
    return printable(f"{name}: {record.network_name}{on}, {config['runtime']}{size}")


def _better(row: Difference) -> str:
    if row.difference is None:
        return ""
    if row.within_noise is not False:
        return verdict(row)
    return f"{'B' if row.difference > 0 else 'A'} is better"


def _style(row: Difference) -> str:
    return "dim" if row.within_noise else ""


def _miou_sentence(row: Difference) -> str:
    if row.difference is None:
        return "undefined."
    if row.interval is None:
        return f"a difference of {row.difference:+.4f}; too few frames for an interval."
    low, high = row.interval
    between = f"95% interval {low:+.4f} to {high:+.4f}"
    if row.within_noise:
        return f"a difference of {row.difference:+.4f} is {WITHIN} ({between})."
    higher = "higher" if row.difference > 0 else "lower"
    return f"B is {abs(row.difference):.4f} {higher} than A, {MORE} ({between})."


LONGEST_LIST = 44
"""Maximum length of a list that is shown in full."""
FIRST = 3
"""Maximum number of entries shown that only one list has."""


def print_settings(console: Console, title: str, settings: Sequence[Setting]) -> None:
    """A row for each setting with both values, which wrap on narrow terminals."""
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
    """A's and B's values, each as one line; for long lists only the entries that differ."""
    a, b = setting.a, setting.b
    if any(isinstance(value, list) and len(_text(value)) > LONGEST_LIST for value in (a, b)):
        return _beside(a, b), _beside(b, a)
    return _text(a), _text(b)


def _beside(value: Any, other: Any) -> str:
    """A list's length, and its first entries that the other one lacks."""
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
