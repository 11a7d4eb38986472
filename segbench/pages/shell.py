"""Pages are jinja2 templates filled with plain values; a page needs no network."""

from functools import cache
from typing import TYPE_CHECKING, Any

from segbench.text import printable

if TYPE_CHECKING:
    from jinja2 import Environment


def render(template: str, package: str = __package__, **values: Any) -> str:
    """A file of the package's ``templates/`` filled in; it may extend those beside this file.

    What stands in a record may be anything: each text is put on one line and escaped.
    """
    return templates(package).get_template(template).render(values)


@cache
def templates(package: str = __package__) -> "Environment":
    """The environment of all pages: autoescaped, strict, every text on one line."""
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=ChoiceLoader([PackageLoader(name) for name in (package, __package__)]),
        autoescape=True,
        finalize=lambda value: printable(value) if type(value) is str else value,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
