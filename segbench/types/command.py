"""Commands of the ``segbench`` program."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import click


@dataclass(frozen=True)
class Command:
    """A command of the ``segbench`` program, as ``segbench --help`` lists it.

    ``load`` imports and returns the click command of that name; it is called only to run the
    command or show its help, with the Registry as ``obj`` of click's context. ``extra`` names the
    extra of the plugin's distribution that installs what it ``requires``.
    """

    name: str
    summary: str
    load: "Callable[[], click.Command]"
    requires: tuple[str, ...] = ()
    extra: str | None = None
