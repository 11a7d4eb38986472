"""What the jobs of a suite share: existing records and the tools."""

from collections.abc import Callable, Collection, Mapping
from copy import copy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from segbench.device import resolve_device
from segbench.plugins import Registry
from segbench.progress import Reporter
from segbench.records.provenance import provenance
from segbench.records.record import Record, read_record, read_records


class Context:
    """What jobs need: existing records, oldest first, and the tools.

    ``unset`` are environment variables for trainings that latencies must not see.
    """

    def __init__(
        self, results: Path, registry: Registry, reporter: Reporter, unset: Collection[str] = ()
    ) -> None:
        self.records, _ = read_records(results)
        self.registry, self.reporter, self.unset = registry, reporter, tuple(unset)
        resolve_device("auto")  # provenance names a GPU only if torch is imported
        self.origin: Mapping[str, Any] = provenance(datetime.now(UTC), (), registry, (), "")
        self._device: str | None = None

    def on(self, origin: Mapping[str, Any], device: str) -> "Context":
        """The same for another host, with its hardware and its ``device`` for "auto"."""
        there = copy(self)
        there.origin, there._device = origin, device
        return there

    def device(self, asked: str) -> str:
        """The kind of device that a job runs on, "cpu" or "cuda"."""
        return self._device or resolve_device(asked).type

    def add(self, path: Path) -> Record:
        """Add the record in a file as the newest."""
        record = read_record(path)
        self.records[:] = [each for each in self.records if each.path != path] + [record]
        return record

    def newest(
        self,
        kinds: Collection[str],
        asked: Mapping[str, Any],
        fits: Callable[[Record], bool],
    ) -> Record | None:
        """The last record of these kinds whose configuration matches ``asked``."""
        for record in reversed(self.records):
            alike = all(record.config.get(key) == value for key, value in asked.items())
            if record.kind in kinds and alike and fits(record):
                return record
        return None

    def measured_here(self, record: Record) -> bool:
        """Whether a record is from this hardware."""
        return record.device_name == self._here(record).device_name

    def computed_alike(self, record: Record) -> bool:
        """Whether a record is from hardware that computes the same."""
        return record.device_kind == self._here(record).device_kind

    def _here(self, record: Record) -> Record:
        config = {"device": record.config.get("device")}
        return Record(record.kind, config, {}, dict(self.origin))
