"""Options sent to another process: plugins' items are sent by name and looked up there.

So a host uses its own plugins, which can be compared with the sender's.
"""

import pickle
from dataclasses import replace
from io import BytesIO
from typing import Any

from segbench.inference.networks import chosen_network
from segbench.plugins import Item, Registry
from segbench.types import Dataset, Network, Runtime


def dumped(options: object) -> bytes:
    """Serialise the options for ``loaded``."""
    file = BytesIO()
    _Pickler(file, protocol=pickle.HIGHEST_PROTOCOL).dump(options)
    return file.getvalue()


def loaded(data: bytes, registry: Registry) -> tuple[Any, tuple[Item, ...]]:
    """The options with items of this ``registry``, and these items.

    PluginError if one is not installed.
    """
    reader = _Unpickler(data, registry)
    return reader.load(), tuple(reader.items)


class _Pickler(pickle.Pickler):
    def persistent_id(self, item: object) -> tuple[str, Any] | None:
        if isinstance(item, Network):
            return "network", (item.config, item.convention)
        if isinstance(item, Dataset):
            return "dataset", item.name
        return ("runtime", item.name) if isinstance(item, Runtime) else None


class _Unpickler(pickle.Unpickler):
    def __init__(self, data: bytes, registry: Registry) -> None:
        super().__init__(BytesIO(data))
        self.registry = registry
        self.items: list[Item] = []

    def persistent_load(self, named: tuple[str, Any]) -> Network | Dataset | Runtime:
        kind, name = named
        if kind == "network":
            config, convention = name
            network = replace(chosen_network(self.registry, **config), convention=convention)
            self.items.append(network.plugin)
            return network
        found = getattr(self.registry, kind)(name)
        assert isinstance(found, Dataset | Runtime)
        self.items.append(found)
        return found
