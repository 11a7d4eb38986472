"""One immutable JSON file for each measurement, and the loader that mistrusts what it finds.

``results/<kind>/<UTC>-<hash>.json`` is the record; raw samples and per-frame matrices lie in an
``.npz`` of the same name. ``record.schema.json`` describes every field.
"""

import gc
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain, count
from pathlib import Path
from typing import Any, NoReturn

import click
import numpy as np
import orjson
from numpy.typing import ArrayLike

from segbench.errors import RecordError, SegbenchError
from segbench.files import draft_of, locked
from segbench.recipes import current_names, former_names
from segbench.records.schema import KINDS, SCHEMA, problem

# What a configuration leads to, or where it happens to run: not part of what was asked for.
OUTCOMES = {
    "run": {"checkpoint_sha256", "device"},
    "evaluate": {"device"},
    "latency": {"session"},
    "external": set(),
}


@dataclass(frozen=True)
class Record:
    """What was measured (``config``), what came out, and where it came from.

    Every value is a JSON value; None stands for what is absent. ``official`` is the benchmark's
    own result, ``curve`` has one entry an epoch, ``path`` is the file a record was read from.
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
        """The hash that records of the same configuration share."""
        return config_hash(self.config, self.kind)


def config_hash(config: Mapping[str, Any], kind: str = "run") -> str:
    """Twelve hex digits of the SHA-256 of ``config`` as canonical JSON.

    Two records with the same hash answer the same question, so the fields in ``OUTCOMES`` are
    left out. So is what is null: a field that is added later changes no older hash. Nor does a new
    name of a recipe or decoder.
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
    """Write ``record``, after its ``arrays``, under a name of its own; return the JSON's path.

    Nothing is overwritten, and a JSON file that exists is whole and has its arrays. With ``once``
    a record of the same configuration that is there already is returned instead. Raises
    RecordError for a number that is not finite. Where the folder cannot be written to, the
    record is printed before the SegbenchError.
    """
    try:
        text = json.dumps(_as_json(record), indent=2, allow_nan=False, ensure_ascii=False) + "\n"
    except ValueError as error:
        raise RecordError(f"The {record.kind} record cannot be written: {error}.") from error
    text = text.encode(errors="replace").decode()  # file names may be no Unicode
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
    """Read one record; raises RecordError that says what makes the file none."""
    try:
        if path.exists() and not path.is_file():
            _reject(path, "it is not a regular file")
        with path.open("rb", buffering=0) as file:
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
    """Every record under ``results``, oldest first, and a sentence for each file that is none."""
    problems: list[str] = []
    with without_collector():
        return list(each_record(results, problems)), problems


def each_record(results: Path, problems: list[str]) -> Iterator[Record]:
    """The same one at a time, so that thousands need not be held; adds to ``problems``."""
    paths = [path for kind in KINDS for path in (results / kind).glob("*.json")]
    for path in sorted(paths, key=lambda path: (path.name, path)):
        try:
            yield read_record(path)
        except RecordError as error:
            problems.append(error.message)


def find_record(results: Path, kind: str, config_hash: str) -> Path | None:
    """The newest record of a configuration, found by its file name alone."""
    return max((results / kind).glob(f"*Z-{config_hash}*.json"), default=None)


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
    """Thousands of records hold no cycles, so the garbage collector would walk them for nothing."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _reject(path: Path, why: str) -> NoReturn:
    raise RecordError(f"{path} is not a segbench record ({why}); move it away or restore it.")
