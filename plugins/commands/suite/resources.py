"""The resources that a job of a suite needs on its host."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from segbench.errors import SegbenchError

KEYS = ("cpus", "gpus", "memory")


@dataclass(frozen=True)
class Resources:
    """CPUs, GPUs (or a fraction of one) and ``memory`` in GB, None for any."""

    cpus: int = 1
    gpus: float = 0
    memory: float | None = None

    @classmethod
    def read(cls, asked: Mapping[str, Any]) -> "Resources":
        """The values of the keys in ``KEYS``; SegbenchError for an invalid one."""
        given = {key: asked[key] for key in KEYS if key in asked}
        for key, value in given.items():
            number = type(value) in (int, float) and math.isfinite(value)
            whole = key == "memory" or (number and (value == int(value) or 0 < value < 1))
            least = {"cpus": 1, "gpus": 0, "memory": 1e-3}[key]
            if not number or not whole or not least <= value < 1e6:
                wanted = {
                    "cpus": "a whole number of at least 1",
                    "gpus": "a whole number, or a fraction of one GPU such as 0.5",
                    "memory": "a number of GB",
                }
                raise SegbenchError(f"{key} is {value!r}; give {wanted[key]}.")
        return cls(**given)

    def __str__(self) -> str:
        parts = [f"cpus {self.cpus}"]
        parts += [f"gpus {self.gpus:g}"] if self.gpus else []
        parts += [f"memory {self.memory:g} GB"] if self.memory else []
        return ", ".join(parts)
