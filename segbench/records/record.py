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
from itertools import count
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import orjson
from numpy.typing import ArrayLike

from segbench.errors import RecordError
from segbench.recipes import current_names, former_names
from segbench.records.schema import KINDS, SCHEMA, problem

# What a configuration leads to, or where it happens to run: not part of what was asked for.
OUTCOMES = {
    "run": {"checkpoint_sha256", "device"},
    "evaluate": {"device"},
    "latency": {"session"},
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
    record: Record, results: Path, arrays: Mapping[str, ArrayLike] | None = None
) -> Path:
    """Write ``record``, after its ``arrays``, under a name of its own; give the JSON's path.

    Nothing is overwritten, and a JSON file that exists is whole and has its arrays. Raises
    RecordError for a number that is not finite and for a folder that cannot be written to.
    """
    try:
        text = json.dumps(_as_json(record), indent=2, allow_nan=False) + "\n"
    except ValueError as error:
        raise RecordError(f"The {record.kind} record cannot be written: {error}.") from error
    folder = results / record.kind
    make_folder(folder)
    try:
        part = _claim(folder, f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{record.config_hash}")
        if arrays:
            np.savez_compressed(part.with_suffix(".npz"), **dict(arrays))  # type: ignore[arg-type]
        part.write_text(text, encoding="utf-8", newline="\n")
        return part.replace(part.with_suffix(".json"))
    except OSError as error:
        raise RecordError(f"No record can be written to {folder}: {error.strerror}.") from error


def make_folder(folder: Path) -> None:
    """Make a folder for records; a long job does so first, to fail before the work."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RecordError(f"No record can be written to {folder}: {error.strerror}.") from error


def read_record(path: Path) -> Record:
    """Read one record; raises RecordError that says what makes the file none."""
    try:
        with path.open("rb", buffering=0) as file:
            data = _parsed(file.read())
    except OSError as error:
        _reject(path, f"it cannot be read: {error.strerror}")
    except (ValueError, RecursionError) as error:
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


def _claim(folder: Path, stem: str) -> Path:
    """A free name in ``folder``: its ``.part`` file keeps others off until the record is there."""
    for number in count(1):
        part = folder / (f"{stem}.part" if number == 1 else f"{stem}-{number}.part")
        try:
            part.touch(exist_ok=False)
        except FileExistsError:
            continue
        if not part.with_suffix(".json").exists():
            break
        part.unlink()
    return part


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


def _parsed(text: bytes) -> Any:
    """JSON; what orjson refuses is left to ``json``, which takes lone surrogates in file names."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return json.loads(text, parse_constant=_refuse)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a JSON number")
