"""What plugins offer: items of seven kinds, and the packages that each requires."""

from dataclasses import dataclass
from importlib.metadata import version
from typing import NamedTuple

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

HOOKS: dict[str, type | tuple[type, ...]] = {
    "segbench_backbones": (Backbone, BackboneFamily),
    "segbench_commands": Command,
    "segbench_datasets": (Dataset, DescribedDataset),
    "segbench_model_formats": ModelFormat,
    "segbench_networks": Network,
    "segbench_runtimes": Runtime,
    "segbench_trackers": Tracker,
}
"""What each hook may yield."""

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


def kind_name(kind: type) -> str:
    """The kind as its hook and messages call it, such as "model format"."""
    names = {BackboneFamily: "backbone", DescribedDataset: "dataset", ModelFormat: "model format"}
    return names.get(kind, kind.__name__.lower())


def describes(described: DescribedDataset, name: str) -> bool:
    """Whether datasets of that name come from ``described``."""
    return name == described.name or name.startswith(f"{described.name}-")


def offers(item: Item, wanted: Item) -> bool:
    """Whether ``item`` is, describes or contains ``wanted``, or claims the same name."""
    if isinstance(item, DescribedDataset) and isinstance(wanted, Dataset):
        return describes(item, wanted.name)
    if isinstance(item, BackboneFamily) and isinstance(wanted, Backbone):
        return wanted.name.startswith(item.prefix)
    if isinstance(item, ModelFormat) and isinstance(wanted, ModelFormat):
        return not set(item.suffixes).isdisjoint(wanted.suffixes)
    return type(item) is type(wanted) and item.name == wanted.name


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


def installed_version(distribution: str) -> str | None:
    """The version of a distribution; None if it is not installed."""
    try:
        return version(distribution)
    except Exception:  # not installed, or damaged metadata
        return None
