"""Pages are jinja2 templates filled with plain values; they work offline."""

from functools import cache
from typing import TYPE_CHECKING, Any

from segbench.text import printable

if TYPE_CHECKING:
    from jinja2 import Environment


def render(template: str, **values: Any) -> str:
    """Fill in a file of ``templates/``.

    Records are untrusted: each text is put on one line and escaped.
    """
    return templates().get_template(template).render(values)


@cache
def templates() -> "Environment":
    """The jinja2 environment of all pages: autoescaped, strict, every text on one line."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader(__package__),
        autoescape=True,
        finalize=lambda value: printable(value) if type(value) is str else value,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
