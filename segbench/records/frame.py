"""Records as a pandas DataFrame: one row a record, one column a field."""

import json
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segbench.records.record import Record, each_record, without_collector
from segbench.records.schema import scalars

if TYPE_CHECKING:
    from pandas import DataFrame

DERIVED = (
    "kind",
    "record",
    "path",
    "network",
    "device_name",
    "device_kind",
    "arithmetic",
    "checkpoint",
    "keep_float",
    "training",
    "reasons",
    "note",
)


def load_records(results: Path | str) -> "DataFrame":
    """Every record under the folder ``results``, oldest first, as ``frame_of`` describes.

    A file that is not a record is left out, with a warning that says why.
    """
    records, problems = read_frame(Path(results))
    for problem in problems:
        warnings.warn(problem, stacklevel=2)
    return records


def read_frame(results: Path) -> "tuple[DataFrame, list[str]]":
    """Every record under ``results``, and a sentence for each file that is none."""
    problems: list[str] = []
    return frame_of(each_record(results, problems)), problems


def frame_of(records: Iterable[Record]) -> "DataFrame":
    """A row for each record in their order; every column holds objects, None where absent.

    The columns are ``kind``, ``record`` (the file below the results folder), ``path``,
    every field of config, metrics and provenance that the schema names and that is a single
    value, and what follows from several of them: ``network`` ("FCN8s VGG16"), ``device_name``,
    ``device_kind``, ``arithmetic``, ``checkpoint`` (its SHA-256, or the configuration's hash),
    ``keep_float``, ``training`` (as JSON), ``reasons`` and ``note``.
    """
    from pandas import DataFrame

    config, metrics, origin = (
        [name for name in scalars(section) if name not in DERIVED]
        for section in ("config", "metrics", "provenance")
    )
    with without_collector():
        rows = [
            (
                *_derived(record),
                *map(record.config.get, config),
                *map(record.metrics.get, metrics),
                *map(record.provenance.get, origin),
            )
            for record in records
        ]
    return DataFrame(rows, columns=[*DERIVED, *config, *metrics, *origin], dtype=object)


def _derived(record: Record) -> tuple[Any, ...]:
    """The values of ``DERIVED``."""
    training = record.config.get("training")
    return (
        record.kind,
        record.name,
        record.path and str(record.path),
        record.network_name,
        record.device_name,
        record.device_kind,
        record.arithmetic,
        record.config.get("checkpoint_sha256") or record.config_hash,
        "; ".join(record.kept_float) or None,
        None if training is None else json.dumps(training, sort_keys=True),
        record.metrics.get("reasons"),
        record.note,
    )
