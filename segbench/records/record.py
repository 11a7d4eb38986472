"""One immutable JSON file per measurement, and a loader that validates it.

``results/<kind>/<UTC>-<hash>.json`` is the record; raw samples and per-frame matrices are in an
``.npz`` of the same name. ``record.schema.json`` describes every field.
"""

import gc
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import FileIO
from itertools import chain, count
from pathlib import Path
from typing import Any, NoReturn

import click
import numpy as np
import orjson
from numpy.typing import ArrayLike

from segbench.device import bf16_is_emulated
from segbench.errors import RecordError, SegbenchError
from segbench.files import draft_of, locked
from segbench.records.names import current_names, former_names
from segbench.records.schema import KINDS, SCHEMA, problem
from segbench.text import counted, unicode

# Results or circumstances of a run, not part of what was requested.
OUTCOMES = {
    "run": {"checkpoint_sha256", "device"},
    "evaluate": {"device"},
    "latency": {"session"},
    "external": set(),
}
UNKNOWN = "unknown extensions"
FORMER_TITLES = {
    "vgg16": "VGG16",
    "mobilenet": "MobileNetV2",
    "mobilenetv1": "MobileNetV1",
    "mobilenetv3": "MobileNetV3",
}
"""Titles for records from before ``provenance.title``."""


@dataclass(frozen=True)
class Record:
    """What was measured (``config``), the results, and the provenance.

    All values are JSON values; None means absent. ``official`` is the benchmark's own result,
    ``curve`` has one entry per epoch, ``path`` is the file a record was read from.
    """

    kind: str
    config: dict[str, Any]
    metrics: dict[str, Any]
    provenance: dict[str, Any]
    per_class: dict[str, Any] = field(default_factory=dict)
    curve: Sequence[dict[str, Any]] = ()
    official: dict[str, Any] | None = None
    schema: int = SCHEMA
    path: Path | None = None

    @property
    def config_hash(self) -> str:
        """The hash shared by records of the same configuration."""
        return config_hash(self.config, self.kind)

    @property
    def name(self) -> str | None:
        """The file relative to the results folder, as shown everywhere."""
        return "/".join(self.path.parts[-2:]) if self.path else None

    @property
    def network_name(self) -> str:
        """The network's published name, and the decoder if it is not the paper's.

        "ENet", "FCN8s VGG16", "FCN8s MobileNetV2 wide4".
        """
        return network_title(self.config, self.provenance.get("title"))

    @property
    def device_kind(self) -> str | None:
        """The hardware that determines results, but not speed: "AMD EPYC, AVX2".

        None if an older record lacks its CPU's vector extensions.
        """
        origin = self.provenance
        device = self.config.get("device") or "cpu"
        if device.startswith("cuda"):
            return origin.get("gpu") or device
        if not device.startswith("cpu"):
            return device
        extensions = origin.get("extensions")
        if extensions is None:
            return None
        # A CPU with AVX-512 has AVX2 too.
        shown = [str(name) for name in extensions if name != "AVX2" or "AVX-512" not in extensions]
        cpu = " ".join(filter(None, (origin.get("cpu") or "cpu", origin.get("microarchitecture"))))
        return ", ".join((cpu, *shown))

    @property
    def device_name(self) -> str:
        """The hardware that determines latency: "AMD EPYC, AVX2, 2 cores".

        A GPU includes its driver and power limit.
        """
        origin = self.provenance
        parts = [self.device_kind or f"{origin.get('cpu') or 'cpu'}, {UNKNOWN}"]
        device = self.config.get("device") or "cpu"
        if device.startswith("cpu") and (cores := origin.get("cores")):
            parts.append(counted(cores, "core"))
        if device.startswith("cuda"):
            driver, watts = origin.get("driver"), origin.get("power_limit_w")
            parts += [f"driver {driver}"] if driver else []
            parts += [f"{watts:g} W"] if watts else []
        return ", ".join(parts)

    @property
    def arithmetic(self) -> str:
        """The runtime's precision; for older records it follows from the runtime's name."""
        told: str | None = self.provenance.get("arithmetic")
        named = None if told else re.search(r"fp16|bf16|int8", self.config["runtime"])
        return told or (named[0] if named else "fp32")

    @property
    def note(self) -> str | None:
        """A caveat on the record's latency, or None."""
        device = self.config.get("device") or "cpu"
        extensions = self.provenance.get("extensions") or ()
        emulated = self.arithmetic == "bf16" and bf16_is_emulated(device, extensions)
        return "BF16 is emulated: the CPU has no instructions for it" if emulated else None

    @property
    def epoch(self) -> int | None:
        """The epoch of the scored weights: the best by validation mIoU, else the last."""
        if self.config.get("epoch") is not None or not self.curve:
            return self.config.get("epoch")
        validated = [entry for entry in self.curve if entry.get("val_miou") is not None]
        best = max(validated, key=lambda entry: entry["val_miou"], default=self.curve[-1])
        return best.get("epoch")

    @property
    def kept_float(self) -> tuple[str, ...]:
        """The encoder's layers that INT8 kept in float, as requested or chosen automatically."""
        told = self.provenance.get("quantization") or {}
        return tuple(sorted(told.get("kept_float") or self.config.get("keep_float") or ()))


def network_title(config: Mapping[str, Any], title: str | None = None) -> str:
    """``Record.network_name`` of a configuration; without a network it is FCN8s."""
    whole = config.get("network")
    name = whole or config.get("backbone") or "unknown"
    title = title or FORMER_TITLES.get(name, name)
    if whole:
        return title
    decoder = config.get("decoder")
    return f"FCN8s {title}" if decoder in (None, "bilinear") else f"FCN8s {title} {decoder}"


def config_hash(config: Mapping[str, Any], kind: str = "run") -> str:
    """Twelve hex digits of the SHA-256 of ``config`` as canonical JSON.

    Records with the same hash measure the same thing, so the fields in ``OUTCOMES`` are left out.
    So are nulls: a field added later does not change older hashes. Neither does renaming a recipe
    or decoder.
    """
    asked = {
        k: v for k, v in former_names(config).items() if v is not None and k not in OUTCOMES[kind]
    }
    canonical = json.dumps(asked, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]


def write_record(
    record: Record,
    results: Path,
    arrays: Mapping[str, ArrayLike] | None = None,
    once: bool = False,
) -> Path:
    """Write ``record``, after its ``arrays``, under a new name; return the JSON's path.

    Nothing is overwritten, and an existing JSON file is complete and has its arrays. With ``once``
    an existing record of the same configuration is returned instead. Raises RecordError for a
    non-finite number. If the folder is not writable, the record is printed before the
    SegbenchError.
    """
    try:
        text = json.dumps(_as_json(record), indent=2, allow_nan=False, ensure_ascii=False) + "\n"
    except ValueError as error:
        raise RecordError(f"The {record.kind} record cannot be written: {error}.") from error
    text = unicode(text)  # it contains file names
    try:
        with locked(results / ".lock"):
            done = find_record(results, record.kind, record.config_hash) if once else None
            return done or _write(record, text, results / record.kind, arrays or {})
    except SegbenchError:
        click.echo(text, nl=False)
        raise


def _write(record: Record, text: str, folder: Path, arrays: Mapping[str, ArrayLike]) -> Path:
    stem = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{record.config_hash}"
    names = chain([f"{stem}.json"], (f"{stem}-{number}.json" for number in count(2)))
    path = next(path for name in names if not (path := folder / name).exists())
    with draft_of(path) as draft:
        beside = draft.with_suffix(".npz")
        if arrays:
            np.savez_compressed(beside, **dict(arrays))  # type: ignore[arg-type]
        draft.write_text(text, encoding="utf-8", newline="\n")
        if arrays:
            beside.replace(path.with_suffix(".npz"))
    return path


def read_record(path: Path) -> Record:
    """Read one record; raises RecordError that says why the file is not one."""
    try:
        if not path.is_file() and path.exists():
            _reject(path, "it is not a regular file")
        with FileIO(path) as file:
            data = orjson.loads(file.read())
    except OSError as error:
        _reject(path, f"it cannot be read: {error.strerror}")
    except ValueError as error:
        _reject(path, f"it is not JSON: {error}")
    if reason := problem(data):
        _reject(path, reason)
    data["config"] = current_names(data["config"])
    names = ("kind", "config", "metrics", "provenance", "per_class", "curve", "official", "schema")
    return Record(**{name: data[name] for name in names if name in data}, path=path)


def read_records(results: Path) -> tuple[list[Record], list[str]]:
    """Every record under ``results``, oldest first, and a message for each invalid file."""
    records: list[Record] = []
    problems: list[str] = []
    with without_collector():
        for _, entry in record_files(results):
            try:
                records.append(read_record(Path(entry.path)))
            except RecordError as error:
                problems.append(error.message)
    return records, problems


def record_files(results: Path) -> list[tuple[str, os.DirEntry[str]]]:
    """Candidate records: their names below ``results`` and their files, oldest first."""
    found = [(kind, entry) for kind in KINDS for entry in _entries(results / kind)]
    found.sort(key=lambda each: (_age(each[1].name), each[1].path))
    return [
        (f"{kind}/{entry.name}", entry) for kind, entry in found if entry.name.endswith(".json")
    ]


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """Ten times as fast as globbing; empty if the folder is missing or unreadable."""
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []


def find_record(results: Path, kind: str, config_hash: str) -> Path | None:
    """The newest record of a configuration, found by file name only."""
    found = (results / kind).glob(f"*Z-{config_hash}*.json")
    return max(found, key=lambda path: _age(path.name), default=None)


STAMPED = len("20261127T175351Z-ac317d597362")


def _age(name: str) -> tuple[str, int, str]:
    """A key that sorts names by time, and those of one second by the number after the hash."""
    stamped = name.removesuffix(".json")[:STAMPED]
    return stamped, len(name), name


def _as_json(record: Record) -> dict[str, Any]:
    return {
        "schema": record.schema,
        "kind": record.kind,
        "config_hash": record.config_hash,
        "config": record.config,
        "metrics": record.metrics,
        "per_class": record.per_class,
        "curve": list(record.curve),
        "official": record.official,
        "provenance": record.provenance,
    }


@contextmanager
def without_collector() -> Iterator[None]:
    """Records contain no cycles, so garbage collection over thousands of them is wasted."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _reject(path: Path, why: str) -> NoReturn:
    raise RecordError(f"{path} is not a segbench record ({why}); move it away or restore it.")
