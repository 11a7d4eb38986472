"""Load plugins, isolate broken ones, and look up items by name.

Each entry point of the group ``segbench`` gets its own pluggy manager: an error in one plugin (at
import, at registration, in a hook) does not affect the others.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from importlib.metadata import Distribution, EntryPoint, distributions, version
from pathlib import Path
from typing import Literal, NamedTuple, TypeVar

import pluggy

from segbench import hookspecs
from segbench.errors import DataError, PluginError, unknown_name
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

GROUP = "segbench"
LISTING = "plugins"
"""The built-in command, which works even if plugins are broken."""
HOOKS: dict[str, type | tuple[type, ...]] = {
    "segbench_backbones": (Backbone, BackboneFamily),
    "segbench_commands": Command,
    "segbench_datasets": (Dataset, DescribedDataset),
    "segbench_model_formats": ModelFormat,
    "segbench_networks": Network,
    "segbench_runtimes": Runtime,
    "segbench_trackers": Tracker,
}

Item = (
    Backbone
    | BackboneFamily
    | Command
    | Dataset
    | DescribedDataset
    | ModelFormat
    | Network
    | Runtime
    | Tracker
)
ItemT = TypeVar("ItemT", bound=Item)


class Origin(NamedTuple):
    """The installed distribution that an item comes from."""

    distribution: str
    version: str


@dataclass(frozen=True)
class Plugin:
    """One entry point, named "distribution:entry point": what it offers, or why it is broken."""

    name: str
    origin: Origin
    items: tuple[Item, ...] = ()
    error: str | None = None


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


@dataclass(frozen=True)
class Registry:
    """Everything the installed plugins offer; described datasets come from ``data_root``."""

    plugins: tuple[Plugin, ...] = ()
    data_root: Path = field(default_factory=lambda: Path(os.environ.get("SEGBENCH_DATA", "data")))

    @classmethod
    def load(cls) -> "Registry":
        """Load every installed plugin; a broken one is listed and never raised."""
        plugins = (plugin for found in _distributions() for plugin in _plugins_of(*found))
        return cls(tuple(sorted(plugins, key=lambda plugin: plugin.name)))

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
            if _describes(described, name):
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
                f"No plugin offers the {_kind(type(item))} {item.name!r}; give the registry one "
                "that does (segbench.Registry.of)."
            )
        return offering[0].origin

    def problem(self, item: Item) -> str | None:
        """Why ``item`` cannot be used here and how to fix that; None if it can."""
        what = f"{_kind(type(item))} {item.name!r}"
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

    def listing(self, members: bool = False) -> tuple[Listed, ...]:
        """Every item by kind and name, then the broken plugins.

        A family of backbones is one line; ``members`` adds a line for each backbone.
        """
        offered = [self._listed(item, p.origin) for p in self.plugins for item in p.items]
        if members:
            offered += [
                replace(line, name=f"{family.prefix}{name}")
                for family in self._all(BackboneFamily)
                for line in [self._listed(family, self.origin(family))]
                if line.status == "usable"
                for name in family.names()
            ]
        offered.sort(key=lambda line: (line.kind, line.name))
        broken = [_listed_as_broken(plugin) for plugin in self.plugins if plugin.error]
        return (*offered, *broken)

    def _described(self, described: DescribedDataset, name: str) -> Dataset:
        dataset = self._one(DescribedDataset, described.name).read(self.data_root)
        if name not in (described.name, dataset.name):
            raise DataError(
                f"{self.data_root} contains the dataset {dataset.name!r}, not {name!r}; name the "
                "folder of the latter with --data-root."
            )
        return dataset

    def _listed(self, item: Item, origin: Origin) -> Listed:
        problem = self.problem(item) or _lacking(item)
        return Listed(
            kind=_kind(type(item)),
            name=item.name,
            summary=item.summary,
            distribution=origin.distribution,
            version=origin.version,
            status="unusable" if problem else "usable",
            problem=problem,
        )

    def _all(self, kind: type[ItemT]) -> tuple[ItemT, ...]:
        items = [i for plugin in self.plugins for i in plugin.items if isinstance(i, kind)]
        return tuple(sorted(items, key=lambda item: item.name))

    def _one(self, kind: type[ItemT], name: str) -> ItemT:
        items = self._all(kind)
        found = next((item for item in items if item.name == name), None)
        if found is None:
            known = {item.name for item in items}
            if kind is Dataset:
                known |= {described.name for described in self._all(DescribedDataset)}
            raise PluginError(unknown_name(_kind(kind), name, known) + self.broken_hint())
        if problem := self.problem(found):
            raise PluginError(problem)
        return found

    def broken_hint(self) -> str:
        """The end of a message about an unknown name: the broken plugins, if any."""
        broken = ", ".join(plugin.name for plugin in self.plugins if plugin.error)
        return f" Broken plugins (see `segbench plugins`): {broken}." if broken else ""

    def _offering(self, wanted: Item) -> list[Plugin]:
        return [plugin for plugin in self.plugins for item in plugin.items if _offers(item, wanted)]


def required_versions(item: Item) -> dict[str, str | None]:
    """The installed version of each distribution ``item`` requires, None for a missing one.

    For alternatives ("onnxruntime-gpu|onnxruntime") the first installed one counts.
    """
    versions: dict[str, str | None] = {}
    for entry in item.requires:
        found = {name: installed_version(name) for name in entry.split("|")}
        name = next((name for name, installed in found.items() if installed), entry)
        versions[name] = found.get(name)
    return versions


def _describes(described: DescribedDataset, name: str) -> bool:
    return name == described.name or name.startswith(f"{described.name}-")


def _offers(item: Item, wanted: Item) -> bool:
    if isinstance(item, DescribedDataset) and isinstance(wanted, Dataset):
        return _describes(item, wanted.name)
    if isinstance(item, BackboneFamily) and isinstance(wanted, Backbone):
        return wanted.name.startswith(item.prefix)
    if isinstance(item, ModelFormat) and isinstance(wanted, ModelFormat):
        return not set(item.suffixes).isdisjoint(wanted.suffixes)
    return type(item) is type(wanted) and item.name == wanted.name


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
        damage = f"its metadata cannot be read: {_one_line(error)}"
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
        return Plugin(name, origin, error=_one_line(error))


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


def _lacking(item: Item) -> str | None:
    """What this machine lacks to run ``item``, which is still listed, since exports need less."""
    if not isinstance(item, Runtime) or item.lacking is None:
        return None
    try:
        return item.lacking()
    except Exception as error:  # plugin code can raise anything
        return f"The runtime {item.name!r} cannot say what it lacks here ({_one_line(error)})."


def _listed_as_broken(plugin: Plugin) -> Listed:
    distribution, release = plugin.origin
    problem = (
        f"The plugin {plugin.name} is broken ({plugin.error}): update it with "
        f"`pip install --upgrade {distribution}` or remove it with `pip uninstall {distribution}`."
    )
    return Listed("plugin", plugin.name, "", distribution, release, "broken", problem)


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, PluginError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _kind(kind: type) -> str:
    names = {BackboneFamily: "backbone", DescribedDataset: "dataset", ModelFormat: "model format"}
    return names.get(kind, kind.__name__.lower())


def installed_version(distribution: str) -> str | None:
    """The version of a distribution; None if it is not installed."""
    try:
        return version(distribution)
    except Exception:  # not installed, or damaged metadata
        return None
