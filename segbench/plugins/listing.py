"""What ``segbench plugins`` shows: every item, and how to fix those that cannot be used here."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from segbench.plugins.item import Item, Origin, Plugin, kind_name
from segbench.plugins.load import one_line
from segbench.plugins.registry import Registry
from segbench.types import BackboneFamily, Runtime


@dataclass(frozen=True)
class Listed:
    """A line of the listing; ``problem`` says why the item is unusable and how to fix it."""

    kind: str
    name: str
    summary: str
    distribution: str
    version: str
    status: Literal["usable", "unusable", "broken"]
    problem: str | None


def listing(registry: Registry, members: bool = False) -> tuple[Listed, ...]:
    """Every item by kind and name, then the broken plugins.

    A family of backbones is one line; ``members`` adds a line for each backbone.
    """
    offered = [
        line
        for plugin in registry.plugins
        for item in plugin.items
        for line in _lines(registry, item, plugin.origin, members)
    ]
    offered.sort(key=lambda line: (line.kind, line.name))
    broken = [_broken(plugin) for plugin in registry.plugins if plugin.error]
    return (*offered, *broken)


def _lines(registry: Registry, item: Item, origin: Origin, members: bool) -> Iterator[Listed]:
    problem = registry.problem(item) or _lacking(item)
    line = Listed(
        kind=kind_name(type(item)),
        name=item.name,
        summary=item.summary,
        distribution=origin.distribution,
        version=origin.version,
        status="unusable" if problem else "usable",
        problem=problem,
    )
    yield line
    if members and not problem and isinstance(item, BackboneFamily):
        for name in item.names():
            yield replace(line, name=f"{item.prefix}{name}")


def _lacking(item: Item) -> str | None:
    """What this machine lacks to run ``item``, which is still listed, since exports need less."""
    if not isinstance(item, Runtime) or item.lacking is None:
        return None
    try:
        return item.lacking()
    except Exception as error:  # plugin code can raise anything
        return f"The runtime {item.name!r} cannot say what it lacks here ({one_line(error)})."


def _broken(plugin: Plugin) -> Listed:
    distribution, release = plugin.origin
    problem = (
        f"The plugin {plugin.name} is broken ({plugin.error}): update it with "
        f"`pip install --upgrade {distribution}` or remove it with `pip uninstall {distribution}`."
    )
    return Listed("plugin", plugin.name, "", distribution, release, "broken", problem)
