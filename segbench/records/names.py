"""Names in configurations that have changed since older records and checkpoints."""

from collections.abc import Mapping
from typing import Any

RENAMED = {"recipe": ("seed", "original"), "decoder": ("seed", "transposed")}
"""Renamed configuration values in older records and checkpoints."""


def current_names(config: Mapping[str, Any]) -> dict[str, Any]:
    """``config`` with the current names of recipe and decoder."""
    return {**config, **{k: new for k, (old, new) in RENAMED.items() if config.get(k) == old}}


def former_names(config: Mapping[str, Any]) -> dict[str, Any]:
    """``config`` with the names of older records, which are part of their hash."""
    return {**config, **{k: old for k, (old, new) in RENAMED.items() if config.get(k) == new}}
