"""Records as a pandas DataFrame: one row per record, one column per field."""

import json
import warnings
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segbench.errors import RecordError
from segbench.records.index import MANY, read_index, stamp_of, write_index
from segbench.records.record import Record, read_record, record_files, without_collector
from segbench.records.schema import scalars

if TYPE_CHECKING:
    from pandas import DataFrame

DERIVED = (
    "kind",
    "network",
    "device_name",
    "device_kind",
    "arithmetic",
    "checkpoint",
    "keep_float",
    "epoch",
    "training",
    "reasons",
    "note",
)


def load_records(results: Path | str) -> "DataFrame":
    """Every record under the folder ``results``, oldest first, as ``frame_of`` describes.

    A file that is not a record is skipped with a warning.
    """
    records, problems = read_frame(Path(results))
    for problem in problems:
        warnings.warn(problem, stacklevel=2)
    return records


def read_frame(results: Path) -> "tuple[DataFrame, list[str]]":
    """Every record under ``results``, and a message for each file that is not a record.

    Files unchanged since the folder's index was written are not read. If thousands had to be, the
    index is rewritten.
    """
    problems: list[str] = []
    files: list[tuple[str, str, str | None]] = []
    rows: list[list[Any]] = []
    index = read_index(results)
    read = 0
    with without_collector():
        for name, entry in record_files(results):
            stamp = stamp_of(entry)
            values = index.get(name, stamp)
            if values is None:
                read += 1
                try:
                    values = values_of(read_record(Path(entry.path)))
                except RecordError as error:
                    problems.append(error.message)
                    continue
            files.append((name, entry.path, stamp))
            rows.append(values)
        frame = _frame([name for name, _, _ in files], [path for _, path, _ in files], rows)
    if read >= MANY:
        known = zip(files, rows, strict=True)
        write_index(results, ((name, stamp, row) for (name, _, stamp), row in known if stamp))
    return frame, problems


def frame_of(records: Iterable[Record]) -> "DataFrame":
    """A row for each record, in order; columns hold objects, None for missing values.

    The columns are ``record`` (the file below the results folder), ``path``, ``kind``, every field
    of config, metrics and provenance that is a single value by the schema, and derived columns:
    ``network`` ("FCN8s VGG16"), ``device_name``, ``device_kind``, ``arithmetic``, ``checkpoint``
    (its SHA-256, or the configuration's hash), ``keep_float``, ``epoch`` (the one that is scored),
    ``training`` (as JSON), ``reasons`` and ``note``.
    """
    records = list(records)
    with without_collector():
        return _frame(
            [record.name for record in records],
            [None if record.path is None else str(record.path) for record in records],
            [values_of(record) for record in records],
        )


def values_of(record: Record) -> list[Any]:
    """A record's row, without the location of its file."""
    config, metrics, provenance = _fields()
    training = record.config.get("training")
    return [
        record.kind,
        record.network_name,
        record.device_name,
        record.device_kind,
        record.arithmetic,
        record.config.get("checkpoint_sha256") or record.config_hash,
        "; ".join(record.kept_float) or None,
        record.epoch,
        None if training is None else json.dumps(training, sort_keys=True),
        record.metrics.get("reasons"),
        record.note,
        *map(record.config.get, config),
        *map(record.metrics.get, metrics),
        *map(record.provenance.get, provenance),
    ]


@cache
def _fields() -> list[list[str]]:
    """The single values of config, metrics and provenance in a row."""
    return [
        [name for name in scalars(section) if name not in DERIVED]
        for section in ("config", "metrics", "provenance")
    ]


def _frame(
    names: Sequence[str | None], paths: Sequence[str | None], rows: Sequence[Sequence[Any]]
) -> "DataFrame":
    from pandas import DataFrame, Series

    columns = [*DERIVED, *chain.from_iterable(_fields())]
    frame = DataFrame(rows, columns=columns, dtype=object)
    frame.insert(0, "record", Series(names, dtype=object))
    frame.insert(1, "path", Series(paths, dtype=object))
    return frame
