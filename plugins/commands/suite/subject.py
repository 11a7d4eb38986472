"""A network that a suite scores and times, trained or to be trained."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segbench.errors import SegbenchError
from segbench.inference.checkpoint import check_whole, modern_size, weights_config
from segbench.inference.described import described
from segbench.inference.sources import NetworkWeights, source_file
from segbench.inference.weights import file_sha256
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
