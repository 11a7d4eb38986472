"""What the jobs of a suite work with: checkpoints and existing records."""

from collections.abc import Callable, Collection, Mapping
from copy import copy
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from segbench.device import resolve_device
from segbench.errors import SegbenchError
from segbench.inference.checkpoint import check_whole, modern_size, weights_config
from segbench.inference.described import described
from segbench.inference.sources import NetworkWeights, source_file
from segbench.inference.weights import file_sha256
from segbench.plugins import Registry
from segbench.progress import Reporter
from segbench.records.provenance import provenance
from segbench.records.record import Record, read_record, read_records
from segbench.types import Size

NETWORK = ("network", "backbone", "decoder")


@dataclass(frozen=True)
class Subject:
    """A network and its training configuration; without a ``source`` it is not trained yet."""

    config: Mapping[str, Any]
    source: Path | NetworkWeights | None = None
    sha256: str | None = None

    @classmethod
    def read(cls, path: Path) -> "Subject":
        """A checkpoint with its metadata; SegbenchError for any other file."""
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, "numpy") as file:
                config = described((file.metadata() or {}).get("segbench", "{}"))
        except (SafetensorError, OSError, ValueError) as error:
            raise SegbenchError(f"{path} is not a checkpoint of segbench run: {error}.") from error
        return cls(config, path, file_sha256(path))

    @classmethod
    def published(cls, source: NetworkWeights) -> "Subject":
        """A network with published weights; SegbenchError if they fill only a part of it."""
        check_whole(source.network)
        file = source_file(source)
        height, width = modern_size(source.dataset)
        config = weights_config(source.network, file, source.dataset)
        return cls(config | {"height": height, "width": width}, source, file_sha256(file))

    @property
    def trained(self) -> Path | NetworkWeights:
        """Its source; SegbenchError if it is not trained yet."""
        if self.source is None:
            raise SegbenchError("The network is not trained yet.")
        return self.source

    @property
    def file(self) -> Path:
        """Its checkpoint or its weights."""
        return source_file(self.trained)

    @property
    def size(self) -> Size:
        """The size that it was trained at."""
        return self.config["height"], self.config["width"]

    @property
    def network(self) -> dict[str, Any]:
        """The network's fields of its configuration."""
        return {key: self.config.get(key) for key in NETWORK}


class Shop:
    """What jobs need: existing records, oldest first, and the tools.

    ``unset`` are environment variables for trainings that latencies must not see.
    """

    def __init__(
        self, results: Path, registry: Registry, reporter: Reporter, unset: Collection[str] = ()
    ) -> None:
        self.records, _ = read_records(results)
        self.registry, self.reporter, self.unset = registry, reporter, tuple(unset)
        self.origin: Mapping[str, Any] = provenance(datetime.now(UTC), (), registry, (), "")
        self._device: str | None = None

    def on(self, origin: Mapping[str, Any], device: str) -> "Shop":
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
        fits: Callable[[Record], bool] = lambda record: True,
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
