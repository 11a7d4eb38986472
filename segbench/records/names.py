"""Names in configurations that have changed since older records and checkpoints were written."""

from collections.abc import Mapping
from typing import Any

RENAMED = {"recipe": ("seed", "original"), "decoder": ("seed", "transposed")}
"""Values of a configuration that older records and checkpoints have under another name."""


def current_names(config: Mapping[str, Any]) -> dict[str, Any]:
    """``config`` with today's names of recipe and decoder."""
    return {**config, **{k: new for k, (old, new) in RENAMED.items() if config.get(k) == old}}


def former_names(config: Mapping[str, Any]) -> dict[str, Any]:
    """``config`` with the names that older records have, which are part of their hash."""
    return {**config, **{k: old for k, (old, new) in RENAMED.items() if config.get(k) == new}}
