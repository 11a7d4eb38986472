"""In which settings two records differ: what was asked for, and where it was measured."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from segbench.records.record import Record

# When and with what words: no setting. A session's name only says which records belong together.
OCCASION = {"started_at", "duration_s", "argv", "session"}
# An evaluation copies these from the checkpoint; a run says them elsewhere or in another form.
OF_ONE_KIND = {"epoch", "val_miou", "classes", "convention", "weights", "dataset_fingerprint"}


@dataclass(frozen=True)
class Setting:
    """A field that differs, as a dotted name such as "versions.torch"; None where it is absent."""

    name: str
    a: Any
    b: Any


def differing_config(a: Record, b: Record) -> list[Setting]:
    """Fields of ``config`` that differ."""
    return _differing(a.config, b.config, () if a.kind == b.kind else OF_ONE_KIND - {"weights"})


def differing_provenance(a: Record, b: Record) -> list[Setting]:
    """Fields of ``provenance`` that differ: commit, hardware, versions, plugins, quantisation."""
    return _differing(a.provenance, b.provenance, () if a.kind == b.kind else OF_ONE_KIND)


def _differing(
    a: Mapping[str, Any], b: Mapping[str, Any], left_out: Collection[str]
) -> list[Setting]:
    flat_a, flat_b = dict(_flat(a)), dict(_flat(b))
    return [
        Setting(name, flat_a.get(name), flat_b.get(name))
        for name in dict.fromkeys((*flat_a, *flat_b))
        if flat_a.get(name) != flat_b.get(name) and name.partition(".")[0] not in left_out
    ]


def _flat(fields: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in fields.items():
        if prefix + name in OCCASION:
            continue
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value
