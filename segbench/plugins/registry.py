"""Look up what the installed plugins offer, by name."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from segbench.errors import DataError, PluginError, unknown_name
from segbench.plugins.item import (
    Item,
    Origin,
    Plugin,
    describes,
    kind_name,
    offers,
    required_versions,
)
from segbench.plugins.load import installed_plugins
from segbench.types import (
    Backbone,
    BackboneFamily,
    Command,
    Dataset,
    DescribedDataset,
    ModelFormat,
    Network,
    Runtime,
    Tracker,
)

LISTING = "plugins"
"""The built-in command, which works even if plugins are broken."""

ItemT = TypeVar("ItemT", bound=Item)


@dataclass(frozen=True)
class Registry:
    """Everything the installed plugins offer; described datasets come from ``data_root``."""

    plugins: tuple[Plugin, ...] = ()
    data_root: Path = field(default_factory=lambda: Path(os.environ.get("SEGBENCH_DATA", "data")))

    @classmethod
    def load(cls) -> "Registry":
        """Load every installed plugin; a broken one is listed and never raised."""
        return cls(installed_plugins())

    @classmethod
    def of(
        cls,
        backbones: Iterable[Backbone] = (),
        datasets: Iterable[Dataset] = (),
        runtimes: Iterable[Runtime] = (),
        networks: Iterable[Network] = (),
        trackers: Iterable[Tracker] = (),
        commands: Iterable[Command] = (),
        model_formats: Iterable[ModelFormat] = (),
    ) -> "Registry":
        """A registry of only these items, for tests and scripts."""
        items: list[Item] = [*backbones, *datasets, *runtimes, *networks, *trackers, *commands]
        items += model_formats
        return cls((Plugin("unpackaged", Origin("unpackaged", "0"), tuple(items)),))

    @property
    def backbones(self) -> tuple[Backbone, ...]:
        """Every backbone on offer, usable here or not, by name."""
        return self._all(Backbone)

    @property
    def commands(self) -> tuple[Command, ...]:
        """Every command of a plugin, usable here or not, by name."""
        return self._all(Command)

    @property
    def datasets(self) -> tuple[Dataset, ...]:
        """Every dataset on offer, usable here or not, by name."""
        return self._all(Dataset)

    @property
    def model_formats(self) -> tuple[ModelFormat, ...]:
        """Every format of model files on offer, usable here or not, by name."""
        return self._all(ModelFormat)

    @property
    def networks(self) -> tuple[Network, ...]:
        """Every whole network on offer, usable here or not, by name."""
        return self._all(Network)

    @property
    def runtimes(self) -> tuple[Runtime, ...]:
        """Every runtime on offer, usable here or not, by name."""
        return self._all(Runtime)

    @property
    def trackers(self) -> tuple[Tracker, ...]:
        """Every tracker on offer, usable here or not, by name."""
        return self._all(Tracker)

    def backbone(self, name: str) -> Backbone:
        """The backbone of that name; PluginError if unknown, ambiguous, or missing a package."""
        for family in self._all(BackboneFamily):
            if name.startswith(family.prefix):
                self._one(BackboneFamily, family.name)
                return family.find(name.removeprefix(family.prefix))
        return self._one(Backbone, name)

    def command(self, name: str) -> Command:
        """A plugin's command; PluginError if unknown, ambiguous, or missing a package."""
        return self._one(Command, name)

    def default_backbone(self) -> Backbone:
        """The default backbone: the one marked by its plugin, if any."""
        if not self.backbones:
            raise PluginError("No backbone is installed: pip install segbench, or another plugin.")
        return max(self.backbones, key=lambda backbone: backbone.default)

    def self_made_dataset(self) -> Dataset:
        """A dataset that generates its own frames, so that they are always available."""
        for dataset in self.datasets:
            if dataset.prepare:
                return dataset
        raise PluginError("No dataset that generates its own frames is installed; name another.")

    def at(self, data_root: Path) -> "Registry":
        """The same registry with the described datasets of another data root."""
        return replace(self, data_root=data_root)

    def dataset(self, name: str) -> Dataset:
        """The dataset of that name; PluginError if unknown, ambiguous, or missing a package.

        DataError if its description in the data root is invalid, or describes another dataset.
        """
        for described in self._all(DescribedDataset):
            if describes(described, name):
                return self._described(described, name)
        return self._one(Dataset, name)

    def model_format(self, path: Path) -> ModelFormat:
        """The format of the file, by its ending; PluginError as for names."""
        names = {suffix: each.name for each in self.model_formats for suffix in each.suffixes}
        if (ending := path.suffix.lower()) not in names:
            raise PluginError(
                f"{path.name} is not in a known model format; known endings: "
                f"{', '.join(names) or 'nothing'}.{self.broken_hint()}"
            )
        return self._one(ModelFormat, names[ending])

    def network(self, name: str) -> Network:
        """The network of that name; PluginError if unknown, ambiguous, or missing a package."""
        return self._one(Network, name)

    def runtime(self, name: str) -> Runtime:
        """The runtime of that name; PluginError if unknown, ambiguous, or missing a package."""
        return self._one(Runtime, name)

    def tracker(self, name: str) -> Tracker:
        """The tracker of that name; PluginError if unknown, ambiguous, or missing a package."""
        return self._one(Tracker, name)

    def origin(self, item: Item) -> Origin:
        """The distribution, with its version, that offers ``item``; PluginError if none does."""
        offering = self._offering(item)
        if not offering:
            raise PluginError(
                f"No plugin offers the {kind_name(type(item))} {item.name!r}; give the registry "
                "one that does (segbench.Registry.of)."
            )
        return offering[0].origin

    def problem(self, item: Item) -> str | None:
        """Why ``item`` cannot be used here and how to fix that; None if it can."""
        what = f"{kind_name(type(item))} {item.name!r}"
        offering = self._offering(item)
        if len(offering) > 1:
            names = " and ".join(plugin.name for plugin in offering)
            return f"More than one plugin offers the {what}: {names}. Uninstall all but one."
        if isinstance(item, Command) and item.name == LISTING:
            return (
                f"The {what} of {offering[0].name} has the name of segbench's own, which wins: "
                "give it another name, or uninstall it."
            )
        missing = [name for name, found in required_versions(item).items() if found is None]
        if missing:
            packages = " ".join(name.split("|")[0] for name in missing)
            if isinstance(item, Command | Tracker) and item.extra:
                packages = f'"{offering[0].origin.distribution}[{item.extra}]"'
            return f"The {what} needs packages that are not installed: pip install {packages}"
        return None

    def _described(self, described: DescribedDataset, name: str) -> Dataset:
        dataset = self._one(DescribedDataset, described.name).read(self.data_root)
        if name not in (described.name, dataset.name):
            raise DataError(
                f"{self.data_root} contains the dataset {dataset.name!r}, not {name!r}; name the "
                "folder of the latter with --data-root."
            )
        return dataset

    def _all(self, kind: type[ItemT]) -> tuple[ItemT, ...]:
        items = [i for plugin in self.plugins for i in plugin.items if isinstance(i, kind)]
        return tuple(sorted(items, key=lambda item: item.name))

    def _one(self, kind: type[ItemT], name: str) -> ItemT:
        items = self._all(kind)
        found = next((item for item in items if item.name == name), None)
        if found is None:
            for other, option in ((Backbone, "--backbone"), (Network, "--network")):
                if kind in (Backbone, Network) and name in {each.name for each in self._all(other)}:
                    raise PluginError(f"{name!r} is a {kind_name(other)}; use {option} {name}.")
            known = {item.name for item in items}
            if kind is Dataset:
                known |= {described.name for described in self._all(DescribedDataset)}
            raise PluginError(unknown_name(kind_name(kind), name, known) + self.broken_hint())
        if problem := self.problem(found):
            raise PluginError(problem)
        return found

    def broken_hint(self) -> str:
        """The end of a message about an unknown name: the broken plugins, if any."""
        broken = ", ".join(plugin.name for plugin in self.plugins if plugin.error)
        return f" Broken plugins (see `segbench plugins`): {broken}." if broken else ""

    def _offering(self, wanted: Item) -> list[Plugin]:
        return [plugin for plugin in self.plugins for item in plugin.items if offers(item, wanted)]
