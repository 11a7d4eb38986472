"""A report as a page: facts on top, then sections of figures and tables.

Everything that comes from a record is escaped here and nowhere else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from matplotlib.figure import Figure

from segbench.pages.figures import PHONE_DPI, as_png
from segbench.pages.shell import asset, page, picture

PIXELS_PER_INCH = 110
LONG = 20


@dataclass(frozen=True)
class Plate:
    """A figure as a PNG, ``inches`` wide; ``description`` is for those who cannot see it.

    ``narrow`` is the same for a phone, where the figure would have to be scrolled sideways.
    """

    name: str
    png: bytes
    inches: float
    description: str
    caption: str
    narrow: bytes | None = None


@dataclass(frozen=True)
class Table:
    """Rows of text whose first cell names the row."""

    caption: str
    headers: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


@dataclass(frozen=True)
class Section:
    """Figures beside tables under a heading, then tables that a click unfolds; all as text."""

    heading: str
    plates: tuple[Plate, ...] = ()
    tables: tuple[Table, ...] = ()
    folded: tuple[Table, ...] = ()
    text: str = ""


def plate(
    name: str, figure: Figure, description: str, caption: str, narrow: Figure | None = None
) -> Plate:
    """A figure drawn."""
    inches = float(figure.get_figwidth())
    small = as_png(narrow, PHONE_DPI) if narrow else None
    return Plate(name, as_png(figure), inches, description, caption, small)


def report_page(
    title: str, facts: Mapping[str, str], doubts: Sequence[str], sections: Sequence[Section]
) -> str:
    """The whole page; ``doubts`` say why the figures may not hold."""
    pairs = "".join(_fact(name, value) for name, value in facts.items())
    warnings = "".join(f'<p class="bad">{escape(doubt)}</p>\n' for doubt in doubts)
    body = f'<dl class="facts">{pairs}</dl>\n{warnings}' + "\n".join(map(_section, sections))
    return page(title, body, style=asset("report.css"))


def _fact(name: str, value: str) -> str:
    wide = ' class="wide"' if len(value) > LONG else ""
    return f"<div{wide}><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"


def _section(section: Section) -> str:
    text = f"<p>{escape(section.text)}</p>\n" if section.text else ""
    beside = [*map(_plate, section.plates), *map(_grid, section.tables)]
    return (
        f"<section><h2>{escape(section.heading)}</h2>\n{text}"
        f'<div class="beside">{"".join(beside)}</div>'
        f"{''.join(map(_folded, section.folded))}</section>"
    )


def _plate(plate: Plate) -> str:
    drawn = picture(plate.png, plate.description, plate.narrow)
    return (
        f'<figure style="--width: {plate.inches * PIXELS_PER_INCH:.0f}px">'
        f'<div class="card" tabindex="0">{drawn}</div>'
        f"<figcaption>{escape(plate.caption)}</figcaption></figure>\n"
    )


def _folded(table: Table) -> str:
    return f"<details><summary>{escape(table.caption)}</summary>{_grid(table)}</details>\n"


def _grid(table: Table) -> str:
    heads = "".join(
        f'<th scope="col"{_number(place)}>{escape(header)}</th>'
        for place, header in enumerate(table.headers)
    )
    rows = "".join(f"<tr>{_cells(row)}</tr>\n" for row in table.rows)
    return (
        f'<div class="scroll" tabindex="0"><table><caption>{escape(table.caption)}</caption>'
        f"<thead><tr>{heads}</tr></thead>\n<tbody>{rows}</tbody></table></div>"
    )


def _cells(row: tuple[str, ...]) -> str:
    name, *figures = map(escape, row)
    numbers = "".join(f'<td class="number">{figure}</td>' for figure in figures)
    return f'<th scope="row">{name}</th>{numbers}'


def _number(place: int) -> str:
    return ' class="number"' if place else ""
