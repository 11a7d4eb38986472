"""The IoU of every class, as a table whose cells are tinted by it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from segbench.text import safe

# The deepest tint, in percent of the accent colour, that text can still be read on.
DEEPEST = 45


@dataclass(frozen=True)
class HeatRow:
    """A network's name in two parts (the second is small print), and its IoU by class or None.

    ``rows`` are its places in a table that may be filtered.
    """

    name: str
    note: str
    iou: Mapping[str, Any]
    rows: Sequence[int] = ()


def heat_map(rows: Sequence[HeatRow]) -> str:
    """A ``<table>`` of ``rows`` by the classes of all of them; what is undefined is blank."""
    classes = list(dict.fromkeys(name for row in rows for name in row.iou))
    heads = "".join(f'<th scope="col"><span>{safe(name)}</span></th>' for name in classes)
    lines = "".join(
        f'<tr data-rows="{" ".join(map(str, row.rows))}">'
        f'<th scope="row">{safe(row.name)}{_small(row.note)}</th>'
        f"{''.join(_cell(row.iou.get(name)) for name in classes)}</tr>\n"
        for row in rows
    )
    return (
        f'<table class="heat"><thead><tr><td></td>{heads}</tr></thead>\n'
        f"<tbody>\n{lines}</tbody></table>"
    )


def _small(note: str) -> str:
    return f"<small>{safe(note)}</small>" if note else ""


def _cell(iou: Any) -> str:
    if type(iou) not in (int, float):
        return "<td></td>"
    tint = round(DEEPEST * min(max(iou, 0.0), 1.0))
    return f'<td style="--tint: {tint}%">{iou:.3f}</td>'
