"""The code that would run here, compared between hosts before a job runs on another one."""

import hashlib
import sys
from collections.abc import Iterable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

import segbench
from segbench.plugins import Item, Registry, required_versions
from segbench.records.provenance import source_state

Code = Mapping[str, str | None]
"""Name ("torch", "commit of segbench") -> version, commit or digest."""


def code_of(items: Iterable[Item], registry: Registry) -> Code:
    """The code of segbench and of the ``items`` of plugins, and the versions they require."""
    commit, dirty = source_state()
    found: dict[str, str | None] = {
        "segbench": segbench.__version__,
        "commit of segbench": commit and commit[:12] + (" with changes" if dirty else ""),
        **{f"source of {name}": _digest(name) for name in ("segbench", __name__.split(".")[0])},
    }
    for item in items:
        origin = registry.origin(item)
        found[origin.distribution] = origin.version
        found |= {f"source of {name}": _digest(name) for name in _packages(item)}
        found |= required_versions(item)
    return found


def differences(asked: Code, here: Code) -> str:
    """Where ``here`` differs from ``asked``, such as "torch 2.10 (the caller has 2.11)"; or ""."""
    return ", ".join(
        f"{name} {here.get(name) or 'missing'} (the caller has {version or 'none'})"
        for name, version in asked.items()
        if here.get(name) != version
    )


def _packages(item: Any) -> set[str]:
    """The packages, or else modules, of an item's functions."""
    functions = [getattr(item, name, None) for name in ("build", "locate", "open")]
    wrapped = [each.func if isinstance(each, partial) else each for each in functions]
    modules = {getattr(function, "__module__", None) for function in wrapped}
    tops = {module: module.partition(".")[0] for module in modules if module}
    return {top if _file(top) else module for module, top in tops.items()}


def _file(package: str) -> Path | None:
    """The path of an imported package or module; None for a namespace package."""
    file = getattr(sys.modules.get(package), "__file__", None)
    return Path(file) if file else None


@cache
def _digest(package: str) -> str | None:
    """A digest of the Python files of an imported package or module; None if there are none."""
    file = _file(package)
    if file is None:
        return None
    whole = hashlib.sha256()
    for path in sorted(file.parent.rglob("*.py")) if file.stem == "__init__" else [file]:
        whole.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()[:12]
