"""Load installed plugins and isolate broken ones.

Each entry point of the group ``segbench`` gets its own pluggy manager: an error in one plugin (at
import, at registration, in a hook) does not affect the others.
"""

from collections.abc import Iterable
from importlib.metadata import Distribution, EntryPoint, distributions

import pluggy

from segbench import hookspecs
from segbench.errors import PluginError
from segbench.plugins.item import HOOKS, Item, Origin, Plugin

GROUP = "segbench"


def installed_plugins() -> tuple[Plugin, ...]:
    """Every installed plugin, by name; a broken one says why, and nothing is raised."""
    plugins = (plugin for found in _distributions() for plugin in _plugins_of(*found))
    return tuple(sorted(plugins, key=lambda plugin: plugin.name))


def _distributions() -> Iterable[tuple[Origin, Distribution]]:
    """Every installed distribution; the first on the path if there are several copies."""
    found: dict[str, tuple[Origin, Distribution]] = {}
    for distribution in distributions():
        origin = _origin(distribution)
        found.setdefault(origin.distribution, (origin, distribution))
    return found.values()


def _plugins_of(origin: Origin, distribution: Distribution) -> Iterable[Plugin]:
    """The distribution's plugins; a single broken one if its metadata cannot be read."""
    try:
        points = distribution.entry_points.select(group=GROUP)
    except Exception as error:  # damaged files can raise any error
        damage = f"its metadata cannot be read: {one_line(error)}"
        return [Plugin(origin.distribution, origin, error=damage)]
    return [_load(point, origin) for point in points]


def _origin(distribution: Distribution) -> Origin:
    """Its name and version; if its METADATA is damaged, the name of its folder."""
    try:
        metadata = distribution.metadata  # parsed at every access
        name, release = metadata["Name"], metadata["Version"]
    except Exception:  # damaged files can raise any error
        name = release = ""
    folder = getattr(distribution, "_path", None)
    unnamed = folder.name.split("-")[0] if folder is not None else "unknown"
    return Origin(name or unnamed, release or "unknown")


def _load(point: EntryPoint, origin: Origin) -> Plugin:
    name = f"{origin.distribution}:{point.name}"
    try:
        return Plugin(name, origin, items=_items(point.load(), name))
    except (Exception, SystemExit) as error:  # plugin code can raise anything
        return Plugin(name, origin, error=one_line(error))


def _items(module: object, name: str) -> tuple[Item, ...]:
    manager = pluggy.PluginManager("segbench")
    manager.add_hookspecs(hookspecs)
    manager.register(module, name)
    manager.check_pending()
    if not manager.get_hookcallers(module):
        raise PluginError(f"it has none of the hooks {', '.join(HOOKS)} marked with @hookimpl")
    items = []
    for hook, kind in HOOKS.items():
        for result in getattr(manager.hook, hook)():
            items += [_checked(item, hook, kind) for item in result]
    return tuple(items)


def _checked(item: Item, hook: str, kind: type | tuple[type, ...]) -> Item:
    if not isinstance(item, kind):
        wanted = hook.removeprefix("segbench_").removesuffix("s").replace("_", " ")
        raise PluginError(f"{hook} yields {item!r}, which is not a {wanted}")
    if not (isinstance(item.name, str) and item.name):
        raise PluginError(f"{hook} yields an item named {item.name!r}: use one word")
    names = item.requires
    if not isinstance(names, tuple) or not all(isinstance(n, str) and n for n in names):
        raise PluginError(f"requires of {item.name!r} is {names!r}: use a tuple of package names")
    return item


def one_line(error: BaseException) -> str:
    """The error's type and message; of a PluginError only the message."""
    text = " ".join(str(error).split())
    if isinstance(error, PluginError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
