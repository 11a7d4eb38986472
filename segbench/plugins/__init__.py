"""The installed plugins: found by their entry points, listed, and looked up by name."""

from segbench.plugins.item import HOOKS, Item, Origin, Plugin, installed_version, required_versions
from segbench.plugins.listing import Listed, listing
from segbench.plugins.registry import LISTING, Registry

__all__ = [
    "HOOKS",
    "LISTING",
    "Item",
    "Listed",
    "Origin",
    "Plugin",
    "Registry",
    "installed_version",
    "listing",
    "required_versions",
]
