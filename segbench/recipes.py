"""The two recipes that datasets start from, each replacing what fits its own frames."""

from collections.abc import Mapping
from typing import Any

from segbench.types import Augmentation, Recipe

MODERN = Recipe(
    name="modern",
    size=(512, 1024),
    epochs=60,
    batch_size=8,
    lr=2e-3,
    optimizer="adamw",
    schedule="one-cycle",
    weight_decay=1e-2,
    encoder_lr_scale=0.5,
    lovasz=1.0,
    precision="auto",
    augmentation=Augmentation(
        scale=(0.5, 2.0),
        flip=True,
        brightness=(-32.0, 32.0),
        contrast=(0.7, 1.3),
        saturation=(0.6, 1.4),
    ),
    source="segbench's own, as networks of the field are trained today",
)
"""What a user of the field would train with today."""

ORIGINAL = Recipe(
    name="original",
    size=(256, 512),
    epochs=100,
    batch_size=4,
    lr=5e-4,
    optimizer="adam",
    schedule="plateau",
    patience=3,
    source="the original project's training",
)
"""The original project's training; early stop ends it long before 100 epochs."""

RENAMED = {"recipe": ("seed", "original"), "decoder": ("seed", "transposed")}
"""Values of a configuration that older records and checkpoints have under another name."""


def current_names(config: Mapping[str, Any]) -> dict[str, Any]:
    """``config`` with today's names of recipe and decoder."""
    return {**config, **{k: new for k, (old, new) in RENAMED.items() if config.get(k) == old}}


def former_names(config: Mapping[str, Any]) -> dict[str, Any]:
    """``config`` with the names that older records have, which are part of their hash."""
    return {**config, **{k: old for k, (old, new) in RENAMED.items() if config.get(k) == new}}
